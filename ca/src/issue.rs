//! The issuance pipeline: [`Draft`] → [`Linted`] → [`Intent`] (durable) → [`Signed`]. Each step
//! consumes the one before, so nothing is signed that was not linted and written down, and nothing
//! is signed twice by accident.

use common::api::Violation;
use common::clock::Timestamp;
use common::crypto::{KeyError, PublicKey, SignatureAlgorithm};
use common::x509::{self, AlternativeName, Certificate, SerialNumber, extension};
use der::asn1::BitString;
use der::{Decode, Encode};
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::ext::Extensions;
use x509_cert::name::Name;
use x509_cert::time::Validity;

use crate::issuer::Issuer;
use crate::lint::Rules;

/// A certificate as a profile composed it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Who it is for.
    pub subject: Name,
    /// Its key.
    pub public_key: PublicKey,
    /// Subject alternative names.
    pub names: Vec<AlternativeName>,
    /// Whether a client that does not know the subject alternative names must refuse the certificate.
    pub names_critical: bool,
    /// What it is signed with.
    pub algorithm: SignatureAlgorithm,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// All extensions but the subject alternative names.
    pub extensions: Extensions,
}

impl Draft {
    /// All extensions in the order of the certificate.
    pub fn all_extensions(&self) -> der::Result<Extensions> {
        let mut all = self.extensions.clone();
        if !self.names.is_empty() {
            let names = self
                .names
                .iter()
                .map(AlternativeName::to_general_name)
                .collect();
            let value = x509_cert::ext::pkix::SubjectAltName(names);
            // Critical when it is all there is to name the subject (RFC 5280 §4.1.2.6).
            let critical = self.names_critical || self.subject.is_empty();
            all.push(extension::new(critical, &value)?);
        }
        Ok(all)
    }

    /// Gives the draft a serial number and checks it against every rule that no profile may bend.
    pub fn lint(
        self,
        issuer: &Issuer,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Linted, Vec<Violation>> {
        let undecidable =
            |e: der::Error| vec![Violation::policy("encoding", "encodable", e.to_string())];
        let serial = SerialNumber::random();
        let mut names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        names.dedup();
        let tbs = TbsCertificate {
            version: Version::V3,
            serial_number: serial.to_x509(),
            signature: self.algorithm.identifier(),
            issuer: issuer.certificate.subject().clone(),
            validity: Validity {
                not_before: x509::time(self.not_before),
                not_after: x509::time(self.not_after),
            },
            subject: self.subject.clone(),
            subject_public_key_info: self.public_key.info().clone(),
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(self.all_extensions().map_err(undecidable)?),
        };
        let violations = rules.certificate(&tbs, &self.public_key, issuer, now);
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Linted {
            serial,
            authority: issuer.id.clone(),
            subject: self.subject.to_string(),
            issuer: tbs.issuer.to_string(),
            names,
            spki_sha256: self.public_key.spki_sha256(),
            shard: issuer.urls.shard(&self.public_key),
            not_before: self.not_before,
            not_after: self.not_after,
            tbs: tbs.to_der().map_err(undecidable)?,
        })
    }
}

/// To-be-signed bytes that passed every lint, with what the store wants to know about them.
#[derive(Clone, Debug)]
pub struct Linted {
    serial: SerialNumber,
    authority: String,
    subject: String,
    issuer: String,
    names: Vec<String>,
    spki_sha256: [u8; 32],
    shard: Option<i16>,
    not_before: Timestamp,
    not_after: Timestamp,
    tbs: Vec<u8>,
}

#[expect(missing_docs, reason = "the names say it")]
impl Linted {
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn spki_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }

    pub fn shard(&self) -> Option<i16> {
        self.shard
    }

    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }
}

/// A certificate that is on record as about to be signed.
#[derive(Debug)]
pub struct Intent {
    serial: SerialNumber,
    authority: String,
    tbs: Vec<u8>,
}

impl Intent {
    /// For the store, after it wrote the row.
    pub(crate) fn on_record(linted: &Linted) -> Self {
        Self::read(
            linted.serial.clone(),
            linted.authority.clone(),
            linted.tbs.clone(),
        )
    }

    /// For the store, from a row.
    pub(crate) fn read(serial: SerialNumber, authority: String, tbs: Vec<u8>) -> Self {
        Self {
            serial,
            authority,
            tbs,
        }
    }

    /// The serial number.
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// Who is to sign.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Signs the bytes on record and checks the signature with the issuer's public key, so that a
    /// fault of the engine or a wrong key never leaves the house.
    pub fn sign(self, issuer: &Issuer) -> Result<Signed, KeyError> {
        if issuer.id != self.authority {
            return Err(KeyError::Unreadable);
        }
        let tbs = TbsCertificate::from_der(&self.tbs).map_err(|_| KeyError::Unreadable)?;
        // What the bytes on record say; there is no name for anything with SHA-1.
        let algorithm = SignatureAlgorithm::read(&tbs.signature).ok_or(KeyError::Unreadable)?;
        let signature = issuer.key.sign_with(algorithm, &self.tbs)?;
        let algorithm = algorithm.identifier();
        issuer
            .certificate
            .public_key()
            .verify(&algorithm, &self.tbs, &signature)
            .map_err(|_| KeyError::Engine)?;
        let der = assemble(&self.tbs, &algorithm, &signature).map_err(|_| KeyError::Engine)?;
        let certificate = Certificate::from_der(&der).map_err(|_| KeyError::Engine)?;
        Ok(Signed {
            certificate,
            tbs: self.tbs,
        })
    }
}

/// A signed certificate that still has to be recorded.
#[derive(Debug)]
pub struct Signed {
    certificate: Certificate,
    tbs: Vec<u8>,
}

impl Signed {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The bytes that were signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }
}

/// `SEQUENCE { tbs, algorithm, BIT STRING }`: the outer shape of certificates and CRLs.
pub fn assemble(
    tbs: &[u8],
    algorithm: &spki::AlgorithmIdentifierOwned,
    signature: &[u8],
) -> der::Result<Vec<u8>> {
    let algorithm = algorithm.to_der()?;
    let signature = BitString::from_bytes(signature)?.to_der()?;
    let content = [tbs, &algorithm, &signature].concat();
    let mut out = Vec::with_capacity(content.len() + 5);
    x509::tlv::push(&mut out, 0x30, &content);
    Ok(out)
}
