//! Errors on the wire: RFC 9457 problem details. The only code that writes that media type.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, ETAG, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use uuid::Uuid;

use crate::api;
use crate::api::Violation;
use crate::identity::Denied;

/// The media type of RFC 9457.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error that a client sees, with the headers that go with it.
#[derive(Debug)]
pub struct Problem {
    body: Box<api::Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of kind `/problems/<slug>`.
    pub fn new(status: StatusCode, slug: &str, title: &str) -> Self {
        Self {
            body: Box::new(api::Problem {
                kind: format!("/problems/{slug}"),
                title: title.into(),
                status: status.as_u16(),
                detail: None,
                instance: None,
                violations: Vec::new(),
                request: None,
            }),
            headers: Vec::new(),
        }
    }

    /// The problem that stands for a bare status code.
    pub fn from_status(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let slug = title.to_ascii_lowercase().replace(' ', "-");
        Self::new(status, &slug, title)
    }

    /// 400: the body is not even well-formed.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The body is malformed",
        )
        .detail(detail)
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found")
            .detail(format!("there is no such {what}"))
    }

    /// 405 with the methods that there are.
    pub fn method_not_allowed(allowed: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
        )
        .detail(format!("this path knows {allowed}"))
        .header(ALLOW, allowed)
    }

    /// 409: the object is not in a state for this.
    pub fn conflict(slug: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, "Wrong state").detail(detail)
    }

    /// 422: understood, but not acceptable.
    pub fn unprocessable(violations: Vec<Violation>) -> Self {
        let detail = violations
            .first()
            .map(|violation| violation.message.clone());
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not-acceptable",
            "Not acceptable",
        );
        problem.body.detail = detail;
        problem.body.violations = violations;
        problem
    }

    /// 422 for one field.
    pub fn field(field: &str, rule: &str, message: impl Into<String>) -> Self {
        Self::unprocessable(vec![Violation::field(field, rule, message)])
    }

    /// 503 with `Retry-After: 1`.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable",
        )
        .detail(detail)
        .header(RETRY_AFTER, "1")
    }

    /// 500: our mistake. The cause goes to the log, never to the client.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
        )
        .detail("the service failed; its log knows more under this instance")
    }

    /// What happened this time.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.body.detail = Some(detail.into());
        self
    }

    /// The request that was recorded as refused.
    pub fn request(mut self, link: String) -> Self {
        self.body.request = Some(link);
        self
    }

    /// One more header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("our header values are visible ASCII");
        self.headers.push((name, value));
        self
    }

    /// The present tag of the object, beside 409, 412 and 428.
    pub fn etag(self, tag: &str) -> Self {
        self.header(ETAG, tag)
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The finished response, with `instance` naming the request.
    pub fn respond(mut self, request_id: Uuid) -> HttpResponse {
        self.body.instance = Some(format!("urn:uuid:{request_id}"));
        let text = serde_json::to_string(&self.body).unwrap_or_default();
        self.start().content_type(MEDIA_TYPE).body(text)
    }

    fn start(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status());
        response.insert_header(("cache-control", "no-store"));
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.body.detail.as_deref().unwrap_or(&self.body.title))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// An empty response that carries the problem; the conventions middleware, which knows the
    /// request's id, writes the body.
    fn error_response(&self) -> HttpResponse {
        let mut response = self.start().finish();
        response.extensions_mut().insert(Self {
            body: self.body.clone(),
            headers: self.headers.clone(),
        });
        response
    }
}

impl From<&Denied> for Problem {
    fn from(denied: &Denied) -> Self {
        match denied {
            Denied::Unauthenticated(why) => Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "Not authenticated",
            )
            .detail(why.clone())
            .header(WWW_AUTHENTICATE, "Bearer realm=\"chancery\""),
            Denied::Forbidden { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
                    .detail(denied.to_string())
            }
        }
    }
}

impl From<&crate::db::Error> for Problem {
    fn from(error: &crate::db::Error) -> Self {
        match error {
            crate::db::Error::Busy => Self::unavailable("too many requests are waiting"),
            crate::db::Error::Query(_)
            | crate::db::Error::Connect(_)
            | crate::db::Error::Commit(_)
            | crate::db::Error::Newer(_)
            | crate::db::Error::Migration(_) => {
                tracing::error!(%error, "the database failed");
                Self::unavailable("the database is unavailable")
            }
        }
    }
}
