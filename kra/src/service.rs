//! The KRA as a service.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use common::clock::Clock;
use common::crypto::KeyEncryptionKey;
use common::db::Database;
use common::http::{Problem, Work, site};
use common::identity::{Caller, Denied, Evidence, Rule, authorize};
use common::upkeep::Upkeep;

use crate::transport::{TRANSPORT, Transport};
use crate::vault::Vault;
use crate::{create, http};

/// The KRA's shared state in handlers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Kra(Arc<State>);

#[derive(Debug)]
struct State {
    database: Database,
    _vault: Vault,
    transport: ArcSwap<Transport>,
    clock: Clock,
    work: Work,
}

/// Requests that may wait for or run on a blocking thread.
const JOBS_MAX: usize = 256;

/// What the verbs refuse.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database.
    #[error(transparent)]
    Database(#[from] common::db::Error),
}

impl common::db::Failure for Error {
    fn database(&self) -> Option<&common::db::Error> {
        match self {
            Self::Database(error) => Some(error),
            Self::Denied(_) => None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => (&denied).into(),
            Error::Database(error) => (&error).into(),
        }
    }
}

impl State {
    fn admit(&self, evidence: &Evidence, rule: Rule) -> Result<Caller, Error> {
        // Revocation of callers' certificates comes with the journal, when there is what to protect.
        self.database
            .read(|c| authorize(c, evidence.clone(), rule, |_, _| Ok(false)))
    }
}

impl Kra {
    /// Opens the KRA in `folder`.
    pub fn open(folder: &Path, kek: &KeyEncryptionKey, clock: Clock) -> Result<Self, String> {
        Ok(Self(Arc::new(State {
            database: create::open_database(folder)?,
            _vault: Vault::open(folder, kek)?,
            transport: ArcSwap::from_pointee(Transport::open(folder, kek)?),
            clock,
            work: Work::new(JOBS_MAX),
        })))
    }

    /// The transport key.
    pub fn transport(&self) -> Arc<Transport> {
        self.0.transport.load_full()
    }

    /// Hands out another certificate of the transport key, which is in `folder`, from now on.
    pub fn replace_transport(&self, folder: &Path, kek: &KeyEncryptionKey) -> Result<(), String> {
        let transport = Transport::open(folder, kek)?;
        self.0.transport.store(Arc::new(transport));
        Ok(())
    }

    /// Keeps the transport certificate renewed.
    pub fn upkeep(&self, folder: &Path, kek: &KeyEncryptionKey) -> Upkeep {
        let kra = self.clone();
        let (path, key) = (folder.to_owned(), kek.clone());
        Upkeep {
            folder: folder.to_owned(),
            kek: kek.clone(),
            name: TRANSPORT,
            profile: "caTransportCert",
            renewed: Box::new(move |_| kra.replace_transport(&path, &key)),
        }
    }

    /// Finds out on a blocking thread who calls, and whether `rule` lets them in.
    pub async fn admit(&self, evidence: Evidence, rule: Rule) -> Result<Caller, Problem> {
        let state = Arc::clone(&self.0);
        let admitted = self.0.work.run(move || state.admit(&evidence, rule));
        Ok(admitted.await??)
    }

    /// The service as part of a site.
    pub fn role(&self) -> site::Role {
        let state = Arc::clone(&self.0);
        let judging = Arc::clone(&self.0);
        site::Role {
            name: "kra",
            openapi: http::openapi::document(),
            readiness: Arc::new(move || {
                let expired = state.transport.load().certificate().not_after() < state.clock.now();
                expired
                    .then(|| "the transport certificate has expired".to_owned())
                    .into_iter()
                    .collect()
            }),
            judge: Arc::new(move |evidence| {
                judging.admit(&evidence, Rule::Anyone)?;
                Ok(())
            }),
            links: vec![("transport", "/pki/config/kra/cert/transport")],
        }
    }
}
