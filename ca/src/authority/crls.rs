//! CRLs: made after a change and on schedule.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::audit::Event;
use common::clock::Timestamp;
use common::db::audit;
use common::identity::Caller;

use super::Authority;
use crate::Error;
use crate::crl::{self, Crl};
use crate::store::{authorities, crls, statuses};

/// Wakes the thread that makes CRLs.
#[derive(Debug, Default)]
pub struct Wake {
    asked: Mutex<bool>,
    signal: Condvar,
}

impl Wake {
    /// A certificate's status has changed.
    pub fn wake(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.notify_all();
    }

    /// Waits at most `timeout`; `true` when somebody asked.
    pub fn wait(&self, timeout: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut asked, _) = self
            .signal
            .wait_timeout_while(asked, timeout, |asked| !*asked)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked)
    }
}

impl Authority {
    /// The CRL in force.
    pub fn current_crl(&self) -> Option<Arc<Crl>> {
        self.crl.load_full()
    }

    /// What wakes the builder.
    pub fn crl_wake(&self) -> &Wake {
        &self.crl_wake
    }

    /// Makes a new CRL now; when the last one was made within the same second, a moment later, since
    /// time must neither stand still nor run ahead between two of them.
    pub fn make_crl(&self, caller: &Caller) -> Result<Arc<Crl>, Error> {
        // Measured by the clock that nobody sets.
        let asked = Instant::now();
        let mut began = self
            .crl_making
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // One that was begun while we waited says all that ours would.
        if let Some(crl) = self
            .current_crl()
            .filter(|_| began.is_some_and(|began| began > asked))
        {
            return Ok(crl);
        }
        let host = self.host.id.clone();
        let previous = self.current_crl();
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
        let number = self.database.write("reserve CRL number", move |c| {
            authorities::next_crl_number(c, &host)
        })?;
        let revoked = self
            .database
            .read(|c| statuses::not_valid(c, &self.host.id, since))?;
        let this_update = self.clock.now().whole_seconds().max(not_before);
        let next_update = this_update.plus_seconds(self.crl_config.validity_hours * 3_600);
        let crl = crl::sign(&self.host, number, &revoked, this_update, next_update)?;
        let object = format!("crl/{}", self.host.id);
        let event = Event::by(caller, self.clock.now(), "FULL_CRL_GENERATION", object)
            .with("number", number.to_string())
            .with("entries", crl.entries.to_string());
        let row = crl.clone();
        self.database.write("record CRL", move |c| {
            crls::insert(c, &row)?;
            Ok::<_, Error>(audit::append(c, &event)?)
        })?;
        let crl = Arc::new(crl);
        self.publish(crl.clone());
        *began = Some(begin);
        Ok(crl)
    }

    /// Puts a CRL in force unless a newer one is.
    fn publish(&self, crl: Arc<Crl>) {
        self.crl.rcu(|current| match current {
            Some(current) if current.number > crl.number => Some(current.clone()),
            _ => Some(crl.clone()),
        });
    }

    /// Whether a change of status makes a new CRL at once.
    fn follows_changes(&self) -> bool {
        let entries = self.current_crl().map_or(0, |crl| crl.entries);
        self.crl_config.on_revocation && entries <= self.crl_config.on_revocation_max
    }

    /// When a change that is committed now will be in the CRL, at the latest.
    pub fn visible_in_crl(&self) -> Timestamp {
        let now = self.clock.now();
        match self.current_crl() {
            Some(crl) if !self.follows_changes() => half_time(&crl),
            _ => now.plus_seconds(2).whole_seconds(),
        }
    }

    /// Makes CRLs for ever: after changes, at most one a second, and at half of the validity.
    pub fn make_crls(&self) {
        let system = Caller::system();
        loop {
            let now = self.clock.now();
            let due = self.current_crl().map_or(now, |crl| half_time(&crl));
            let wait = due
                .since(now)
                .clamp(Duration::from_millis(10), Duration::from_secs(60));
            let changed = self.crl_wake.wait(wait) && self.follows_changes();
            if !changed && self.clock.now() < due {
                continue;
            }
            if let Err(error) = self.make_crl(&system) {
                tracing::error!(%error, "no CRL could be made");
                std::thread::sleep(Duration::from_secs(1));
                self.crl_wake.wake();
            }
        }
    }
}

fn half_time(crl: &Crl) -> Timestamp {
    let seconds = (crl.next_update.seconds() - crl.this_update.seconds()) / 2;
    crl.this_update.plus_seconds(seconds)
}
