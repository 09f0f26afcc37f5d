//! What has been published elsewhere, so that nothing older ever goes there.

use std::collections::BTreeMap;

use common::db::Connection;
use common::on;
use common::x509::SerialNumber;
use diesel::prelude::*;

use super::schema::{certificates, publications};
use crate::Error;

/// The numbers of what is at a place, by name.
pub fn at(connection: &mut Connection, place: &str) -> Result<BTreeMap<String, i64>, Error> {
    let rows: Vec<(String, i64)> = on!(connection, |c| publications::table
        .filter(publications::place.eq(place))
        .select((publications::name, publications::number))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// Notes what was brought to a place.
pub fn note(
    connection: &mut Connection,
    place: &str,
    name: &str,
    number: i64,
) -> Result<(), Error> {
    let row = publications::table.find((place, name));
    let changed = on!(connection, |c| diesel::update(row)
        .set(publications::number.eq(number))
        .execute(c))?;
    if changed > 0 {
        return Ok(());
    }
    let row = (
        publications::place.eq(place),
        publications::name.eq(name),
        publications::number.eq(number),
    );
    on!(connection, |c| diesel::insert_into(publications::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// A certificate's bytes: the outer `None` when it is not known, the inner while it is not signed.
pub fn certificate(
    connection: &mut Connection,
    serial: &SerialNumber,
) -> Result<Option<Option<Vec<u8>>>, Error> {
    let row = certificates::table.find(serial.as_bytes());
    Ok(on!(connection, |c| row
        .select(certificates::der)
        .first(c)
        .optional())?)
}
