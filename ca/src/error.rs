//! What the verbs refuse, and the one match that makes problems of it.

use common::api::Violation;
use common::crypto::KeyError;
use common::db;
use common::http::Problem;
use common::identity::Denied;
use common::x509::{CsrError, CsrKind, SerialNumber};
use uuid::Uuid;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The certificate request is not acceptable.
    #[error("{1}")]
    Csr(CsrKind, CsrError),
    /// Well-formed but not acceptable.
    #[error("the input is not acceptable")]
    NotAcceptable(Vec<Violation>),
    /// The profile refused; the request is on record.
    #[error("the profile refuses the request {request}")]
    Refused {
        /// The recorded request.
        request: Uuid,
        /// Why.
        violations: Vec<Violation>,
    },
    /// The request was decided before.
    #[error("the request is {found}, not pending")]
    NotPending {
        /// The state that it is in.
        found: &'static str,
        /// Its present tag.
        etag: String,
    },
    /// Who asks does not approve.
    #[error("a request is not approved by the one who made it")]
    OwnRequest {
        /// Its present tag.
        etag: String,
    },
    /// Only who took the request may decide.
    #[error("the request is not assigned to {actor}")]
    NotAssigned {
        /// Who tried.
        actor: String,
        /// Its present tag.
        etag: String,
    },
    /// The profile is not the one that the request was made under.
    #[error("profile {profile} has changed since the request was made")]
    ProfileChanged {
        /// The profile.
        profile: String,
        /// The request's present tag.
        etag: String,
    },
    /// Requests under the profile are not decided while it is disabled.
    #[error("profile {0} is disabled")]
    ProfileDisabled(String),
    /// There is a profile of this id.
    #[error("there is a profile {0} already")]
    ProfileExists(String),
    /// The profile's status does not allow this; one sentence.
    #[error("{0}")]
    ProfileStanding(String),
    /// An administrator has stopped issuing; one sentence.
    #[error("{0}")]
    Stopped(String),
    /// The certificate's status does not allow this.
    #[error("certificate {serial} is {found}; it cannot become {wanted}")]
    WrongStatus {
        /// The certificate.
        serial: SerialNumber,
        /// The status that it has.
        found: &'static str,
        /// The status asked for.
        wanted: &'static str,
    },
    /// The authority does not issue.
    #[error("authority {id} is {found}")]
    AuthorityStatus {
        /// The authority.
        id: String,
        /// How it stands.
        found: &'static str,
    },
    /// The authority does not allow this now.
    #[error("{0}")]
    AuthorityConflict(String),
    /// `If-Match` is missing or stale.
    #[error("a precondition failed")]
    Precondition(Problem),
    /// The database.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// The signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something that cannot happen did.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// One violation by a field of the input.
    pub fn field(field: &str, rule: &str, message: impl Into<String>) -> Self {
        Self::NotAcceptable(vec![Violation::field(field, rule, message)])
    }
}

impl db::Failure for Error {
    fn database(&self) -> Option<&db::Error> {
        if let Self::Database(error) = self {
            return Some(error);
        }
        None
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self::Internal(format!("DER: {error}"))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => (&denied).into(),
            Error::NotFound(what) => Self::not_found(what),
            Error::Csr(kind, why) => {
                let rule = match why {
                    CsrError::Empty => "required",
                    CsrError::NotDer | CsrError::Undecodable(_) => "syntax",
                    CsrError::TooLarge => "length",
                    CsrError::Key(_) => "key",
                    CsrError::Signature => "proof-of-possession",
                    CsrError::Legacy(_) => "legacy-signature",
                    CsrError::Refused { rule, .. } => rule,
                };
                Self::field(kind.field(), rule, why.to_string())
            }
            Error::NotAcceptable(violations) => Self::unprocessable(violations),
            Error::Refused {
                request,
                violations,
            } => Self::unprocessable(violations).request(format!("/pki/request/{request}")),
            Error::NotPending { ref etag, .. } => {
                Self::conflict("request-not-pending", error.to_string()).etag(etag)
            }
            Error::OwnRequest { ref etag } => {
                Self::conflict("own-request", error.to_string()).etag(etag)
            }
            Error::NotAssigned { ref etag, .. } => {
                Self::conflict("not-assigned", error.to_string()).etag(etag)
            }
            Error::ProfileChanged { ref etag, .. } => {
                Self::conflict("profile-changed", error.to_string()).etag(etag)
            }
            Error::ProfileDisabled(_) => Self::conflict("profile-disabled", error.to_string()),
            Error::ProfileExists(_) => Self::conflict("profile-exists", error.to_string()),
            Error::ProfileStanding(_) => Self::conflict("profile-status", error.to_string()),
            Error::Stopped(_) => Self::conflict("issuance-stopped", error.to_string()),
            Error::WrongStatus { .. } => Self::conflict("certificate-status", error.to_string()),
            Error::AuthorityStatus { .. } => Self::conflict("authority-status", error.to_string()),
            Error::AuthorityConflict(why) => Self::conflict("authority-conflict", why),
            Error::Precondition(problem) => problem,
            Error::Database(error) => (&error).into(),
            Error::Key(error) => Self::internal(&error),
            Error::Internal(why) => Self::internal(&why),
        }
    }
}
