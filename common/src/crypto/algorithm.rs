use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::{Any, Decode, Encode, Sequence};
use spki::AlgorithmIdentifierOwned;

/// A kind of key that we make ourselves (`--ca-key`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySpec {
    /// NIST P-256.
    #[default]
    EcP256,
    /// NIST P-384.
    EcP384,
    /// NIST P-521.
    EcP521,
    /// RSA that signs by PKCS#1 v1.5.
    Rsa(RsaSize),
    /// RSA that signs by PSS.
    RsaPss(RsaSize),
    /// Edwards curve 25519.
    Ed25519,
    /// ML-DSA (FIPS 204).
    MlDsa(MlDsa),
}

/// The lengths of the RSA moduli that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaSize {
    /// 2,048 bits.
    Bits2048,
    /// 3,072 bits.
    Bits3072,
    /// 4,096 bits.
    Bits4096,
}

/// A parameter set of ML-DSA (FIPS 204 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlDsa {
    /// ML-DSA-44.
    Set44,
    /// ML-DSA-65.
    Set65,
    /// ML-DSA-87.
    Set87,
}

impl MlDsa {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::Set44, Self::Set65, Self::Set87];

    /// The number in its name.
    pub fn level(self) -> u32 {
        match self {
            Self::Set44 => 44,
            Self::Set65 => 65,
            Self::Set87 => 87,
        }
    }

    /// RFC 9881 §2: the same identifier for keys and signatures.
    pub fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Set44 => "2.16.840.1.101.3.4.3.17",
            Self::Set65 => "2.16.840.1.101.3.4.3.18",
            Self::Set87 => "2.16.840.1.101.3.4.3.19",
        })
    }

    /// Octets of a public key (FIPS 204 §4, table 2).
    pub fn public_key_bytes(self) -> usize {
        match self {
            Self::Set44 => 1_312,
            Self::Set65 => 1_952,
            Self::Set87 => 2_592,
        }
    }
}

impl KeySpec {
    /// Every kind with its name, in the order of documentation.
    pub const ALL: [(&'static str, Self); 13] = [
        ("ec-p256", Self::EcP256),
        ("ec-p384", Self::EcP384),
        ("ec-p521", Self::EcP521),
        ("rsa-2048", Self::Rsa(RsaSize::Bits2048)),
        ("rsa-3072", Self::Rsa(RsaSize::Bits3072)),
        ("rsa-4096", Self::Rsa(RsaSize::Bits4096)),
        ("rsa-pss-2048", Self::RsaPss(RsaSize::Bits2048)),
        ("rsa-pss-3072", Self::RsaPss(RsaSize::Bits3072)),
        ("rsa-pss-4096", Self::RsaPss(RsaSize::Bits4096)),
        ("ed25519", Self::Ed25519),
        ("ml-dsa-44", Self::MlDsa(MlDsa::Set44)),
        ("ml-dsa-65", Self::MlDsa(MlDsa::Set65)),
        ("ml-dsa-87", Self::MlDsa(MlDsa::Set87)),
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

/// A hash that we sign with. SHA-1 is not among them, so that nothing can be signed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => rfc5912::ID_SHA_256,
            Self::Sha384 => rfc5912::ID_SHA_384,
            Self::Sha512 => rfc5912::ID_SHA_512,
        }
    }

    fn bytes(self) -> u16 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The closed list of algorithms that we sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 4055 §5).
    Rsa(Hash),
    /// RSASSA-PSS (RFC 4055 §3), with a salt as long as the hash when we sign.
    RsaPss(Hash),
    /// ECDSA (RFC 5758 §3.2).
    Ecdsa(Hash),
    /// id-Ed25519 (RFC 8410 §3).
    Ed25519,
    /// ML-DSA without pre-hash (RFC 9881 §3).
    MlDsa(MlDsa),
}

impl SignatureAlgorithm {
    /// Every algorithm with the name that profiles and people use, as in Dogtag.
    pub const ALL: [(&'static str, Self); 13] = [
        ("SHA256withRSA", Self::Rsa(Hash::Sha256)),
        ("SHA384withRSA", Self::Rsa(Hash::Sha384)),
        ("SHA512withRSA", Self::Rsa(Hash::Sha512)),
        ("SHA256withRSA/PSS", Self::RsaPss(Hash::Sha256)),
        ("SHA384withRSA/PSS", Self::RsaPss(Hash::Sha384)),
        ("SHA512withRSA/PSS", Self::RsaPss(Hash::Sha512)),
        ("SHA256withEC", Self::Ecdsa(Hash::Sha256)),
        ("SHA384withEC", Self::Ecdsa(Hash::Sha384)),
        ("SHA512withEC", Self::Ecdsa(Hash::Sha512)),
        ("Ed25519", Self::Ed25519),
        ("ML-DSA-44", Self::MlDsa(MlDsa::Set44)),
        ("ML-DSA-65", Self::MlDsa(MlDsa::Set65)),
        ("ML-DSA-87", Self::MlDsa(MlDsa::Set87)),
    ];

    /// The object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Rsa(Hash::Sha256) => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
            Self::Rsa(Hash::Sha384) => rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
            Self::Rsa(Hash::Sha512) => rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
            Self::RsaPss(_) => rfc5912::ID_RSASSA_PSS,
            Self::Ecdsa(Hash::Sha256) => rfc5912::ECDSA_WITH_SHA_256,
            Self::Ecdsa(Hash::Sha384) => rfc5912::ECDSA_WITH_SHA_384,
            Self::Ecdsa(Hash::Sha512) => rfc5912::ECDSA_WITH_SHA_512,
            Self::Ed25519 => rfc8410::ID_ED_25519,
            Self::MlDsa(set) => set.oid(),
        }
    }

    /// The identifier with its parameters: NULL for RSA by PKCS#1 v1.5, hash and salt for PSS, none
    /// for the others.
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        let parameters = match self {
            Self::Rsa(_) => Some(Any::null()),
            Self::RsaPss(hash) => Some(PssParameters::new(hash).into_any()),
            Self::Ecdsa(_) | Self::Ed25519 | Self::MlDsa(_) => None,
        };
        AlgorithmIdentifierOwned {
            oid: self.oid(),
            parameters,
        }
    }

    /// The algorithm that an identifier of ours names.
    pub fn read(identifier: &AlgorithmIdentifierOwned) -> Option<Self> {
        let mut all = Self::ALL.iter().map(|(_, algorithm)| *algorithm);
        all.find(|algorithm| algorithm.identifier() == *identifier)
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, algorithm)| algorithm == self);
        f.write_str(found.ok_or(fmt::Error)?.0)
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("`{text}` is none of {}", names.join(", "))
        })
    }
}

/// RSASSA-PSS-params (RFC 4055 §3.1), as they are encoded: what is absent means SHA-1.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_bytes: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

impl PssParameters {
    fn new(hash: Hash) -> Self {
        let hash_identifier = AlgorithmIdentifierOwned {
            oid: hash.oid(),
            parameters: Some(Any::null()),
        };
        let mask = AlgorithmIdentifierOwned {
            oid: rfc5912::ID_MGF_1,
            parameters: Any::encode_from(&hash_identifier).ok(),
        };
        Self {
            hash: Some(hash_identifier),
            mask: Some(mask),
            salt_bytes: Some(hash.bytes()),
            trailer: None,
        }
    }

    fn into_any(self) -> Any {
        Any::encode_from(&self).expect("three short fields are always encodable")
    }
}

/// Hash and salt length of PSS parameters; one and the same hash of ours must be in both places.
pub(super) fn pss(parameters: &Any) -> Option<(Hash, u16)> {
    let read = PssParameters::from_der(&parameters.to_der().ok()?).ok()?;
    // RFC 4055 §2.1: NULL and absent parameters of a hash are the same.
    let hash_of = |identifier: &AlgorithmIdentifierOwned| {
        let plain = identifier.parameters.as_ref().is_none_or(Any::is_null);
        let mut all = Hash::ALL.into_iter();
        all.find(|hash| plain && hash.oid() == identifier.oid)
    };
    let hash = read.hash.as_ref().and_then(hash_of)?;
    let mask = read.mask.filter(|mask| mask.oid == rfc5912::ID_MGF_1)?;
    let mask = mask.parameters?.decode_as().ok()?;
    let fits = hash_of(&mask) == Some(hash) && read.trailer.is_none_or(|trailer| trailer == 1);
    fits.then_some((hash, read.salt_bytes.unwrap_or(20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_is_read_back_and_none_is_of_sha_1() {
        for (name, algorithm) in SignatureAlgorithm::ALL {
            let identifier = algorithm.identifier();
            assert_eq!(SignatureAlgorithm::read(&identifier), Some(algorithm));
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), name);
            let der = identifier.to_der().expect("encodes");
            let sha_1 = const_oid::db::rfc5912::ID_SHA_1.as_bytes();
            assert!(!der.windows(sha_1.len()).any(|part| part == sha_1));
        }
        for legacy in ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1"] {
            let identifier = AlgorithmIdentifierOwned {
                oid: ObjectIdentifier::new_unwrap(legacy),
                parameters: None,
            };
            assert_eq!(SignatureAlgorithm::read(&identifier), None);
        }
        assert!("SHA1withRSA".parse::<SignatureAlgorithm>().is_err());
    }

    #[test]
    fn pss_parameters_are_those_of_rfc_4055() {
        let any = SignatureAlgorithm::RsaPss(Hash::Sha256).identifier();
        let parameters = any.parameters.expect("PSS has parameters");
        assert_eq!(pss(&parameters), Some((Hash::Sha256, 32)));
        // openssl: `-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32` with SHA-256.
        let openssl = "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096\
                       086480165030402010500a203020120";
        let der = parameters.to_der().expect("encodes");
        assert_eq!(hex::encode(der), openssl.replace(char::is_whitespace, ""));
        // No parameters: SHA-1.
        let sha_1 = Any::from_der(&[0x30, 0]).expect("an empty sequence");
        assert_eq!(pss(&sha_1), None);
    }
}
