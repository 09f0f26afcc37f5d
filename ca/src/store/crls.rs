//! CRLs that were signed, and the URLs that they are for.

use std::collections::BTreeSet;

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use diesel::prelude::*;

use super::schema::{crl_parts, crl_urls, crls};
use crate::Error;
use crate::crl::{Base, Crl, Scope};

/// CRLs kept of each scope, and of those that take more than one piece.
const KEPT: i64 = 16;
const KEPT_LARGE: i64 = 2;

/// Bytes in one row, and so in one transaction: what others wait for is never long.
pub const PIECE: usize = 1 << 20;

/// Adds a piece of a CRL that is about to be on record.
pub fn insert_piece(
    connection: &mut Connection,
    crl: &Crl,
    part: usize,
    der: &[u8],
) -> Result<(), Error> {
    let part = i64::try_from(part).unwrap_or(i64::MAX);
    let row = (
        crl_parts::authority.eq(&crl.authority),
        crl_parts::scope.eq(crl.scope.to_string()),
        crl_parts::number.eq(crl.number),
        crl_parts::part.eq(part),
        crl_parts::der.eq(der),
    );
    on!(connection, |c| diesel::insert_into(crl_parts::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// Puts a CRL on record whose pieces are there, and forgets the oldest of its scope.
pub fn insert(connection: &mut Connection, crl: &Crl, is_large: bool) -> Result<(), Error> {
    let scope = crl.scope.to_string();
    let row = (
        crls::authority.eq(&crl.authority),
        crls::scope.eq(&scope),
        crls::number.eq(crl.number),
        crls::base.eq(crl.base.map(|base| base.number)),
        crls::base_at.eq(crl.base.map(|base| base.at.micros())),
        crls::this_update.eq(crl.this_update.micros()),
        crls::next_update.eq(crl.next_update.micros()),
        crls::entries.eq(crl.entries),
    );
    on!(connection, |c| diesel::insert_into(crls::table)
        .values(row)
        .execute(c))?;
    let kept = if is_large { KEPT_LARGE } else { KEPT };
    // Parts share the numbers with the others, so the oldest of a scope is counted, not computed.
    let oldest: Option<i64> = on!(connection, |c| crls::table
        .filter(crls::authority.eq(&crl.authority))
        .filter(crls::scope.eq(&scope))
        .order(crls::number.desc())
        .offset(kept - 1)
        .select(crls::number)
        .first(c)
        .optional())?;
    let Some(oldest) = oldest else {
        return Ok(());
    };
    let old = crls::table
        .filter(crls::authority.eq(&crl.authority))
        .filter(crls::scope.eq(&scope))
        .filter(crls::number.lt(oldest));
    on!(connection, |c| diesel::delete(old).execute(c))?;
    // With the pieces of those that never were completed.
    let old = crl_parts::table
        .filter(crl_parts::authority.eq(&crl.authority))
        .filter(crl_parts::scope.eq(&scope))
        .filter(crl_parts::number.lt(oldest));
    on!(connection, |c| diesel::delete(old).execute(c))?;
    Ok(())
}

/// The scopes that an authority has CRLs on record of.
pub fn scopes(connection: &mut Connection, authority: &str) -> Result<BTreeSet<Scope>, Error> {
    let names: Vec<String> = on!(connection, |c| crls::table
        .filter(crls::authority.eq(authority))
        .select(crls::scope)
        .distinct()
        .load(c))?;
    let wrong = |why| Error::Internal(format!("a CRL on record is damaged: {why}"));
    let scopes = names.iter().map(|name| name.parse().map_err(wrong));
    scopes.collect()
}

/// The newest CRL of an authority's scope.
pub fn newest(
    connection: &mut Connection,
    authority: &str,
    scope: Scope,
) -> Result<Option<Crl>, Error> {
    type Row = (i64, Option<i64>, Option<i64>, i64, i64, i64);
    let name = scope.to_string();
    let row: Option<Row> = on!(connection, |c| crls::table
        .filter(crls::authority.eq(authority))
        .filter(crls::scope.eq(&name))
        .order(crls::number.desc())
        .select((
            crls::number,
            crls::base,
            crls::base_at,
            crls::this_update,
            crls::next_update,
            crls::entries,
        ))
        .first(c)
        .optional())?;
    let Some((number, base, base_at, this_update, next_update, entries)) = row else {
        return Ok(None);
    };
    let pieces: Vec<Vec<u8>> = on!(connection, |c| crl_parts::table
        .filter(crl_parts::authority.eq(authority))
        .filter(crl_parts::scope.eq(&name))
        .filter(crl_parts::number.eq(number))
        .order(crl_parts::part)
        .select(crl_parts::der)
        .load(c))?;
    Ok(Some(Crl {
        authority: authority.to_owned(),
        scope,
        number,
        base: base.zip(base_at).map(|(number, at)| Base {
            number,
            at: Timestamp::from_micros(at),
        }),
        this_update: Timestamp::from_micros(this_update),
        next_update: Timestamp::from_micros(next_update),
        entries,
        der: pieces.concat(),
    }))
}

/// Remembers that certificates of an authority name this URL.
pub fn remember_url(
    connection: &mut Connection,
    authority: &str,
    scope: Scope,
    url: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let row = (
        crl_urls::authority.eq(authority),
        crl_urls::scope.eq(scope.to_string()),
        crl_urls::url.eq(url),
        crl_urls::first_used_at.eq(now.micros()),
    );
    on!(connection, |c| diesel::insert_into(crl_urls::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// Every scope and URL that certificates of an authority may name, the newest first.
pub fn urls(connection: &mut Connection, authority: &str) -> Result<Vec<(Scope, String)>, Error> {
    let rows: Vec<(String, String)> = on!(connection, |c| crl_urls::table
        .filter(crl_urls::authority.eq(authority))
        .order((crl_urls::first_used_at.desc(), crl_urls::url))
        .select((crl_urls::scope, crl_urls::url))
        .load(c))?;
    let wrong = |why| Error::Internal(format!("a URL on record is damaged: {why}"));
    let urls = rows.into_iter();
    urls.map(|(scope, url)| Ok((scope.parse().map_err(wrong)?, url)))
        .collect()
}
