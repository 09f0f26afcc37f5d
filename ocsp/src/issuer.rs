//! The CAs that we answer for, found by the hashes in a CertID.

use aws_lc_rs::digest;
use common::x509::Certificate;
use der::Encode;

use crate::question::{CertId, HashAlgorithm};

/// A CA that we answer for.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The authority's id in the journal.
    pub authority: String,
    /// Its certificate.
    pub certificate: Certificate,
    hashes: Vec<(HashAlgorithm, Vec<u8>, Vec<u8>)>,
}

impl Issuer {
    /// Digests name and key once for all questions (RFC 6960 §4.1.1).
    pub fn new(authority: String, certificate: Certificate) -> Result<Self, der::Error> {
        let name = certificate.subject().to_der()?;
        let key = certificate.public_key().raw();
        let algorithms = [
            (HashAlgorithm::Sha1, &digest::SHA1_FOR_LEGACY_USE_ONLY),
            (HashAlgorithm::Sha256, &digest::SHA256),
            (HashAlgorithm::Sha384, &digest::SHA384),
            (HashAlgorithm::Sha512, &digest::SHA512),
        ];
        let hash = |algorithm, bytes: &[u8]| digest::digest(algorithm, bytes).as_ref().to_vec();
        let hashes = algorithms
            .iter()
            .map(|(known, algorithm)| (*known, hash(algorithm, &name), hash(algorithm, key)))
            .collect();
        Ok(Self {
            authority,
            certificate,
            hashes,
        })
    }

    /// Whether the question is about a certificate of this CA.
    pub fn is_named_by(&self, id: &CertId<'_>) -> bool {
        let Some(algorithm) = id.algorithm else {
            return false;
        };
        let known = self.hashes.iter().find(|(known, _, _)| *known == algorithm);
        known.is_some_and(|(_, name, key)| id.issuer_name_hash == name && id.issuer_key_hash == key)
    }
}
