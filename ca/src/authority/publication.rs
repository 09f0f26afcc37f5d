//! Publication: CRLs and certificates in a folder, and by HTTP PUT, for those who serve them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Courier;
use common::x509::Status;

use super::Authority;
use crate::Error;
use crate::config::PublishConfig;
use crate::crl::{Crl, Scope};
use crate::job::Outcome;
use crate::store::{journal, publications};

/// Under this name it is noted up to which position of the journal certificates are published.
const ISSUED: &str = "issued";

/// After a failure that took longer, the place is left alone until the next run.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where things go.
enum Place<'a> {
    Folder(&'a Path),
    Url(&'a str, &'a Courier),
}

/// Something to publish.
struct Item {
    name: String,
    media_type: &'static str,
    /// Grows with the content.
    number: i64,
    bytes: Bytes,
}

enum Bytes {
    Crl(Arc<Crl>),
    Certificate(Vec<u8>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Crl(crl) => &crl.der,
            Self::Certificate(der) => der,
        }
    }
}

impl Place<'_> {
    /// The place as it is on record.
    fn id(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Url(url, _) => (*url).to_owned(),
        }
    }

    fn bring(&self, item: &Item) -> Result<(), String> {
        match self {
            Self::Folder(folder) => {
                place(folder, item).map_err(|error| format!("{}: {error}", item.name))
            }
            Self::Url(url, courier) => {
                let url = format!("{}/{}", url.trim_end_matches('/'), item.name);
                let sent = courier.put(&url, item.media_type, item.bytes.get());
                sent.map_err(|error| error.to_string())
            }
        }
    }
}

impl Authority {
    /// Whether there is anywhere to publish to.
    pub fn publishes(&self) -> bool {
        self.publish_config.folder.is_some() || self.publish_config.url.is_some()
    }

    /// Timed work: what is new since the last time goes to the folder and to the URL. What fails is
    /// tried again; nobody waits for it, and one place does not wait for the other's repair.
    pub fn publish(&self) -> Result<Outcome, Error> {
        let PublishConfig { folder, url, .. } = &self.publish_config;
        let courier = Courier::new(std::slice::from_ref(&self.host().certificate));
        let folder = folder.as_deref().map(Place::Folder);
        let url = url.as_deref().map(|url| Place::Url(url, &courier));
        let (mut done, mut errors) = (0, Vec::new());
        for place in [folder, url].into_iter().flatten() {
            self.publish_at(&place, &mut done, &mut errors)?;
        }
        match errors.first() {
            None => Ok(Outcome::done(done, format!("published {done} files"))),
            Some(first) => Err(Error::Internal(format!(
                "{} files could not be published, such as {first}",
                errors.len()
            ))),
        }
    }

    fn publish_at(
        &self,
        place: &Place<'_>,
        done: &mut usize,
        errors: &mut Vec<String>,
    ) -> Result<(), Error> {
        let id = place.id();
        let there = self.database.read(|c| publications::at(c, &id))?;
        for item in self.items() {
            // Never an older CRL over a newer one, also after a restart.
            if there.get(&item.name).is_some_and(|n| *n >= item.number) {
                continue;
            }
            let began = Instant::now();
            match place.bring(&item) {
                Ok(()) => {
                    *done += 1;
                    self.note_published(&id, item.name, item.number)?;
                }
                Err(error) => {
                    errors.push(error);
                    // Who does not answer at all is not asked for each file.
                    if began.elapsed() > PATIENCE {
                        return Ok(());
                    }
                }
            }
        }
        if self.publish_config.certificates {
            let position = there.get(ISSUED).copied().unwrap_or(0);
            self.publish_issued(place, position, done, errors)?;
        }
        Ok(())
    }

    /// Certificates in the order of the journal, up to the first that is not signed yet or that
    /// could not be brought.
    fn publish_issued(
        &self,
        place: &Place<'_>,
        mut position: i64,
        done: &mut usize,
        errors: &mut Vec<String>,
    ) -> Result<(), Error> {
        let before = position;
        for entry in self.database.read(|c| journal::after(c, position))? {
            let found = match entry.status {
                Status::Valid => {
                    let serial = &entry.serial;
                    self.database
                        .read(|c| publications::certificate(c, serial))?
                }
                Status::OnHold { .. } | Status::Revoked { .. } => None,
            };
            match found {
                Some(None) => break,
                Some(Some(der)) => {
                    let item = Item {
                        name: format!("{}.crt", entry.serial),
                        media_type: "application/pkix-cert",
                        number: entry.position,
                        bytes: Bytes::Certificate(der),
                    };
                    if let Err(error) = place.bring(&item) {
                        errors.push(error);
                        break;
                    }
                    *done += 1;
                }
                None => {}
            }
            position = entry.position;
        }
        if position > before {
            self.note_published(&place.id(), ISSUED.to_owned(), position)?;
        }
        Ok(())
    }

    fn note_published(&self, place: &str, name: String, number: i64) -> Result<(), Error> {
        let place = place.to_owned();
        self.database.write("note publication", move |c| {
            publications::note(c, &place, &name, number)
        })
    }

    /// The certificates of authorities, and their CRLs that are in force.
    fn items(&self) -> Vec<Item> {
        let now = self.clock.now();
        let mut items = Vec::new();
        for issuer in self.issuers() {
            let id = &issuer.id;
            items.push(Item {
                name: format!("{id}.crt"),
                media_type: "application/pkix-cert",
                number: issuer.certificate.not_before().micros(),
                bytes: Bytes::Certificate(issuer.certificate.der().to_vec()),
            });
            for scope in self.scopes(id).unwrap_or_default() {
                let crl = self.current_crl_of(id, scope);
                let Some(crl) = crl.filter(|crl| crl.next_update > now) else {
                    continue;
                };
                items.push(Item {
                    name: match scope {
                        Scope::Full => format!("{id}.crl"),
                        Scope::Delta | Scope::Shard(_) => format!("{id}-{scope}.crl"),
                    },
                    media_type: "application/pkix-crl",
                    number: crl.number,
                    bytes: Bytes::Crl(crl),
                });
            }
        }
        items
    }
}

/// Puts a file into the folder as a whole or not at all.
fn place(folder: &Path, item: &Item) -> std::io::Result<()> {
    let staged = folder.join(format!(".{}.new", item.name));
    let mut file = fs::File::create(&staged)?;
    file.write_all(item.bytes.get())?;
    file.sync_all()?;
    fs::rename(&staged, folder.join(&item.name))?;
    fs::File::open(folder)?.sync_all()
}
