//! A service's own certificates, renewed by the service itself at two thirds of their life.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::crypto::KeyEncryptionKey;
use crate::http::tls::{Tls, TlsIdentity};
use crate::keystore::KeyStore;
use crate::x509::{Certificate, csr};

/// How often a certificate's age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long to wait after a renewal that failed.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A certificate of ours, and who has to hear of a new one.
pub struct Upkeep {
    /// The service's data folder.
    pub folder: PathBuf,
    /// What opens its keys.
    pub kek: KeyEncryptionKey,
    /// The certificate's name in the key store.
    pub name: &'static str,
    /// The profile that renews it.
    pub profile: &'static str,
    /// Puts a new certificate in force.
    pub renewed: Box<dyn Fn(TlsIdentity) -> Result<(), String> + Send>,
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upkeep({} in {})", self.name, self.folder.display())
    }
}

/// Whether two thirds of a certificate's life are over.
pub fn is_due(certificate: &Certificate, now: Timestamp) -> bool {
    let (start, end) = (certificate.not_before(), certificate.not_after());
    let life = end.seconds() - start.seconds();
    now >= start.plus_seconds(life / 3 * 2)
}

impl Upkeep {
    /// Renews the certificate, for the same key and the same names, when it is time; `ask` takes a
    /// profile and a PKCS#10 request to the CA and brings back a chain, leaf first.
    pub fn renew_when_due(
        &self,
        now: Timestamp,
        ask: &dyn Fn(&'static str, Vec<u8>) -> Result<Vec<Certificate>, String>,
    ) -> Result<bool, String> {
        let store = KeyStore {
            folder: &self.folder,
            kek: &self.kek,
        };
        let chain = store.chain(self.name)?;
        let Some(old) = chain.first().filter(|old| is_due(old, now)) else {
            return Ok(false);
        };
        let (key, _) = store.key(self.name)?;
        let names = old.alternative_names();
        let names: Vec<_> = names
            .iter()
            .map(|name| name.parse())
            .collect::<Result<_, _>>()?;
        let request = csr::create(&key, old.subject(), &names).map_err(|e| e.to_string())?;
        let new = ask(self.profile, request)?;
        let leaf = new.first().ok_or("the CA gave no certificate")?;
        if leaf.public_key() != key.public_key() {
            return Err("the CA gave a certificate of another key".into());
        }
        store.save_chain(self.name, &new.iter().collect::<Vec<_>>())?;
        (self.renewed)(store.identity(self.name)?)?;
        let serial = leaf.serial().to_string();
        tracing::info!(name = self.name, serial, until = %leaf.not_after(), "renewed a certificate");
        Ok(true)
    }
}

/// The certificates that every service has: the listener's, under `profile`, and the one that it
/// proves itself with.
pub fn of_service(
    folder: &Path,
    kek: &KeyEncryptionKey,
    profile: &'static str,
    tls: Tls,
    subsystem: impl Fn(TlsIdentity) -> Result<(), String> + Send + 'static,
) -> Vec<Upkeep> {
    vec![
        Upkeep {
            folder: folder.to_owned(),
            kek: kek.clone(),
            name: "tls",
            profile,
            renewed: Box::new(move |identity| tls.replace(&identity)),
        },
        of_subsystem(folder, kek, subsystem),
    ]
}

/// The certificate that a service proves itself with.
pub fn of_subsystem(
    folder: &Path,
    kek: &KeyEncryptionKey,
    renewed: impl Fn(TlsIdentity) -> Result<(), String> + Send + 'static,
) -> Upkeep {
    Upkeep {
        folder: folder.to_owned(),
        kek: kek.clone(),
        name: "subsystem",
        profile: "caSubsystemCert",
        renewed: Box::new(renewed),
    }
}

/// Keeps certificates renewed, for ever.
pub fn keep(
    all: &[Upkeep],
    clock: &Clock,
    ask: &dyn Fn(&'static str, Vec<u8>) -> Result<Vec<Certificate>, String>,
) {
    loop {
        let mut wait = LOOK_EVERY;
        for one in all {
            if let Err(error) = one.renew_when_due(clock.now(), ask) {
                tracing::warn!(name = one.name, error, "a certificate could not be renewed");
                wait = TRY_AGAIN;
            }
        }
        std::thread::sleep(wait);
    }
}
