//! Certificate revocation lists (RFC 5280 §5), written entry by entry: a million entries need no
//! million objects.

use common::clock::Timestamp;
use common::crypto::KeyError;
use common::x509::{self, Status, tlv};
use const_oid::db::rfc5280::{
    ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_INVALIDITY_DATE, ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::Encode;
use der::asn1::{Ia5String, OctetString, Uint};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};

use crate::Error;
use crate::issue::assemble;
use crate::issuer::Issuer;
use crate::store::statuses::Known;

/// CRLReason certificateHold.
const CERTIFICATE_HOLD: u8 = 6;

/// A signed CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// Whose it is.
    pub authority: String,
    /// Grows with each.
    pub number: i64,
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
    /// A strong entity tag.
    pub fn etag(&self) -> String {
        format!("\"crl-{}\"", self.number)
    }
}

/// Signs the list of `revoked` under `number`.
pub fn sign(
    issuer: &Issuer,
    number: i64,
    revoked: &[Known],
    this_update: Timestamp,
    next_update: Timestamp,
) -> Result<Crl, Error> {
    let tbs = to_be_signed(issuer, number, revoked, this_update, next_update)?;
    let algorithm = issuer.key.algorithm().identifier();
    let signature = issuer.key.sign(&tbs)?;
    issuer
        .certificate
        .public_key()
        .verify(&algorithm, &tbs, &signature)
        .map_err(|_| KeyError::Engine)?;
    Ok(Crl {
        authority: issuer.id.clone(),
        number,
        this_update,
        next_update,
        entries: i64::try_from(revoked.len()).unwrap_or(i64::MAX),
        der: assemble(&tbs, &algorithm, &signature)?,
    })
}

fn to_be_signed(
    issuer: &Issuer,
    number: i64,
    revoked: &[Known],
    this_update: Timestamp,
    next_update: Timestamp,
) -> Result<Vec<u8>, Error> {
    let mut content = Vec::with_capacity(512 + revoked.len() * 56);
    content.extend([0x02, 0x01, 0x01]); // version 2
    content.extend(issuer.key.algorithm().identifier().to_der()?);
    content.extend(issuer.certificate.subject().to_der()?);
    content.extend(x509::time(this_update).to_der()?);
    content.extend(x509::time(next_update).to_der()?);
    // RFC 5280 §5.1.2.6: an empty list is absent, not empty.
    if !revoked.is_empty() {
        let mut entries = Vec::with_capacity(revoked.len() * 56);
        for known in revoked {
            entry(&mut entries, known)?;
        }
        tlv::push(&mut content, 0x30, &entries);
    }
    let extensions = extensions(issuer, number)?.to_der()?;
    tlv::push(&mut content, 0xa0, &extensions);
    let mut tbs = Vec::with_capacity(content.len() + 8);
    tlv::push(&mut tbs, 0x30, &content);
    Ok(tbs)
}

fn entry(out: &mut Vec<u8>, known: &Known) -> Result<(), Error> {
    let (at, reason, invalidity) = match known.status {
        Status::Valid => return Ok(()),
        Status::OnHold { since } => (since, CERTIFICATE_HOLD, None),
        Status::Revoked {
            at,
            reason,
            invalidity_date,
        } => (at, reason.code(), invalidity_date),
    };
    let mut content = known.serial.to_x509().to_der()?;
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

fn extensions(issuer: &Issuer, number: i64) -> Result<Extensions, Error> {
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer.certificate.key_identifier())?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let number = x509::extension::raw(
        ID_CE_CRL_NUMBER,
        false,
        CrlNumber(Uint::new(&number.to_be_bytes())?).to_der()?,
    )?;
    // The same URL as in the certificates, byte for byte (RFC 5280 §6.3.3).
    let url = GeneralName::UniformResourceIdentifier(Ia5String::new(&issuer.urls.crl)?);
    let scope = IssuingDistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![url])),
        only_contains_user_certs: false,
        only_contains_ca_certs: false,
        only_some_reasons: None,
        indirect_crl: false,
        only_contains_attribute_certs: false,
    };
    Ok(vec![
        x509::extension::new(false, &authority)?,
        number,
        // The type itself is registered under another identifier in this version of its crate.
        x509::extension::raw(ID_CE_ISSUING_DISTRIBUTION_POINT, true, scope.to_der()?)?,
    ])
}
