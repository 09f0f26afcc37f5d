//! OCSP over HTTP (RFC 6960 Appendix A, RFC 9919).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, EXPIRES, HttpDate, LAST_MODIFIED};
use actix_web::{HttpRequest, HttpResponse, web};
use common::api;
use common::clock::Timestamp;
use common::http::Problem;
use common::http::body::{media_type, read, unsupported};

use crate::Ocsp;
use crate::answer::{Answer, Refusal};
use crate::question::{LENGTH_MAX, Question, from_path};

const REQUEST: &str = "application/ocsp-request";
/// Without parameters: some clients compare the header as a whole.
const RESPONSE: &str = "application/ocsp-response";

/// Longest time that caches may keep an answer, seconds: revocations come at any time.
const MAX_AGE: u64 = 300;

/// Asks for the status of certificates.
#[utoipa::path(post, path = "/ocsp", tag = "ocsp",
    request_body(content = String, content_type = "application/ocsp-request"),
    responses(
        (status = 200, description = "OCSPResponse, DER", content_type = "application/ocsp-response", body = String),
        (status = 413, body = api::Problem),
        (status = 415, body = api::Problem),
    ))]
pub(super) async fn post(
    ocsp: web::Data<Ocsp>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    if media_type(&request) != REQUEST {
        return Err(unsupported(REQUEST));
    }
    let body = read(payload.into_inner(), LENGTH_MAX).await?;
    answer(&ocsp, body.to_vec(), false).await
}

/// The same with the base64 of the request in the path.
#[utoipa::path(get, path = "/ocsp/{request}", tag = "ocsp",
    responses(
        (status = 200, description = "OCSPResponse, DER", content_type = "application/ocsp-response", body = String),
        (status = 404, body = api::Problem),
    ))]
pub(super) async fn get(
    ocsp: web::Data<Ocsp>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    // The path as it was sent: base64 has slashes of its own, which no router may tidy up.
    let path = request.uri().path();
    let tail = super::PATHS
        .iter()
        .filter_map(|prefix| path.strip_prefix(prefix)?.strip_prefix('/'))
        .min_by_key(|tail| tail.len())
        .unwrap_or_default();
    let is_request = tail.starts_with('M') || tail.starts_with("%4D") || tail.starts_with("%4d");
    if !is_request {
        return Err(Problem::from_status(StatusCode::NOT_FOUND)
            .detail("an OCSP request in base64 begins with M"));
    }
    match from_path(tail) {
        Ok(der) => answer(&ocsp, der, true).await,
        Err(_) => Ok(refuse(Refusal::Malformed)),
    }
}

async fn answer(ocsp: &Ocsp, der: Vec<u8>, cacheable: bool) -> Result<HttpResponse, Problem> {
    let ready = match Question::parse(&der) {
        Ok(question) => ocsp.responder().ready_answer(&question),
        Err(_) => return Ok(refuse(Refusal::Malformed)),
    };
    if let Some(answer) = ready {
        count("ready");
        return Ok(respond(&answer, cacheable));
    }
    let responder = ocsp.responder().clone();
    let answer = ocsp.work().run(move || {
        let question = Question::parse(&der).map_err(|_| Refusal::Malformed)?;
        let answer = responder.answer(&question)?;
        // What carries a nonce or is not final must not be kept by anybody.
        Ok((answer, question.nonce.is_none()))
    });
    Ok(match answer.await? {
        Ok((answer, reusable)) => {
            count("signed");
            respond(&answer, cacheable && reusable)
        }
        Err(refusal) => refuse(refusal),
    })
}

fn respond(answer: &Answer, cacheable: bool) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header(("content-type", RESPONSE));
    match answer.next_update.filter(|_| cacheable) {
        Some(next_update) => {
            let age = next_update.since(answer.this_update).as_secs().min(MAX_AGE);
            let expires = answer
                .this_update
                .plus_seconds(i64::try_from(age).unwrap_or(0));
            response
                .insert_header((
                    CACHE_CONTROL,
                    format!("max-age={age}, public, no-transform, must-revalidate"),
                ))
                .insert_header((LAST_MODIFIED, date(answer.this_update)))
                .insert_header((EXPIRES, date(expires)))
                .insert_header((ETAG, etag(&answer.der)))
        }
        None => response.insert_header((CACHE_CONTROL, "no-store")),
    };
    response.body(answer.der.clone())
}

/// RFC 6960 Appendix A.2: errors of OCSP are successes of HTTP.
fn refuse(refusal: Refusal) -> HttpResponse {
    count(refusal.name());
    HttpResponse::Ok()
        .insert_header(("content-type", RESPONSE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(refusal.der())
}

fn count(answer: &'static str) {
    metrics::counter!("ocsp_answers_total", "answer" => answer).increment(1);
}

fn date(at: Timestamp) -> HttpDate {
    HttpDate::from(std::time::UNIX_EPOCH + at.since(Timestamp::from_micros(0)))
}

/// RFC 9919 §6 suggests a digest of the response.
fn etag(der: &[u8]) -> String {
    format!("\"{}\"", common::x509::hex(&common::crypto::sha1(der)))
}
