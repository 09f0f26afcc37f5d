//! `chancery cert`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use client::CertificateFilter;
use common::api::Page;
use common::api::ca::{CertificateSummary, StatusChange};
use common::clock::Timestamp;
use common::crypto::{PrivateKey, Secret};
use common::x509::{RevocationReason, SerialNumber, csr, der_from, name, pem};

use crate::error::Error;
use crate::output::{self, Table};
use crate::revocations::RevokeAll;
use crate::service::Service;
use crate::{files, list, view};

/// What can be done with certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a certificate
    #[command(after_help = "\
Example:
  chancery cert show 3fa1…
  chancery cert show 3fa1… --pem > server.pem")]
    Show(Show),
    /// List certificates, newest first
    #[command(after_help = "Example:\n  chancery cert list --status valid --subject example.org")]
    List(List),
    /// Revoke a certificate for good
    #[command(after_help = "\
Example:
  chancery cert revoke 3fa1… --reason key_compromise --invalidity-date 2026-11-20T00:00:00Z
  chancery cert revoke 3fa1… --reason superseded --key host.key")]
    Revoke(Revoke),
    /// Revoke all certificates that have something in common
    #[command(after_help = "\
Example:
  chancery cert revoke-many --profile caServerCert --issued-after 2026-11-01T00:00:00Z --dry-run
  chancery cert revoke-many --authority host --reason ca_compromise")]
    RevokeMany(Box<RevokeAll>),
    /// Suspend a certificate until it is released or revoked
    #[command(after_help = "Example:\n  chancery cert hold 3fa1… --note 'card mislaid'")]
    Hold(Change),
    /// Release a certificate that is on hold
    #[command(after_help = "Example:\n  chancery cert release 3fa1…")]
    Release(Change),
}

/// `cert show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The serial number in hex
    #[arg(value_parser = serial)]
    serial: String,

    /// Print the PEM text only
    #[arg(long, conflicts_with_all = ["der", "json"])]
    pem: bool,

    /// Write the DER to a file, `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    der: Option<PathBuf>,
}

/// `cert list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Text within the subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// A subject alternative name
    #[arg(long, value_name = "NAME")]
    san: Option<String>,

    /// valid, not_yet_valid, on_hold, revoked or expired
    #[arg(long)]
    status: Option<String>,

    /// The profile's id
    #[arg(long, value_name = "ID")]
    profile: Option<String>,

    /// How many at most
    #[arg(long, value_name = "N", default_value = "50")]
    limit: NonZeroUsize,
}

/// `cert revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    change: Change,

    /// Why
    #[arg(long, value_parser = reasons())]
    reason: Option<String>,

    /// When the key is thought to have become unsafe, RFC 3339
    #[arg(long, value_name = "TIME")]
    invalidity_date: Option<Timestamp>,

    /// The certificate's private key, PKCS#8 in PEM: its owner needs no other credential
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// A certificate whose status changes.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The serial number in hex
    #[arg(value_parser = serial)]
    serial: String,

    /// A note for the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        match self {
            Self::Show(show) => show.run(service),
            Self::List(list) => list.run(service),
            Self::Revoke(revoke) => revoke.run(service),
            Self::RevokeMany(all) => all.run(service),
            Self::Hold(change) => {
                let note = change.note.clone();
                change.make(service, &StatusChange::OnHold { note })
            }
            Self::Release(change) => {
                let note = change.note.clone();
                change.make(service, &StatusChange::Valid { note })
            }
        }
    }
}

impl Show {
    fn run(&self, service: &Service) -> Result<(), Error> {
        let certificate = service.endpoint()?.certificate(&self.serial)?;
        if self.pem {
            return output::print(certificate.pem.as_bytes());
        }
        let Some(path) = &self.der else {
            return output::show(service.json, &certificate, view::certificate);
        };
        let der = der_from(certificate.pem.as_bytes(), &["CERTIFICATE"]);
        let der = der.ok_or_else(|| Error::Content {
            path: self.serial.clone(),
            what: "the service sent no PEM certificate".into(),
        })?;
        files::write(path, &der)
    }
}

impl List {
    fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        let terms = list::terms([
            ("subject", &self.subject),
            ("san", &self.san),
            ("status", &self.status),
            ("profile", &self.profile),
        ]);
        let page = list::collect(terms, self.limit, |terms, limit| {
            let terms = terms.to_vec();
            endpoint.certificates(&CertificateFilter { terms }, limit)
        })?;
        output::show(service.json, &page, table)
    }
}

impl Revoke {
    fn run(&self, service: &Service) -> Result<(), Error> {
        let status = StatusChange::Revoked {
            reason: self.reason.clone(),
            invalidity_date: self.invalidity_date,
            note: self.change.note.clone(),
            proof: self.key.as_deref().map(|key| self.proof(key)).transpose()?,
        };
        self.change.make(service, &status)
    }

    /// A request that nobody enrolls: its subject says what it is for.
    fn proof(&self, path: &Path) -> Result<String, Error> {
        let unusable = |what: String| Error::Content {
            path: path.display().to_string(),
            what,
        };
        let pkcs8 = der_from(&files::read(path)?, &["PRIVATE KEY"]);
        let pkcs8 = pkcs8.ok_or_else(|| unusable("there is no unencrypted PRIVATE KEY".into()))?;
        let key =
            PrivateKey::from_pkcs8(&Secret::new(pkcs8)).map_err(|why| unusable(why.to_string()))?;
        let reason = self.reason.as_deref().unwrap_or("unspecified");
        let reason: RevocationReason = reason.parse().map_err(unusable)?;
        // By its number, since not every reason fits into a common name.
        let subject = format!("CN=revoke:{}:{}", self.change.serial, reason.code());
        let subject = name::parse(&subject).map_err(unusable)?;
        let der = csr::create(&key, &subject, &[]).map_err(|why| unusable(why.to_string()))?;
        Ok(pem("CERTIFICATE REQUEST", &der))
    }
}

impl Change {
    fn make(&self, service: &Service, change: &StatusChange) -> Result<(), Error> {
        let status = service.endpoint()?.change_status(&self.serial, change)?;
        output::show(service.json, &status, view::status)
    }
}

fn table(page: &Page<CertificateSummary>) -> Table<5> {
    let row = |certificate: &CertificateSummary| {
        [
            certificate.serial.clone(),
            certificate.status.clone(),
            certificate.not_after.to_string(),
            certificate.profile.clone(),
            certificate.subject.clone(),
        ]
    };
    let headings = ["SERIAL", "STATUS", "NOT AFTER", "PROFILE", "SUBJECT"];
    Table::new(headings, page.entries.iter().map(row))
}

/// A serial number as other tools write it, too: upper case, `0x` in front, colons within.
pub(crate) fn serial(text: &str) -> Result<String, common::x509::serial::NotASerialNumber> {
    let bare = text.trim_start_matches("0x").replace(':', "");
    Ok(bare.parse::<SerialNumber>()?.to_string())
}

pub(crate) fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(RevocationReason::ALL.map(|(_, name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_taken_as_other_tools_write_them() {
        for text in ["3fa1", "0x3FA1", "3F:A1"] {
            assert_eq!(serial(text).expect(text), "3fa1");
        }
        assert!(serial("3fa1z").is_err());
    }
}
