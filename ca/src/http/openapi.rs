//! The description of the CA's interface, derived from the handlers.

use common::http::document::finish;
use common::http::site;
use utoipa::OpenApi;

use super::{
    authorities, certificates, crl, jobs, journal, profiles, requests, revocations, statistics,
};

/// The document root; everything else is derived.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chancery CA",
        description = "Certificate authority: profiles, requests, certificates, CRLs."
    ),
    paths(
        site::info,
        site::openapi,
        site::health,
        site::ready,
        site::metrics,
        profiles::list,
        profiles::show,
        profiles::create,
        profiles::change,
        profiles::delete,
        profiles::decide,
        requests::submit,
        requests::list,
        requests::show,
        requests::status,
        requests::decide,
        certificates::list,
        certificates::show,
        certificates::status,
        certificates::change_status,
        crl::show,
        crl::make,
        authorities::list,
        authorities::create,
        authorities::delete,
        authorities::change_status,
        authorities::renew,
        authorities::complete,
        authorities::show,
        authorities::certificate,
        authorities::chain,
        revocations::order,
        statistics::show,
        jobs::list,
        jobs::show,
        journal::follow,
    )
)]
struct Document;

/// OpenAPI 3.1 of this service.
pub fn document() -> utoipa::openapi::OpenApi {
    finish(&Document::openapi())
}
