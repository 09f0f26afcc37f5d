//! Jobs: registered, leased to one instance at a time, finished.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use diesel::prelude::*;

use super::schema::jobs;
use crate::Error;
use crate::job::{Job, Outcome, Progress, State};

#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs)]
struct Row {
    id: String,
    kind: String,
    status: String,
    done: i64,
    total: i64,
    errors: i64,
    result: Option<String>,
    task: Option<String>,
    created_at: i64,
    created_by: String,
    last_run_at: Option<i64>,
    next_run_at: Option<i64>,
}

/// Adds long work.
pub fn insert(connection: &mut Connection, job: &Job) -> Result<(), Error> {
    let row = (
        jobs::id.eq(&job.id),
        jobs::kind.eq(&job.kind),
        jobs::status.eq(job.state.name()),
        jobs::done.eq(job.progress.done),
        jobs::total.eq(job.progress.total),
        jobs::errors.eq(job.progress.errors),
        jobs::task.eq(&job.task),
        jobs::created_at.eq(job.created.micros()),
        jobs::created_by.eq(&job.created_by),
        jobs::next_run_at.eq(job.next_run.map(Timestamp::micros)),
    );
    on!(connection, |c| diesel::insert_into(jobs::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// Adds timed work, due at `first`, unless it is known.
pub fn register(
    connection: &mut Connection,
    id: &str,
    kind: &str,
    first: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let row = (
        jobs::id.eq(id),
        jobs::kind.eq(kind),
        jobs::status.eq(State::Scheduled.name()),
        jobs::done.eq(0),
        jobs::total.eq(0),
        jobs::errors.eq(0),
        jobs::created_at.eq(now.micros()),
        jobs::created_by.eq("system"),
        jobs::next_run_at.eq(first.micros()),
    );
    on!(connection, |c| diesel::insert_into(jobs::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// A page of jobs, the newest first.
pub fn list(
    connection: &mut Connection,
    after: Option<(i64, String)>,
    limit: i64,
) -> Result<Vec<Job>, Error> {
    let rows: Vec<Row> = on!(connection, |c| {
        let mut query = jobs::table.select(Row::as_select()).into_boxed();
        if let Some((created, id)) = after {
            let same_moment = jobs::created_at.eq(created).and(jobs::id.lt(id));
            query = query.filter(jobs::created_at.lt(created).or(same_moment));
        }
        query
            .order((jobs::created_at.desc(), jobs::id.desc()))
            .limit(limit)
            .load(c)
    })?;
    rows.into_iter().map(Job::try_from).collect()
}

/// A job.
pub fn find(connection: &mut Connection, id: &str) -> Result<Job, Error> {
    let row: Option<Row> = on!(connection, |c| jobs::table
        .find(id)
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.ok_or(Error::NotFound("job"))?.try_into()
}

/// Timed (`false`) or long (`true`) work that should run and that nobody runs.
pub fn due(connection: &mut Connection, long: bool, now: Timestamp) -> Result<Vec<Job>, Error> {
    let rows: Vec<Row> = on!(connection, |c| jobs::table
        .filter(jobs::next_run_at.le(now.micros()))
        .filter(
            jobs::lease_ends_at
                .is_null()
                .or(jobs::lease_ends_at.le(now.micros()))
        )
        .filter(jobs::task.is_not_null().eq(long))
        .order((jobs::next_run_at, jobs::id))
        .limit(100)
        .select(Row::as_select())
        .load(c))?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Takes a job for `owner` until `until`; `false` when another instance has it.
pub fn lease(
    connection: &mut Connection,
    id: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    let row = jobs::table.find(id).filter(
        jobs::lease_ends_at
            .is_null()
            .or(jobs::lease_ends_at.le(now.micros()))
            .or(jobs::leased_by.eq(owner)),
    );
    let leased = on!(connection, |c| diesel::update(row)
        .set((
            jobs::status.eq(State::Running.name()),
            jobs::leased_by.eq(owner),
            jobs::lease_ends_at.eq(until.micros()),
        ))
        .execute(c))?;
    Ok(leased == 1)
}

/// Forgets who was at work: for a process that is alone and has just started.
pub fn forget_leases(connection: &mut Connection) -> Result<(), Error> {
    on!(connection, |c| diesel::update(jobs::table)
        .set((
            jobs::leased_by.eq(None::<String>),
            jobs::lease_ends_at.eq(None::<i64>),
        ))
        .execute(c))?;
    Ok(())
}

/// Puts on record how far long work is and where it goes on, in the transaction of what was done.
pub fn advance(
    connection: &mut Connection,
    id: &str,
    progress: Progress,
    task: &str,
    lease_ends: Timestamp,
) -> Result<(), Error> {
    let row = jobs::table.find(id);
    on!(connection, |c| diesel::update(row)
        .set((
            jobs::done.eq(progress.done),
            jobs::total.eq(progress.total),
            jobs::errors.eq(progress.errors),
            jobs::task.eq(task),
            jobs::lease_ends_at.eq(lease_ends.micros()),
        ))
        .execute(c))?;
    Ok(())
}

/// Ends a run that failed; it goes on from where it is at `next`.
pub fn postpone(
    connection: &mut Connection,
    id: &str,
    result: &str,
    (ran, next): (Timestamp, Timestamp),
) -> Result<(), Error> {
    let row = jobs::table.find(id);
    on!(connection, |c| diesel::update(row)
        .set((
            jobs::status.eq(State::Failed.name()),
            jobs::result.eq(result),
            jobs::last_run_at.eq(ran.micros()),
            jobs::next_run_at.eq(next.micros()),
            jobs::leased_by.eq(None::<String>),
            jobs::lease_ends_at.eq(None::<i64>),
        ))
        .execute(c))?;
    Ok(())
}

/// Ends a run: what came of it, and when the next one is.
pub fn finish(
    connection: &mut Connection,
    id: &str,
    state: State,
    outcome: &Outcome,
    (ran, next): (Timestamp, Option<Timestamp>),
) -> Result<(), Error> {
    let Outcome { progress, result } = outcome;
    let row = jobs::table.find(id);
    on!(connection, |c| diesel::update(row)
        .set((
            jobs::status.eq(state.name()),
            jobs::done.eq(progress.done),
            jobs::total.eq(progress.total),
            jobs::errors.eq(progress.errors),
            jobs::result.eq(result),
            jobs::last_run_at.eq(ran.micros()),
            jobs::next_run_at.eq(next.map(Timestamp::micros)),
            jobs::leased_by.eq(None::<String>),
            jobs::lease_ends_at.eq(None::<i64>),
        ))
        .execute(c))?;
    Ok(())
}

impl TryFrom<Row> for Job {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let state = State::by_name(&row.status)
            .ok_or_else(|| Error::Internal(format!("job {}: bad status on record", row.id)))?;
        Ok(Self {
            id: row.id,
            kind: row.kind,
            state,
            progress: Progress {
                done: row.done,
                total: row.total,
                errors: row.errors,
            },
            result: row.result,
            task: row.task,
            created: Timestamp::from_micros(row.created_at),
            created_by: row.created_by,
            last_run: row.last_run_at.map(Timestamp::from_micros),
            next_run: row.next_run_at.map(Timestamp::from_micros),
        })
    }
}
