//! The responder's delegated key and certificate (RFC 6960 §4.2.2.2): asked for from the CA by the
//! responder itself, and renewed at two thirds of its life.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use client::Endpoint;
use common::api::ca::SubmitRequest;
use common::clock::Clock;
use common::crypto::{KeyEncryptionKey, KeySpec, PrivateKey};
use common::keystore::{KeyStore, request};
use common::upkeep::is_due;
use common::x509::{Certificate, pem};

/// The id of the first authority.
pub const HOST: &str = "host";

const PROFILE: &str = "caOCSPCert";

/// A key with the certificate that lets it sign answers.
#[derive(Debug)]
pub struct Delegate {
    /// The key.
    pub key: PrivateKey,
    /// Its certificate.
    pub certificate: Certificate,
}

/// The delegate in force, and what it takes to renew it.
#[derive(Debug)]
pub struct Signer {
    authority: String,
    current: ArcSwapOption<Delegate>,
    folder: PathBuf,
    kek: KeyEncryptionKey,
    ca: Endpoint,
    subject: String,
    clock: Clock,
}

impl Signer {
    /// Loads the delegate for the certificates of `authority` from `folder`, if a good one is there.
    pub fn open(
        authority: String,
        folder: PathBuf,
        kek: KeyEncryptionKey,
        ca: Endpoint,
        subject: String,
        clock: Clock,
    ) -> Self {
        let signer = Self {
            authority,
            current: ArcSwapOption::empty(),
            folder,
            kek,
            ca,
            subject,
            clock,
        };
        // Missing at first start; damaged when a renewal was cut short. Either way a new one comes.
        if let Ok(delegate) = signer.load() {
            signer.current.store(Some(Arc::new(delegate)));
        }
        signer
    }

    /// The delegate, unless there is none that is valid now.
    pub fn current(&self) -> Option<Arc<Delegate>> {
        let now = self.clock.now();
        let current = self.current.load_full();
        current.filter(|delegate| delegate.certificate.not_after() >= now)
    }

    /// Gets a delegate when there is none or two thirds of its life are over.
    pub fn renew_when_due(&self) -> Result<(), String> {
        let now = self.clock.now();
        let due = self.current();
        let due = due.is_none_or(|delegate| is_due(&delegate.certificate, now));
        match due {
            true => self.renew(),
            false => Ok(()),
        }
    }

    fn renew(&self) -> Result<(), String> {
        let (key, pkcs8) = PrivateKey::generate(KeySpec::EcP256).map_err(|e| e.to_string())?;
        let csr = request(&key, &self.subject, &[])?;
        let submitted = self.ca.submit(
            PROFILE,
            &SubmitRequest {
                csr: Some(pem("CERTIFICATE REQUEST", &csr)),
                authority: Some(self.authority.clone()),
                ..SubmitRequest::default()
            },
        );
        let submitted = submitted.map_err(|e| e.to_string())?;
        let link = submitted
            .certificate
            .ok_or("the CA lets the request wait for an agent")?;
        let issued = self.ca.certificate(&link.id).map_err(|e| e.to_string())?;
        let certificate = Certificate::from_pem(&issued.pem)?;
        let store = self.store();
        let name = self.name();
        store.save_key(&name, &pkcs8)?;
        store.save_chain(&name, &[&certificate])?;
        tracing::info!(serial = link.id, until = %certificate.not_after(), "new OCSP signing certificate");
        self.current
            .store(Some(Arc::new(Delegate { key, certificate })));
        Ok(())
    }

    fn load(&self) -> Result<Delegate, String> {
        let store = self.store();
        let (key, _) = store.key(&self.name())?;
        let certificate = store.identity(&self.name())?.chain.swap_remove(0);
        Ok(Delegate { key, certificate })
    }

    /// The name of key and certificate in the key store.
    fn name(&self) -> String {
        match self.authority.as_str() {
            HOST => "signing".into(),
            id => format!("signing-{id}"),
        }
    }

    fn store(&self) -> KeyStore<'_> {
        KeyStore {
            folder: &self.folder,
            kek: &self.kek,
        }
    }
}
