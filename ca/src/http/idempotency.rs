//! `Idempotency-Key`: the same request again gives the same answer.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse};
use common::api::Violation;
use common::api::ca::Request;
use common::crypto::sha256;
use common::http::Problem;
use common::http::body::Body;
use common::identity::{Caller, Evidence, Group};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::Operation;
use crate::authority::{IdempotencyKey, Submitted};
use crate::{Authority, Ca, Error};

/// Reads the header with its scope: identity, method, path and query; for anonymous callers the
/// body, too, so that nobody can collide with somebody else's key.
pub(super) fn key(
    request: &HttpRequest,
    evidence: &Evidence,
    body: &Body,
) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=128).contains(&text.len()) || !visible {
        let message = "Idempotency-Key is 1 to 128 visible ASCII characters";
        return Err(Problem::field("Idempotency-Key", "syntax", message));
    }
    let digest = sha256(&[body.media_type.as_bytes(), b"\n", &body.bytes].concat());
    let identity = match &evidence.certificate {
        Some(peer) => peer.certificate.public_key().spki_sha256(),
        None => digest,
    };
    let place = format!("{} {} {text}", request.method(), request.uri());
    Ok(Some(IdempotencyKey {
        scope: sha256(&[identity.as_slice(), place.as_bytes()].concat()),
        digest,
    }))
}

/// The answer that was given before under this key, if there is one.
pub(super) async fn replay(
    ca: &Ca,
    evidence: &Evidence,
    key: &IdempotencyKey,
) -> Result<Option<HttpResponse>, Problem> {
    let lookup = key.clone();
    let kept = ca.run(
        evidence.clone(),
        Operation::SubmitRequest,
        move |authority, caller| {
            let Some(kept) = authority.kept(&lookup)? else {
                return Ok(None);
            };
            let answer = match &kept.answer {
                Some(bytes) => serde_json::from_slice(bytes).ok(),
                None => None,
            };
            // The answer that a crash cut short is made again from what is on record.
            let answer = match answer {
                Some(answer) => answer,
                None => Answer::of(authority, caller, &authority.request(kept.request)?),
            };
            Ok(Some((kept.digest, answer)))
        },
    );
    match kept.await? {
        None => Ok(None),
        Some((digest, answer)) if digest == key.digest => answer.respond().map(Some),
        Some(_) => {
            let message = "this Idempotency-Key was used with another body";
            Err(Problem::field("Idempotency-Key", "reuse", message))
        }
    }
}

/// 409 while the first request with the same key runs.
pub(crate) fn in_progress() -> Problem {
    let detail = "the first request with this Idempotency-Key is still running";
    Problem::new(StatusCode::CONFLICT, "in-progress", "In progress")
        .detail(detail)
        .header(RETRY_AFTER, "1")
}

static RUNNING: LazyLock<Mutex<HashSet<[u8; 32]>>> = LazyLock::new(Mutex::default);

/// Marks a key as being worked on in this process.
pub(super) struct Running([u8; 32]);

impl Running {
    /// 409 when another request with the same key runs.
    pub(super) fn start(key: &IdempotencyKey) -> Result<Self, Problem> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        match running.insert(key.scope) {
            true => Ok(Self(key.scope)),
            false => Err(in_progress()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// The answer to a submission, as it is kept.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Answer {
    /// 201 with the request.
    Created {
        location: String,
        etag: String,
        body: Box<Request>,
    },
    /// 422: the profile refuses, and the refusal is on record.
    Refused {
        request: Uuid,
        violations: Vec<Violation>,
    },
}

impl Answer {
    /// What to say of a submission that is on record.
    pub(super) fn of(authority: &Authority, caller: &Caller, submitted: &Submitted) -> Self {
        let request = &submitted.request;
        if !request.violations.is_empty() {
            return Self::Refused {
                request: request.id,
                violations: request.violations.clone(),
            };
        }
        let sees_all = caller.is_in(Group::CertificateManagerAgents);
        Self::Created {
            location: request.link(),
            etag: submitted.etag.clone(),
            body: Box::new(super::requests::describe(authority, submitted, sees_all)),
        }
    }

    /// The form in which it is kept.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The response.
    pub(super) fn respond(self) -> Result<HttpResponse, Problem> {
        match self {
            Self::Created {
                location,
                etag,
                body,
            } => Ok(HttpResponse::Created()
                .insert_header(("location", location))
                .insert_header(("etag", etag))
                .json(body)),
            Self::Refused {
                request,
                violations,
            } => Err(Error::Refused {
                request,
                violations,
            }
            .into()),
        }
    }
}
