//! What a request brings besides its body: who it comes from.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::Problem;
use super::conventions::RequestId;
use crate::entropy;
use crate::identity::{Evidence, PeerCertificate};

impl FromRequest for Evidence {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.extensions().get::<RequestId>().map(|id| id.0);
        ready(Ok(Self {
            certificate: request.conn_data::<PeerCertificate>().cloned(),
            address: request
                .peer_addr()
                .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip()),
            request_id: id.unwrap_or_else(entropy::uuid),
        }))
    }
}
