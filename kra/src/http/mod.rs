//! Every URL of the KRA on one screen.

pub mod openapi;
mod transport;

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig, to};
use common::http::resource;

use crate::Kra;

/// Mounts the paths.
pub fn routes(config: &mut ServiceConfig, kra: Kra) {
    config.app_data(Data::new(kra)).service(resource(
        "/pki/config/kra/cert/transport",
        [(Method::GET, to(transport::show))],
    ));
}
