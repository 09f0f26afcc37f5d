//! Which certificates an order to revoke many is about.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{SerialNumber, Status};
use diesel::prelude::*;

use super::certificates::{self, Filter, Listed};
use super::schema::{certificates as rows, statuses};
use crate::Error;

/// What was ordered. All that is named must hold.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Profile id.
    pub profile: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: Option<Vec<u8>>,
    /// Who issued it.
    pub authority: Option<String>,
    /// Issued at or after.
    pub issued_after: Option<Timestamp>,
    /// Issued at or before.
    pub issued_before: Option<Timestamp>,
    /// One of these.
    pub serials: Option<Vec<SerialNumber>>,
    /// Nothing issued later.
    pub until: Timestamp,
    /// No certificate of these keys.
    pub spared_keys: Vec<Vec<u8>>,
}

impl Wanted {
    /// Whether it is narrower than "everything".
    pub fn names_something(&self) -> bool {
        self.profile.is_some()
            || self.key.is_some()
            || self.authority.is_some()
            || self.issued_after.is_some()
            || self.issued_before.is_some()
            || self.serials.is_some()
    }
}

/// A certificate in the order of issuance.
#[derive(Clone, Debug)]
pub struct Place {
    /// When it was intended.
    pub issued: Timestamp,
    /// Its serial number.
    pub serial: SerialNumber,
}

/// The same conditions for counting and for going through: what can still be revoked and has not
/// ended. A macro, since the type of such a query has no name that both engines share.
macro_rules! wanted {
    ($wanted:expr, $now:expr) => {{
        let wanted: &Wanted = $wanted;
        let mut query = rows::table
            .inner_join(statuses::table.on(statuses::serial.eq(rows::serial)))
            .filter(statuses::status.ne(Status::REVOKED))
            .filter(rows::not_after.ge($now.whole_seconds().micros()))
            .filter(rows::issued_at.le(wanted.until.micros()))
            .filter(rows::spki_sha256.ne_all(wanted.spared_keys.clone()))
            .into_boxed();
        if let Some(profile) = &wanted.profile {
            query = query.filter(rows::profile.eq(profile));
        }
        if let Some(key) = &wanted.key {
            query = query.filter(rows::spki_sha256.eq(key));
        }
        if let Some(authority) = &wanted.authority {
            query = query.filter(rows::authority.eq(authority));
        }
        if let Some(at) = wanted.issued_after {
            query = query.filter(rows::issued_at.ge(at.micros()));
        }
        if let Some(at) = wanted.issued_before {
            query = query.filter(rows::issued_at.le(at.micros()));
        }
        if let Some(serials) = &wanted.serials {
            let serials: Vec<_> = serials.iter().map(|s| s.as_bytes().to_vec()).collect();
            query = query.filter(rows::serial.eq_any(serials));
        }
        query
    }};
}

/// How many there are.
pub fn count(connection: &mut Connection, wanted: &Wanted, now: Timestamp) -> Result<i64, Error> {
    Ok(on!(connection, |c| wanted!(wanted, now)
        .count()
        .get_result(c))?)
}

/// The next `limit` of them in the order of issuance.
pub fn next(
    connection: &mut Connection,
    wanted: &Wanted,
    now: Timestamp,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Place>, Error> {
    let found: Vec<(i64, Vec<u8>)> = on!(connection, |c| {
        let mut query = wanted!(wanted, now);
        if let Some(Place { issued, serial }) = after {
            let same_moment = rows::issued_at
                .eq(issued.micros())
                .and(rows::serial.gt(serial.as_bytes().to_vec()));
            query = query.filter(rows::issued_at.gt(issued.micros()).or(same_moment));
        }
        query
            .order((rows::issued_at, rows::serial))
            .limit(limit)
            .select((rows::issued_at, rows::serial))
            .load(c)
    })?;
    let damaged = || Error::Internal("a certificate on record is damaged".into());
    let place = |(issued, serial): (i64, Vec<u8>)| {
        Ok(Place {
            issued: Timestamp::from_micros(issued),
            serial: SerialNumber::from_bytes(&serial).ok_or_else(damaged)?,
        })
    };
    found.into_iter().map(place).collect()
}

/// The first few of them as lists show them.
pub fn sample(
    connection: &mut Connection,
    wanted: &Wanted,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    let places = next(connection, wanted, now, None, limit)?;
    let mut sample = Vec::with_capacity(places.len());
    for Place { serial, .. } in places {
        let filter = Filter {
            serial: Some(serial),
            ..Filter::default()
        };
        sample.extend(certificates::list(connection, &filter, now, None, 1)?);
    }
    Ok(sample)
}
