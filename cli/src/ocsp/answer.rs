//! The OCSP response, and whether to believe it.

use common::clock::Timestamp;
use common::x509::{Certificate, extension, tlv};
use der::oid::db::rfc5280::ID_KP_OCSP_SIGNING;
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::{Decode, Encode};
use serde::Serialize;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{CrlReason, ExtendedKeyUsage};
use x509_cert::time::Time;
use x509_ocsp::ext::Nonce;
use x509_ocsp::{
    BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspResponse, OcspResponseStatus,
    ResponderId, ResponseData, SingleResponse,
};

use super::question::Question;

/// How far the responder's clock may be ahead of ours or behind it.
const SKEW_SECONDS: i64 = 300;

/// Why an answer is not to be relied upon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Distrust {
    /// The certificate is no certificate to hash names from.
    #[error("the certificate cannot be named in a question")]
    Certificate,
    /// Not the structures of RFC 6960.
    #[error("the OCSP answer cannot be decoded: {0}")]
    Undecodable(#[from] der::Error),
    /// No answer but an error.
    #[error("the responder answers {0}")]
    Refused(&'static str),
    /// An answer of a type that nobody has ever seen.
    #[error("the OCSP answer is of the unknown type {0}")]
    Type(ObjectIdentifier),
    /// An extension that must not be ignored.
    #[error("the OCSP answer has the unknown critical extension {0}")]
    Critical(ObjectIdentifier),
    /// The named signer is neither the issuer nor among the certificates that came along.
    #[error("the certificate of the OCSP answer's signer is not at hand")]
    NoSigner,
    /// The signature does not fit.
    #[error("the signature of the OCSP answer does not verify")]
    Signature,
    /// The signer may not speak for the issuer.
    #[error("the responder `{responder}` may not answer: its certificate {why}")]
    Responder {
        /// The signer's name.
        responder: String,
        /// What its certificate lacks.
        why: &'static str,
    },
    /// Other certificates only.
    #[error("the OCSP answer is about another certificate")]
    OtherCertificate,
    /// Somebody else's answer, or an old one.
    #[error("the OCSP answer carries another nonce than the question")]
    Nonce,
    /// From the future.
    #[error("the OCSP answer is of {0}, which is still to come")]
    Early(Timestamp),
    /// From the past.
    #[error("the OCSP answer was good until {0}")]
    Late(Timestamp),
    /// Neither nonce nor end: it could be of any age.
    #[error("nothing limits the age of the OCSP answer, neither a nonce nor a next update")]
    Ageless,
}

/// What is said about the certificate.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Status {
    /// Issued, and not revoked.
    Good,
    /// Revoked, or on hold.
    Revoked {
        /// Since when.
        #[serde(rename = "revoked_at")]
        at: Timestamp,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// The responder does not know it.
    Unknown,
}

impl Status {
    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked { .. } => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

/// An answer that was checked.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// What is said about the certificate.
    #[serde(flatten)]
    pub(super) status: Status,
    /// Who says so.
    pub(super) responder: String,
    /// When it was signed.
    pub(super) produced_at: Timestamp,
    /// When it was known to be so.
    pub(super) this_update: Timestamp,
    /// When there is newer information at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_update: Option<Timestamp>,
    /// Whether our nonce came back.
    pub(super) nonce: bool,
}

impl Answer {
    /// Checks that `response` answers `question` on behalf of `issuer` now (RFC 6960 §3.2).
    pub(super) fn check(
        response: &[u8],
        question: &Question,
        issuer: &Certificate,
        now: Timestamp,
    ) -> Result<Self, Distrust> {
        let response = basic_response(response)?;
        let basic = BasicOcspResponse::from_der(&response)?;
        let data = &basic.tbs_response_data;
        let signer = signer(&response, &basic, issuer, now)?;
        let single = the_one(data, question)?;
        let nonce = is_ours(data, question)?;
        let answer = Self {
            status: status(&single.cert_status),
            responder: signer.subject().to_string(),
            produced_at: timestamp(data.produced_at),
            this_update: timestamp(single.this_update),
            next_update: single.next_update.map(timestamp),
            nonce,
        };
        answer.check_age(now)?;
        Ok(answer)
    }

    fn check_age(&self, now: Timestamp) -> Result<(), Distrust> {
        let latest = now.plus_seconds(SKEW_SECONDS);
        let made = [self.produced_at, self.this_update];
        if let Some(early) = made.into_iter().find(|at| *at > latest) {
            return Err(Distrust::Early(early));
        }
        match self.next_update {
            Some(end) if end.plus_seconds(SKEW_SECONDS) < now => Err(Distrust::Late(end)),
            None if !self.nonce => Err(Distrust::Ageless),
            Some(_) | None => Ok(()),
        }
    }
}

/// The DER of the BasicOCSPResponse.
fn basic_response(response: &[u8]) -> Result<Vec<u8>, Distrust> {
    let response = OcspResponse::from_der(response)?;
    let refused = match response.response_status {
        OcspResponseStatus::Successful => None,
        OcspResponseStatus::MalformedRequest => Some("malformedRequest"),
        OcspResponseStatus::InternalError => Some("internalError"),
        OcspResponseStatus::TryLater => Some("tryLater"),
        OcspResponseStatus::SigRequired => Some("sigRequired"),
        OcspResponseStatus::Unauthorized => Some("unauthorized"),
    };
    match (refused, response.response_bytes) {
        (Some(refused), _) => Err(Distrust::Refused(refused)),
        (None, None) => Err(Distrust::Refused("nothing")),
        (None, Some(bytes)) if bytes.response_type != BasicOcspResponse::OID => {
            Err(Distrust::Type(bytes.response_type))
        }
        (None, Some(bytes)) => Ok(bytes.response.into_bytes()),
    }
}

/// Whose signature it is: the issuer's own, or that of a responder that the issuer appointed
/// (RFC 6960 §4.2.2.2).
fn signer(
    response: &[u8],
    basic: &BasicOcspResponse,
    issuer: &Certificate,
    now: Timestamp,
) -> Result<Certificate, Distrust> {
    let id = &basic.tbs_response_data.responder_id;
    let signed = tlv::signed_part(response).ok_or(Distrust::Signature)?;
    let signature = basic.signature.as_bytes().ok_or(Distrust::Signature)?;
    let verifies = |candidate: &&Certificate| {
        let key = candidate.public_key();
        key.verify(&basic.signature_algorithm, signed, signature)
            .is_ok()
    };
    let sent = certificates(response);
    let named = |candidate: &&Certificate| is_named(id, candidate);
    let mut candidates = std::iter::once(issuer)
        .chain(&sent)
        .filter(named)
        .peekable();
    if candidates.peek().is_none() {
        return Err(Distrust::NoSigner);
    }
    let mut distrust = Distrust::Signature;
    for candidate in candidates.filter(verifies) {
        match lacks(candidate, issuer, now) {
            None => return Ok(candidate.clone()),
            Some(why) => {
                let responder = candidate.subject().to_string();
                distrust = Distrust::Responder { responder, why };
            }
        }
    }
    Err(distrust)
}

/// What a responder's certificate lacks for speaking on behalf of `issuer`.
fn lacks(responder: &Certificate, issuer: &Certificate, now: Timestamp) -> Option<&'static str> {
    if responder.der() == issuer.der() {
        return None;
    }
    let extensions = responder.parsed().tbs_certificate.extensions.as_deref();
    let usages = extension::find::<ExtendedKeyUsage>(extensions.unwrap_or_default());
    let may_sign = usages.is_some_and(|usages| usages.0.contains(&ID_KP_OCSP_SIGNING));
    let issued = responder.issuer() == issuer.subject()
        && responder.verify_signed_by(issuer.public_key()).is_ok();
    let valid = responder.not_before() <= now && now.seconds() <= responder.not_after().seconds();
    match (issued, may_sign, valid) {
        (false, _, _) => Some("was not issued by the certificate's issuer"),
        (_, false, _) => Some("is not for OCSP signing"),
        (_, _, false) => Some("is not valid now"),
        (true, true, true) => None,
    }
}

fn is_named(id: &ResponderId, candidate: &Certificate) -> bool {
    match id {
        ResponderId::ByName(name) => name == candidate.subject(),
        ResponderId::ByKey(hash) => hash.as_bytes() == candidate.public_key().sha1(),
    }
}

/// The certificates that came along, as they were encoded; those that we cannot read sign nothing.
fn certificates(response: &[u8]) -> Vec<Certificate> {
    let sequence = || {
        let (data, _) = tlv::expect(0x30, response)?;
        let (_, from_algorithm) = tlv::split(data)?;
        let (_, from_signature) = tlv::split(from_algorithm)?;
        let (_, from_certificates) = tlv::split(from_signature)?;
        let (certificates, _) = tlv::expect(0xa0, from_certificates)?;
        Some(tlv::expect(0x30, certificates)?.0)
    };
    let mut rest = sequence().unwrap_or_default();
    let elements = std::iter::from_fn(|| {
        let (element, behind) = tlv::split(rest)?;
        rest = behind;
        Some(element.der)
    });
    elements
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect()
}

/// The part of the answer that is about our certificate.
fn the_one<'a>(
    data: &'a ResponseData,
    question: &Question,
) -> Result<&'a SingleResponse, Distrust> {
    let mut about = data
        .responses
        .iter()
        .filter(|single| question.is_about(&single.cert_id));
    let single = about.next().ok_or(Distrust::OtherCertificate)?;
    let of_answer = data.response_extensions.iter().flatten();
    let of_single = single.single_extensions.iter().flatten();
    match of_answer
        .chain(of_single)
        .find(|e| e.critical && e.extn_id != Nonce::OID)
    {
        Some(unknown) => Err(Distrust::Critical(unknown.extn_id)),
        None => Ok(single),
    }
}

/// Whether the nonce came back. Many responders sign in advance and send none, which RFC 9654 §2.1
/// leaves to them; a wrong one is never right.
fn is_ours(data: &ResponseData, question: &Question) -> Result<bool, Distrust> {
    let expected = Nonce::new(question.nonce())?.to_der()?;
    let is_nonce = |extension: &&Extension| extension.extn_id == Nonce::OID;
    match data.response_extensions.iter().flatten().find(is_nonce) {
        Some(extension) if extension.extn_value.as_bytes() == expected => Ok(true),
        Some(_) => Err(Distrust::Nonce),
        None => Ok(false),
    }
}

fn status(status: &CertStatus) -> Status {
    match status {
        CertStatus::Good(_) => Status::Good,
        CertStatus::Revoked(info) => Status::Revoked {
            at: timestamp(info.revocation_time),
            reason: info.revocation_reason.map(reason),
        },
        CertStatus::Unknown(_) => Status::Unknown,
    }
}

fn reason(reason: CrlReason) -> &'static str {
    match reason {
        CrlReason::Unspecified => "unspecified",
        CrlReason::KeyCompromise => "key_compromise",
        CrlReason::CaCompromise => "ca_compromise",
        CrlReason::AffiliationChanged => "affiliation_changed",
        CrlReason::Superseded => "superseded",
        CrlReason::CessationOfOperation => "cessation_of_operation",
        CrlReason::CertificateHold => "certificate_hold",
        CrlReason::RemoveFromCRL => "remove_from_crl",
        CrlReason::PrivilegeWithdrawn => "privilege_withdrawn",
        CrlReason::AaCompromise => "aa_compromise",
    }
}

fn timestamp(time: OcspGeneralizedTime) -> Timestamp {
    common::x509::timestamp(&Time::GeneralTime(time.0))
}
