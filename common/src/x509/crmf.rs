//! Certificate request messages (CRMF, RFC 4211), cut out of the bytes as they came.

use const_oid::ObjectIdentifier;
use der::asn1::BitString;
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::ext::Extensions;
use x509_cert::name::Name;
use x509_cert::time::Time;

use super::csr::{CsrError, Proof, Validity};
use super::tlv::{self, Element};

/// So many messages may come at once.
const MESSAGES_MAX: usize = 16;

/// Text of a control is at most so many characters.
const TEXT_MAX: usize = 1024;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTF8_STRING: u8 = 0x0c;

/// `id-regCtrl-…` (RFC 4211 §6) and `id-regInfo-utf8Pairs` (RFC 4211 §7.1).
const REG_TOKEN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.1");
const AUTHENTICATOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.2");
const PUBLICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.3");
const ARCHIVE_OPTIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.4");
const OLD_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.5");
const ENCRYPTION_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.6");
const UTF8_PAIRS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.2.1");

/// What the requester tells the CA beside the certificate's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `regToken`, `authenticator` or `utf8Pairs`.
    pub name: &'static str,
    /// Its text.
    pub value: String,
}

/// What one message asks for.
pub(super) struct Message {
    pub(super) subject: Name,
    pub(super) issuer: Option<Name>,
    pub(super) public_key: SubjectPublicKeyInfoOwned,
    pub(super) extensions: Extensions,
    pub(super) validity: Validity,
    pub(super) controls: Vec<Control>,
    pub(super) proof: Proof,
}

/// Cuts `CertReqMessages` into messages, each again a `CertReqMessages` of one.
pub(super) fn split(der: &[u8]) -> Result<Vec<Vec<u8>>, CsrError> {
    let mut rest = Reader::whole(der, SEQUENCE, "CertReqMessages")?;
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let message = rest.required(SEQUENCE, "CertReqMsg")?;
        if messages.len() == MESSAGES_MAX {
            let message = format!("at most {MESSAGES_MAX} messages may come at once");
            return Err(CsrError::refused("messages", message));
        }
        messages.push(wrapped(SEQUENCE, message.der));
    }
    match messages.is_empty() {
        true => Err(undecodable("CertReqMessages is empty")),
        false => Ok(messages),
    }
}

impl Message {
    /// Reads a `CertReqMessages` of one.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        let mut messages = Reader::whole(der, SEQUENCE, "CertReqMessages")?;
        let message = messages.required(SEQUENCE, "CertReqMsg")?;
        messages.end("CertReqMessages")?;

        let mut message = Reader(message.content);
        let request = message.required(SEQUENCE, "certReq")?;
        let popo = message.next("popo")?;
        let info = message.optional(SEQUENCE)?;
        message.end("CertReqMsg")?;

        let mut fields = Reader(request.content);
        fields.required(INTEGER, "certReqId")?;
        let template = fields.required(SEQUENCE, "certTemplate")?;
        let controls = fields.optional(SEQUENCE)?;
        fields.end("CertRequest")?;

        let template = Template::read(template.content)?;
        let mut told = Vec::new();
        for (list, what) in [(controls, "controls"), (info, "regInfo")] {
            if let Some(list) = list {
                read_controls(list.content, what, &mut told)?;
            }
        }
        let public_key = template
            .public_key
            .ok_or_else(|| CsrError::Key("the template has none".into()))?;
        let has_subject = template.subject.is_some();
        let proof = proof(popo, request.der, has_subject, &public_key)?;
        Ok(Self {
            subject: template.subject.unwrap_or_default(),
            issuer: template.issuer,
            public_key,
            extensions: template.extensions,
            validity: template.validity,
            controls: told,
            proof,
        })
    }
}

/// `CertTemplate` (RFC 4211 §5); all tags are implicit but those of names, which are choices.
#[derive(Default)]
struct Template {
    issuer: Option<Name>,
    validity: Validity,
    subject: Option<Name>,
    public_key: Option<SubjectPublicKeyInfoOwned>,
    extensions: Extensions,
}

impl Template {
    fn read(content: &[u8]) -> Result<Self, CsrError> {
        let mut template = Self::default();
        let mut fields = Reader(content);
        let mut last = None;
        while !fields.is_empty() {
            let field = fields.next("certTemplate")?;
            if last >= Some(field.tag & 0x1f) {
                return Err(undecodable("the fields of certTemplate are out of order"));
            }
            last = Some(field.tag & 0x1f);
            template.set(field)?;
        }
        Ok(template)
    }

    fn set(&mut self, field: Element<'_>) -> Result<(), CsrError> {
        let reserved = |name: &str| {
            let message = format!("{name} is for the CA to choose (RFC 4211 §5)");
            Err(CsrError::refused("template", message))
        };
        match field.tag {
            0x80 if field.content == [2] => Ok(()),
            0x80 => Err(CsrError::refused("template", "the version is not v3")),
            0x81 => reserved("serialNumber"),
            0xa2 => reserved("signingAlg"),
            0xa3 => {
                self.issuer = Some(name(field.content, "issuer")?);
                Ok(())
            }
            0xa4 => {
                self.validity = validity(field.content)?;
                Ok(())
            }
            0xa5 => {
                let subject = name(field.content, "subject")?;
                self.subject = (!subject.is_empty()).then_some(subject);
                Ok(())
            }
            0xa6 => {
                let key = wrapped(SEQUENCE, field.content);
                let key = SubjectPublicKeyInfoOwned::from_der(&key);
                self.public_key = Some(key.map_err(|e| undecodable(format!("publicKey: {e}")))?);
                Ok(())
            }
            0x87 | 0xa7 => reserved("issuerUID"),
            0x88 | 0xa8 => reserved("subjectUID"),
            0xa9 => {
                let extensions = Extensions::from_der(&wrapped(SEQUENCE, field.content));
                self.extensions =
                    extensions.map_err(|e| undecodable(format!("extensions: {e}")))?;
                Ok(())
            }
            other => Err(undecodable(format!(
                "certTemplate has a field {other:#04x}"
            ))),
        }
    }
}

fn name(der: &[u8], what: &str) -> Result<Name, CsrError> {
    Name::from_der(der).map_err(|e| undecodable(format!("{what}: {e}")))
}

/// `OptionalValidity`: one or both of `notBefore` and `notAfter`.
fn validity(content: &[u8]) -> Result<Validity, CsrError> {
    let mut fields = Reader(content);
    let time = |field: Element<'_>| {
        let time = Time::from_der(field.content);
        let time = time.map_err(|e| undecodable(format!("validity: {e}")))?;
        Ok::<_, CsrError>(super::timestamp(&time))
    };
    let validity = Validity {
        not_before: fields.optional(0xa0)?.map(time).transpose()?,
        not_after: fields.optional(0xa1)?.map(time).transpose()?,
    };
    fields.end("validity")?;
    match validity == Validity::default() {
        true => Err(undecodable("validity is empty")),
        false => Ok(validity),
    }
}

/// Keeps what is text for the agent and refuses what we would have to act on and do not.
fn read_controls(
    content: &[u8],
    what: &'static str,
    found: &mut Vec<Control>,
) -> Result<(), CsrError> {
    let mut controls = Reader(content);
    if controls.is_empty() {
        return Err(undecodable(format!("{what} is empty")));
    }
    while !controls.is_empty() {
        let control = controls.required(SEQUENCE, what)?;
        let mut control = Reader(control.content);
        let oid = control.next(what)?;
        let oid = ObjectIdentifier::from_der(oid.der);
        let oid = oid.map_err(|e| undecodable(format!("{what}: {e}")))?;
        let value = control.next(what)?;
        control.end(what)?;
        let name = match oid {
            REG_TOKEN => "regToken",
            AUTHENTICATOR => "authenticator",
            UTF8_PAIRS => "utf8Pairs",
            ARCHIVE_OPTIONS => {
                let message = "key archival comes with the KRA's release";
                return Err(CsrError::refused("archival", message));
            }
            other => return Err(not_heeded(other)),
        };
        if found.iter().any(|earlier| earlier.name == name) {
            return Err(CsrError::refused(
                "control",
                format!("{name} stands there twice"),
            ));
        }
        let value = text(value).ok_or_else(|| {
            let message = format!("{name} is no line of UTF-8 of 1 to {TEXT_MAX} characters");
            CsrError::refused("control", message)
        })?;
        found.push(Control { name, value });
    }
    Ok(())
}

fn not_heeded(oid: ObjectIdentifier) -> CsrError {
    let message = match oid {
        PUBLICATION => "pkiPublicationInfo: every certificate of this CA is public".into(),
        OLD_CERTIFICATE => "oldCertID: renew by serial number instead".into(),
        ENCRYPTION_KEY => "protocolEncrKey: no answer is encrypted".into(),
        other => format!("the control {other} is unknown"),
    };
    CsrError::refused("control", message)
}

fn text(value: Element<'_>) -> Option<String> {
    let text = std::str::from_utf8(value.content).ok()?;
    let fits = (1..=TEXT_MAX).contains(&text.chars().count());
    (value.tag == UTF8_STRING && fits && !text.chars().any(char::is_control))
        .then(|| text.to_owned())
}

/// `ProofOfPossession` (RFC 4211 §4): only a signature proves anything here.
fn proof(
    popo: Element<'_>,
    request: &[u8],
    has_subject: bool,
    public_key: &SubjectPublicKeyInfoOwned,
) -> Result<Proof, CsrError> {
    let refused = |message: &str| Err(CsrError::refused("proof-of-possession", message));
    match popo.tag {
        0xa1 => {}
        0x80 => return refused("raVerified: no registration authority vouches for this request"),
        0xa2 => return refused("keyEncipherment: only a signature is accepted as proof"),
        0xa3 => return refused("keyAgreement: only a signature is accepted as proof"),
        _ => return Err(undecodable("popo is no ProofOfPossession")),
    }
    let mut fields = Reader(popo.content);
    let input = fields.optional(0xa0)?;
    let algorithm = fields.required(SEQUENCE, "algorithmIdentifier")?;
    let signature = fields.next("signature")?;
    fields.end("POPOSigningKey")?;
    let algorithm = AlgorithmIdentifierOwned::from_der(algorithm.der);
    let algorithm = algorithm.map_err(|e| undecodable(format!("algorithmIdentifier: {e}")))?;
    let signature = BitString::from_der(signature.der);
    let signature = signature.map_err(|e| undecodable(format!("signature: {e}")))?;
    let (signed, sender) = match input {
        None if has_subject => (request.to_vec(), None),
        None => return refused("poposkInput must be there when there is no subject"),
        Some(_) if has_subject => {
            return refused("poposkInput must not be there beside subject and publicKey");
        }
        Some(input) => (
            wrapped(SEQUENCE, input.content),
            Some(sender(input.content, public_key)?),
        ),
    };
    Ok(Proof {
        signed,
        algorithm,
        signature,
        sender,
    })
}

/// The sender that `POPOSigningKeyInput` names; its key must be the template's.
fn sender(content: &[u8], public_key: &SubjectPublicKeyInfoOwned) -> Result<Name, CsrError> {
    let refused = |message: &str| Err(CsrError::refused("proof-of-possession", message));
    let mut fields = Reader(content);
    let info = fields.next("authInfo")?;
    let key = fields.required(SEQUENCE, "publicKey")?;
    fields.end("poposkInput")?;
    let same = public_key.to_der().is_ok_and(|der| der == key.der);
    if !same {
        return refused("the key of poposkInput is not the one of the template");
    }
    match info.tag {
        // GeneralName is a choice, so its tag stands inside; directoryName is [4].
        0xa0 => match tlv::split(info.content) {
            Some((general, [])) if general.tag == 0xa4 => name(general.content, "sender"),
            _ => refused("the sender of poposkInput is no directoryName"),
        },
        SEQUENCE => refused("publicKeyMAC: no secret is shared with this CA"),
        _ => Err(undecodable("authInfo is neither sender nor publicKeyMAC")),
    }
}

fn undecodable(message: impl Into<String>) -> CsrError {
    CsrError::Undecodable(message.into())
}

fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    tlv::push(&mut out, tag, content);
    out
}

/// What is left of a constructed element.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Inside the one element that `der` is.
    fn whole(der: &'a [u8], tag: u8, what: &str) -> Result<Self, CsrError> {
        match tlv::expect(tag, der) {
            Some((content, [])) => Ok(Self(content)),
            _ => Err(undecodable(format!("no DER of {what}"))),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn next(&mut self, what: &str) -> Result<Element<'a>, CsrError> {
        let found = tlv::split(self.0);
        let (element, rest) = found.ok_or_else(|| undecodable(format!("{what} is not there")))?;
        self.0 = rest;
        Ok(element)
    }

    fn required(&mut self, tag: u8, what: &str) -> Result<Element<'a>, CsrError> {
        let element = self.next(what)?;
        match element.tag == tag {
            true => Ok(element),
            false => Err(undecodable(format!(
                "{what} has the tag {:#04x}",
                element.tag
            ))),
        }
    }

    fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, CsrError> {
        match self.0.first() {
            Some(first) if *first == tag => self.next("an optional field").map(Some),
            _ => Ok(None),
        }
    }

    fn end(&self, what: &str) -> Result<(), CsrError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(undecodable(format!("{what} has more than it should"))),
        }
    }
}
