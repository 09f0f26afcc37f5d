//! Which service is called, and as whom.

use std::path::PathBuf;

use client::{Credential, Endpoint, credential_from_pem};
use common::crypto::PrivateKey;
use common::x509::Certificate;

use crate::error::Error;
use crate::files;

/// The options that every command has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct Service {
    /// The service
    #[arg(
        long,
        global = true,
        env = "CHANCERY_URL",
        value_name = "URL",
        default_value = "https://127.0.0.1:8443"
    )]
    pub(crate) url: String,

    /// Whether the command line itself names the URL.
    #[arg(skip)]
    pub(crate) url_is_flag: bool,

    /// Certificates below which the service's TLS certificate must be, PEM
    #[arg(
        long,
        global = true,
        env = "CHANCERY_CA_FILE",
        value_name = "FILE",
        default_value = "./chancery-data/ca.pem"
    )]
    ca_file: PathBuf,

    /// Your certificate and its key, PEM; without it, you are anonymous
    #[arg(long, global = true, env = "CHANCERY_CREDENTIAL", value_name = "FILE")]
    credential: Option<PathBuf>,

    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Service {
    /// The service, ready to be called.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Error> {
        let anchors = match scheme(&self.url) {
            Some(Scheme::Https) => self.anchors()?,
            Some(Scheme::Http) => Vec::new(),
            None => return Err(Error::Url(self.url.clone())),
        };
        let credential = self.credential()?;
        Ok(Endpoint::new(&self.url, &anchors, credential.as_ref())?)
    }

    /// The trust anchors for TLS.
    pub(crate) fn anchors(&self) -> Result<Vec<Certificate>, Error> {
        files::certificates(&self.ca_file).map_err(|error| {
            if let Error::File { path, why } = error {
                return Error::NoAnchor { path, why };
            }
            error
        })
    }

    fn credential(&self) -> Result<Option<Credential>, Error> {
        let Some(path) = &self.credential else {
            return Ok(None);
        };
        let credential = credential_from_pem(&files::read_text(path)?)?;
        let unusable = |what: &str| files::content(path, what);
        let key = PrivateKey::from_pkcs8(&credential.key).map_err(|e| unusable(&e.to_string()))?;
        let certified = credential.chain.first().map(Certificate::public_key);
        match certified.is_some_and(|certified| certified.raw() == key.public_key().raw()) {
            true => Ok(Some(credential)),
            false => Err(unusable(
                "the private key is not that of the first certificate",
            )),
        }
    }
}

/// How to speak to a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// The scheme of a URL, when it is one that we speak.
pub(crate) fn scheme(url: &str) -> Option<Scheme> {
    let (scheme, rest) = url.split_once("://")?;
    let known = [("http", Scheme::Http), ("https", Scheme::Https)];
    let found = known
        .iter()
        .find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    found
        .map(|(_, scheme)| *scheme)
        .filter(|_| !rest.is_empty())
}
