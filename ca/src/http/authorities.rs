//! `/pki/authorities`, `/pki/authority/{id}` with certificate and chain, `/issuer/{id}.crt`.

use std::sync::Arc;

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use common::api::Page;
use common::api::ca::{
    Authority, AuthorityChange, Chain, NewAuthority, OutsideCertificate, Renewal,
};
use common::http::body::Body;
use common::http::conditional::{self, IfMatch};
use common::http::{Problem, Query, negotiate};
use common::identity::{Caller, Evidence};
use common::x509::Certificate;
use common::x509::certificate::{chain_from_pem, pkcs7};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Operation;
use super::certificates::REPRESENTATIONS;
use super::page;
use crate::authority::Member;
use crate::store::authorities::{Record, Standing};
use crate::{Ca, Error};

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthoritiesQuery {
    /// Entries of a page, 1 to 1,000 (50).
    limit: Option<i64>,
    /// Cursor of the page.
    after: Option<String>,
    /// `true`: also those that were deleted and whose certificate has not ended (`false`).
    deleted: Option<bool>,
}

/// The authorities of this CA, the oldest first.
#[utoipa::path(get, path = "/pki/authorities", tag = "authorities", params(AuthoritiesQuery),
    responses((status = 200, body = Page<Authority>), (status = 422, body = common::api::Problem)))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<AuthoritiesQuery>,
) -> Result<web::Json<Page<Authority>>, Problem> {
    let AuthoritiesQuery {
        limit,
        after,
        deleted,
    } = query.0;
    let limit = page::limit(limit)?;
    let after = page::cursor(after.as_deref())?;
    let list = ca.run(evidence, Operation::ShowAuthority, move |authority, _| {
        let mut records = authority.authorities(deleted.unwrap_or(false))?;
        records.retain(|record| after.as_ref().is_none_or(|after| place(record) > *after));
        let (records, next) = page::cut(records, limit, place);
        let entries = records.iter().map(|record| describe(authority, record));
        Ok(Page {
            entries: entries.collect(),
            next,
        })
    });
    Ok(web::Json(list.await?))
}

/// A new authority: certified at once by its parent, or, without one, with a CSR for an outside CA.
#[utoipa::path(post, path = "/pki/authorities", tag = "authorities", request_body = NewAuthority,
    responses(
        (status = 201, body = Authority),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn create(
    ca: web::Data<Ca>,
    evidence: Evidence,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let create = move |authority: &crate::Authority, caller: &Caller| {
        let wanted = body.json().map_err(Error::Precondition)?;
        let record = authority.create_authority(caller, wanted)?;
        Ok((describe(authority, &record), record.etag()))
    };
    let made = ca.run(evidence, Operation::ManageAuthority, create).await?;
    Ok(respond(HttpResponse::Created(), made))
}

/// An authority.
#[utoipa::path(get, path = "/pki/authority/{id}", tag = "authorities",
    responses((status = 200, body = Authority), (status = 404, body = common::api::Problem)))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let show = move |authority: &crate::Authority, _: &Caller| {
        let record = authority.authority(&id)?;
        Ok((describe(authority, &record), record.etag()))
    };
    let (body, etag) = ca.run(evidence, Operation::ShowAuthority, show).await?;
    Ok(conditional::json(&request, &etag, &body))
}

/// Deletes an authority that is disabled and has none below it. Its certificate is revoked; its CRL
/// and the answers about its certificates stay until its certificate ends.
#[utoipa::path(delete, path = "/pki/authority/{id}", tag = "authorities",
    responses(
        (status = 204),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
    ))]
pub(super) async fn delete(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let delete = move |authority: &crate::Authority, caller: &Caller| {
        authority.delete_authority(caller, &id, &if_match)
    };
    ca.run(evidence, Operation::ManageAuthority, delete).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Enables, disables or stops an authority.
#[utoipa::path(put, path = "/pki/authority/{id}/status", tag = "authorities", request_body = AuthorityChange,
    responses(
        (status = 200, body = Authority),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn change_status(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let change = move |authority: &crate::Authority, caller: &Caller| {
        let change = body.json().map_err(Error::Precondition)?;
        let record = authority.change_authority(caller, &id, &if_match, change)?;
        Ok((describe(authority, &record), record.etag()))
    };
    let changed = ca.run(evidence, Operation::ManageAuthority, change).await?;
    Ok(respond(HttpResponse::Ok(), changed))
}

/// A new certificate for the same key, or a new key as a new authority with the same name. Without
/// a body: the same key.
#[utoipa::path(post, path = "/pki/authority/{id}/renewal", tag = "authorities", request_body = Renewal,
    responses(
        (status = 200, body = Authority),
        (status = 201, body = Authority),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn renew(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let renew = move |authority: &crate::Authority, caller: &Caller| {
        let renewal: Renewal = match body.bytes.is_empty() {
            true => Renewal::default(),
            false => body.json().map_err(Error::Precondition)?,
        };
        let is_new = renewal.key.is_some();
        let record = authority.renew_authority(caller, &id, &if_match, renewal)?;
        Ok((is_new, (describe(authority, &record), record.etag())))
    };
    let (is_new, renewed) = ca.run(evidence, Operation::ManageAuthority, renew).await?;
    Ok(match is_new {
        true => respond(HttpResponse::Created(), renewed),
        false => respond(HttpResponse::Ok(), renewed),
    })
}

/// Takes the certificate that an outside CA made, with those above it up to the root: JSON or PEM.
#[utoipa::path(put, path = "/pki/authority/{id}/certificate", tag = "authorities",
    request_body(content(
        (OutsideCertificate = "application/json"),
        (String = "application/x-pem-file"),
    )),
    responses(
        (status = 200, body = Authority),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn complete(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let complete = move |authority: &crate::Authority, caller: &Caller| {
        let pem = match body.media_type.as_str() {
            "application/x-pem-file" => String::from_utf8_lossy(&body.bytes).into_owned(),
            _ => {
                let body: OutsideCertificate = body.json().map_err(Error::Precondition)?;
                body.certificates.concat()
            }
        };
        let chain = chain_from_pem(&pem).map_err(|e| Error::field("certificate", "syntax", e))?;
        let record = authority.complete_authority(caller, &id, &if_match, &chain)?;
        Ok((describe(authority, &record), record.etag()))
    };
    let completed = ca
        .run(evidence, Operation::ManageAuthority, complete)
        .await?;
    Ok(respond(HttpResponse::Ok(), completed))
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
    let member = find(&ca, evidence, id.into_inner()).await?;
    represent(&[&member.issuer.certificate], media_type)
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
    let member = find(&ca, evidence, id.into_inner()).await?;
    let mut chain = member.issuer.full_chain();
    // Beside the path: ways around it for those who trust another key of the authority.
    chain.extend(&member.crosses);
    represent(&chain, media_type)
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

async fn find(ca: &Ca, evidence: Evidence, id: String) -> Result<Arc<Member>, Problem> {
    let find = move |authority: &crate::Authority, _: &Caller| {
        let record = authority.authority(&id)?;
        match record.certificate {
            Some(_) => authority.member(&id),
            None => Err(Error::NotFound("certificate")),
        }
    };
    ca.run(evidence, Operation::ShowAuthority, find).await
}

/// The place of an authority in lists: by age.
fn place(record: &Record) -> (i64, Vec<u8>) {
    (record.created.micros(), record.id.clone().into_bytes())
}

fn respond(mut response: HttpResponseBuilder, (body, etag): (Authority, String)) -> HttpResponse {
    response
        .insert_header(("location", format!("/pki/authority/{}", body.id)))
        .insert_header(("etag", etag))
        .json(body)
}

fn describe(authority: &crate::Authority, record: &Record) -> Authority {
    let member = authority.member(&record.id);
    let crosses = member.map_or_else(|_| Vec::new(), |member| member.crosses.clone());
    let csr = record.csr.as_deref();
    Authority {
        id: record.id.clone(),
        subject: record.subject.clone(),
        parent: record.parent.clone(),
        enabled: record.standing == Standing::Enabled,
        status: record.standing.name().into(),
        note: record.note.clone(),
        host: authority.is_host(&record.id),
        description: record.description.clone(),
        successor: record.successor.clone(),
        certificate: record.certificate.as_ref().map(Certificate::pem),
        csr: csr.map(|der| common::x509::pem("CERTIFICATE REQUEST", der)),
        cross_certificates: crosses.iter().map(Certificate::pem).collect(),
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
