//! `chancery profile`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use client::Endpoint;
use common::api::Page;
use common::api::ca::{Profile, ProfileDecision, ProfileSummary};

use crate::error::Error;
use crate::output::{self, Table};
use crate::service::Service;
use crate::{files, view};

/// What can be done with profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the profiles that you may see
    #[command(after_help = "Example:\n  chancery profile list")]
    List,
    /// Show what a profile takes, fills in and checks
    #[command(after_help = "Example:\n  chancery profile show caServerCert")]
    Show {
        /// The profile's id
        id: String,
    },
    /// Write a profile's text to a file
    #[command(after_help = "\
Examples:
  chancery profile export caServerCert > mine.toml
  chancery profile export caServerCert --format cfg > caServerCert.cfg")]
    Export {
        /// The profile's id
        id: String,
        /// The notation
        #[arg(long, value_enum, default_value = "toml")]
        format: Format,
    },
    /// Add a profile from a file, disabled
    #[command(after_help = "\
Examples:
  chancery profile create mine.toml
  chancery profile create caIPAserviceCert.cfg --id ipaServerCert")]
    Create {
        #[command(flatten)]
        file: File,
        /// The id, for a file in Dogtag's notation that states none
        #[arg(long)]
        id: Option<String>,
    },
    /// Replace a disabled profile by a file
    #[command(after_help = "Example:\n  chancery profile change mine mine.toml")]
    Change {
        /// The profile's id
        id: String,
        #[command(flatten)]
        file: File,
    },
    /// Remove a disabled profile
    #[command(after_help = "Example:\n  chancery profile delete mine")]
    Delete {
        /// The profile's id
        id: String,
    },
    /// Accept requests under a profile
    #[command(after_help = "Example:\n  chancery profile enable mine")]
    Enable(Decide),
    /// Accept no more requests, so that the profile can be changed
    #[command(after_help = "Example:\n  chancery profile disable mine")]
    Disable(Decide),
    /// Issue nothing more under a profile, at once; an administrator lifts it with `enable`
    #[command(
        after_help = "Example:\n  chancery profile stop mine --note 'wrong policy identifier'"
    )]
    Stop(Decide),
}

/// A notation of profiles.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Our own
    Toml,
    /// Dogtag's
    Cfg,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Cfg => "cfg",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Toml => "application/toml",
            Self::Cfg => "text/x-dogtag-profile",
        }
    }
}

/// A file with the text of a profile.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// The text, `-` for standard input
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// The notation, where the file's name does not end in .toml or .cfg
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl File {
    fn format(&self) -> Format {
        let by_name = match self.path.extension().and_then(|end| end.to_str()) {
            Some("cfg") => Format::Cfg,
            _ => Format::Toml,
        };
        self.format.unwrap_or(by_name)
    }

    fn text(&self) -> Result<Vec<u8>, Error> {
        files::read(&self.path)
    }
}

/// A profile that is decided.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The profile's id
    id: String,
    /// Why
    #[arg(long)]
    note: Option<String>,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        match self {
            Self::List => {
                let entries = endpoint.profiles()?;
                let page = Page {
                    entries,
                    next: None,
                };
                output::show(service.json, &page, table)
            }
            Self::Show { id } => output::show(service.json, &endpoint.profile(id)?, view::profile),
            Self::Export { id, format } => {
                let text = endpoint.profile_text(id, format.name())?;
                files::write(Path::new("-"), &text)
            }
            Self::Create { file, id } => {
                let media_type = file.format().media_type();
                let profile = endpoint.create_profile(id.as_deref(), media_type, &file.text()?)?;
                output::show(service.json, &profile, view::profile)
            }
            Self::Change { id, file } => {
                let media_type = file.format().media_type();
                let profile = endpoint.change_profile(id, media_type, &file.text()?)?;
                output::show(service.json, &profile, view::profile)
            }
            Self::Delete { id } => Ok(endpoint.delete_profile(id)?),
            Self::Enable(decide) => {
                let note = decide.note.clone();
                decide.run(service, &endpoint, &ProfileDecision::Enabled { note })
            }
            Self::Disable(decide) => {
                let note = decide.note.clone();
                decide.run(service, &endpoint, &ProfileDecision::Disabled { note })
            }
            Self::Stop(decide) => {
                let note = decide.note.clone();
                decide.run(service, &endpoint, &ProfileDecision::Stopped { note })
            }
        }
    }
}

impl Decide {
    fn run(
        &self,
        service: &Service,
        endpoint: &Endpoint,
        decision: &ProfileDecision,
    ) -> Result<(), Error> {
        let profile: Profile = endpoint.decide_profile(&self.id, decision)?;
        output::show(service.json, &profile, view::profile)
    }
}

fn table(page: &Page<ProfileSummary>) -> Table<3> {
    let row = |profile: &ProfileSummary| {
        let enabled = if profile.enabled {
            "enabled"
        } else {
            "disabled"
        };
        [profile.id.clone(), enabled.to_owned(), profile.name.clone()]
    };
    Table::new(["ID", "STATUS", "NAME"], page.entries.iter().map(row))
}
