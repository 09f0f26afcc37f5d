//! The service's objects in words.

use std::collections::BTreeMap;

use common::api::ca::{
    Certificate, CertificateStatus, Changes, CsrSummary, Decision, Draft, DryRun, Extension, Key,
    Profile, ProfileAttribute, ProfilePolicy, Request,
};
use serde_json::Value;

use crate::error::located;
use crate::output::Listing;

/// A request with all that the caller may see of it.
pub(crate) fn request(request: &Request) -> Listing {
    let requestor = request.requestor.clone().unwrap_or_default();
    let requestor = Listing::default()
        .maybe("name", requestor.name)
        .maybe("email", requestor.email)
        .maybe("phone", requestor.phone);
    let history = request.history.iter().flatten();
    let history = history.fold(Listing::default(), |listing, entry| {
        let note = entry
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(": {note}"));
        let event = format!("{} by {}{note}", entry.action, entry.by);
        listing.line(&entry.at.to_string(), event)
    });
    Listing::default()
        .line("id", &request.id)
        .line("type", &request.kind)
        .line("status", &request.status)
        .all("violations", request.violations.iter().map(located))
        .maybe(
            "certificate",
            request.certificate.as_ref().map(|link| &link.id),
        )
        .all(
            "see also",
            request.requests.iter().map(|link| link.id.as_str()),
        )
        .maybe("renews", request.renews.as_ref().map(|link| &link.id))
        .maybe("renewed under", request.renewal_profile.as_ref())
        .line("profile", &request.profile)
        .line("created", request.created)
        .line("modified", request.modified)
        .maybe("assigned to", request.assigned_to.as_ref())
        .section("requestor", requestor)
        .section(
            "asked for",
            request.csr.as_ref().map(csr).unwrap_or_default(),
        )
        .section(
            "changed by agents",
            request.changes.as_ref().map(changed).unwrap_or_default(),
        )
        .section(
            "to be issued",
            request.draft.as_ref().map(draft).unwrap_or_default(),
        )
        .section("history", history)
}

/// A request and what is about to be decided on it.
pub(crate) fn review(reviewed: &Request, decision: &Decision) -> Listing {
    let (decided, changes, note) = match decision {
        Decision::Approved { changes, note } => ("approve", changes.as_ref(), note),
        Decision::Rejected { note } => ("reject", None, note),
        Decision::Canceled { note } => ("cancel", None, note),
        Decision::Updated { changes, note } => ("update", Some(changes), note),
        Decision::Validated { changes } => ("validate", changes.as_ref(), &None),
        Decision::Assigned { note } => ("assign", None, note),
        Decision::Unassigned { note } => ("unassign", None, note),
    };
    request(reviewed)
        .line("decision", decided)
        .maybe("note", note.as_ref())
        .section("changes", changes.map(changed).unwrap_or_default())
}

/// What became of a request by a decision.
pub(crate) fn outcome(request: &Request) -> Listing {
    Listing::default()
        .line("request", &request.id)
        .line("status", &request.status)
        .maybe("assigned to", request.assigned_to.as_ref())
        .maybe(
            "certificate",
            request.certificate.as_ref().map(|link| &link.id),
        )
}

/// A certificate.
pub(crate) fn certificate(certificate: &Certificate) -> Listing {
    Listing::default()
        .line("serial", &certificate.serial)
        .line("status", &certificate.status)
        .line("subject", &certificate.subject)
        .all("names", &certificate.subject_alt_names)
        .line("issuer", &certificate.issuer)
        .line("authority", &certificate.authority)
        .line("not before", certificate.not_before)
        .line("not after", certificate.not_after)
        .line("key", key(&certificate.key))
        .line("sha256", &certificate.sha256)
        .line("profile", &certificate.profile)
        .maybe("request", certificate.request.as_ref().map(|link| &link.id))
        .section("extensions", extensions(&certificate.extensions))
}

/// The status of a certificate.
pub(crate) fn status(status: &CertificateStatus) -> Listing {
    let visible = status.visible.as_ref();
    Listing::default()
        .line("status", &status.status)
        .maybe("since", status.at)
        .maybe("reason", status.reason.as_ref())
        .maybe("invalid since", status.invalidity_date)
        .maybe("seen by OCSP", visible.map(|visible| visible.ocsp))
        .maybe("seen in CRL", visible.map(|visible| visible.crl))
}

/// A profile: what it takes, fills in and checks.
pub(crate) fn profile(profile: &Profile) -> Listing {
    let attributes = profile.inputs.iter().flat_map(|input| &input.attributes);
    let inputs = attributes.fold(Listing::default(), |listing, found| {
        listing.line(&found.name, attribute(found))
    });
    let policies = profile.policies.iter();
    let policies = policies.fold(Listing::default(), |listing, found| {
        listing.all(&found.id, policy(found))
    });
    Listing::default()
        .line("id", &profile.id)
        .line("name", &profile.name)
        .line("description", &profile.description)
        .line("status", &profile.status)
        .maybe("stopped", profile.stopped.as_ref())
        .line("visible", profile.visible)
        .line("authentication", &profile.authentication)
        .line("approval", &profile.approval)
        .line("version", &profile.version)
        .section("inputs", inputs)
        .section("policies", policies)
        .all("not ready", &profile.problems)
}

/// What a request would come to.
pub(crate) fn dry_run(run: &DryRun) -> Listing {
    let policies = run.policies.iter();
    let policies = policies.fold(Listing::default(), |listing, policy| {
        let filled = policy.filled.iter().map(|what| format!("fills in {what}"));
        let checked = std::iter::once(format!("checks {}", policy.checked));
        let refused = policy.refused.iter().map(|why| format!("REFUSES: {why}"));
        listing.all(&policy.id, filled.chain(checked).chain(refused))
    });
    let violations = run.violations.iter().map(|violation| &violation.message);
    let listing = Listing::default()
        .section("certificate", draft(&run.certificate))
        .section("policies", policies)
        .all("refused", violations);
    let siblings = run.siblings.iter().map(dry_run);
    siblings.fold(listing, |listing, sibling| listing.section("and", sibling))
}

fn csr(csr: &CsrSummary) -> Listing {
    Listing::default()
        .line("subject", &csr.subject)
        .all("names", &csr.subject_alt_names)
        .line("key", key(&csr.key))
        .maybe("not before", csr.not_before)
        .maybe("not after", csr.not_after)
        .section("extensions", extensions(&csr.extensions))
        .section("controls", controls(&csr.controls))
}

fn controls(controls: &BTreeMap<String, String>) -> Listing {
    let lines = controls.iter();
    lines.fold(Listing::default(), |listing, (name, value)| {
        listing.line(name, value)
    })
}

fn draft(draft: &Draft) -> Listing {
    Listing::default()
        .line("subject", &draft.subject)
        .all("names", &draft.subject_alt_names)
        .line("not before", draft.not_before)
        .line("not after", draft.not_after)
        .line("key", key(&draft.key))
        .section("extensions", extensions(&draft.extensions))
}

fn changed(changes: &Changes) -> Listing {
    Listing::default()
        .maybe("subject", changes.subject.as_ref())
        .all("names", changes.subject_alt_names.iter().flatten())
        .maybe("not before", changes.not_before)
        .maybe("not after", changes.not_after)
}

fn key(key: &Key) -> String {
    let size = key.size.map(|bits| bits.to_string());
    let parts = [Some(key.kind.clone()), size, key.curve.clone()];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{}, SHA-256 {}", parts.join(" "), key.spki_sha256)
}

fn extensions(extensions: &[Extension]) -> Listing {
    extensions
        .iter()
        .fold(Listing::default(), |listing, found| {
            let critical = if found.critical { "critical, " } else { "" };
            listing.line(&found.name, format!("{critical}{}", found.value))
        })
}

fn attribute(attribute: &ProfileAttribute) -> String {
    let required = if attribute.required { ", required" } else { "" };
    let mut text = format!("{} ({}{required})", attribute.description, attribute.syntax);
    if let Some(choices) = &attribute.choices {
        text.push_str(&format!(", one of {}", choices.join(", ")));
    }
    if let Some(default) = &attribute.default {
        text.push_str(&format!(", else {default}"));
    }
    text
}

fn policy(policy: &ProfilePolicy) -> [String; 2] {
    [rule(&policy.default), rule(&policy.constraint)]
}

/// `{"class": "c", "p": 1}` as `c p=1`.
fn rule(rule: &Value) -> String {
    let Some(fields) = rule.as_object() else {
        return rule.to_string();
    };
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let class = fields.get("class").map(text);
    let parameters = fields.iter().filter(|(name, _)| *name != "class");
    let parameters = parameters.map(|(name, value)| format!("{name}={}", text(value)));
    class
        .into_iter()
        .chain(parameters)
        .collect::<Vec<_>>()
        .join(" ")
}
