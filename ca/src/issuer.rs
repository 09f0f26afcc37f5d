//! An authority that issues: certificate, key and the URLs that it writes into certificates.

use common::crypto::PrivateKey;
use common::x509::Certificate;

/// An issuing authority, loaded.
#[derive(Debug)]
pub struct Issuer {
    /// `host` for the first one.
    pub id: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
    /// Where relying parties find status and certificates.
    pub urls: Urls,
}

/// Places that certificates point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// OCSP responder.
    pub ocsp: String,
    /// Full CRL.
    pub crl: String,
    /// The issuer's certificate.
    pub issuer: String,
}

impl Urls {
    /// The URLs of authority `id` below `public_http_url`.
    pub fn new(public_http_url: &str, ocsp_url: &str, id: &str) -> Self {
        let base = public_http_url.trim_end_matches('/');
        Self {
            ocsp: format!("{}/ocsp", ocsp_url.trim_end_matches('/')),
            crl: format!("{base}/crl/{id}.crl"),
            issuer: format!("{base}/issuer/{id}.crt"),
        }
    }
}
