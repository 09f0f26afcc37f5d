//! What the life cycle of a request should be, told a second time and as shortly as possible.

use serde_json::{Value, json};
use tests::dice::Dice;

/// How many agents there are.
pub(super) const AGENTS: usize = 3;

/// What the CA is told about requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policy {
    pub(super) assignee_only: bool,
    pub(super) own_approval: bool,
    pub(super) expire_days: Option<i64>,
}

/// Changes that an agent makes: another subject, or an end that no profile allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) subject: Option<&'static str>,
    pub(super) is_too_long: bool,
}

impl Content {
    fn any(dice: &mut Dice) -> Self {
        Self {
            subject: *dice.pick(&[None, Some("CN=a.example"), Some("CN=b.example")]),
            is_too_long: dice.roll(4) == 0,
        }
    }

    fn json(self) -> Value {
        let mut changes = json!({});
        if let Some(subject) = self.subject {
            changes["subject"] = subject.into();
        }
        if self.is_too_long {
            changes["not_after"] = "2099-01-01T00:00:00Z".into();
        }
        changes
    }

    /// These on top of those.
    fn over(self, kept: Self) -> Self {
        Self {
            subject: self.subject.or(kept.subject),
            is_too_long: self.is_too_long || kept.is_too_long,
        }
    }
}

/// What an agent wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Approve(Content),
    Reject,
    Cancel,
    Assign,
    Unassign,
    Update(Content),
    Validate(Content),
}

impl Wish {
    fn any(dice: &mut Dice) -> Self {
        match dice.roll(12) {
            0..=2 => Self::Approve(Content::any(dice)),
            3 => Self::Reject,
            4 => Self::Cancel,
            5..=6 => Self::Assign,
            7 => Self::Unassign,
            8..=10 => Self::Update(Content::any(dice)),
            _ => Self::Validate(Content::any(dice)),
        }
    }

    /// The body of the call.
    pub(super) fn json(self) -> Value {
        match self {
            Self::Approve(content) if content == Content::default() => {
                json!({"status": "approved"})
            }
            Self::Approve(content) => json!({"status": "approved", "changes": content.json()}),
            Self::Reject => json!({"status": "rejected", "note": "no"}),
            Self::Cancel => json!({"status": "canceled"}),
            Self::Assign => json!({"status": "assigned"}),
            Self::Unassign => json!({"status": "unassigned"}),
            Self::Update(content) => json!({"status": "updated", "changes": content.json()}),
            Self::Validate(content) => json!({"status": "validated", "changes": content.json()}),
        }
    }
}

/// The tag that comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Fresh,
    Stale,
    Any,
    Missing,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// An agent decides.
    Decide(usize, Tag, Wish),
    /// Two agents decide at once on what both have reviewed.
    Race((usize, Wish), (usize, Wish)),
    /// Days pass, and the timed work is done.
    Wait(i64),
    /// The profile is edited.
    EditProfile,
}

impl Step {
    pub(super) fn any(dice: &mut Dice) -> Self {
        match dice.roll(20) {
            0..=15 => {
                let tag = [Tag::Fresh; 12].into_iter();
                let tags: Vec<_> = tag.chain([Tag::Stale, Tag::Any, Tag::Missing]).collect();
                let (agent, tag) = (dice.roll(AGENTS), *dice.pick(&tags));
                Self::Decide(agent, tag, Wish::any(dice))
            }
            16..=17 => {
                let one = (dice.roll(AGENTS), Wish::any(dice));
                Self::Race(one, (dice.roll(AGENTS), Wish::any(dice)))
            }
            18 => Self::Wait(i64::try_from(dice.roll(5)).unwrap_or(0)),
            _ => Self::EditProfile,
        }
    }
}

/// What comes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Stale,
    NoTag,
    NotPending,
    NotAssigned,
    Own,
    ProfileChanged,
    NotAcceptable,
}

/// A request as it should be.
#[derive(Clone, Debug)]
pub(super) struct Model {
    policy: Policy,
    sender: Option<usize>,
    pub(super) status: &'static str,
    pub(super) assigned_to: Option<usize>,
    pub(super) kept: Content,
    /// Who did what: an agent, or nobody that can be named.
    pub(super) history: Vec<(Option<usize>, &'static str)>,
    /// Records of the audit trail.
    pub(super) records: i64,
    is_current: bool,
    age: i64,
}

impl Model {
    pub(super) fn new(policy: Policy, sender: Option<usize>) -> Self {
        Self {
            policy,
            sender,
            status: "pending",
            assigned_to: None,
            kept: Content::default(),
            history: vec![(sender, "submitted")],
            records: 1,
            is_current: true,
            age: 0,
        }
    }

    /// What should come of a wish.
    pub(super) fn expect(&self, agent: usize, tag: Tag, wish: Wish) -> Outcome {
        let approves = matches!(wish, Wish::Approve(_));
        let hands_over = matches!(wish, Wish::Assign | Wish::Unassign | Wish::Validate(_));
        let is_theirs = hands_over || self.assigned_to == Some(agent);
        let content = match wish {
            Wish::Approve(content) | Wish::Validate(content) => Some(content.over(self.kept)),
            Wish::Update(content) => Some(content),
            Wish::Reject | Wish::Cancel | Wish::Assign | Wish::Unassign => None,
        };
        match tag {
            Tag::Stale => Outcome::Stale,
            Tag::Missing => Outcome::NoTag,
            Tag::Any if approves => Outcome::NoTag,
            Tag::Any | Tag::Fresh if self.status != "pending" => Outcome::NotPending,
            Tag::Any | Tag::Fresh if self.policy.assignee_only && !is_theirs => {
                Outcome::NotAssigned
            }
            Tag::Any | Tag::Fresh
                if approves && !self.policy.own_approval && self.sender == Some(agent) =>
            {
                Outcome::Own
            }
            Tag::Any | Tag::Fresh => match content {
                Some(_) if !self.is_current => Outcome::ProfileChanged,
                Some(content) if content.is_too_long => Outcome::NotAcceptable,
                Some(_) | None => Outcome::Done,
            },
        }
    }

    /// The wish was granted.
    pub(super) fn grant(&mut self, agent: usize, wish: Wish) {
        let action = match wish {
            Wish::Approve(content) => {
                self.kept = content.over(self.kept);
                self.status = "complete";
                self.records += 1;
                "approved"
            }
            Wish::Reject => {
                self.status = "rejected";
                "rejected"
            }
            Wish::Cancel => {
                self.status = "canceled";
                "canceled"
            }
            Wish::Assign => {
                self.assigned_to = Some(agent);
                "assigned"
            }
            Wish::Unassign => {
                self.assigned_to = None;
                "unassigned"
            }
            Wish::Update(content) => {
                self.kept = content;
                "updated"
            }
            Wish::Validate(_) => return,
        };
        self.history.push((Some(agent), action));
        if action == "approved" {
            self.history.push((None, "issued"));
        }
        self.records += 1;
    }

    /// Days pass.
    pub(super) fn wait(&mut self, days: i64) {
        self.age += days;
        let has_expired = self
            .policy
            .expire_days
            .is_some_and(|limit| self.age >= limit);
        if has_expired && self.status == "pending" {
            self.status = "canceled";
            self.history.push((None, "expired"));
            self.records += 1;
        }
    }

    /// The profile is not what it was.
    pub(super) fn edit_profile(&mut self) {
        self.is_current = false;
    }
}
