//! The key recovery authority's operations.

use common::api::kra::TransportCertificate;

use crate::endpoint::{Endpoint, Error};

impl Endpoint {
    /// `GET /pki/config/kra/cert/transport`.
    pub fn transport_certificate(&self) -> Result<TransportCertificate, Error> {
        Ok(self.get("/pki/config/kra/cert/transport")?.value)
    }
}
