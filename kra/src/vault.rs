//! The storage key: what archived secrets will rest under.

use std::path::Path;

use common::crypto::{KeyEncryptionKey, Secret};
use common::{entropy, folder};

const FILE: &str = "storage.key";

/// Holds the storage key; it never leaves.
#[derive(Debug)]
pub struct Vault {
    _storage_key: Secret,
}

impl Vault {
    /// Makes a new AES-256 storage key in `folder`, wrapped under `kek` (RFC 5649).
    pub fn create(folder: &Path, kek: &KeyEncryptionKey) -> Result<(), String> {
        let key = Secret::new(entropy::bytes::<32>().to_vec());
        let wrapped = kek.wrap(&key).map_err(|e| e.to_string())?;
        let path = folder.join("keys").join(FILE);
        folder::create_private(&folder.join("keys"))
            .map_err(|e| format!("{}: {e}", path.display()))?;
        folder::write_secret(&path, &wrapped).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Opens the storage key in `folder`.
    pub fn open(folder: &Path, kek: &KeyEncryptionKey) -> Result<Self, String> {
        let path = folder.join("keys").join(FILE);
        let wrapped = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let key = kek
            .unwrap_key(&wrapped)
            .map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { _storage_key: key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_key_opens_only_under_its_key() {
        let folder = std::env::temp_dir().join(format!("chancery-vault-{}", entropy::uuid()));
        let kek = KeyEncryptionKey::generate();
        Vault::create(&folder, &kek).expect("creates");
        assert!(Vault::open(&folder, &kek).is_ok());
        assert!(Vault::open(&folder, &KeyEncryptionKey::generate()).is_err());
        std::fs::remove_dir_all(&folder).expect("removes");
    }
}
