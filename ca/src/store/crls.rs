//! CRLs that were signed.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use diesel::prelude::*;

use super::schema::crls;
use crate::Error;
use crate::crl::Crl;

/// CRLs kept of each authority.
const KEPT: i64 = 16;

/// Adds a CRL and forgets the oldest.
pub fn insert(connection: &mut Connection, crl: &Crl) -> Result<(), Error> {
    let row = (
        crls::authority.eq(&crl.authority),
        crls::number.eq(crl.number),
        crls::this_update.eq(crl.this_update.micros()),
        crls::next_update.eq(crl.next_update.micros()),
        crls::entries.eq(crl.entries),
        crls::der.eq(&crl.der),
    );
    on!(connection, |c| diesel::insert_into(crls::table)
        .values(row)
        .execute(c))?;
    let old = crls::table
        .filter(crls::authority.eq(&crl.authority))
        .filter(crls::number.le(crl.number - KEPT));
    on!(connection, |c| diesel::delete(old).execute(c))?;
    Ok(())
}

/// The newest CRL of an authority.
pub fn newest(connection: &mut Connection, authority: &str) -> Result<Option<Crl>, Error> {
    type Row = (String, i64, i64, i64, i64, Vec<u8>);
    let row: Option<Row> = on!(connection, |c| crls::table
        .filter(crls::authority.eq(authority))
        .order(crls::number.desc())
        .first(c)
        .optional())?;
    Ok(row.map(
        |(authority, number, this_update, next_update, entries, der)| Crl {
            authority,
            number,
            this_update: Timestamp::from_micros(this_update),
            next_update: Timestamp::from_micros(next_update),
            entries,
            der,
        },
    ))
}
