//! `/pki/certificates`, `/pki/certificate/{serial}` and its status.

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::Page;
use common::api::ca::{
    Certificate, CertificateStatus, CertificateSummary, Link, StatusChange, Visible,
};
use common::clock::Timestamp;
use common::http::body::Body;
use common::http::conditional::{self, IfMatch, is_not_modified, not_modified};
use common::http::{Problem, Query, negotiate};
use common::identity::{Evidence, Group};
use common::x509::certificate::{describe_key, pkcs7};
use common::x509::{AlternativeName, SerialNumber, Status, hex};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Operation;
use super::page;
use super::requests::moment;
use crate::authority::StatusRequest;
use crate::store::certificates::{Filter, Issued, Listed, etag};
use crate::{Ca, Error};

/// Representations of a certificate or chain, the default first.
pub(super) const REPRESENTATIONS: [&str; 4] = [
    "application/json",
    "application/x-pem-file",
    "application/pkix-cert",
    "application/pkcs7-mime",
];

const STATUSES: [&str; 5] = ["valid", "not_yet_valid", "on_hold", "revoked", "expired"];

/// A certificate: JSON, PEM, DER or PKCS#7 (with its chain) by `Accept`.
#[utoipa::path(get, path = "/pki/certificate/{serial}", tag = "certificates",
    responses(
        (status = 200, content(
            (Certificate = "application/json"),
            (String = "application/x-pem-file"),
            (String = "application/pkix-cert"),
            (String = "application/pkcs7-mime"),
        )),
        (status = 404, body = common::api::Problem),
        (status = 406, body = common::api::Problem),
    ))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    serial: Path<String>,
) -> Result<HttpResponse, Problem> {
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    let serial = parse_serial(&serial)?;
    let (issued, sees_all) = ca
        .run(
            evidence,
            Operation::ShowCertificate,
            move |authority, caller| {
                let sees_all = caller.is_in(Group::CertificateManagerAgents);
                Ok((authority.certificate(&serial)?, sees_all))
            },
        )
        .await?;
    let form = match media_type {
        "application/json" if sees_all => "all",
        media_type => media_type,
    };
    let etag = conditional::representation(&issued.etag(), form);
    if is_not_modified(&request, &etag) {
        return Ok(not_modified(&etag));
    }
    let mut response = HttpResponse::Ok();
    response
        .insert_header(("etag", etag))
        .insert_header(("vary", "accept"));
    let now = ca.authority().clock().now();
    Ok(match media_type {
        "application/x-pem-file" => response
            .content_type(media_type)
            .body(issued.certificate.pem()),
        "application/pkix-cert" => response
            .content_type(media_type)
            .body(issued.certificate.der().to_vec()),
        "application/pkcs7-mime" => {
            let issuer = ca.authority().issuer(&issued.authority)?;
            let mut chain = vec![&issued.certificate];
            chain.extend(issuer.full_chain());
            let bytes = pkcs7(&chain).map_err(|e| Problem::internal(&e))?;
            response.content_type(media_type).body(bytes)
        }
        _ => response.json(describe(&issued, now, sees_all)),
    })
}

/// Certificates, newest first.
#[utoipa::path(get, path = "/pki/certificates", tag = "certificates", params(ListQuery),
    responses(
        (status = 200, body = Page<CertificateSummary>),
        (status = 401, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<CertificateSummary>>, Problem> {
    let page = ca.run(
        evidence,
        Operation::ListCertificates,
        move |authority, _| {
            let query = query.0;
            let limit = page::limit(query.limit).map_err(Error::Precondition)?;
            let after = page::cursor(query.after.as_deref()).map_err(Error::Precondition)?;
            let now = authority.clock().now();
            let found = authority.certificates(&query.filter()?, after, limit + 1)?;
            let (found, next) = page::cut(found, limit, |listed| {
                (listed.issued.micros(), listed.serial.as_bytes().to_vec())
            });
            let entries = found.iter().map(|listed| summary(listed, now)).collect();
            Ok(Page { entries, next })
        },
    );
    Ok(web::Json(page.await?))
}

/// The status of a certificate.
#[utoipa::path(get, path = "/pki/certificate/{serial}/status", tag = "certificates",
    responses((status = 200, body = CertificateStatus), (status = 404, body = common::api::Problem)))]
pub(super) async fn status(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    serial: Path<String>,
) -> Result<HttpResponse, Problem> {
    let serial = parse_serial(&serial)?;
    let issued = ca
        .run(evidence, Operation::ShowCertificate, move |authority, _| {
            authority.certificate(&serial)
        })
        .await?;
    let tag = issued.etag();
    let now = ca.authority().clock().now();
    let certificate = &issued.certificate;
    let name = issued
        .status
        .name_at(now, certificate.not_before(), certificate.not_after());
    let body = describe_status(&issued.status, name, None);
    Ok(conditional::json(&request, &tag, &body))
}

/// Revokes, holds or releases a certificate. Who holds its key may revoke it.
#[utoipa::path(put, path = "/pki/certificate/{serial}/status", tag = "certificates", request_body = StatusChange,
    responses(
        (status = 200, body = CertificateStatus),
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
    serial: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let about = parse_serial(&serial).ok();
    let (body, tag) = ca
        .run_about(
            evidence,
            Operation::ChangeStatus,
            about,
            move |authority, caller| {
                let mut change: StatusChange = body.json().map_err(Error::Precondition)?;
                let proof = match &mut change {
                    StatusChange::Revoked { proof, .. } => proof.take(),
                    StatusChange::OnHold { .. } | StatusChange::Valid { .. } => None,
                };
                let wanted = StatusRequest::try_from(change)?;
                let serial = parse_serial(&serial).map_err(Error::Precondition)?;
                let (status, at) = match proof {
                    Some(proof) => {
                        authority.revoke_by_proof(caller, &serial, &if_match, &wanted, &proof)
                    }
                    None => authority.change_status(caller, &serial, &if_match, &wanted),
                }?;
                let visible = Visible {
                    ocsp: authority.clock().now().plus_seconds(2).whole_seconds(),
                    crl: {
                        let issued = authority.certificate(&serial)?;
                        authority.visible_in_crl(&issued.authority, issued.shard)
                    },
                };
                Ok((
                    describe_status(&status, status.name(), Some(visible)),
                    etag(&status, at),
                ))
            },
        )
        .await?;
    Ok(HttpResponse::Ok().insert_header(("etag", tag)).json(body))
}

/// Narrows the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Entries of a page, 1 to 1,000 (50).
    limit: Option<i64>,
    /// Cursor of the page.
    after: Option<String>,
    /// Part of the subject, in any case.
    subject: Option<String>,
    /// One alternative name in full (`dns:host.example`).
    san: Option<String>,
    /// One e-mail address of the alternative names.
    email: Option<String>,
    /// The issuer's name in full.
    issuer: Option<String>,
    /// `valid`, `not_yet_valid`, `on_hold`, `revoked` or `expired`.
    status: Option<String>,
    /// Profile id.
    profile: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, hex.
    spki_sha256: Option<String>,
    /// Serial number, hex.
    serial: Option<String>,
    /// RFC 3339.
    issued_after: Option<String>,
    /// RFC 3339.
    issued_before: Option<String>,
    /// RFC 3339.
    expires_after: Option<String>,
    /// RFC 3339.
    expires_before: Option<String>,
    /// RFC 3339.
    revoked_after: Option<String>,
    /// RFC 3339.
    revoked_before: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<Filter, Error> {
        if self
            .status
            .as_ref()
            .is_some_and(|status| !STATUSES.contains(&status.as_str()))
        {
            let message = format!("status is one of {}", STATUSES.join(", "));
            return Err(Error::field("status", "choice", message));
        }
        let mut names = Vec::new();
        if let Some(text) = &self.san {
            let name: AlternativeName = text
                .parse()
                .map_err(|message: String| Error::field("san", "syntax", message))?;
            names.push(name.to_string());
        }
        names.extend(self.email.map(|address| format!("email:{address}")));
        let spki = self.spki_sha256.map(|text| digest(&text)).transpose()?;
        let serial = self.serial.map(|text| text.parse()).transpose();
        Ok(Filter {
            subject: self.subject,
            names,
            issuer: self.issuer,
            status: self.status,
            profile: self.profile,
            spki_sha256: spki,
            serial: serial.map_err(|_| {
                Error::field("serial", "syntax", "serial is a serial number in hex")
            })?,
            issued_after: moment("issued_after", self.issued_after)?,
            issued_before: moment("issued_before", self.issued_before)?,
            expires_after: moment("expires_after", self.expires_after)?,
            expires_before: moment("expires_before", self.expires_before)?,
            revoked_after: moment("revoked_after", self.revoked_after)?,
            revoked_before: moment("revoked_before", self.revoked_before)?,
        })
    }
}

fn digest(text: &str) -> Result<Vec<u8>, Error> {
    let bytes = common::x509::from_hex(text).filter(|bytes| bytes.len() == 32);
    bytes.ok_or_else(|| {
        Error::field(
            "spki_sha256",
            "syntax",
            "spki_sha256 is a SHA-256 digest in hex",
        )
    })
}

fn parse_serial(text: &str) -> Result<SerialNumber, Problem> {
    text.parse().map_err(|_| Problem::not_found("certificate"))
}

fn describe(issued: &Issued, now: Timestamp, sees_all: bool) -> Certificate {
    let certificate = &issued.certificate;
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    let request = issued.origin.request.filter(|_| sees_all);
    Certificate {
        id: certificate.serial().to_string(),
        serial: certificate.serial().to_string(),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        authority: issued.authority.clone(),
        not_before,
        not_after,
        status: issued.status.name_at(now, not_before, not_after).into(),
        key: describe_key(certificate.public_key()),
        subject_alt_names: certificate.alternative_names(),
        extensions: certificate.extensions(),
        profile: issued.origin.profile.clone(),
        pem: certificate.pem(),
        sha256: hex(&certificate.sha256()),
        request: request.map(|id| Link {
            id: id.to_string(),
            link: format!("/pki/request/{id}"),
        }),
        profile_version: sees_all.then(|| issued.origin.profile_version.clone()),
    }
}

pub(super) fn summary(listed: &Listed, now: Timestamp) -> CertificateSummary {
    CertificateSummary {
        id: listed.serial.to_string(),
        serial: listed.serial.to_string(),
        subject: listed.subject.clone(),
        issuer: listed.issuer.clone(),
        not_before: listed.not_before,
        not_after: listed.not_after,
        status: listed
            .status
            .name_at(now, listed.not_before, listed.not_after)
            .into(),
        profile: listed.profile.clone(),
        link: format!("/pki/certificate/{}", listed.serial),
    }
}

fn describe_status(status: &Status, name: &str, visible: Option<Visible>) -> CertificateStatus {
    let (at, reason, invalidity_date) = match status {
        Status::Valid => (None, None, None),
        Status::OnHold { since } => (Some(*since), None, None),
        Status::Revoked {
            at,
            reason,
            invalidity_date,
        } => (Some(*at), Some(reason.to_string()), *invalidity_date),
    };
    CertificateStatus {
        status: name.into(),
        at,
        reason,
        invalidity_date,
        visible,
    }
}
