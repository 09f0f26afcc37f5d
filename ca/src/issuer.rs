//! An authority that issues: certificate, key and the URLs that it writes into certificates.

use std::sync::Arc;

use common::crypto::{PrivateKey, PublicKey};
use common::x509::Certificate;

use crate::crl::Scope;

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
    /// Delta CRL.
    pub delta: String,
    /// Parts that the revocations of new certificates are spread over; 0 when they are not.
    pub shards: i16,
    /// What stands before the number of a part.
    part: String,
    /// The issuer's certificate.
    pub issuer: String,
}

impl Urls {
    /// The part of the CRL that a certificate of this key belongs to from its issuance on. By its
    /// key, since what an agent reviews must be what is issued, and there is no serial number yet.
    pub fn shard(&self, key: &PublicKey) -> Option<i16> {
        let digest = key.spki_sha256();
        let number = i16::from_be_bytes([digest[0] & 0x7f, digest[1]]);
        (self.shards > 1).then(|| number % self.shards)
    }

    /// The distribution point of a certificate of this key.
    pub fn crl_for(&self, key: &PublicKey) -> String {
        self.of(self.shard(key).map_or(Scope::Full, Scope::Shard))
    }

    /// Where the CRL of this scope is found.
    pub fn of(&self, scope: Scope) -> String {
        match scope {
            Scope::Full => self.crl.clone(),
            Scope::Delta => self.delta.clone(),
            Scope::Shard(number) => format!("{}{number}.crl", self.part),
        }
    }
}

/// Where the CA's plain listener and the OCSP responder are, for all its authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    http: String,
    ocsp: String,
    shards: i16,
}

impl Places {
    /// The bases of all URLs in certificates.
    pub fn new(public_http_url: &str, ocsp_url: &str) -> Self {
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Self {
            http: base(public_http_url),
            ocsp: base(ocsp_url),
            shards: 0,
        }
    }

    /// The same with CRLs in this many parts.
    pub fn with_shards(self, shards: i16) -> Self {
        Self { shards, ..self }
    }

    /// The URLs of authority `id`.
    pub fn of(&self, id: &str) -> Urls {
        Urls {
            ocsp: format!("{}/ocsp", self.ocsp),
            crl: format!("{}/crl/{id}.crl", self.http),
            delta: format!("{}/crl/{id}-delta.crl", self.http),
            shards: self.shards,
            part: format!("{}/crl/{id}-", self.http),
            issuer: format!("{}/issuer/{id}.crt", self.http),
        }
    }
}
