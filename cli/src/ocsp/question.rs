//! The OCSP request.

use common::crypto::{sha1, sha256};
use common::entropy;
use common::x509::{Certificate, extension, tlv};
use der::asn1::OctetString;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{ID_SHA_1, ID_SHA_256};
use der::{Any, Encode};
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::ext::Nonce;
use x509_ocsp::{CertId, OcspRequest, Request, TbsRequest, Version};

use super::Distrust;

/// How a CertID names the issuer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hash {
    /// What older responders know.
    Sha1,
    /// The present one.
    Sha256,
}

impl Hash {
    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => ID_SHA_1,
            Self::Sha256 => ID_SHA_256,
        }
    }

    fn of(self, bytes: &[u8]) -> Result<OctetString, der::Error> {
        match self {
            Self::Sha1 => OctetString::new(sha1(bytes)),
            Self::Sha256 => OctetString::new(sha256(bytes)),
        }
    }
}

/// A question for the status of one certificate.
#[derive(Debug)]
pub(super) struct Question {
    certificate: CertId,
    nonce: [u8; 32],
    der: Vec<u8>,
}

impl Question {
    /// Asks for the status of `certificate`, with a new nonce (RFC 9654 §2.1: 32 octets).
    pub(super) fn new(
        certificate: &Certificate,
        issuer: &Certificate,
        hash: Hash,
    ) -> Result<Self, Distrust> {
        let nonce = entropy::bytes();
        let name = issuer_name(certificate).ok_or(Distrust::Certificate)?;
        let certificate = CertId {
            hash_algorithm: AlgorithmIdentifierOwned {
                oid: hash.oid(),
                parameters: Some(Any::null()),
            },
            issuer_name_hash: hash.of(name)?,
            issuer_key_hash: hash.of(issuer.public_key().raw())?,
            serial_number: certificate.parsed().tbs_certificate.serial_number.clone(),
        };
        let request = OcspRequest {
            tbs_request: TbsRequest {
                version: Version::V1,
                requestor_name: None,
                request_list: vec![Request {
                    req_cert: certificate.clone(),
                    single_request_extensions: None,
                }],
                request_extensions: Some(vec![extension::new(false, &Nonce::new(nonce)?)?]),
            },
            optional_signature: None,
        };
        Ok(Self {
            certificate,
            nonce,
            der: request.to_der()?,
        })
    }

    /// The request, DER.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The nonce.
    pub(super) fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// Whether `id` names the certificate that is asked for. Whether the hash algorithm has NULL
    /// parameters or none is a matter of taste among responders.
    pub(super) fn is_about(&self, id: &CertId) -> bool {
        let asked = &self.certificate;
        asked.hash_algorithm.oid == id.hash_algorithm.oid
            && asked.issuer_name_hash == id.issuer_name_hash
            && asked.issuer_key_hash == id.issuer_key_hash
            && asked.serial_number == id.serial_number
    }
}

/// The issuer's name as it stands in the certificate: what is hashed (RFC 6960 §4.1.1) are those
/// bytes, and encoding the parsed name again could give its sets another order.
fn issuer_name(certificate: &Certificate) -> Option<&[u8]> {
    let (fields, _) = tlv::expect(0x30, tlv::signed_part(certificate.der())?)?;
    let (first, rest) = tlv::split(fields)?;
    let from_serial = if first.tag == 0xa0 { rest } else { fields };
    let (_, from_algorithm) = tlv::split(from_serial)?;
    let (_, from_issuer) = tlv::split(from_algorithm)?;
    let (issuer, _) = tlv::split(from_issuer)?;
    Some(issuer.der)
}
