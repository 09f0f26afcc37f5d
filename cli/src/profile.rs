//! `chancery profile`.

use clap::Subcommand;
use common::api::Page;
use common::api::ca::ProfileSummary;

use crate::error::Error;
use crate::output::{self, Table};
use crate::service::Service;
use crate::view;

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
        }
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
