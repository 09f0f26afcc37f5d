//! Certificates: find, list, and change their status.

use common::api::ca::StatusChange;
use common::audit::Event;
use common::clock::Timestamp;
use common::db::audit;
use common::http::conditional::IfMatch;
use common::identity::{Caller, Denied, Group};
use common::x509::{Certificate, RevocationReason, SerialNumber, Status, extension};
use x509_cert::ext::pkix::BasicConstraints;

use super::Authority;
use crate::store::certificates::{self, Filter, Issued, Listed};
use crate::store::{journal, statuses};
use crate::{Error, proof};

/// A change of status, read.
#[derive(Clone, Debug)]
pub enum StatusRequest {
    /// For good.
    Revoke {
        /// Why.
        reason: RevocationReason,
        /// When the key became unsafe.
        invalidity_date: Option<Timestamp>,
        /// Why, in words.
        note: Option<String>,
    },
    /// Until released.
    Hold {
        /// Why, in words.
        note: Option<String>,
    },
    /// Lifts a hold.
    Release {
        /// Why, in words.
        note: Option<String>,
    },
}

impl TryFrom<StatusChange> for StatusRequest {
    type Error = Error;

    fn try_from(change: StatusChange) -> Result<Self, Error> {
        Ok(match change {
            StatusChange::Revoked {
                reason,
                invalidity_date,
                note,
                proof: _,
            } => Self::Revoke {
                reason: match reason {
                    None => RevocationReason::Unspecified,
                    Some(text) => text
                        .parse()
                        .map_err(|message: String| Error::field("reason", "choice", message))?,
                },
                invalidity_date,
                note,
            },
            StatusChange::OnHold { note } => Self::Hold { note },
            StatusChange::Valid { note } => Self::Release { note },
        })
    }
}

impl Authority {
    /// The certificate with this serial number.
    pub fn certificate(&self, serial: &SerialNumber) -> Result<Issued, Error> {
        self.database.read(|c| certificates::find(c, serial))
    }

    /// A page of certificates, newest first.
    pub fn certificates(
        &self,
        filter: &Filter,
        after: Option<(i64, Vec<u8>)>,
        limit: i64,
    ) -> Result<Vec<Listed>, Error> {
        let texts = [
            ("subject", &filter.subject),
            ("issuer", &filter.issuer),
            ("profile", &filter.profile),
        ];
        super::check_texts(&texts)?;
        let now = self.clock.now();
        self.database
            .read(|c| certificates::list(c, filter, now, after.clone(), limit))
    }

    /// Revokes, holds or releases a certificate. Agents may; for CA certificates only administrators.
    /// Whoever calls with the certificate itself may revoke it.
    pub fn change_status(
        &self,
        caller: &Caller,
        serial: &SerialNumber,
        if_match: &IfMatch,
        wanted: &StatusRequest,
    ) -> Result<(Status, Timestamp), Error> {
        let (issued, standing) = self.standing(caller, serial)?;
        if standing == Standing::Owner {
            let StatusRequest::Revoke { reason, .. } = wanted else {
                return Err(forbidden(caller, Group::CertificateManagerAgents));
            };
            proof::check_reason(*reason)?;
        }
        self.change(caller, &issued, standing, if_match, wanted)
    }

    /// Revokes a certificate whose key signed `proof`, whoever calls.
    pub fn revoke_by_proof(
        &self,
        caller: &Caller,
        serial: &SerialNumber,
        if_match: &IfMatch,
        wanted: &StatusRequest,
        proof: &str,
    ) -> Result<(Status, Timestamp), Error> {
        let issued = self.certificate(serial)?;
        if issued.is_ca() {
            return Err(forbidden(caller, Group::Administrators));
        }
        let StatusRequest::Revoke { reason, .. } = wanted else {
            let message = "only a revocation has a proof";
            return Err(Error::field("proof", "unknown-field", message));
        };
        proof::check_reason(*reason)?;
        proof::check(proof, &issued.certificate, *reason)?;
        self.change(caller, &issued, Standing::Owner, if_match, wanted)
    }

    /// As whom a caller stands before a certificate: an official, or who calls with it.
    fn standing(
        &self,
        caller: &Caller,
        serial: &SerialNumber,
    ) -> Result<(Issued, Standing), Error> {
        // Who is nobody learns nothing, not even whether there is such a certificate.
        if !caller.is_authenticated() {
            let why = "this needs an agent's client certificate, the certificate itself or a proof \
                       of its key";
            return Err(Denied::Unauthenticated(why.into()).into());
        }
        let issued = self.certificate(serial)?;
        let group = match issued.is_ca() {
            true => Group::Administrators,
            false => Group::CertificateManagerAgents,
        };
        let is_own = caller.certificate().map(Certificate::der) == Some(issued.certificate.der());
        let is_held = matches!(issued.status, Status::OnHold { .. });
        match caller.is_in(group) {
            // A held certificate lends no office, but its owner may still revoke it.
            true if !(is_own && is_held) => Ok((issued, Standing::Official)),
            _ if is_own && !issued.is_ca() => Ok((issued, Standing::Owner)),
            _ => Err(forbidden(caller, group)),
        }
    }

    fn change(
        &self,
        caller: &Caller,
        issued: &Issued,
        standing: Standing,
        if_match: &IfMatch,
        wanted: &StatusRequest,
    ) -> Result<(Status, Timestamp), Error> {
        let serial = &issued.certificate.serial();
        if_match
            .check(&issued.etag())
            .map_err(Error::Precondition)?;
        // Two changes in one microsecond would carry the same tag.
        let now = self
            .clock
            .now()
            .max(Timestamp::from_micros(issued.changed.micros() + 1));
        let (status, note) = next(serial, &issued.status, wanted, now)?;
        let known = statuses::Known {
            serial: serial.clone(),
            authority: issued.authority.clone(),
            status: issued.status,
            changed: issued.changed,
            not_after: issued.certificate.not_after(),
            shard: issued.shard,
        };
        let mut event = Event::by(
            caller,
            now,
            "CERT_STATUS_CHANGE_REQUEST_PROCESSED",
            format!("certificate/{serial}"),
        )
        .with("from", issued.status.name())
        .with("to", status.name());
        if standing == Standing::Owner {
            event = event.with("by", "owner");
        }
        if let Status::Revoked { reason, .. } = status {
            event = event.with("reason", reason.to_string());
        }
        if let Some(note) = note {
            event = event.with("note", note);
        }
        let changed = self.database.write("change status", move |c| {
            let changed = statuses::update(c, &known, status, now)?;
            if changed {
                journal::append(
                    c,
                    &known.authority,
                    &known.serial,
                    &status,
                    known.not_after,
                    now,
                )?;
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(changed)
        })?;
        if !changed {
            // Somebody else changed it in between: say what holds now.
            let now_found = self.certificate(serial)?;
            return Err(wrong(serial, &now_found.status, status.name()));
        }
        self.news.tell();
        self.crl_wake.wake_for(&issued.authority, issued.shard);
        metrics::counter!("ca_status_changes_total", "to" => status.name()).increment(1);
        Ok((status, now))
    }
}

/// As whom somebody changes a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// An agent; for CA certificates an administrator.
    Official,
    /// Who holds the certificate's key.
    Owner,
}

impl Issued {
    /// Whether this is the certificate of a CA.
    pub fn is_ca(&self) -> bool {
        let parsed = &self.certificate.parsed().tbs_certificate;
        let extensions = parsed.extensions.as_deref().unwrap_or_default();
        let constraints = extension::find::<BasicConstraints>(extensions);
        constraints.is_some_and(|constraints| constraints.ca)
    }
}

fn forbidden(caller: &Caller, group: Group) -> Error {
    Error::from(Denied::Forbidden {
        actor: caller.actor().to_owned(),
        groups: group.name().into(),
    })
}

fn next<'a>(
    serial: &SerialNumber,
    from: &Status,
    wanted: &'a StatusRequest,
    now: Timestamp,
) -> Result<(Status, Option<&'a str>), Error> {
    match (from, wanted) {
        (
            Status::Valid | Status::OnHold { .. },
            StatusRequest::Revoke {
                reason,
                invalidity_date,
                note,
            },
        ) => {
            if invalidity_date.is_some_and(|at| at > now) {
                let message = "the invalidity date lies in the future";
                return Err(Error::field("invalidity_date", "past", message));
            }
            let status = Status::Revoked {
                at: now,
                reason: *reason,
                invalidity_date: *invalidity_date,
            };
            Ok((status, note.as_deref()))
        }
        (Status::Valid, StatusRequest::Hold { note }) => {
            Ok((Status::OnHold { since: now }, note.as_deref()))
        }
        (Status::OnHold { .. }, StatusRequest::Release { note }) => {
            Ok((Status::Valid, note.as_deref()))
        }
        (Status::Revoked { .. }, StatusRequest::Revoke { .. }) => {
            Err(wrong(serial, from, "revoked"))
        }
        (Status::OnHold { .. } | Status::Revoked { .. }, StatusRequest::Hold { .. }) => {
            Err(wrong(serial, from, "on_hold"))
        }
        (Status::Valid | Status::Revoked { .. }, StatusRequest::Release { .. }) => {
            Err(wrong(serial, from, "valid"))
        }
    }
}

fn wrong(serial: &SerialNumber, found: &Status, wanted: &'static str) -> Error {
    Error::WrongStatus {
        serial: serial.clone(),
        found: found.name(),
        wanted,
    }
}
