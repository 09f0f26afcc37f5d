//! Users, their certificates and groups.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::schema::{group_members, groups, user_certificates, users};
use super::{Connection, Error};
use crate::clock::Timestamp;
use crate::identity::Group;
use crate::on;
use crate::x509::Certificate;

/// A user row to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// `agent1`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The groups it belongs to from the start.
    pub groups: Vec<Group>,
    /// The certificate that it proves itself with.
    pub certificate: Certificate,
}

/// Writes the groups that every service knows.
pub fn add_groups(connection: &mut Connection) -> Result<(), Error> {
    for group in Group::ALL {
        let row = (
            groups::name.eq(group.name()),
            groups::description.eq(group.description()),
        );
        on!(connection, |c| diesel::insert_into(groups::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// Adds a user with its certificate and groups.
pub fn add(connection: &mut Connection, user: &NewUser, now: Timestamp) -> Result<(), Error> {
    let row = (
        users::id.eq(&user.id),
        users::name.eq(&user.name),
        users::created_at.eq(now.micros()),
    );
    on!(connection, |c| diesel::insert_into(users::table)
        .values(row)
        .execute(c))?;
    let spki = user.certificate.public_key().spki_sha256();
    let row = (
        user_certificates::spki_sha256.eq(spki.as_slice()),
        user_certificates::user_id.eq(&user.id),
        user_certificates::certificate.eq(user.certificate.der()),
        user_certificates::created_at.eq(now.micros()),
    );
    on!(connection, |c| diesel::insert_into(
        user_certificates::table
    )
    .values(row)
    .execute(c))?;
    for group in &user.groups {
        let row = (
            group_members::group_name.eq(group.name()),
            group_members::user_id.eq(&user.id),
        );
        on!(connection, |c| diesel::insert_into(group_members::table)
            .values(row)
            .execute(c))?;
    }
    Ok(())
}

/// The user whose certificate carries this key, with its groups.
pub fn by_key(
    connection: &mut Connection,
    spki_sha256: &[u8],
) -> Result<Option<(String, BTreeSet<Group>)>, Error> {
    let rows: Vec<(String, Option<String>)> = on!(connection, |c| user_certificates::table
        .left_join(group_members::table.on(group_members::user_id.eq(user_certificates::user_id)))
        .filter(user_certificates::spki_sha256.eq(spki_sha256))
        .select((
            user_certificates::user_id,
            group_members::group_name.nullable()
        ))
        .load(c))?;
    let Some((user, _)) = rows.first() else {
        return Ok(None);
    };
    let user = user.clone();
    let names = rows.iter().filter_map(|(_, group)| group.as_deref());
    Ok(Some((user, names.filter_map(Group::by_name).collect())))
}
