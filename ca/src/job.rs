//! Jobs: work that the clock starts, and work that takes too long for one answer.

use std::time::Duration;

use common::clock::Timestamp;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its moment.
    Scheduled,
    /// At work, perhaps interrupted by a crash: then it goes on.
    Running,
    /// Done for good.
    Complete,
    /// The last run failed; timed work is tried again.
    Failed,
}

impl State {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Scheduled, "scheduled"),
        (Self::Running, "running"),
        (Self::Complete, "complete"),
        (Self::Failed, "failed"),
    ];

    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(state, _)| *state == self);
        found.map_or("failed", |(_, name)| name)
    }

    /// The state of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(state, _)| *state)
    }
}

/// A job on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Random; for timed work its `kind`, for CRLs with the authority.
    pub id: String,
    /// What it does.
    pub kind: String,
    /// Where it stands.
    pub state: State,
    /// How far it is.
    pub progress: Progress,
    /// What the last run came to, in words.
    pub result: Option<String>,
    /// What is to be done and how far that is, JSON; for long work only.
    pub task: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it last ran.
    pub last_run: Option<Timestamp>,
    /// When it runs next.
    pub next_run: Option<Timestamp>,
}

impl Job {
    /// Long work that begins at once.
    pub fn long(kind: &str, task: String, total: i64, now: Timestamp, by: &str) -> Self {
        Self {
            id: common::entropy::uuid().to_string(),
            kind: kind.to_owned(),
            state: State::Running,
            progress: Progress {
                total,
                ..Progress::default()
            },
            result: None,
            task: Some(task),
            created: now,
            created_by: by.to_owned(),
            last_run: None,
            next_run: Some(now),
        }
    }
}

/// How many things were done, of how many, and how many failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Finished, failures included.
    pub done: i64,
    /// All of them, as far as known.
    pub total: i64,
    /// Failed.
    pub errors: i64,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Numbers.
    pub progress: Progress,
    /// Words.
    pub result: String,
}

impl Outcome {
    /// `count` things were done, and `words` say which.
    pub fn done(count: usize, words: impl Into<String>) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            progress: Progress {
                done: count,
                total: count,
                errors: 0,
            },
            result: words.into(),
        }
    }

    /// The same, with `count` further things that failed.
    pub fn with_errors(mut self, count: usize) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.progress.done += count;
        self.progress.total += count;
        self.progress.errors = count;
        self
    }
}

/// When timed work that failed is tried again, at the latest.
const RETRY: Duration = Duration::from_secs(60);

/// The moment of the next run.
pub fn next_run(now: Timestamp, every: Duration, failed: bool) -> Timestamp {
    let wait = if failed { every.min(RETRY) } else { every };
    now.plus_seconds(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX / 2_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_names_that_lead_back() {
        for (state, name) in State::ALL {
            assert_eq!(State::by_name(name), Some(state));
            assert_eq!(state.name(), name);
        }
        assert_eq!(State::by_name("asleep"), None);
    }

    #[test]
    fn what_failed_is_tried_again_soon() {
        let now = Timestamp::from_seconds(1_000);
        let day = Duration::from_secs(86_400);
        assert_eq!(next_run(now, day, false), now.plus_days(1));
        assert_eq!(next_run(now, day, true), now.plus_seconds(60));
        let second = Duration::from_secs(1);
        assert_eq!(next_run(now, second, true), now.plus_seconds(1));
    }
}
