//! Following the CA's status journal: a long poll for ever, and a look on demand when a question
//! names a certificate that we do not know.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::Endpoint;
use common::api::ca::{Journal, JournalEntry};
use common::clock::{Clock, Timestamp};
use common::db::Database;
use common::x509::SerialNumber;

use crate::statuses::{Known, Statuses, read_status};
use crate::store::{self, Row};

/// Seconds that the CA may wait for news before it answers a poll.
const POLL_SECONDS: u32 = 10;

/// Silence of the CA from which on the log warns.
const WORRY: Duration = Duration::from_secs(15);

/// Pause after a poll that brought news, so that a busy CA is not asked for each certificate.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest time that a question waits for the CA.
const REFRESH_MAX: Duration = Duration::from_millis(500);

/// How often new statuses go to disk. What is lost with the process is fetched again.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// The journal of one CA, and all that it told.
#[derive(Debug)]
pub struct Feed {
    ca: Endpoint,
    database: Database,
    clock: Clock,
    statuses: Statuses,
    position: Mutex<Position>,
    /// When the CA last confirmed that we know everything, microseconds.
    confirmed: AtomicI64,
    flight: Mutex<Flight>,
    landed: Condvar,
}

/// How far we have read, and what of it is not on disk yet.
#[derive(Debug, Default)]
struct Position {
    cursor: Option<String>,
    unsaved: Vec<Row>,
}

/// Calls made on demand: one at a time for all who wait.
#[derive(Debug, Default)]
struct Flight {
    started: u64,
    finished: u64,
    succeeded: u64,
}

impl Feed {
    /// Takes up where the last process left off.
    pub fn open(ca: Endpoint, database: Database, clock: Clock) -> Result<Self, String> {
        let (cursor, rows) = database.read(store::load).map_err(|e| e.to_string())?;
        let statuses = Statuses::default();
        statuses.apply(rows.iter().filter_map(Row::known));
        Ok(Self {
            ca,
            database,
            clock,
            statuses,
            position: Mutex::new(Position {
                cursor,
                unsaved: Vec::new(),
            }),
            confirmed: AtomicI64::new(0),
            flight: Mutex::default(),
            landed: Condvar::new(),
        })
    }

    /// All statuses.
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// How long ago the CA last confirmed that we are up to date.
    pub fn silence(&self) -> Duration {
        let confirmed = Timestamp::from_micros(self.confirmed.load(Ordering::Relaxed));
        self.clock.now().since(confirmed)
    }

    /// Follows for ever.
    pub fn follow(&self) {
        // What is there already, at first and after an outage, must not wait for what comes next.
        let mut wait_seconds = 0;
        loop {
            match self.pull(&self.ca, wait_seconds) {
                Ok(Pulled::Nothing) => wait_seconds = POLL_SECONDS,
                Ok(Pulled::News) => std::thread::sleep(PAUSE),
                Err(error) => {
                    wait_seconds = 0;
                    // A CA that restarts is away for a moment; only a longer absence is worth a word.
                    match self.silence() < WORRY {
                        true => tracing::debug!(error, "the status journal could not be read"),
                        false => tracing::warn!(error, "the status journal could not be read"),
                    }
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
            let silence = self.silence().as_secs_f64();
            metrics::gauge!("ocsp_journal_age_seconds").set(silence);
            metrics::gauge!("ocsp_statuses").set(f64::from(
                u32::try_from(self.statuses.count()).unwrap_or(u32::MAX),
            ));
        }
    }

    /// Saves for ever.
    pub fn save(&self) {
        loop {
            std::thread::sleep(SAVE_EVERY);
            if let Err(error) = self.save_once() {
                tracing::warn!(%error, "the statuses could not be saved");
            }
        }
    }

    /// Makes sure that everything that the CA committed before this call is known here; `false` when
    /// that did not work out in time. Many callers share one call.
    pub fn refresh(&self) -> bool {
        let deadline = Instant::now() + REFRESH_MAX;
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        // A call under way may have left before the certificate was committed; the next will do.
        let needed = flight.started + 1;
        loop {
            if flight.finished >= needed {
                return flight.succeeded >= needed;
            }
            if flight.started == flight.finished {
                flight.started += 1;
                drop(flight);
                let reached = self.look();
                flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
                flight.finished = flight.started;
                if reached {
                    flight.succeeded = flight.finished;
                }
                self.landed.notify_all();
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.landed.wait_timeout(flight, left);
            flight = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn look(&self) -> bool {
        let ca = self.ca.with_timeout(REFRESH_MAX);
        let deadline = Instant::now() + REFRESH_MAX;
        while Instant::now() < deadline {
            match self.pull(&ca, 0) {
                // A full page may not be the last one; a poll in between may have moved the cursor.
                Ok(Pulled::News) => {}
                Ok(Pulled::Nothing) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn pull(&self, ca: &Endpoint, wait_seconds: u32) -> Result<Pulled, String> {
        let before = self
            .position
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cursor
            .clone();
        let asked = self.clock.now();
        match ca.status_journal(before.as_deref(), wait_seconds) {
            Ok(journal) => self.apply(before, journal, asked),
            Err(error) => {
                self.start_over_when_refused(before, &error);
                Err(error.to_string())
            }
        }
    }

    /// A CA that was restored from a backup does not know our cursor; its journal is read anew.
    fn start_over_when_refused(&self, before: Option<String>, error: &client::Error) {
        let refused = error.problem().is_some_and(|problem| problem.status == 422);
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if refused && before.is_some() && position.cursor == before {
            tracing::warn!("the CA's status journal was replaced; reading it from the start");
            position.cursor = None;
        }
    }

    fn apply(
        &self,
        before: Option<String>,
        journal: Journal,
        asked: Timestamp,
    ) -> Result<Pulled, String> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if position.cursor != before {
            // Somebody else applied the same entries, and perhaps more.
            return Ok(Pulled::News);
        }
        let rows: Vec<Row> = journal.entries.iter().map(row).collect::<Result<_, _>>()?;
        self.statuses.apply(rows.iter().filter_map(Row::known));
        position.cursor = Some(journal.next);
        let news = match rows.is_empty() {
            true => Pulled::Nothing,
            false => Pulled::News,
        };
        position.unsaved.extend(rows);
        drop(position);
        self.confirmed.fetch_max(asked.micros(), Ordering::Relaxed);
        Ok(news)
    }

    fn save_once(&self) -> Result<(), common::db::Error> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if position.unsaved.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut position.unsaved);
        let cursor = position.cursor.clone().unwrap_or_default();
        drop(position);
        let kept = rows.clone();
        let saved = self
            .database
            .write("save statuses", move |c| store::save(c, &rows, &cursor));
        if saved.is_err() {
            let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
            position.unsaved.splice(0..0, kept);
        }
        saved
    }
}

/// Whether a poll brought anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pulled {
    Nothing,
    News,
}

fn row(entry: &JournalEntry) -> Result<Row, String> {
    let odd = || format!("the journal entry {} cannot be read", entry.cursor);
    let serial: SerialNumber = entry.serial.parse().map_err(|_| odd())?;
    let status = read_status(&entry.status, entry.at, entry.reason.as_deref()).ok_or_else(odd)?;
    let known = Known {
        status,
        not_after: entry.not_after,
    };
    Ok(Row::new(&entry.authority, &serial, &known, entry.at))
}
