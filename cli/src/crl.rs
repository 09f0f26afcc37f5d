//! `chancery crl`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use common::api::ca::Crl;

use crate::error::Error;
use crate::files;
use crate::service::Service;

/// What can be done with revocation lists.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch the current revocation list
    #[command(after_help = "\
Example:
  chancery crl get | openssl crl -noout -text
  chancery crl get --der --out host.crl")]
    Get(Get),
}

/// `crl get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The authority's id
    #[arg(long, value_name = "ID", default_value = "host")]
    authority: String,

    /// Where to write it, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// DER instead of PEM
    #[arg(long, conflicts_with = "json")]
    der: bool,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        match self {
            Self::Get(get) => get.run(service),
        }
    }
}

impl Get {
    fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        let media_type = match (service.json, self.der) {
            (true, _) => "application/json",
            (false, true) => "application/pkix-crl",
            (false, false) => "application/x-pem-file",
        };
        let mut crl = endpoint.crl(&self.authority, media_type)?;
        if service.json {
            crl = pretty(&crl).map_err(|why| Error::Content {
                path: self.authority.clone(),
                what: format!("the service sent an unexpected CRL: {why}"),
            })?;
        }
        files::write(self.out.as_deref().unwrap_or(Path::new("-")), &crl)
    }
}

fn pretty(json: &[u8]) -> serde_json::Result<Vec<u8>> {
    let crl: Crl = serde_json::from_slice(json)?;
    Ok((serde_json::to_string_pretty(&crl)? + "\n").into_bytes())
}
