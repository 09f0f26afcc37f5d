//! OCSP responses (RFC 6960 §4.2).

use bytes::Bytes;
use common::clock::Timestamp;
use common::crypto::KeyError;
use common::x509::{self, Status, tlv};
use der::asn1::OctetString;
use der::{Decode, Encode};
use x509_cert::ext::pkix::CrlReason;
use x509_ocsp::{CertStatus, OcspGeneralizedTime, ResponderId, RevokedInfo};

use crate::question::NONCE;
use crate::signer::Delegate;

/// A certificate in an answer: its CertID as it was asked, and what we say of it.
#[derive(Clone, Copy, Debug)]
pub struct Single<'a> {
    /// As it came.
    pub cert_id: &'a [u8],
    /// `None`: never issued.
    pub status: Option<Status>,
}

/// A response with its times.
#[derive(Clone, Debug)]
pub struct Answer {
    /// OCSPResponse, DER.
    pub der: Bytes,
    /// When the statement holds.
    pub this_update: Timestamp,
    /// Until when it may be used; `None` for what must not be kept.
    pub next_update: Option<Timestamp>,
}

/// Responses without a body (RFC 6960 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a request.
    Malformed,
    /// We do not know for now.
    TryLater,
    /// Not our CA.
    Unauthorized,
}

impl Refusal {
    /// The whole OCSPResponse.
    pub fn der(self) -> &'static [u8] {
        match self {
            Self::Malformed => &[0x30, 0x03, 0x0a, 0x01, 0x01],
            Self::TryLater => &[0x30, 0x03, 0x0a, 0x01, 0x03],
            Self::Unauthorized => &[0x30, 0x03, 0x0a, 0x01, 0x06],
        }
    }

    /// For metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_request",
            Self::TryLater => "try_later",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// id-pkix-ocsp-basic, as an element.
const BASIC: &[u8] = &[
    0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01,
];

/// Signs an answer. It holds from `now`, with a `next_update` unless it says *unknown*, which the
/// next issuance may change.
pub fn sign(
    delegate: &Delegate,
    singles: &[Single<'_>],
    nonce: Option<&[u8]>,
    now: Timestamp,
    next_update: Timestamp,
) -> Result<Answer, KeyError> {
    let knows_all = singles.iter().all(|single| single.status.is_some());
    let next_update = knows_all.then_some(next_update);
    let der = encode(delegate, singles, nonce, now, next_update).map_err(|_| KeyError::Engine)?;
    let signature = delegate.key.sign(&der)?;
    let der = assemble(delegate, &der, &signature).map_err(|_| KeyError::Engine)?;
    Ok(Answer {
        der: der.into(),
        this_update: now.whole_seconds(),
        next_update,
    })
}

/// ResponseData (RFC 6960 §4.2.1).
fn encode(
    delegate: &Delegate,
    singles: &[Single<'_>],
    nonce: Option<&[u8]>,
    now: Timestamp,
    next_update: Option<Timestamp>,
) -> der::Result<Vec<u8>> {
    let this_update = x509::generalized_time(now);
    let key_hash = OctetString::new(delegate.certificate.public_key().sha1())?;
    let mut data = ResponderId::ByKey(key_hash).to_der()?;
    data.extend(this_update.to_der()?);
    let mut responses = Vec::new();
    for single in singles {
        let mut content = single.cert_id.to_vec();
        content.extend(status(single.status)?.to_der()?);
        content.extend(this_update.to_der()?);
        if let Some(at) = next_update {
            tlv::push(&mut content, 0xa0, &x509::generalized_time(at).to_der()?);
        }
        tlv::push(&mut responses, 0x30, &content);
    }
    tlv::push(&mut data, 0x30, &responses);
    if let Some(nonce) = nonce {
        let mut inner = Vec::new();
        tlv::push(&mut inner, 0x04, nonce);
        let mut extension = Vec::new();
        tlv::push(&mut extension, 0x06, NONCE);
        tlv::push(&mut extension, 0x04, &inner);
        let mut one = Vec::new();
        tlv::push(&mut one, 0x30, &extension);
        let mut list = Vec::new();
        tlv::push(&mut list, 0x30, &one);
        tlv::push(&mut data, 0xa1, &list);
    }
    let mut out = Vec::with_capacity(data.len() + 4);
    tlv::push(&mut out, 0x30, &data);
    Ok(out)
}

fn status(status: Option<Status>) -> der::Result<CertStatus> {
    let revoked = |at: Timestamp, reason: Option<CrlReason>| -> CertStatus {
        CertStatus::Revoked(RevokedInfo {
            revocation_time: OcspGeneralizedTime(x509::generalized_time(at)),
            revocation_reason: reason,
        })
    };
    Ok(match status {
        None => CertStatus::unknown(),
        Some(Status::Valid) => CertStatus::good(),
        Some(Status::OnHold { since }) => revoked(since, Some(CrlReason::CertificateHold)),
        Some(Status::Revoked { at, reason, .. }) => {
            let code = reason.code();
            // Unspecified is encoded as absence, as in CRLs.
            let reason = (code != 0)
                .then(|| CrlReason::from_der(&[0x0a, 0x01, code]))
                .transpose()?;
            revoked(at, reason)
        }
    })
}

/// OCSPResponse around BasicOCSPResponse, with the delegate's certificate.
fn assemble(delegate: &Delegate, data: &[u8], signature: &[u8]) -> der::Result<Vec<u8>> {
    let mut basic = data.to_vec();
    basic.extend(delegate.key.algorithm().identifier().to_der()?);
    let bits = [&[0], signature].concat();
    tlv::push(&mut basic, 0x03, &bits);
    let mut certificates = Vec::new();
    tlv::push(&mut certificates, 0x30, delegate.certificate.der());
    tlv::push(&mut basic, 0xa0, &certificates);
    let mut response = Vec::with_capacity(basic.len() + 4);
    tlv::push(&mut response, 0x30, &basic);
    let mut bytes = BASIC.to_vec();
    tlv::push(&mut bytes, 0x04, &response);
    let mut inner = Vec::new();
    tlv::push(&mut inner, 0x30, &bytes);
    let mut content = vec![0x0a, 0x01, 0x00];
    tlv::push(&mut content, 0xa0, &inner);
    let mut out = Vec::with_capacity(content.len() + 4);
    tlv::push(&mut out, 0x30, &content);
    Ok(out)
}
