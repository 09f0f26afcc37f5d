//! Certificates: intended, signed, found.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::status::StatusColumns;
use common::x509::{Certificate, RevocationReason, SerialNumber, Status, extension};
use diesel::prelude::*;
use uuid::Uuid;
use x509_cert::ext::pkix::KeyUsage;

use super::schema::{certificate_names, certificates, statuses};
use crate::Error;
use crate::issue::{Intent, Linted, Signed};
use crate::profile::{Relative, Relatives};

/// Who asked for and who allowed a certificate.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The request, absent for what the CA makes for itself at first start.
    pub request: Option<Uuid>,
    /// The profile's id.
    pub profile: String,
    /// The profile's hash.
    pub profile_version: String,
    /// The user, or `system`.
    pub approved_by: String,
}

/// Writes down what is about to be signed. The only way to an [`Intent`].
pub fn intend(
    connection: &mut Connection,
    linted: &Linted,
    origin: &Origin,
    now: Timestamp,
) -> Result<Intent, Error> {
    let serial = linted.serial();
    super::statuses::insert(
        connection,
        linted.authority(),
        serial,
        linted.not_after(),
        now,
    )?;
    if let Some(shard) = linted.shard() {
        super::statuses::assign(connection, serial, shard)?;
    }
    let row = (
        certificates::serial.eq(serial.as_bytes()),
        certificates::authority.eq(linted.authority()),
        certificates::request_id.eq(origin.request.map(|id| id.to_string())),
        certificates::profile.eq(&origin.profile),
        certificates::profile_version.eq(&origin.profile_version),
        certificates::approved_by.eq(&origin.approved_by),
        certificates::subject.eq(linted.subject()),
        // Engines differ in what they take for the lower case of a letter; we make it ourselves.
        certificates::subject_lower.eq(linted.subject().to_lowercase()),
        certificates::issuer.eq(linted.issuer()),
        certificates::spki_sha256.eq(linted.spki_sha256().as_slice()),
        certificates::not_before.eq(linted.not_before().micros()),
        certificates::not_after.eq(linted.not_after().micros()),
        certificates::issued_at.eq(now.micros()),
        certificates::tbs.eq(linted.tbs()),
    );
    on!(connection, |c| diesel::insert_into(certificates::table)
        .values(row)
        .execute(c))?;
    for name in linted.names() {
        let row = (
            certificate_names::name.eq(name.as_str()),
            certificate_names::serial.eq(serial.as_bytes()),
        );
        on!(connection, |c| diesel::insert_into(
            certificate_names::table
        )
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    }
    super::journal::append(
        connection,
        linted.authority(),
        serial,
        &Status::Valid,
        linted.not_after(),
        now,
    )?;
    Ok(Intent::on_record(linted))
}

/// Replaces the intent by the signed certificate; `false` when that was done before.
pub fn record(connection: &mut Connection, signed: &Signed) -> Result<bool, Error> {
    let serial = signed.certificate().serial();
    let intended = certificates::table
        .find(serial.as_bytes())
        .filter(certificates::tbs.eq(signed.tbs()));
    let changed = on!(connection, |c| diesel::update(intended)
        .set((
            certificates::tbs.eq(None::<Vec<u8>>),
            certificates::der.eq(signed.certificate().der()),
        ))
        .execute(c))?;
    Ok(changed == 1)
}

/// An intent without a certificate, and the request that it answers.
pub type Unfinished = (Intent, Option<Uuid>);

/// Intents older than `before` without a certificate: what a crash left behind.
pub fn unfinished(
    connection: &mut Connection,
    before: Timestamp,
) -> Result<Vec<Unfinished>, Error> {
    type Row = (Vec<u8>, String, Option<Vec<u8>>, Option<String>);
    let rows: Vec<Row> = on!(connection, |c| certificates::table
        .filter(certificates::der.is_null())
        .filter(certificates::issued_at.lt(before.micros()))
        .order(certificates::issued_at)
        .select((
            certificates::serial,
            certificates::authority,
            certificates::tbs,
            certificates::request_id,
        ))
        .load(c))?;
    let corrupt = || Error::Internal("an intent on record is damaged".into());
    rows.into_iter()
        .map(|(serial, authority, tbs, request)| {
            let serial = SerialNumber::from_bytes(&serial).ok_or_else(corrupt)?;
            let request = request
                .map(|id| id.parse())
                .transpose()
                .map_err(|_| corrupt())?;
            Ok((
                Intent::read(serial, authority, tbs.ok_or_else(corrupt)?),
                request,
            ))
        })
        .collect()
}

/// A certificate on record with everything around it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// Its status.
    pub status: Status,
    /// When the status last changed.
    pub changed: Timestamp,
    /// The part of the CRL that it belongs to.
    pub shard: Option<i16>,
    /// Who issued it.
    pub authority: String,
    /// Who asked for it and who allowed it.
    pub origin: Origin,
}

impl Issued {
    /// A strong entity tag; it changes with the status.
    pub fn etag(&self) -> String {
        etag(&self.status, self.changed)
    }
}

/// The entity tag of a status.
pub fn etag(status: &Status, changed: Timestamp) -> String {
    format!("\"{}-{:x}\"", status.name(), changed.micros())
}

/// The signed certificate with this serial number.
pub fn find(connection: &mut Connection, serial: &SerialNumber) -> Result<Issued, Error> {
    type Row = (
        Option<Vec<u8>>,
        String,
        Option<String>,
        String,
        String,
        String,
    );
    let known = super::statuses::find(connection, serial)?;
    let row: Option<Row> = on!(connection, |c| certificates::table
        .find(serial.as_bytes())
        .select((
            certificates::der,
            certificates::authority,
            certificates::request_id,
            certificates::profile,
            certificates::profile_version,
            certificates::approved_by,
        ))
        .first(c)
        .optional())?;
    let Some((Some(der), authority, request, profile, profile_version, approved_by)) = row else {
        return Err(Error::NotFound("certificate"));
    };
    let corrupt = || Error::Internal(format!("certificate {serial}: bad request id on record"));
    Ok(Issued {
        certificate: Certificate::from_der(&der).map_err(Error::Internal)?,
        status: known.status,
        changed: known.changed,
        shard: known.shard,
        authority,
        origin: Origin {
            request: request
                .map(|id| id.parse())
                .transpose()
                .map_err(|_| corrupt())?,
            profile,
            profile_version,
            approved_by,
        },
    })
}

/// Whether a certificate of this key was revoked because the key is in wrong hands.
pub fn is_compromised(connection: &mut Connection, spki_sha256: &[u8]) -> Result<bool, Error> {
    let reasons = [
        RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise,
        RevocationReason::AaCompromise,
    ];
    let reasons = reasons.map(|reason| i16::from(reason.code()));
    let found: Option<Vec<u8>> = on!(connection, |c| certificates::table
        .inner_join(statuses::table.on(statuses::serial.eq(certificates::serial)))
        .filter(certificates::spki_sha256.eq(spki_sha256))
        .filter(statuses::status.eq(Status::REVOKED))
        .filter(statuses::reason.eq_any(reasons))
        .select(certificates::serial)
        .first(c)
        .optional())?;
    Ok(found.is_some())
}

/// Certificates with this subject, and certificates with this key.
pub fn relatives(
    connection: &mut Connection,
    subject: &str,
    spki_sha256: &[u8; 32],
) -> Result<Relatives, Error> {
    type Row = (String, Option<Vec<u8>>, i64, StatusColumns, i64);
    let joined = || {
        certificates::table
            .inner_join(statuses::table.on(statuses::serial.eq(certificates::serial)))
            .select((
                certificates::subject,
                certificates::der,
                certificates::not_after,
                (statuses::status, statuses::reason, statuses::invalidity_at),
                statuses::changed_at,
            ))
    };
    let same_subject = joined().filter(certificates::subject.eq(subject));
    let same_key = joined().filter(certificates::spki_sha256.eq(spki_sha256.as_slice()));
    let same_subject: Vec<Row> = on!(connection, |c| same_subject.load(c))?;
    let same_key: Vec<Row> = on!(connection, |c| same_key.load(c))?;
    let relative = |(subject, der, not_after, status, changed): Row| {
        let corrupt = || Error::Internal("a status on record is damaged".into());
        let certificate = der.and_then(|der| Certificate::from_der(&der).ok());
        Ok(Relative {
            subject,
            status: Status::from_columns(status, Timestamp::from_micros(changed))
                .ok_or_else(corrupt)?,
            not_after: Timestamp::from_micros(not_after),
            key_usage: certificate.and_then(|certificate| {
                let extensions = certificate.parsed().tbs_certificate.extensions.as_deref();
                extension::find::<KeyUsage>(extensions.unwrap_or_default())
            }),
        })
    };
    Ok(Relatives {
        same_subject: same_subject
            .into_iter()
            .map(relative)
            .collect::<Result<_, Error>>()?,
        same_key: same_key
            .into_iter()
            .map(relative)
            .collect::<Result<_, Error>>()?,
    })
}

/// What a list of certificates is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the subject, in any case.
    pub subject: Option<String>,
    /// One alternative name in full (`dns:…`).
    pub names: Vec<String>,
    /// The issuer's name in full.
    pub issuer: Option<String>,
    /// Status by name, time taken into account.
    pub status: Option<String>,
    /// Profile id.
    pub profile: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Option<Vec<u8>>,
    /// The serial number.
    pub serial: Option<SerialNumber>,
    /// Issued at or after.
    pub issued_after: Option<Timestamp>,
    /// Issued at or before.
    pub issued_before: Option<Timestamp>,
    /// Ends at or after.
    pub expires_after: Option<Timestamp>,
    /// Ends at or before.
    pub expires_before: Option<Timestamp>,
    /// Revoked or held at or after.
    pub revoked_after: Option<Timestamp>,
    /// Revoked or held at or before.
    pub revoked_before: Option<Timestamp>,
}

/// A line of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The serial number.
    pub serial: SerialNumber,
    /// RFC 4514 text.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// The profile's id.
    pub profile: String,
    /// When it was issued: the order of the list.
    pub issued: Timestamp,
    /// Its status.
    pub status: Status,
}

type ListRow = (
    (Vec<u8>, String, String, i64, i64, String, i64),
    (i16, i64, Option<i16>, Option<i64>),
);

/// A page, newest first, of at most `limit` signed certificates after `after`.
#[expect(
    clippy::too_many_lines,
    reason = "a flat list of filters, a few lines each"
)]
pub fn list(
    connection: &mut Connection,
    filter: &Filter,
    now: Timestamp,
    after: Option<(i64, Vec<u8>)>,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    // No subject is that long, and SQLite refuses longer patterns.
    if filter
        .subject
        .as_ref()
        .is_some_and(|part| part.len() > 10_000)
    {
        return Ok(Vec::new());
    }
    let second = now.whole_seconds().micros();
    let rows: Vec<ListRow> = on!(connection, |c| {
        let mut query = certificates::table
            .inner_join(statuses::table.on(statuses::serial.eq(certificates::serial)))
            .filter(certificates::der.is_not_null())
            .into_boxed();
        if let Some(part) = &filter.subject {
            let pattern = format!("%{}%", escape_like(&part.to_lowercase()));
            query = query.filter(certificates::subject_lower.like(pattern).escape('!'));
        }
        for name in &filter.names {
            let named = certificate_names::table
                .filter(certificate_names::name.eq(name.clone()))
                .select(certificate_names::serial);
            query = query.filter(certificates::serial.eq_any(named));
        }
        if let Some(issuer) = &filter.issuer {
            query = query.filter(certificates::issuer.eq(issuer));
        }
        if let Some(profile) = &filter.profile {
            query = query.filter(certificates::profile.eq(profile));
        }
        if let Some(spki) = &filter.spki_sha256 {
            query = query.filter(certificates::spki_sha256.eq(spki));
        }
        if let Some(serial) = &filter.serial {
            query = query.filter(certificates::serial.eq(serial.as_bytes()));
        }
        query = match filter.status.as_deref() {
            Some("on_hold") => query.filter(statuses::status.eq(Status::ON_HOLD)),
            Some("revoked") => query.filter(statuses::status.eq(Status::REVOKED)),
            Some("expired") => query
                .filter(statuses::status.eq(Status::VALID))
                .filter(certificates::not_after.lt(second)),
            Some("not_yet_valid") => query
                .filter(statuses::status.eq(Status::VALID))
                .filter(certificates::not_before.gt(now.micros())),
            Some(_) => query
                .filter(statuses::status.eq(Status::VALID))
                .filter(certificates::not_before.le(now.micros()))
                .filter(certificates::not_after.ge(second)),
            None => query,
        };
        if let Some(at) = filter.issued_after {
            query = query.filter(certificates::issued_at.ge(at.micros()));
        }
        if let Some(at) = filter.issued_before {
            query = query.filter(certificates::issued_at.le(at.micros()));
        }
        if let Some(at) = filter.expires_after {
            query = query.filter(certificates::not_after.ge(at.micros()));
        }
        if let Some(at) = filter.expires_before {
            query = query.filter(certificates::not_after.le(at.micros()));
        }
        if filter.revoked_after.is_some() || filter.revoked_before.is_some() {
            query = query.filter(statuses::status.ne(Status::VALID));
        }
        if let Some(at) = filter.revoked_after {
            query = query.filter(statuses::changed_at.ge(at.micros()));
        }
        if let Some(at) = filter.revoked_before {
            query = query.filter(statuses::changed_at.le(at.micros()));
        }
        if let Some((issued, serial)) = after {
            let same_moment = certificates::issued_at
                .eq(issued)
                .and(certificates::serial.lt(serial));
            query = query.filter(certificates::issued_at.lt(issued).or(same_moment));
        }
        query
            .order((certificates::issued_at.desc(), certificates::serial.desc()))
            .limit(limit)
            .select((
                (
                    certificates::serial,
                    certificates::subject,
                    certificates::issuer,
                    certificates::not_before,
                    certificates::not_after,
                    certificates::profile,
                    certificates::issued_at,
                ),
                (
                    statuses::status,
                    statuses::changed_at,
                    statuses::reason,
                    statuses::invalidity_at,
                ),
            ))
            .load(c)
    })?;
    rows.into_iter().map(listed).collect()
}

/// `%` and `_` mean themselves in a search for a part of a text.
fn escape_like(text: &str) -> String {
    text.replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

fn listed(
    ((serial, subject, issuer, not_before, not_after, profile, issued), s): ListRow,
) -> Result<Listed, Error> {
    let corrupt = || Error::Internal("a certificate on record is damaged".into());
    Ok(Listed {
        serial: SerialNumber::from_bytes(&serial).ok_or_else(corrupt)?,
        subject,
        issuer,
        not_before: Timestamp::from_micros(not_before),
        not_after: Timestamp::from_micros(not_after),
        profile,
        issued: Timestamp::from_micros(issued),
        status: Status::from_columns((s.0, s.2, s.3), Timestamp::from_micros(s.1))
            .ok_or_else(corrupt)?,
    })
}
