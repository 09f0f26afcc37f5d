//! The verbs of a CA in this process.

use std::sync::Mutex;

use ca::authority::{Asked, Submission};
use ca::config::{Config, RequestConfig};
use ca::request::State;
use ca::store::certificates;
use ca::{Authority, Error};
use common::api::ca::Decision;
use common::clock::{Clock, Timestamp};
use common::http::conditional::IfMatch;
use common::identity::Caller;
use serde_json::Value;

use super::model::{AGENTS, Outcome, Policy};
use super::{SUBJECT, Seen, Subject, agent_name, agent_of, number, run};
use crate::store::{self, Store};

/// A CA over a database of its own, with its agents.
pub(super) struct Verbs {
    authority: Authority,
    clock: Clock,
    now: Mutex<Timestamp>,
    stranger: Caller,
    agents: Vec<Caller>,
    csr: Vec<u8>,
    _store: Store,
}

impl Verbs {
    pub(super) fn new(policy: Policy) -> Self {
        let clock = Clock::fixed(store::at(0));
        let config = Config {
            request: RequestConfig {
                assignee_only: policy.assignee_only,
                expire_days: policy.expire_days,
                own_approval: policy.own_approval,
            },
            ..store::config()
        };
        let store = Store::sqlite();
        let authority = store::authority_with(&store, &config, &clock);
        let agents = (0..AGENTS).map(|number| store::agent(&authority, &agent_name(number)));
        Self {
            agents: agents.collect(),
            stranger: store::anonymous(&authority),
            authority,
            now: Mutex::new(store::at(0)),
            clock,
            csr: store::csr(SUBJECT, &[]),
            _store: store,
        }
    }

    fn count(&self, sql: &'static str) -> i64 {
        let found = store::read(self.authority.database(), |c| store::texts(c, sql));
        found[0].parse().expect("a count")
    }

    fn records(&self) -> i64 {
        self.count("SELECT CAST(COUNT(*) AS TEXT) AS text FROM audit")
    }

    fn certificates(&self) -> i64 {
        self.count("SELECT CAST(COUNT(*) AS TEXT) AS text FROM certificates")
    }
}

impl Subject for Verbs {
    fn submit(&self, sender: Option<usize>) -> String {
        let submission = Submission {
            profile: "caServerCert".into(),
            asked: Asked::Pkcs10(self.csr.clone()),
            inputs: std::collections::BTreeMap::new(),
            requestor: None,
            authority: None,
            idempotency: None,
        };
        let sender = sender.map_or(&self.stranger, |agent| &self.agents[agent]);
        let submitted = self.authority.submit(sender, submission);
        submitted.expect("it is accepted").request.id.to_string()
    }

    fn decide(&self, id: &str, agent: usize, tag: Option<&str>, decision: &Value) -> Outcome {
        let decision: Decision = serde_json::from_value(decision.clone()).expect("a decision");
        let if_match = match tag {
            None => IfMatch::Absent,
            Some("*") => IfMatch::Any,
            Some(tag) => IfMatch::Tags(vec![tag.to_owned()]),
        };
        let id = id.parse().expect("a UUID");
        let decided = self
            .authority
            .decide(&self.agents[agent], id, &if_match, decision);
        match decided {
            Ok(_) => Outcome::Done,
            Err(Error::Precondition(problem)) => match problem.status().as_u16() {
                428 => Outcome::NoTag,
                412 => Outcome::Stale,
                other => panic!("{other}"),
            },
            Err(Error::NotPending { .. }) => Outcome::NotPending,
            Err(Error::NotAssigned { .. }) => Outcome::NotAssigned,
            Err(Error::OwnRequest { .. }) => Outcome::Own,
            Err(Error::ProfileChanged { .. }) => Outcome::ProfileChanged,
            Err(Error::NotAcceptable(_)) => Outcome::NotAcceptable,
            Err(error) => panic!("{error}"),
        }
    }

    fn seen(&self, id: &str) -> Seen {
        let found = self.authority.request(id.parse().expect("a UUID"));
        let found = found.expect("it is on record");
        let request = found.request;
        let issued_to = match &request.state {
            State::Complete(serial) => {
                let found =
                    store::read(self.authority.database(), |c| certificates::find(c, serial));
                Some(found.certificate.subject().to_string())
            }
            State::Pending | State::Approved(_) | State::Rejected | State::Canceled => None,
        };
        let history = request.history.iter();
        Seen {
            etag: found.etag,
            status: request.state.name().into(),
            assigned_to: request.assigned_to.as_deref().and_then(agent_of),
            changes: (request.changes.subject, request.changes.not_after.is_some()),
            history: history
                .map(|entry| (agent_of(&entry.by), entry.action.clone()))
                .collect(),
            issued_to,
        }
    }

    fn wait(&self, days: i64) -> bool {
        let mut now = self.now.lock().expect("nobody panics with it");
        // A little more than the days, so that a limit of as many days has passed.
        *now = now.plus_days(days).plus_seconds(1);
        self.clock.set(*now);
        self.authority.expire_requests().expect("the job is done");
        true
    }

    fn edit_profile(&self, id: &str) -> bool {
        let sql = format!("UPDATE requests SET profile_version = 'earlier' WHERE id = '{id}'");
        store::write(self.authority.database(), move |c| store::execute(c, &sql));
        true
    }
}

#[test]
fn ten_thousand_sequences_find_no_illegal_step() {
    let seed = number("CHANCERY_LIFECYCLE_SEED", 3);
    let sequences = number("CHANCERY_LIFECYCLE_SEQUENCES", 10_000);
    let switches = [false, true];
    let policies = switches.map(|assignee_only| {
        switches.map(|own_approval| {
            [None, Some(3)].map(|expire_days| Policy {
                assignee_only,
                own_approval,
                expire_days,
            })
        })
    });
    let policies: Vec<_> = policies.into_iter().flatten().flatten().collect();
    let share = sequences.div_ceil(policies.len() as u64);
    std::thread::scope(|scope| {
        for (index, policy) in policies.into_iter().enumerate() {
            scope.spawn(move || {
                let ca = Verbs::new(policy);
                let before = (ca.records(), ca.certificates());
                let seed = seed.wrapping_add(index as u64);
                let (records, certificates) = run(&ca, policy, seed, share);
                assert_eq!(ca.records() - before.0, records, "{policy:?}");
                assert_eq!(ca.certificates() - before.1, certificates, "{policy:?}");
                println!("seed {seed}: {share} sequences, {certificates} certificates, {policy:?}");
            });
        }
    });
}
