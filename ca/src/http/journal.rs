//! `/pki/status-journal`: what OCSP responders follow.

use std::time::Duration;

use actix_web::web;
use common::api::ca::Journal;
use common::http::{Problem, Query};
use common::identity::Evidence;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;

use super::access::Operation;
use crate::Ca;
use crate::journal::{cursor, describe, read_cursor};

/// Longest wait for news, seconds.
const WAIT_MAX: u64 = 60;

/// Commits of other instances on the same database make no noise here; look for them this often.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Where to go on, and how long to wait for news.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalQuery {
    /// Cursor of the last answer; from the start when absent.
    after: Option<String>,
    /// Seconds to wait when there is nothing new, at most 60 (0).
    wait: Option<u64>,
}

/// Status changes in the order of their commit, oldest first; long poll.
#[utoipa::path(get, path = "/pki/status-journal", tag = "journal", params(JournalQuery),
    responses(
        (status = 200, body = Journal),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn follow(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<JournalQuery>,
) -> Result<web::Json<Journal>, Problem> {
    let start = read_cursor(query.0.after.as_deref())?;
    let wait = query.0.wait.unwrap_or(0);
    let mut news = ca.authority().news();
    let mut stopping = ca.stopping();
    let deadline = Instant::now() + Duration::from_secs(wait.min(WAIT_MAX));
    let is_shared = ca.authority().is_shared();
    loop {
        let entries = ca
            .run(
                evidence.clone(),
                Operation::FollowJournal,
                move |authority, _| authority.journal_after(start),
            )
            .await?;
        let now = Instant::now();
        if !entries.is_empty() || now >= deadline || *stopping.borrow() {
            let last = entries.last().map_or(start, |entry| entry.position);
            return Ok(web::Json(Journal {
                entries: entries.iter().map(describe).collect(),
                next: cursor(last),
            }));
        }
        let look_again = match is_shared {
            true => deadline.min(now + LOOK_AGAIN),
            false => deadline,
        };
        tokio::select! {
            _ = news.changed() => {}
            _ = stopping.changed() => {}
            () = tokio::time::sleep_until(look_again) => {}
        }
    }
}
