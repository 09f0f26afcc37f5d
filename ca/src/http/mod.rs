//! Every URL of the CA on one screen.

pub mod access;
mod authorities;
mod certificates;
mod crl;
mod idempotency;
mod journal;
pub mod openapi;
mod page;
mod profiles;
mod requests;
mod transport;

use actix_web::http::Method;
use actix_web::web::{ServiceConfig, get, post, put};
use common::http::resource;

use crate::Ca;

/// Mounts the TLS listener's paths.
pub fn routes(config: &mut ServiceConfig, ca: Ca) {
    config
        .app_data(actix_web::web::Data::new(ca))
        .service(resource(
            "/pki/profiles",
            [(Method::GET, get().to(profiles::list))],
        ))
        .service(resource(
            "/pki/profile/{id}",
            [(Method::GET, get().to(profiles::show))],
        ))
        .service(resource(
            "/pki/requests",
            [(Method::GET, get().to(requests::list))],
        ))
        .service(resource(
            "/pki/request/{id}",
            [
                (Method::GET, get().to(requests::show)),
                (Method::POST, post().to(requests::submit)),
            ],
        ))
        .service(resource(
            "/pki/request/{id}/status",
            [
                (Method::GET, get().to(requests::status)),
                (Method::PUT, put().to(requests::decide)),
            ],
        ))
        .service(resource(
            "/pki/certificates",
            [(Method::GET, get().to(certificates::list))],
        ))
        .service(resource(
            "/pki/certificate/{serial}",
            [(Method::GET, get().to(certificates::show))],
        ))
        .service(resource(
            "/pki/certificate/{serial}/status",
            [
                (Method::GET, get().to(certificates::status)),
                (Method::PUT, put().to(certificates::change_status)),
            ],
        ))
        .service(resource(
            "/pki/crl",
            [
                (Method::GET, get().to(crl::show)),
                (Method::POST, post().to(crl::make)),
            ],
        ))
        .service(resource(
            "/pki/authorities",
            [(Method::GET, get().to(authorities::list))],
        ))
        .service(resource(
            "/pki/authority/{id}",
            [(Method::GET, get().to(authorities::show))],
        ))
        .service(resource(
            "/pki/authority/{id}/certificate",
            [(Method::GET, get().to(authorities::certificate))],
        ))
        .service(resource(
            "/pki/authority/{id}/chain",
            [(Method::GET, get().to(authorities::chain))],
        ))
        .service(resource(
            "/pki/status-journal",
            [(Method::GET, get().to(journal::follow))],
        ));
}

/// Mounts the plain listener's paths: what PKIX clients fetch without TLS.
pub fn plain_routes(config: &mut ServiceConfig, ca: Ca) {
    config
        .app_data(actix_web::web::Data::new(ca))
        .service(resource(
            "/crl/{file}",
            [(Method::GET, get().to(crl::plain))],
        ))
        .service(resource(
            "/issuer/{file}",
            [(Method::GET, get().to(authorities::plain))],
        ));
}

/// Mounts the KRA's transport certificate, for a CA that does not share its address with a KRA.
pub fn transport_route(config: &mut ServiceConfig) {
    config.service(resource(
        "/pki/config/kra/cert/transport",
        [(Method::GET, get().to(transport::show))],
    ));
}
