//! `chancery job`.

use clap::Subcommand;
use common::api::Page;
use common::api::ca::Job;

use crate::error::Error;
use crate::output::{self, Listing, Table};
use crate::service::Service;

/// What can be asked about jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List timed and long work, with its last result and next run
    #[command(
        after_help = "Example:\n  chancery --credential chancery-data/credentials/admin.pem job list"
    )]
    List,
    /// Show a job
    #[command(
        after_help = "Example:\n  chancery --credential chancery-data/credentials/admin.pem job show crl-host"
    )]
    Show {
        /// The job's id
        id: String,
    },
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        match self {
            Self::List => {
                let entries = endpoint.jobs()?;
                let page = Page {
                    entries,
                    next: None,
                };
                output::show(service.json, &page, table)
            }
            Self::Show { id } => output::show(service.json, &endpoint.job(id)?, listing),
        }
    }
}

fn table(page: &Page<Job>) -> Table<5> {
    let row = |job: &Job| {
        let moment = |at: Option<common::clock::Timestamp>| {
            at.map_or_else(|| "-".into(), |at| at.to_string())
        };
        [
            job.id.clone(),
            job.status.clone(),
            moment(job.last_run),
            moment(job.next_run),
            job.result.clone().unwrap_or_default(),
        ]
    };
    let headings = ["ID", "STATUS", "LAST RUN", "NEXT RUN", "RESULT"];
    Table::new(headings, page.entries.iter().map(row))
}

/// A job in words.
pub(crate) fn listing(job: &Job) -> Listing {
    Listing::default()
        .line("id", &job.id)
        .line("kind", &job.kind)
        .line("status", &job.status)
        .line("done", format!("{} of {}", job.done, job.total))
        .line("errors", job.errors)
        .maybe("result", job.result.as_ref())
        .maybe("last run", job.last_run)
        .maybe("next run", job.next_run)
}
