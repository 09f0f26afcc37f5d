//! Positions of append-only rows.
//!
//! On SQLite one writer commits in order, so a row's position is its rowid (a generated column). On
//! PostgreSQL rows of concurrent transactions become visible in any order; there a row commits
//! without a position, and [`number`] gives positions to committed rows only, one sequencer at a
//! time. Either way a reader that has seen position `n` will never see a smaller one appear.

use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;

use super::{Connection, Error};

/// Gives the next positions to the committed rows of `table` that have none; gives their number.
///
/// Runs inside a write transaction. `table` is one of our own names, never input.
pub fn number(connection: &mut Connection, table: &'static str) -> Result<usize, Error> {
    let Connection::Postgres(postgres) = connection else {
        return Ok(0);
    };
    // The lock serialises sequencers until commit; rows that commit meanwhile wait for the next run.
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtext($1))")
        .bind::<diesel::sql_types::Text, _>(format!("chancery sequence {table}"))
        .execute(&mut **postgres)?;
    let sql = format!(
        "WITH last AS (SELECT COALESCE(MAX(position), 0) AS position FROM {table}), \
         fresh AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS offset_ FROM {table} \
                   WHERE position IS NULL) \
         UPDATE {table} SET position = last.position + fresh.offset_ \
         FROM last, fresh WHERE {table}.id = fresh.id"
    );
    Ok(diesel::sql_query(sql).execute(&mut **postgres)?)
}

/// The highest position given so far.
pub fn last(connection: &mut Connection, table: &'static str) -> Result<i64, Error> {
    #[derive(diesel::QueryableByName)]
    struct Last {
        #[diesel(sql_type = BigInt)]
        position: i64,
    }
    let sql = format!("SELECT COALESCE(MAX(position), 0) AS position FROM {table}");
    let last: Last = crate::on!(connection, |c| diesel::sql_query(sql).get_result(c))?;
    Ok(last.position)
}
