//! JSON bodies of the key recovery authority.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /pki/config/kra/cert/transport`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TransportCertificate {
    /// The certificate of the transport key, PEM.
    pub certificate: String,
    /// Ways to wrap a session key for it (`rsa-oaep-sha256`).
    pub algorithms: Vec<String>,
}
