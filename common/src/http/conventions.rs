//! The conventions of every answer: `X-Request-Id`, problem bodies, unknown hosts, cross-site
//! requests, metrics and the access log.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use uuid::Uuid;

use super::problem::Problem;
use super::site::Site;
use crate::entropy;
use crate::identity::{Denied, PeerCertificate};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request at hand, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// The middleware around everything.
pub async fn conventions(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id));
    let method = request.method().clone();
    let path = tracing::enabled!(tracing::Level::DEBUG).then(|| request.path().to_owned());

    let response = match refusal(&request) {
        Some(problem) => request.into_response(problem.respond(id)),
        None => {
            let response = next.call(request).await?.map_into_boxed_body();
            with_problem_body(response, id)
        }
    };

    let mut response = response;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    let status = response.status();
    count(&method, status, started);
    if let Some(path) = path {
        tracing::debug!(request_id = %id, %method, path, status = status.as_u16(), elapsed = ?started.elapsed(), "answered");
    }
    Ok(response)
}

fn request_id(request: &ServiceRequest) -> Uuid {
    let sent = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|text| text.parse().ok());
    sent.unwrap_or_else(entropy::uuid)
}

fn count(method: &Method, status: StatusCode, started: Instant) {
    let class = match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    metrics::counter!("http_requests_total", "method" => method, "status" => class).increment(1);
    metrics::histogram!("http_request_seconds", "method" => method)
        .record(started.elapsed().as_secs_f64());
}

/// Why the request is refused before any route sees it.
fn refusal(request: &ServiceRequest) -> Option<Problem> {
    let site = request.app_data::<web::Data<Site>>()?;
    let host = host(request);
    if !site.is_known_host(host) {
        let status = StatusCode::MISDIRECTED_REQUEST;
        let problem = Problem::new(status, "unknown-host", "Unknown host");
        return Some(problem.detail("this service does not answer to that host name"));
    }
    if let Some(problem) = bad_credential(request) {
        return Some(problem);
    }
    let changing = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if changing && !site.is_plain() && is_cross_site(request, host) {
        let problem = Problem::new(StatusCode::FORBIDDEN, "cross-site", "Cross-site request");
        return Some(problem.detail("changes are only taken from pages of this service"));
    }
    None
}

/// A credential that does not hold is refused even where none is needed.
fn bad_credential(request: &ServiceRequest) -> Option<Problem> {
    if request.headers().contains_key(AUTHORIZATION) {
        let why = "this service knows its callers by their client certificate only";
        return Some((&Denied::Unauthenticated(why.into())).into());
    }
    let peer = request.request().conn_data::<PeerCertificate>()?;
    let denied = peer.denied().err()?;
    Some((&denied).into())
}

/// The host that the client itself named; what proxies say in `Forwarded` proves nothing.
fn host(request: &ServiceRequest) -> &str {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|value| value.to_str().ok());
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    header.or(authority).unwrap_or_default()
}

fn is_cross_site(request: &ServiceRequest, host: &str) -> bool {
    let header = |name: HeaderName| {
        request
            .headers()
            .get(name)
            .map(|v| v.to_str().unwrap_or("?"))
    };
    let foreign_origin = header(ORIGIN).is_some_and(|origin| origin != format!("https://{host}"));
    let fetch_site = header(HeaderName::from_static("sec-fetch-site"));
    let foreign_fetch = fetch_site.is_some_and(|site| site != "same-origin" && site != "none");
    foreign_origin || foreign_fetch
}

/// Writes the body of problems, and makes problems of errors that came from below our handlers.
fn with_problem_body(mut response: ServiceResponse<BoxBody>, id: Uuid) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error {
        return response;
    }
    let own = response.response_mut().extensions_mut().remove::<Problem>();
    let content_type = response
        .headers()
        .get("content-type")
        .map(HeaderValue::as_bytes);
    let is_ours = matches!(content_type, Some(kind) if !kind.starts_with(b"text/plain"));
    let problem = match own {
        Some(problem) => problem,
        None if is_ours => return response,
        None => Problem::from_status(status),
    };
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, problem.respond(id))
}

/// What unknown paths are answered.
pub async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("path"))
}

/// Makes a problem of errors in reading bodies that actix finds itself.
pub fn payload_too_large() -> Problem {
    Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE)
        .detail("the body is larger than this path takes")
}
