//! Answers kept for `Idempotency-Key`.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use diesel::prelude::*;
use uuid::Uuid;

use super::schema::idempotency;
use crate::Error;

/// What is known under a key.
#[derive(Clone, Debug)]
pub struct Kept {
    /// SHA-256 of media type and body of the first request.
    pub digest: Vec<u8>,
    /// The certificate request that came of it.
    pub request: Uuid,
    /// The answer, once it was given.
    pub answer: Option<Vec<u8>>,
}

/// Remembers the key, in the transaction that makes the request; `false` when it is known already.
pub fn insert(
    connection: &mut Connection,
    scope: &[u8],
    digest: &[u8],
    request: Uuid,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = (
        idempotency::scope.eq(scope),
        idempotency::digest.eq(digest),
        idempotency::created_at.eq(now.micros()),
        idempotency::request_id.eq(request.to_string()),
    );
    let inserted = on!(connection, |c| diesel::insert_into(idempotency::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(inserted == 1)
}

/// What is known under a key that is younger than `since`.
pub fn find(
    connection: &mut Connection,
    scope: &[u8],
    since: Timestamp,
) -> Result<Option<Kept>, Error> {
    let row: Option<(Vec<u8>, String, Option<Vec<u8>>)> = on!(connection, |c| idempotency::table
        .find(scope)
        .filter(idempotency::created_at.ge(since.micros()))
        .select((
            idempotency::digest,
            idempotency::request_id,
            idempotency::answer
        ))
        .first(c)
        .optional())?;
    let Some((digest, request, answer)) = row else {
        return Ok(None);
    };
    let request = request
        .parse()
        .map_err(|_| Error::Internal("bad idempotency row".into()))?;
    Ok(Some(Kept {
        digest,
        request,
        answer,
    }))
}

/// Keeps the answer.
pub fn keep(connection: &mut Connection, scope: &[u8], answer: &[u8]) -> Result<(), Error> {
    let row = idempotency::table.find(scope);
    on!(connection, |c| diesel::update(row)
        .set(idempotency::answer.eq(answer))
        .execute(c))?;
    Ok(())
}

/// Forgets keys older than `before`.
pub fn forget(connection: &mut Connection, before: Timestamp) -> Result<usize, Error> {
    let old = idempotency::table.filter(idempotency::created_at.lt(before.micros()));
    Ok(on!(connection, |c| diesel::delete(old).execute(c))?)
}
