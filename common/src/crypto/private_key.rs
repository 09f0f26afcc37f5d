use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self as engine, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, PqdsaSigningAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::asn1::BitString;
use der::{Any, Decode, Encode};
use pkcs8::PrivateKeyInfo;
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};

use super::algorithm::{Hash, MlDsa, RsaSize};
use super::{KeySpec, PublicKey, Secret, SignatureAlgorithm};

/// Why a private key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The encoding or the algorithm is not one of ours.
    #[error("the private key cannot be read")]
    Unreadable,
    /// The engine refused to make or use it.
    #[error("the crypto engine failed")]
    Engine,
    /// The password, key-encryption key or file is not the right one.
    #[error("the private key cannot be decrypted")]
    Locked,
}

enum Engine {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

/// A private key in software. It signs; nothing else comes out of it.
pub struct PrivateKey {
    engine: Engine,
    algorithms: &'static [SignatureAlgorithm],
    public_key: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key.kind())
    }
}

const RSA: [SignatureAlgorithm; 6] = [
    SignatureAlgorithm::Rsa(Hash::Sha256),
    SignatureAlgorithm::Rsa(Hash::Sha384),
    SignatureAlgorithm::Rsa(Hash::Sha512),
    SignatureAlgorithm::RsaPss(Hash::Sha256),
    SignatureAlgorithm::RsaPss(Hash::Sha384),
    SignatureAlgorithm::RsaPss(Hash::Sha512),
];

impl PrivateKey {
    /// Makes a new key and its PKCS#8 form (RFC 5958) for safe-keeping.
    pub fn generate(spec: KeySpec) -> Result<(Self, Secret), KeyError> {
        let pkcs8 = match spec {
            KeySpec::EcP256 => ec(&engine::ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeySpec::EcP384 => ec(&engine::ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeySpec::EcP521 => ec(&engine::ECDSA_P521_SHA512_ASN1_SIGNING)?,
            KeySpec::Rsa(size) => rsa(size)?,
            KeySpec::RsaPss(size) => for_pss(&rsa(size)?)?,
            KeySpec::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Engine)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Engine)?;
                Secret::new(pkcs8.as_ref().to_vec())
            }
            KeySpec::MlDsa(set) => {
                let pair = PqdsaKeyPair::generate(ml_dsa(set).0).map_err(|_| KeyError::Engine)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Engine)?;
                Secret::new(pkcs8.as_ref().to_vec())
            }
        };
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// Reads a PKCS#8 PrivateKeyInfo.
    pub fn from_pkcs8(pkcs8: &Secret) -> Result<Self, KeyError> {
        let der = pkcs8.expose();
        let info = PrivateKeyInfo::from_der(der).map_err(|_| KeyError::Unreadable)?;
        let set = MlDsa::ALL
            .into_iter()
            .find(|set| set.oid() == info.algorithm.oid);
        let (engine, algorithms) = match (set, info.algorithm.oid) {
            (Some(set), _) => {
                let (signing, algorithms) = ml_dsa(set);
                let pair =
                    PqdsaKeyPair::from_pkcs8(signing, der).map_err(|_| KeyError::Unreadable)?;
                (Engine::MlDsa(pair), algorithms)
            }
            (None, rfc5912::RSA_ENCRYPTION) => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Unreadable)?;
                (Engine::Rsa(pair), RSA.as_slice())
            }
            // This identifier only says how the key signs. In its certificate it is a plain RSA key,
            // which everybody can read.
            (None, rfc5912::ID_RSASSA_PSS) => {
                let pair =
                    RsaKeyPair::from_der(info.private_key).map_err(|_| KeyError::Unreadable)?;
                (Engine::Rsa(pair), &RSA[3..])
            }
            (None, rfc5912::ID_EC_PUBLIC_KEY) => {
                let (signing, algorithms) = ec_curve(info.algorithm.parameters_oid().ok())?;
                let pair =
                    EcdsaKeyPair::from_pkcs8(signing, der).map_err(|_| KeyError::Unreadable)?;
                (Engine::Ec(pair), algorithms)
            }
            (None, rfc8410::ID_ED_25519) => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .map_err(|_| KeyError::Unreadable)?;
                (
                    Engine::Ed25519(pair),
                    [SignatureAlgorithm::Ed25519].as_slice(),
                )
            }
            (None, _) => return Err(KeyError::Unreadable),
        };
        let public_key = public_key(&engine, algorithms[0])?;
        Ok(Self {
            engine,
            algorithms,
            public_key,
        })
    }

    /// What its signatures are when nobody asks for something else.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithms[0]
    }

    /// All that it can sign with, the usual one first.
    pub fn algorithms(&self) -> &'static [SignatureAlgorithm] {
        self.algorithms
    }

    /// The other half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Signs `message` in the usual way; the result goes into a BIT STRING as it is.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign_with(self.algorithm(), message)
    }

    /// Signs `message` with one of [`Self::algorithms`].
    pub fn sign_with(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::Unreadable);
        }
        let random = SystemRandom::new();
        match &self.engine {
            Engine::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding(algorithm)?, &random, message, &mut signature)
                    .map_err(|_| KeyError::Engine)?;
                Ok(signature)
            }
            Engine::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Engine)?;
                Ok(signature.as_ref().to_vec())
            }
            Engine::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Engine::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature)
                    .map_err(|_| KeyError::Engine)?;
                Ok(signature)
            }
        }
    }
}

fn padding(algorithm: SignatureAlgorithm) -> Result<&'static dyn engine::RsaEncoding, KeyError> {
    Ok(match algorithm {
        SignatureAlgorithm::Rsa(Hash::Sha256) => &engine::RSA_PKCS1_SHA256,
        SignatureAlgorithm::Rsa(Hash::Sha384) => &engine::RSA_PKCS1_SHA384,
        SignatureAlgorithm::Rsa(Hash::Sha512) => &engine::RSA_PKCS1_SHA512,
        SignatureAlgorithm::RsaPss(Hash::Sha256) => &engine::RSA_PSS_SHA256,
        SignatureAlgorithm::RsaPss(Hash::Sha384) => &engine::RSA_PSS_SHA384,
        SignatureAlgorithm::RsaPss(Hash::Sha512) => &engine::RSA_PSS_SHA512,
        SignatureAlgorithm::Ecdsa(_)
        | SignatureAlgorithm::Ed25519
        | SignatureAlgorithm::MlDsa(_) => return Err(KeyError::Unreadable),
    })
}

type Signing<T> = (&'static T, &'static [SignatureAlgorithm]);

/// The engine signs with one hash for each curve: the one of the same strength.
fn ec_curve(
    curve: Option<ObjectIdentifier>,
) -> Result<Signing<engine::EcdsaSigningAlgorithm>, KeyError> {
    Ok(match curve {
        Some(rfc5912::SECP_256_R_1) => (
            &engine::ECDSA_P256_SHA256_ASN1_SIGNING,
            &[SignatureAlgorithm::Ecdsa(Hash::Sha256)],
        ),
        Some(rfc5912::SECP_384_R_1) => (
            &engine::ECDSA_P384_SHA384_ASN1_SIGNING,
            &[SignatureAlgorithm::Ecdsa(Hash::Sha384)],
        ),
        Some(rfc5912::SECP_521_R_1) => (
            &engine::ECDSA_P521_SHA512_ASN1_SIGNING,
            &[SignatureAlgorithm::Ecdsa(Hash::Sha512)],
        ),
        _ => return Err(KeyError::Unreadable),
    })
}

fn ml_dsa(set: MlDsa) -> Signing<PqdsaSigningAlgorithm> {
    match set {
        MlDsa::Set44 => (
            &engine::ML_DSA_44_SIGNING,
            &[SignatureAlgorithm::MlDsa(MlDsa::Set44)],
        ),
        MlDsa::Set65 => (
            &engine::ML_DSA_65_SIGNING,
            &[SignatureAlgorithm::MlDsa(MlDsa::Set65)],
        ),
        MlDsa::Set87 => (
            &engine::ML_DSA_87_SIGNING,
            &[SignatureAlgorithm::MlDsa(MlDsa::Set87)],
        ),
    }
}

fn ec(algorithm: &'static engine::EcdsaSigningAlgorithm) -> Result<Secret, KeyError> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| KeyError::Engine)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Engine)?;
    Ok(Secret::new(pkcs8.as_ref().to_vec()))
}

fn rsa(size: RsaSize) -> Result<Secret, KeyError> {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let pair = RsaKeyPair::generate(match size {
        RsaSize::Bits2048 => KeySize::Rsa2048,
        RsaSize::Bits3072 => KeySize::Rsa3072,
        RsaSize::Bits4096 => KeySize::Rsa4096,
    })
    .map_err(|_| KeyError::Engine)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Engine)?;
    Ok(Secret::new(pkcs8.as_ref().to_vec()))
}

/// The same key, marked as one that signs by PSS.
fn for_pss(pkcs8: &Secret) -> Result<Secret, KeyError> {
    let info = PrivateKeyInfo::from_der(pkcs8.expose()).map_err(|_| KeyError::Unreadable)?;
    let algorithm = AlgorithmIdentifierRef {
        oid: rfc5912::ID_RSASSA_PSS,
        parameters: None,
    };
    let marked = PrivateKeyInfo::new(algorithm, info.private_key);
    Ok(Secret::new(marked.to_der().map_err(|_| KeyError::Engine)?))
}

fn public_key(engine: &Engine, algorithm: SignatureAlgorithm) -> Result<PublicKey, KeyError> {
    let (oid, parameters, raw) = match engine {
        Engine::Rsa(pair) => {
            let raw = pair.public_key().as_ref().to_vec();
            (rfc5912::RSA_ENCRYPTION, Some(Any::null()), raw)
        }
        Engine::Ec(pair) => {
            let raw = pair.public_key().as_ref().to_vec();
            let curve = match raw.len() {
                65 => rfc5912::SECP_256_R_1,
                97 => rfc5912::SECP_384_R_1,
                _ => rfc5912::SECP_521_R_1,
            };
            (rfc5912::ID_EC_PUBLIC_KEY, Some(Any::from(curve)), raw)
        }
        Engine::Ed25519(pair) => {
            let raw = pair.public_key().as_ref().to_vec();
            (rfc8410::ID_ED_25519, None, raw)
        }
        Engine::MlDsa(pair) => (algorithm.oid(), None, pair.public_key().as_ref().to_vec()),
    };
    let info = SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters },
        subject_public_key: BitString::from_bytes(&raw).map_err(|_| KeyError::Unreadable)?,
    };
    PublicKey::new(info).map_err(|_| KeyError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_signs_and_verifies_in_all_its_ways() {
        for (name, spec) in KeySpec::ALL {
            let (key, pkcs8) = PrivateKey::generate(spec).expect(name);
            let reread = PrivateKey::from_pkcs8(&pkcs8).expect(name);
            assert_eq!(reread.algorithm(), key.algorithm(), "{name}");
            assert_eq!(reread.public_key(), key.public_key(), "{name}");
            for algorithm in key.algorithms() {
                let signature = key.sign_with(*algorithm, b"message").expect(name);
                let identifier = algorithm.identifier();
                let verify = |message| key.public_key().verify(&identifier, message, &signature);
                assert!(verify(b"message").is_ok(), "{name} {algorithm}");
                assert!(verify(b"massage").is_err(), "{name} {algorithm}");
            }
            let foreign = SignatureAlgorithm::ALL.map(|(_, algorithm)| algorithm);
            for algorithm in foreign.iter().filter(|a| !key.algorithms().contains(a)) {
                assert!(key.sign_with(*algorithm, b"message").is_err(), "{name}");
            }
        }
    }

    #[test]
    fn a_pss_key_signs_by_nothing_else() {
        let spec = KeySpec::RsaPss(RsaSize::Bits2048);
        let (key, _) = PrivateKey::generate(spec).expect("generates");
        assert_eq!(key.algorithm(), SignatureAlgorithm::RsaPss(Hash::Sha256));
        assert!(
            key.sign_with(SignatureAlgorithm::Rsa(Hash::Sha256), b"m")
                .is_err()
        );
    }
}
