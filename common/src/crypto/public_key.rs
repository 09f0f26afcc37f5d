use std::fmt;

use aws_lc_rs::signature::{
    self as engine, RsaParameters, RsaPssSaltLength, UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::{Any, Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::algorithm::{Hash, MlDsa, pss};
use super::{sha1, sha256};

/// A named elliptic curve (RFC 5480 §2.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        })
    }
}

/// What a public key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with the modulus length in bits.
    Rsa(u32),
    /// RSA that only signs, and only by PSS (id-RSASSA-PSS, RFC 4055 §3).
    RsaPss(u32),
    /// ECDSA on a named curve.
    Ec(Curve),
    /// Ed25519.
    Ed25519,
    /// ML-DSA (RFC 9881).
    MlDsa(MlDsa),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::RsaPss(bits) => write!(f, "RSA-PSS-{bits}"),
            Self::Ec(curve) => write!(f, "EC {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa(set) => write!(f, "ML-DSA-{}", set.level()),
        }
    }
}

/// The signature does not fit the message, the key or the algorithms that we accept.
#[derive(Debug, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureInvalid;

/// Which signatures on certificate requests are accepted (`ca.legacy_request_signatures`). Nothing
/// else is ever verified by the legacy rules, and nothing is signed by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestSignatures {
    /// Those that we would make ourselves, with keys of today's sizes.
    #[default]
    Current,
    /// Also SHA-1, and RSA keys from 1,024 bits.
    Legacy,
}

/// RFC 3279 §2.2.3.
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// The shortest RSA modulus of today, in bits.
pub const RSA_BITS_MIN: u32 = 2_048;

/// A public key of a kind that we know, with its SubjectPublicKeyInfo kept as it was encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    info: SubjectPublicKeyInfoOwned,
    der: Vec<u8>,
    kind: KeyKind,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo; `Err` names what is not acceptable about it.
    pub fn new(info: SubjectPublicKeyInfoOwned) -> Result<Self, String> {
        let der = info.to_der().map_err(|e| e.to_string())?;
        let raw = info
            .subject_public_key
            .as_bytes()
            .ok_or("the public key is not a whole number of octets")?;
        let kind = kind(&info, raw)?;
        Ok(Self { info, der, kind })
    }

    /// Reads a DER SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        Self::new(SubjectPublicKeyInfoOwned::from_der(der).map_err(|e| e.to_string())?)
    }

    /// The parsed SubjectPublicKeyInfo.
    pub fn info(&self) -> &SubjectPublicKeyInfoOwned {
        &self.info
    }

    /// The SubjectPublicKeyInfo as it was encoded.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Type and size.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The content of the BIT STRING.
    pub fn raw(&self) -> &[u8] {
        self.info.subject_public_key.raw_bytes()
    }

    /// Modulus and public exponent of an RSA key, big-endian without leading zeros.
    pub fn rsa_numbers(&self) -> Option<(&[u8], &[u8])> {
        match self.kind {
            KeyKind::Rsa(_) | KeyKind::RsaPss(_) => {
                let key = pkcs1::RsaPublicKey::from_der(self.raw()).ok()?;
                Some((key.modulus.as_bytes(), key.public_exponent.as_bytes()))
            }
            KeyKind::Ec(_) | KeyKind::Ed25519 | KeyKind::MlDsa(_) => None,
        }
    }

    /// SHA-256 of the SubjectPublicKeyInfo: how we name keys.
    pub fn spki_sha256(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// The key identifier of RFC 7093 §2 (1): the leftmost 160 bits of SHA-256 of the BIT STRING.
    pub fn key_identifier(&self) -> [u8; 20] {
        let mut id = [0; 20];
        id.copy_from_slice(&sha256(self.raw())[..20]);
        id
    }

    /// SHA-1 of the BIT STRING content, as RFC 6960 §4.2.1 names responders.
    pub fn sha1(&self) -> [u8; 20] {
        sha1(self.raw())
    }

    /// Checks `signature` over `message`. SHA-1, RSA keys below 2,048 bits and unknown algorithms
    /// never verify.
    pub fn verify(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureInvalid> {
        if let rfc5912::ID_RSASSA_PSS = algorithm.oid {
            return self.verify_pss(algorithm, message, signature);
        }
        let verifier = verifier(self.kind, algorithm.oid).ok_or(SignatureInvalid)?;
        UnparsedPublicKey::new(verifier, self.raw())
            .verify(message, signature)
            .map_err(|_| SignatureInvalid)
    }

    /// Checks the signature of a certificate request.
    pub fn verify_request(
        &self,
        accepted: RequestSignatures,
        algorithm: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureInvalid> {
        let legacy = match accepted {
            RequestSignatures::Current => None,
            RequestSignatures::Legacy => legacy_verifier(self.kind, algorithm.oid),
        };
        match legacy {
            None => self.verify(algorithm, message, signature),
            Some(verifier) => UnparsedPublicKey::new(verifier, self.raw())
                .verify(message, signature)
                .map_err(|_| SignatureInvalid),
        }
    }

    /// RFC 4055 §3.1: salts of every length, one hash for message and mask.
    fn verify_pss(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureInvalid> {
        let parameters = algorithm.parameters.as_ref().ok_or(SignatureInvalid)?;
        let (hash, salt_bytes) = pss(parameters).ok_or(SignatureInvalid)?;
        let allowed = match self.kind {
            KeyKind::Rsa(_) => true,
            KeyKind::RsaPss(_) => match &self.info.algorithm.parameters {
                None => true,
                Some(own) => {
                    pss(own).is_some_and(|(own, floor)| own == hash && salt_bytes >= floor)
                }
            },
            KeyKind::Ec(_) | KeyKind::Ed25519 | KeyKind::MlDsa(_) => false,
        };
        let verifier: RsaParameters = match hash {
            Hash::Sha256 => engine::RSA_PSS_2048_8192_SHA256,
            Hash::Sha384 => engine::RSA_PSS_2048_8192_SHA384,
            Hash::Sha512 => engine::RSA_PSS_2048_8192_SHA512,
        };
        let verifier = verifier.with_pss_salt_length(RsaPssSaltLength::Custom(salt_bytes));
        let verified = verifier.verify_sig(self.raw(), message, signature);
        match allowed && verified.is_ok() {
            true => Ok(()),
            false => Err(SignatureInvalid),
        }
    }
}

fn kind(info: &SubjectPublicKeyInfoOwned, raw: &[u8]) -> Result<KeyKind, String> {
    let oid = info.algorithm.oid;
    let parameters = info.algorithm.parameters.as_ref();
    if let Some(set) = MlDsa::ALL.into_iter().find(|set| set.oid() == oid) {
        // RFC 9881 §2 and §4.
        return match parameters.is_none() && raw.len() == set.public_key_bytes() {
            true => Ok(KeyKind::MlDsa(set)),
            false => Err(format!(
                "an ML-DSA-{} key has {} octets and no parameters",
                set.level(),
                set.public_key_bytes()
            )),
        };
    }
    match oid {
        rfc5912::RSA_ENCRYPTION => Ok(KeyKind::Rsa(rsa_bits(raw)?)),
        rfc5912::ID_RSASSA_PSS => match parameters.is_none_or(|own| pss(own).is_some()) {
            true => Ok(KeyKind::RsaPss(rsa_bits(raw)?)),
            false => Err("the PSS parameters name other hashes than SHA-2".into()),
        },
        rfc5912::ID_EC_PUBLIC_KEY => {
            let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
            let curve = match curve {
                Some(rfc5912::SECP_256_R_1) => Curve::P256,
                Some(rfc5912::SECP_384_R_1) => Curve::P384,
                Some(rfc5912::SECP_521_R_1) => Curve::P521,
                _ => return Err("the curve is none of P-256, P-384, P-521".into()),
            };
            point(curve, raw)?;
            Ok(KeyKind::Ec(curve))
        }
        rfc8410::ID_ED_25519 => match parameters.is_none() && raw.len() == 32 {
            true => Ok(KeyKind::Ed25519),
            false => Err("an Ed25519 key has 32 octets and no parameters".into()),
        },
        other => Err(format!("keys of algorithm {other} are not supported")),
    }
}

/// What an RSA key must be to be read at all. Whether it is good enough is for the lint to say.
fn rsa_bits(raw: &[u8]) -> Result<u32, String> {
    let key = pkcs1::RsaPublicKey::from_der(raw)
        .map_err(|_| "the RSA public key cannot be read".to_owned())?;
    let modulus = key.modulus.as_bytes();
    let first = modulus.first().ok_or("the RSA modulus is empty")?;
    let bits = u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX) - first.leading_zeros();
    if !(1024..=8192).contains(&bits) {
        return Err(format!(
            "an RSA key of {bits} bits is not within 2048 to 8192"
        ));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // NIST SP 800-89 §5.3.3: exponents are odd and below 2^256.
    let exponent = key.public_exponent.as_bytes();
    if !odd(exponent) || exponent == [1] || exponent.len() > 32 {
        return Err("the RSA public exponent is not an odd number from 3 to 2^256".into());
    }
    if !odd(modulus) {
        return Err("the RSA modulus is even".into());
    }
    Ok(bits)
}

fn point(curve: Curve, raw: &[u8]) -> Result<(), String> {
    use aws_lc_rs::agreement::{ECDH_P256, ECDH_P384, ECDH_P521, UnparsedPublicKey};
    let (size, algorithm) = match curve {
        Curve::P256 => (65, &ECDH_P256),
        Curve::P384 => (97, &ECDH_P384),
        Curve::P521 => (133, &ECDH_P521),
    };
    // RFC 5480 §2.2: both forms are allowed, every consumer knows the uncompressed one.
    let uncompressed = raw.len() == size && raw.first() == Some(&4);
    let parsed =
        aws_lc_rs::agreement::ParsedPublicKey::try_from(UnparsedPublicKey::new(algorithm, raw));
    match uncompressed && parsed.is_ok() {
        true => Ok(()),
        false => Err(format!(
            "the public key is no uncompressed point on {curve}"
        )),
    }
}

fn verifier(
    kind: KeyKind,
    algorithm: ObjectIdentifier,
) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, algorithm) {
        (KeyKind::Rsa(_), rfc5912::SHA_256_WITH_RSA_ENCRYPTION) => {
            &engine::RSA_PKCS1_2048_8192_SHA256
        }
        (KeyKind::Rsa(_), rfc5912::SHA_384_WITH_RSA_ENCRYPTION) => {
            &engine::RSA_PKCS1_2048_8192_SHA384
        }
        (KeyKind::Rsa(_), rfc5912::SHA_512_WITH_RSA_ENCRYPTION) => {
            &engine::RSA_PKCS1_2048_8192_SHA512
        }
        (KeyKind::Ec(Curve::P256), rfc5912::ECDSA_WITH_SHA_256) => &engine::ECDSA_P256_SHA256_ASN1,
        (KeyKind::Ec(Curve::P256), rfc5912::ECDSA_WITH_SHA_384) => &engine::ECDSA_P256_SHA384_ASN1,
        (KeyKind::Ec(Curve::P256), rfc5912::ECDSA_WITH_SHA_512) => &engine::ECDSA_P256_SHA512_ASN1,
        (KeyKind::Ec(Curve::P384), rfc5912::ECDSA_WITH_SHA_256) => &engine::ECDSA_P384_SHA256_ASN1,
        (KeyKind::Ec(Curve::P384), rfc5912::ECDSA_WITH_SHA_384) => &engine::ECDSA_P384_SHA384_ASN1,
        (KeyKind::Ec(Curve::P384), rfc5912::ECDSA_WITH_SHA_512) => &engine::ECDSA_P384_SHA512_ASN1,
        (KeyKind::Ec(Curve::P521), rfc5912::ECDSA_WITH_SHA_256) => &engine::ECDSA_P521_SHA256_ASN1,
        (KeyKind::Ec(Curve::P521), rfc5912::ECDSA_WITH_SHA_384) => &engine::ECDSA_P521_SHA384_ASN1,
        (KeyKind::Ec(Curve::P521), rfc5912::ECDSA_WITH_SHA_512) => &engine::ECDSA_P521_SHA512_ASN1,
        (KeyKind::Ed25519, rfc8410::ID_ED_25519) => &engine::ED25519,
        (KeyKind::MlDsa(set), oid) if oid == set.oid() => match set {
            MlDsa::Set44 => &engine::ML_DSA_44,
            MlDsa::Set65 => &engine::ML_DSA_65,
            MlDsa::Set87 => &engine::ML_DSA_87,
        },
        _ => return None,
    })
}

/// What verifies only under the compatibility switch, where [`verifier`] says no. The engine has no
/// SHA-1 for P-384 and no SHA-384 for short RSA keys.
fn legacy_verifier(
    kind: KeyKind,
    algorithm: ObjectIdentifier,
) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, algorithm) {
        (KeyKind::Rsa(_), rfc5912::SHA_1_WITH_RSA_ENCRYPTION) => {
            &engine::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
        }
        (KeyKind::Rsa(bits), rfc5912::SHA_256_WITH_RSA_ENCRYPTION) if bits < RSA_BITS_MIN => {
            &engine::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (KeyKind::Rsa(bits), rfc5912::SHA_512_WITH_RSA_ENCRYPTION) if bits < RSA_BITS_MIN => {
            &engine::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        (KeyKind::Ec(Curve::P256), ECDSA_WITH_SHA_1) => &engine::ECDSA_P256_SHA1_ASN1,
        (KeyKind::Ec(Curve::P521), ECDSA_WITH_SHA_1) => &engine::ECDSA_P521_SHA1_ASN1,
        _ => return None,
    })
}

/// Whether the identifier names a signature over SHA-1, for a clear answer.
pub(crate) fn is_sha1(algorithm: &AlgorithmIdentifierOwned) -> bool {
    match algorithm.oid {
        rfc5912::SHA_1_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_1 => true,
        rfc5912::ID_RSASSA_PSS => {
            let sha1 = Any::encode_from(&rfc5912::ID_SHA_1).and_then(|any| any.to_der());
            let named = |parameters: &Any| {
                let value = parameters.value();
                sha1.as_ref().is_ok_and(|sha1| {
                    value
                        .windows(sha1.len())
                        .any(|part| part == sha1.as_slice())
                })
            };
            // Absent means SHA-1.
            algorithm
                .parameters
                .as_ref()
                .is_none_or(|parameters| parameters.value().is_empty() || named(parameters))
        }
        _ => false,
    }
}
