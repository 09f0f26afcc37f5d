//! Revoking many certificates at once: planned, put on the job list, done in batches.

use common::api::ca::RevokeMany;
use common::audit::Event;
use common::clock::Timestamp;
use common::db::{Connection, audit};
use common::identity::Caller;
use common::x509::{RevocationReason, SerialNumber, Status};
use serde::{Deserialize, Serialize};

use super::Authority;
use crate::Error;
use crate::job::{Job, Outcome, Progress};
use crate::store::certificates::Listed;
use crate::store::revocations::{self, Place, Wanted};
use crate::store::{jobs, journal, statuses};

/// The kind of these jobs.
pub(super) const KIND: &str = "revocations";

/// Certificates in one transaction: what others wait for is never long.
const BATCH: i64 = 250;

/// Serial numbers in one order.
const SERIALS_MAX: usize = 10_000;

/// What is on the job list: what was ordered, and where it goes on.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Task {
    order: RevokeMany,
    by: String,
    /// Nothing that was issued later.
    until: i64,
    /// The last one done: when it was issued, and its serial number.
    after: Option<(i64, String)>,
}

/// What an order would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many certificates it revokes.
    pub count: i64,
    /// The first of them.
    pub sample: Vec<Listed>,
}

impl Authority {
    /// What `order` would revoke now.
    pub fn plan_revocations(&self, order: &RevokeMany) -> Result<Plan, Error> {
        let now = self.clock.now();
        let wanted = self.wanted(order, now)?;
        self.database.read(|c| {
            Ok(Plan {
                count: revocations::count(c, &wanted, now)?,
                sample: revocations::sample(c, &wanted, now, 10)?,
            })
        })
    }

    /// Puts `order` on the job list; gives the job.
    pub fn order_revocations(&self, caller: &Caller, order: RevokeMany) -> Result<Job, Error> {
        let now = self.clock.now();
        let wanted = self.wanted(&order, now)?;
        let count = self
            .database
            .read(|c| revocations::count(c, &wanted, now))?;
        let task = Task {
            by: caller.actor().to_owned(),
            until: now.micros(),
            after: None,
            order,
        };
        let text = |e: serde_json::Error| Error::Internal(e.to_string());
        let details = serde_json::to_string(&task.order).map_err(text)?;
        let task = serde_json::to_string(&task).map_err(text)?;
        let job = Job::long(KIND, task, count, now, caller.actor());
        let event = Event::by(
            caller,
            now,
            "MASS_REVOCATION_ORDERED",
            format!("job/{}", job.id),
        )
        .with("order", details)
        .with("count", count.to_string());
        let row = job.clone();
        self.database.write("order revocations", move |c| {
            jobs::insert(c, &row)?;
            Ok::<_, Error>(audit::append(c, &event)?)
        })?;
        self.job_wake.wake();
        Ok(job)
    }

    /// Checks an order. It must name something: nobody revokes all there is by leaving out a line.
    fn wanted(&self, order: &RevokeMany, until: Timestamp) -> Result<Wanted, Error> {
        reason(order)?;
        let texts = [
            ("profile", &order.profile),
            ("authority", &order.authority),
            ("note", &order.note),
        ];
        super::check_texts(&texts)?;
        if order.invalidity_date.is_some_and(|at| at > until) {
            let message = "the invalidity date lies in the future";
            return Err(Error::field("invalidity_date", "past", message));
        }
        if let Some(id) = &order.authority {
            self.issuing(Some(id))?;
        }
        let key = order.spki_sha256.as_deref().map(|text| {
            let digest = common::x509::from_hex(text).filter(|digest| digest.len() == 32);
            let message = "spki_sha256 is a SHA-256 digest in hex";
            digest.ok_or_else(|| Error::field("spki_sha256", "syntax", message))
        });
        let serials = order.serials.as_ref().map(|serials| self.serials(serials));
        let wanted = Wanted {
            profile: order.profile.clone(),
            key: key.transpose()?,
            authority: order.authority.clone(),
            issued_after: order.issued_after,
            issued_before: order.issued_before,
            serials: serials.transpose()?,
            until,
            spared_keys: match order.serials {
                Some(_) => Vec::new(),
                None => self.own_keys(),
            },
        };
        match wanted.names_something() {
            true => Ok(wanted),
            false => {
                let message = "name at least one of profile, spki_sha256, authority, issued_after, \
                               issued_before and serials";
                Err(Error::field("serials", "required", message))
            }
        }
    }

    fn serials(&self, texts: &[String]) -> Result<Vec<SerialNumber>, Error> {
        let refused = |rule: &str, message: String| Err(Error::field("serials", rule, message));
        if texts.is_empty() || texts.len() > SERIALS_MAX {
            return refused("range", format!("serials are 1 to {SERIALS_MAX} numbers"));
        }
        let parsed = texts.iter().map(|text| text.parse());
        let Ok(serials) = parsed.collect::<Result<Vec<SerialNumber>, _>>() else {
            return refused("syntax", "serials are serial numbers in hex".into());
        };
        let unknown = serials.iter().find_map(|serial| {
            let found = self.database.read(|c| statuses::find(c, serial));
            found.err().map(|error| (serial, error))
        });
        match unknown {
            None => Ok(serials),
            Some((serial, Error::NotFound(_))) => {
                refused("unknown", format!("there is no certificate {serial}"))
            }
            Some((_, error)) => Err(error),
        }
    }

    /// The keys of our own authorities, whose certificates are only revoked when they are named.
    fn own_keys(&self) -> Vec<Vec<u8>> {
        let issuers = self.issuers().into_iter();
        issuers
            .map(|issuer| issuer.certificate.public_key().spki_sha256().to_vec())
            .collect()
    }

    /// Does what was ordered, from where it stopped.
    pub(super) fn run_revocations(&self, job: &Job) -> Result<Outcome, Error> {
        let damaged = || Error::Internal(format!("job {}: its task is damaged", job.id));
        let task = job.task.as_deref().ok_or_else(damaged)?;
        let mut task: Task = serde_json::from_str(task).map_err(|_| damaged())?;
        let wanted = self.wanted(&task.order, Timestamp::from_micros(task.until))?;
        let mut progress = job.progress;
        loop {
            let (found, next) = self.revoke_batch(&job.id, &wanted, &task, progress)?;
            self.news.tell();
            for (authority, shard) in &found {
                self.crl_wake.wake_for(authority, *shard);
            }
            metrics::counter!("ca_status_changes_total", "to" => "revoked")
                .increment(u64::try_from(found.len()).unwrap_or(u64::MAX));
            let Some((after, now_done)) = next else {
                return Ok(Outcome {
                    progress,
                    result: format!("revoked {} certificates", progress.done),
                });
            };
            task.after = Some(after);
            progress = now_done;
        }
    }

    /// Revokes the next few and puts on record where it goes on, in one transaction; gives whose
    /// they were, and the place after them unless there were none.
    #[expect(clippy::type_complexity, reason = "used here only")]
    fn revoke_batch(
        &self,
        job: &str,
        wanted: &Wanted,
        task: &Task,
        progress: Progress,
    ) -> Result<
        (
            Vec<(String, Option<i16>)>,
            Option<((i64, String), Progress)>,
        ),
        Error,
    > {
        let (job, wanted, mut task) = (job.to_owned(), wanted.clone(), task.clone());
        let (now, lease_end) = (self.clock.now(), self.lease_end());
        let reason = reason(&task.order)?;
        self.database.write("revoke batch", move |c| {
            let after = match &task.after {
                None => None,
                Some((issued, serial)) => Some(Place {
                    issued: Timestamp::from_micros(*issued),
                    serial: serial
                        .parse()
                        .map_err(|_| Error::Internal("a task is damaged".into()))?,
                }),
            };
            let places = revocations::next(c, &wanted, now, after.as_ref(), BATCH)?;
            let Some(last) = places.last() else {
                return Ok((Vec::new(), None));
            };
            let mut found = Vec::with_capacity(places.len());
            for place in &places {
                found.push(revoke(c, &place.serial, &job, &task, reason, now)?);
            }
            let done = i64::try_from(places.len()).unwrap_or(i64::MAX);
            let progress = Progress {
                done: progress.done + done,
                total: progress.total.max(progress.done + done),
                ..progress
            };
            let place = (last.issued.micros(), last.serial.to_string());
            task.after = Some(place.clone());
            let text = serde_json::to_string(&task).map_err(|e| Error::Internal(e.to_string()))?;
            jobs::advance(c, &job, progress, &text, lease_end)?;
            Ok::<_, Error>((found, Some((place, progress))))
        })
    }
}

fn reason(order: &RevokeMany) -> Result<RevocationReason, Error> {
    let Some(text) = &order.reason else {
        return Ok(RevocationReason::Unspecified);
    };
    text.parse()
        .map_err(|message: String| Error::field("reason", "choice", message))
}

/// Revokes one certificate with its journal row and audit record.
fn revoke(
    connection: &mut Connection,
    serial: &SerialNumber,
    job: &str,
    task: &Task,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<(String, Option<i16>), Error> {
    let known = statuses::find(connection, serial)?;
    let at = now.max(Timestamp::from_micros(known.changed.micros() + 1));
    let status = Status::Revoked {
        at,
        reason,
        invalidity_date: task.order.invalidity_date,
    };
    if !statuses::update(connection, &known, status, at)? {
        // Another instance was faster; the batch is run again.
        return Err(Error::Database(common::db::Error::Busy));
    }
    let end = known.not_after;
    journal::append(connection, &known.authority, serial, &status, end, at)?;
    let object = format!("certificate/{serial}");
    let system = Caller::system();
    let event = "CERT_STATUS_CHANGE_REQUEST_PROCESSED";
    let mut event = Event::by(&system, at, event, object)
        .with("from", known.status.name())
        .with("to", status.name())
        .with("reason", reason.to_string())
        .with("job", job);
    event.actor.clone_from(&task.by);
    if let Some(note) = &task.order.note {
        event = event.with("note", note);
    }
    audit::append(connection, &event)?;
    Ok((known.authority, known.shard))
}
