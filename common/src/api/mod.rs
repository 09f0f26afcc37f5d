//! The wire conventions of the native REST face, and its JSON bodies by service.
//!
//! Names are snake_case, times RFC 3339 UTC, binary is base64 or PEM; absent fields are omitted.

pub mod ca;
pub mod kra;
pub mod object;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list, newest first unless said otherwise.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries of this page.
    pub entries: Vec<T>,
    /// Opaque cursor of the next page (`?after=`); absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A rule that an input broke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Violation {
    /// The input field, as a path (`changes.not_after`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The profile policy that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Short name of the rule.
    pub rule: String,
    /// The offending value, when it may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// One sentence for people.
    pub message: String,
}

impl Violation {
    /// A violation by an input field.
    pub fn field(field: impl Into<String>, rule: &str, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            rule: rule.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// A violation found by a profile policy.
    pub fn policy(policy: &str, rule: &str, message: impl Into<String>) -> Self {
        Self {
            policy: Some(policy.into()),
            rule: rule.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Whether the policy with this id found it.
    pub fn is_of_policy(&self, id: &str) -> bool {
        self.policy.as_deref() == Some(id)
    }

    /// The same with the offending value.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }
}

/// An error as RFC 9457 problem details (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Problem {
    /// `/problems/<slug>`: the kind of problem, stable for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `urn:uuid:<X-Request-Id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The broken rules, where there are several or a field can be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// The request that was recorded as refused, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// `GET /pki/info`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Info {
    /// `Chancery`.
    pub product: String,
    /// The version of the software.
    pub version: String,
    /// The services behind this address: `ca`, `kra`, `ocsp`.
    pub roles: Vec<String>,
    /// Where to go from here, by name.
    pub links: std::collections::BTreeMap<String, String>,
}

/// `GET /health` and `GET /ready`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `unavailable`.
    pub status: String,
    /// What is missing, by service; only shown to those who may see it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}
