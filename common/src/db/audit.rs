//! Appending to the audit trail, inside the transaction of the change that it records.

use diesel::prelude::*;

use super::schema::audit;
use super::{Connection, Error};
use crate::audit::Event;
use crate::on;

/// Writes one record.
pub fn append(connection: &mut Connection, event: &Event) -> Result<(), Error> {
    let leaf = event.leaf();
    let row = (
        audit::at.eq(event.at.micros()),
        audit::actor.eq(&event.actor),
        audit::event.eq(event.event),
        audit::object.eq(&event.object),
        audit::leaf.eq(&leaf),
    );
    on!(connection, |c| diesel::insert_into(audit::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// The canonical bytes of all records, oldest first.
pub fn leaves(connection: &mut Connection) -> Result<Vec<Vec<u8>>, Error> {
    Ok(on!(connection, |c| audit::table
        .order(audit::id)
        .select(audit::leaf)
        .load(c))?)
}
