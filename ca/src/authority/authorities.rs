//! Authorities: created, certified, stopped, renewed, deleted.

use std::sync::Arc;

use common::api::ca::{AuthorityChange, Changes, NewAuthority, Renewal};
use common::audit::Event;
use common::clock::Timestamp;
use common::crypto::{KeySpec, PrivateKey};
use common::db::{Connection, audit};
use common::entropy;
use common::http::conditional::IfMatch;
use common::identity::Caller;
use common::x509::{Certificate, Csr, CsrKind, RevocationReason, csr, extension, name};
use x509_cert::ext::pkix::BasicConstraints;

use super::{Authority, Member, StatusRequest};
use crate::chain;
use crate::create::{HOST, root};
use crate::issue::Linted;
use crate::issuer::Issuer;
use crate::store::authorities::{self, Record, Standing};
use crate::store::certificates::{Origin, intend};
use crate::{Error, profile};

/// The profile of CA certificates when nobody says which.
const PROFILE: &str = "caCACert";

/// Days that a CA certificate may be asked for.
const DAYS_MAX: i64 = 100 * 365;

/// A certificate for an authority of ours, ready to be intended.
type Prepared = (Linted, Origin);

impl Authority {
    /// All authorities, the oldest first; deleted ones, as long as anybody needs them, if wanted.
    pub fn authorities(&self, deleted: bool) -> Result<Vec<Record>, Error> {
        let mut records = self.database.read(authorities::all)?;
        records.retain(|record| {
            record.standing != Standing::Deleted || (deleted && self.member(&record.id).is_ok())
        });
        Ok(records)
    }

    /// An authority that was not deleted.
    pub fn authority(&self, id: &str) -> Result<Record, Error> {
        let record = self.database.read(|c| authorities::find(c, id))?;
        match record.standing {
            Standing::Deleted => Err(Error::NotFound("authority")),
            Standing::Waiting
            | Standing::Enabled
            | Standing::Disabled
            | Standing::Stopped
            | Standing::Superseded => Ok(record),
        }
    }

    /// Makes a new authority: below one of ours with a certificate at once, or without a parent,
    /// waiting for the certificate of an outside CA.
    pub fn create_authority(&self, caller: &Caller, wanted: NewAuthority) -> Result<Record, Error> {
        let wrong = |field: &'static str| move |e: String| Error::field(field, "syntax", e);
        let subject = name::parse(&wanted.subject).map_err(wrong("subject"))?;
        if subject.is_empty() {
            return Err(Error::field(
                "subject",
                "required",
                "an authority has a name",
            ));
        }
        super::check_texts(&[("description", &wanted.description)])?;
        let spec = key_spec(&wanted.key)?;
        let parent = wanted.parent.as_deref();
        let parent = parent.map(|id| self.issuing_for("parent", id));
        let parent = parent.transpose()?;
        let profile = wanted.profile.unwrap_or_else(|| PROFILE.into());
        self.profile_of_authorities(&profile)?;
        let (key, pkcs8) = PrivateKey::generate(spec)?;
        let now = self.clock.now();
        let request = csr::create(&key, &subject, &[])?;
        let mut record = Record {
            id: entropy::uuid().to_string(),
            subject: subject.to_string(),
            parent: parent.as_ref().map(|parent| parent.id.clone()),
            description: wanted.description,
            profile,
            standing: Standing::Waiting,
            note: None,
            successor: None,
            serial: None,
            certificate: None,
            outside_chain: None,
            csr: None,
            sealed_key: Some(self.issuers.seal(&pkcs8)?),
            created: now,
            modified: now,
        };
        let mut prepared = Vec::new();
        match &parent {
            None => record.csr = Some(request),
            Some(parent) => {
                let end = self.end(wanted.validity_days)?;
                let csr = pkcs10(request)?;
                let one = self.prepare(caller, &record.profile, &csr, parent, end)?;
                record.serial = Some(one.0.serial().clone());
                record.standing = Standing::Enabled;
                prepared.push(one);
            }
        }
        let event =
            event(caller, now, &record.id, "create").with("subject", record.subject.clone());
        let row = record.clone();
        let add = move |c: &mut Connection| match authorities::is_taken(c, &row)? {
            false => authorities::insert(c, &row),
            true => {
                let why = format!("there is an authority {} already", row.subject);
                Err(Error::AuthorityConflict(why))
            }
        };
        self.establish(caller, add, prepared, event)?;
        self.first_crl(&record.id);
        self.authority(&record.id)
    }

    /// Enables, disables or stops an authority. From the commit on, nothing is issued against it.
    pub fn change_authority(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
        change: AuthorityChange,
    ) -> Result<Record, Error> {
        let (standing, note) = match change {
            AuthorityChange::Enabled { note } => (Standing::Enabled, note),
            AuthorityChange::Disabled { note } => (Standing::Disabled, note),
            AuthorityChange::Stopped { note } => (Standing::Stopped, note),
        };
        super::check_texts(&[("note", &note)])?;
        let record = self.authority(id)?;
        if_match
            .check(&record.etag())
            .map_err(Error::Precondition)?;
        let conflict = |why: String| Err(Error::AuthorityConflict(why));
        match record.standing {
            Standing::Enabled | Standing::Disabled | Standing::Stopped => {}
            Standing::Waiting => return conflict(format!("authority {id} has no certificate yet")),
            Standing::Superseded | Standing::Deleted => {
                return conflict(format!("authority {id} is {}", record.standing.name()));
            }
        }
        if standing == Standing::Disabled && self.is_host(id) {
            return conflict("the first authority can be stopped, but not disabled".into());
        }
        let event = event(caller, self.clock.now(), id, standing.name());
        let event = match &note {
            Some(note) => event.with("note", note.clone()),
            None => event,
        };
        self.update(record, event, |record| {
            record.standing = standing;
            record.note = note;
        })
    }

    /// Deletes an authority that does not issue any more. Its certificate is revoked; its CRL and
    /// the answers about its certificates stay until it ends.
    pub fn delete_authority(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
    ) -> Result<(), Error> {
        let record = self.authority(id)?;
        if_match
            .check(&record.etag())
            .map_err(Error::Precondition)?;
        let conflict = |why: &str| Err(Error::AuthorityConflict(format!("authority {id} {why}")));
        if id == HOST || self.is_host(id) {
            return conflict("is the first one");
        }
        if record.standing == Standing::Enabled {
            return conflict("is enabled; disable it first");
        }
        let living = self.authorities(false)?;
        if living
            .iter()
            .any(|other| other.parent.as_deref() == Some(id))
        {
            return conflict("has authorities below it");
        }
        let event = event(caller, self.clock.now(), id, "delete");
        if record.certificate.is_none() {
            let id = record.id.clone();
            self.database.write("delete authority", move |c| {
                authorities::remove(c, &id)?;
                Ok::<_, Error>(audit::append(c, &event)?)
            })?;
            return self.read_authorities();
        }
        if let Some(serial) = record.serial.as_ref().filter(|_| record.parent.is_some()) {
            let wanted = StatusRequest::Revoke {
                reason: RevocationReason::CessationOfOperation,
                invalidity_date: None,
                note: Some("the authority was deleted".into()),
            };
            match self.change_status(caller, serial, &IfMatch::Absent, &wanted) {
                Ok(_) | Err(Error::WrongStatus { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let deleted = |record: &mut Record| record.standing = Standing::Deleted;
        self.update(record, event, deleted).map(|_| ())
    }

    /// Takes the certificate that an outside CA made for an authority of ours, with those above it.
    pub fn complete_authority(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
        chain: &[Certificate],
    ) -> Result<Record, Error> {
        let record = self.authority(id)?;
        if_match
            .check(&record.etag())
            .map_err(Error::Precondition)?;
        let Some(csr) = &record.csr else {
            let why = format!("authority {id} does not wait for a certificate");
            return Err(Error::AuthorityConflict(why));
        };
        let csr = pkcs10(csr.clone())?;
        let refuse = |rule: &str, message: &str| Err(Error::field("certificate", rule, message));
        let Some((own, above)) = chain.split_first() else {
            return refuse("required", "there is no certificate");
        };
        if own.public_key() != csr.public_key() {
            return refuse("key", "the certificate is not of the authority's key");
        }
        if own.subject() != csr.subject() {
            return refuse("subject", "the certificate is not of the authority's name");
        }
        chain::check(chain, self.clock.now())
            .map_err(|why| Error::field("certificate", "chain", why))?;
        let event = event(caller, self.clock.now(), id, "complete")
            .with("sha256", common::x509::hex(&own.sha256()));
        let (own, above) = (own.clone(), above.to_vec());
        let is_new = record.standing == Standing::Waiting;
        self.update(record, event, |record| {
            record.certificate = Some(own);
            record.outside_chain = Some(above.iter().map(Certificate::pem).collect());
            record.csr = None;
            if is_new {
                record.standing = Standing::Enabled;
            }
        })?;
        self.first_crl(id);
        self.authority(id)
    }

    /// Renews an authority's certificate: for the same key, or, when `key` is there, as a new
    /// authority with the same name and a new key that takes the place of the old one.
    pub fn renew_authority(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
        renewal: Renewal,
    ) -> Result<Record, Error> {
        let record = self.authority(id)?;
        if_match
            .check(&record.etag())
            .map_err(Error::Precondition)?;
        let may = match record.standing {
            Standing::Enabled | Standing::Disabled => true,
            Standing::Waiting | Standing::Stopped | Standing::Superseded | Standing::Deleted => {
                false
            }
        };
        if !may {
            let found = record.standing.name();
            return Err(Error::AuthorityConflict(format!(
                "authority {id} is {found}"
            )));
        }
        let member = self.member(id)?;
        let end = self.end(renewal.validity_days)?;
        match renewal.key {
            Some(key) => self.roll_over(caller, &member, key_spec(&key)?, end),
            None => self.renew_certificate(caller, &member, end),
        }
    }

    fn renew_certificate(
        &self,
        caller: &Caller,
        member: &Member,
        end: Option<Timestamp>,
    ) -> Result<Record, Error> {
        let (issuer, now) = (&member.issuer, self.clock.now());
        let event = event(caller, now, &issuer.id, "renew");
        let subject = issuer.certificate.subject();
        let request = csr::create(&issuer.key, subject, &[])?;
        let mut record = member.record.clone();
        record.modified = now.max(Timestamp::from_micros(record.modified.micros() + 1));
        let mut prepared = Vec::new();
        match self.certifier(member)? {
            None => record.csr = Some(request),
            Some(by) => {
                let csr = pkcs10(request)?;
                let one = self.prepare(caller, &record.profile, &csr, &by, end)?;
                record.serial = Some(one.0.serial().clone());
                prepared.push(one);
            }
        }
        let before = member.record.modified;
        let change = move |c: &mut Connection| changed(authorities::update(c, before, &record)?);
        self.establish(caller, change, prepared, event)?;
        self.authority(&issuer.id)
    }

    /// Key rollover (RFC 4210 §4.4): the new key is a new authority with the same name, so that
    /// the CRL and the OCSP answers of the old key go on. Each certifies the other.
    fn roll_over(
        &self,
        caller: &Caller,
        old: &Member,
        spec: KeySpec,
        end: Option<Timestamp>,
    ) -> Result<Record, Error> {
        let Some(certifier) = self.certifier(old)? else {
            let why = "an outside CA certifies this authority; create a new one for a new key";
            return Err(Error::AuthorityConflict(why.into()));
        };
        let (key, pkcs8) = PrivateKey::generate(spec)?;
        let now = self.clock.now();
        let subject = old.issuer.certificate.subject();
        let mut record = Record {
            id: entropy::uuid().to_string(),
            standing: Standing::Enabled,
            serial: None,
            certificate: None,
            csr: None,
            sealed_key: Some(self.issuers.seal(&pkcs8)?),
            created: now,
            modified: now,
            ..old.record.clone()
        };
        let new = self.issuers.seed(&record, now)?;
        let is_root = certifier.id == old.issuer.id;
        let by = match is_root {
            true => &new,
            false => &*certifier,
        };
        let csr = |key: &PrivateKey| pkcs10(csr::create(key, subject, &[])?);
        let profile = record.profile.clone();
        let own = self.prepare(caller, &profile, &csr(&key)?, by, end)?;
        record.serial = Some(own.0.serial().clone());
        // Who trusts the old key learns the new one, and who trusts the new one learns the old.
        let until = old.issuer.certificate.not_after();
        let until = |linted: &Linted| until.min(linted.not_after());
        let end = Some(until(&own.0));
        let new_with_old = self.prepare(caller, &profile, &csr(&key)?, &old.issuer, end)?;
        let old_with_new = self.prepare(caller, &profile, &csr(&old.issuer.key)?, &new, end)?;
        let event =
            event(caller, now, &old.issuer.id, "roll over").with("successor", record.id.clone());
        let mut superseded = old.record.clone();
        superseded.standing = Standing::Superseded;
        superseded.successor = Some(record.id.clone());
        superseded.modified = now.max(Timestamp::from_micros(superseded.modified.micros() + 1));
        let (before, row) = (old.record.modified, record.clone());
        let change = move |c: &mut Connection| {
            changed(authorities::update(c, before, &superseded)?)?;
            authorities::insert(c, &row)
        };
        let prepared = vec![own, new_with_old, old_with_new];
        self.establish(caller, change, prepared, event)?;
        self.first_crl(&record.id);
        self.authority(&record.id)
    }

    /// Whether this is the first authority, or what has taken its place.
    pub fn is_host(&self, id: &str) -> bool {
        self.host().id == id
    }

    /// Who certifies an authority: one of ours, itself, or nobody here.
    fn certifier(&self, member: &Member) -> Result<Option<Arc<Issuer>>, Error> {
        if let Some(parent) = &member.record.parent {
            return self.issuing_for("parent", parent).map(Some);
        }
        Ok(match &member.record.outside_chain {
            Some(_) => None,
            None => Some(Arc::clone(&member.issuer)),
        })
    }

    fn end(&self, days: Option<i64>) -> Result<Option<Timestamp>, Error> {
        let Some(days) = days else {
            return Ok(None);
        };
        match (1..=DAYS_MAX).contains(&days) {
            // The last second counts.
            true => Ok(Some(self.clock.now().plus_days(days).plus_seconds(-61))),
            false => {
                let message = format!("from 1 to {DAYS_MAX} days");
                Err(Error::field("validity_days", "range", message))
            }
        }
    }

    fn profile_of_authorities(&self, id: &str) -> Result<Arc<profile::Profile>, Error> {
        let entry = self.profiles.find(id);
        let profile = entry.and_then(|entry| entry.enabled().cloned());
        profile.ok_or_else(|| {
            let message = format!("there is no enabled profile `{id}`");
            Error::field("profile", "unknown", message)
        })
    }

    /// A CA certificate for `csr`, composed and linted.
    fn prepare(
        &self,
        caller: &Caller,
        profile: &str,
        csr: &Csr,
        by: &Issuer,
        end: Option<Timestamp>,
    ) -> Result<Prepared, Error> {
        let profile = self.profile_of_authorities(profile)?;
        let now = self.clock.now();
        let changes = Changes {
            not_after: end,
            ..Changes::default()
        };
        let mut draft = profile
            .draft(csr, by, &changes, now)
            .map_err(Error::NotAcceptable)?;
        if !extension::find::<BasicConstraints>(&draft.extensions).is_some_and(|c| c.ca) {
            let message = format!("profile {} makes no CA certificates", profile.id());
            return Err(Error::field("profile", "ca", message));
        }
        if by.certificate.subject() == csr.subject() && by.key.public_key() == csr.public_key() {
            draft = root(draft);
        }
        let linted = draft
            .lint(by, &self.rules, now)
            .map_err(Error::NotAcceptable)?;
        let origin = Origin {
            request: None,
            profile: profile.id().to_owned(),
            profile_version: profile.version().to_owned(),
            approved_by: caller.actor().to_owned(),
        };
        Ok((linted, origin))
    }

    /// One commit for what changes on record and for what is to be signed; then the signatures. A
    /// crash in between leaves intents that the next start finishes.
    fn establish(
        &self,
        caller: &Caller,
        change: impl Fn(&mut Connection) -> Result<(), Error> + Send + 'static,
        prepared: Vec<Prepared>,
        event: Event,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let intents = self.database.write("intend authority", move |c| {
            change(c)?;
            let intents: Result<Vec<_>, Error> = prepared
                .iter()
                .map(|(linted, origin)| intend(c, linted, origin, now))
                .collect();
            audit::append(c, &event)?;
            intents
        })?;
        self.news.tell();
        for intent in intents {
            self.finish_without_request(caller, intent)?;
        }
        self.read_authorities()
    }

    fn update(
        &self,
        mut record: Record,
        event: Event,
        change: impl FnOnce(&mut Record),
    ) -> Result<Record, Error> {
        let before = record.modified;
        change(&mut record);
        record.modified = self
            .clock
            .now()
            .max(Timestamp::from_micros(before.micros() + 1));
        let row = record.clone();
        self.database.write("change authority", move |c| {
            changed(authorities::update(c, before, &row)?)?;
            Ok::<_, Error>(audit::append(c, &event)?)
        })?;
        self.read_authorities()?;
        Ok(record)
    }

    /// A new authority's certificates need a CRL from the first one on.
    fn first_crl(&self, id: &str) {
        if self.member(id).is_ok() && self.make_crl(&Caller::system(), id).is_err() {
            self.crl_wake.wake(id);
        }
    }
}

/// One of our own requests.
fn pkcs10(der: Vec<u8>) -> Result<Csr, Error> {
    Csr::from_der(der).map_err(|why| Error::Csr(CsrKind::Pkcs10, why))
}

fn changed(done: bool) -> Result<(), Error> {
    match done {
        true => Ok(()),
        false => Err(Error::AuthorityConflict(
            "somebody else has just changed the authority".into(),
        )),
    }
}

fn event(caller: &Caller, now: Timestamp, id: &str, operation: &'static str) -> Event {
    Event::by(caller, now, "AUTHORITY_CONFIG", format!("authority/{id}"))
        .with("operation", operation)
}

fn key_spec(key: &common::api::ca::NewKey) -> Result<KeySpec, Error> {
    key.name()
        .parse()
        .map_err(|message: String| Error::field("key", "choice", message))
}
