//! Forgetting what no policy wants kept any longer, a few hundred rows at a time.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{RevocationReason, SerialNumber, Status};
use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::schema::{
    authorities, certificate_names, certificates, crls, jobs, journal, requests, statuses,
};
use crate::Error;
use crate::job::State;

/// Until when the CRLs in force speak for an authority's certificates: the oldest thisUpdate among
/// the newest of each scope. What ended before was on one more CRL since (RFC 5280 §3.3).
pub fn last_listed(connection: &mut Connection, authority: &str) -> Result<Timestamp, Error> {
    let newest: Vec<(String, Option<i64>)> = on!(connection, |c| crls::table
        .filter(crls::authority.eq(authority))
        .group_by(crls::scope)
        .select((crls::scope, diesel::dsl::max(crls::this_update)))
        .load(c))?;
    let oldest = newest.into_iter().filter_map(|(_, at)| at).min();
    Ok(Timestamp::from_micros(oldest.unwrap_or(0)))
}

/// Forgets at most `limit` certificates of an authority that ended before `before`; gives how many.
/// One whose key was compromised stays, so that the key stays refused; so does an authority's own.
pub fn certificates(
    connection: &mut Connection,
    authority: &str,
    before: Timestamp,
    limit: i64,
) -> Result<usize, Error> {
    let kept = [
        RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise,
        RevocationReason::AaCompromise,
    ];
    let kept = kept.map(|reason| i16::from(reason.code()));
    let is_compromised = statuses::status
        .eq(Status::REVOKED)
        .and(statuses::reason.assume_not_null().eq_any(kept));
    let own = authorities::table.filter(authorities::serial.eq(statuses::serial.nullable()));
    let serials: Vec<Vec<u8>> = on!(connection, |c| statuses::table
        .filter(statuses::authority.eq(authority))
        .filter(statuses::not_after.lt(before.micros()))
        .filter(not(is_compromised))
        .filter(not(exists(own)))
        .order(statuses::not_after)
        .limit(limit)
        .select(statuses::serial)
        .load(c))?;
    if serials.is_empty() {
        return Ok(0);
    }
    let names = certificate_names::table.filter(certificate_names::serial.eq_any(&serials));
    on!(connection, |c| diesel::delete(names).execute(c))?;
    let rows = certificates::table.filter(certificates::serial.eq_any(&serials));
    on!(connection, |c| diesel::delete(rows).execute(c))?;
    let rows = statuses::table.filter(statuses::serial.eq_any(&serials));
    on!(connection, |c| diesel::delete(rows).execute(c))?;
    Ok(serials.len())
}

/// Forgets at most `limit` journal entries about certificates that ended before `before`, the oldest
/// first. The newest entry stays: followers know by it how far the journal goes.
pub fn journal(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<usize, Error> {
    let last: Option<i64> = on!(connection, |c| journal::table
        .select(diesel::dsl::max(journal::id))
        .first(c))?;
    let ids: Vec<i64> = on!(connection, |c| journal::table
        .filter(journal::not_after.lt(before.micros()))
        .filter(journal::id.lt(last.unwrap_or(0)))
        .order(journal::id)
        .limit(limit)
        .select(journal::id)
        .load(c))?;
    let rows = journal::table.filter(journal::id.eq_any(&ids));
    Ok(on!(connection, |c| diesel::delete(rows).execute(c))?)
}

/// Forgets at most `limit` decided requests that last changed before `before` and whose certificate,
/// if they got one, is gone.
pub fn requests(
    connection: &mut Connection,
    before: Timestamp,
    limit: i64,
) -> Result<usize, Error> {
    let certificate =
        certificates::table.filter(certificates::serial.nullable().eq(requests::serial));
    let ids: Vec<String> = on!(connection, |c| requests::table
        .filter(requests::state.eq_any(["complete", "rejected", "canceled"]))
        .filter(requests::modified_at.lt(before.micros()))
        .filter(not(exists(certificate)))
        .order(requests::modified_at)
        .limit(limit)
        .select(requests::id)
        .load(c))?;
    let rows = requests::table.filter(requests::id.eq_any(&ids));
    Ok(on!(connection, |c| diesel::delete(rows).execute(c))?)
}

/// Forgets long work that was finished before `before`.
pub fn jobs(connection: &mut Connection, before: Timestamp) -> Result<usize, Error> {
    let rows = jobs::table
        .filter(jobs::task.is_not_null())
        .filter(jobs::status.eq(State::Complete.name()))
        .filter(jobs::last_run_at.lt(before.micros()));
    Ok(on!(connection, |c| diesel::delete(rows).execute(c))?)
}

/// Whether a certificate is on record, for those who check what was forgotten.
pub fn is_known(connection: &mut Connection, serial: &SerialNumber) -> Result<bool, Error> {
    let row = certificates::table.find(serial.as_bytes());
    Ok(on!(connection, |c| diesel::select(exists(row)).get_result(c))?)
}
