//! The CA as a service: the authority behind its blocking threads.

use std::sync::Arc;

use client::Endpoint;
use common::http::{Problem, Work, site};
use common::identity::{Caller, Evidence, Rule};
use common::x509::SerialNumber;
use tokio::sync::watch;

use crate::http::access::Operation;
use crate::{Authority, Error, http};

/// The CA's shared state in handlers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ca {
    authority: Arc<Authority>,
    work: Work,
    kra: Option<Endpoint>,
    stopping: watch::Sender<bool>,
}

/// Requests that may wait for or run on a blocking thread.
const JOBS_MAX: usize = 512;

impl Ca {
    /// A service over `authority`. Timed work starts with [`crate::jobs::start`].
    pub fn new(authority: Arc<Authority>) -> Self {
        Self {
            authority,
            work: Work::new(JOBS_MAX),
            kra: None,
            stopping: watch::Sender::new(false),
        }
    }

    /// The same, knowing a KRA.
    pub fn with_kra(self, kra: Option<Endpoint>) -> Self {
        Self { kra, ..self }
    }

    /// The KRA, if we know one.
    pub fn kra(&self) -> Option<&Endpoint> {
        self.kra.as_ref()
    }

    /// The way to blocking threads, for what is no verb.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The verbs, for what needs no caller.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The one way from a handler to a verb: on a blocking thread, as a caller whom the rule of
    /// `operation` lets in.
    pub async fn run<T: Send + 'static>(
        &self,
        evidence: Evidence,
        operation: Operation,
        verb: impl FnOnce(&Authority, &Caller) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        self.run_about(evidence, operation, None, verb).await
    }

    /// The same for a verb about a certificate, whose owner may call with it while it is on hold.
    pub async fn run_about<T: Send + 'static>(
        &self,
        evidence: Evidence,
        operation: Operation,
        certificate: Option<SerialNumber>,
        verb: impl FnOnce(&Authority, &Caller) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let authority = Arc::clone(&self.authority);
        let done = self.work.run(move || {
            let caller = authority.admit_about(evidence, operation.rule(), certificate.as_ref())?;
            verb(&authority, &caller)
        });
        done.await?.map_err(Problem::from)
    }

    /// Ends what waits, such as long polls, so that the process can stop.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Hears of the stop.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// The service as part of a site.
    pub fn role(&self) -> site::Role {
        let authority = Arc::clone(&self.authority);
        let judging = Arc::clone(&self.authority);
        site::Role {
            name: "ca",
            openapi: http::openapi::document(),
            readiness: Arc::new(move || authority.readiness()),
            judge: Arc::new(move |evidence| {
                let admitted = judging.admit(evidence, Rule::Anyone);
                admitted.map(|_| ()).map_err(Problem::from)
            }),
            links: vec![
                ("profiles", "/pki/profiles"),
                ("requests", "/pki/requests"),
                ("certificates", "/pki/certificates"),
                ("crl", "/pki/crl"),
                ("authority", "/pki/authority/host"),
            ],
        }
    }
}
