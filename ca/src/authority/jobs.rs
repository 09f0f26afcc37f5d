//! Jobs: the list that administrators read, and running what is due.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use common::clock::Timestamp;

use super::{Authority, revocations};
use crate::Error;
use crate::job::{Job, Outcome, State, next_run};
use crate::jobs::Timed;
use crate::store::jobs;

/// How long an instance has a job for itself before another one may take it over.
const LEASE_SECONDS: i64 = 120;

/// How long an issuance may take before timed work finishes it.
const INTENT_SECONDS: i64 = 60;

/// When long work that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Wakes who does long work.
#[derive(Debug, Default)]
pub struct JobWake {
    asked: Mutex<bool>,
    signal: Condvar,
}

impl JobWake {
    /// There is something to do.
    pub fn wake(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.notify_all();
    }

    /// Waits for that, at most `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .signal
            .wait_timeout_while(asked, timeout, |asked| !*asked);
        let (mut asked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *asked = false;
    }
}

impl Authority {
    /// A page of jobs, the newest first.
    pub fn jobs(&self, after: Option<(i64, String)>, limit: i64) -> Result<Vec<Job>, Error> {
        self.database.read(|c| jobs::list(c, after.clone(), limit))
    }

    /// A job.
    pub fn job(&self, id: &str) -> Result<Job, Error> {
        // No id contains what PostgreSQL cannot even be asked for.
        match id.contains('\0') {
            true => Err(Error::NotFound("job")),
            false => self.database.read(|c| jobs::find(c, id)),
        }
    }

    /// What wakes who does long work.
    pub fn job_wake(&self) -> &JobWake {
        &self.job_wake
    }

    /// Puts timed work on the list, and forgets what a process that is gone was at.
    pub fn register_jobs(&self, timed: &'static [Timed]) -> Result<(), Error> {
        let now = self.clock.now();
        let is_shared = self.database.is_shared();
        self.database.write("register jobs", move |c| {
            if !is_shared {
                jobs::forget_leases(c)?;
            }
            timed
                .iter()
                .try_for_each(|timed| jobs::register(c, timed.kind, timed.kind, now, now))
        })
    }

    /// Runs the timed work whose moment has come.
    pub fn run_timed(&self, timed: &[Timed]) -> Result<(), Error> {
        let now = self.clock.now();
        for job in self.database.read(|c| jobs::due(c, false, now))? {
            let Some(timed) = timed.iter().find(|timed| timed.kind == job.kind) else {
                continue;
            };
            if self.lease(&job.id)? {
                let outcome = (timed.run)(self);
                self.finish_timed(job.id, timed.kind, timed.every, outcome)?;
            }
        }
        Ok(())
    }

    /// Runs long work that waits or was interrupted, one after the other, to its end. What fails is
    /// tried again from where it stopped.
    pub fn run_long(&self) -> Result<(), Error> {
        let now = self.clock.now();
        for job in self.database.read(|c| jobs::due(c, true, now))? {
            if !self.lease(&job.id)? {
                continue;
            }
            let outcome = match job.kind.as_str() {
                revocations::KIND => self.run_revocations(&job),
                kind => Err(Error::Internal(format!("there is no long work `{kind}`"))),
            };
            let (id, now) = (job.id, self.clock.now());
            match outcome {
                Ok(outcome) => self.database.write("finish job", move |c| {
                    jobs::finish(c, &id, State::Complete, &outcome, (now, None))
                }),
                Err(error) => {
                    let (_, outcome) = conclude(&job.kind, Err(error));
                    let next = next_run(now, RETRY, true);
                    self.database.write("postpone job", move |c| {
                        jobs::postpone(c, &id, &outcome.result, (now, next))
                    })
                }
            }?;
        }
        Ok(())
    }

    fn finish_timed(
        &self,
        id: String,
        kind: &str,
        every: Duration,
        outcome: Result<Outcome, Error>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let (state, outcome) = conclude(kind, outcome);
        let next = next_run(now, every, state == State::Failed);
        self.database.write("finish job", move |c| {
            jobs::finish(c, &id, state, &outcome, (now, Some(next)))
        })
    }

    /// Puts on record that work on a thread of its own has failed; it is about to try again.
    pub(super) fn note_failure(&self, id: String, kind: &str, error: Error) {
        let noted = self.finish_timed(id, kind, Duration::from_secs(1), Err(error));
        if let Err(error) = noted {
            tracing::warn!(kind, %error, "the failure of a job could not be put on record");
        }
    }

    fn lease(&self, id: &str) -> Result<bool, Error> {
        let now = self.clock.now();
        let (id, owner, until) = (id.to_owned(), self.instance.clone(), self.lease_end());
        self.database.write("lease job", move |c| {
            jobs::lease(c, &id, &owner, now, until)
        })
    }

    /// Until when a lease that begins now holds.
    pub(super) fn lease_end(&self) -> Timestamp {
        self.clock.now().plus_seconds(LEASE_SECONDS)
    }

    /// Timed work: finishes issuances whose record failed, without waiting for a restart.
    pub fn finish_old_intents(&self) -> Result<Outcome, Error> {
        let before = self.clock.now().plus_seconds(-INTENT_SECONDS);
        let (finished, failed) = self.finish_intents_before(before)?;
        let words = format!("finished {finished} issuances, {failed} stay interrupted");
        Ok(Outcome::done(finished, words).with_errors(failed))
    }
}

/// The state and outcome of a run, logged and counted when it failed.
pub(super) fn conclude(kind: &str, outcome: Result<Outcome, Error>) -> (State, Outcome) {
    match outcome {
        Ok(outcome) => (State::Scheduled, outcome),
        Err(error) => {
            tracing::error!(kind, %error, "a job failed");
            metrics::counter!("ca_job_failures_total", "kind" => kind.to_owned()).increment(1);
            let outcome = Outcome::done(0, error.to_string()).with_errors(1);
            (State::Failed, outcome)
        }
    }
}
