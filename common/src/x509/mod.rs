//! X.509 as we need it on top of `x509-cert`: bytes kept as received, types that were checked once.

pub mod certificate;
pub mod crmf;
pub mod csr;
pub mod extension;
pub mod idn;
pub mod name;
pub mod san;
pub mod serial;
pub mod status;
pub mod tlv;

pub use certificate::Certificate;
pub use csr::{Csr, CsrError, CsrKind};
pub use san::AlternativeName;
pub use serial::SerialNumber;
pub use status::{RevocationReason, Status};

use der::DateTime;
use der::asn1::{GeneralizedTime, UtcTime};
use x509_cert::time::Time;

use crate::clock::Timestamp;

/// A time as RFC 5280 §4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime from 2050.
pub fn time(at: Timestamp) -> Time {
    let since_epoch = std::time::Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0));
    match UtcTime::from_unix_duration(since_epoch) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(generalized_time(at)),
    }
}

/// A GeneralizedTime in whole seconds.
pub fn generalized_time(at: Timestamp) -> GeneralizedTime {
    let since_epoch = std::time::Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0));
    GeneralizedTime::from_unix_duration(since_epoch)
        .unwrap_or_else(|_| GeneralizedTime::from_date_time(DateTime::INFINITY))
}

/// The moment that a certificate or CRL names.
pub fn timestamp(time: &Time) -> Timestamp {
    let seconds = time.to_unix_duration().as_secs();
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Bytes from hex of any case.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok()
}

/// Base64 on one line.
pub fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// PEM text of `der` under `label`.
pub fn pem(label: &'static str, der: &[u8]) -> String {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der)
        .expect("our labels are valid and memory suffices")
}

/// DER from PEM with one of `labels`, from base64 DER or from DER itself; `None` when it is neither.
pub fn der_from(input: &[u8], labels: &[&str]) -> Option<Vec<u8>> {
    use ::base64::Engine;
    if input.first() == Some(&0x30) && std::str::from_utf8(input).is_err() {
        return Some(input.to_vec());
    }
    let text = match std::str::from_utf8(input) {
        Ok(text) => text.trim(),
        Err(_) => return None,
    };
    if text.contains("-----BEGIN ") {
        return labels.iter().find_map(|label| pem_block(text, label));
    }
    let compact: String = text.split_ascii_whitespace().collect();
    if !compact.is_empty()
        && let Ok(der) = ::base64::engine::general_purpose::STANDARD.decode(&compact)
    {
        return Some(der);
    }
    (input.first() == Some(&0x30)).then(|| input.to_vec())
}

/// The first PEM block with this label; people keep keys and certificates beside each other.
fn pem_block(text: &str, label: &str) -> Option<Vec<u8>> {
    let start = text.find(&format!("-----BEGIN {label}-----"))?;
    let end_line = format!("-----END {label}-----");
    let length = text[start..].find(&end_line)? + end_line.len();
    let block = &text.as_bytes()[start..start + length];
    der::pem::decode_vec(block).ok().map(|(_, der)| der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_switch_to_generalized_time_in_2050() {
        let before: Timestamp = "2049-12-31T23:59:59Z".parse().expect("parses");
        assert!(matches!(time(before), Time::UtcTime(_)));
        assert!(matches!(time(before.plus_seconds(1)), Time::GeneralTime(_)));
        assert_eq!(
            timestamp(&time(before.plus_seconds(1))),
            before.plus_seconds(1)
        );
    }
}
