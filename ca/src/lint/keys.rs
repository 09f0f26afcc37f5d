//! Keys: long enough, not weak, not known to others, and used for what they can do.

use common::crypto::{KeyKind, RSA_BITS_MIN, RequestSignatures, Weakness, weakness};
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::{Candidate, Findings, Rules};

pub(super) fn check(candidate: &Candidate<'_>, rules: &Rules, findings: &mut Findings) {
    usage(candidate, findings);
    size(candidate, rules.config.request_signatures, findings);
    weak(candidate, findings);
    let key = candidate.key;
    findings.ensure(!rules.blocklists.denies(key), "denied-key", || {
        "this key is on the operator's list of denied keys".into()
    });
    findings.ensure(
        !rules.blocklists.knows_as_weak(key),
        "weak-key-list",
        || "this key is on a list of weak keys".into(),
    );
    own_key(candidate, findings);
}

/// RFC 5280 §4.2.1.3; RFC 5480 §3 and RFC 8813 §3 for EC keys, RFC 9295 §3 for Ed25519, RFC 9881 §5
/// for ML-DSA, RFC 4055 §1.2 for PSS keys.
fn usage(candidate: &Candidate<'_>, findings: &mut Findings) {
    let usage = candidate.find::<KeyUsage>().map(|usage| usage.0);
    let Some(usage) = usage.filter(|usage| !usage.is_empty()) else {
        return findings.ensure(false, "key-usage", || {
            "a certificate states at least one key usage".into()
        });
    };
    let enciphers =
        usage.contains(KeyUsages::KeyEncipherment) || usage.contains(KeyUsages::DataEncipherment);
    let agrees = usage.contains(KeyUsages::KeyAgreement);
    let narrowed =
        usage.contains(KeyUsages::EncipherOnly) || usage.contains(KeyUsages::DecipherOnly);
    let kind = candidate.key.kind();
    match kind {
        KeyKind::Rsa(_) => findings.ensure(!agrees, "key-usage", || {
            "an RSA key does not agree on keys".into()
        }),
        KeyKind::Ec(_) => findings.ensure(!enciphers, "key-usage", || {
            "an EC key does not encipher".into()
        }),
        KeyKind::Ed25519 | KeyKind::MlDsa(_) | KeyKind::RsaPss(_) => {
            findings.ensure(!enciphers && !agrees, "key-usage", || {
                format!("a key of kind {kind} only signs")
            })
        }
    }
    findings.ensure(!narrowed || agrees, "key-usage", || {
        "encipherOnly and decipherOnly say how a key agrees on keys".into()
    });
}

/// NIST SP 800-131A: shorter keys only where an operator switched compatibility on.
fn size(candidate: &Candidate<'_>, accepted: RequestSignatures, findings: &mut Findings) {
    let bits = match candidate.key.kind() {
        KeyKind::Rsa(bits) | KeyKind::RsaPss(bits) => bits,
        KeyKind::Ec(_) | KeyKind::Ed25519 | KeyKind::MlDsa(_) => return,
    };
    findings.ensure(
        bits >= RSA_BITS_MIN || (accepted == RequestSignatures::Legacy && !candidate.is_ca),
        "key-size",
        || format!("an RSA key of {bits} bits is shorter than {RSA_BITS_MIN}"),
    );
}

/// CA/Browser Forum BR §6.1.1.3 and §6.1.6.
fn weak(candidate: &Candidate<'_>, findings: &mut Findings) {
    let (rule, why) = match weakness(candidate.key) {
        None => return,
        Some(Weakness::Exponent) => (
            "rsa-exponent",
            "the RSA public exponent is smaller than 65537".to_owned(),
        ),
        Some(Weakness::SmallFactor(prime)) => (
            "rsa-small-factor",
            format!("the RSA modulus is divisible by {prime}"),
        ),
        Some(Weakness::ClosePrimes) => (
            "rsa-close-primes",
            "the primes of this RSA key are so close together that anybody finds them".to_owned(),
        ),
        Some(Weakness::Roca) => (
            "roca",
            "this RSA key was made by the faulty generator of CVE-2017-15361 (ROCA)".to_owned(),
        ),
    };
    findings.ensure(false, rule, || why);
}

/// Nobody but the authority itself is certified with the key of an authority in the chain, and nobody
/// but an authority has its name.
fn own_key(candidate: &Candidate<'_>, findings: &mut Findings) {
    let is_taken = candidate
        .authorities()
        .any(|authority| authority.public_key() == candidate.key);
    findings.ensure(!is_taken, "authority-key", || {
        "this is the authority's own key".into()
    });
    let same_name = candidate.tbs.subject == *candidate.issuer.certificate.subject();
    findings.ensure(candidate.is_ca || !same_name, "authority-name", || {
        "this is the authority's own name".into()
    });
}
