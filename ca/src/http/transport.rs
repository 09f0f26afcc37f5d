//! `/pki/config/kra/cert/transport` on a CA that stands alone and knows a KRA.

use actix_web::{HttpRequest, HttpResponse, web};
use common::http::{Problem, negotiate};

use crate::Ca;

const REPRESENTATIONS: [&str; 3] = [
    "application/json",
    "application/x-pem-file",
    "application/pkix-cert",
];

/// The KRA's transport certificate, fetched from it.
pub(super) async fn show(ca: web::Data<Ca>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let media_type = negotiate::choose(&request, &REPRESENTATIONS)?;
    let kra = ca.kra().cloned().ok_or_else(|| Problem::not_found("KRA"))?;
    let body = ca
        .work()
        .run(move || kra.get_bytes("/pki/config/kra/cert/transport", media_type))
        .await?;
    let body = body.map_err(|error| {
        tracing::warn!(%error, "the KRA did not answer");
        Problem::unavailable("the KRA does not answer")
    })?;
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header(("vary", "accept"))
        .body(body))
}
