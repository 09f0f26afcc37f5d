//! The status of each certificate: the narrow table.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{SerialNumber, Status};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

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
    shard: Option<i16>,
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
    /// The part of the CRL that it belongs to.
    pub shard: Option<i16>,
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
    // CRLReason certificateHold and removeFromCRL: what has a reason has changed, and may be on a delta.
    let reason = reason.unwrap_or(match status {
        Status::OnHold { .. } => 6,
        Status::Valid | Status::Revoked { .. } => 8,
    });
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

/// Puts a certificate into a part of its authority's CRL, for ever.
pub fn assign(connection: &mut Connection, serial: &SerialNumber, shard: i16) -> Result<(), Error> {
    let row = statuses::table.find(serial.as_bytes());
    on!(connection, |c| diesel::update(row)
        .set(statuses::shard.eq(shard))
        .execute(c))?;
    Ok(())
}

/// What a CRL lists.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Whose certificates.
    pub authority: &'a str,
    /// Those of this part only.
    pub shard: Option<i16>,
    /// Those that end at or after this.
    pub ends_since: Timestamp,
    /// Those whose status has changed since, and then also what is valid again; all that are held
    /// or revoked when absent.
    pub changed_since: Option<Timestamp>,
}

/// The next `limit` certificates that a CRL lists, by serial number after `after`.
pub fn listed(
    connection: &mut Connection,
    selection: &Selection<'_>,
    after: Option<&SerialNumber>,
    limit: i64,
) -> Result<Vec<Known>, Error> {
    let after = after.map_or(&[][..], SerialNumber::as_bytes);
    let rows: Vec<Row> = on!(connection, |c| {
        let mut query = statuses::table
            .filter(statuses::authority.eq(selection.authority))
            .filter(statuses::serial.gt(after))
            .filter(statuses::not_after.ge(selection.ends_since.micros()))
            .into_boxed();
        // Written out, so that the engines see that their partial indexes fit.
        query = match selection.changed_since {
            Some(since) => query
                .filter(statuses::reason.is_not_null())
                .filter(statuses::changed_at.ge(since.micros())),
            None => query.filter(sql::<Bool>("statuses.status <> 0")),
        };
        if let Some(shard) = selection.shard {
            query = query.filter(statuses::shard.eq(shard));
        }
        query
            .order(statuses::serial)
            .limit(limit)
            .select(Row::as_select())
            .load(c)
    })?;
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
            shard: row.shard,
        })
    }
}
