//! `/pki/authorities`, `/pki/authority/{id}` with certificate and chain, `/issuer/{id}.crt`.

use std::sync::Arc;

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::Page;
use common::api::ca::{Authority, Chain};
use common::http::{Problem, Query, negotiate};
use common::identity::{Caller, Evidence};
use common::x509::Certificate;
use common::x509::certificate::pkcs7;

use super::access::Operation;
use super::certificates::REPRESENTATIONS;
use super::page::{self, ListQuery};
use crate::Ca;
use crate::create::HOST;
use crate::issuer::Issuer;

/// The authorities of this CA.
#[utoipa::path(get, path = "/pki/authorities", tag = "authorities", params(ListQuery),
    responses((status = 200, body = Page<Authority>), (status = 422, body = common::api::Problem)))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<Authority>>, Problem> {
    let limit = page::limit(query.0.limit)?;
    let after = page::cursor(query.0.after.as_deref())?;
    let list = ca.run(evidence, Operation::ShowAuthority, move |authority, _| {
        let mut issuers = authority.issuers();
        issuers.sort_by_key(|issuer| place(issuer));
        issuers.retain(|issuer| after.as_ref().is_none_or(|after| place(issuer) > *after));
        Ok(issuers)
    });
    let (issuers, next) = page::cut(list.await?, limit, |issuer| place(issuer));
    Ok(web::Json(Page {
        entries: issuers.iter().map(|issuer| describe(issuer)).collect(),
        next,
    }))
}

/// An authority.
#[utoipa::path(get, path = "/pki/authority/{id}", tag = "authorities",
    responses((status = 200, body = Authority), (status = 404, body = common::api::Problem)))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    id: Path<String>,
) -> Result<web::Json<Authority>, Problem> {
    let issuer = find(&ca, evidence, id.into_inner()).await?;
    Ok(web::Json(describe(&issuer)))
}

/// The authority's certificate: JSON, PEM, DER or PKCS#7 by `Accept`.
#[utoipa::path(get, path = "/pki/authority/{id}/certificate", tag = "authorities",
    responses(
        (status = 200, content(
            (Chain = "application/json"),
            (String = "application/x-pem-file"),
            (String = "application/pkix-cert"),
            (String = "application/pkcs7-mime"),
        )),
        (status = 404, body = common::api::Problem),
        (status = 406, body = common::api::Problem),
    ))]
pub(super) async fn certificate(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    let issuer = find(&ca, evidence, id.into_inner()).await?;
    represent(&[&issuer.certificate], media_type)
}

/// The authority's chain up to its root: JSON, PEM or PKCS#7 by `Accept`.
#[utoipa::path(get, path = "/pki/authority/{id}/chain", tag = "authorities",
    responses(
        (status = 200, content(
            (Chain = "application/json"),
            (String = "application/x-pem-file"),
            (String = "application/pkcs7-mime"),
        )),
        (status = 404, body = common::api::Problem),
        (status = 406, body = common::api::Problem),
    ))]
pub(super) async fn chain(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    // DER has no way to hold a chain but PKCS#7; it gives the authority's own certificate.
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    let issuer = find(&ca, evidence, id.into_inner()).await?;
    represent(&issuer.full_chain(), media_type)
}

/// `/issuer/{id}.crt`: always DER.
pub(super) async fn plain(ca: web::Data<Ca>, file: Path<String>) -> Result<HttpResponse, Problem> {
    let issuer = file
        .strip_suffix(".crt")
        .and_then(|id| ca.authority().issuer(id).ok());
    let issuer = issuer.ok_or_else(|| Problem::not_found("certificate"))?;
    Ok(HttpResponse::Ok()
        .content_type("application/pkix-cert")
        .insert_header(("cache-control", "public, max-age=3600"))
        .body(issuer.certificate.der().to_vec()))
}

async fn find(ca: &Ca, evidence: Evidence, id: String) -> Result<Arc<Issuer>, Problem> {
    let find = move |authority: &crate::Authority, _: &Caller| authority.issuer(&id);
    ca.run(evidence, Operation::ShowAuthority, find).await
}

/// The place of an authority in lists: the first one, then the others by age.
fn place(issuer: &Issuer) -> (i64, Vec<u8>) {
    let since = match issuer.id.as_str() {
        HOST => 0,
        _ => issuer.certificate.not_before().micros(),
    };
    (since, issuer.id.clone().into_bytes())
}

fn describe(issuer: &Issuer) -> Authority {
    Authority {
        id: issuer.id.clone(),
        subject: issuer.certificate.subject().to_string(),
        enabled: true,
        host: issuer.id == HOST,
        certificate: issuer.certificate.pem(),
    }
}

fn represent(chain: &[&Certificate], media_type: &'static str) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Ok();
    response.insert_header(("vary", "accept"));
    let pem = |chain: &[&Certificate]| -> Vec<String> { chain.iter().map(|c| c.pem()).collect() };
    Ok(match media_type {
        "application/x-pem-file" => response.content_type(media_type).body(pem(chain).concat()),
        "application/pkix-cert" => response.content_type(media_type).body(
            chain
                .first()
                .map_or_else(Vec::new, |own| own.der().to_vec()),
        ),
        "application/pkcs7-mime" => {
            let bytes = pkcs7(chain).map_err(|e| Problem::internal(&e))?;
            response.content_type(media_type).body(bytes)
        }
        _ => response.json(Chain {
            certificates: pem(chain),
        }),
    })
}
