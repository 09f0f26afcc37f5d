//! `/pki/crl`, and `/crl/{authority}.crl` without TLS.

use std::sync::Arc;

use actix_web::http::header::{HttpDate, LAST_MODIFIED};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::ca;
use common::http::conditional::{is_not_modified, representation};
use common::http::{Problem, Query, negotiate};
use common::identity::Evidence;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Operation;
use crate::crl::Crl;
use crate::{Ca, Error};

const REPRESENTATIONS: [&str; 3] = [
    "application/json",
    "application/x-pem-file",
    "application/pkix-crl",
];

/// Which CRL.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CrlQuery {
    /// The authority's id (`host`).
    authority: Option<String>,
    /// `full`.
    kind: Option<String>,
}

/// The CRL in force: JSON, PEM or DER by `Accept`.
#[utoipa::path(get, path = "/pki/crl", tag = "crl", params(CrlQuery),
    responses(
        (status = 200, content(
            (ca::Crl = "application/json"),
            (String = "application/x-pem-file"),
            (String = "application/pkix-crl"),
        )),
        (status = 404, body = common::api::Problem),
        (status = 406, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    query: Query<CrlQuery>,
) -> Result<HttpResponse, Problem> {
    check(&ca, &query.0)?;
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    if evidence.certificate.is_some() {
        ca.run(evidence, Operation::ShowCrl, |_, _| Ok(())).await?;
    }
    let crl = in_force(&ca)?;
    Ok(respond(&request, &ca, &crl, media_type))
}

/// Makes a new CRL now.
#[utoipa::path(post, path = "/pki/crl", tag = "crl", params(CrlQuery),
    responses(
        (status = 200, body = ca::Crl),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
    ))]
pub(super) async fn make(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<CrlQuery>,
) -> Result<HttpResponse, Problem> {
    let service = ca.clone();
    let crl = ca
        .run(evidence, Operation::MakeCrl, move |authority, caller| {
            check(&service, &query.0).map_err(Error::Precondition)?;
            authority.make_crl(caller)
        })
        .await?;
    Ok(HttpResponse::Ok().json(describe(&crl)))
}

/// `/crl/{authority}.crl`: always DER.
pub(super) async fn plain(
    ca: web::Data<Ca>,
    request: HttpRequest,
    file: Path<String>,
) -> Result<HttpResponse, Problem> {
    let host = &ca.authority().host().id;
    if file.strip_suffix(".crl") != Some(host) {
        return Err(Problem::not_found("CRL"));
    }
    let crl = in_force(&ca)?;
    Ok(respond(&request, &ca, &crl, "application/pkix-crl"))
}

fn check(ca: &Ca, query: &CrlQuery) -> Result<(), Problem> {
    if query.kind.as_deref().is_some_and(|kind| kind != "full") {
        return Err(Problem::field("kind", "choice", "kind is full"));
    }
    match query
        .authority
        .as_deref()
        .is_none_or(|id| id == ca.authority().host().id)
    {
        true => Ok(()),
        false => Err(Problem::not_found("authority")),
    }
}

/// The CRL in force. An expired one is worse than none.
fn in_force(ca: &Ca) -> Result<Arc<Crl>, Problem> {
    let now = ca.authority().clock().now();
    let crl = ca
        .authority()
        .current_crl()
        .filter(|crl| crl.next_update > now);
    crl.ok_or_else(|| Problem::unavailable("there is no current CRL"))
}

fn respond(request: &HttpRequest, ca: &Ca, crl: &Crl, media_type: &'static str) -> HttpResponse {
    let now = ca.authority().clock().now();
    // Revocations come at any time, so caches ask again after a minute; a 304 is cheap.
    let max_age = crl.next_update.since(now).as_secs().min(60);
    let made = crl
        .this_update
        .since(common::clock::Timestamp::from_micros(0));
    let etag = representation(&crl.etag(), media_type);
    let unchanged = is_not_modified(request, &etag);
    let mut response = match unchanged {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header(("etag", etag))
        .insert_header((LAST_MODIFIED, HttpDate::from(std::time::UNIX_EPOCH + made)))
        .insert_header(("cache-control", format!("public, max-age={max_age}")))
        .insert_header(("vary", "accept"));
    if unchanged {
        return response.finish();
    }
    match media_type {
        "application/x-pem-file" => response.content_type(media_type).body(pem(crl)),
        "application/pkix-crl" => response.content_type(media_type).body(crl.der.clone()),
        _ => response.json(describe(crl)),
    }
}

fn describe(crl: &Crl) -> ca::Crl {
    ca::Crl {
        authority: crl.authority.clone(),
        kind: "full".into(),
        number: crl.number.to_string(),
        this_update: crl.this_update,
        next_update: crl.next_update,
        entries_count: u64::try_from(crl.entries).unwrap_or(0),
        pem: pem(crl),
    }
}

fn pem(crl: &Crl) -> String {
    common::x509::pem("X509 CRL", &crl.der)
}
