//! The OCSP responder's operations.

use crate::endpoint::{Endpoint, Error};

impl Endpoint {
    /// `POST /ocsp`: a DER OCSPRequest for a DER OCSPResponse (RFC 6960 Appendix A.1).
    pub fn ocsp(&self, request: &[u8]) -> Result<Vec<u8>, Error> {
        self.post_bytes("/ocsp", "application/ocsp-request", request)
    }
}
