//! Certificates: the DER as it is, beside the parsed form.

use der::{Decode, Encode};
use x509_cert::name::Name;

use super::{SerialNumber, extension, tlv};
use crate::api;
use crate::clock::Timestamp;
use crate::crypto::{KeyKind, PublicKey, SignatureInvalid, sha256};

/// A certificate of a key type that we know.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
    public_key: PublicKey,
}

impl Certificate {
    /// Reads DER; `Err` is one sentence for people.
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        let parsed = x509_cert::Certificate::from_der(der).map_err(|e| e.to_string())?;
        let info = parsed.tbs_certificate.subject_public_key_info.clone();
        let public_key = PublicKey::new(info)?;
        Ok(Self {
            der: der.to_vec(),
            parsed,
            public_key,
        })
    }

    /// Reads the first certificate of a PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let mut all = chain_from_pem(pem)?;
        match all.is_empty() {
            true => Err("there is no certificate in the PEM text".into()),
            false => Ok(all.swap_remove(0)),
        }
    }

    /// The DER as received or made.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM text.
    pub fn pem(&self) -> String {
        super::pem("CERTIFICATE", &self.der)
    }

    /// The parsed form.
    pub fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    /// The certified key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The serial number.
    pub fn serial(&self) -> SerialNumber {
        (&self.parsed.tbs_certificate.serial_number).into()
    }

    /// The subject.
    pub fn subject(&self) -> &Name {
        &self.parsed.tbs_certificate.subject
    }

    /// The issuer.
    pub fn issuer(&self) -> &Name {
        &self.parsed.tbs_certificate.issuer
    }

    /// First moment of validity.
    pub fn not_before(&self) -> Timestamp {
        super::timestamp(&self.parsed.tbs_certificate.validity.not_before)
    }

    /// Last second of validity.
    pub fn not_after(&self) -> Timestamp {
        super::timestamp(&self.parsed.tbs_certificate.validity.not_after)
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// The subject key identifier, or the one that we would give it.
    pub fn key_identifier(&self) -> Vec<u8> {
        let extensions = self.parsed.tbs_certificate.extensions.as_ref();
        extension::subject_key_identifier(extensions.map_or(&[], Vec::as_slice))
            .unwrap_or_else(|| self.public_key.key_identifier().to_vec())
    }

    /// Subject alternative names as text.
    pub fn alternative_names(&self) -> Vec<String> {
        let extensions = self.parsed.tbs_certificate.extensions.as_ref();
        extension::alternative_names(extensions.map_or(&[], Vec::as_slice))
    }

    /// All extensions in words.
    pub fn extensions(&self) -> Vec<api::ca::Extension> {
        let extensions = self.parsed.tbs_certificate.extensions.as_ref();
        extension::describe(extensions.map_or(&[], Vec::as_slice))
    }

    /// Whether the subject key of `issuer` signed this certificate.
    pub fn verify_signed_by(&self, issuer: &PublicKey) -> Result<(), SignatureInvalid> {
        let signed = tlv::signed_part(&self.der).ok_or(SignatureInvalid)?;
        let signature = self.parsed.signature.as_bytes().ok_or(SignatureInvalid)?;
        issuer.verify(&self.parsed.signature_algorithm, signed, signature)
    }
}

/// All certificates of a PEM text, in order.
pub fn chain_from_pem(pem: &str) -> Result<Vec<Certificate>, String> {
    let begin = "-----BEGIN CERTIFICATE-----";
    let end = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = pem;
    while let Some(start) = rest.find(begin) {
        let block = &rest[start..];
        let stop = block.find(end).ok_or("the PEM text is cut off")? + end.len();
        let (_, der) =
            der::pem::decode_vec(&block.as_bytes()[..stop]).map_err(|e| e.to_string())?;
        found.push(Certificate::from_der(&der)?);
        rest = &block[stop..];
    }
    Ok(found)
}

/// A certs-only CMS SignedData (`application/pkcs7-mime`, RFC 5652 §5), leaf first.
pub fn pkcs7(certificates: &[&Certificate]) -> Result<Vec<u8>, der::Error> {
    use cms::cert::CertificateChoices;
    use cms::content_info::{CmsVersion, ContentInfo};
    use cms::signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerInfos};
    use const_oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
    use der::asn1::SetOfVec;

    let choices: Vec<_> = certificates
        .iter()
        .map(|certificate| CertificateChoices::Certificate(certificate.parsed.clone()))
        .collect();
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::default(),
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: ID_DATA,
            econtent: None,
        },
        certificates: Some(CertificateSet(SetOfVec::try_from(choices)?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::default()),
    };
    ContentInfo {
        content_type: ID_SIGNED_DATA,
        content: der::Any::encode_from(&signed)?,
    }
    .to_der()
}

/// A public key in the words of the API.
pub fn describe_key(key: &PublicKey) -> api::ca::Key {
    let (kind, size, curve, level) = match key.kind() {
        KeyKind::Rsa(bits) | KeyKind::RsaPss(bits) => ("rsa", Some(bits), None, None),
        KeyKind::Ec(curve) => ("ec", None, Some(curve.to_string()), None),
        KeyKind::Ed25519 => ("ed25519", None, None, None),
        KeyKind::MlDsa(set) => ("ml-dsa", None, None, Some(set.level())),
    };
    api::ca::Key {
        kind: kind.into(),
        size,
        curve,
        level,
        spki_sha256: hex::encode(key.spki_sha256()),
    }
}
