//! The append-only status journal that OCSP responders follow.

use common::clock::Timestamp;
use common::db::{Connection, sequence};
use common::on;
use common::x509::{SerialNumber, Status};
use diesel::prelude::*;

use super::schema::journal;
use crate::Error;

/// Entries in one answer.
pub const PAGE_MAX: i64 = 1_000;

/// One change of one certificate's status.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the order of commits.
    pub position: i64,
    /// Who issued the certificate.
    pub authority: String,
    /// The certificate.
    pub serial: SerialNumber,
    /// Its status from then on.
    pub status: Status,
    /// When.
    pub at: Timestamp,
    /// When the certificate ends.
    pub not_after: Timestamp,
}

/// Appends an entry, in the transaction of the change.
pub fn append(
    connection: &mut Connection,
    authority: &str,
    serial: &SerialNumber,
    status: &Status,
    not_after: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let (code, reason, _) = status.columns();
    let row = (
        journal::authority.eq(authority),
        journal::serial.eq(serial.as_bytes()),
        journal::status.eq(code),
        journal::at.eq(now.micros()),
        journal::reason.eq(reason),
        journal::not_after.eq(not_after.micros()),
    );
    on!(connection, |c| diesel::insert_into(journal::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// Gives positions to committed entries that have none yet; gives their number.
pub fn number(connection: &mut Connection) -> Result<usize, Error> {
    Ok(sequence::number(connection, "journal")?)
}

/// At most [`PAGE_MAX`] entries after `position`, oldest first.
pub fn after(connection: &mut Connection, position: i64) -> Result<Vec<Entry>, Error> {
    type Row = (Option<i64>, String, Vec<u8>, i16, i64, Option<i16>, i64);
    let rows: Vec<Row> = on!(connection, |c| journal::table
        .filter(journal::position.gt(position))
        .order(journal::position)
        .limit(PAGE_MAX)
        .select((
            journal::position,
            journal::authority,
            journal::serial,
            journal::status,
            journal::at,
            journal::reason,
            journal::not_after,
        ))
        .load(c))?;
    rows.into_iter().map(entry).collect()
}

fn entry(row: (Option<i64>, String, Vec<u8>, i16, i64, Option<i16>, i64)) -> Result<Entry, Error> {
    let (position, authority, serial, code, at, reason, not_after) = row;
    let corrupt = || Error::Internal("a journal entry on record is damaged".into());
    Ok(Entry {
        position: position.ok_or_else(corrupt)?,
        authority,
        serial: SerialNumber::from_bytes(&serial).ok_or_else(corrupt)?,
        status: Status::from_columns((code, reason, None), Timestamp::from_micros(at))
            .ok_or_else(corrupt)?,
        at: Timestamp::from_micros(at),
        not_after: Timestamp::from_micros(not_after),
    })
}
