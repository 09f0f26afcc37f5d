//! The authorities that we answer for, each with a delegated key: those of the CA, as it lists them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use client::Endpoint;
use common::clock::Clock;
use common::crypto::KeyEncryptionKey;
use common::keystore::KeyStore;
use common::x509::Certificate;

use crate::issuer::Issuer;
use crate::question::CertId;
use crate::signer::{HOST, Signer};

/// A question about an authority that we do not know makes us ask the CA, but no more often.
const READ_AGAIN: Duration = Duration::from_millis(100);

/// Longest time that a question waits for the list.
const READ_MAX: Duration = Duration::from_secs(1);

/// Without questions, new authorities are noticed after so long.
const READ_EVERY: Duration = Duration::from_secs(60);

/// The certificates of authorities besides the first, in the key store.
const PREFIX: &str = "issuer-";

/// An authority with what signs the answers about its certificates.
#[derive(Debug)]
pub struct Served {
    /// How questions name it.
    pub issuer: Issuer,
    /// What signs.
    pub signer: Arc<Signer>,
}

/// All authorities that we answer for.
#[derive(Debug)]
pub struct Roster {
    served: ArcSwap<Vec<Arc<Served>>>,
    ca: Endpoint,
    folder: PathBuf,
    kek: KeyEncryptionKey,
    subject: String,
    clock: Clock,
    /// When the CA was last asked. Held while it is.
    asked: Mutex<Option<Instant>>,
}

impl Roster {
    /// The first authority, and the others that were known when the last process ended.
    pub fn open(
        folder: PathBuf,
        kek: KeyEncryptionKey,
        host: Certificate,
        ca: Endpoint,
        subject: String,
        clock: Clock,
    ) -> Result<Self, String> {
        let roster = Self {
            served: ArcSwap::default(),
            ca,
            folder,
            kek,
            subject,
            clock,
            asked: Mutex::default(),
        };
        let mut served = vec![Arc::new(roster.serve(HOST.into(), host)?)];
        for (id, certificate) in roster.saved() {
            served.push(Arc::new(roster.serve(id, certificate)?));
        }
        roster.served.store(Arc::new(served));
        Ok(roster)
    }

    /// The authority whose certificate is asked about.
    pub fn find(&self, id: &CertId<'_>) -> Option<Arc<Served>> {
        let served = self.served.load();
        let found = served.iter().find(|served| served.issuer.is_named_by(id));
        found.map(Arc::clone)
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Served>> {
        self.served.load().to_vec()
    }

    /// Asks the CA which authorities there are, unless that was done a moment ago.
    pub fn refresh(&self) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_some_and(|at| at.elapsed() < READ_AGAIN) {
            return;
        }
        if let Err(error) = self.read() {
            tracing::warn!(error, "the CA does not say which authorities there are");
        }
        *asked = Some(Instant::now());
    }

    /// Keeps roster and signing certificates up to date, for ever.
    pub fn keep(&self) {
        let mut last: Option<Instant> = None;
        loop {
            if last.is_none_or(|last| last.elapsed() >= READ_EVERY) {
                self.refresh();
                last = Some(Instant::now());
            }
            let mut wait = READ_EVERY;
            for served in self.all() {
                if let Err(error) = served.signer.renew_when_due() {
                    let authority = &served.issuer.authority;
                    tracing::warn!(
                        error,
                        authority,
                        "the OCSP signing certificate could not be renewed"
                    );
                    wait = Duration::from_secs(1);
                }
            }
            std::thread::sleep(wait);
        }
    }

    fn read(&self) -> Result<(), String> {
        let ca = self.ca.with_timeout(READ_MAX);
        let listed = ca.authorities(true).map_err(|e| e.to_string())?;
        let known = self.all();
        let mut served = Vec::new();
        for authority in listed {
            let Some(pem) = authority.certificate else {
                continue;
            };
            let certificate = Certificate::from_pem(&pem)?;
            if certificate.not_after() < self.clock.now() {
                continue;
            }
            let same = |served: &&Arc<Served>| {
                served.issuer.authority == authority.id
                    && served.issuer.certificate.public_key() == certificate.public_key()
            };
            match known.iter().find(same) {
                Some(known) => served.push(Arc::clone(known)),
                None => served.push(self.welcome(authority.id, certificate)?),
            }
        }
        if served.is_empty() {
            return Err("the list of authorities is empty".into());
        }
        self.served.store(Arc::new(served));
        Ok(())
    }

    /// A new authority: questions about it may come at once.
    fn welcome(&self, id: String, certificate: Certificate) -> Result<Arc<Served>, String> {
        if id != HOST {
            self.store()
                .save_chain(&format!("{PREFIX}{id}"), &[&certificate])?;
        }
        let served = self.serve(id, certificate)?;
        if let Err(error) = served.signer.renew_when_due() {
            let authority = &served.issuer.authority;
            tracing::warn!(error, authority, "there is no OCSP signing certificate yet");
        }
        Ok(Arc::new(served))
    }

    fn serve(&self, id: String, certificate: Certificate) -> Result<Served, String> {
        let signer = Signer::open(
            id.clone(),
            self.folder.clone(),
            self.kek.clone(),
            self.ca.clone(),
            self.subject.clone(),
            self.clock.clone(),
        );
        Ok(Served {
            issuer: Issuer::new(id, certificate).map_err(|e| e.to_string())?,
            signer: Arc::new(signer),
        })
    }

    /// The authorities on disk, so that a responder that starts while the CA is away knows them.
    fn saved(&self) -> Vec<(String, Certificate)> {
        let mut found = Vec::new();
        for name in self.store().chains(PREFIX) {
            let id = name.trim_start_matches(PREFIX).to_owned();
            if let Ok(chain) = self.store().chain(&name) {
                found.extend(chain.into_iter().take(1).map(|own| (id.clone(), own)));
            }
        }
        found.retain(|(_, certificate)| certificate.not_after() >= self.clock.now());
        found
    }

    fn store(&self) -> KeyStore<'_> {
        KeyStore {
            folder: &self.folder,
            kek: &self.kek,
        }
    }
}
