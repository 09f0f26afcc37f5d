//! Certification requests: PKCS#10 (RFC 2986) and CRMF (RFC 4211).

use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::asn1::BitString;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::name::Name;
use x509_cert::request::CertReq;

use super::crmf::{self, Control};
use super::{AlternativeName, name, tlv};
use crate::clock::Timestamp;
use crate::crypto::{KeyKind, PublicKey, RSA_BITS_MIN, RequestSignatures, is_sha1};

/// Larger requests are refused unread; an RSA-8192 one has about 2.5 kB.
const LENGTH_MAX: usize = 64 * 1024;

/// PEM labels of requests, today's and an older one.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// Why a request is not acceptable. The first two mean that it is not even one.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    /// Nothing there.
    #[error("the certificate request is empty")]
    Empty,
    /// Neither PEM nor base64 nor DER.
    #[error("the certificate request is not PEM, base64 or DER")]
    NotDer,
    /// Too large to be honest.
    #[error("the certificate request is larger than {LENGTH_MAX} bytes")]
    TooLarge,
    /// DER, but no PKCS#10.
    #[error("the certificate request cannot be decoded: {0}")]
    Undecodable(String),
    /// The public key is of no use.
    #[error("the public key is not acceptable: {0}")]
    Key(String),
    /// The requester does not hold the private key, or the request was altered.
    #[error("the certificate request is not signed by the key that it carries")]
    Signature,
    /// Signed as nobody should any more.
    #[error("{0} are accepted only with ca.legacy_request_signatures")]
    Legacy(&'static str),
    /// Well-formed, but it asks for what is not granted.
    #[error("{message}")]
    Refused {
        /// The rule.
        rule: &'static str,
        /// Why.
        message: String,
    },
}

impl CsrError {
    pub(super) fn refused(rule: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Refused { rule, message }
    }
}

/// The form in which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrKind {
    /// RFC 2986.
    Pkcs10,
    /// RFC 4211.
    Crmf,
}

impl CsrKind {
    /// The name in the API and in stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pkcs10 => "pkcs10",
            Self::Crmf => "crmf",
        }
    }

    /// The field of a body that carries it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Pkcs10 => "csr",
            Self::Crmf => "crmf",
        }
    }

    /// The kind with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Pkcs10, Self::Crmf]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The validity that a request asks for; only CRMF can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub not_before: Option<Timestamp>,
    /// Last second.
    pub not_after: Option<Timestamp>,
}

/// What shows that the requester holds the private key.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// The bytes that the signature covers, as they came.
    pub(super) signed: Vec<u8>,
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: BitString,
    /// Who signed, when the signature covers a name and the key instead of the whole request.
    pub(super) sender: Option<Name>,
}

/// A request whose proof of possession was checked over the bytes received.
#[derive(Clone, Debug)]
pub struct Csr {
    kind: CsrKind,
    der: Vec<u8>,
    subject: Name,
    issuer: Option<Name>,
    public_key: PublicKey,
    extensions: Extensions,
    alternative_names: Vec<AlternativeName>,
    validity: Validity,
    controls: Vec<Control>,
    proof: Proof,
}

impl Csr {
    /// Reads PKCS#10: PEM, base64 DER or DER.
    pub fn parse(input: &[u8]) -> Result<Self, CsrError> {
        Self::parse_accepting(input, RequestSignatures::Current)
    }

    /// Like [`Self::parse`], by the rules that are in force.
    pub fn parse_accepting(input: &[u8], accepted: RequestSignatures) -> Result<Self, CsrError> {
        Self::checked(CsrKind::Pkcs10, unarmoured(input)?, accepted)
    }

    /// Reads CRMF: base64 DER or DER, perhaps between the lines of PEM. Each message is a request.
    pub fn parse_crmf(input: &[u8], accepted: RequestSignatures) -> Result<Vec<Self>, CsrError> {
        let messages = crmf::split(&unarmoured(input)?)?.into_iter();
        messages
            .map(|message| Self::checked(CsrKind::Crmf, message, accepted))
            .collect()
    }

    /// Whether `input` is at least PEM, base64 or DER, or nothing at all; cheap.
    pub fn may_be(input: &[u8]) -> bool {
        input.trim_ascii().is_empty() || super::der_from(input, &LABELS).is_some()
    }

    /// Reads PKCS#10 in DER.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CsrError> {
        Self::checked(CsrKind::Pkcs10, der, RequestSignatures::Current)
    }

    /// Reads DER of a known kind by the rules that are in force.
    pub fn checked(
        kind: CsrKind,
        der: Vec<u8>,
        accepted: RequestSignatures,
    ) -> Result<Self, CsrError> {
        let csr = Self::recorded(kind, der)?;
        csr.verify(accepted)?;
        Ok(csr)
    }

    /// Reads DER from our own records, where only requests are that were checked when they came.
    pub fn recorded(kind: CsrKind, der: Vec<u8>) -> Result<Self, CsrError> {
        let csr = match kind {
            CsrKind::Pkcs10 => Self::pkcs10(der)?,
            CsrKind::Crmf => Self::crmf(der)?,
        };
        name::check(&csr.subject).map_err(|e| CsrError::Undecodable(format!("subject: {e}")))?;
        Ok(csr)
    }

    fn pkcs10(der: Vec<u8>) -> Result<Self, CsrError> {
        let undecodable = |e: der::Error| CsrError::Undecodable(e.to_string());
        let request = CertReq::from_der(&der).map_err(undecodable)?;
        let signed = tlv::signed_part(&der).ok_or(CsrError::Signature)?.to_vec();
        let public_key = PublicKey::new(request.info.public_key.clone()).map_err(CsrError::Key)?;
        let extensions = requested_extensions(&request)?;
        let alternative_names = alternative_names(&extensions)?;
        Ok(Self {
            kind: CsrKind::Pkcs10,
            der,
            subject: request.info.subject,
            issuer: None,
            public_key,
            extensions,
            alternative_names,
            validity: Validity::default(),
            controls: Vec::new(),
            proof: Proof {
                signed,
                algorithm: request.algorithm,
                signature: request.signature,
                sender: None,
            },
        })
    }

    fn crmf(der: Vec<u8>) -> Result<Self, CsrError> {
        let message = crmf::Message::from_der(&der)?;
        let public_key = PublicKey::new(message.public_key).map_err(CsrError::Key)?;
        no_repetition(&message.extensions)?;
        let alternative_names = alternative_names(&message.extensions)?;
        Ok(Self {
            kind: CsrKind::Crmf,
            der,
            subject: message.subject,
            issuer: message.issuer,
            public_key,
            extensions: message.extensions,
            alternative_names,
            validity: message.validity,
            controls: message.controls,
            proof: message.proof,
        })
    }

    /// Whether the requester holds the private key.
    fn verify(&self, accepted: RequestSignatures) -> Result<(), CsrError> {
        if accepted == RequestSignatures::Current {
            let short = match self.public_key.kind() {
                KeyKind::Rsa(bits) | KeyKind::RsaPss(bits) => bits < RSA_BITS_MIN,
                KeyKind::Ec(_) | KeyKind::Ed25519 | KeyKind::MlDsa(_) => false,
            };
            if short {
                return Err(CsrError::Legacy("RSA keys of less than 2048 bits"));
            }
            if is_sha1(&self.proof.algorithm) {
                return Err(CsrError::Legacy("request signatures with SHA-1"));
            }
        }
        let proof = &self.proof;
        let signature = proof.signature.as_bytes().ok_or(CsrError::Signature)?;
        self.public_key
            .verify_request(accepted, &proof.algorithm, &proof.signed, signature)
            .map_err(|_| CsrError::Signature)
    }

    /// The form in which it came.
    pub fn kind(&self) -> CsrKind {
        self.kind
    }

    /// The request as received, DER; of CRMF this one message.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The request as text: PEM, or base64 where PEM has no label for it.
    pub fn text(&self) -> String {
        match self.kind {
            CsrKind::Pkcs10 => super::pem("CERTIFICATE REQUEST", &self.der),
            CsrKind::Crmf => super::base64(&self.der),
        }
    }

    /// The subject asked for; may be empty.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to certify.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The extensions asked for (RFC 2985 §5.4.2).
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The alternative names asked for.
    pub fn alternative_names(&self) -> &[AlternativeName] {
        &self.alternative_names
    }

    /// The validity asked for.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The CA that shall issue, by its name.
    pub fn issuer(&self) -> Option<&Name> {
        self.issuer.as_ref()
    }

    /// What the requester tells beside.
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// Who signed, when the proof covers no more than this name and the key (RFC 4211 §4.1). The
    /// proof holds for nobody else.
    pub fn sender(&self) -> Option<&Name> {
        self.proof.sender.as_ref()
    }
}

/// DER out of what was sent.
fn unarmoured(input: &[u8]) -> Result<Vec<u8>, CsrError> {
    if input.trim_ascii().is_empty() {
        return Err(CsrError::Empty);
    }
    if input.len() > LENGTH_MAX {
        return Err(CsrError::TooLarge);
    }
    super::der_from(input, &LABELS).ok_or(CsrError::NotDer)
}

fn requested_extensions(request: &CertReq) -> Result<Extensions, CsrError> {
    let mut found = Extensions::new();
    for attribute in request.info.attributes.iter() {
        if attribute.oid != ID_EXTENSION_REQ {
            continue;
        }
        for value in attribute.values.iter() {
            let der = value
                .to_der()
                .map_err(|e| CsrError::Undecodable(e.to_string()))?;
            let extensions = Extensions::from_der(&der)
                .map_err(|e| CsrError::Undecodable(format!("extension request: {e}")))?;
            found.extend(extensions);
        }
    }
    no_repetition(&found)?;
    Ok(found)
}

fn no_repetition(extensions: &Extensions) -> Result<(), CsrError> {
    for (index, extension) in extensions.iter().enumerate() {
        if extensions[..index]
            .iter()
            .any(|earlier| earlier.extn_id == extension.extn_id)
        {
            let twice = format!("extension {} is asked for twice", extension.extn_id);
            return Err(CsrError::Undecodable(twice));
        }
    }
    Ok(())
}

fn alternative_names(extensions: &Extensions) -> Result<Vec<AlternativeName>, CsrError> {
    let wrong = |e: String| CsrError::Undecodable(format!("subject alternative name: {e}"));
    let Some(extension) = extensions
        .iter()
        .find(|e| e.extn_id == ID_CE_SUBJECT_ALT_NAME)
    else {
        return Ok(Vec::new());
    };
    let names = SubjectAltName::from_der(extension.extn_value.as_bytes())
        .map_err(|e| wrong(e.to_string()))?;
    let mut found = Vec::with_capacity(names.0.len());
    for name in &names.0 {
        let name = AlternativeName::from_general_name(name).map_err(wrong)?;
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Makes a PKCS#10 request for one of our own keys.
pub fn create(
    key: &crate::crypto::PrivateKey,
    subject: &Name,
    names: &[AlternativeName],
) -> Result<Vec<u8>, crate::crypto::KeyError> {
    use crate::crypto::KeyError;
    use der::asn1::SetOfVec;
    use x509_cert::attr::Attribute;
    use x509_cert::request::{CertReqInfo, Version};

    let build = || -> der::Result<CertReqInfo> {
        let mut attributes = SetOfVec::new();
        if !names.is_empty() {
            let names = names.iter().map(AlternativeName::to_general_name).collect();
            let extensions = vec![super::extension::new(false, &SubjectAltName(names))?];
            attributes.insert(Attribute {
                oid: ID_EXTENSION_REQ,
                values: SetOfVec::try_from(vec![der::Any::encode_from(&extensions)?])?,
            })?;
        }
        Ok(CertReqInfo {
            version: Version::V1,
            subject: subject.clone(),
            public_key: key.public_key().info().clone(),
            attributes,
        })
    };
    let info = build().map_err(|_| KeyError::Engine)?;
    let signature = key.sign(&info.to_der().map_err(|_| KeyError::Engine)?)?;
    let request = CertReq {
        info,
        algorithm: key.algorithm().identifier(),
        signature: BitString::from_bytes(&signature).map_err(|_| KeyError::Engine)?,
    };
    request.to_der().map_err(|_| KeyError::Engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeySpec, PrivateKey};

    #[test]
    fn our_own_requests_are_read_back_and_altered_ones_refused() {
        let (key, _) = PrivateKey::generate(KeySpec::EcP256).expect("generates");
        let subject = name::parse("CN=host.example").expect("parses");
        let names = ["dns:host.example".parse().expect("parses")];
        let mut der = create(&key, &subject, &names).expect("builds");
        let csr = Csr::parse(&der).expect("reads");
        assert_eq!(csr.subject(), &subject);
        assert_eq!(csr.alternative_names(), names);
        assert!(Csr::parse(csr.text().as_bytes()).is_ok());
        let at = der
            .windows(4)
            .position(|w| w == b"host")
            .expect("the name is in there");
        der[at] = b'm';
        assert!(matches!(Csr::parse(&der), Err(CsrError::Signature)));
    }

    #[test]
    fn what_is_no_request_is_named() {
        assert!(matches!(Csr::parse(b"  \n"), Err(CsrError::Empty)));
        assert!(matches!(Csr::parse(b"hello!"), Err(CsrError::NotDer)));
        assert!(matches!(
            Csr::parse(&[0x30, 0x03, 1, 1, 0xff]),
            Err(CsrError::Undecodable(_))
        ));
        assert!(matches!(
            Csr::parse(&vec![b'A'; 100_000]),
            Err(CsrError::TooLarge)
        ));
    }
}
