//! Data folders: who holds them, what version they are of, and how one comes to be whole or not at
//! all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The layout of data folders that this version writes. A folder with a higher one is refused.
pub const VERSION: u32 = 1;

const VERSION_FILE: &str = "version";
const STAGED: &str = ".staged";
const STAGING: &str = ".staging";

/// A data folder that this process holds, alone.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Folders that were made on the way here, the deepest first.
    made: Vec<PathBuf>,
    _lock: File,
}

/// What is in a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing of ours yet, perhaps a `chancery.toml`.
    Empty,
    /// A complete installation.
    Complete,
}

impl Folder {
    /// Makes the folder when it is missing, takes its lock and finishes or clears what an
    /// interrupted first start left.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub fn open(path: &Path) -> Result<(Self, Content), String> {
        let made: Vec<PathBuf> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .map(Path::to_owned)
            .collect();
        let wrong =
            |e: io::Error| format!("the data folder {} cannot be used: {e}", path.display());
        fs::create_dir_all(path).map_err(wrong)?;
        let folder = Self::lock(path, made.clone()).inspect_err(|_| remove(&made))?;
        folder.finish_staged().map_err(wrong)?;
        match fs::read_to_string(path.join(VERSION_FILE)) {
            Ok(text) => {
                let found = text.trim();
                let known = found.parse::<u32>().is_ok_and(|version| version <= VERSION);
                match known {
                    true => Ok((folder, Content::Complete)),
                    false => Err(format!(
                        "the data folder {} is of version {found}; this program knows versions up to {VERSION}",
                        path.display()
                    )),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok((folder, Content::Empty)),
            Err(e) => Err(wrong(e)),
        }
    }

    fn lock(path: &Path, made: Vec<PathBuf>) -> Result<Self, String> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(".lock"))
            .map_err(|e| format!("the data folder {} cannot be used: {e}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                made,
                _lock: file,
            }),
            Err(_) => Err(format!(
                "the data folder {} is in use by another process",
                path.display()
            )),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills an empty folder: `fill` writes into a staging folder, and only when it succeeds does
    /// everything appear, the version last. Killed at any moment, the next start either finishes
    /// or begins anew.
    pub fn create<T>(&self, fill: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
        let staging = self.path.join(STAGING);
        let wrong = |e: io::Error| {
            format!(
                "the data folder {} cannot be used: {e}",
                self.path.display()
            )
        };
        create_private(&staging).map_err(wrong)?;
        let value = fill(&staging).inspect_err(|_| {
            let _ = fs::remove_dir_all(&staging);
        })?;
        sync_all(&staging).map_err(wrong)?;
        fs::rename(&staging, self.path.join(STAGED)).map_err(wrong)?;
        sync(&self.path).map_err(wrong)?;
        self.finish_staged().map_err(wrong)?;
        Ok(value)
    }

    /// Removes what this process made of a folder that came to nothing. A folder that was there
    /// before stays, empty as it was.
    pub fn abandon(self) {
        if !self.path.join(VERSION_FILE).exists() {
            let _ = fs::remove_file(self.path.join(".lock"));
        }
        remove(&self.made);
    }

    fn finish_staged(&self) -> io::Result<()> {
        let staging = self.path.join(STAGING);
        if staging.exists() {
            fs::remove_dir_all(&staging)?;
        }
        let staged = self.path.join(STAGED);
        if !staged.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(&staged)? {
            let entry = entry?;
            let target = self.path.join(entry.file_name());
            // What the operator wrote before the first start, such as chancery.toml, stays.
            match target.exists() {
                true => fs::remove_file(entry.path())?,
                false => fs::rename(entry.path(), target)?,
            }
        }
        write_new(
            &self.path.join(".version.new"),
            VERSION.to_string().as_bytes(),
            0o644,
        )
        .or_else(|e| {
            (e.kind() == io::ErrorKind::AlreadyExists)
                .then_some(())
                .ok_or(e)
        })?;
        fs::rename(self.path.join(".version.new"), self.path.join(VERSION_FILE))?;
        sync(&self.path)?;
        fs::remove_dir_all(&staged)
    }
}

fn remove(made: &[PathBuf]) {
    for folder in made {
        let _ = fs::remove_dir(folder);
    }
}

/// Makes a folder that only its owner may enter.
pub fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Writes a new file that only its owner may read.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_new(path, bytes, 0o600)
}

/// Writes a new file that everybody may read.
pub fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_new(path, bytes, 0o644)
}

/// Replaces a file as a whole: readers see the old bytes or the new ones.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    write_new(&new, bytes, mode)?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> PathBuf {
        std::env::temp_dir().join(format!("chancery-folder-{}", crate::entropy::uuid()))
    }

    #[test]
    fn a_failed_first_start_leaves_nothing() {
        let path = scratch();
        let (folder, content) = Folder::open(&path).expect("opens");
        assert_eq!(content, Content::Empty);
        let failed: Result<(), _> = folder.create(|staging| {
            write_secret(&staging.join("secret.key"), b"half").expect("writes");
            Err("no".into())
        });
        assert!(failed.is_err());
        folder.abandon();
        assert!(!path.exists());
    }

    #[test]
    fn a_start_killed_between_staging_and_moving_is_finished_by_the_next() {
        let path = scratch();
        fs::create_dir_all(path.join(STAGED)).expect("writes");
        fs::write(path.join(STAGED).join("ca.pem"), "x").expect("writes");
        let (folder, content) = Folder::open(&path).expect("opens");
        assert_eq!(content, Content::Complete);
        assert!(path.join("ca.pem").exists());
        assert!(Folder::open(&path).is_err(), "the lock is held");
        drop(folder);
        fs::write(path.join(VERSION_FILE), "2").expect("writes");
        let error = Folder::open(&path).expect_err("newer");
        assert!(error.contains("version 2"), "{error}");
        fs::remove_dir_all(&path).expect("removes");
    }
}
