//! Chains of CA certificates that others made (RFC 5280 §6.1, as far as a CA has to look before it
//! issues below one).

use common::clock::Timestamp;
use common::x509::{Certificate, extension};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

/// Whether `chain`, the lowest CA first, leads up to a root without a gap.
///
/// # Errors
/// What is wrong with which certificate, in one sentence.
pub fn check(chain: &[Certificate], now: Timestamp) -> Result<(), String> {
    let root = chain.last().ok_or("there is no certificate")?;
    if root.issuer() != root.subject() {
        let issuer = root.issuer();
        return Err(format!("the chain ends below a root: {issuer} is missing"));
    }
    // Every certificate signs the one before it, and the root itself.
    let above = chain.iter().skip(1).chain([root]);
    for (index, (certificate, issuer)) in chain.iter().zip(above).enumerate() {
        let subject = certificate.subject();
        if certificate.issuer() != issuer.subject() {
            let wanted = certificate.issuer();
            return Err(format!(
                "{subject} was issued by {wanted}, which does not follow"
            ));
        }
        certificate
            .verify_signed_by(issuer.public_key())
            .map_err(|_| format!("the signature of {subject} is not by the key above it"))?;
        if now < certificate.not_before() || certificate.not_after() < now {
            return Err(format!("{subject} is not valid now"));
        }
        is_ca(certificate)?;
        let below = chain[..index].iter().filter(|c| c.issuer() != c.subject());
        let allowed = path_length(certificate);
        if allowed.is_some_and(|allowed| below.count() > usize::from(allowed)) {
            return Err(format!("{subject} allows no further CA below it"));
        }
    }
    Ok(())
}

/// How many CAs may stand below a CA with these certificates, its own first; `None` for any number
/// (RFC 5280 §4.2.1.9).
pub fn room_below<'a>(chain: impl IntoIterator<Item = &'a Certificate>) -> Option<i64> {
    let mut between = 0;
    let mut room: Option<i64> = None;
    for certificate in chain {
        if let Some(allowed) = path_length(certificate) {
            let here = i64::from(allowed) - between;
            room = Some(room.map_or(here, |room| room.min(here)));
        }
        // Self-issued certificates do not count.
        if certificate.issuer() != certificate.subject() {
            between += 1;
        }
    }
    room
}

fn is_ca(certificate: &Certificate) -> Result<(), String> {
    let subject = certificate.subject();
    let extensions = certificate.parsed().tbs_certificate.extensions.as_deref();
    let extensions = extensions.unwrap_or_default();
    if !extension::find::<BasicConstraints>(extensions).is_some_and(|c| c.ca) {
        return Err(format!("{subject} is no CA"));
    }
    let signs = extension::find::<KeyUsage>(extensions).is_none_or(|usage| {
        usage.0.contains(KeyUsages::KeyCertSign) && usage.0.contains(KeyUsages::CRLSign)
    });
    match signs {
        true => Ok(()),
        false => Err(format!("{subject} may not sign certificates and CRLs")),
    }
}

fn path_length(certificate: &Certificate) -> Option<u8> {
    let extensions = certificate.parsed().tbs_certificate.extensions.as_deref();
    extension::find::<BasicConstraints>(extensions.unwrap_or_default())?.path_len_constraint
}
