//! The responder's database: the statuses read so far, and how far that is.

pub mod schema;

use common::clock::Timestamp;
use common::db::{Connection, Database, Error, Location, Schema};
use common::on;
use common::x509::{SerialNumber, Status};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::statuses::Known;
use schema::{feeds, statuses};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/ocsp/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/ocsp/postgres");

/// The one CA that we follow.
const SOURCE: &str = "ca";

/// Opens the responder's database and brings its tables up to date.
pub fn open(location: &Location) -> Result<Database, Error> {
    let schema = Schema {
        sqlite: SQLITE,
        postgres: POSTGRES,
    };
    Database::open(location, schema)
}

/// A status on record.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = statuses, treat_none_as_null = true)]
pub struct Row {
    /// Who issued the certificate.
    pub authority: String,
    serial: Vec<u8>,
    status: i16,
    at: i64,
    reason: Option<i16>,
    not_after: i64,
}

impl Row {
    /// The row of a status.
    pub fn new(authority: &str, serial: &SerialNumber, known: &Known, at: Timestamp) -> Self {
        let (status, reason, _) = known.status.columns();
        Self {
            authority: authority.to_owned(),
            serial: serial.as_bytes().to_vec(),
            status,
            at: at.micros(),
            reason,
            not_after: known.not_after.micros(),
        }
    }

    /// Authority, serial number and status of a row; `None` for a damaged one.
    pub fn known(&self) -> Option<(&str, SerialNumber, Known)> {
        let at = Timestamp::from_micros(self.at);
        let status = Status::from_columns((self.status, self.reason, None), at)?;
        let known = Known {
            status,
            not_after: Timestamp::from_micros(self.not_after),
        };
        let serial = SerialNumber::from_bytes(&self.serial)?;
        Some((&self.authority, serial, known))
    }
}

/// The cursor and all statuses.
pub fn load(connection: &mut Connection) -> Result<(Option<String>, Vec<Row>), Error> {
    let cursor: Option<String> = on!(connection, |c| feeds::table
        .find(SOURCE)
        .select(feeds::cursor)
        .first(c)
        .optional())?;
    let rows: Vec<Row> = on!(connection, |c| statuses::table
        .select(Row::as_select())
        .load(c))?;
    Ok((cursor, rows))
}

/// Writes statuses over older ones, and how far they reach.
pub fn save(connection: &mut Connection, rows: &[Row], cursor: &str) -> Result<(), Error> {
    for row in rows {
        on!(connection, |c| diesel::insert_into(statuses::table)
            .values(row)
            .on_conflict((statuses::authority, statuses::serial))
            .do_update()
            .set(row)
            .execute(c))?;
    }
    let feed = (feeds::source.eq(SOURCE), feeds::cursor.eq(cursor));
    on!(connection, |c| diesel::insert_into(feeds::table)
        .values(feed)
        .on_conflict(feeds::source)
        .do_update()
        .set(feeds::cursor.eq(cursor))
        .execute(c))?;
    Ok(())
}
