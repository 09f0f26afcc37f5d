//! Extensions: well-formed, once each, critical where they must be, and in agreement.

use std::collections::BTreeSet;

use common::x509::{AlternativeName, extension};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280 as ce, rfc6960};
use der::Decode;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints,
    PolicyConstraints, SubjectAltName, SubjectKeyIdentifier,
};

use super::{Candidate, Findings};
use crate::chain;

pub(super) fn check(candidate: &Candidate<'_>, findings: &mut Findings) {
    syntax(candidate, findings);
    duplicates(candidate, findings);
    critical(candidate, findings);
    basic_constraints(candidate, findings);
    path_length(candidate, findings);
    extended_key_usage(candidate, findings);
    ocsp_signing(candidate, findings);
    policies(candidate, findings);
    places(candidate, findings);
}

/// What stands in a known extension can be read, so that the other rules see it.
fn syntax(candidate: &Candidate<'_>, findings: &mut Findings) {
    for found in candidate.extensions {
        let der = found.extn_value.as_bytes();
        let read = match found.extn_id {
            ce::ID_CE_BASIC_CONSTRAINTS => BasicConstraints::from_der(der).is_ok(),
            ce::ID_CE_KEY_USAGE => KeyUsage::from_der(der).is_ok(),
            ce::ID_CE_EXT_KEY_USAGE => ExtendedKeyUsage::from_der(der).is_ok(),
            ce::ID_CE_SUBJECT_KEY_IDENTIFIER => SubjectKeyIdentifier::from_der(der).is_ok(),
            ce::ID_CE_AUTHORITY_KEY_IDENTIFIER => AuthorityKeyIdentifier::from_der(der).is_ok(),
            ce::ID_CE_SUBJECT_ALT_NAME => SubjectAltName::from_der(der).is_ok(),
            ce::ID_CE_CRL_DISTRIBUTION_POINTS => CrlDistributionPoints::from_der(der).is_ok(),
            ce::ID_PE_AUTHORITY_INFO_ACCESS => AuthorityInfoAccessSyntax::from_der(der).is_ok(),
            ce::ID_CE_NAME_CONSTRAINTS => NameConstraints::from_der(der).is_ok(),
            ce::ID_CE_CERTIFICATE_POLICIES => CertificatePolicies::from_der(der).is_ok(),
            rfc6960::ID_PKIX_OCSP_NOCHECK => der == [5, 0],
            // At least one whole DER element.
            _ => der::AnyRef::from_der(der).is_ok(),
        };
        findings.ensure(read, "extension-syntax", || {
            format!("the value of extension {} cannot be read", found.extn_id)
        });
    }
}

/// RFC 5280 §4.2.
fn duplicates(candidate: &Candidate<'_>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for found in candidate.extensions {
        findings.ensure(seen.insert(found.extn_id), "duplicate-extension", || {
            format!("extension {} stands twice", found.extn_id)
        });
    }
}

/// id-pe-ctPoison (RFC 6962 §3.1).
const CT_POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");

/// id-pe-subjectInfoAccess (RFC 5280 §4.2.2.2).
const SUBJECT_INFO_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.11");

/// What each extension's definition demands with MUST; the others are free.
const CRITICAL: [(ObjectIdentifier, bool); 11] = [
    (ce::ID_CE_NAME_CONSTRAINTS, true),
    (ce::ID_CE_POLICY_CONSTRAINTS, true),
    (ce::ID_CE_INHIBIT_ANY_POLICY, true),
    (CT_POISON, true),
    (ce::ID_CE_AUTHORITY_KEY_IDENTIFIER, false),
    (ce::ID_CE_SUBJECT_KEY_IDENTIFIER, false),
    (ce::ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES, false),
    (ce::ID_CE_FRESHEST_CRL, false),
    (ce::ID_PE_AUTHORITY_INFO_ACCESS, false),
    (SUBJECT_INFO_ACCESS, false),
    (ce::ID_CE_PRIVATE_KEY_USAGE_PERIOD, false),
];

/// RFC 5280 §4.2.1 and §4.2.2, RFC 3161 §2.3.
fn critical(candidate: &Candidate<'_>, findings: &mut Findings) {
    for found in candidate.extensions {
        let wanted = match found.extn_id {
            ce::ID_CE_SUBJECT_ALT_NAME if candidate.tbs.subject.is_empty() => Some(true),
            ce::ID_CE_EXT_KEY_USAGE if stamps_times(found) => Some(true),
            oid => CRITICAL
                .iter()
                .find(|(known, _)| *known == oid)
                .map(|(_, critical)| *critical),
        };
        let must = match wanted {
            Some(true) => "must be critical",
            Some(false) | None => "must not be critical",
        };
        findings.ensure(
            wanted.is_none_or(|wanted| wanted == found.critical),
            "critical",
            || format!("extension {} {must}", found.extn_id),
        );
    }
}

fn stamps_times(found: &Extension) -> bool {
    let usages = ExtendedKeyUsage::from_der(found.extn_value.as_bytes());
    usages.is_ok_and(|usages| usages.0.contains(&ce::ID_KP_TIME_STAMPING))
}

/// RFC 5280 §4.2.1.9: a CA says so critically, and only CAs sign certificates.
fn basic_constraints(candidate: &Candidate<'_>, findings: &mut Findings) {
    let mut extensions = candidate.extensions.iter();
    let found = extensions.find(|e| e.extn_id == ce::ID_CE_BASIC_CONSTRAINTS);
    let usage = candidate.find::<KeyUsage>();
    let signs = usage.is_some_and(|usage| usage.0.contains(KeyUsages::KeyCertSign));
    findings.ensure(candidate.is_ca == signs, "ca-key-usage", || {
        "keyCertSign and CA:true belong together".into()
    });
    findings.ensure(
        !candidate.is_ca || found.is_some_and(|e| e.critical),
        "ca-critical",
        || "basic constraints of a CA are critical".into(),
    );
    findings.ensure(
        candidate.is_ca || candidate.find::<NameConstraints>().is_none(),
        "ca-only",
        || "name constraints stand in CA certificates only".into(),
    );
}

/// RFC 5280 §4.2.1.9: every authority above says how many may still follow.
fn path_length(candidate: &Candidate<'_>, findings: &mut Findings) {
    let own = candidate
        .find::<BasicConstraints>()
        .and_then(|constraints| constraints.path_len_constraint);
    findings.ensure(candidate.is_ca || own.is_none(), "path-length", || {
        "only a CA has a path length".into()
    });
    if !candidate.is_ca {
        return;
    }
    // Self-issued certificates do not count.
    let self_issued = candidate.tbs.subject == candidate.tbs.issuer;
    let Some(room) = chain::room_below(candidate.authorities()).filter(|_| !self_issued) else {
        return;
    };
    findings.ensure(room > 0, "path-length", || {
        "the path length of the issuing authority allows no CA below it".into()
    });
    findings.ensure(
        room <= 0 || own.is_none_or(|own| i64::from(own) < room),
        "path-length",
        || {
            format!(
                "the issuing authority leaves room for a path length of {}",
                room - 1
            )
        },
    );
}

/// RFC 5280 §4.2.1.12: some usages, each once, and consistent with the key usage.
fn extended_key_usage(candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(usages) = candidate.find::<ExtendedKeyUsage>() else {
        return;
    };
    let distinct: BTreeSet<_> = usages.0.iter().collect();
    findings.ensure(
        !usages.0.is_empty() && distinct.len() == usages.0.len(),
        "extended-key-usage",
        || "the extended key usage lists at least one purpose, each once".into(),
    );
    findings.ensure(
        !usages.0.contains(&ce::ID_KP_TIME_STAMPING) || usages.0.len() == 1,
        "extended-key-usage",
        || "timeStamping stands alone (RFC 3161 §2.3)".into(),
    );
    let Some(usage) = candidate.find::<KeyUsage>().filter(|_| !candidate.is_ca) else {
        return;
    };
    let signs = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    let moves_keys = KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement;
    let needs = |purpose: &ObjectIdentifier| match *purpose {
        ce::ID_KP_CODE_SIGNING | ce::ID_KP_TIME_STAMPING | ce::ID_KP_OCSP_SIGNING => Some(signs),
        ce::ID_KP_SERVER_AUTH | ce::ID_KP_CLIENT_AUTH | ce::ID_KP_EMAIL_PROTECTION => {
            Some(signs | moves_keys)
        }
        _ => None,
    };
    for purpose in &usages.0 {
        let fits = needs(purpose).is_none_or(|needed| !(usage.0 & needed).is_empty());
        findings.ensure(fits, "extended-key-usage", || {
            let name = extension::usage_name(*purpose);
            format!("no key usage is one that {name} can use")
        });
    }
}

/// RFC 6960 §4.2.2.2; a CA that is also a responder could vouch for its siblings.
fn ocsp_signing(candidate: &Candidate<'_>, findings: &mut Findings) {
    let usages = candidate.find::<ExtendedKeyUsage>();
    let signs = usages.is_some_and(|usages| usages.0.contains(&ce::ID_KP_OCSP_SIGNING));
    let mut extensions = candidate.extensions.iter();
    let nocheck = extensions.any(|e| e.extn_id == rfc6960::ID_PKIX_OCSP_NOCHECK);
    findings.ensure(!(signs && candidate.is_ca), "ocsp-signing-ca", || {
        "a CA certificate never has OCSPSigning".into()
    });
    findings.ensure(signs == nocheck, "ocsp-nocheck", || {
        "OCSPSigning and id-pkix-ocsp-nocheck belong together".into()
    });
}

/// RFC 5280 §4.2.1.4 and §4.2.1.11.
fn policies(candidate: &Candidate<'_>, findings: &mut Findings) {
    if let Some(policies) = candidate.find::<CertificatePolicies>() {
        let distinct: BTreeSet<_> = policies.0.iter().map(|p| p.policy_identifier).collect();
        findings.ensure(
            !policies.0.is_empty() && distinct.len() == policies.0.len(),
            "policies",
            || "certificate policies list at least one policy, each once".into(),
        );
    }
    if let Some(constraints) = candidate.find::<PolicyConstraints>() {
        let some = constraints.require_explicit_policy.is_some()
            || constraints.inhibit_policy_mapping.is_some();
        findings.ensure(some && candidate.is_ca, "policies", || {
            "policy constraints are not empty and stand in CA certificates only".into()
        });
    }
}

/// RFC 5280 §4.2.1.13 and §4.2.2.1: places that programs can go to.
fn places(candidate: &Candidate<'_>, findings: &mut Findings) {
    let mut check = |name: &GeneralName| {
        if let GeneralName::UniformResourceIdentifier(_) = name {
            let read = AlternativeName::from_general_name(name);
            findings.take("uri-syntax", read.map(|_| ()));
        }
    };
    if let Some(accesses) = candidate.find::<AuthorityInfoAccessSyntax>() {
        accesses
            .0
            .iter()
            .for_each(|access| check(&access.access_location));
    }
    let points = candidate.find::<CrlDistributionPoints>();
    for point in points.iter().flat_map(|points| &points.0) {
        match &point.distribution_point {
            Some(DistributionPointName::FullName(names)) => names.iter().for_each(&mut check),
            Some(DistributionPointName::NameRelativeToCRLIssuer(_)) | None => {}
        }
    }
}
