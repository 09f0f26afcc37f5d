use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use der::{Decode, Encode};
use pkcs8::EncryptedPrivateKeyInfo;
use zeroize::Zeroizing;

use super::{KeyError, PrivateKey, Secret, pbes2};
use crate::{entropy, folder};

/// PBKDF2 rounds under a password that is itself 256 random bits: stretching adds nothing.
const ROUNDS: u32 = 2_048;

/// Where the key-encryption key comes from (setting `secret_key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `file:PATH`: 32 bytes.
    File(PathBuf),
    /// `env:NAME`: 64 hex digits.
    Environment(String),
    /// `credential:NAME`: 32 bytes in the folder that systemd names in `CREDENTIALS_DIRECTORY`.
    Credential(String),
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(("env", name)) => Ok(Self::Environment(name.into())),
            Some(("credential", name)) => Ok(Self::Credential(name.into())),
            _ => Err(format!(
                "`{text}` is none of file:PATH, env:NAME, credential:NAME"
            )),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

/// The 256-bit key under which software keys rest on disk.
#[derive(Clone)]
pub struct KeyEncryptionKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey")
    }
}

impl KeyEncryptionKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(entropy::bytes()))
    }

    /// Reads the key from where `source` says; `Err` is one sentence for the operator.
    pub fn load(source: &KeySource) -> Result<Self, String> {
        let bytes = match source {
            KeySource::File(path) => read(path)?,
            KeySource::Environment(name) => {
                let text = crate::config::environment(name)
                    .ok_or_else(|| format!("the environment variable {name} is not set"))?;
                Zeroizing::new(hex::decode(text.trim()).unwrap_or_default())
            }
            KeySource::Credential(name) => {
                let folder = crate::config::environment("CREDENTIALS_DIRECTORY").ok_or(
                    "CREDENTIALS_DIRECTORY is not set: not started by systemd with credentials",
                )?;
                read(&Path::new(&folder).join(name))?
            }
        };
        let key = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| format!("the key-encryption key of {source} is not 32 bytes"))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Writes the key to a new file that only its owner can read.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        folder::write_secret(path, &*self.0)
    }

    /// Encrypts a PKCS#8 key to a PEM `ENCRYPTED PRIVATE KEY`. Its password is this key in hex, so
    /// that `openssl pkcs8` opens it in an emergency.
    pub fn seal_private_key(&self, pkcs8: &Secret) -> Result<String, KeyError> {
        let (algorithm, data) = pbes2::encrypt(self.password().as_bytes(), ROUNDS, pkcs8.expose())?;
        let algorithm = algorithm.to_der().map_err(|_| KeyError::Engine)?;
        let sealed = EncryptedPrivateKeyInfo {
            encryption_algorithm: Decode::from_der(&algorithm).map_err(|_| KeyError::Engine)?,
            encrypted_data: &data,
        };
        let der = sealed.to_der().map_err(|_| KeyError::Engine)?;
        der::pem::encode_string("ENCRYPTED PRIVATE KEY", der::pem::LineEnding::LF, &der)
            .map_err(|_| KeyError::Engine)
    }

    /// Opens what [`Self::seal_private_key`] made.
    pub fn open_private_key(&self, pem: &str) -> Result<(PrivateKey, Secret), KeyError> {
        let (_, der) = der::pem::decode_vec(pem.as_bytes()).map_err(|_| KeyError::Unreadable)?;
        let sealed = EncryptedPrivateKeyInfo::from_der(&der).map_err(|_| KeyError::Unreadable)?;
        let password = self.password();
        let pkcs8 = pbes2::decrypt(
            password.as_bytes(),
            &sealed.encryption_algorithm,
            sealed.encrypted_data,
        )?;
        Ok((PrivateKey::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// Wraps a symmetric key (AES-256-KWP, RFC 5649).
    pub fn wrap(&self, key: &Secret) -> Result<Vec<u8>, KeyError> {
        let mut out = vec![0; key.expose().len() + 16];
        let kek = AesKek::new(&AES_256, &*self.0).map_err(|_| KeyError::Engine)?;
        let wrapped = kek
            .wrap_with_padding(key.expose(), &mut out)
            .map_err(|_| KeyError::Engine)?;
        Ok(wrapped.to_vec())
    }

    /// Unwraps what [`Self::wrap`] made.
    pub fn unwrap_key(&self, wrapped: &[u8]) -> Result<Secret, KeyError> {
        let mut out = Zeroizing::new(vec![0; wrapped.len() + 8]);
        let kek = AesKek::new(&AES_256, &*self.0).map_err(|_| KeyError::Engine)?;
        let key = kek
            .unwrap_with_padding(wrapped, &mut out)
            .map_err(|_| KeyError::Locked)?;
        Ok(Secret::new(key.to_vec()))
    }

    fn password(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(*self.0))
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeySpec;

    #[test]
    fn a_sealed_key_opens_only_under_its_key() {
        let kek = KeyEncryptionKey::generate();
        let (key, pkcs8) = PrivateKey::generate(KeySpec::EcP256).expect("generates");
        let pem = kek.seal_private_key(&pkcs8).expect("seals");
        let (opened, _) = kek.open_private_key(&pem).expect("opens");
        assert_eq!(opened.public_key(), key.public_key());
        assert!(KeyEncryptionKey::generate().open_private_key(&pem).is_err());
    }

    #[test]
    fn a_wrapped_key_unwraps_only_under_its_key() {
        let kek = KeyEncryptionKey::generate();
        let wrapped = kek.wrap(&Secret::new(vec![7; 32])).expect("wraps");
        assert_eq!(kek.unwrap_key(&wrapped).expect("unwraps").expose(), [7; 32]);
        assert!(KeyEncryptionKey::generate().unwrap_key(&wrapped).is_err());
    }
}
