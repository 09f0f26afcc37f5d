//! What every certificate must satisfy, whatever its profile says. One function and one source each.

use common::api::Violation;
use common::clock::Timestamp;
use common::crypto::{KeyKind, PublicKey, RSA_BITS_MIN, RequestSignatures};
use common::x509::{self, SerialNumber, extension};
use const_oid::db::rfc5280::ID_KP_OCSP_SIGNING;
use der::Encode;
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};

use crate::chain;
use crate::config::LintConfig;
use crate::issuer::Issuer;

/// How far the start may lie back, in seconds: enough for slow clocks, too little to hide a date.
const BACKDATE_MAX_SECONDS: i64 = 48 * 3_600;

/// The rules, with what an operator may say about them.
#[derive(Debug)]
pub struct Rules {
    config: LintConfig,
}

impl Rules {
    /// The rules under `config`.
    pub fn new(config: &LintConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }

    /// Which proofs of possession are accepted.
    pub fn request_signatures(&self) -> RequestSignatures {
        self.config.request_signatures
    }

    /// All violations, none when the certificate may be signed.
    pub fn certificate(
        &self,
        tbs: &TbsCertificate,
        key: &PublicKey,
        issuer: &Issuer,
        now: Timestamp,
    ) -> Vec<Violation> {
        let extensions = tbs.extensions.as_deref().unwrap_or_default();
        let self_signed = tbs.subject == tbs.issuer;
        let checks = [
            serial(tbs),
            validity(tbs, issuer, self_signed, now),
            names(tbs, extensions),
            duplicates(extensions),
            basic_constraints(extensions),
            path_length(extensions, issuer, self_signed),
            key_usage(extensions, key),
            key_size(key, self.config.request_signatures),
            ocsp_signing(extensions),
            key_identifiers(extensions, key, issuer, self_signed),
            own_key(key, issuer, self_signed),
        ];
        checks
            .into_iter()
            .filter_map(Result::err)
            .map(|(rule, message)| Violation::policy("lint", rule, message))
            .collect()
    }
}

type Check = Result<(), (&'static str, String)>;

fn ensure(holds: bool, rule: &'static str, message: impl Into<String>) -> Check {
    match holds {
        true => Ok(()),
        false => Err((rule, message.into())),
    }
}

/// RFC 5280 §4.1.2.2, CA/Browser Forum BR §7.1.2.7: positive, 16 to 20 octets for us.
fn serial(tbs: &TbsCertificate) -> Check {
    let serial = SerialNumber::from(&tbs.serial_number);
    let length = serial.as_bytes().len();
    ensure(
        (16..=20).contains(&length),
        "serial-length",
        "the serial number has 16 to 20 octets",
    )
}

/// RFC 5280 §4.1.2.5; the end is inclusive.
fn validity(tbs: &TbsCertificate, issuer: &Issuer, self_signed: bool, now: Timestamp) -> Check {
    let not_before = x509::timestamp(&tbs.validity.not_before);
    let not_after = x509::timestamp(&tbs.validity.not_after);
    ensure(
        not_before < not_after,
        "validity-order",
        "not_after must lie after not_before",
    )?;
    ensure(
        now.seconds() - not_before.seconds() <= BACKDATE_MAX_SECONDS,
        "backdating",
        "not_before lies more than 48 hours back",
    )?;
    let end = issuer.certificate.not_after();
    ensure(
        self_signed || not_after <= end,
        "validity-nesting",
        format!("not_after lies after the end of the issuing authority, {end}"),
    )
}

/// RFC 5280 §4.1.2.6.
fn names(tbs: &TbsCertificate, extensions: &[Extension]) -> Check {
    let has_names =
        extension::find::<SubjectAltName>(extensions).is_some_and(|names| !names.0.is_empty());
    ensure(
        !tbs.subject.is_empty() || has_names,
        "subject",
        "the certificate names nobody: subject and alternative names are empty",
    )?;
    let names = extension::alternative_names(extensions);
    for address in x509::name::email_addresses(&tbs.subject) {
        ensure(
            names.contains(&format!("email:{address}")),
            "subject-email",
            format!("the subject's e-mail address {address} is missing in the alternative names"),
        )?;
    }
    Ok(())
}

/// RFC 5280 §4.2.
fn duplicates(extensions: &[Extension]) -> Check {
    for (index, extension) in extensions.iter().enumerate() {
        let earlier = &extensions[..index];
        ensure(
            !earlier.iter().any(|e| e.extn_id == extension.extn_id),
            "duplicate-extension",
            format!("extension {} stands twice", extension.extn_id),
        )?;
    }
    Ok(())
}

/// RFC 5280 §4.2.1.9: a CA says so critically, and only CAs sign certificates.
fn basic_constraints(extensions: &[Extension]) -> Check {
    let found = extensions
        .iter()
        .find(|e| e.extn_id == const_oid::db::rfc5280::ID_CE_BASIC_CONSTRAINTS);
    let is_ca =
        extension::find::<BasicConstraints>(extensions).is_some_and(|constraints| constraints.ca);
    let signs = extension::find::<KeyUsage>(extensions)
        .is_some_and(|usage| usage.0.contains(KeyUsages::KeyCertSign));
    ensure(
        is_ca == signs,
        "ca-key-usage",
        "keyCertSign and CA:true belong together",
    )?;
    ensure(
        !is_ca || found.is_some_and(|e| e.critical),
        "ca-critical",
        "basic constraints of a CA are critical",
    )
}

/// RFC 5280 §4.2.1.9: a CA below another has less room below it than that one has. Self-issued
/// certificates do not count.
fn path_length(extensions: &[Extension], issuer: &Issuer, self_issued: bool) -> Check {
    let constraints = extension::find::<BasicConstraints>(extensions);
    let Some(constraints) = constraints.filter(|constraints| constraints.ca && !self_issued) else {
        return Ok(());
    };
    let Some(room) = chain::room_below(issuer.full_chain()) else {
        return Ok(());
    };
    ensure(
        room > 0,
        "path-length",
        "the path length of the issuing authority allows no CA below it",
    )?;
    ensure(
        constraints
            .path_len_constraint
            .is_none_or(|length| i64::from(length) < room),
        "path-length",
        format!(
            "the issuing authority leaves room for a path length of {}",
            room - 1
        ),
    )
}

/// RFC 8813 §3, RFC 9295 §3: only RSA keys encipher.
fn key_usage(extensions: &[Extension], key: &PublicKey) -> Check {
    let Some(usage) = extension::find::<KeyUsage>(extensions) else {
        return Err(("key-usage", "a certificate states its key usage".into()));
    };
    ensure(
        !usage.0.is_empty(),
        "key-usage",
        "a certificate states at least one key usage",
    )?;
    let enciphers = usage.0.contains(KeyUsages::KeyEncipherment)
        || usage.0.contains(KeyUsages::DataEncipherment);
    let agrees = usage.0.contains(KeyUsages::KeyAgreement);
    match key.kind() {
        KeyKind::Rsa(_) => ensure(!agrees, "key-usage", "an RSA key does not agree on keys"),
        KeyKind::Ec(_) => ensure(!enciphers, "key-usage", "an EC key does not encipher"),
        KeyKind::Ed25519 | KeyKind::MlDsa(_) | KeyKind::RsaPss(_) => ensure(
            !enciphers && !agrees,
            "key-usage",
            format!("a key of kind {} only signs", key.kind()),
        ),
    }
}

/// NIST SP 800-131A: shorter keys only where an operator switched compatibility on.
fn key_size(key: &PublicKey, accepted: RequestSignatures) -> Check {
    let bits = match key.kind() {
        KeyKind::Rsa(bits) | KeyKind::RsaPss(bits) => bits,
        KeyKind::Ec(_) | KeyKind::Ed25519 | KeyKind::MlDsa(_) => return Ok(()),
    };
    ensure(
        bits >= RSA_BITS_MIN || accepted == RequestSignatures::Legacy,
        "key-size",
        format!("an RSA key of {bits} bits is shorter than 2048"),
    )
}

/// RFC 6960 §4.2.2.2; a CA that is also a responder could vouch for its siblings.
fn ocsp_signing(extensions: &[Extension]) -> Check {
    let signs = extension::find::<ExtendedKeyUsage>(extensions)
        .is_some_and(|usages| usages.0.contains(&ID_KP_OCSP_SIGNING));
    let is_ca =
        extension::find::<BasicConstraints>(extensions).is_some_and(|constraints| constraints.ca);
    let nocheck = extensions
        .iter()
        .any(|e| e.extn_id == const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK);
    ensure(
        !(signs && is_ca),
        "ocsp-signing-ca",
        "a CA certificate never has OCSPSigning",
    )?;
    ensure(
        signs == nocheck,
        "ocsp-nocheck",
        "OCSPSigning and id-pkix-ocsp-nocheck belong together",
    )
}

/// RFC 5280 §4.2.1.1 and §4.2.1.2.
fn key_identifiers(
    extensions: &[Extension],
    key: &PublicKey,
    issuer: &Issuer,
    self_signed: bool,
) -> Check {
    let own = extension::find::<SubjectKeyIdentifier>(extensions);
    let is_ca =
        extension::find::<BasicConstraints>(extensions).is_some_and(|constraints| constraints.ca);
    // RFC 7093 §2 (1), or SHA-1 as in RFC 5280 §4.2.1.2 (1); only a CA must have one.
    let fits = own.map_or(!is_ca, |id| {
        let id = id.0.as_bytes();
        id == key.key_identifier() || id == key.sha1()
    });
    ensure(
        fits,
        "subject-key-identifier",
        "the subject key identifier is missing or of another key",
    )?;
    let authority = extension::find::<AuthorityKeyIdentifier>(extensions);
    let identifier = authority
        .and_then(|id| id.key_identifier)
        .map(|id| id.as_bytes().to_vec());
    let expected = issuer.certificate.key_identifier();
    ensure(
        self_signed || identifier == Some(expected),
        "authority-key-identifier",
        "the authority key identifier is missing or of another key",
    )
}

/// Nobody but the authority itself is certified with the authority's key.
fn own_key(key: &PublicKey, issuer: &Issuer, self_signed: bool) -> Check {
    let same = key.info().to_der().ok() == issuer.certificate.public_key().info().to_der().ok();
    ensure(
        self_signed || !same,
        "authority-key",
        "this is the authority's own key",
    )
}
