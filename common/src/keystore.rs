//! A service's keys and certificates on disk: `keys/<name>.p8` (encrypted PKCS#8) beside
//! `certificates/<name>.pem` (the chain, leaf first).

use std::fs;
use std::path::{Path, PathBuf};

use crate::crypto::{KeyEncryptionKey, KeySpec, PrivateKey, Secret};
use crate::folder;
use crate::http::tls::TlsIdentity;
use crate::x509::certificate::chain_from_pem;
use crate::x509::{AlternativeName, Certificate, csr, name};

/// The keys of one service.
#[derive(Clone, Copy, Debug)]
pub struct KeyStore<'a> {
    /// The service's data folder.
    pub folder: &'a Path,
    /// What opens its keys.
    pub kek: &'a KeyEncryptionKey,
}

impl KeyStore<'_> {
    /// Makes a key and puts it away.
    pub fn generate(&self, name: &str, spec: KeySpec) -> Result<PrivateKey, String> {
        let (key, pkcs8) = PrivateKey::generate(spec).map_err(|e| e.to_string())?;
        self.save_key(name, &pkcs8)?;
        Ok(key)
    }

    /// Puts a key away.
    pub fn save_key(&self, name: &str, pkcs8: &Secret) -> Result<(), String> {
        let pem = self
            .kek
            .seal_private_key(pkcs8)
            .map_err(|e| e.to_string())?;
        let path = self.key_path(name);
        make_parent(&path)?;
        folder::replace(&path, pem.as_bytes(), 0o600).map_err(|e| wrong(&path, &e))
    }

    /// Puts a certificate chain away, leaf first.
    pub fn save_chain(&self, name: &str, chain: &[&Certificate]) -> Result<(), String> {
        let path = self.chain_path(name);
        make_parent(&path)?;
        let pem: String = chain.iter().map(|certificate| certificate.pem()).collect();
        folder::replace(&path, pem.as_bytes(), 0o644).map_err(|e| wrong(&path, &e))
    }

    /// Opens a key.
    pub fn key(&self, name: &str) -> Result<(PrivateKey, Secret), String> {
        let path = self.key_path(name);
        let pem = fs::read_to_string(&path).map_err(|e| wrong(&path, &e))?;
        self.kek
            .open_private_key(&pem)
            .map_err(|e| wrong(&path, &e))
    }

    /// Reads a certificate chain, leaf first.
    pub fn chain(&self, name: &str) -> Result<Vec<Certificate>, String> {
        let path = self.chain_path(name);
        let pem = fs::read_to_string(&path).map_err(|e| wrong(&path, &e))?;
        let chain = chain_from_pem(&pem).map_err(|e| wrong(&path, &e))?;
        match chain.is_empty() {
            true => Err(wrong(&path, &"there is no certificate in it")),
            false => Ok(chain),
        }
    }

    /// The names of the chains that begin with `prefix`.
    pub fn chains(&self, prefix: &str) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.folder.join("certificates")) else {
            return Vec::new();
        };
        let names = files.flatten().filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let name = name.strip_suffix(".pem")?;
            name.starts_with(prefix).then(|| name.to_owned())
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Opens a key with its chain; they must belong together.
    pub fn identity(&self, name: &str) -> Result<TlsIdentity, String> {
        let (key, pkcs8) = self.key(name)?;
        let chain = self.chain(name)?;
        match chain
            .first()
            .is_some_and(|leaf| leaf.public_key() == key.public_key())
        {
            true => Ok(TlsIdentity { chain, key: pkcs8 }),
            false => Err(wrong(
                &self.chain_path(name),
                &"the certificate is not of the key beside it",
            )),
        }
    }

    fn key_path(&self, name: &str) -> PathBuf {
        self.folder.join("keys").join(format!("{name}.p8"))
    }

    fn chain_path(&self, name: &str) -> PathBuf {
        self.folder.join("certificates").join(format!("{name}.pem"))
    }
}

fn make_parent(path: &Path) -> Result<(), String> {
    match path.parent() {
        Some(parent) => folder::create_private(parent).map_err(|e| wrong(parent, &e)),
        None => Ok(()),
    }
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// A PKCS#10 request for one of our own keys, from texts that we wrote ourselves.
pub fn request(
    key: &PrivateKey,
    subject: &str,
    names: &[AlternativeName],
) -> Result<Vec<u8>, String> {
    csr::create(key, &name::parse(subject)?, names).map_err(|e| e.to_string())
}
