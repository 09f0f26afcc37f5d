//! Following the status journal: cursors, and waking those who wait for news.

use common::api;
use common::clock::Timestamp;
use common::http::Problem;
use common::x509::Status;
use tokio::sync::watch;

use crate::store::journal::Entry;

/// Wakes the followers of the journal after a commit.
#[derive(Debug)]
pub struct News(watch::Sender<u64>);

impl Default for News {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl News {
    /// Something was committed.
    pub fn tell(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Listens from now on.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// Reads a cursor; the start of the journal when absent.
pub fn read_cursor(cursor: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = cursor else {
        return Ok(0);
    };
    let digits = text.strip_prefix('j').filter(|digits| digits.len() == 16);
    let position = digits.and_then(|digits| i64::from_str_radix(digits, 16).ok());
    let position = position.filter(|position| *position >= 0);
    position
        .ok_or_else(|| Problem::field("after", "cursor", "this is no cursor of the status journal"))
}

/// Writes a cursor.
pub fn cursor(position: i64) -> String {
    format!("j{position:016x}")
}

/// An entry on the wire.
pub fn describe(entry: &Entry) -> api::ca::JournalEntry {
    let reason = match entry.status {
        Status::Revoked { reason, .. } => Some(reason.to_string()),
        Status::Valid | Status::OnHold { .. } => None,
    };
    let at: Timestamp = entry.at;
    api::ca::JournalEntry {
        cursor: cursor(entry.position),
        authority: entry.authority.clone(),
        serial: entry.serial.to_string(),
        status: entry.status.name().into(),
        at,
        reason,
        not_after: entry.not_after,
    }
}
