use std::fmt;

use aws_lc_rs::signature::{self as engine, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

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
    /// ECDSA on a named curve.
    Ec(Curve),
    /// Ed25519.
    Ed25519,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::Ec(curve) => write!(f, "EC {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// The signature does not fit the message, the key or the algorithms that we accept.
#[derive(Debug, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureInvalid;

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

    /// Type and size.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The content of the BIT STRING.
    pub fn raw(&self) -> &[u8] {
        self.info.subject_public_key.raw_bytes()
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

    /// Checks `signature` over `message`. SHA-1 and unknown algorithms never verify.
    pub fn verify(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureInvalid> {
        let verifier = verifier(self.kind, algorithm.oid).ok_or(SignatureInvalid)?;
        UnparsedPublicKey::new(verifier, self.raw())
            .verify(message, signature)
            .map_err(|_| SignatureInvalid)
    }
}

fn kind(info: &SubjectPublicKeyInfoOwned, raw: &[u8]) -> Result<KeyKind, String> {
    match info.algorithm.oid {
        rfc5912::RSA_ENCRYPTION => {
            let key = pkcs1::RsaPublicKey::from_der(raw)
                .map_err(|_| "the RSA public key cannot be read".to_owned())?;
            rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
        }
        rfc5912::ID_EC_PUBLIC_KEY => {
            let parameters = info.algorithm.parameters.as_ref();
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
        rfc8410::ID_ED_25519 if raw.len() == 32 => Ok(KeyKind::Ed25519),
        rfc8410::ID_ED_25519 => Err("an Ed25519 key has 32 octets".into()),
        other => Err(format!("keys of algorithm {other} are not supported")),
    }
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<KeyKind, String> {
    let first = modulus.first().ok_or("the RSA modulus is empty")?;
    let bits = u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX) - first.leading_zeros();
    if !(2048..=8192).contains(&bits) {
        return Err(format!(
            "an RSA key of {bits} bits is not within 2048 to 8192"
        ));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // NIST SP 800-89 §5.3.3: exponents are odd, above 2^16 and below 2^256.
    if !odd(exponent) || exponent.len() < 3 || exponent.len() > 32 {
        return Err("the RSA public exponent is not an odd number from 65537 to 2^256".into());
    }
    if !odd(modulus) {
        return Err("the RSA modulus is even".into());
    }
    Ok(KeyKind::Rsa(bits))
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
        _ => return None,
    })
}
