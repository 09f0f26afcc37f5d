//! An authority that issues: certificate, key and the URLs that it writes into certificates.

use std::sync::Arc;

use common::crypto::PrivateKey;
use common::x509::Certificate;

/// An issuing authority, loaded.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// `host` for the first one.
    pub id: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// The certificates above its own, nearest first, up to the root; none for a root.
    pub chain: Vec<Certificate>,
    /// Its key.
    pub key: Arc<PrivateKey>,
    /// Where relying parties find status and certificates.
    pub urls: Urls,
}

impl Issuer {
    /// Its own certificate and those above it.
    pub fn full_chain(&self) -> Vec<&Certificate> {
        std::iter::once(&self.certificate)
            .chain(&self.chain)
            .collect()
    }
}

/// Places that certificates of one authority point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// OCSP responder.
    pub ocsp: String,
    /// Full CRL.
    pub crl: String,
    /// The issuer's certificate.
    pub issuer: String,
}

/// Where the CA's plain listener and the OCSP responder are, for all its authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    http: String,
    ocsp: String,
}

impl Places {
    /// The bases of all URLs in certificates.
    pub fn new(public_http_url: &str, ocsp_url: &str) -> Self {
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Self {
            http: base(public_http_url),
            ocsp: base(ocsp_url),
        }
    }

    /// The URLs of authority `id`.
    pub fn of(&self, id: &str) -> Urls {
        Urls {
            ocsp: format!("{}/ocsp", self.ocsp),
            crl: format!("{}/crl/{id}.crl", self.http),
            issuer: format!("{}/issuer/{id}.crt", self.http),
        }
    }
}
