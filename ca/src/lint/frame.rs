//! Serial number, times and identifiers: the frame of every certificate.

use common::x509::{self, SerialNumber};
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use x509_cert::time::Time;

use super::{Candidate, Findings};

/// How far the start may lie back, in seconds: enough for slow clocks, too little to hide a date.
const BACKDATE_SECONDS_MAX: i64 = 48 * 3_600;

/// How far the start may lie ahead.
const AHEAD_DAYS_MAX: i64 = 366;

/// The longest validity of a CA certificate.
const CA_DAYS_MAX: i64 = 14_610;

const DAY_SECONDS: i64 = 86_400;

pub(super) fn check(candidate: &Candidate<'_>, days_max: i64, findings: &mut Findings) {
    serial(candidate, findings);
    validity(candidate, days_max, findings);
    key_identifiers(candidate, findings);
    findings.ensure(
        candidate.tbs.version == Version::V3
            && candidate.tbs.issuer_unique_id.is_none()
            && candidate.tbs.subject_unique_id.is_none(),
        "version",
        || "a certificate has version 3 and no unique identifiers".into(),
    );
}

/// RFC 5280 §4.1.2.2, CA/Browser Forum BR §7.1.2.7: positive, 16 to 20 octets for us.
fn serial(candidate: &Candidate<'_>, findings: &mut Findings) {
    let serial = SerialNumber::from(&candidate.tbs.serial_number);
    let encoded = candidate.tbs.serial_number.as_bytes();
    findings.ensure(
        (16..=20).contains(&serial.as_bytes().len()) && encoded.len() <= 20,
        "serial-length",
        || "the serial number has 16 to 20 octets".into(),
    );
    findings.ensure(
        encoded.first().is_some_and(|first| first & 0x80 == 0)
            && encoded.iter().any(|octet| *octet != 0),
        "serial-positive",
        || "the serial number is a positive number".into(),
    );
}

/// RFC 5280 §4.1.2.5; the end is inclusive.
fn validity(candidate: &Candidate<'_>, days_max: i64, findings: &mut Findings) {
    let validity = &candidate.tbs.validity;
    let not_before = x509::timestamp(&validity.not_before);
    let not_after = x509::timestamp(&validity.not_after);
    let now = candidate.now;
    findings.ensure(not_before < not_after, "validity-order", || {
        "not_after must lie after not_before".into()
    });
    findings.ensure(
        now.seconds() - not_before.seconds() <= BACKDATE_SECONDS_MAX,
        "backdating",
        || "not_before lies more than 48 hours back".into(),
    );
    findings.ensure(
        not_before <= now.plus_days(AHEAD_DAYS_MAX),
        "predating",
        || format!("not_before lies more than {AHEAD_DAYS_MAX} days ahead"),
    );
    let days_max = match candidate.is_ca {
        true => CA_DAYS_MAX,
        false => days_max,
    };
    let seconds = not_after.seconds() - not_before.seconds() + 1;
    findings.ensure(seconds <= days_max * DAY_SECONDS, "validity-length", || {
        format!("a validity of {seconds} seconds is longer than {days_max} days")
    });
    let end = candidate.issuer.certificate.not_after();
    // Roots, and the certificates between an authority's keys of which one outlives the other.
    let self_issued = candidate.is_ca && candidate.tbs.subject == candidate.tbs.issuer;
    findings.ensure(self_issued || not_after <= end, "validity-nesting", || {
        format!("not_after lies after the end of the issuing authority, {end}")
    });
    let right = |time: &Time| *time == x509::time(x509::timestamp(time));
    findings.ensure(
        right(&validity.not_before) && right(&validity.not_after),
        "time-form",
        || "times are UTCTime through 2049 and GeneralizedTime from 2050".into(),
    );
}

/// RFC 5280 §4.2.1.1 and §4.2.1.2.
fn key_identifiers(candidate: &Candidate<'_>, findings: &mut Findings) {
    let own = candidate.find::<SubjectKeyIdentifier>();
    // RFC 7093 §2 (1), or SHA-1 as in RFC 5280 §4.2.1.2 (1); only a CA must have one.
    let fits = own.map_or(!candidate.is_ca, |id| {
        let id = id.0.as_bytes();
        id == candidate.key.key_identifier() || id == candidate.key.sha1()
    });
    findings.ensure(fits, "subject-key-identifier", || {
        "the subject key identifier is missing or of another key".into()
    });
    let authority = candidate.find::<AuthorityKeyIdentifier>();
    let identifier = authority
        .and_then(|id| id.key_identifier)
        .map(|id| id.as_bytes().to_vec());
    let expected = candidate.issuer.certificate.key_identifier();
    findings.ensure(
        candidate.self_signed || identifier == Some(expected),
        "authority-key-identifier",
        || "the authority key identifier is missing or of another key".into(),
    );
}
