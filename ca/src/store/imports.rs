//! Certificates and revocations that another CA program made.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{Certificate, SerialNumber, Status};
use diesel::prelude::*;

use super::schema::{authorities, certificate_names, certificates, statuses as table};
use super::{journal, statuses};
use crate::Error;

/// The profile of imported certificates.
pub const PROFILE: &str = "imported";

/// Puts a certificate on record; `false` when it is there, `Err` when another has its number.
pub fn certificate(
    connection: &mut Connection,
    authority: &str,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<bool, Error> {
    let serial = certificate.serial();
    let known: Option<Option<Vec<u8>>> = on!(connection, |c| certificates::table
        .find(serial.as_bytes())
        .select(certificates::der)
        .first(c)
        .optional())?;
    match known {
        Some(known) if known.as_deref() == Some(certificate.der()) => return Ok(false),
        Some(_) => {
            let why = format!("another certificate has the serial number {serial}");
            return Err(Error::AuthorityConflict(why));
        }
        None => {}
    }
    let subject = certificate.subject().to_string();
    let row = (
        certificates::serial.eq(serial.as_bytes()),
        certificates::authority.eq(authority),
        certificates::profile.eq(PROFILE),
        certificates::profile_version.eq(""),
        certificates::approved_by.eq(PROFILE),
        certificates::subject.eq(&subject),
        certificates::subject_lower.eq(subject.to_lowercase()),
        certificates::issuer.eq(certificate.issuer().to_string()),
        certificates::spki_sha256.eq(certificate.public_key().spki_sha256().to_vec()),
        certificates::not_before.eq(certificate.not_before().micros()),
        certificates::not_after.eq(certificate.not_after().micros()),
        certificates::issued_at.eq(certificate.not_before().micros()),
        certificates::der.eq(certificate.der()),
    );
    on!(connection, |c| diesel::insert_into(certificates::table)
        .values(row)
        .execute(c))?;
    for name in certificate.alternative_names() {
        let row = (
            certificate_names::name.eq(name),
            certificate_names::serial.eq(serial.as_bytes()),
        );
        on!(connection, |c| diesel::insert_into(
            certificate_names::table
        )
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    }
    let not_after = certificate.not_after();
    // A revocation may have come before its certificate, without its end.
    let row = table::table.find(serial.as_bytes());
    let revoked = on!(connection, |c| diesel::update(row)
        .set(table::not_after.eq(not_after.micros()))
        .execute(c))?;
    if revoked == 0 {
        statuses::insert(connection, authority, &serial, not_after, now)?;
        journal::append(
            connection,
            authority,
            &serial,
            &Status::Valid,
            not_after,
            now,
        )?;
    }
    Ok(true)
}

/// Puts the revocation of a certificate on record, which may itself be unknown and then counts
/// until `end`; `false` when it is there.
pub fn revocation(
    connection: &mut Connection,
    authority: &str,
    serial: &SerialNumber,
    (status, at): (Status, Timestamp),
    end: Timestamp,
) -> Result<bool, Error> {
    let known = match statuses::find(connection, serial) {
        Ok(known) => known,
        Err(Error::NotFound(_)) => {
            statuses::insert(connection, authority, serial, end, at)?;
            statuses::find(connection, serial)?
        }
        Err(error) => return Err(error),
    };
    if known.authority != authority {
        let why = format!("a certificate of another authority has the serial number {serial}");
        return Err(Error::AuthorityConflict(why));
    }
    if known.status != Status::Valid {
        return Ok(false);
    }
    let changed = statuses::update(connection, &known, status, at)?;
    if changed {
        journal::append(connection, authority, serial, &status, known.not_after, at)?;
    }
    Ok(changed)
}

/// Makes the next CRL number larger than `number`.
pub fn crl_number(connection: &mut Connection, id: &str, number: i64) -> Result<(), Error> {
    let row = authorities::table
        .find(id)
        .filter(authorities::crl_number.lt(number));
    on!(connection, |c| diesel::update(row)
        .set(authorities::crl_number.eq(number))
        .execute(c))?;
    Ok(())
}
