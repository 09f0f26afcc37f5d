//! Serial numbers.

use std::fmt;
use std::str::FromStr;

use crate::entropy;

/// A certificate serial number: positive, at most 20 octets (RFC 5280 §4.1.2.2).
///
/// Text form is lower-case hex without prefix or leading zeros beyond whole octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// A new number of 152 random bits. With a zero octet in front, where the sign bit asks for it,
    /// it still fits into 20 octets, so no random bit is ever dropped.
    pub fn random() -> Self {
        loop {
            let bytes = entropy::bytes::<19>();
            // Fewer than 16 octets happen once in 2^32; drawing again keeps every serial long.
            if bytes.iter().take_while(|b| **b == 0).count() <= 3 {
                return Self::from_bytes(&bytes).expect("19 octets that are not all zero");
            }
        }
    }

    /// From big-endian octets, leading zeros allowed. `None` when zero or longer than 20 octets.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        let significant = &bytes[zeros..];
        let too_long = significant.len() + usize::from(significant.first()? >> 7) > 20;
        (!too_long).then(|| Self(significant.to_vec()))
    }

    /// Big-endian octets without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The X.509 form.
    pub fn to_x509(&self) -> x509_cert::serial_number::SerialNumber {
        x509_cert::serial_number::SerialNumber::new(&self.0).expect("checked when it was made")
    }
}

impl From<&x509_cert::serial_number::SerialNumber> for SerialNumber {
    fn from(serial: &x509_cert::serial_number::SerialNumber) -> Self {
        let bytes = serial.as_bytes();
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        Self(bytes[zeros..].to_vec())
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// The text is no serial number.
#[derive(Debug, thiserror::Error)]
#[error("not a serial number in hex")]
pub struct NotASerialNumber;

impl FromStr for SerialNumber {
    type Err = NotASerialNumber;

    fn from_str(text: &str) -> Result<Self, NotASerialNumber> {
        let padded = match text.len() % 2 {
            0 => text.to_owned(),
            _ => format!("0{text}"),
        };
        let bytes = hex::decode(padded).map_err(|_| NotASerialNumber)?;
        Self::from_bytes(&bytes).ok_or(NotASerialNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ones_are_long_positive_and_balanced() {
        let mut ones = 0u32;
        for _ in 0..20_000 {
            let serial = SerialNumber::random();
            assert!((16..=20).contains(&serial.to_x509().as_bytes().len()));
            ones += serial
                .as_bytes()
                .iter()
                .map(|b| b.count_ones())
                .sum::<u32>();
        }
        // 20,000 × 152 fair coins: mean 1,520,000, standard deviation 872.
        assert!((1_516_500..=1_523_500).contains(&ones), "{ones} one bits");
    }

    #[test]
    fn zero_and_oversized_are_refused() {
        assert!("00".parse::<SerialNumber>().is_err());
        assert!("".parse::<SerialNumber>().is_err());
        assert!("f".repeat(40).parse::<SerialNumber>().is_err());
        assert_eq!(
            "7F".parse::<SerialNumber>().expect("parses").to_string(),
            "7f"
        );
    }
}
