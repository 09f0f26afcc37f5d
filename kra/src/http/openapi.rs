//! The description of the KRA's interface, derived from the handlers.

use common::http::document::finish;
use common::http::site;
use utoipa::OpenApi;

use super::transport;

/// The document root; everything else is derived.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chancery KRA",
        description = "Key recovery authority: the transport certificate so far."
    ),
    paths(
        site::info,
        site::openapi,
        site::health,
        site::ready,
        site::metrics,
        transport::show,
    )
)]
struct Document;

/// OpenAPI 3.1 of this service.
pub fn document() -> utoipa::openapi::OpenApi {
    finish(&Document::openapi())
}
