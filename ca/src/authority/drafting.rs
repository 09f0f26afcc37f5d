//! From a request to the draft that would answer it: which profile, which policies, what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::api::Violation;
use common::api::ca::{Changes, PolicyResult};
use common::identity::Caller;
use common::x509::Csr;

use super::Authority;
use super::enrollment::{Incoming, Submission};
use crate::Error;
use crate::issue::{Draft, Linted};
use crate::issuer::Issuer;
use crate::profile::{Ask, Entry, Judged, PolicySet, Profile, Relatives, Standing};
use crate::request::Request;
use crate::store::certificates;

/// What a submission would come to, without a trace of it.
#[derive(Debug)]
pub struct DryRun {
    /// The certificate as it would be, as far as the policies got.
    pub draft: Draft,
    /// What each policy filled in, checked and refused.
    pub policies: Vec<PolicyResult>,
    /// Every reason for which there would be none.
    pub violations: Vec<Violation>,
}

impl Authority {
    /// Explains what every policy of the profile would do with a submission. Records nothing.
    pub fn dry_run(&self, caller: &Caller, submission: &Submission) -> Result<Vec<DryRun>, Error> {
        let profile = self.profile_for(caller, &submission.profile)?;
        let Incoming {
            profile,
            issuer,
            parts,
        } = self.incoming(caller, &profile, submission)?;
        let mut runs = Vec::new();
        for (request, csr) in parts {
            let changes = &request.changes;
            let judged = self.judge(&profile, &request, &csr, &issuer, changes, true)?;
            let mut violations = judged.violations;
            if violations.is_empty() {
                let linted = self.lint_draft(judged.draft.clone(), &issuer)?;
                violations = linted.err().unwrap_or_default();
            }
            runs.push(DryRun {
                draft: judged.draft,
                policies: judged.policies,
                violations,
            });
        }
        Ok(runs)
    }

    /// Lets the policies of the request's set compose and check.
    pub(super) fn judge(
        &self,
        profile: &Profile,
        request: &Request,
        csr: &Csr,
        issuer: &Issuer,
        changes: &Changes,
        explain: bool,
    ) -> Result<Judged, Error> {
        let context = &request.context;
        let set = profile.set(context.policy_set.as_deref());
        let set = set.ok_or_else(|| {
            Error::field(
                "profile",
                "policies",
                "the profile has no such set of policies",
            )
        })?;
        let ask = Ask {
            csr,
            issuer,
            inputs: &context.inputs,
            token: &context.token,
            requestor: request.requestor.as_ref(),
            original: context.original.as_ref(),
            changes,
            now: self.clock.now(),
        };
        let composed = set.compose(ask, explain).map_err(Error::NotAcceptable)?;
        let relatives = match set.looks_for_relatives() {
            true => {
                let draft = composed.draft();
                let subject = draft.subject.to_string();
                let spki = draft.public_key.spki_sha256();
                self.database
                    .read(|c| certificates::relatives(c, &subject, &spki))?
            }
            false => Relatives::default(),
        };
        Ok(set.judge(composed, &relatives))
    }

    /// The certificate that would answer a request, checked by profile and lint.
    pub(super) fn lint(
        &self,
        profile: &Profile,
        request: &Request,
        csr: &Csr,
        issuer: &Issuer,
        changes: &Changes,
    ) -> Result<Linted, Error> {
        let judged = self.judge(profile, request, csr, issuer, changes, false)?;
        if !judged.violations.is_empty() {
            return Err(Error::NotAcceptable(judged.violations));
        }
        self.lint_draft(judged.draft, issuer)?
            .map_err(Error::NotAcceptable)
    }

    fn lint_draft(
        &self,
        draft: Draft,
        issuer: &Issuer,
    ) -> Result<Result<Linted, Vec<Violation>>, Error> {
        self.refuse_compromised(draft.lint(issuer, &self.rules, self.clock.now()))
    }

    /// What an agent sees of a pending request's certificate, or why there would be none.
    pub fn preview(&self, request: &Request) -> Result<Draft, Vec<Violation>> {
        let unreadable = |e: String| vec![Violation::field("csr", "syntax", e)];
        let csr = request.asked().map_err(|e| unreadable(e.to_string()))?;
        let entry = self.profiles.find(&request.profile);
        let profile = entry.and_then(|entry| entry.profile.as_ref().ok().cloned());
        let profile = profile.ok_or_else(|| unreadable("the profile is gone".into()))?;
        let member = self.current(&request.authority);
        let member = member.map_err(|_| unreadable("the authority is gone".into()))?;
        let changes = &request.changes;
        let judged = self.judge(&profile, request, &csr, &member.issuer, changes, false);
        match judged {
            Ok(judged) if judged.violations.is_empty() => Ok(judged.draft),
            Ok(Judged { violations, .. }) | Err(Error::NotAcceptable(violations)) => {
                Err(violations)
            }
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    /// The profile, if it is enabled and lets the caller submit.
    pub(super) fn profile_for(&self, caller: &Caller, id: &str) -> Result<Arc<Profile>, Error> {
        let entry = self.profiles.find(id).ok_or(Error::NotFound("profile"))?;
        if let Standing::Stopped { .. } = entry.standing {
            return Err(stopped(&entry));
        }
        let profile = entry.enabled().cloned();
        let profile = profile.ok_or(Error::NotFound("enabled profile"))?;
        profile.admit(caller)?;
        Ok(profile)
    }

    /// The profile of a request that is decided now.
    pub(super) fn profile_of(&self, request: &Request, etag: &str) -> Result<Arc<Profile>, Error> {
        let entry = self.profiles.find(&request.profile);
        let entry = entry.ok_or(Error::NotFound("profile"))?;
        if let Standing::Stopped { .. } = entry.standing {
            return Err(stopped(&entry));
        }
        if request.profile_version != entry.version {
            return Err(Error::ProfileChanged {
                profile: request.profile.clone(),
                etag: etag.to_owned(),
            });
        }
        if let Some(id) = &request.context.renewal_profile {
            let renewing = self.profiles.find(id);
            let renewing = renewing.ok_or(Error::NotFound("profile"))?;
            in_force(&renewing)?;
        }
        in_force(&entry)
    }
}

/// The profile, if anything is issued under it.
pub(super) fn in_force(entry: &Entry) -> Result<Arc<Profile>, Error> {
    if let Standing::Stopped { .. } = entry.standing {
        return Err(stopped(entry));
    }
    let disabled = || Error::ProfileDisabled(entry.text.id.clone());
    entry.enabled().cloned().ok_or_else(disabled)
}

/// Which policies apply to which of the messages: each set to each when there is one of either, or
/// one to one.
pub(super) fn parts(profile: &Profile, asked: Vec<Csr>) -> Result<Vec<(&PolicySet, Csr)>, Error> {
    let sets = profile.sets();
    match (sets, asked.len()) {
        ([set], _) => Ok(asked.into_iter().map(|csr| (set, csr)).collect()),
        (_, 1) => {
            let csrs = std::iter::repeat_n(asked, sets.len()).flatten();
            Ok(sets.iter().zip(csrs).collect())
        }
        (_, messages) if messages == sets.len() => Ok(sets.iter().zip(asked).collect()),
        (_, messages) => Err(Error::field(
            "crmf",
            "messages",
            format!(
                "the profile makes {} certificates; the request has {messages} messages",
                sets.len()
            ),
        )),
    }
}

/// What authentication found out about the requester, for patterns and constraints.
pub(super) fn token(caller: &Caller) -> BTreeMap<String, String> {
    let mut token = BTreeMap::new();
    if let Some(user) = caller.user() {
        token.insert("uid".to_owned(), user.to_owned());
        token.insert("userid".to_owned(), user.to_owned());
    }
    if let Some(certificate) = caller.certificate() {
        token.insert("subject".to_owned(), certificate.subject().to_string());
        token.insert("serial".to_owned(), certificate.serial().to_string());
    }
    token
}

fn stopped(entry: &Entry) -> Error {
    Error::Stopped(format!(
        "issuing under profile {} is stopped",
        entry.text.id
    ))
}
