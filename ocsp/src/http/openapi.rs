//! The description of the responder's interface, derived from the handlers.

use common::http::document::finish;
use common::http::site;
use utoipa::OpenApi;

use super::status;

/// The document root; everything else is derived.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chancery OCSP",
        description = "OCSP responder: the status of certificates."
    ),
    paths(
        site::info,
        site::openapi,
        site::health,
        site::ready,
        site::metrics,
        status::post,
        status::get,
    )
)]
struct Document;

/// OpenAPI 3.1 of this service.
pub fn document() -> utoipa::openapi::OpenApi {
    finish(&Document::openapi())
}
