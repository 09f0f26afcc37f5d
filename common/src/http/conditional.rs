//! Entity tags and preconditions (RFC 9110 §13).

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};

use actix_web::{HttpRequest, HttpResponse};

use super::Problem;

/// What a changing request says about the state that it was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// No header.
    Absent,
    /// `*`.
    Any,
    /// These tags, quotes included.
    Tags(Vec<String>),
}

impl IfMatch {
    /// Reads the header.
    pub fn of(request: &HttpRequest) -> Self {
        let mut tags = Vec::new();
        let mut present = false;
        for value in request.headers().get_all(IF_MATCH) {
            present = true;
            let text = value.to_str().unwrap_or_default();
            if text.trim() == "*" {
                return Self::Any;
            }
            tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
        }
        match present {
            true => Self::Tags(tags),
            false => Self::Absent,
        }
    }

    /// Whether the header, if there, fits `tag`: 412 otherwise.
    pub fn check(&self, tag: &str) -> Result<(), Problem> {
        match self {
            Self::Absent | Self::Any => Ok(()),
            Self::Tags(tags) if tags.iter().any(|known| base(known) == base(tag)) => Ok(()),
            Self::Tags(_) => {
                let status = StatusCode::PRECONDITION_FAILED;
                let problem = Problem::new(status, "stale", "Changed since it was read");
                Err(problem
                    .detail("the object has changed; read it again before deciding")
                    .etag(tag))
            }
        }
    }

    /// Like [`Self::check`] where the header must be there: 428 otherwise. `*` says nothing about
    /// what was seen, so it counts as missing unless `any_is_enough`.
    pub fn require(&self, tag: &str, any_is_enough: bool) -> Result<(), Problem> {
        let missing = *self == Self::Absent || (*self == Self::Any && !any_is_enough);
        if missing {
            let status = StatusCode::PRECONDITION_REQUIRED;
            let problem = Problem::new(status, "if-match-required", "If-Match is required");
            return Err(problem
                .detail("send If-Match with the ETag of what was reviewed")
                .etag(tag));
        }
        self.check(tag)
    }
}

/// The tag of one representation of an object whose state has the tag `tag` (RFC 9110 §8.8.3).
pub fn representation(tag: &str, form: &str) -> String {
    format!("\"{};{form}\"", tag.trim_matches('"'))
}

/// The state that a tag stands for, whatever representation it came with.
fn base(tag: &str) -> &str {
    let bare = tag.trim_matches('"');
    bare.split_once(';').map_or(bare, |(state, _)| state)
}

/// 304 when the client has this version already, else `body` as JSON with its tag.
pub fn json(request: &HttpRequest, tag: &str, body: &impl serde::Serialize) -> HttpResponse {
    match is_not_modified(request, tag) {
        true => not_modified(tag),
        false => HttpResponse::Ok().insert_header((ETAG, tag)).json(body),
    }
}

/// 304.
pub fn not_modified(tag: &str) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header((ETAG, tag))
        .finish()
}

/// Whether the client has this version already (`If-None-Match`).
pub fn is_not_modified(request: &HttpRequest, tag: &str) -> bool {
    let header = request
        .headers()
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    header.is_some_and(|text| {
        let mut tags = text
            .split(',')
            .map(|known| known.trim().trim_start_matches("W/"));
        tags.any(|known| known == tag || known == "*")
    })
}
