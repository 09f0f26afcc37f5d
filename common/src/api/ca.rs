//! JSON bodies of the certificate authority.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Violation;
use crate::clock::Timestamp;

/// A thing by id and place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Link {
    /// The id; a certificate's is its serial number in hex.
    pub id: String,
    /// The path.
    pub link: String,
}

/// A public key in short.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Key {
    /// `rsa`, `ec`, `ed25519` or `ml-dsa`.
    #[serde(rename = "type")]
    pub kind: String,
    /// RSA modulus length in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// `P-256`, `P-384` or `P-521`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    /// Parameter set of ML-DSA: 44, 65 or 87.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// SHA-256 of the SubjectPublicKeyInfo, hex.
    pub spki_sha256: String,
}

/// An X.509 extension, decoded as far as we know it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Extension {
    /// Dotted object identifier.
    pub oid: String,
    /// Its name in RFC 5280 (`keyUsage`), or the OID again.
    pub name: String,
    /// Whether a client that does not know it must refuse the certificate.
    pub critical: bool,
    /// The value in words; base64 DER when unknown.
    pub value: String,
}

/// An entry of `GET /pki/profiles`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ProfileSummary {
    /// The id used in paths (`caServerCert`).
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether requests are accepted.
    pub enabled: bool,
    /// Whether everybody sees it.
    pub visible: bool,
    /// `/pki/profile/{id}`.
    pub link: String,
}

/// `GET /pki/profile/{id}`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Profile {
    /// The id used in paths.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether requests are accepted.
    pub enabled: bool,
    /// Whether everybody sees it.
    pub visible: bool,
    /// SHA-256 of the profile's text, hex: remembered by requests and certificates.
    pub version: String,
    /// `enabled`, `disabled`, or `stopped` by an administrator.
    pub status: String,
    /// Why it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Dogtag's class of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Who may submit: `none` (anyone), `agent`, `registration_agent`, `service`,
    /// `client_certificate` (any of this CA), or an authenticator that is not there.
    pub authentication: String,
    /// Who may among them, in Dogtag's access control language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// `agent` (somebody decides), `automatic` (issues at once), or `agent_or_service` (at once for
    /// our own services).
    pub approval: String,
    /// Whether it renews certificates of other profiles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewal: bool,
    /// What becomes of alternative names in requests: `take`, `refuse` or `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_alt_names: Option<String>,
    /// The set of the policies that do not name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_set: Option<String>,
    /// What keeps it from being enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// What to send.
    pub inputs: Vec<ProfileInput>,
    /// What comes back.
    pub outputs: Vec<ProfileOutput>,
    /// What is filled in and checked, in order.
    pub policies: Vec<ProfilePolicy>,
}

/// A group of attributes that a client sends.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ProfileInput {
    /// `i1`, `i2` …
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The class (`certReqInputImpl`).
    pub class: String,
    /// Its attributes.
    #[serde(default)]
    pub attributes: Vec<ProfileAttribute>,
    /// Its parameters.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
}

/// One attribute of an input.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ProfileAttribute {
    /// Key in `inputs`.
    pub name: String,
    /// What it means.
    pub description: String,
    /// `string`, `choice`, `certificate_request` or `email`.
    pub syntax: String,
    /// Whether it must be there.
    pub required: bool,
    /// Value used when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Allowed values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
}

/// What a profile gives back.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ProfileOutput {
    /// `o1`.
    pub id: String,
    /// The class (`certOutputImpl`).
    pub class: String,
}

/// One policy: a default that fills in, a constraint that checks.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ProfilePolicy {
    /// The set that it belongs to, where it is not the profile's `policy_set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Its name within the profile.
    pub id: String,
    /// `{class, …parameters}`.
    #[schema(value_type = Object)]
    pub default: serde_json::Value,
    /// `{class, …parameters}`.
    #[schema(value_type = Object)]
    pub constraint: serde_json::Value,
}

/// `PUT /pki/profile/{id}/status`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(
    tag = "status",
    rename_all = "snake_case",
    try_from = "ProfileDecisionFields"
)]
pub enum ProfileDecision {
    /// Requests are accepted.
    Enabled {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Requests are not accepted; the profile may be changed.
    Disabled {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Nothing is issued under it, at once, until an administrator lifts it.
    Stopped {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileDecisionFields {
    status: String,
    #[serde(default)]
    note: Option<String>,
}

impl TryFrom<ProfileDecisionFields> for ProfileDecision {
    type Error = &'static str;

    fn try_from(fields: ProfileDecisionFields) -> Result<Self, Self::Error> {
        let note = fields.note;
        match fields.status.as_str() {
            "enabled" => Ok(Self::Enabled { note }),
            "disabled" => Ok(Self::Disabled { note }),
            "stopped" => Ok(Self::Stopped { note }),
            _ => Err("unknown variant: the status is enabled, disabled or stopped"),
        }
    }
}

/// What one policy did with a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct PolicyResult {
    /// Its name within the profile.
    pub id: String,
    /// What it filled in, in words; nothing when it had nothing to say.
    pub filled: Vec<String>,
    /// What it checked: the constraint with its parameters.
    pub checked: String,
    /// Why it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// `POST /pki/request/{profile_id}?dry_run=true`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DryRun {
    /// The certificate as it would be, as far as the policies got.
    pub certificate: Draft,
    /// What each policy did, in order.
    pub policies: Vec<PolicyResult>,
    /// Every reason for which there would be none.
    pub violations: Vec<Violation>,
    /// The same for the other certificates, where a submission asks for several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub siblings: Vec<DryRun>,
}

/// Who asked, in their own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requestor {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// `POST /pki/request/{profile_id}`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// PKCS#10 request, PEM or base64 DER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// CRMF `CertReqMessages`, base64 DER; each message becomes a request. Instead of `csr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crmf: Option<String>,
    /// A certificate to renew with the request that made it. Instead of `csr`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::optional"
    )]
    pub renew: Option<Renew>,
    /// The profile's inputs by attribute name; `cert_request` may stand here instead of `csr`, and
    /// `serial_num` instead of `renew`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<BTreeMap<String, String>>,
    /// Who asks.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::optional"
    )]
    pub requestor: Option<Requestor>,
    /// The issuing authority; `host` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// Which certificate to renew: one of the three.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The one with this serial number, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The one that this request made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// `true`: the one on the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<bool>,
}

/// A CSR in short, for the reviewing agent.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct CsrSummary {
    /// `pkcs10` or `crmf`.
    pub kind: String,
    /// RFC 4514 text.
    pub subject: String,
    /// The public key.
    pub key: Key,
    /// `dns:…`, `ip:…`, `email:…`, `uri:…`.
    pub subject_alt_names: Vec<String>,
    /// The extensions asked for.
    pub extensions: Vec<Extension>,
    /// The start of validity asked for; only CRMF can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// The end of validity asked for; only CRMF can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_after: Option<Timestamp>,
    /// What a CRMF request tells beside: `regToken`, `authenticator`, `utf8Pairs`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub controls: BTreeMap<String, String>,
    /// The request itself, when it is PKCS#10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// The request itself, base64 DER, when it is CRMF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crmf: Option<String>,
}

/// The certificate as it would be issued now.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Draft {
    /// RFC 4514 text.
    pub subject: String,
    /// `dns:…`, `ip:…`, `email:…`, `uri:…`.
    pub subject_alt_names: Vec<String>,
    /// First moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Last second of validity (RFC 5280 §4.1.2.5).
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// The public key.
    pub key: Key,
    /// All extensions.
    pub extensions: Vec<Extension>,
}

/// One line of a request's history.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The user, or `anonymous`.
    pub by: String,
    /// `submitted`, `approved`, `rejected`, `canceled`, `expired`, `updated`, `assigned`,
    /// `unassigned`, `issued`.
    pub action: String,
    /// What they wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A certificate request. Fields after `status_link` are for agents only.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Request {
    /// UUIDv4: unguessable, and knowing it is the right to look.
    pub id: String,
    /// `enrollment` or `renewal`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pending`, `approved`, `complete`, `rejected` or `canceled`.
    pub status: String,
    /// The profile's id.
    pub profile: String,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub modified: Timestamp,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// The certificate, once issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Link>,
    /// `/pki/request/{id}/status`.
    pub status_link: String,
    /// The other requests that the same submission made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Link>,
    /// Hash of the profile that the request was made under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_version: Option<String>,
    /// The certificate that is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<Link>,
    /// The profile that let the renewal in, when it is not `profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_profile: Option<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requestor: Option<Requestor>,
    /// The agent who took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// What was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<CsrSummary>,
    /// What agents changed so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// What would be issued, with these changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Draft>,
    /// What happened so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<HistoryEntry>>,
}

/// `GET /pki/request/{rid}/status`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RequestStatus {
    /// `pending`, `approved`, `complete`, `rejected` or `canceled`.
    pub status: String,
    /// `/pki/request/{rid}`.
    pub request: String,
    /// The certificate, once issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Link>,
}

/// What an agent changes in the draft when approving. Every constraint is checked again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// New subject, RFC 4514 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// New list of names, replacing the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_alt_names: Option<Vec<String>>,
    /// New start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// New end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_after: Option<Timestamp>,
}

impl Changes {
    /// Both, field by field; `later` counts where both have one.
    pub fn and(self, later: Self) -> Self {
        Self {
            subject: later.subject.or(self.subject),
            subject_alt_names: later.subject_alt_names.or(self.subject_alt_names),
            not_before: later.not_before.or(self.not_before),
            not_after: later.not_after.or(self.not_after),
        }
    }
}

/// `PUT /pki/request/{rid}/status`: an agent's decision.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case", try_from = "DecisionFields")]
pub enum Decision {
    /// Issue it.
    Approved {
        /// Corrections.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changes: Option<Changes>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Refuse it for good.
    Rejected {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Close it without judgement.
    Canceled {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Keep other content with it; it stays pending.
    Updated {
        /// All changes from now on, instead of those kept before; none takes them back.
        changes: Changes,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Check it as an approval would, and keep nothing.
    Validated {
        /// Changes on top of those kept with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changes: Option<Changes>,
    },
    /// Take it.
    Assigned {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Give it back.
    Unassigned {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// All fields of a [`Decision`] side by side, so that a wrong one is named by its path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionFields {
    status: DecisionName,
    #[serde(default, deserialize_with = "super::object::optional")]
    changes: Option<Changes>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
enum DecisionName {
    Approved,
    Rejected,
    Canceled,
    Updated,
    Validated,
    Assigned,
    Unassigned,
}

impl TryFrom<String> for DecisionName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "approved" => Ok(Self::Approved),
            "rejected" => Ok(Self::Rejected),
            "canceled" => Ok(Self::Canceled),
            "updated" => Ok(Self::Updated),
            "validated" => Ok(Self::Validated),
            "assigned" => Ok(Self::Assigned),
            "unassigned" => Ok(Self::Unassigned),
            _ => Err(
                "unknown variant: approved, rejected, canceled, updated, validated, assigned or \
                 unassigned",
            ),
        }
    }
}

impl TryFrom<DecisionFields> for Decision {
    type Error = &'static str;

    fn try_from(fields: DecisionFields) -> Result<Self, Self::Error> {
        let DecisionFields {
            status,
            changes,
            note,
        } = fields;
        let without = |decision| match changes {
            Some(_) => Err("unknown field `changes`: nothing is changed by this"),
            None => Ok(decision),
        };
        match status {
            DecisionName::Approved => Ok(Self::Approved { changes, note }),
            DecisionName::Updated => {
                let changes = changes.ok_or("missing field `changes`")?;
                Ok(Self::Updated { changes, note })
            }
            DecisionName::Validated if note.is_some() => {
                Err("unknown field `note`: nothing is kept of this")
            }
            DecisionName::Validated => Ok(Self::Validated { changes }),
            DecisionName::Rejected => without(Self::Rejected { note }),
            DecisionName::Canceled => without(Self::Canceled { note }),
            DecisionName::Assigned => without(Self::Assigned { note }),
            DecisionName::Unassigned => without(Self::Unassigned { note }),
        }
    }
}

/// A certificate on record. The last two fields are for agents only.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Certificate {
    /// The serial number again: the id in paths.
    pub id: String,
    /// Serial number, lower-case hex without prefix.
    pub serial: String,
    /// RFC 4514 text.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// The issuing authority's id.
    pub authority: String,
    /// First moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Last second of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// `valid`, `not_yet_valid`, `on_hold`, `revoked` or `expired`.
    pub status: String,
    /// The public key.
    pub key: Key,
    /// `dns:…`, `ip:…`, `email:…`, `uri:…`.
    pub subject_alt_names: Vec<String>,
    /// All extensions.
    pub extensions: Vec<Extension>,
    /// The profile's id.
    pub profile: String,
    /// The certificate, PEM.
    pub pem: String,
    /// SHA-256 of the DER, hex.
    pub sha256: String,
    /// The request that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Link>,
    /// Hash of the profile that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_version: Option<String>,
}

/// An entry of `GET /pki/certificates`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct CertificateSummary {
    /// The serial number: the id in paths.
    pub id: String,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// RFC 4514 text.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// First moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Last second of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// `valid`, `not_yet_valid`, `on_hold`, `revoked` or `expired`.
    pub status: String,
    /// The profile's id.
    pub profile: String,
    /// `/pki/certificate/{serial}`.
    pub link: String,
}

/// When a change of status can be seen.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Visible {
    /// By OCSP, at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub ocsp: Timestamp,
    /// In the CRL, at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub crl: Timestamp,
}

/// `GET /pki/certificate/{serial}/status`, and the answer to a change.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct CertificateStatus {
    /// `valid`, `not_yet_valid`, `on_hold`, `revoked` or `expired`.
    pub status: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the key is thought to have become unsafe (RFC 5280 §5.3.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub invalidity_date: Option<Timestamp>,
    /// After a change: when others see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible: Option<Visible>,
}

/// `PUT /pki/certificate/{serial}/status`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(
    tag = "status",
    rename_all = "snake_case",
    try_from = "StatusChangeFields"
)]
pub enum StatusChange {
    /// For good.
    Revoked {
        /// RFC 5280 §5.3.1; `unspecified` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// When the key became unsafe.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, format = DateTime)]
        invalidity_date: Option<Timestamp>,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// A PKCS#10 request (PEM or base64) with the subject `CN=revoke:{serial}:{reason}`, signed by
        /// the certificate's key: who holds the key may revoke.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
    /// Until released or revoked.
    OnHold {
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Releases a hold.
    Valid {
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// All fields of a [`StatusChange`] side by side, so that a wrong one is named by its path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusChangeFields {
    status: StatusChangeName,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    invalidity_date: Option<Timestamp>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    proof: Option<String>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
enum StatusChangeName {
    Revoked,
    OnHold,
    Valid,
}

impl TryFrom<String> for StatusChangeName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "revoked" => Ok(Self::Revoked),
            "on_hold" => Ok(Self::OnHold),
            "valid" => Ok(Self::Valid),
            _ => Err("unknown variant: revoked, on_hold or valid"),
        }
    }
}

impl TryFrom<StatusChangeFields> for StatusChange {
    type Error = &'static str;

    fn try_from(fields: StatusChangeFields) -> Result<Self, Self::Error> {
        let StatusChangeFields {
            status,
            reason,
            invalidity_date,
            note,
            proof,
        } = fields;
        match status {
            StatusChangeName::Revoked => Ok(Self::Revoked {
                reason,
                invalidity_date,
                note,
                proof,
            }),
            _ if proof.is_some() => Err("unknown field `proof`: only a revocation has a proof"),
            _ if reason.is_some() => Err("unknown field `reason`: only a revocation has a reason"),
            _ if invalidity_date.is_some() => {
                Err("unknown field `invalidity_date`: only a revocation has an invalidity date")
            }
            StatusChangeName::OnHold => Ok(Self::OnHold { note }),
            StatusChangeName::Valid => Ok(Self::Valid { note }),
        }
    }
}

/// A certificate revocation list in JSON.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Crl {
    /// The authority's id.
    pub authority: String,
    /// `full` or `delta`.
    pub kind: String,
    /// The number of the part, of a CRL in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u16>,
    /// CRL number, decimal.
    pub number: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub this_update: Timestamp,
    /// When a newer one is there at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub next_update: Timestamp,
    /// How many certificates it lists.
    pub entries_count: u64,
    /// The CRL, PEM.
    pub pem: String,
}

/// A certificate chain in JSON, leaf first.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Chain {
    /// PEM certificates.
    pub certificates: Vec<String>,
}

/// An entry of the status journal: what an OCSP responder needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct JournalEntry {
    /// Opaque position.
    pub cursor: String,
    /// The authority's id.
    pub authority: String,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// `valid`, `on_hold` or `revoked`.
    pub status: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the certificate ends.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
}

/// `GET /pki/status-journal`: entries in the order of their commit, oldest first.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Journal {
    /// At most 1,000 entries.
    pub entries: Vec<JournalEntry>,
    /// The cursor to go on from; always there.
    pub next: String,
}

/// `GET /pki/statistics`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Statistics {
    /// When it was counted.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Certificates by profile and status.
    pub certificates: Vec<CertificateCount>,
    /// Requests by status.
    pub requests: Vec<RequestCount>,
    /// Certificates issued on each of the last 30 days; days with none are left out.
    pub issued: Vec<DayCount>,
    /// Certificates revoked on each of the last 30 days.
    pub revoked: Vec<DayCount>,
    /// Valid certificates that end soon.
    pub expiring: Vec<Expiring>,
}

/// How many certificates of a profile have a status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct CertificateCount {
    /// The profile's id.
    pub profile: String,
    /// `valid`, `on_hold`, `revoked` or `expired`.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// How many requests have a status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct RequestCount {
    /// `pending`, `approved`, `complete`, `rejected` or `canceled`.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// What happened on a day, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct DayCount {
    /// `2026-11-21`.
    pub day: String,
    /// How many.
    pub count: u64,
}

/// How many certificates end within some days.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Expiring {
    /// 1, 7 or 30.
    pub days: u32,
    /// How many.
    pub count: u64,
}

/// `POST /pki/revocations`: what certificates have in common that shall be revoked. All that is named
/// must hold, and something must be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeMany {
    /// The profile's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spki_sha256: Option<String>,
    /// Issued at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub issued_after: Option<Timestamp>,
    /// Issued at or before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub issued_before: Option<Timestamp>,
    /// The issuing authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// One of these serial numbers, at most 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serials: Option<Vec<String>>,
    /// RFC 5280 §5.3.1; `unspecified` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the keys became unsafe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub invalidity_date: Option<Timestamp>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Count only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// What an order to revoke many does, or would do.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Revocations {
    /// How many certificates.
    pub count: u64,
    /// Of a dry run: the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Vec<CertificateSummary>>,
    /// The job that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Link>,
}

/// `GET /pki/job/{id}`: timed work, or work that takes longer than an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Job {
    /// The id; of timed work its `kind`, of CRLs with the authority (`crl-host`).
    pub id: String,
    /// What it does.
    pub kind: String,
    /// `scheduled`, `running`, `complete` or `failed`.
    pub status: String,
    /// How many things the last or present run has done, failures included.
    pub done: u64,
    /// How many there are, as far as known.
    pub total: u64,
    /// How many failed.
    pub errors: u64,
    /// What the last run came to, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// When it last ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_run: Option<Timestamp>,
    /// When it runs next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run: Option<Timestamp>,
}

/// `GET /pki/authority/{id}`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Authority {
    /// The id; the first one's is `host`.
    pub id: String,
    /// RFC 4514 text.
    pub subject: String,
    /// The authority of ours that certifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether it issues.
    pub enabled: bool,
    /// `enabled`, `disabled`, `stopped`, `waiting` (for a certificate from outside), `superseded`
    /// (by another key) or `deleted`.
    pub status: String,
    /// Why it does not issue, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it is the first authority of this CA, or what has taken its place.
    pub host: bool,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The authority with the same name and a new key that has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// Its certificate, PEM; absent while it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What an outside CA is to certify, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// After a change of key: what the old and the new key certify of each other (RFC 4210 §4.4), PEM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cross_certificates: Vec<String>,
}

/// `POST /pki/authorities`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAuthority {
    /// RFC 4514 text; no living authority may have the same.
    pub subject: String,
    /// The authority of ours that shall certify it. Without one the answer has a CSR for an
    /// outside CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Its key; EC P-256 when absent.
    #[serde(default, deserialize_with = "crate::api::object::or_default")]
    pub key: NewKey,
    /// Life of its certificate; what the profile says, within the parent's, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_days: Option<i64>,
    /// The profile of its certificate; `caCACert` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A kind of key to be made.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// `rsa`, `ec`, `ed25519` or `ml-dsa`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bits of an RSA modulus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// `P-256`, `P-384` or `P-521`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    /// Parameter set of ML-DSA: 44, 65 or 87.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
}

impl Default for NewKey {
    fn default() -> Self {
        Self {
            kind: "ec".into(),
            size: None,
            curve: Some("P-256".into()),
            level: None,
        }
    }
}

impl NewKey {
    /// The name of the kind, as settings spell it: `rsa-3072`, `ec-p256`.
    pub fn name(&self) -> String {
        let curve = self.curve.as_ref().map(|curve| {
            let curve = curve.to_lowercase();
            let digits = curve
                .trim_start_matches("nist")
                .trim_start_matches("p")
                .trim_start_matches('-');
            format!("p{digits}")
        });
        let size = self.size.or(self.level).map(|number| number.to_string());
        let parameter = curve.or(size).map(|parameter| format!("-{parameter}"));
        format!(
            "{}{}",
            self.kind.to_lowercase(),
            parameter.unwrap_or_default()
        )
    }
}

/// `PUT /pki/authority/{id}/status`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthorityChange {
    /// It issues (again).
    Enabled {
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// It does not issue for now.
    Disabled {
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// It does not issue from this moment on: the brake for emergencies.
    Stopped {
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// `POST /pki/authority/{id}/renewal`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// A new key of this kind, as a new authority with the same name; the old key when absent.
    #[serde(
        default,
        deserialize_with = "crate::api::object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub key: Option<NewKey>,
    /// Life of the new certificate; what the profile says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_days: Option<i64>,
}

/// `PUT /pki/authority/{id}/certificate`: what an outside CA made.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutsideCertificate {
    /// PEM: the authority's certificate, then those above it up to the root.
    pub certificates: Vec<String>,
}
