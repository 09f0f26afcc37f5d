//! `/pki/authorities`, `/pki/authority/{id}` with certificate and chain, `/issuer/{id}.crt`.

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::Page;
use common::api::ca::{Authority, Chain};
use common::http::{Problem, Query, negotiate};
use common::identity::Evidence;
use common::x509::certificate::pkcs7;

use super::access::Operation;
use super::certificates::REPRESENTATIONS;
use super::page::{self, ListQuery};
use crate::{Ca, Error};

/// The authorities of this CA.
#[utoipa::path(get, path = "/pki/authorities", tag = "authorities", params(ListQuery),
    responses((status = 200, body = Page<Authority>), (status = 422, body = common::api::Problem)))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<Authority>>, Problem> {
    page::limit(query.0.limit)?;
    let after = page::cursor(query.0.after.as_deref())?;
    let list = ca.run(evidence, Operation::ShowAuthority, move |authority, _| {
        // There is one authority, so nothing comes after any cursor.
        let host = after.is_none().then(|| describe(authority));
        Ok(host.into_iter().collect())
    });
    Ok(web::Json(Page {
        entries: list.await?,
        next: None,
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
    find(&ca, evidence, id.into_inner()).await.map(web::Json)
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
    find(&ca, evidence, id.into_inner()).await?;
    represent(&ca, media_type)
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
    // DER has no way to hold a chain but PKCS#7; of a root alone it is the same as the certificate.
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    find(&ca, evidence, id.into_inner()).await?;
    represent(&ca, media_type)
}

/// `/issuer/{id}.crt`: always DER.
pub(super) async fn plain(ca: web::Data<Ca>, file: Path<String>) -> Result<HttpResponse, Problem> {
    let host = ca.authority().host();
    if file.strip_suffix(".crt") != Some(&host.id) {
        return Err(Problem::not_found("certificate"));
    }
    Ok(HttpResponse::Ok()
        .content_type("application/pkix-cert")
        .insert_header(("cache-control", "public, max-age=3600"))
        .body(host.certificate.der().to_vec()))
}

async fn find(ca: &Ca, evidence: Evidence, id: String) -> Result<Authority, Problem> {
    ca.run(
        evidence,
        Operation::ShowAuthority,
        move |authority, _| match id == authority.host().id {
            true => Ok(describe(authority)),
            false => Err(Error::NotFound("authority")),
        },
    )
    .await
}

fn describe(authority: &crate::Authority) -> Authority {
    let host = authority.host();
    Authority {
        id: host.id.clone(),
        subject: host.certificate.subject().to_string(),
        enabled: true,
        host: true,
        certificate: host.certificate.pem(),
    }
}

fn represent(ca: &Ca, media_type: &'static str) -> Result<HttpResponse, Problem> {
    let certificate = &ca.authority().host().certificate;
    let mut response = HttpResponse::Ok();
    response.insert_header(("vary", "accept"));
    Ok(match media_type {
        "application/x-pem-file" => response.content_type(media_type).body(certificate.pem()),
        "application/pkix-cert" => response
            .content_type(media_type)
            .body(certificate.der().to_vec()),
        "application/pkcs7-mime" => {
            let bytes = pkcs7(&[certificate]).map_err(|e| Problem::internal(&e))?;
            response.content_type(media_type).body(bytes)
        }
        _ => response.json(Chain {
            certificates: vec![certificate.pem()],
        }),
    })
}
