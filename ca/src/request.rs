//! A certificate request and its life cycle. Knows no database, clock or HTTP.

use std::collections::BTreeMap;

use common::api::Violation;
use common::api::ca::{Changes, HistoryEntry, Requestor};
use common::clock::Timestamp;
use common::crypto::RequestSignatures;
use common::identity::Caller;
use common::x509::{Csr, CsrError, CsrKind, SerialNumber};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::profile::Original;

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for an agent.
    Pending,
    /// The certificate with this serial is intended: durable, perhaps not yet signed.
    Approved(SerialNumber),
    /// The certificate with this serial is issued.
    Complete(SerialNumber),
    /// Refused for good, by an agent or by the profile.
    Rejected,
    /// Closed without judgement.
    Canceled,
}

impl State {
    /// The name in the API and in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved(_) => "approved",
            Self::Complete(_) => "complete",
            Self::Rejected => "rejected",
            Self::Canceled => "canceled",
        }
    }

    /// All names.
    pub const NAMES: [&'static str; 5] =
        ["pending", "approved", "complete", "rejected", "canceled"];

    /// The certificate's serial number, once there is one.
    pub fn serial(&self) -> Option<&SerialNumber> {
        match self {
            Self::Approved(serial) | Self::Complete(serial) => Some(serial),
            Self::Pending | Self::Rejected | Self::Canceled => None,
        }
    }
}

/// A request on record.
#[derive(Clone, Debug)]
pub struct Request {
    /// Unguessable; knowing it is the right to look.
    pub id: Uuid,
    /// Counts changes: the base of the entity tag and of compare-and-set.
    pub version: i64,
    /// Where it stands.
    pub state: State,
    /// The profile's id.
    pub profile: String,
    /// The profile's hash when the request was made.
    pub profile_version: String,
    /// The issuing authority.
    pub authority: String,
    /// When it came.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The form of `csr`.
    pub kind: CsrKind,
    /// What was sent, DER.
    pub csr: Vec<u8>,
    /// The first request of the same submission, when it made several.
    pub submission: Option<Uuid>,
    /// Who asked.
    pub requestor: Option<Requestor>,
    /// The agent who took it.
    pub assigned_to: Option<String>,
    /// What agents changed in the draft so far.
    pub changes: Changes,
    /// Why the profile refused it.
    pub violations: Vec<Violation>,
    /// What else the profile composes from.
    pub context: Context,
    /// What happened so far.
    pub history: Vec<HistoryEntry>,
}

/// What a profile composes from, beside the request of the client: kept, so that a later approval
/// finds what was there at submission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Context {
    /// The profile's inputs by attribute.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// What authentication found out about the requester, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub token: BTreeMap<String, String>,
    /// The profile's set of policies; the first one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_set: Option<String>,
    /// The certificate that is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// The profile that let a renewal in, when that is not the one that composes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_profile: Option<String>,
}

/// The request is not in a state for this step.
#[derive(Debug, PartialEq, Eq)]
pub struct NotPending(pub &'static str);

impl Request {
    /// What it asks for: the name in the API.
    pub fn type_name(&self) -> &'static str {
        match self.context.original {
            None => "enrollment",
            Some(_) => "renewal",
        }
    }

    /// All names.
    pub const TYPES: [&'static str; 2] = ["enrollment", "renewal"];

    /// A strong entity tag; it changes with the request and with its profile.
    pub fn etag(&self, profile_version: &str) -> String {
        let profile = profile_version.get(..12).unwrap_or(profile_version);
        format!("\"{}-{profile}\"", self.version)
    }

    /// What was sent, read again.
    pub fn asked(&self) -> Result<Csr, CsrError> {
        Csr::recorded(self.kind, self.csr.clone())
    }

    /// The same, if its proof of possession still counts by the rules in force.
    pub fn asked_accepting(&self, accepted: RequestSignatures) -> Result<Csr, CsrError> {
        Csr::checked(self.kind, self.csr.clone(), accepted)
    }

    /// `/pki/request/{id}`.
    pub fn link(&self) -> String {
        format!("/pki/request/{}", self.id)
    }

    /// An agent, or the profile itself, lets it through; the certificate will have this serial.
    pub fn approve(
        self,
        serial: SerialNumber,
        by: &str,
        at: Timestamp,
        note: Option<String>,
    ) -> Result<Self, NotPending> {
        self.pending()?
            .step(State::Approved(serial), "approved", by, at, note)
    }

    /// Refuses it for good.
    pub fn reject(self, by: &str, at: Timestamp, note: Option<String>) -> Result<Self, NotPending> {
        self.pending()?
            .step(State::Rejected, "rejected", by, at, note)
    }

    /// Closes it without judgement.
    pub fn cancel(self, by: &str, at: Timestamp, note: Option<String>) -> Result<Self, NotPending> {
        self.pending()?
            .step(State::Canceled, "canceled", by, at, note)
    }

    /// Nobody decided in time.
    pub fn expire(self, at: Timestamp) -> Result<Self, NotPending> {
        self.pending()?
            .step(State::Canceled, "expired", "system", at, None)
    }

    /// An agent keeps other content with it.
    pub fn update(
        self,
        changes: Changes,
        by: &str,
        at: Timestamp,
        note: Option<String>,
    ) -> Result<Self, NotPending> {
        let mut request = self.pending()?;
        request.changes = changes;
        request.step(State::Pending, "updated", by, at, note)
    }

    /// An agent takes it.
    pub fn assign(self, by: &str, at: Timestamp, note: Option<String>) -> Result<Self, NotPending> {
        let mut request = self.pending()?;
        request.assigned_to = Some(by.to_owned());
        request.step(State::Pending, "assigned", by, at, note)
    }

    /// Gives it back.
    pub fn unassign(
        self,
        by: &str,
        at: Timestamp,
        note: Option<String>,
    ) -> Result<Self, NotPending> {
        let mut request = self.pending()?;
        request.assigned_to = None;
        request.step(State::Pending, "unassigned", by, at, note)
    }

    /// Whether `caller` sent it; strangers are all the same to us.
    pub fn is_from(&self, caller: &Caller) -> bool {
        let sender = self.history.first().map(|entry| entry.by.as_str());
        caller.is_authenticated() && sender == Some(caller.actor())
    }

    /// The intended certificate is signed and on record.
    pub fn complete(self, at: Timestamp) -> Result<Self, NotPending> {
        let State::Approved(serial) = self.state.clone() else {
            return Err(NotPending(self.state.name()));
        };
        self.step(State::Complete(serial), "issued", "system", at, None)
    }

    /// Itself, if it still waits.
    pub fn pending(self) -> Result<Self, NotPending> {
        match self.state {
            State::Pending => Ok(self),
            State::Approved(_) | State::Complete(_) | State::Rejected | State::Canceled => {
                Err(NotPending(self.state.name()))
            }
        }
    }

    fn step(
        mut self,
        state: State,
        action: &str,
        by: &str,
        at: Timestamp,
        note: Option<String>,
    ) -> Result<Self, NotPending> {
        self.state = state;
        self.version += 1;
        self.modified = at;
        self.history.push(HistoryEntry {
            at,
            by: by.to_owned(),
            action: action.to_owned(),
            note,
        });
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> Request {
        Request {
            id: Uuid::nil(),
            version: 1,
            state: State::Pending,
            profile: "caServerCert".into(),
            profile_version: "00".into(),
            authority: "host".into(),
            created: Timestamp::from_seconds(0),
            modified: Timestamp::from_seconds(0),
            kind: CsrKind::Pkcs10,
            csr: Vec::new(),
            submission: None,
            requestor: None,
            assigned_to: None,
            changes: Changes::default(),
            violations: Vec::new(),
            context: Context::default(),
            history: Vec::new(),
        }
    }

    #[test]
    fn a_decided_request_is_never_decided_again() {
        let now = Timestamp::from_seconds(1);
        let serial = SerialNumber::random();
        let rejected = pending().reject("agent1", now, None).expect("was pending");
        assert_eq!(
            rejected
                .clone()
                .approve(serial.clone(), "agent1", now, None)
                .err(),
            Some(NotPending("rejected"))
        );
        assert_eq!(rejected.complete(now).err(), Some(NotPending("rejected")));
        let approved = pending()
            .approve(serial.clone(), "agent1", now, None)
            .expect("was pending");
        assert_eq!(
            approved.clone().cancel("agent1", now, None).err(),
            Some(NotPending("approved"))
        );
        let complete = approved.complete(now).expect("was approved");
        assert_eq!(complete.state, State::Complete(serial));
        assert_eq!(complete.version, 3);
        assert_eq!(complete.history.len(), 2);
    }
}
