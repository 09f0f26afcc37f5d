//! `chancery import`.

use std::fs;
use std::path::{Path, PathBuf};

use ca::issuer::Places;
use clap::{Args, Subcommand};
use common::clock::Clock;
use common::config::Settings;
use common::crypto::{KeyEncryptionKey, KeySource};
use common::folder::{Content, Folder};
use common::pfx;
use common::x509::certificate::chain_from_pem;
use common::x509::{Certificate, der_from};

/// What can be imported.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take over a CA that another program ran, as one more authority
    #[command(after_help = "\
The services must not be running. Called again, it goes on where it stopped.

Example:
  chancery import ca --data-dir chancery-data --pkcs12 old-ca.p12 --password-file old-ca.pw \\
    --certificates issued/ --crl old-ca.crl")]
    Ca(Box<Ca>),
}

/// `import ca`.
#[derive(Debug, Args)]
pub(crate) struct Ca {
    /// Data folder of `up`, or of a CA that runs alone
    #[arg(long, value_name = "DIR", default_value = "./chancery-data")]
    data_dir: PathBuf,

    /// The CA's key and certificates
    #[arg(long, value_name = "FILE")]
    pkcs12: PathBuf,

    /// File with the password of the PKCS#12 file
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,

    /// Folder with the certificates that the CA issued, PEM or DER
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,

    /// The CA's last CRL, PEM or DER
    #[arg(long, value_name = "FILE")]
    crl: Option<PathBuf>,

    /// Key under which private keys rest [default: file:DIR/secret.key]
    #[arg(long, value_name = "SOURCE")]
    secret_key: Option<KeySource>,
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), String> {
        match self {
            Self::Ca(command) => command.run(),
        }
    }
}

impl Ca {
    fn run(&self) -> Result<(), String> {
        let (folder, content) = Folder::open(&self.data_dir)?;
        if content == Content::Empty {
            folder.abandon();
            let dir = self.data_dir.display();
            return Err(format!(
                "there is no installation in {dir}; `chancery up` or `chancery init` makes one"
            ));
        }
        let ca_dir = match folder.path().join(ca::create::DATABASE).exists() {
            true => folder.path().to_owned(),
            false => folder.path().join("ca"),
        };
        let source = self.secret_key.clone();
        let source = source.unwrap_or_else(|| KeySource::File(self.data_dir.join("secret.key")));
        let kek = KeyEncryptionKey::load(&source)?;
        let password = read(&self.password_file)?;
        let password = String::from_utf8(password).map_err(|_| "the password is no text")?;
        let content = pfx::decode(
            &read(&self.pkcs12)?,
            password.trim_end_matches(['\r', '\n']),
        )?;
        let certificates = match &self.certificates {
            Some(folder) => certificates(folder)?,
            None => Vec::new(),
        };
        let crl = self.crl.as_deref().map(crl).transpose()?;
        let authority = ca::create::open(
            &ca_dir,
            &kek,
            &ca::Config::new(&Settings::default())?,
            // Nothing that names a place is signed here.
            Places::new("http://localhost", "http://localhost"),
            Clock::System,
        )?;
        let done = authority.import(content, certificates, crl.as_deref());
        let done = done.map_err(|error| describe(&error))?;
        println!(
            "authority {}: {} certificates and {} revocations are new; {} certificates are of others",
            done.authority, done.certificates, done.revocations, done.foreign
        );
        Ok(())
    }
}

fn describe(error: &ca::Error) -> String {
    if let ca::Error::NotAcceptable(violations) = error {
        let messages: Vec<_> = violations.iter().map(|v| v.message.clone()).collect();
        return messages.join("; ");
    }
    error.to_string()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn crl(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = read(path)?;
    Ok(der_from(&bytes, &["X509 CRL"]).unwrap_or(bytes))
}

/// All certificates in the files of a folder; what is none is named and left out.
fn certificates(folder: &Path) -> Result<Vec<Certificate>, String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(wrong)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong)?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let bytes = read(&file)?;
        let read = match std::str::from_utf8(&bytes) {
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => chain_from_pem(text),
            Ok(_) | Err(_) => Certificate::from_der(&bytes).map(|one| vec![one]),
        };
        match read {
            Ok(certificates) => found.extend(certificates),
            Err(why) => eprintln!("left out {}: {why}", file.display()),
        }
    }
    Ok(found)
}
