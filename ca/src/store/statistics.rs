//! Numbers about what is on record.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::Status;
use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::{certificates, requests, statuses};
use crate::Error;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// How many certificates of a profile have a status (its code) and have ended or not.
pub fn certificates(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<Vec<(String, i16, bool, i64)>, Error> {
    let mut found = Vec::new();
    for has_ended in [false, true] {
        let rows: Vec<(String, i16, i64)> = on!(connection, |c| {
            let query = certificates::table
                .inner_join(statuses::table.on(statuses::serial.eq(certificates::serial)))
                .filter(certificates::not_after.lt(now.micros()).eq(has_ended))
                .group_by((certificates::profile, statuses::status))
                .order((certificates::profile, statuses::status))
                .select((certificates::profile, statuses::status, count_star()));
            query.load(c)
        })?;
        found.extend(
            rows.into_iter()
                .map(|(profile, status, count)| (profile, status, has_ended, count)),
        );
    }
    Ok(found)
}

/// How many requests are in each state.
pub fn requests(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    Ok(on!(connection, |c| requests::table
        .group_by(requests::state)
        .order(requests::state)
        .select((requests::state, count_star()))
        .load(c))?)
}

/// How many certificates were issued on each day since, by the number of the day since 1970.
pub fn issued(connection: &mut Connection, since: Timestamp) -> Result<Vec<(i64, i64)>, Error> {
    let day = || sql::<BigInt>(&format!("certificates.issued_at / {DAY}"));
    Ok(on!(connection, |c| certificates::table
        .filter(certificates::issued_at.ge(since.micros()))
        .group_by(day())
        .order(day())
        .select((day(), count_star()))
        .load(c))?)
}

/// How many certificates were revoked on each day since, and not released.
pub fn revoked(connection: &mut Connection, since: Timestamp) -> Result<Vec<(i64, i64)>, Error> {
    let day = || sql::<BigInt>(&format!("statuses.changed_at / {DAY}"));
    Ok(on!(connection, |c| statuses::table
        .filter(statuses::status.eq(Status::REVOKED))
        .filter(statuses::changed_at.ge(since.micros()))
        .group_by(day())
        .order(day())
        .select((day(), count_star()))
        .load(c))?)
}

/// How many valid certificates end from now until `until`.
pub fn expiring(
    connection: &mut Connection,
    now: Timestamp,
    until: Timestamp,
) -> Result<i64, Error> {
    Ok(on!(connection, |c| statuses::table
        .filter(statuses::status.eq(Status::VALID))
        .filter(statuses::not_after.ge(now.micros()))
        .filter(statuses::not_after.lt(until.micros()))
        .count()
        .get_result(c))?)
}
