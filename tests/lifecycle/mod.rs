//! Random sequences of steps against a small model of the life cycle: ten thousand on the verbs of
//! a CA, and a hundred on a running one.
//!
//! `CHANCERY_LIFECYCLE_SEED` picks the run, `CHANCERY_LIFECYCLE_SEQUENCES` its length.

mod model;
mod service;
mod verbs;

use std::env;
use std::thread;

use serde_json::Value;
use tests::dice::Dice;

use model::{AGENTS, Content, Model, Outcome, Policy, Step, Tag, Wish};

/// A CA that the steps are taken on.
trait Subject: Sync {
    /// A new request, by an agent or by a stranger.
    fn submit(&self, sender: Option<usize>) -> String;
    /// An agent decides.
    fn decide(&self, id: &str, agent: usize, tag: Option<&str>, decision: &Value) -> Outcome;
    /// What is on record.
    fn seen(&self, id: &str) -> Seen;
    /// Days pass, and the timed work is done; `false` where that cannot be.
    fn wait(&self, days: i64) -> bool;
    /// The request's profile is edited; `false` where that cannot be.
    fn edit_profile(&self, id: &str) -> bool;
}

/// A request as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    etag: String,
    status: String,
    assigned_to: Option<usize>,
    /// The subject and the end that agents gave it.
    changes: (Option<String>, bool),
    history: Vec<(Option<usize>, String)>,
    /// The subject of its certificate.
    issued_to: Option<String>,
}

/// The subject that every request asks for.
const SUBJECT: &str = "CN=host.example";

fn number(name: &str, default: u64) -> u64 {
    let text = env::var_os(name).map(|text| text.into_string().expect("a number"));
    text.map_or(default, |text| text.parse().expect("a number"))
}

/// Takes sequence after sequence of steps; gives the number of audit records that they should make
/// and of certificates.
fn run(subject: &impl Subject, policy: Policy, seed: u64, sequences: u64) -> (i64, i64) {
    let (mut records, mut certificates) = (0, 0);
    for sequence in 0..sequences {
        let mut dice = Dice::new(seed.wrapping_add(sequence << 8));
        let sender = *dice.pick(&[None, None, Some(0), Some(1)]);
        let model = follow(
            subject,
            Model::new(policy, sender),
            sender,
            &mut dice,
            &format!("CHANCERY_LIFECYCLE_SEED={seed}, sequence {sequence}, {policy:?}"),
        );
        records += model.records;
        certificates += i64::from(model.status == "complete");
    }
    (records, certificates)
}

/// Takes a dozen steps with one request and compares after each.
fn follow(
    subject: &impl Subject,
    mut model: Model,
    sender: Option<usize>,
    dice: &mut Dice,
    run: &str,
) -> Model {
    let id = subject.submit(sender);
    let mut seen = subject.seen(&id);
    let mut stale = "\"0-0\"".to_owned();
    let mut taken = Vec::new();
    // A sequence ends some steps after its request has come to an end.
    for _ in 0..4 + dice.roll(10) {
        let step = Step::any(dice);
        taken.push(step);
        let told = || format!("{run}: {taken:?}\n{model:?}");
        match step {
            Step::Decide(agent, tag, wish) => {
                let sent = match tag {
                    Tag::Fresh => Some(seen.etag.as_str()),
                    Tag::Stale => Some(stale.as_str()),
                    Tag::Any => Some("*"),
                    Tag::Missing => None,
                };
                let outcome = subject.decide(&id, agent, sent, &wish.json());
                let expected = model.expect(agent, tag, wish);
                assert_eq!(outcome, expected, "{}", told());
                if outcome == Outcome::Done {
                    model.grant(agent, wish);
                }
            }
            Step::Race(one, other) => race(subject, &id, &seen.etag, &mut model, [one, other], run),
            Step::Wait(days) if subject.wait(days) => model.wait(days),
            Step::EditProfile if subject.edit_profile(&id) => model.edit_profile(),
            Step::Wait(_) | Step::EditProfile => {}
        }
        let now = subject.seen(&id);
        assert_same(&now, &model, &format!("{run}: {taken:?}"));
        // The tag changes with the request, and only then.
        assert_eq!(now.etag == seen.etag, now == seen, "{run}: {taken:?}");
        if now.etag != seen.etag {
            stale = seen.etag;
        }
        seen = now;
    }
    // What still waits would expire in the middle of another sequence.
    for wish in [Wish::Assign, Wish::Cancel] {
        let expected = model.expect(0, Tag::Any, wish);
        assert_eq!(subject.decide(&id, 0, Some("*"), &wish.json()), expected);
        if expected == Outcome::Done {
            model.grant(0, wish);
        }
    }
    assert_same(&subject.seen(&id), &model, run);
    model
}

/// Two at once: each gets what it would get alone, or finds that the other was faster.
fn race(
    subject: &impl Subject,
    id: &str,
    etag: &str,
    model: &mut Model,
    sides: [(usize, Wish); 2],
    run: &str,
) {
    let bodies = sides.map(|(_, wish)| wish.json());
    let outcomes = thread::scope(|scope| {
        let handles = [0, 1].map(|side| {
            let (agent, body) = (sides[side].0, &bodies[side]);
            scope.spawn(move || subject.decide(id, agent, Some(etag), body))
        });
        handles.map(|handle| handle.join().expect("it does not panic"))
    });
    let alone = sides.map(|(agent, wish)| model.expect(agent, Tag::Fresh, wish));
    let changes = |side: usize| !matches!(sides[side].1, Wish::Validate(_));
    let won = |side: usize| outcomes[side] == Outcome::Done && changes(side);
    let told = format!("{run}: {sides:?} gave {outcomes:?} instead of {alone:?}");
    assert!(!(won(0) && won(1)), "both won, {told}");
    for side in [0, 1] {
        let lost = matches!(outcomes[side], Outcome::Stale | Outcome::NotPending);
        assert!(
            outcomes[side] == alone[side] || (lost && won(1 - side)),
            "{told}"
        );
        if won(side) {
            model.grant(sides[side].0, sides[side].1);
        }
    }
}

#[track_caller]
fn assert_same(seen: &Seen, model: &Model, told: &str) {
    let history: Vec<_> = model
        .history
        .iter()
        .map(|(who, action)| (*who, (*action).to_owned()))
        .collect();
    let subject = model.kept.subject;
    let issued_to = (model.status == "complete").then(|| subject.unwrap_or(SUBJECT).to_owned());
    let expected = Seen {
        etag: seen.etag.clone(),
        status: model.status.into(),
        assigned_to: model.assigned_to,
        changes: (subject.map(str::to_owned), model.kept.is_too_long),
        history,
        issued_to,
    };
    assert_eq!(seen, &expected, "{told}");
}

/// Who an actor is: an agent by number, or nobody that can be named.
fn agent_of(actor: &str) -> Option<usize> {
    (0..AGENTS).find(|number| actor == agent_name(*number))
}

fn agent_name(number: usize) -> String {
    format!("agent{}", number + 1)
}

/// A model that cannot be wrong proves nothing.
#[test]
fn a_model_that_expects_something_else_is_told() {
    let ca = verbs::Verbs::new(Policy::default());
    let mut model = Model::new(Policy::default(), None);
    model.grant(0, Wish::Update(Content::default()));
    let id = ca.submit(None);
    let seen = ca.seen(&id);
    let differs = std::panic::catch_unwind(|| assert_same(&seen, &model, "planted"));
    assert!(differs.is_err());
}
