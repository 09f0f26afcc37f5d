use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Any;
use spki::AlgorithmIdentifierOwned;

/// A kind of key that we make ourselves (`--ca-key`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySpec {
    /// NIST P-256.
    #[default]
    EcP256,
    /// NIST P-384.
    EcP384,
    /// RSA with a 2,048-bit modulus.
    Rsa2048,
    /// RSA with a 3,072-bit modulus.
    Rsa3072,
    /// RSA with a 4,096-bit modulus.
    Rsa4096,
    /// Edwards curve 25519.
    Ed25519,
}

impl KeySpec {
    /// Every kind with its name, in the order of documentation.
    pub const ALL: [(&'static str, Self); 6] = [
        ("ec-p256", Self::EcP256),
        ("ec-p384", Self::EcP384),
        ("rsa-2048", Self::Rsa2048),
        ("rsa-3072", Self::Rsa3072),
        ("rsa-4096", Self::Rsa4096),
        ("ed25519", Self::Ed25519),
    ];
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = Self::ALL
            .iter()
            .find(|(_, spec)| spec == self)
            .ok_or(fmt::Error)?;
        f.write_str(name)
    }
}

impl FromStr for KeySpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, spec)| *spec).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("`{text}` is none of {}", names.join(", "))
        })
    }
}

/// The closed list of algorithms that we sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// sha256WithRSAEncryption (RFC 4055 §5).
    RsaSha256,
    /// ecdsa-with-SHA256 (RFC 5758 §3.2).
    EcdsaSha256,
    /// ecdsa-with-SHA384 (RFC 5758 §3.2).
    EcdsaSha384,
    /// id-Ed25519 (RFC 8410 §3).
    Ed25519,
}

impl SignatureAlgorithm {
    /// The object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::RsaSha256 => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
            Self::EcdsaSha256 => rfc5912::ECDSA_WITH_SHA_256,
            Self::EcdsaSha384 => rfc5912::ECDSA_WITH_SHA_384,
            Self::Ed25519 => rfc8410::ID_ED_25519,
        }
    }

    /// The identifier with its parameters: NULL for RSA, none for the others.
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned {
            oid: self.oid(),
            parameters: (self == Self::RsaSha256).then(Any::null),
        }
    }
}
