//! A profile on record, ready for use or not.

use std::sync::Arc;

use common::api;
use common::clock::Timestamp;

use super::text::{Item, Text};
use super::{Profile, version};

/// Whether requests are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not; the text may be changed.
    Disabled,
    /// They are.
    Enabled,
    /// Not, and what waits is not issued either, until an administrator lifts it.
    Stopped {
        /// Who stopped it.
        by: String,
        /// Why.
        note: Option<String>,
    },
}

impl Standing {
    /// The name in the API and in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Stopped { .. } => "stopped",
        }
    }
}

/// A profile on record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What its file says.
    pub text: Text,
    /// SHA-256 of its substance, hex.
    pub version: String,
    /// Whether requests are accepted.
    pub standing: Standing,
    /// When it last changed.
    pub changed: Timestamp,
    /// The profile ready for use, or all that keeps it from being enabled.
    pub profile: Result<Arc<Profile>, Vec<String>>,
}

impl Entry {
    /// Reads the text.
    pub fn new(text: Text, standing: Standing, changed: Timestamp) -> Self {
        Self {
            version: version(&text),
            profile: Profile::new(text.clone()).map(Arc::new),
            text,
            standing,
            changed,
        }
    }

    /// A strong entity tag.
    pub fn etag(&self) -> String {
        let version = self.version.get(..16).unwrap_or_default();
        format!("\"{version}-{:x}\"", self.changed.micros())
    }

    /// The profile, when requests are accepted.
    pub fn enabled(&self) -> Option<&Arc<Profile>> {
        let enabled = self.standing == Standing::Enabled;
        self.profile.as_ref().ok().filter(|_| enabled)
    }

    /// The profile in a list.
    pub fn summary(&self) -> api::ca::ProfileSummary {
        let id = &self.text.id;
        api::ca::ProfileSummary {
            id: id.clone(),
            name: self.text.name.clone().unwrap_or_else(|| id.clone()),
            description: self.text.description.clone().unwrap_or_default(),
            enabled: self.standing == Standing::Enabled,
            visible: self.text.visible == Some(true),
            link: format!("/pki/profile/{id}"),
        }
    }
}

impl Entry {
    /// The profile in full.
    pub fn describe(&self) -> api::ca::Profile {
        let text = &self.text;
        let id = &text.id;
        let ready = self.profile.as_ref();
        let json = |plugin| serde_json::to_value(plugin).unwrap_or_default();
        let policies = text.policies.iter().map(|policy| api::ca::ProfilePolicy {
            set: policy.set.clone(),
            id: policy.id.clone(),
            default: json(&policy.default),
            constraint: json(&policy.constraint),
        });
        let stated = text.approval.map(|approval| approval.name());
        let approval = stated.or(ready.ok().map(|profile| profile.approval().name()));
        let outputs = text.outputs.iter().map(|output| api::ca::ProfileOutput {
            id: output.id.clone(),
            class: output.class.clone(),
        });
        api::ca::Profile {
            id: id.clone(),
            name: text.name.clone().unwrap_or_else(|| id.clone()),
            description: text.description.clone().unwrap_or_default(),
            enabled: self.standing == Standing::Enabled,
            visible: text.visible == Some(true),
            version: self.version.clone(),
            status: self.standing.name().into(),
            stopped: match &self.standing {
                Standing::Stopped { by, note } => {
                    let note = note.as_deref().unwrap_or("no reason given");
                    Some(format!("by {by}: {note}"))
                }
                Standing::Disabled | Standing::Enabled => None,
            },
            class: text.class.clone(),
            authentication: text.authentication.clone().unwrap_or_else(|| "none".into()),
            acl: text.acl.clone(),
            approval: approval.unwrap_or("agent").into(),
            renewal: text.renewal == Some(true),
            subject_alt_names: text.subject_alt_names.map(|rule| rule.name().into()),
            policy_set: text.policy_set.clone(),
            problems: ready.err().cloned().unwrap_or_default(),
            inputs: inputs(text),
            outputs: outputs.collect(),
            policies: policies.collect(),
        }
    }
}

/// Inputs as far as they are known; of one that is not, class and parameters alone.
fn inputs(text: &Text) -> Vec<api::ca::ProfileInput> {
    let describe = |item: &Item| {
        let known = super::input::Input::new(item)
            .ok()
            .map(|input| input.describe());
        let parameters = item.parameters.0.iter();
        let parameters = parameters.map(|(name, value)| (name.clone(), value.clone().into()));
        let plain = api::ca::ProfileInput {
            id: item.id.clone(),
            name: item.name.clone().unwrap_or_else(|| item.class.clone()),
            class: item.class.clone(),
            attributes: Vec::new(),
            parameters: serde_json::Map::new(),
        };
        api::ca::ProfileInput {
            parameters: parameters.collect(),
            ..known.unwrap_or(plain)
        }
    };
    text.inputs.iter().map(describe).collect()
}
