//! The audit trail: who did what to which object, with which result.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::identity::Caller;

/// One record. It is written in the same transaction as the change that it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The user's id, the subject of an unmapped certificate, `anonymous` or `system`.
    pub actor: String,
    /// How the actor proved itself: `tls:<SPKI SHA-256>` or `none`.
    pub credential: String,
    /// The network address, empty for the system itself.
    pub source: String,
    /// What happened, in Dogtag's event names (`CERT_REQUEST_PROCESSED`).
    pub event: &'static str,
    /// What it happened to (`request/<id>`, `certificate/<serial>`).
    pub object: String,
    /// `success` or `failure`.
    pub outcome: &'static str,
    /// `X-Request-Id`, empty for the system itself.
    pub request_id: String,
    /// Further facts.
    pub details: BTreeMap<&'static str, String>,
}

impl Event {
    /// A successful act of `caller`.
    pub fn by(caller: &Caller, at: Timestamp, event: &'static str, object: String) -> Self {
        Self {
            at,
            actor: caller.actor().to_owned(),
            credential: caller.credential(),
            source: caller.source(),
            event,
            object,
            outcome: "success",
            request_id: caller.request_id(),
            details: BTreeMap::new(),
        }
    }

    /// The same with one more fact.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.insert(name, value.into());
        self
    }

    /// The same as a failure.
    pub fn failed(mut self) -> Self {
        self.outcome = "failure";
        self
    }

    /// The canonical bytes (RFC 8785: keys sorted, no spaces, strings only), later a log leaf.
    pub fn leaf(&self) -> Vec<u8> {
        let at = self.at.micros().to_string();
        let details = serde_json::to_value(&self.details).unwrap_or_default();
        // `serde_json::Map` is a B-tree, so keys come out sorted.
        let leaf = serde_json::json!({
            "actor": self.actor,
            "at_micros": at,
            "credential": self.credential,
            "details": details,
            "event": self.event,
            "object": self.object,
            "outcome": self.outcome,
            "request_id": self.request_id,
            "source": self.source,
        });
        leaf.to_string().into_bytes()
    }
}
