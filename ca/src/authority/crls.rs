//! CRLs: made after a change and on schedule.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use common::audit::Event;
use common::clock::Timestamp;
use common::db::{Database, audit};
use common::identity::Caller;

use super::Authority;
use crate::Error;
use crate::crl::{self, Crl};
use crate::issuer::Issuer;
use crate::job::{Outcome, State};
use crate::store::{authorities, crls, jobs, statuses};

/// The kind of the jobs that make CRLs, one for each authority, on a thread of their own.
const CRL: &str = "crl";

/// What is published for one authority.
#[derive(Debug)]
pub(super) struct Publication {
    /// The CRL in force.
    current: ArcSwapOption<Crl>,
    /// Held while a CRL is made; when the making of the last one began.
    making: Mutex<Option<Instant>>,
}

impl Publication {
    /// With the newest CRL on record.
    pub(super) fn open(database: &Database, authority: &str) -> Result<Self, Error> {
        let newest = database.read(|c| crls::newest(c, authority))?;
        Ok(Self {
            current: ArcSwapOption::from_pointee(newest),
            making: Mutex::default(),
        })
    }

    /// Puts a CRL in force unless a newer one is.
    fn put(&self, crl: &Arc<Crl>) {
        self.current.rcu(|current| match current {
            Some(current) if current.number > crl.number => Some(Arc::clone(current)),
            _ => Some(Arc::clone(crl)),
        });
    }
}

/// Wakes the thread that makes CRLs.
#[derive(Debug, Default)]
pub struct Wake {
    asked: Mutex<BTreeSet<String>>,
    signal: Condvar,
}

impl Wake {
    /// The status of one of the authority's certificates has changed.
    pub fn wake(&self, authority: &str) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(authority.to_owned());
        self.signal.notify_all();
    }

    /// Waits at most `timeout`; gives the authorities that somebody named.
    pub fn wait(&self, timeout: Duration) -> BTreeSet<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut asked, _) = self
            .signal
            .wait_timeout_while(asked, timeout, |asked| asked.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked)
    }
}

impl Authority {
    /// The CRL of an authority that is in force.
    pub fn current_crl(&self, authority: &str) -> Option<Arc<Crl>> {
        self.member(authority).ok()?.crls.current.load_full()
    }

    /// What wakes the builder.
    pub fn crl_wake(&self) -> &Wake {
        &self.crl_wake
    }

    /// Makes a new CRL now; when the last one was made within the same second, a moment later, since
    /// time must neither stand still nor run ahead between two of them.
    pub fn make_crl(&self, caller: &Caller, authority: &str) -> Result<Arc<Crl>, Error> {
        let member = self.member(authority)?;
        // Measured by the clock that nobody sets.
        let asked = Instant::now();
        let mut began = member
            .crls
            .making
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let previous = member.crls.current.load_full();
        // One that was begun while we waited says all that ours would.
        if let Some(crl) = previous
            .as_ref()
            .filter(|_| began.is_some_and(|began| began > asked))
        {
            return Ok(Arc::clone(crl));
        }
        let not_before = previous.as_ref().map_or(Timestamp::from_micros(0), |crl| {
            crl.this_update.plus_seconds(1)
        });
        std::thread::sleep(
            not_before
                .since(self.clock.now())
                .min(Duration::from_secs(1)),
        );
        let begin = Instant::now();
        // An entry leaves after its certificate ended and one more CRL said so (RFC 5280 §3.3).
        let since = previous.map_or(Timestamp::from_micros(0), |crl| crl.this_update);
        let id = member.issuer.id.clone();
        let number = self.database.write("reserve CRL number", move |c| {
            authorities::next_crl_number(c, &id)
        })?;
        let revoked = self
            .database
            .read(|c| statuses::not_valid(c, &member.issuer.id, since))?;
        let this_update = self.clock.now().whole_seconds().max(not_before);
        let next_update = this_update.plus_seconds(self.crl_config.validity_hours * 3_600);
        let crl = crl::sign(&member.issuer, number, &revoked, this_update, next_update)?;
        let object = format!("crl/{}", member.issuer.id);
        let event = Event::by(caller, self.clock.now(), "FULL_CRL_GENERATION", object)
            .with("number", number.to_string())
            .with("entries", crl.entries.to_string());
        let row = crl.clone();
        let outcome = Outcome::done(
            usize::try_from(crl.entries).unwrap_or(usize::MAX),
            format!("number {number} with {} entries", crl.entries),
        );
        let job = job_id(&member.issuer.id);
        let (now, next) = (self.clock.now(), half_time(&crl));
        self.database.write("record CRL", move |c| {
            crls::insert(c, &row)?;
            jobs::register(c, &job, CRL, next, now)?;
            jobs::finish(c, &job, State::Scheduled, &outcome, (now, Some(next)))?;
            Ok::<_, Error>(audit::append(c, &event)?)
        })?;
        let crl = Arc::new(crl);
        member.crls.put(&crl);
        *began = Some(begin);
        Ok(crl)
    }

    /// Whether a change of status makes a new CRL at once.
    fn follows_changes(&self, authority: &str) -> bool {
        let entries = self.current_crl(authority).map_or(0, |crl| crl.entries);
        self.crl_config.on_revocation && entries <= self.crl_config.on_revocation_max
    }

    /// When a change that is committed now will be in the authority's CRL, at the latest.
    pub fn visible_in_crl(&self, authority: &str) -> Timestamp {
        let now = self.clock.now();
        match self.current_crl(authority) {
            Some(crl) if !self.follows_changes(authority) => half_time(&crl),
            _ => now.plus_seconds(2).whole_seconds(),
        }
    }

    /// Makes CRLs for ever: after changes, at most one a second, and at half of the validity.
    pub fn make_crls(&self) {
        let system = Caller::system();
        loop {
            let now = self.clock.now();
            let all = self.issuers();
            let due = all.iter().filter_map(|issuer| self.crl_due(issuer, now));
            let due = due.min().unwrap_or(now.plus_seconds(60));
            let wait = due
                .since(now)
                .clamp(Duration::from_millis(10), Duration::from_secs(60));
            let changed = self.crl_wake.wait(wait);
            let now = self.clock.now();
            for issuer in self.issuers() {
                let changed = changed.contains(&issuer.id) && self.follows_changes(&issuer.id);
                let due = self.crl_due(&issuer, now).is_some_and(|due| due <= now);
                if !changed && !due {
                    continue;
                }
                if let Err(error) = self.make_crl(&system, &issuer.id) {
                    self.note_failure(job_id(&issuer.id), CRL, error);
                    std::thread::sleep(Duration::from_secs(1));
                    self.crl_wake.wake(&issuer.id);
                }
            }
        }
    }

    /// When an authority's next CRL has to be made by schedule; never after its own end.
    fn crl_due(&self, issuer: &Issuer, now: Timestamp) -> Option<Timestamp> {
        let current = self.current_crl(&issuer.id);
        let due = current.map_or(now, |crl| half_time(&crl));
        (due <= issuer.certificate.not_after()).then_some(due)
    }
}

/// The id of the job that makes the CRLs of an authority.
fn job_id(authority: &str) -> String {
    format!("{CRL}-{authority}")
}

fn half_time(crl: &Crl) -> Timestamp {
    let seconds = (crl.next_update.seconds() - crl.this_update.seconds()) / 2;
    crl.this_update.plus_seconds(seconds)
}
