//! Lists of keys that the operator does not want to see certified.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use common::crypto::{PublicKey, debian_fingerprint};

use crate::config::LintConfig;

/// What the lists say.
#[derive(Debug)]
pub struct Blocklists {
    denied: Option<DeniedKeys>,
    /// The last 80 bits of SHA-1 over `Modulus=…`, in order.
    weak: Vec<[u8; 10]>,
}

impl Blocklists {
    /// Reads the lists that `config` names; `Err` is one sentence for the operator.
    pub fn load(config: &LintConfig) -> Result<Self, String> {
        let denied = config.denied_keys.as_deref().map(DeniedKeys::load);
        let weak = config.weak_keys.as_deref().map(weak_keys);
        Ok(Self {
            denied: denied.transpose()?,
            weak: weak.transpose()?.unwrap_or_default(),
        })
    }

    /// Whether the operator's own list has this key.
    pub fn denies(&self, key: &PublicKey) -> bool {
        self.denied
            .as_ref()
            .is_some_and(|denied| denied.has(&key.spki_sha256()))
    }

    /// Whether one of the lists of weak keys has it.
    pub fn knows_as_weak(&self, key: &PublicKey) -> bool {
        !self.weak.is_empty()
            && debian_fingerprint(key)
                .is_some_and(|fingerprint| self.weak.binary_search(&fingerprint).is_ok())
    }
}

/// A file of SHA-256 hashes of SubjectPublicKeyInfos, one a line in hex. It is read again when it
/// changes; what cannot be read leaves the last list in force.
#[derive(Debug)]
struct DeniedKeys {
    path: PathBuf,
    read: ArcSwap<Read>,
}

#[derive(Debug)]
struct Read {
    version: Option<(SystemTime, u64)>,
    hashes: Arc<HashSet<[u8; 32]>>,
}

impl DeniedKeys {
    fn load(path: &Path) -> Result<Self, String> {
        let version = version(path);
        let hashes = Arc::new(hashes(path)?);
        Ok(Self {
            path: path.to_owned(),
            read: ArcSwap::from_pointee(Read { version, hashes }),
        })
    }

    fn has(&self, hash: &[u8; 32]) -> bool {
        let version = version(&self.path);
        let mut read = self.read.load_full();
        if read.version != version {
            let hashes = hashes(&self.path).map(Arc::new).unwrap_or_else(|why| {
                tracing::error!("ca.denied_keys stays as it was: {why}");
                read.hashes.clone()
            });
            read = Arc::new(Read { version, hashes });
            self.read.store(read.clone());
        }
        read.hashes.contains(hash)
    }
}

fn version(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn hashes(path: &Path) -> Result<HashSet<[u8; 32]>, String> {
    lines(path, |line| {
        let bytes = common::x509::from_hex(line)?;
        bytes.try_into().ok()
    })
}

/// One file, or every file of a folder, in the form of Debian's `openssl-blacklist`: 20 hex digits a
/// line. The longer form with all 40 digits is read, too.
fn weak_keys(path: &Path) -> Result<Vec<[u8; 10]>, String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
    let files: Vec<PathBuf> = match path.is_dir() {
        false => vec![path.to_owned()],
        true => {
            let entries = fs::read_dir(path).map_err(wrong)?;
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            let paths: Vec<_> = paths.collect::<Result<_, _>>().map_err(wrong)?;
            paths.into_iter().filter(|path| path.is_file()).collect()
        }
    };
    let mut all = Vec::new();
    for file in files {
        let found: HashSet<[u8; 10]> = lines(&file, |line| {
            let bytes = common::x509::from_hex(line)?;
            let tail = bytes
                .len()
                .checked_sub(10)
                .filter(|skip| [0, 10].contains(skip))?;
            bytes[tail..].try_into().ok()
        })?;
        all.extend(found);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Every line that is neither empty nor a `#` comment.
fn lines<T: std::hash::Hash + Eq>(
    path: &Path,
    read: impl Fn(&str) -> Option<T>,
) -> Result<HashSet<T>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            read(&line.to_ascii_lowercase())
                .ok_or_else(|| format!("{}, line {number}: not a hash in hex", path.display()))
        })
        .collect()
}

/// Lists for tests, which write them.
#[cfg(test)]
pub(crate) mod testing {
    use std::fs;
    use std::path::PathBuf;

    /// A file in a folder of its own, removed when dropped.
    pub(crate) struct File {
        pub(crate) path: PathBuf,
    }

    impl File {
        pub(crate) fn new(text: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("chancery-{}", common::entropy::uuid()));
            fs::create_dir(&folder).expect("the temporary folder is writable");
            let file = Self {
                path: folder.join("list"),
            };
            file.write(text);
            file
        }

        pub(crate) fn write(&self, text: &str) {
            fs::write(&self.path, text).expect("the temporary folder is writable");
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let folder = self.path.parent().expect("it lies in a folder");
            let _ = fs::remove_dir_all(folder);
        }
    }
}
