//! The verbs of the CA. Synchronous; called on blocking threads only.

mod authorities;
mod catalog;
mod certificates;
mod crls;
mod decisions;
mod drafting;
mod enrollment;
mod import;
mod issuance;
mod issuers;
mod jobs;
mod journal;
mod profiles;
mod pruning;
mod publication;
mod renewals;
mod revocations;
mod statistics;

use common::clock::Clock;
use common::db::{Connection, Database};
use common::identity::{Caller, Evidence, Rule, authorize};
use common::x509::{Certificate, SerialNumber, Status};

use crate::Error;
use crate::config::{Config, CrlConfig, PruneConfig, PublishConfig, RequestConfig};
use crate::create::HOST;
use crate::journal::News;
use crate::lint::Rules;
use crate::store::statuses;

pub use catalog::Profiles;
pub use certificates::StatusRequest;
pub use crls::Wake;
pub use drafting::DryRun;
pub use enrollment::{Asked, IdempotencyKey, Submission, Submitted};
pub use issuance::SystemRequest;
pub use issuers::{Issuers, Member};
pub use jobs::JobWake;
pub use renewals::Renewal;
pub use revocations::Plan;

/// Everything that a verb may touch.
#[derive(Debug)]
pub struct Authority {
    database: Database,
    issuers: Issuers,
    profiles: Profiles,
    clock: Clock,
    /// What every request and certificate must satisfy.
    rules: Rules,
    crl_config: CrlConfig,
    prune_config: PruneConfig,
    publish_config: PublishConfig,
    request_config: RequestConfig,
    /// Wakes the builder of CRLs.
    crl_wake: Wake,
    /// Wakes who does long work.
    job_wake: JobWake,
    /// Wakes the followers of the journal.
    news: News,
    /// Tells this process from others on the same database.
    instance: String,
}

impl Authority {
    /// An authority over `database` that issues as `issuers`.
    pub fn new(
        database: Database,
        issuers: Issuers,
        profiles: Profiles,
        config: &Config,
        clock: Clock,
    ) -> Result<Self, Error> {
        issuers.read(&database, clock.now())?;
        Ok(Self {
            database,
            issuers,
            profiles,
            clock,
            rules: Rules::new(&config.lint).map_err(Error::Internal)?,
            crl_config: config.crl,
            prune_config: config.prune,
            publish_config: config.publish.clone(),
            request_config: config.request,
            crl_wake: Wake::default(),
            job_wake: JobWake::default(),
            news: News::default(),
            instance: common::entropy::uuid().to_string(),
        })
    }

    /// Finds out who calls and whether `rule` lets them in.
    pub fn admit(&self, evidence: Evidence, rule: Rule) -> Result<Caller, Error> {
        self.admit_about(evidence, rule, None)
    }

    /// The same for a call about a certificate: its owner may come with it even while it is on hold.
    /// The verb has to see to it that a held certificate lends nothing else.
    pub fn admit_about(
        &self,
        evidence: Evidence,
        rule: Rule,
        about: Option<&SerialNumber>,
    ) -> Result<Caller, Error> {
        self.database.read(|connection| {
            authorize(connection, evidence.clone(), rule, |c, certificate| {
                is_refused(c, certificate, about)
            })
        })
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The database, for what starts and tests the CA.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What is missing: answers of the database, a CRL in force of each authority, a certificate
    /// in force of the first.
    pub fn readiness(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let answers = self.database.read(|c| crate::store::crls::scopes(c, HOST));
        if answers.is_err() {
            missing.push("the database does not answer".into());
        }
        let now = self.clock.now();
        for issuer in self.issuers() {
            let has_ended = issuer.certificate.not_after() < now;
            let of = match issuer.id.as_str() {
                HOST => String::new(),
                id => format!(" of authority {id}"),
            };
            match self.current_crl(&issuer.id) {
                _ if has_ended => {}
                Some(crl) if crl.next_update > now => {}
                Some(_) => missing.push(format!("the CRL{of} has expired")),
                None => missing.push(format!("there is no CRL{of} yet")),
            }
            if has_ended && issuer.id == HOST {
                missing.push("the CA certificate has expired".into());
            }
        }
        missing
    }
}

/// Whether a client certificate of ours was revoked, or put on hold and is not the one that the call
/// is about. One that we do not know is not ours to vouch for.
fn is_refused(
    connection: &mut Connection,
    certificate: &Certificate,
    about: Option<&SerialNumber>,
) -> Result<bool, Error> {
    let serial = certificate.serial();
    match statuses::find(connection, &serial) {
        Ok(known) => Ok(match known.status {
            Status::Valid => false,
            Status::OnHold { .. } => about != Some(&serial),
            Status::Revoked { .. } => true,
        }),
        Err(Error::NotFound(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses what no record can contain, and PostgreSQL cannot even be asked for.
fn check_texts(texts: &[(&str, &Option<String>)]) -> Result<(), Error> {
    let nul = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
    match texts.iter().find(|(_, text)| nul(text)) {
        Some((field, _)) => Err(Error::field(field, "syntax", "no zero characters")),
        None => Ok(()),
    }
}
