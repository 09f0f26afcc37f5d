//! A draft in the making: what the defaults of a profile fill in, one after the other.

use std::collections::BTreeMap;

use common::api::{Violation, ca::Changes, ca::Requestor};
use common::clock::Timestamp;
use common::x509::{AlternativeName, Csr, extension, name};
use serde::{Deserialize, Serialize};
use x509_cert::ext::Extensions;
use x509_cert::name::Name;

use super::pattern::{Missing, Pattern, escaped};
use super::text::RequestedNames;
use crate::issue::Draft;
use crate::issuer::Issuer;

/// All that a draft is made from.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The request of the client.
    pub csr: &'a Csr,
    /// Who issues.
    pub issuer: &'a Issuer,
    /// The profile's inputs by attribute.
    pub inputs: &'a BTreeMap<String, String>,
    /// What authentication found out about the requester, by name.
    pub token: &'a BTreeMap<String, String>,
    /// Who asks, in their own words.
    pub requestor: Option<&'a Requestor>,
    /// The certificate that is renewed.
    pub original: Option<&'a Original>,
    /// An agent's changes.
    pub changes: &'a Changes,
    /// The time.
    pub now: Timestamp,
}

/// The certificate that a renewal renews.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Original {
    /// Its serial number, hex.
    pub serial: String,
    /// Its subject, RFC 4514 text.
    pub subject: String,
    /// Its last second.
    pub not_after: Timestamp,
}

/// A draft in the making.
#[derive(Debug)]
pub(super) struct Composition<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) changes: Requested,
    /// The subject that the request asks for: in the CSR, or in the inputs.
    pub(super) asked_subject: Name,
    pub(super) draft: Draft,
    pub(super) validity: Option<(Timestamp, Timestamp)>,
}

/// An agent's changes, read.
#[derive(Debug)]
pub(super) struct Requested {
    pub(super) subject: Option<Name>,
    pub(super) names: Option<Vec<AlternativeName>>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
}

impl Requested {
    /// Reads changes; those that cannot be read are refused by field.
    fn read(changes: &Changes) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let subject = changes.subject.as_deref().map(name::parse).transpose();
        let subject = subject.unwrap_or_else(|message| {
            violations.push(Violation::field("changes.subject", "syntax", message));
            None
        });
        let names = changes.subject_alt_names.as_ref().map(|names| {
            let mut read = Vec::new();
            for (index, text) in names.iter().enumerate() {
                match text.parse() {
                    Ok(name) => read.push(name),
                    Err(message) => {
                        let field = format!("changes.subject_alt_names[{index}]");
                        violations.push(Violation::field(field, "syntax", message));
                    }
                }
            }
            read
        });
        match violations.is_empty() {
            true => Ok(Self {
                subject,
                names,
                not_before: changes.not_before,
                not_after: changes.not_after,
            }),
            false => Err(violations),
        }
    }
}

impl<'a> Composition<'a> {
    /// An empty draft for what is asked.
    pub(super) fn new(ask: Ask<'a>) -> Result<Self, Vec<Violation>> {
        let changes = Requested::read(ask.changes)?;
        let asked_subject = super::input::subject(ask.inputs)
            .map_err(|(field, message)| vec![Violation::field(field, "syntax", message)])?;
        let asked_subject = asked_subject.unwrap_or_else(|| ask.csr.subject().clone());
        Ok(Self {
            draft: Draft {
                subject: Name::default(),
                public_key: ask.csr.public_key().clone(),
                names: Vec::new(),
                names_critical: false,
                algorithm: ask.issuer.key.algorithm(),
                not_before: ask.now,
                not_after: ask.now,
                extensions: Extensions::new(),
            },
            ask,
            changes,
            asked_subject,
            validity: None,
        })
    }

    /// The draft, with all that was not filled in as the rule for names wants it.
    pub(super) fn finish(mut self, rule: RequestedNames, violations: &mut Vec<Violation>) -> Draft {
        if let Some((not_before, not_after)) = self.validity {
            self.draft.not_before = not_before.whole_seconds();
            self.draft.not_after = not_after.whole_seconds();
        }
        let issued = &self.draft.names;
        let changed = self.changes.names.as_ref();
        if changed.is_some_and(|names| names.iter().any(|name| !issued.contains(name))) {
            let message = "this profile takes no alternative names";
            violations.push(Violation::field(
                "changes.subject_alt_names",
                "profile",
                message,
            ));
        }
        // What the requester asked for and would not get is refused, never dropped without a word.
        if changed.is_none() && rule != RequestedNames::Replace {
            let asked = self.ask.csr.alternative_names().iter();
            for name in asked.filter(|name| !issued.contains(name)) {
                let message = "this profile does not take alternative names from the request";
                violations.push(
                    Violation::field("csr", "subject-alt-name", message).value(name.to_string()),
                );
            }
        }
        self.left_behind(violations);
        self.draft
    }

    /// An agent who renames the subject says what becomes of the names that meant the old one.
    fn left_behind(&self, violations: &mut Vec<Violation>) {
        let Some(subject) = self.changes.subject.as_ref() else {
            return;
        };
        if self.changes.names.is_some() {
            return;
        }
        let old = names_in(&self.asked_subject);
        let new = names_in(subject);
        for name in self.draft.names.iter() {
            if old.contains(name) && !new.contains(name) {
                let message = format!(
                    "{name} belongs to the former subject; state subject_alt_names as well"
                );
                violations.push(
                    Violation::field("changes.subject", "subject-alt-name", message)
                        .value(name.to_string()),
                );
            }
        }
    }

    pub(super) fn add_name(&mut self, name: AlternativeName) {
        if !self.draft.names.contains(&name) {
            self.draft.names.push(name);
        }
    }

    /// What a hole of a pattern stands for.
    pub(super) fn value(&self, hole: &str) -> Option<String> {
        if let Some(part) = hole.strip_prefix("req_subject_name.") {
            return name::attribute(&self.asked_subject, part);
        }
        if let Some(name) = hole.strip_prefix("auth_token.") {
            return self.ask.token.get(name).cloned();
        }
        let requestor = self.ask.requestor;
        let told = match hole {
            "requestor_name" => requestor.and_then(|r| r.name.clone()),
            "requestor_email" => requestor.and_then(|r| r.email.clone()),
            "requestor_phone" => requestor.and_then(|r| r.phone.clone()),
            _ => None,
        };
        told.or_else(|| self.ask.inputs.get(hole).cloned())
    }

    /// Fills a pattern with values as they are.
    pub(super) fn fill(&self, pattern: &Pattern) -> Result<String, Missing> {
        pattern.fill(|hole| self.value(hole), str::to_owned)
    }

    /// Fills a pattern for a distinguished name.
    pub(super) fn fill_name(&self, pattern: &Pattern) -> Result<Name, String> {
        let text = pattern
            .fill(|hole| self.value(hole), escaped)
            .map_err(|Missing(hole)| format!("the request has nothing for {hole}"))?;
        name::parse(&text)
    }
}

/// The alternative names that a subject implies: host names and mailboxes in it.
fn names_in(subject: &Name) -> Vec<AlternativeName> {
    let hosts = name::common_names(subject).into_iter();
    let hosts = hosts.filter_map(|text| format!("dns:{text}").parse().ok());
    let mailboxes = name::email_addresses(subject).into_iter();
    let mailboxes = mailboxes.filter_map(|text| format!("email:{text}").parse().ok());
    hosts.chain(mailboxes).collect()
}

/// What a policy filled in, in words: the difference between two states of a draft.
pub(super) fn difference(before: &Draft, after: &Draft) -> Vec<String> {
    let mut words = Vec::new();
    if before.subject != after.subject {
        words.push(format!("subject {}", after.subject));
    }
    let names = after.names.iter();
    for name in names.filter(|name| !before.names.contains(name)) {
        words.push(format!("subject alternative name {name}"));
    }
    let new = after.extensions.iter();
    let new: Vec<_> = new
        .filter(|extension| !before.extensions.contains(extension))
        .cloned()
        .collect();
    for extension in extension::describe(&new) {
        let critical = match extension.critical {
            true => ", critical",
            false => "",
        };
        words.push(format!("{}{critical}: {}", extension.name, extension.value));
    }
    words
}
