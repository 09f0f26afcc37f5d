//! Profiles: what a certificate of a kind looks like, who may ask, and who decides.
//!
//! A profile is an ordered list of policies, each a *default* that fills in and a *constraint* that
//! checks. Class and parameter names are Dogtag's.

mod constraint;
mod default;
mod shipped;

use std::collections::BTreeMap;

use common::api::{self, Violation};
use common::clock::Timestamp;
use common::crypto::sha256;
use common::x509::Csr;
use serde::{Deserialize, Serialize};

use crate::issue::Draft;
use crate::issuer::Issuer;
use constraint::Constraint;
use default::Default;

pub use default::Composition;
pub use shipped::Profiles;

/// Who may submit under a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// Anyone.
    None,
    /// An agent of the CA.
    Agent,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// An agent, each time.
    Agent,
    /// An agent, except that what our own services (Subsystem Group) ask for is issued at once.
    AgentOrService,
    /// Nobody: the profile itself.
    Automatic,
}

/// The text of a profile, as it stands in its TOML file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The id in paths.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether requests are accepted.
    pub enabled: bool,
    /// Whether everybody sees it.
    pub visible: bool,
    /// Who may submit.
    pub authentication: Authentication,
    /// Who decides.
    pub approval: Approval,
    /// What a client sends, by class.
    pub inputs: Vec<String>,
    /// What comes back, by class.
    pub outputs: Vec<String>,
    /// What is filled in and checked, in order.
    pub policies: Vec<PolicyText>,
}

/// The text of a policy.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Its name within the profile.
    pub id: String,
    /// What fills in.
    pub default: Plugin,
    /// What checks.
    pub constraint: Plugin,
}

/// A class with its parameters, all text as in Dogtag's notation.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plugin {
    /// `validityDefaultImpl`.
    pub class: String,
    /// Parameters by Dogtag's names.
    #[serde(flatten)]
    pub parameters: BTreeMap<String, String>,
}

impl Plugin {
    fn text(&self, name: &str) -> Result<&str, String> {
        let value = self.parameters.get(name).map(String::as_str);
        value.ok_or_else(|| format!("{} needs the parameter {name}", self.class))
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.parameters.get(name).map_or("false", String::as_str) {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!(
                "{}: {name} is true or false, not `{other}`",
                self.class
            )),
        }
    }
}

/// A profile ready for use.
#[derive(Debug)]
pub struct Profile {
    text: Text,
    version: String,
    policies: Vec<Policy>,
}

#[derive(Debug)]
struct Policy {
    id: String,
    default: Default,
    constraint: Constraint,
}

impl Profile {
    /// Reads a profile from TOML; `Err` says what is wrong with it.
    pub fn from_toml(toml: &str) -> Result<Self, String> {
        let text: Text = toml::from_str(toml).map_err(|e| e.to_string())?;
        let policy = |policy: &PolicyText| {
            let wrong = |e: String| format!("profile {}, policy {}: {e}", text.id, policy.id);
            Ok::<_, String>(Policy {
                id: policy.id.clone(),
                default: Default::new(&policy.default).map_err(wrong)?,
                constraint: Constraint::new(&policy.constraint).map_err(wrong)?,
            })
        };
        let policies = text.policies.iter().map(policy).collect::<Result<_, _>>()?;
        Ok(Self {
            version: common::x509::hex(&sha256(toml.as_bytes())),
            text,
            policies,
        })
    }

    /// The id in paths.
    pub fn id(&self) -> &str {
        &self.text.id
    }

    /// SHA-256 of its text, hex.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its text.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Composes the certificate that answers `csr`, with an agent's `changes`, as of `now`. All
    /// refusals at once, so that the requester need not guess one by one.
    pub fn draft(
        &self,
        csr: &Csr,
        issuer: &Issuer,
        changes: &api::ca::Changes,
        now: Timestamp,
    ) -> Result<Draft, Vec<Violation>> {
        let mut composition = Composition::new(csr, issuer, changes, now)?;
        let mut violations = Vec::new();
        for policy in &self.policies {
            if let Err(message) = policy.default.fill(&mut composition) {
                violations.push(Violation::policy(
                    &policy.id,
                    policy.default.name(),
                    message,
                ));
            }
        }
        let draft = composition.finish(&mut violations);
        for policy in &self.policies {
            if let Err(message) = policy.constraint.check(&draft, now) {
                violations.push(Violation::policy(
                    &policy.id,
                    policy.constraint.name(),
                    message,
                ));
            }
        }
        match violations.is_empty() {
            true => Ok(draft),
            false => Err(violations),
        }
    }

    /// The profile in a list.
    pub fn summary(&self) -> api::ca::ProfileSummary {
        api::ca::ProfileSummary {
            id: self.text.id.clone(),
            name: self.text.name.clone(),
            description: self.text.description.clone(),
            enabled: self.text.enabled,
            visible: self.text.visible,
            link: format!("/pki/profile/{}", self.text.id),
        }
    }

    /// The profile in full.
    pub fn describe(&self) -> api::ca::Profile {
        let json = |plugin: &Plugin| serde_json::to_value(plugin).unwrap_or_default();
        let policy = |policy: &PolicyText| api::ca::ProfilePolicy {
            id: policy.id.clone(),
            default: json(&policy.default),
            constraint: json(&policy.constraint),
        };
        let numbered = self.text.inputs.iter().enumerate();
        let outputs = self.text.outputs.iter().enumerate();
        api::ca::Profile {
            id: self.text.id.clone(),
            name: self.text.name.clone(),
            description: self.text.description.clone(),
            enabled: self.text.enabled,
            visible: self.text.visible,
            version: self.version.clone(),
            authentication: match self.text.authentication {
                Authentication::None => "none".into(),
                Authentication::Agent => "agent".into(),
            },
            approval: match self.text.approval {
                Approval::Agent | Approval::AgentOrService => "agent".into(),
                Approval::Automatic => "automatic".into(),
            },
            inputs: numbered
                .map(|(index, class)| input(index + 1, class))
                .collect(),
            outputs: outputs
                .map(|(index, class)| api::ca::ProfileOutput {
                    id: format!("o{}", index + 1),
                    class: class.clone(),
                })
                .collect(),
            policies: self.text.policies.iter().map(policy).collect(),
        }
    }
}

/// Attributes that clients may send in `inputs`.
pub const INPUT_ATTRIBUTES: [&str; 5] = [
    "cert_request_type",
    "cert_request",
    "requestor_name",
    "requestor_email",
    "requestor_phone",
];

fn input(number: usize, class: &str) -> api::ca::ProfileInput {
    let attribute =
        |name: &str, description: &str, syntax: &str, required: bool| api::ca::ProfileAttribute {
            name: name.into(),
            description: description.into(),
            syntax: syntax.into(),
            required,
            default: None,
            choices: None,
        };
    let (name, attributes) = match class {
        "certReqInputImpl" => (
            "Certificate request",
            vec![
                api::ca::ProfileAttribute {
                    default: Some("pkcs10".into()),
                    choices: Some(vec!["pkcs10".into(), "crmf".into()]),
                    ..attribute("cert_request_type", "Kind of request", "choice", false)
                },
                attribute(
                    "cert_request",
                    "PKCS#10 in PEM or base64, or CRMF in base64; also as `csr` or `crmf` beside `inputs`",
                    "certificate_request",
                    true,
                ),
            ],
        ),
        _ => (
            "Requestor",
            vec![
                attribute("requestor_name", "Your name", "string", false),
                attribute("requestor_email", "Your e-mail address", "email", false),
                attribute("requestor_phone", "Your telephone number", "string", false),
            ],
        ),
    };
    api::ca::ProfileInput {
        id: format!("i{number}"),
        name: name.into(),
        class: class.into(),
        attributes,
    }
}
