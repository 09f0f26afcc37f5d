//! The authorities of this CA.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{self, Certificate, SerialNumber};
use diesel::prelude::*;

use super::schema::{authorities, certificates};
use crate::Error;
use crate::create::HOST;

/// Whether an authority issues, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its certificate comes from outside and is not there yet.
    Waiting,
    /// It issues.
    Enabled,
    /// It does not issue for now.
    Disabled,
    /// It does not issue: an administrator pulled the brake.
    Stopped,
    /// Another key with the same name issues in its place.
    Superseded,
    /// It is gone; its CRL and its answers stay until its certificate ends.
    Deleted,
}

impl Standing {
    const ALL: [(&'static str, Self); 6] = [
        ("waiting", Self::Waiting),
        ("enabled", Self::Enabled),
        ("disabled", Self::Disabled),
        ("stopped", Self::Stopped),
        ("superseded", Self::Superseded),
        ("deleted", Self::Deleted),
    ];

    /// Its name in the interface.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, standing)| *standing == self);
        found.expect("every standing has a name").0
    }

    fn read(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, standing)| *standing)
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = authorities)]
struct Row {
    id: String,
    subject: String,
    parent: Option<String>,
    description: Option<String>,
    profile: String,
    status: String,
    note: Option<String>,
    successor: Option<String>,
    serial: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    outside_chain: Option<String>,
    csr: Option<Vec<u8>>,
    sealed_key: Option<String>,
    created_at: i64,
    modified_at: i64,
}

/// An authority on record.
#[derive(Clone, Debug)]
pub struct Record {
    /// `host` for the first one.
    pub id: String,
    /// RFC 4514 text.
    pub subject: String,
    /// The authority of ours that certifies it.
    pub parent: Option<String>,
    /// What it is for, in words.
    pub description: Option<String>,
    /// The profile that its certificates are made under.
    pub profile: String,
    /// Whether it issues.
    pub standing: Standing,
    /// Why it does not, in words.
    pub note: Option<String>,
    /// The authority that took its place.
    pub successor: Option<String>,
    /// Its certificate's serial number, when one of ours made it; set with the intent.
    pub serial: Option<SerialNumber>,
    /// Its certificate.
    pub certificate: Option<Certificate>,
    /// The certificates above its own when they are not ours, PEM.
    pub outside_chain: Option<String>,
    /// What an outside CA was asked to certify, DER.
    pub csr: Option<Vec<u8>>,
    /// Its key under the key-encryption key, PEM; the first one's is in the keys folder.
    pub sealed_key: Option<String>,
    /// Since when it is there.
    pub created: Timestamp,
    /// When its record last changed.
    pub modified: Timestamp,
}

impl Record {
    /// The first authority.
    pub fn of_host(certificate: Certificate, now: Timestamp) -> Self {
        Self {
            id: HOST.into(),
            subject: certificate.subject().to_string(),
            parent: None,
            description: None,
            profile: "caCACert".into(),
            standing: Standing::Enabled,
            note: None,
            successor: None,
            serial: Some(certificate.serial()),
            certificate: Some(certificate),
            outside_chain: None,
            csr: None,
            sealed_key: None,
            created: now,
            modified: now,
        }
    }

    /// A strong entity tag.
    pub fn etag(&self) -> String {
        let certificate = self
            .certificate
            .as_ref()
            .map(|c| x509::hex(&c.sha256()[..4]));
        let modified = self.modified.micros();
        format!("\"{modified:x}-{}\"", certificate.unwrap_or_default())
    }
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let corrupt = || Error::Internal(format!("authority {}: bad record", row.id));
        let certificate = row.certificate.as_deref().map(Certificate::from_der);
        let serial = row.serial.as_deref();
        Ok(Self {
            standing: Standing::read(&row.status).ok_or_else(corrupt)?,
            serial: serial
                .map(|bytes| SerialNumber::from_bytes(bytes).ok_or_else(corrupt))
                .transpose()?,
            certificate: certificate.transpose().map_err(Error::Internal)?,
            created: Timestamp::from_micros(row.created_at),
            modified: Timestamp::from_micros(row.modified_at),
            id: row.id,
            subject: row.subject,
            parent: row.parent,
            description: row.description,
            profile: row.profile,
            note: row.note,
            successor: row.successor,
            outside_chain: row.outside_chain,
            csr: row.csr,
            sealed_key: row.sealed_key,
        })
    }
}

/// Adds an authority.
pub fn insert(connection: &mut Connection, record: &Record) -> Result<(), Error> {
    let row = (
        authorities::id.eq(&record.id),
        authorities::subject.eq(&record.subject),
        authorities::living_name.eq(living_name(record)),
        authorities::parent.eq(&record.parent),
        authorities::description.eq(&record.description),
        authorities::profile.eq(&record.profile),
        authorities::status.eq(record.standing.name()),
        authorities::note.eq(&record.note),
        authorities::successor.eq(&record.successor),
        authorities::serial.eq(record.serial.as_ref().map(SerialNumber::as_bytes)),
        authorities::certificate.eq(record.certificate.as_ref().map(Certificate::der)),
        authorities::outside_chain.eq(&record.outside_chain),
        authorities::csr.eq(&record.csr),
        authorities::sealed_key.eq(&record.sealed_key),
        authorities::crl_number.eq(0),
        authorities::created_at.eq(record.created.micros()),
        authorities::modified_at.eq(record.modified.micros()),
    );
    on!(connection, |c| diesel::insert_into(authorities::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// Whether a living authority has the name of `record`.
pub fn is_taken(connection: &mut Connection, record: &Record) -> Result<bool, Error> {
    let same = authorities::table.filter(authorities::living_name.eq(living_name(record)));
    let found: i64 = on!(connection, |c| same.count().get_result(c))?;
    Ok(found > 0)
}

/// The name by which relying parties tell an authority from the others, as long as it may issue.
/// Names are the same whatever their case and spaces (RFC 5280 §7.1).
fn living_name(record: &Record) -> Option<String> {
    match record.standing {
        Standing::Waiting | Standing::Enabled | Standing::Disabled | Standing::Stopped => {
            let words: Vec<_> = record.subject.split_whitespace().collect();
            Some(words.join(" ").to_lowercase())
        }
        Standing::Superseded | Standing::Deleted => None,
    }
}

/// All authorities, the oldest first.
pub fn all(connection: &mut Connection) -> Result<Vec<Record>, Error> {
    let rows: Vec<Row> = on!(connection, |c| authorities::table
        .order((authorities::created_at, authorities::id))
        .select(Row::as_select())
        .load(c))?;
    rows.into_iter().map(Record::try_from).collect()
}

/// An authority on record.
pub fn find(connection: &mut Connection, id: &str) -> Result<Record, Error> {
    let row: Option<Row> = on!(connection, |c| authorities::table
        .find(id)
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.ok_or(Error::NotFound("authority"))?.try_into()
}

/// The certificate of an authority.
pub fn certificate(connection: &mut Connection, id: &str) -> Result<Certificate, Error> {
    let record = find(connection, id)?;
    record.certificate.ok_or(Error::NotFound("certificate"))
}

/// Writes what may change of an authority, if its record is still the one of `before`; `false`
/// means that somebody was faster.
pub fn update(
    connection: &mut Connection,
    before: Timestamp,
    record: &Record,
) -> Result<bool, Error> {
    let row = authorities::table
        .find(&record.id)
        .filter(authorities::modified_at.eq(before.micros()));
    let changed = on!(connection, |c| diesel::update(row)
        .set((
            authorities::description.eq(&record.description),
            authorities::living_name.eq(living_name(record)),
            authorities::status.eq(record.standing.name()),
            authorities::note.eq(&record.note),
            authorities::successor.eq(&record.successor),
            authorities::serial.eq(record.serial.as_ref().map(SerialNumber::as_bytes)),
            authorities::certificate.eq(record.certificate.as_ref().map(Certificate::der)),
            authorities::outside_chain.eq(&record.outside_chain),
            authorities::csr.eq(&record.csr),
            authorities::modified_at.eq(record.modified.micros()),
        ))
        .execute(c))?;
    Ok(changed == 1)
}

/// Forgets an authority that never had a certificate.
pub fn remove(connection: &mut Connection, id: &str) -> Result<(), Error> {
    let row = authorities::table
        .find(id)
        .filter(authorities::certificate.is_null());
    on!(connection, |c| diesel::delete(row).execute(c))?;
    Ok(())
}

/// Gives an authority the certificate whose intent its record names.
pub fn certify(connection: &mut Connection, certificate: &Certificate) -> Result<(), Error> {
    let serial = certificate.serial();
    let row = authorities::table.filter(authorities::serial.eq(serial.as_bytes()));
    on!(connection, |c| diesel::update(row)
        .set(authorities::certificate.eq(certificate.der()))
        .execute(c))?;
    Ok(())
}

/// Whether an authority issues right now.
pub fn is_enabled(connection: &mut Connection, id: &str) -> Result<bool, Error> {
    let status: Option<String> = on!(connection, |c| authorities::table
        .find(id)
        .select(authorities::status)
        .first(c)
        .optional())?;
    Ok(status.as_deref() == Some(Standing::Enabled.name()))
}

/// Certificates that one generation of an authority made for the key of another.
pub fn crosses(
    connection: &mut Connection,
    by: &str,
    spki_sha256: &[u8; 32],
) -> Result<Vec<Certificate>, Error> {
    let ders: Vec<Option<Vec<u8>>> = on!(connection, |c| certificates::table
        .filter(certificates::authority.eq(by))
        .filter(certificates::spki_sha256.eq(spki_sha256.as_slice()))
        .filter(certificates::der.is_not_null())
        .order(certificates::issued_at)
        .select(certificates::der)
        .load(c))?;
    ders.iter()
        .flatten()
        .map(|der| Certificate::from_der(der).map_err(Error::Internal))
        .collect()
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
