//! The authorities of this CA.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::Certificate;
use diesel::prelude::*;

use super::schema::authorities;
use crate::Error;

/// Adds an authority.
pub fn insert(
    connection: &mut Connection,
    id: &str,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), Error> {
    let row = (
        authorities::id.eq(id),
        authorities::certificate.eq(certificate.der()),
        authorities::crl_number.eq(0),
        authorities::created_at.eq(now.micros()),
    );
    on!(connection, |c| diesel::insert_into(authorities::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// The certificate of an authority.
pub fn certificate(connection: &mut Connection, id: &str) -> Result<Certificate, Error> {
    let der: Option<Vec<u8>> = on!(connection, |c| authorities::table
        .find(id)
        .select(authorities::certificate)
        .first(c)
        .optional())?;
    let der = der.ok_or(Error::NotFound("authority"))?;
    Certificate::from_der(&der).map_err(Error::Internal)
}

/// Takes the next CRL number. It is used up even when no CRL comes of it.
pub fn next_crl_number(connection: &mut Connection, id: &str) -> Result<i64, Error> {
    let row = authorities::table.find(id);
    on!(connection, |c| diesel::update(row)
        .set(authorities::crl_number.eq(authorities::crl_number + 1))
        .execute(c))?;
    Ok(on!(connection, |c| row
        .select(authorities::crl_number)
        .first(c))?)
}
