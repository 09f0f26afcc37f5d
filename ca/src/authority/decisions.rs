//! Requests that wait: decide, change, take, and let go of them.

use common::api::ca::{Changes, Decision};
use common::audit::Event;
use common::clock::Timestamp;
use common::db::audit;
use common::http::conditional::IfMatch;
use common::identity::Caller;
use uuid::Uuid;

use super::Authority;
use super::enrollment::{Submitted, only};
use crate::Error;
use crate::job::Outcome;
use crate::request::{NotPending, Request};
use crate::store::requests;

/// A note is at most so many characters.
const NOTE_MAX: usize = 2_000;

/// Requests that one run lets go of.
const EXPIRED_MAX: i64 = 1_000;

/// A pending request in the hands of an agent.
struct Review<'a> {
    caller: &'a Caller,
    request: Request,
    etag: &'a str,
    now: Timestamp,
}

impl Authority {
    /// An agent's decision on what was reviewed under the tag in `if_match`.
    pub fn decide(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: &IfMatch,
        decision: Decision,
    ) -> Result<Submitted, Error> {
        let Submitted { request, etag, .. } = self.request(id)?;
        let approving = matches!(decision, Decision::Approved { .. });
        if_match
            .require(&etag, !approving)
            .map_err(Error::Precondition)?;
        let request = request
            .pending()
            .map_err(|NotPending(found)| Error::NotPending {
                found,
                etag: etag.clone(),
            })?;
        let review = Review {
            caller,
            request,
            etag: &etag,
            now: self.clock.now(),
        };
        let decided = match decision {
            Decision::Approved { changes, note } => {
                self.approve(review, changes.unwrap_or_default(), note)
            }
            Decision::Rejected { note } => self.close(review, note, "rejected", Request::reject),
            Decision::Canceled { note } => self.close(review, note, "canceled", Request::cancel),
            Decision::Updated { changes, note } => self.amend(review, changes, note),
            Decision::Validated { changes } => self.validate(review, changes.unwrap_or_default()),
            Decision::Assigned { note } => {
                self.hand_over(&review, note, "assigned", Request::assign)
            }
            Decision::Unassigned { note } => {
                self.hand_over(&review, note, "unassigned", Request::unassign)
            }
        };
        self.decided(decided?)
    }

    fn approve(
        &self,
        review: Review<'_>,
        changes: Changes,
        note: Option<String>,
    ) -> Result<Request, Error> {
        check_note(note.as_deref())?;
        self.check_assignee(&review)?;
        let etag = review.etag.to_owned();
        if review.request.is_from(review.caller) && !self.request_config.own_approval {
            return Err(Error::OwnRequest { etag });
        }
        let profile = self.profile_of(&review.request, review.etag)?;
        let mut request = review.request;
        request.changes = request.changes.and(changes);
        let linted = self.draft(&profile, &request, &request.changes)?;
        only(self.issue(review.caller, vec![(request, linted)], false, note, None)?)
    }

    /// Keeps other content with the request, if an approval could take it.
    fn amend(
        &self,
        review: Review<'_>,
        changes: Changes,
        note: Option<String>,
    ) -> Result<Request, Error> {
        check_note(note.as_deref())?;
        self.check_assignee(&review)?;
        let profile = self.profile_of(&review.request, review.etag)?;
        self.draft(&profile, &review.request, &changes)?;
        let step = |request: Request, by: &str, at, note| request.update(changes, by, at, note);
        self.step(&review, note, ("CERT_REQUEST_PROCESSED", "updated"), step)
    }

    /// What an approval with `changes` would be about, or why it would be refused. Nothing is kept.
    fn validate(&self, review: Review<'_>, changes: Changes) -> Result<Request, Error> {
        let profile = self.profile_of(&review.request, review.etag)?;
        let mut request = review.request;
        request.changes = request.changes.and(changes);
        self.draft(&profile, &request, &request.changes)?;
        Ok(request)
    }

    fn close(
        &self,
        review: Review<'_>,
        note: Option<String>,
        detail: &'static str,
        step: impl FnOnce(Request, &str, Timestamp, Option<String>) -> Result<Request, NotPending>,
    ) -> Result<Request, Error> {
        self.check_assignee(&review)?;
        self.step(&review, note, ("CERT_REQUEST_PROCESSED", detail), step)
    }

    fn hand_over(
        &self,
        review: &Review<'_>,
        note: Option<String>,
        detail: &'static str,
        step: impl FnOnce(Request, &str, Timestamp, Option<String>) -> Result<Request, NotPending>,
    ) -> Result<Request, Error> {
        self.step(review, note, ("ASSIGN_CERT_REQUEST", detail), step)
    }

    /// Takes a step of the life cycle and puts it on record.
    fn step(
        &self,
        review: &Review<'_>,
        note: Option<String>,
        (event, detail): (&'static str, &'static str),
        step: impl FnOnce(Request, &str, Timestamp, Option<String>) -> Result<Request, NotPending>,
    ) -> Result<Request, Error> {
        check_note(note.as_deref())?;
        let (caller, now) = (review.caller, review.now);
        let object = format!("request/{}", review.request.id);
        let event = Event::by(caller, now, event, object).with("decision", detail);
        let decided = step(review.request.clone(), caller.actor(), now, note);
        let decided = decided.map_err(|NotPending(found)| Error::NotPending {
            found,
            etag: review.etag.to_owned(),
        })?;
        match self.record_step(&decided, event)? {
            true => Ok(decided),
            false => Err(self.somebody_was_faster(decided.id)?),
        }
    }

    /// Whether nobody else changed the request meanwhile.
    fn record_step(&self, request: &Request, event: Event) -> Result<bool, Error> {
        let row = request.clone();
        self.database.write("decide request", move |c| {
            let recorded = requests::update(c, &row)?;
            if recorded {
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(recorded)
        })
    }

    fn check_assignee(&self, review: &Review<'_>) -> Result<(), Error> {
        let actor = review.caller.actor();
        let is_theirs = review.request.assigned_to.as_deref() == Some(actor);
        match is_theirs || !self.request_config.assignee_only {
            true => Ok(()),
            false => Err(Error::NotAssigned {
                actor: actor.to_owned(),
                etag: review.etag.to_owned(),
            }),
        }
    }

    /// Timed work: cancels requests that waited too long for a decision.
    pub fn expire_requests(&self) -> Result<Outcome, Error> {
        let Some(days) = self.request_config.expire_days else {
            return Ok(Outcome::done(0, "requests do not expire".to_owned()));
        };
        let now = self.clock.now();
        let before = now.plus_days(-days);
        let waiting = self
            .database
            .read(|c| requests::waiting_since(c, before, EXPIRED_MAX))?;
        let mut count = 0;
        for request in waiting {
            let object = format!("request/{}", request.id);
            let event = Event::by(&Caller::system(), now, "CERT_REQUEST_PROCESSED", object)
                .with("decision", "expired");
            let Ok(expired) = request.expire(now) else {
                continue;
            };
            // Who decided in this very moment was in time.
            if self.record_step(&expired, event)? {
                count += 1;
            }
        }
        Ok(Outcome::done(count, format!("canceled {count} requests")))
    }
}

/// Notes are for people who read lists and terminals.
fn check_note(note: Option<&str>) -> Result<(), Error> {
    let note = note.unwrap_or_default();
    if note.chars().count() > NOTE_MAX {
        let message = format!("at most {NOTE_MAX} characters");
        return Err(Error::field("note", "length", message));
    }
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    match note.chars().any(control) {
        true => {
            let message = "no control characters but newline and tab";
            Err(Error::field("note", "syntax", message))
        }
        false => Ok(()),
    }
}
