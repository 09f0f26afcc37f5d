//! Every URL of the CA on one screen.

pub mod access;
mod authorities;
mod certificates;
mod crl;
mod idempotency;
mod jobs;
mod journal;
pub mod openapi;
mod page;
mod profiles;
mod requests;
mod revocations;
mod statistics;
mod transport;

use actix_web::http::Method;
use actix_web::web::{ServiceConfig, to};
use common::http::resource;

use crate::Ca;
pub(crate) use idempotency::in_progress;

/// Mounts the TLS listener's paths.
pub fn routes(config: &mut ServiceConfig, ca: Ca) {
    authority_routes(config);
    config
        .app_data(actix_web::web::Data::new(ca))
        .service(resource(
            "/pki/profiles",
            [
                (Method::GET, to(profiles::list)),
                (Method::POST, to(profiles::create)),
            ],
        ))
        .service(resource(
            "/pki/profile/{id}",
            [
                (Method::GET, to(profiles::show)),
                (Method::PUT, to(profiles::change)),
                (Method::DELETE, to(profiles::delete)),
            ],
        ))
        .service(resource(
            "/pki/profile/{id}/status",
            [(Method::PUT, to(profiles::decide))],
        ))
        .service(resource(
            "/pki/requests",
            [(Method::GET, to(requests::list))],
        ))
        .service(resource(
            "/pki/request/{id}",
            [
                (Method::GET, to(requests::show)),
                (Method::POST, to(requests::submit)),
            ],
        ))
        .service(resource(
            "/pki/request/{id}/status",
            [
                (Method::GET, to(requests::status)),
                (Method::PUT, to(requests::decide)),
            ],
        ))
        .service(resource(
            "/pki/certificates",
            [(Method::GET, to(certificates::list))],
        ))
        .service(resource(
            "/pki/certificate/{serial}",
            [(Method::GET, to(certificates::show))],
        ))
        .service(resource(
            "/pki/certificate/{serial}/status",
            [
                (Method::GET, to(certificates::status)),
                (Method::PUT, to(certificates::change_status)),
            ],
        ))
        .service(resource(
            "/pki/crl",
            [(Method::GET, to(crl::show)), (Method::POST, to(crl::make))],
        ))
        .service(resource(
            "/pki/status-journal",
            [(Method::GET, to(journal::follow))],
        ));
}

fn authority_routes(config: &mut ServiceConfig) {
    config
        .service(resource(
            "/pki/authorities",
            [
                (Method::GET, to(authorities::list)),
                (Method::POST, to(authorities::create)),
            ],
        ))
        .service(resource(
            "/pki/authority/{id}",
            [
                (Method::GET, to(authorities::show)),
                (Method::DELETE, to(authorities::delete)),
            ],
        ))
        .service(resource(
            "/pki/authority/{id}/certificate",
            [
                (Method::GET, to(authorities::certificate)),
                (Method::PUT, to(authorities::complete)),
            ],
        ))
        .service(resource(
            "/pki/authority/{id}/status",
            [(Method::PUT, to(authorities::change_status))],
        ))
        .service(resource(
            "/pki/authority/{id}/renewal",
            [(Method::POST, to(authorities::renew))],
        ))
        .service(resource(
            "/pki/authority/{id}/chain",
            [(Method::GET, to(authorities::chain))],
        ))
        .service(resource(
            "/pki/revocations",
            [(Method::POST, to(revocations::order))],
        ))
        .service(resource(
            "/pki/statistics",
            [(Method::GET, to(statistics::show))],
        ))
        .service(resource("/pki/jobs", [(Method::GET, to(jobs::list))]))
        .service(resource("/pki/job/{id}", [(Method::GET, to(jobs::show))]));
}

/// Mounts the plain listener's paths: what PKIX clients fetch without TLS.
pub fn plain_routes(config: &mut ServiceConfig, ca: Ca) {
    config
        .app_data(actix_web::web::Data::new(ca))
        .service(resource("/crl/{file}", [(Method::GET, to(crl::plain))]))
        .service(resource(
            "/issuer/{file}",
            [(Method::GET, to(authorities::plain))],
        ));
}

/// Mounts the KRA's transport certificate, for a CA that does not share its address with a KRA.
pub fn transport_route(config: &mut ServiceConfig) {
    config.service(resource(
        "/pki/config/kra/cert/transport",
        [(Method::GET, to(transport::show))],
    ));
}
