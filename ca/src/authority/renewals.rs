//! Renewal: another certificate for the key and the name of one that ends, made from the request
//! that made the old one and by its profile. The old one stays what it is.

use std::sync::Arc;

use common::api::ca::Changes;
use common::clock::Timestamp;
use common::crypto::RequestSignatures;
use common::identity::{Caller, Denied, Group};
use common::x509::{Csr, SerialNumber, Status};
use uuid::Uuid;

use super::Authority;
use super::drafting::in_force;
use super::enrollment::{Asked, Submission, check_issuer, issues_at_once, new_request};
use crate::Error;
use crate::issuer::Issuer;
use crate::profile::{Original, Profile};
use crate::request::{Context, Request, State};
use crate::store::certificates::{self, Issued};
use crate::store::requests;

/// Which certificate is renewed.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// The one with this serial number.
    Serial(SerialNumber),
    /// The one that this request made.
    Request(Uuid),
    /// The one on the caller's connection.
    ClientCertificate,
}

impl Renewal {
    /// The field of a body that says so.
    fn field(&self) -> &'static str {
        match self {
            Self::Serial(_) => "renew.serial",
            Self::Request(_) => "renew.request",
            Self::ClientCertificate => "renew.client_certificate",
        }
    }
}

/// What a renewal starts from.
pub(super) struct Renewed {
    /// The profile that composes: that of the original request, as it is now.
    pub(super) profile: Arc<Profile>,
    /// The profile that let the renewal in, when it is another.
    renewal_profile: Option<String>,
    request: Request,
    original: Original,
}

impl Authority {
    /// What is renewed, if a submission under `profile` asks for a renewal.
    pub(super) fn renewed(
        &self,
        caller: &Caller,
        profile: &Arc<Profile>,
        asked: &Asked,
    ) -> Result<Option<Renewed>, Error> {
        let Asked::Renewal(renewal) = asked else {
            return match profile.renews() {
                true => {
                    let message = "this profile renews; say which certificate";
                    Err(Error::field("renew", "required", message))
                }
                false => Ok(None),
            };
        };
        let field = renewal.field();
        let issued = self.certificate_to_renew(caller, renewal)?;
        check_right(caller, profile, field, &issued)?;
        check_status(field, &issued.status)?;
        let request = issued.origin.request.ok_or_else(|| {
            let message = "the certificate was not made by a request";
            Error::field(field, "no-request", message)
        })?;
        let request = self.database.read(|c| requests::find(c, request))?;
        if !profile.renews() && profile.id() != request.profile {
            let message = format!("the certificate was issued under {}", request.profile);
            return Err(Error::field(field, "profile", message));
        }
        let (profile, renewal_profile) = match profile.renews() {
            true => {
                let composing = self.composing(field, &request.profile)?;
                (composing, Some(profile.id().to_owned()))
            }
            false => (Arc::clone(profile), None),
        };
        let certificate = &issued.certificate;
        Ok(Some(Renewed {
            profile,
            renewal_profile,
            request,
            original: Original {
                serial: certificate.serial().to_string(),
                subject: certificate.subject().to_string(),
                not_after: certificate.not_after(),
            },
        }))
    }

    /// The profile of the original request, if it is in force.
    fn composing(&self, field: &str, id: &str) -> Result<Arc<Profile>, Error> {
        let entry = self.profiles.find(id).ok_or_else(|| {
            let message = format!("its profile {id} is gone");
            Error::field(field, "profile", message)
        })?;
        in_force(&entry)
    }

    fn certificate_to_renew(&self, caller: &Caller, renewal: &Renewal) -> Result<Issued, Error> {
        let field = renewal.field();
        let unknown = || Error::field(field, "unknown", "there is no such certificate here");
        let serial = match renewal {
            Renewal::Serial(serial) => serial.clone(),
            Renewal::Request(id) => {
                let found = self.database.read(|c| requests::find(c, *id));
                match found.map(|request| request.state) {
                    Ok(State::Complete(serial)) => serial,
                    Ok(State::Pending | State::Approved(_) | State::Rejected | State::Canceled)
                    | Err(Error::NotFound(_)) => return Err(unknown()),
                    Err(error) => return Err(error),
                }
            }
            Renewal::ClientCertificate => {
                let certificate = caller.certificate().ok_or_else(|| {
                    Denied::Unauthenticated("this needs the certificate to renew".into())
                })?;
                certificate.serial()
            }
        };
        let issued = match self.database.read(|c| certificates::find(c, &serial)) {
            Ok(issued) => issued,
            Err(Error::NotFound(_)) => return Err(unknown()),
            Err(error) => return Err(error),
        };
        let presented = match renewal {
            Renewal::ClientCertificate => caller.certificate(),
            Renewal::Serial(_) | Renewal::Request(_) => None,
        };
        match presented.is_none_or(|presented| presented.der() == issued.certificate.der()) {
            true => Ok(issued),
            false => Err(unknown()),
        }
    }
}

/// What is issued at once goes to who holds the old key, or to an agent's word.
fn check_right(
    caller: &Caller,
    profile: &Profile,
    field: &str,
    issued: &Issued,
) -> Result<(), Error> {
    let presented = caller.certificate();
    let is_own = presented.is_some_and(|own| own.der() == issued.certificate.der());
    let is_trusted = caller.is_system() || caller.is_in(Group::CertificateManagerAgents);
    match is_own || is_trusted || !issues_at_once(profile, caller) {
        true => Ok(()),
        false => {
            let message = "this profile renews the certificate on the connection and no other";
            Err(Error::field(field, "client-certificate", message))
        }
    }
}

fn check_status(field: &str, status: &Status) -> Result<(), Error> {
    let (rule, message) = match status {
        Status::Valid => return Ok(()),
        Status::OnHold { .. } => ("on-hold", "a certificate on hold is not renewed"),
        Status::Revoked { .. } => ("revoked", "a revoked certificate is not renewed"),
    };
    Err(Error::field(field, rule, message))
}

impl Renewed {
    /// The authority that shall issue unless the client names another.
    pub(super) fn authority(&self) -> &str {
        &self.request.authority
    }

    /// The request for the new certificate: what the old one says, with the content that agents
    /// gave it then, but for its validity.
    pub(super) fn request(
        &self,
        caller: &Caller,
        issuer: &Issuer,
        submission: &Submission,
        accepted: RequestSignatures,
        now: Timestamp,
    ) -> Result<(Request, Csr), Error> {
        let old = &self.request;
        let csr = old.asked_accepting(accepted);
        let csr = csr.map_err(|why| Error::Csr(old.kind, why))?;
        check_issuer(&csr, issuer)?;
        let set = self.profile.set(old.context.policy_set.as_deref());
        let set = set.ok_or_else(|| {
            let message = "the profile has no such set of policies any more";
            Error::field("renew", "policies", message)
        })?;
        let new = new_request(caller, &self.profile, set, issuer, submission, &csr, now);
        let request = Request {
            requestor: new.requestor.or_else(|| old.requestor.clone()),
            changes: Changes {
                not_before: None,
                not_after: None,
                ..old.changes.clone()
            },
            context: Context {
                original: Some(self.original.clone()),
                renewal_profile: self.renewal_profile.clone(),
                ..old.context.clone()
            },
            ..new
        };
        Ok((request, csr))
    }
}
