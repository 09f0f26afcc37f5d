//! The verbs of the CA. Synchronous; called on blocking threads only.

mod certificates;
mod crls;
mod enrollment;
mod issuance;
mod journal;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use common::clock::Clock;
use common::db::{Connection, Database};
use common::identity::{Caller, Evidence, Rule, authorize};
use common::x509::{Certificate, Status};

use crate::Error;
use crate::config::CrlConfig;
use crate::crl::Crl;
use crate::issuer::Issuer;
use crate::journal::News;
use crate::profile::Profiles;
use crate::store::statuses;

pub use certificates::StatusRequest;
pub use crls::Wake;
pub use enrollment::{IdempotencyKey, Submission, Submitted};
pub use issuance::SystemRequest;

/// Everything that a verb may touch.
#[derive(Debug)]
pub struct Authority {
    database: Database,
    host: Arc<Issuer>,
    profiles: Profiles,
    clock: Clock,
    crl_config: CrlConfig,
    /// The CRL in force.
    crl: ArcSwapOption<Crl>,
    /// Held while a CRL is made; when the making of the last one began.
    crl_making: Mutex<Option<Instant>>,
    /// Wakes the builder of CRLs.
    crl_wake: Wake,
    /// Wakes the followers of the journal.
    news: News,
}

impl Authority {
    /// An authority over `database` that issues as `host`.
    pub fn new(
        database: Database,
        host: Issuer,
        profiles: Profiles,
        crl_config: CrlConfig,
        clock: Clock,
    ) -> Result<Self, Error> {
        let crl = database.read(|c| crate::store::crls::newest(c, &host.id))?;
        Ok(Self {
            database,
            host: Arc::new(host),
            profiles,
            clock,
            crl_config,
            crl: ArcSwapOption::from_pointee(crl),
            crl_making: Mutex::default(),
            crl_wake: Wake::default(),
            news: News::default(),
        })
    }

    /// The same authority with the certificate that it issued to itself.
    pub(crate) fn with_certificate(mut self, certificate: Certificate) -> Result<Self, String> {
        let host = Arc::get_mut(&mut self.host).ok_or("the authority is in use already")?;
        host.certificate = certificate;
        Ok(self)
    }

    /// Finds out who calls and whether `rule` lets them in.
    pub fn admit(&self, evidence: Evidence, rule: Rule) -> Result<Caller, Error> {
        self.database
            .read(|connection| authorize(connection, evidence.clone(), rule, is_revoked))
    }

    /// The first authority.
    pub fn host(&self) -> &Issuer {
        &self.host
    }

    /// All profiles.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The database, for what starts and tests the CA.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Whether the signing key is there and the database answers.
    pub fn readiness(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let answers = self
            .database
            .read(|c| crate::store::crls::newest(c, &self.host.id));
        if answers.is_err() {
            missing.push("the database does not answer".into());
        }
        let now = self.clock.now();
        match self.current_crl() {
            Some(crl) if crl.next_update > now => {}
            Some(_) => missing.push("the CRL has expired".into()),
            None => missing.push("there is no CRL yet".into()),
        }
        if self.host.certificate.not_after() < now {
            missing.push("the CA certificate has expired".into());
        }
        missing
    }
}

/// Whether a client certificate of ours was revoked or put on hold. One that we do not know is not
/// ours to vouch for.
fn is_revoked(connection: &mut Connection, certificate: &Certificate) -> Result<bool, Error> {
    match statuses::find(connection, &certificate.serial()) {
        Ok(known) => Ok(known.status != Status::Valid),
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
