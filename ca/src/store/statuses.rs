//! The status of each certificate: the narrow table.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{SerialNumber, Status};
use diesel::prelude::*;

use super::schema::statuses;
use crate::Error;

#[derive(Queryable, Selectable)]
#[diesel(table_name = statuses)]
struct Row {
    serial: Vec<u8>,
    authority: String,
    status: i16,
    changed_at: i64,
    reason: Option<i16>,
    invalidity_at: Option<i64>,
    not_after: i64,
}

/// A status on record.
#[derive(Clone, Debug)]
pub struct Known {
    /// The certificate.
    pub serial: SerialNumber,
    /// Who issued it.
    pub authority: String,
    /// Its status.
    pub status: Status,
    /// When the status last changed; the issuance, when it never did.
    pub changed: Timestamp,
    /// The end of the certificate.
    pub not_after: Timestamp,
}

/// Adds a certificate that is about to be signed, valid from now on.
pub fn insert(
    connection: &mut Connection,
    authority: &str,
    serial: &SerialNumber,
    not_after: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let row = (
        statuses::serial.eq(serial.as_bytes()),
        statuses::authority.eq(authority),
        statuses::status.eq(Status::VALID),
        statuses::changed_at.eq(now.micros()),
        statuses::not_after.eq(not_after.micros()),
    );
    on!(connection, |c| diesel::insert_into(statuses::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// The status of a certificate.
pub fn find(connection: &mut Connection, serial: &SerialNumber) -> Result<Known, Error> {
    let row: Option<Row> = on!(connection, |c| statuses::table
        .find(serial.as_bytes())
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.ok_or(Error::NotFound("certificate"))?.try_into()
}

/// Writes a new status if the old one is still `known`; `false` means that somebody was faster.
pub fn update(
    connection: &mut Connection,
    known: &Known,
    status: Status,
    now: Timestamp,
) -> Result<bool, Error> {
    let (code, reason, invalidity) = status.columns();
    let before = statuses::table
        .find(known.serial.as_bytes())
        .filter(statuses::changed_at.eq(known.changed.micros()))
        .filter(statuses::status.eq(known.status.columns().0));
    let changed = on!(connection, |c| diesel::update(before)
        .set((
            statuses::status.eq(code),
            statuses::changed_at.eq(now.micros()),
            statuses::reason.eq(reason),
            statuses::invalidity_at.eq(invalidity),
        ))
        .execute(c))?;
    Ok(changed == 1)
}

/// All certificates of an authority that are held or revoked and end at or after `since`.
pub fn not_valid(
    connection: &mut Connection,
    authority: &str,
    since: Timestamp,
) -> Result<Vec<Known>, Error> {
    let rows: Vec<Row> = on!(connection, |c| statuses::table
        .filter(statuses::authority.eq(authority))
        .filter(statuses::status.ne(Status::VALID))
        .filter(statuses::not_after.ge(since.micros()))
        .order(statuses::serial)
        .select(Row::as_select())
        .load(c))?;
    rows.into_iter().map(Known::try_from).collect()
}

impl TryFrom<Row> for Known {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let corrupt = || {
            Error::Internal(format!(
                "certificate {}: bad status on record",
                common::x509::hex(&row.serial)
            ))
        };
        let at = Timestamp::from_micros(row.changed_at);
        Ok(Self {
            serial: SerialNumber::from_bytes(&row.serial).ok_or_else(corrupt)?,
            status: Status::from_columns((row.status, row.reason, row.invalidity_at), at)
                .ok_or_else(corrupt)?,
            authority: row.authority,
            changed: at,
            not_after: Timestamp::from_micros(row.not_after),
        })
    }
}
