//! From a linted draft to a certificate on record: intent, signature, record.

use common::api::Violation;
use common::audit::Event;
use common::clock::Timestamp;
use common::db::audit;
use common::identity::{Caller, Group};
use common::x509::Certificate;
use uuid::Uuid;

use super::Authority;
use super::enrollment::{Asked, IdempotencyKey, Submission, origin, remember};
use crate::Error;
use crate::create::HOST;
use crate::issue::{Intent, Linted, Signed};
use crate::request::{NotPending, Request, State};
use crate::store::{authorities, certificates, requests};

/// A certificate that an installation makes for itself at first start.
#[derive(Clone, Debug)]
pub struct SystemRequest {
    /// The profile's id.
    pub profile: &'static str,
    /// PKCS#10, DER.
    pub csr: Vec<u8>,
}

impl Authority {
    /// Issues under requests, all new or one already on record. Everything up to the first commit
    /// may be undone; after it the certificates will exist, if need be after a restart.
    pub(super) fn issue(
        &self,
        caller: &Caller,
        parts: Vec<(Request, Linted)>,
        are_new: bool,
        note: Option<String>,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<Request>, Error> {
        let now = self.clock.now();
        let by = caller.actor();
        let first = parts
            .first()
            .map_or_else(Uuid::nil, |(request, _)| request.id);
        let approve = |(request, linted): (Request, Linted)| {
            let not_pending = |NotPending(found)| Error::NotPending {
                found,
                etag: String::new(),
            };
            let approved = request
                .approve(linted.serial().clone(), by, now, note.clone())
                .map_err(not_pending)?;
            let event = approval(caller, &approved, &linted, now);
            Ok::<_, Error>((approved, linted, event))
        };
        let approved: Vec<_> = parts.into_iter().map(approve).collect::<Result<_, _>>()?;
        let rows: Vec<_> = approved
            .iter()
            .map(|(request, _, _)| request.clone())
            .collect();
        let by = by.to_owned();
        let vouches = rows.iter().all(|request| vouches(caller, &request.profile));
        let intents = self.database.write("intend certificate", move |c| {
            let mut intents = Vec::with_capacity(approved.len());
            for (row, linted, event) in &approved {
                match are_new {
                    true => requests::insert(c, row)?,
                    false if !requests::update(c, row)? => return Ok(None),
                    false => {}
                }
                // The last look, in the same commit: whoever stops an authority stops it for good.
                if !vouches && !authorities::is_enabled(c, linted.authority())? {
                    return Err(Error::AuthorityStatus {
                        id: linted.authority().to_owned(),
                        found: "not enabled",
                    });
                }
                intents.push(certificates::intend(c, linted, &origin(row, &by), now)?);
                audit::append(c, event)?;
            }
            if let Some((row, _, _)) = approved.first() {
                remember(c, key.as_ref(), row)?;
            }
            Ok::<_, Error>(Some(intents))
        })?;
        let Some(intents) = intents else {
            return Err(self.somebody_was_faster(first)?);
        };
        self.news.tell();
        let finish = |(intent, row)| self.finish(caller, intent, row);
        intents.into_iter().zip(rows).map(finish).collect()
    }

    /// Refuses a key that is known to be in wrong hands: a certificate of it was revoked for that.
    pub(super) fn refuse_compromised(
        &self,
        linted: Result<Linted, Vec<Violation>>,
    ) -> Result<Result<Linted, Vec<Violation>>, Error> {
        let Ok(linted) = linted else {
            return Ok(linted);
        };
        let compromised = self
            .database
            .read(|c| certificates::is_compromised(c, linted.spki_sha256()))?;
        Ok(match compromised {
            false => Ok(linted),
            true => {
                let message =
                    "a certificate of this key was revoked because the key is compromised";
                Err(vec![Violation::field("csr", "compromised-key", message)])
            }
        })
    }

    /// Signs an intent and puts the certificate on record.
    fn finish(&self, caller: &Caller, intent: Intent, approved: Request) -> Result<Request, Error> {
        let now = self.clock.now();
        let id = approved.id;
        if matches!(approved.state, State::Complete(_)) {
            // Another process finished the same intent in between.
            return Ok(approved);
        }
        let issuer = self.issuer(intent.authority())?;
        let signed = intent.sign(&issuer)?;
        let complete = approved
            .complete(now)
            .map_err(|NotPending(found)| Error::NotPending {
                found,
                etag: String::new(),
            })?;
        let event = issued(caller, &signed, now).with("request", id.to_string());
        let row = complete.clone();
        let recorded = self.database.write("record certificate", move |c| {
            let recorded = certificates::record(c, &signed)? && requests::update(c, &row)?;
            if recorded {
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(recorded)
        })?;
        metrics::counter!("ca_certificates_issued_total", "profile" => complete.profile.clone())
            .increment(1);
        match recorded {
            true => Ok(complete),
            // Another process finished the same intent; its certificate is the one on record.
            false => Ok(self.request(id)?.request),
        }
    }

    /// Finishes what a crash interrupted between intent and record, with the bytes on record.
    /// Gives the number of certificates.
    pub fn finish_interrupted(&self) -> Result<usize, Error> {
        let all = Timestamp::from_micros(i64::MAX);
        Ok(self.finish_intents_before(all)?.0)
    }

    /// Finishes intents that are older than `before`; gives how many it finished and how many not.
    pub(super) fn finish_intents_before(&self, before: Timestamp) -> Result<(usize, usize), Error> {
        let system = Caller::system();
        let unfinished = self
            .database
            .read(|c| certificates::unfinished(c, before))?;
        let (mut count, mut failed) = (0, 0);
        for (intent, request) in unfinished {
            let serial = intent.serial().to_string();
            match self.finish_one(&system, intent, request) {
                Ok(()) => {
                    count += 1;
                    tracing::warn!(serial, "finished an interrupted issuance");
                }
                // It stays on record and is tried again in a minute; the rest goes on.
                Err(error) => {
                    failed += 1;
                    tracing::error!(serial, %error, "an issuance stays interrupted");
                }
            }
        }
        Ok((count, failed))
    }

    fn finish_one(
        &self,
        caller: &Caller,
        intent: Intent,
        request: Option<Uuid>,
    ) -> Result<(), Error> {
        let Some(id) = request else {
            self.finish_without_request(caller, intent)?;
            return self.read_authorities();
        };
        let request = self.database.read(|c| requests::find(c, id))?;
        self.finish(caller, intent, request).map(|_| ())
    }

    /// Signs a certificate of an authority of ours and puts it on record.
    pub(super) fn finish_without_request(
        &self,
        caller: &Caller,
        intent: Intent,
    ) -> Result<(), Error> {
        let signed = match self.issuer(intent.authority()) {
            Ok(issuer) => intent.sign(&issuer)?,
            // A root signs its own certificate before it has one.
            Err(_) => {
                let id = intent.authority();
                let record = self.database.read(|c| authorities::find(c, id))?;
                let issuer = self.issuers.seed(&record, self.clock.now())?;
                intent.sign(&issuer)?
            }
        };
        let event = issued(caller, &signed, self.clock.now());
        self.database.write("record certificate", move |c| {
            if certificates::record(c, &signed)? {
                authorities::certify(c, signed.certificate())?;
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(())
        })
    }

    /// Issues the authority's own certificate, self-signed, under its profile.
    pub(crate) fn issue_own(&self, linted: Linted, profile_version: &str) -> Result<(), Error> {
        let system = Caller::system();
        let now = self.clock.now();
        let origin = certificates::Origin {
            request: None,
            profile: "caCACert".into(),
            profile_version: profile_version.to_owned(),
            approved_by: "system".into(),
        };
        let intent = self.database.write("intend certificate", move |c| {
            certificates::intend(c, &linted, &origin, now)
        })?;
        self.finish_without_request(&system, intent)
    }

    /// The same as a chain for servers and clients: leaf first, without the root.
    pub fn issue_chain_for_system(
        &self,
        request: SystemRequest,
    ) -> Result<Vec<Certificate>, Error> {
        let leaf = self.issue_for_system(request)?;
        let host = self.current(HOST)?;
        let above = host.issuer.full_chain();
        let above = above.into_iter().chain(&host.crosses);
        let is_root = |c: &Certificate| c.verify_signed_by(c.public_key()).is_ok();
        let above = above.filter(|certificate| !is_root(certificate)).cloned();
        Ok(std::iter::once(leaf).chain(above).collect())
    }

    /// Issues a certificate that the installation itself needs.
    pub fn issue_for_system(&self, request: SystemRequest) -> Result<Certificate, Error> {
        let submission = Submission {
            profile: request.profile.into(),
            asked: Asked::Pkcs10(request.csr),
            inputs: std::collections::BTreeMap::new(),
            requestor: None,
            authority: None,
            idempotency: None,
        };
        let submitted = self.submit(&Caller::system(), submission)?;
        let State::Complete(serial) = &submitted.request.state else {
            return Err(Error::Internal(
                "a system certificate was not issued".into(),
            ));
        };
        Ok(self
            .database
            .read(|c| certificates::find(c, serial))?
            .certificate)
    }
}

fn approval(
    caller: &Caller,
    approved: &Request,
    linted: &Linted,
    now: common::clock::Timestamp,
) -> Event {
    let object = format!("request/{}", approved.id);
    let tbs_sha256 = common::x509::hex(&common::crypto::sha256(linted.tbs()));
    Event::by(caller, now, "CERT_REQUEST_PROCESSED", object)
        .with("decision", "approved")
        .with("profile", approved.profile.clone())
        .with("serial", linted.serial().to_string())
        .with("tbs_sha256", tbs_sha256)
}

/// Whether this is for a responder of ours: an authority that does not issue goes on telling the
/// statuses of what it issued before.
pub(super) fn vouches(caller: &Caller, profile: &str) -> bool {
    let is_service = caller.is_system() || caller.is_in(Group::SubsystemGroup);
    is_service && profile == "caOCSPCert"
}

fn issued(caller: &Caller, signed: &Signed, now: common::clock::Timestamp) -> Event {
    let certificate = signed.certificate();
    Event::by(
        caller,
        now,
        "CERT_ISSUED",
        format!("certificate/{}", certificate.serial()),
    )
    .with("sha256", common::x509::hex(&certificate.sha256()))
    .with("subject", certificate.subject().to_string())
}
