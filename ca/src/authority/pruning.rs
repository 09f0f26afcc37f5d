//! Pruning: what the settings say is no longer kept.

use common::audit::Event;
use common::clock::Timestamp;
use common::db::{Connection, audit};
use common::identity::Caller;

use super::Authority;
use crate::Error;
use crate::job::Outcome;
use crate::store::{idempotency, pruning};

/// Rows in one transaction: what others wait for is never long.
const BATCH: i64 = 500;

/// Days that finished long work stays on the job list.
const JOB_DAYS: i64 = 30;

impl Authority {
    /// Timed work: forgets what the settings do not want kept, with its number on the audit trail.
    /// Never a certificate that is in force, or that no CRL was made without.
    pub fn prune(&self) -> Result<Outcome, Error> {
        let now = self.clock.now();
        let mut certificates = 0;
        let mut entries = 0;
        if let Some(days) = self.prune_config.certificates_days {
            let before = now.plus_days(-days);
            for issuer in self.issuers() {
                let id = issuer.id.clone();
                let listed = self.database.read(|c| pruning::last_listed(c, &id))?;
                let before = before.min(listed);
                certificates += self.forget("certificates", move |c| {
                    pruning::certificates(c, &id, before, BATCH)
                })?;
            }
            entries = self.forget("journal", move |c| pruning::journal(c, before, BATCH))?;
        }
        let mut requests = 0;
        if let Some(days) = self.prune_config.requests_days {
            let before = now.plus_days(-days);
            requests = self.forget("requests", move |c| pruning::requests(c, before, BATCH))?;
        }
        let (day, month) = (now.plus_days(-1), now.plus_days(-JOB_DAYS));
        let rest = self.database.write("forget old answers", move |c| {
            Ok::<_, Error>(idempotency::forget(c, day)? + pruning::jobs(c, month)?)
        })?;
        let all = certificates + entries + requests + rest;
        let words = format!(
            "forgot {certificates} certificates, {entries} journal entries, {requests} requests"
        );
        Ok(Outcome::done(all, words))
    }

    /// Runs `batch` until it finds nothing more, each time with an audit record of how many went.
    fn forget(
        &self,
        what: &'static str,
        batch: impl Fn(&mut Connection) -> Result<usize, Error> + Clone + Send + 'static,
    ) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            let (batch, now) = (batch.clone(), self.clock.now());
            let count = self.database.write("prune", move |c| {
                let count = batch(c)?;
                if count > 0 {
                    audit::append(c, &pruned(what, count, now))?;
                }
                Ok::<_, Error>(count)
            })?;
            all += count;
            if count == 0 {
                return Ok(all);
            }
        }
    }
}

fn pruned(what: &'static str, count: usize, now: Timestamp) -> Event {
    let system = Caller::system();
    Event::by(&system, now, "PRUNED", what.into()).with("count", count.to_string())
}
