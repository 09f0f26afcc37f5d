//! Every URL of the responder on one screen.

pub mod openapi;
mod status;

use actix_web::http::Method;
use actix_web::web::{ServiceConfig, to};
use common::http::resource;

use crate::Ocsp;

/// Paths at which clients ask: ours, and the two that Dogtag's clients know.
pub const PATHS: [&str; 3] = ["/ocsp", "/ca/ocsp", "/ocsp/ee/ocsp"];

/// Mounts the paths; the same with and without TLS.
pub fn routes(config: &mut ServiceConfig, ocsp: Ocsp) {
    config.app_data(actix_web::web::Data::new(ocsp));
    // The longest first: `/ocsp/ee/ocsp` is also below `/ocsp`.
    for path in PATHS.into_iter().rev() {
        config
            .service(resource(path, [(Method::POST, to(status::post))]))
            .service(resource(
                &format!("{path}/{{request:.*}}"),
                [(Method::GET, to(status::get))],
            ));
    }
}
