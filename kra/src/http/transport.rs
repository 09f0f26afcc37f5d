//! `/pki/config/kra/cert/transport`.

use actix_web::{HttpRequest, HttpResponse, web};
use common::api::kra::TransportCertificate;
use common::http::{Problem, negotiate};
use common::identity::{Evidence, Rule};

use crate::Kra;

const REPRESENTATIONS: [&str; 3] = [
    "application/json",
    "application/x-pem-file",
    "application/pkix-cert",
];

/// The certificate to wrap secrets for: JSON, PEM or DER by `Accept`.
#[utoipa::path(get, path = "/pki/config/kra/cert/transport", tag = "transport",
    responses(
        (status = 200, content(
            (TransportCertificate = "application/json"),
            (String = "application/x-pem-file"),
            (String = "application/pkix-cert"),
        )),
        (status = 406, body = common::api::Problem),
    ))]
pub(super) async fn show(
    kra: web::Data<Kra>,
    evidence: Evidence,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    kra.admit(evidence, Rule::Anyone).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header(("vary", "accept"));
    let transport = kra.transport();
    let certificate = transport.certificate();
    Ok(match media_type {
        "application/x-pem-file" => response.content_type(media_type).body(certificate.pem()),
        "application/pkix-cert" => response
            .content_type(media_type)
            .body(certificate.der().to_vec()),
        _ => response.json(transport.describe()),
    })
}
