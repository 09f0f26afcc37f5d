//! Certificate revocation lists (RFC 5280 §5), written entry by entry into one buffer: a million
//! entries need no million objects and no second copy.

use std::fmt;
use std::str::FromStr;

use common::clock::Timestamp;
use common::crypto::KeyError;
use common::x509::{self, Status, tlv};
use const_oid::db::rfc5280::{
    ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_DELTA_CRL_INDICATOR, ID_CE_FRESHEST_CRL,
    ID_CE_INVALIDITY_DATE, ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::Encode;
use der::asn1::{BitString, Ia5String, OctetString, Uint};
use x509_cert::ext::pkix::crl::dp::{DistributionPoint, IssuingDistributionPoint};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};
use x509_cert::ext::{Extension, Extensions};

use crate::Error;
use crate::issuer::Issuer;
use crate::store::statuses::Known;

/// CRLReason certificateHold.
const CERTIFICATE_HOLD: u8 = 6;
/// CRLReason removeFromCRL.
const REMOVE_FROM_CRL: u8 = 8;

/// Room before the entries for what is only known after them.
const HEADROOM: usize = 16_384;
/// Bytes of an entry, more than most take.
const ENTRY_BYTES: usize = 56;

/// Which of an authority's CRLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All that is held or revoked.
    Full,
    /// What has changed since a full one.
    Delta,
    /// The part with this number.
    Shard(i16),
}

impl Scope {
    /// `full` or `delta`; a part is a full CRL of its own scope.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Full | Self::Shard(_) => "full",
            Self::Delta => "delta",
        }
    }

    /// The number of the part.
    pub fn shard(self) -> Option<i16> {
        match self {
            Self::Full | Self::Delta => None,
            Self::Shard(number) => Some(number),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Delta => f.write_str("delta"),
            Self::Shard(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full),
            "delta" => Ok(Self::Delta),
            number => {
                let number = number.parse().ok().filter(|number: &i16| *number >= 0);
                // One spelling for each.
                let number = number.filter(|number| number.to_string() == text);
                let number = number.ok_or_else(|| format!("`{text}` is no scope of a CRL"));
                number.map(Self::Shard)
            }
        }
    }
}

/// The full CRL that a delta adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its number.
    pub number: i64,
    /// Its thisUpdate.
    pub at: Timestamp,
}

/// A signed CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// Whose it is.
    pub authority: String,
    /// Which one of the authority's.
    pub scope: Scope,
    /// Grows with each.
    pub number: i64,
    /// Of a delta: what it adds to. Of a full CRL: what deltas beside it add to.
    pub base: Option<Base>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When a newer one is there at the latest.
    pub next_update: Timestamp,
    /// How many certificates it lists.
    pub entries: i64,
    /// The CRL, DER.
    pub der: Vec<u8>,
}

impl Crl {
    /// The same without its bytes.
    pub fn without_der(&self) -> Self {
        Self {
            authority: self.authority.clone(),
            der: Vec::new(),
            ..*self
        }
    }

    /// A strong entity tag.
    pub fn etag(&self) -> String {
        match self.scope {
            Scope::Full => format!("\"crl-{}\"", self.number),
            Scope::Delta | Scope::Shard(_) => format!("\"crl-{}-{}\"", self.scope, self.number),
        }
    }
}

/// What a CRL says beside its entries.
#[derive(Clone, Debug)]
pub struct Heading {
    /// Which one of the authority's.
    pub scope: Scope,
    /// Its number.
    pub number: i64,
    /// Of a delta: what it adds to. Of a full CRL: what deltas beside it add to.
    pub base: Option<Base>,
    /// The URLs of the distribution points that it is for, byte for byte (RFC 5280 §6.3.3).
    pub urls: Vec<String>,
    /// Where deltas are found, for a full CRL that has them.
    pub freshest: Option<String>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When a newer one is there at the latest.
    pub next_update: Timestamp,
}

/// A CRL in the making: entries first, everything else when it is signed.
#[derive(Debug)]
pub struct Draft {
    /// Headroom and entries.
    buffer: Vec<u8>,
    entries: i64,
}

impl Draft {
    /// An empty list with room for `expected` entries.
    pub fn new(expected: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADROOM + expected * ENTRY_BYTES + 8_192);
        buffer.resize(HEADROOM, 0);
        Self { buffer, entries: 0 }
    }

    /// Adds a certificate. One that is valid is on a delta, which takes it off the list.
    pub fn add(&mut self, known: &Known) -> Result<(), Error> {
        entry(&mut self.buffer, known)?;
        self.entries += 1;
        Ok(())
    }

    /// Signs the list.
    pub fn sign(mut self, issuer: &Issuer, heading: Heading) -> Result<Crl, Error> {
        let algorithm = issuer.key.algorithm().identifier();
        let mut start = HEADROOM;
        // RFC 5280 §5.1.2.6: an empty list is absent, not empty.
        if self.entries > 0 {
            start = wrap(&mut self.buffer, start, &[])?;
        }
        let extensions = extensions(issuer, &heading)?.to_der()?;
        tlv::push(&mut self.buffer, 0xa0, &extensions);
        let mut front = vec![0x02, 0x01, 0x01]; // version 2
        front.extend(algorithm.to_der()?);
        front.extend(issuer.certificate.subject().to_der()?);
        front.extend(x509::time(heading.this_update).to_der()?);
        front.extend(x509::time(heading.next_update).to_der()?);
        let start = wrap(&mut self.buffer, start, &front)?;

        let tbs = &self.buffer[start..];
        let signature = issuer.key.sign(tbs)?;
        issuer
            .certificate
            .public_key()
            .verify(&algorithm, tbs, &signature)
            .map_err(|_| KeyError::Engine)?;
        self.buffer.extend(algorithm.to_der()?);
        self.buffer
            .extend(BitString::from_bytes(&signature)?.to_der()?);
        let start = wrap(&mut self.buffer, start, &[])?;
        self.buffer.drain(..start);
        self.buffer.shrink_to_fit();
        Ok(Crl {
            authority: issuer.id.clone(),
            scope: heading.scope,
            number: heading.number,
            base: heading.base,
            this_update: heading.this_update,
            next_update: heading.next_update,
            entries: self.entries,
            der: self.buffer,
        })
    }
}

/// Makes `front` and everything from `start` to the end the content of a SEQUENCE, in place; gives
/// where that begins.
fn wrap(buffer: &mut [u8], start: usize, front: &[u8]) -> Result<usize, Error> {
    let length = buffer.len() - start + front.len();
    let mut header = Vec::with_capacity(front.len() + 8);
    tlv::push_header(&mut header, 0x30, length);
    header.extend(front);
    let begin = start.checked_sub(header.len());
    let begin = begin.ok_or_else(|| Error::Internal("the issuer's name is too long".into()))?;
    buffer[begin..start].copy_from_slice(&header);
    Ok(begin)
}

fn entry(out: &mut Vec<u8>, known: &Known) -> Result<(), Error> {
    let (at, reason, invalidity) = match known.status {
        Status::Valid => (known.changed, REMOVE_FROM_CRL, None),
        Status::OnHold { since } => (since, CERTIFICATE_HOLD, None),
        Status::Revoked {
            at,
            reason,
            invalidity_date,
        } => (at, reason.code(), invalidity_date),
    };
    let mut content = Vec::with_capacity(ENTRY_BYTES * 2);
    content.extend(known.serial.to_x509().to_der()?);
    content.extend(x509::time(at).to_der()?);
    let mut extensions = Vec::new();
    // Unspecified is encoded as absence (RFC 5280 §5.3.1).
    if reason != 0 {
        let value = [0x0a, 0x01, reason];
        extensions
            .extend(x509::extension::raw(ID_CE_CRL_REASONS, false, value.to_vec())?.to_der()?);
    }
    if let Some(at) = invalidity {
        let value = x509::generalized_time(at).to_der()?;
        extensions.extend(x509::extension::raw(ID_CE_INVALIDITY_DATE, false, value)?.to_der()?);
    }
    if !extensions.is_empty() {
        tlv::push(&mut content, 0x30, &extensions);
    }
    tlv::push(out, 0x30, &content);
    Ok(())
}

fn extensions(issuer: &Issuer, heading: &Heading) -> Result<Extensions, Error> {
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer.certificate.key_identifier())?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let scope = IssuingDistributionPoint {
        distribution_point: Some(full_name(&heading.urls)?),
        only_contains_user_certs: false,
        only_contains_ca_certs: false,
        only_some_reasons: None,
        indirect_crl: false,
        only_contains_attribute_certs: false,
    };
    let mut extensions = vec![
        x509::extension::new(false, &authority)?,
        number(ID_CE_CRL_NUMBER, false, heading.number)?,
        // The type itself is registered under another identifier in this version of its crate.
        x509::extension::raw(ID_CE_ISSUING_DISTRIBUTION_POINT, true, scope.to_der()?)?,
    ];
    if let (Scope::Delta, Some(base)) = (heading.scope, heading.base) {
        extensions.push(number(ID_CE_DELTA_CRL_INDICATOR, true, base.number)?);
    }
    if let Some(url) = &heading.freshest {
        let point = DistributionPoint {
            distribution_point: Some(full_name(std::slice::from_ref(url))?),
            reasons: None,
            crl_issuer: None,
        };
        let value = vec![point].to_der()?;
        extensions.push(x509::extension::raw(ID_CE_FRESHEST_CRL, false, value)?);
    }
    Ok(extensions)
}

fn number(
    oid: const_oid::ObjectIdentifier,
    critical: bool,
    number: i64,
) -> Result<Extension, Error> {
    let value = CrlNumber(Uint::new(&number.to_be_bytes())?).to_der()?;
    Ok(x509::extension::raw(oid, critical, value)?)
}

fn full_name(urls: &[String]) -> Result<DistributionPointName, Error> {
    let names = urls
        .iter()
        .map(|url| Ia5String::new(url).map(GeneralName::UniformResourceIdentifier));
    Ok(DistributionPointName::FullName(
        names.collect::<Result<_, _>>()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_one_spelling_each() {
        for scope in [Scope::Full, Scope::Delta, Scope::Shard(0), Scope::Shard(17)] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for text in ["", "-1", "+1", "01", "70000", "Full"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_sequence_is_made_in_place() {
        let mut buffer = vec![0; 8];
        buffer.extend([9; 200]);
        let start = wrap(&mut buffer, 8, &[7]).expect("there is room");
        assert_eq!(buffer[start..start + 5], [0x30, 0x81, 201, 7, 9]);
        assert!(wrap(&mut buffer, 1, &[7]).is_err());
    }
}
