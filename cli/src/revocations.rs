//! `chancery cert revoke-many`.

use std::io::{IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use client::Endpoint;
use common::api::ca::{Job, Revocations, RevokeMany};
use common::clock::Timestamp;

use crate::error::Error;
use crate::output::{self, Listing};
use crate::service::Service;
use crate::{certificate, job};

/// How often the progress is asked for.
const STEP: Duration = Duration::from_millis(500);

/// Characters of a full progress bar.
const WIDTH: u64 = 40;

/// `cert revoke-many`.
#[derive(Debug, Args)]
pub(crate) struct RevokeAll {
    /// Certificates of this profile
    #[arg(long, value_name = "ID")]
    profile: Option<String>,

    /// Certificates of the key with this SHA-256 of its SubjectPublicKeyInfo, hex
    #[arg(long, value_name = "DIGEST")]
    spki_sha256: Option<String>,

    /// Certificates of this authority
    #[arg(long, value_name = "ID")]
    authority: Option<String>,

    /// Certificates issued at or after this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    issued_after: Option<Timestamp>,

    /// Certificates issued at or before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    issued_before: Option<Timestamp>,

    /// This certificate; may be repeated
    #[arg(long = "serial", value_name = "SERIAL", value_parser = certificate::serial)]
    serials: Vec<String>,

    /// Why
    #[arg(long, value_parser = certificate::reasons())]
    reason: Option<String>,

    /// A note for the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Only count them and show the first
    #[arg(long)]
    dry_run: bool,

    /// Do not wait until all are revoked
    #[arg(long)]
    no_wait: bool,
}

impl RevokeAll {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        let ordered = endpoint.revoke_many(&RevokeMany {
            profile: self.profile.clone(),
            spki_sha256: self.spki_sha256.clone(),
            issued_after: self.issued_after,
            issued_before: self.issued_before,
            authority: self.authority.clone(),
            serials: (!self.serials.is_empty()).then(|| self.serials.clone()),
            reason: self.reason.clone(),
            invalidity_date: None,
            note: self.note.clone(),
            dry_run: self.dry_run.then_some(true),
        })?;
        match &ordered.job {
            Some(link) if !self.no_wait => {
                let done = wait(&endpoint, &link.id)?;
                output::show(service.json, &done, job::listing)
            }
            Some(_) | None => output::show(service.json, &ordered, plan),
        }
    }
}

fn plan(ordered: &Revocations) -> Listing {
    let sample = ordered.sample.iter().flatten();
    Listing::default()
        .line("certificates", ordered.count)
        .maybe("job", ordered.job.as_ref().map(|job| &job.id))
        .all(
            "such as",
            sample.map(|one| format!("{} {}", one.serial, one.subject)),
        )
}

/// Waits for the end of a job, with a progress bar for people.
fn wait(endpoint: &Endpoint, id: &str) -> Result<Job, Error> {
    let is_terminal = std::io::stderr().is_terminal();
    loop {
        let job = endpoint.job(id)?;
        if is_terminal {
            let _ = write!(std::io::stderr(), "\r{}", bar(&job));
        }
        if job.status == "complete" {
            if is_terminal {
                let _ = writeln!(std::io::stderr());
            }
            return Ok(job);
        }
        sleep(STEP);
    }
}

fn bar(job: &Job) -> String {
    let filled = job.done * WIDTH / job.total.max(1);
    let cell = |place| if place < filled { '#' } else { '.' };
    let bar: String = (0..WIDTH).map(cell).collect();
    format!("[{bar}] {} of {} {}", job.done, job.total, job.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_with_what_is_done() {
        let job = |done, total| Job {
            id: "1".into(),
            kind: "revocations".into(),
            status: "running".into(),
            done,
            total,
            errors: 0,
            result: None,
            last_run: None,
            next_run: None,
        };
        let half = format!("[{}{}] 5 of 10 running", "#".repeat(20), ".".repeat(20));
        assert_eq!(bar(&job(5, 10)), half);
        assert!(bar(&job(0, 0)).starts_with("[....."));
        assert!(bar(&job(3, 3)).contains(&"#".repeat(40)));
    }
}
