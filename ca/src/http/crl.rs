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
use crate::create::HOST;
use crate::crl::{Crl, Scope};
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
    /// `full` or `delta`.
    kind: Option<String>,
    /// The number of a part.
    shard: Option<String>,
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
    let (authority, scope) = check(&ca, query.0)?;
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    if evidence.certificate.is_some() {
        ca.run(evidence, Operation::ShowCrl, |_, _| Ok(())).await?;
    }
    let crl = in_force(&ca, &authority, scope)?;
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
            let (id, scope) = check(&service, query.0).map_err(Error::Precondition)?;
            authority.make_crl_of(caller, &id, scope)
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
    let found = file.strip_suffix(".crl").and_then(|name| named(&ca, name));
    let (authority, scope) = found.ok_or_else(|| Problem::not_found("CRL"))?;
    let crl = in_force(&ca, authority, scope)?;
    Ok(respond(&request, &ca, &crl, "application/pkix-crl"))
}

/// What is found at `/crl/{name}.crl`: `{authority}`, `{authority}-delta` or `{authority}-{shard}`.
fn named<'a>(ca: &Ca, name: &'a str) -> Option<(&'a str, Scope)> {
    let has = |id: &str, scope| matches!(ca.authority().has_crl_scope(id, scope), Ok(true));
    if has(name, Scope::Full) {
        return Some((name, Scope::Full));
    }
    let (id, scope) = name.rsplit_once('-')?;
    let scope = scope.parse().ok().filter(|scope| *scope != Scope::Full)?;
    has(id, scope).then_some((id, scope))
}

/// The authority and the scope that are meant.
fn check(ca: &Ca, query: CrlQuery) -> Result<(String, Scope), Problem> {
    let scope = match (query.kind.as_deref(), query.shard) {
        (None | Some("full"), None) => Scope::Full,
        (Some("delta"), None) => Scope::Delta,
        (None | Some("full"), Some(shard)) => {
            let scope = shard.parse().ok();
            let scope = scope.filter(|scope: &Scope| scope.shard().is_some());
            let wrong = || Problem::field("shard", "range", "shard is the number of a part");
            scope.ok_or_else(wrong)?
        }
        (Some("delta"), Some(_)) => {
            let message = "deltas are of the full CRL, not of parts";
            return Err(Problem::field("shard", "choice", message));
        }
        (Some(_), _) => return Err(Problem::field("kind", "choice", "kind is full or delta")),
    };
    let id = query.authority.unwrap_or_else(|| HOST.into());
    match ca.authority().has_crl_scope(&id, scope)? {
        true => Ok((id, scope)),
        false => Err(Problem::not_found("CRL")),
    }
}

/// The CRL in force. An expired one is worse than none.
fn in_force(ca: &Ca, authority: &str, scope: Scope) -> Result<Arc<Crl>, Problem> {
    let now = ca.authority().clock().now();
    let crl = ca
        .authority()
        .current_crl_of(authority, scope)
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
        kind: crl.scope.kind().into(),
        shard: crl
            .scope
            .shard()
            .and_then(|shard| u16::try_from(shard).ok()),
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
