//! The authorities that issue here: a registry that every reader sees whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use common::clock::Timestamp;
use common::crypto::{KeyEncryptionKey, KeyError, PrivateKey, Secret};
use common::db::Database;
use common::x509::Certificate;
use common::x509::certificate::chain_from_pem;

use super::Authority;
use super::crls::Publication;
use crate::Error;
use crate::create::{HOST, seed};
use crate::issuer::{Issuer, Places};
use crate::store::authorities::{self, Record, Standing};

/// An authority with a certificate, and what is published for it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Certificate, key and URLs.
    pub issuer: Arc<Issuer>,
    /// What is on record.
    pub record: Record,
    /// What the keys before and after its own certify of each other (RFC 4210 §4.4).
    pub crosses: Vec<Certificate>,
    /// Its CRL. Stays the same when the certificate changes.
    pub(super) crls: Arc<Publication>,
}

/// All authorities by id. A change replaces the whole map; who reads meanwhile keeps the old one.
#[derive(Debug)]
pub struct Issuers {
    members: ArcSwap<BTreeMap<String, Arc<Member>>>,
    host: Issuer,
    kek: KeyEncryptionKey,
    places: Places,
    /// Held while the map is made anew, so that an older reading never replaces a newer one.
    reading: Mutex<()>,
}

impl Issuers {
    /// The first authority; the others, and what happened to it, are in the database. Their keys
    /// rest there under `kek`.
    pub fn new(host: Issuer, kek: KeyEncryptionKey, places: Places) -> Self {
        Self {
            members: ArcSwap::default(),
            host,
            kek,
            places,
            reading: Mutex::default(),
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Member>> {
        self.members.load().get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Member>> {
        self.members.load().values().cloned().collect()
    }

    /// Reads all authorities anew.
    pub(super) fn read(&self, database: &Database, now: Timestamp) -> Result<(), Error> {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = database.read(authorities::all)?;
        if !records.iter().any(|record| record.id == HOST) {
            // At the very beginning it has no certificate that could be on record.
            records.push(Record::of_host(self.host.certificate.clone(), now));
        }
        let known = self.members.load_full();
        let mut members = BTreeMap::new();
        for record in &records {
            let known = known.get(&record.id);
            match self.member(database, record, known, &records) {
                Ok(Some(member)) if !member.is_over(now) => {
                    members.insert(record.id.clone(), Arc::new(member));
                }
                Ok(_) => {}
                // The others can go on.
                Err(error) => {
                    tracing::error!(authority = record.id, %error, "an authority cannot be used");
                }
            }
        }
        self.members.store(Arc::new(members));
        Ok(())
    }

    fn member(
        &self,
        database: &Database,
        record: &Record,
        known: Option<&Arc<Member>>,
        records: &[Record],
    ) -> Result<Option<Member>, Error> {
        let Some(certificate) = record.certificate.clone() else {
            return Ok(None);
        };
        let key = match known {
            Some(member) => Arc::clone(&member.issuer.key),
            None => self.key(record)?,
        };
        if key.public_key() != certificate.public_key() {
            return Err(KeyError::Unreadable.into());
        }
        let crls = match known {
            Some(member) => Arc::clone(&member.crls),
            None => Arc::new(Publication::open(database, &record.id)?),
        };
        Ok(Some(Member {
            crosses: crosses(database, record, records)?,
            issuer: Arc::new(Issuer {
                id: record.id.clone(),
                chain: above(record, records).map_err(Error::Internal)?,
                certificate,
                key,
                urls: self.places.of(&record.id),
            }),
            record: record.clone(),
            crls,
        }))
    }

    fn key(&self, record: &Record) -> Result<Arc<PrivateKey>, Error> {
        match &record.sealed_key {
            None => Ok(Arc::clone(&self.host.key)),
            Some(sealed) => Ok(Arc::new(self.kek.open_private_key(sealed)?.0)),
        }
    }

    /// Puts a key under the key-encryption key.
    pub(super) fn seal(&self, pkcs8: &Secret) -> Result<String, KeyError> {
        self.kek.seal_private_key(pkcs8)
    }

    /// An issuer for an authority whose own first certificate is still to be signed.
    pub(super) fn seed(&self, record: &Record, now: Timestamp) -> Result<Issuer, Error> {
        let key = self.key(record)?;
        let subject = common::x509::name::parse(&record.subject).map_err(Error::Internal)?;
        Ok(Issuer {
            id: record.id.clone(),
            certificate: seed(&key, &subject, now).map_err(Error::Internal)?,
            chain: Vec::new(),
            key,
            urls: self.places.of(&record.id),
        })
    }
}

impl Member {
    /// Whether nobody needs its CRL any more.
    fn is_over(&self, now: Timestamp) -> bool {
        self.record.standing == Standing::Deleted && self.issuer.certificate.not_after() < now
    }
}

/// The certificates above an authority's own, nearest first.
fn above(record: &Record, records: &[Record]) -> Result<Vec<Certificate>, String> {
    let mut chain = Vec::new();
    let mut record = record;
    // A chain that were longer than there are authorities would run in circles.
    for _ in records {
        if let Some(outside) = &record.outside_chain {
            chain.extend(chain_from_pem(outside)?);
        }
        let parent = record.parent.as_deref();
        let Some(parent) = parent.and_then(|id| records.iter().find(|r| r.id == id)) else {
            break;
        };
        chain.extend(parent.certificate.clone());
        record = parent;
    }
    Ok(chain)
}

/// What an authority's predecessor and its successor certify of it, and it of them.
fn crosses(
    database: &Database,
    record: &Record,
    records: &[Record],
) -> Result<Vec<Certificate>, Error> {
    let mut found = Vec::new();
    for other in records {
        let is_next = record.successor.as_ref() == Some(&other.id);
        let is_last = other.successor.as_ref() == Some(&record.id);
        if !is_next && !is_last {
            continue;
        }
        for (by, of) in [(other, record), (record, other)] {
            if let Some(certificate) = &of.certificate {
                let key = certificate.public_key().spki_sha256();
                found.extend(database.read(|c| authorities::crosses(c, &by.id, &key))?);
            }
        }
    }
    Ok(found)
}

impl Authority {
    /// The first authority, or what has taken its place.
    pub fn host(&self) -> Arc<Issuer> {
        let host = self.current(HOST);
        let host = host.expect("the first authority is never removed");
        Arc::clone(&host.issuer)
    }

    /// The authority with this id, whether it issues or not.
    pub fn issuer(&self, id: &str) -> Result<Arc<Issuer>, Error> {
        Ok(Arc::clone(&self.member(id)?.issuer))
    }

    /// All authorities that have a certificate, by id.
    pub fn issuers(&self) -> Vec<Arc<Issuer>> {
        let members = self.issuers.all();
        members.iter().map(|m| Arc::clone(&m.issuer)).collect()
    }

    /// The authority with this id, as far as it has a certificate.
    pub fn member(&self, id: &str) -> Result<Arc<Member>, Error> {
        self.issuers.find(id).ok_or(Error::NotFound("authority"))
    }

    /// The authority that stands for `id` now: itself or what has taken its place.
    pub(super) fn current(&self, id: &str) -> Result<Arc<Member>, Error> {
        let mut member = self.member(id)?;
        while let Some(successor) = &member.record.successor {
            member = self.member(successor)?;
        }
        Ok(member)
    }

    /// The authority that shall issue: the one asked for, the first one when none is.
    pub(super) fn issuing(&self, id: Option<&str>) -> Result<Arc<Issuer>, Error> {
        self.issuing_for("authority", id.unwrap_or(HOST))
    }

    /// The authority that shall issue, as the field `field` of the input names it.
    pub(super) fn issuing_for(&self, field: &str, id: &str) -> Result<Arc<Issuer>, Error> {
        let member = self.current(id).map_err(|_| self.unusable(field, id))?;
        match member.record.standing {
            Standing::Enabled => Ok(Arc::clone(&member.issuer)),
            Standing::Deleted => Err(self.unusable(field, id)),
            Standing::Waiting | Standing::Disabled | Standing::Stopped | Standing::Superseded => {
                Err(Error::AuthorityStatus {
                    id: member.record.id.clone(),
                    found: member.record.standing.name(),
                })
            }
        }
    }

    /// Why there is nothing to issue with under this id.
    fn unusable(&self, field: &str, id: &str) -> Error {
        let waiting = self.database.read(|c| authorities::find(c, id));
        match waiting.is_ok_and(|record| record.standing == Standing::Waiting) {
            true => Error::AuthorityStatus {
                id: id.to_owned(),
                found: Standing::Waiting.name(),
            },
            false => {
                let message = format!("there is no authority `{id}`");
                Error::field(field, "unknown", message)
            }
        }
    }

    /// Sees what was committed about authorities.
    pub(crate) fn read_authorities(&self) -> Result<(), Error> {
        self.issuers.read(&self.database, self.clock.now())
    }
}
