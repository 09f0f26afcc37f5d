//! The transport key: what clients wrap secrets to.

use std::path::Path;

use common::api::kra::TransportCertificate;
use common::crypto::{KeyEncryptionKey, PrivateKey};
use common::keystore::KeyStore;
use common::x509::Certificate;

/// The transport key's name in the key store.
pub const TRANSPORT: &str = "transport";

/// The transport key with its certificate.
#[derive(Debug)]
pub struct Transport {
    chain: Vec<Certificate>,
    _key: PrivateKey,
}

impl Transport {
    /// Opens the transport key in `folder`.
    pub fn open(folder: &Path, kek: &KeyEncryptionKey) -> Result<Self, String> {
        let keys = KeyStore { folder, kek };
        let (key, _) = keys.key(TRANSPORT)?;
        let identity = keys.identity(TRANSPORT)?;
        Ok(Self {
            chain: identity.chain,
            _key: key,
        })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.chain[0]
    }

    /// What clients need to know.
    pub fn describe(&self) -> TransportCertificate {
        TransportCertificate {
            certificate: self.certificate().pem(),
            algorithms: vec!["rsa-oaep-sha256".into()],
        }
    }
}
