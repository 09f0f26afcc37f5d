//! `chancery authority`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use common::api::Page;
use common::api::ca::{Authority, AuthorityChange, NewAuthority, NewKey, Renewal};

use crate::error::Error;
use crate::files;
use crate::output::{self, Listing, Table};
use crate::service::Service;

/// What can be done with authorities.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the authorities of the CA
    #[command(after_help = "Example:\n  chancery authority list")]
    List,
    /// Show an authority
    #[command(after_help = "Example:\n  chancery authority show host")]
    Show {
        /// The authority's id
        id: String,
    },
    /// Make an authority below another one, or, without --parent, one for an outside CA to certify
    #[command(after_help = "\
Example:
  chancery --credential admin.pem authority create 'CN=Sub CA,O=Example' --parent host
  chancery --credential admin.pem --json authority create 'CN=Sub CA' | jq -r .csr > sub.csr")]
    Create(Create),
    /// Give an authority the certificate that an outside CA made
    #[command(after_help = "\
Example:
  cat sub.pem root.pem > chain.pem
  chancery --credential admin.pem authority complete ID --chain chain.pem")]
    Complete {
        /// The authority's id
        id: String,
        /// PEM: its certificate, then those above it up to the root
        #[arg(long, value_name = "FILE")]
        chain: PathBuf,
    },
    /// Let an authority issue (again)
    #[command(after_help = "Example:\n  chancery --credential admin.pem authority enable ID")]
    Enable(Change),
    /// Let an authority issue no more for now
    #[command(after_help = "Example:\n  chancery --credential admin.pem authority disable ID")]
    Disable(Change),
    /// Stop all issuing by an authority at once
    #[command(
        after_help = "Example:\n  chancery --credential admin.pem authority stop host --note 'wrong names'"
    )]
    Stop(Change),
    /// Renew an authority's certificate, or, with --key, its key
    #[command(after_help = "\
Example:
  chancery --credential admin.pem authority renew ID
  chancery --credential admin.pem authority renew host --key ec --curve P-384")]
    Renew(Renew),
    /// Delete an authority that is disabled; its certificate is revoked
    #[command(after_help = "Example:\n  chancery --credential admin.pem authority delete ID")]
    Delete {
        /// The authority's id
        id: String,
    },
}

/// A key to be made.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// Kind of the key: rsa, ec, ed25519 or ml-dsa
    #[arg(long, value_name = "TYPE")]
    key: Option<String>,
    /// Bits of an RSA key
    #[arg(long, value_name = "BITS", requires = "key")]
    size: Option<u32>,
    /// Curve of an EC key
    #[arg(long, value_name = "CURVE", requires = "key")]
    curve: Option<String>,
    /// Parameter set of ML-DSA: 44, 65 or 87
    #[arg(long, value_name = "SET", requires = "key")]
    level: Option<u32>,
}

impl Key {
    fn wanted(&self) -> Option<NewKey> {
        self.key.clone().map(|kind| NewKey {
            kind,
            size: self.size,
            curve: self.curve.clone(),
            level: self.level,
        })
    }
}

/// `authority create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name
    subject: String,
    /// The authority that shall certify it
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    #[command(flatten)]
    key: Key,
    /// Days that its certificate is valid
    #[arg(long, value_name = "DAYS")]
    days: Option<i64>,
    /// Profile of its certificate
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// `authority enable`, `disable` and `stop`.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The authority's id
    id: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// `authority renew`.
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// The authority's id
    id: String,
    #[command(flatten)]
    key: Key,
    /// Days that the new certificate is valid
    #[arg(long, value_name = "DAYS")]
    days: Option<i64>,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        let authority = match self {
            Self::List => {
                let page = Page {
                    entries: endpoint.authorities(false)?,
                    next: None,
                };
                return output::show(service.json, &page, table);
            }
            Self::Delete { id } => return Ok(endpoint.delete_authority(id)?),
            Self::Show { id } => endpoint.authority(id)?,
            Self::Create(create) => endpoint.create_authority(&NewAuthority {
                subject: create.subject.clone(),
                parent: create.parent.clone(),
                key: create.key.wanted().unwrap_or_default(),
                validity_days: create.days,
                profile: create.profile.clone(),
                description: create.description.clone(),
            })?,
            Self::Complete { id, chain } => {
                let chain = files::read(chain)?;
                let chain = String::from_utf8_lossy(&chain).into_owned();
                endpoint.complete_authority(id, vec![chain])?
            }
            Self::Enable(Change { id, note }) => {
                let note = note.clone();
                endpoint.change_authority(id, &AuthorityChange::Enabled { note })?
            }
            Self::Disable(Change { id, note }) => {
                let note = note.clone();
                endpoint.change_authority(id, &AuthorityChange::Disabled { note })?
            }
            Self::Stop(Change { id, note }) => {
                let note = note.clone();
                endpoint.change_authority(id, &AuthorityChange::Stopped { note })?
            }
            Self::Renew(Renew { id, key, days }) => {
                let renewal = Renewal {
                    key: key.wanted(),
                    validity_days: *days,
                };
                endpoint.renew_authority(id, &renewal)?
            }
        };
        output::show(service.json, &authority, listing)
    }
}

fn table(page: &Page<Authority>) -> Table<4> {
    let row = |authority: &Authority| {
        [
            authority.id.clone(),
            authority.status.clone(),
            authority.parent.clone().unwrap_or_else(|| "-".into()),
            authority.subject.clone(),
        ]
    };
    let headings = ["ID", "STATUS", "PARENT", "SUBJECT"];
    Table::new(headings, page.entries.iter().map(row))
}

fn listing(authority: &Authority) -> Listing {
    let host = authority.host.then_some("yes");
    Listing::default()
        .line("id", &authority.id)
        .line("subject", &authority.subject)
        .line("status", &authority.status)
        .maybe("note", authority.note.as_ref())
        .maybe("first", host)
        .maybe("parent", authority.parent.as_ref())
        .maybe("successor", authority.successor.as_ref())
        .maybe("description", authority.description.as_ref())
        .maybe("csr", authority.csr.as_ref())
        .maybe("certificate", authority.certificate.as_ref())
}
