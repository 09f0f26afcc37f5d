//! Requests: submit, show, list.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::api::ca::{Changes, HistoryEntry, Requestor};
use common::audit::Event;
use common::clock::Timestamp;
use common::crypto::RequestSignatures;
use common::db::audit;
use common::entropy;
use common::http::conditional::IfMatch;
use common::identity::{Caller, Group};
use common::x509::{Csr, CsrKind, name};
use uuid::Uuid;

use super::issuance::vouches;
use super::renewals::Renewal;
use super::{Authority, drafting};
use crate::Error;
use crate::create::HOST;
use crate::issue::Linted;
use crate::issuer::Issuer;
use crate::profile::{Approval, PolicySet, Profile};
use crate::request::{Context, Request, State};
use crate::store::{certificates, idempotency, requests};

/// What a client sends to ask for a certificate.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The profile's id.
    pub profile: String,
    /// What is asked for.
    pub asked: Asked,
    /// The profile's inputs by attribute, but for the request itself.
    pub inputs: BTreeMap<String, String>,
    /// Who asks, in their own words.
    pub requestor: Option<Requestor>,
    /// The issuing authority; the first one when absent.
    pub authority: Option<String>,
    /// Under which key the answer is kept.
    pub idempotency: Option<IdempotencyKey>,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// PKCS#10: PEM, base64 or DER.
    Pkcs10(Vec<u8>),
    /// CRMF: base64 or DER. Each of its messages becomes a request.
    Crmf(Vec<u8>),
    /// What the original request of a certificate asked for, once more.
    Renewal(Renewal),
}

/// A submission that was read, with what answers it.
pub(super) struct Incoming {
    /// The profile that composes.
    pub(super) profile: Arc<Profile>,
    /// Who issues.
    pub(super) issuer: Arc<Issuer>,
    /// One request for each set of policies, and for each message.
    pub(super) parts: Vec<(Request, Csr)>,
}

impl Asked {
    fn read(&self, accepted: RequestSignatures) -> Result<Vec<Csr>, Error> {
        match self {
            // A renewal was read long ago.
            Self::Renewal(_) => Ok(Vec::new()),
            Self::Pkcs10(input) => Csr::parse_accepting(input, accepted)
                .map(|csr| vec![csr])
                .map_err(|why| Error::Csr(CsrKind::Pkcs10, why)),
            Self::Crmf(input) => {
                Csr::parse_crmf(input, accepted).map_err(|why| Error::Csr(CsrKind::Crmf, why))
            }
        }
    }
}

/// `Idempotency-Key` with its scope, digested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// SHA-256 of identity, method, path and key.
    pub scope: [u8; 32],
    /// SHA-256 of media type and body.
    pub digest: [u8; 32],
}

/// A request after submission.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The request.
    pub request: Request,
    /// Its entity tag.
    pub etag: String,
    /// The other requests that the same submission made.
    pub siblings: Vec<Uuid>,
}

impl Authority {
    /// Takes a certificate request. Depending on the profile it waits for an agent or is issued at
    /// once; a refusal by the profile is put on record, too. What makes several requests makes all
    /// of them, or those that are refused and no other.
    pub fn submit(&self, caller: &Caller, submission: Submission) -> Result<Submitted, Error> {
        let admitting = self.profile_for(caller, &submission.profile)?;
        let incoming = self.incoming(caller, &admitting, &submission)?;
        let Incoming {
            profile,
            issuer,
            parts,
        } = incoming;
        let now = self.clock.now();
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        for (request, csr) in parts {
            match self.lint(&profile, &request, &csr, &issuer, &request.changes) {
                Ok(linted) => accepted.push((request, linted)),
                Err(Error::NotAcceptable(violations)) => refused.push(Request {
                    state: State::Rejected,
                    violations,
                    ..request
                }),
                Err(error) => return Err(error),
            }
        }
        let key = submission.idempotency;
        if !refused.is_empty() {
            return self.record_refusals(caller, refused, now, key);
        }
        together(accepted.iter_mut().map(|(request, _)| request));
        let requests = match issues_at_once(&admitting, caller) {
            true => self.issue(caller, accepted, true, None, key)?,
            false => {
                let requests = accepted.into_iter().map(|(request, _)| request).collect();
                self.record(caller, requests, now, key)?
            }
        };
        self.submitted(requests.into_iter(), &profile)
    }

    /// The authority that shall issue what a caller asks for.
    pub(super) fn issuer_for(
        &self,
        caller: &Caller,
        profile: &Profile,
        wanted: Option<&str>,
    ) -> Result<Arc<Issuer>, Error> {
        match vouches(caller, profile.id()) {
            true => self.issuer(wanted.unwrap_or(HOST)),
            false => self.issuing(wanted),
        }
    }

    /// Reads what a client sent to `profile` into requests that are on record nowhere yet: one for
    /// each set of policies, and one for each message.
    pub(super) fn incoming(
        &self,
        caller: &Caller,
        profile: &Arc<Profile>,
        submission: &Submission,
    ) -> Result<Incoming, Error> {
        check_requestor(submission.requestor.as_ref())?;
        let violations = profile.check_inputs(&submission.inputs);
        if !violations.is_empty() {
            return Err(Error::NotAcceptable(violations));
        }
        let wanted = submission.authority.as_deref();
        let Some(renewed) = self.renewed(caller, profile, &submission.asked)? else {
            let issuer = self.issuer_for(caller, profile, wanted)?;
            return Ok(Incoming {
                parts: self.read_submission(caller, profile, &issuer, submission)?,
                profile: Arc::clone(profile),
                issuer,
            });
        };
        if !profile.renews() && !submission.inputs.is_empty() {
            let message = "a renewal keeps the inputs of the original request";
            return Err(Error::field("inputs", "unknown-field", message));
        }
        let wanted = wanted.unwrap_or(renewed.authority());
        let issuer = self.issuer_for(caller, &renewed.profile, Some(wanted))?;
        let accepted = self.rules.request_signatures();
        let now = self.clock.now();
        let part = renewed.request(caller, &issuer, submission, accepted, now)?;
        Ok(Incoming {
            parts: vec![part],
            profile: renewed.profile,
            issuer,
        })
    }

    fn read_submission(
        &self,
        caller: &Caller,
        profile: &Profile,
        issuer: &Issuer,
        submission: &Submission,
    ) -> Result<Vec<(Request, Csr)>, Error> {
        let asked = submission.asked.read(self.rules.request_signatures())?;
        for csr in &asked {
            refuse_revocation_proof(csr)?;
            check_sender(csr, caller)?;
            check_issuer(csr, issuer)?;
        }
        let now = self.clock.now();
        let parts = drafting::parts(profile, asked)?;
        let request = |(set, csr): (&PolicySet, Csr)| {
            let request = new_request(caller, profile, set, issuer, submission, &csr, now);
            (request, csr)
        };
        Ok(parts.into_iter().map(request).collect())
    }

    /// A request, and the entity tag that a decision must carry.
    pub fn request(&self, id: Uuid) -> Result<Submitted, Error> {
        let (request, siblings) = self.database.read(|c| {
            let request = requests::find(c, id)?;
            let siblings = requests::siblings(c, &request)?;
            Ok::<_, Error>((request, siblings))
        })?;
        let version = self
            .profiles
            .find(&request.profile)
            .map(|entry| entry.version.clone());
        let etag = request.etag(&version.unwrap_or_default());
        Ok(Submitted {
            request,
            etag,
            siblings,
        })
    }

    /// A page of requests, newest first.
    pub fn requests(
        &self,
        filter: &requests::Filter,
        after: Option<(i64, String)>,
        limit: i64,
    ) -> Result<Vec<Request>, Error> {
        let texts = [
            ("profile", &filter.profile),
            ("requestor", &filter.requestor),
            ("assigned_to", &filter.assigned_to),
        ];
        super::check_texts(&texts)?;
        self.database
            .read(|c| requests::list(c, filter, after.clone(), limit))
    }

    /// The certificate that would answer `request` now, with these changes and no others.
    pub(super) fn draft(
        &self,
        profile: &Profile,
        request: &Request,
        changes: &Changes,
    ) -> Result<Linted, Error> {
        // What took the authority's place meanwhile issues in its place.
        let issuer = self.issuing(Some(&request.authority))?;
        let csr = request.asked_accepting(self.rules.request_signatures());
        let csr = csr.map_err(|why| Error::Csr(request.kind, why))?;
        self.lint(profile, request, &csr, &issuer, changes)
    }

    fn record_refusals(
        &self,
        caller: &Caller,
        mut refused: Vec<Request>,
        now: Timestamp,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted, Error> {
        together(refused.iter_mut());
        let refused = self.record(caller, refused, now, key)?;
        let first = refused.first().map_or_else(Uuid::nil, |request| request.id);
        Err(Error::Refused {
            request: first,
            violations: refused
                .into_iter()
                .flat_map(|request| request.violations)
                .collect(),
        })
    }

    /// Puts new requests on record, all or none.
    fn record(
        &self,
        caller: &Caller,
        requests: Vec<Request>,
        now: Timestamp,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<Request>, Error> {
        let event = |request: &Request| {
            let object = format!("request/{}", request.id);
            let event = Event::by(caller, now, "PROFILE_CERT_REQUEST", object)
                .with("profile", request.profile.clone());
            let event = match &request.context.original {
                Some(original) => event.with("renews", original.serial.clone()),
                None => event,
            };
            match request.state {
                State::Rejected => event.failed(),
                State::Pending | State::Approved(_) | State::Complete(_) | State::Canceled => event,
            }
        };
        let events: Vec<_> = requests.iter().map(event).collect();
        let rows = requests.clone();
        self.database.write("submit request", move |c| {
            for (row, event) in rows.iter().zip(&events) {
                requests::insert(c, row)?;
                audit::append(c, event)?;
            }
            match rows.first() {
                Some(first) => remember(c, key.as_ref(), first),
                None => Ok(()),
            }
        })?;
        Ok(requests)
    }

    /// What to say when another decision came between.
    pub(super) fn somebody_was_faster(&self, id: Uuid) -> Result<Error, Error> {
        let Submitted { request, etag, .. } = self.request(id)?;
        let found = request.state.name();
        Ok(match request.state {
            State::Pending => {
                Error::Precondition(IfMatch::Tags(Vec::new()).check(&etag).err().unwrap_or_else(
                    || common::http::Problem::conflict("changed", "the request has changed"),
                ))
            }
            State::Approved(_) | State::Complete(_) | State::Rejected | State::Canceled => {
                Error::NotPending { found, etag }
            }
        })
    }

    /// What to say of requests that a submission made.
    fn submitted(
        &self,
        mut requests: impl Iterator<Item = Request>,
        profile: &Profile,
    ) -> Result<Submitted, Error> {
        let request = requests.next().ok_or_else(no_request)?;
        Ok(Submitted {
            etag: request.etag(profile.version()),
            request,
            siblings: requests.map(|request| request.id).collect(),
        })
    }

    /// What to say of a request that was decided.
    pub(super) fn decided(&self, request: Request) -> Result<Submitted, Error> {
        let siblings = self.database.read(|c| requests::siblings(c, &request))?;
        let version = self.profiles.find(&request.profile);
        let version = version.map(|entry| entry.version.clone());
        Ok(Submitted {
            etag: request.etag(&version.unwrap_or_default()),
            request,
            siblings,
        })
    }

    /// What is kept under an idempotency key.
    pub fn kept(&self, key: &IdempotencyKey) -> Result<Option<idempotency::Kept>, Error> {
        let since = self.clock.now().plus_days(-1);
        self.database
            .read(|c| idempotency::find(c, &key.scope, since))
    }

    /// Keeps the answer to a request that carried an idempotency key.
    pub fn keep(&self, key: &IdempotencyKey, answer: Vec<u8>) -> Result<(), Error> {
        let scope = key.scope;
        self.database.write("keep answer", move |c| {
            idempotency::keep(c, &scope, &answer)
        })
    }
}

/// Remembers an idempotency key with the request that it made, or the first of several.
pub(super) fn remember(
    connection: &mut common::db::Connection,
    key: Option<&IdempotencyKey>,
    request: &Request,
) -> Result<(), Error> {
    let Some(key) = key else {
        return Ok(());
    };
    // A key that outlived its day makes room for a new use.
    idempotency::forget(connection, request.created.plus_days(-1))?;
    let (scope, digest) = (&key.scope, &key.digest);
    match idempotency::insert(connection, scope, digest, request.id, request.created)? {
        true => Ok(()),
        // Another instance on the same database is at work on the same key.
        false => Err(Error::Precondition(crate::http::in_progress())),
    }
}

pub(super) fn new_request(
    caller: &Caller,
    profile: &Profile,
    set: &PolicySet,
    issuer: &Issuer,
    submission: &Submission,
    csr: &Csr,
    now: Timestamp,
) -> Request {
    Request {
        id: entropy::uuid(),
        version: 1,
        state: State::Pending,
        profile: profile.id().to_owned(),
        profile_version: profile.version().to_owned(),
        authority: issuer.id.clone(),
        created: now,
        modified: now,
        kind: csr.kind(),
        csr: csr.der().to_vec(),
        submission: None,
        requestor: submission.requestor.clone(),
        assigned_to: set.assignee().map(str::to_owned),
        changes: Changes::default(),
        violations: Vec::new(),
        context: Context {
            inputs: submission.inputs.clone(),
            token: drafting::token(caller),
            policy_set: Some(set.id().to_owned()),
            original: None,
            renewal_profile: None,
        },
        history: vec![HistoryEntry {
            at: now,
            by: caller.actor().to_owned(),
            action: "submitted".into(),
            note: None,
        }],
    }
}

pub(super) fn issues_at_once(profile: &Profile, caller: &Caller) -> bool {
    match profile.approval() {
        Approval::Automatic => true,
        Approval::AgentOrService => caller.is_system() || caller.is_in(Group::SubsystemGroup),
        Approval::Agent => caller.is_system(),
    }
}

/// What people call themselves is one line of text of bounded length.
fn check_requestor(requestor: Option<&Requestor>) -> Result<(), Error> {
    let Some(Requestor { name, email, phone }) = requestor else {
        return Ok(());
    };
    for (field, value) in [("name", name), ("email", email), ("phone", phone)] {
        let field = format!("requestor.{field}");
        if value
            .as_ref()
            .is_some_and(|value| value.chars().count() > 255)
        {
            return Err(Error::field(&field, "length", "at most 255 characters"));
        }
        if value
            .as_ref()
            .is_some_and(|value| value.chars().any(char::is_control))
        {
            return Err(Error::field(&field, "syntax", "no control characters"));
        }
    }
    Ok(())
}

/// Marks several requests as made by one submission.
fn together<'a>(requests: impl ExactSizeIterator<Item = &'a mut Request>) {
    if requests.len() < 2 {
        return;
    }
    let mut first = None;
    for request in requests {
        request.submission = Some(*first.get_or_insert(request.id));
    }
}

/// The one request that was asked for.
pub(super) fn only(requests: Vec<Request>) -> Result<Request, Error> {
    requests.into_iter().next().ok_or_else(no_request)
}

fn no_request() -> Error {
    Error::Internal("a submission made no request".into())
}

/// A proof that covers a sender's name and the key holds for that sender alone (RFC 4211 §4.1), so
/// the sender must be the one who calls.
fn check_sender(csr: &Csr, caller: &Caller) -> Result<(), Error> {
    let Some(sender) = csr.sender() else {
        return Ok(());
    };
    let certificate = caller.certificate();
    match certificate.is_some_and(|certificate| certificate.subject() == sender) {
        true => Ok(()),
        false => Err(Error::field(
            csr.kind().field(),
            "proof-of-possession",
            "the proof is for a sender whose client certificate did not come with the request",
        )),
    }
}

/// A request that names its issuer is for no other.
pub(super) fn check_issuer(csr: &Csr, issuer: &Issuer) -> Result<(), Error> {
    let named = csr.issuer();
    match named.is_none_or(|name| name == issuer.certificate.subject()) {
        true => Ok(()),
        false => Err(Error::field(
            csr.kind().field(),
            "issuer",
            format!(
                "the template names an issuer that is not {}",
                issuer.certificate.subject()
            ),
        )),
    }
}

/// A PKCS#10 with the subject `CN=revoke:…` proves a key to revoke its certificate. It is made to be
/// shown around, so it must never become a certificate.
fn refuse_revocation_proof(csr: &Csr) -> Result<(), Error> {
    let proof = name::common_names(csr.subject())
        .iter()
        .any(|name| name.starts_with("revoke:"));
    match proof {
        true => Err(Error::field(
            csr.kind().field(),
            "revocation-proof",
            "this is a proof for revocation, not a request",
        )),
        false => Ok(()),
    }
}

/// The intent of a request in the transaction that approves it.
pub(super) fn origin(request: &Request, by: &str) -> certificates::Origin {
    certificates::Origin {
        request: Some(request.id),
        profile: request.profile.clone(),
        profile_version: request.profile_version.clone(),
        approved_by: by.to_owned(),
    }
}
