use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self as engine, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::asn1::BitString;
use der::{Any, Decode};
use pkcs8::PrivateKeyInfo;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

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
}

/// A private key in software. It signs; nothing else comes out of it.
pub struct PrivateKey {
    engine: Engine,
    algorithm: SignatureAlgorithm,
    public_key: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key.kind())
    }
}

impl PrivateKey {
    /// Makes a new key and its PKCS#8 form (RFC 5958) for safe-keeping.
    pub fn generate(spec: KeySpec) -> Result<(Self, Secret), KeyError> {
        let pkcs8 = match spec {
            KeySpec::EcP256 => ec(&engine::ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeySpec::EcP384 => ec(&engine::ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeySpec::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeySpec::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeySpec::Rsa4096 => rsa(KeySize::Rsa4096)?,
            KeySpec::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Engine)?;
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
        let (engine, algorithm) = match info.algorithm.oid {
            rfc5912::RSA_ENCRYPTION => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Unreadable)?;
                (Engine::Rsa(pair), SignatureAlgorithm::RsaSha256)
            }
            rfc5912::ID_EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters_oid().ok();
                let (signing, algorithm) = match curve {
                    Some(rfc5912::SECP_256_R_1) => (
                        &engine::ECDSA_P256_SHA256_ASN1_SIGNING,
                        SignatureAlgorithm::EcdsaSha256,
                    ),
                    Some(rfc5912::SECP_384_R_1) => (
                        &engine::ECDSA_P384_SHA384_ASN1_SIGNING,
                        SignatureAlgorithm::EcdsaSha384,
                    ),
                    _ => return Err(KeyError::Unreadable),
                };
                let pair =
                    EcdsaKeyPair::from_pkcs8(signing, der).map_err(|_| KeyError::Unreadable)?;
                (Engine::Ec(pair), algorithm)
            }
            rfc8410::ID_ED_25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .map_err(|_| KeyError::Unreadable)?;
                (Engine::Ed25519(pair), SignatureAlgorithm::Ed25519)
            }
            _ => return Err(KeyError::Unreadable),
        };
        let public_key = public_key(&engine, algorithm)?;
        Ok(Self {
            engine,
            algorithm,
            public_key,
        })
    }

    /// What its signatures are.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The other half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Signs `message`; the result goes into a BIT STRING as it is.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.engine {
            Engine::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&engine::RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Engine)?;
                Ok(signature)
            }
            Engine::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Engine)?;
                Ok(signature.as_ref().to_vec())
            }
            Engine::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

fn ec(algorithm: &'static engine::EcdsaSigningAlgorithm) -> Result<Secret, KeyError> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| KeyError::Engine)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Engine)?;
    Ok(Secret::new(pkcs8.as_ref().to_vec()))
}

fn rsa(size: KeySize) -> Result<Secret, KeyError> {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let pair = RsaKeyPair::generate(size).map_err(|_| KeyError::Engine)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Engine)?;
    Ok(Secret::new(pkcs8.as_ref().to_vec()))
}

fn public_key(engine: &Engine, algorithm: SignatureAlgorithm) -> Result<PublicKey, KeyError> {
    let (oid, parameters, raw) = match engine {
        Engine::Rsa(pair) => {
            let raw = pair.public_key().as_ref().to_vec();
            (rfc5912::RSA_ENCRYPTION, Some(Any::null()), raw)
        }
        Engine::Ec(pair) => {
            let curve: ObjectIdentifier = match algorithm {
                SignatureAlgorithm::EcdsaSha384 => rfc5912::SECP_384_R_1,
                SignatureAlgorithm::EcdsaSha256
                | SignatureAlgorithm::RsaSha256
                | SignatureAlgorithm::Ed25519 => rfc5912::SECP_256_R_1,
            };
            let raw = pair.public_key().as_ref().to_vec();
            (rfc5912::ID_EC_PUBLIC_KEY, Some(Any::from(curve)), raw)
        }
        Engine::Ed25519(pair) => {
            let raw = pair.public_key().as_ref().to_vec();
            (rfc8410::ID_ED_25519, None, raw)
        }
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
    fn every_kind_signs_and_verifies() {
        for (name, spec) in KeySpec::ALL {
            let (key, _) = PrivateKey::generate(spec).expect(name);
            let signature = key.sign(b"message").expect(name);
            let identifier = key.algorithm().identifier();
            let verified = key.public_key().verify(&identifier, b"message", &signature);
            assert!(verified.is_ok(), "{name}");
            let refused = key.public_key().verify(&identifier, b"massage", &signature);
            assert!(refused.is_err(), "{name}");
        }
    }
}
