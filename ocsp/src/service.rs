//! The responder as a service.

use std::sync::Arc;

use common::http::{Problem, Work, site};
use common::identity::{Denied, Evidence};
use common::process::spawn;
use common::x509::Status;

use crate::{Responder, http};

/// The responder's shared state in handlers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ocsp {
    responder: Arc<Responder>,
    work: Work,
}

/// Questions that may wait for or run on a blocking thread.
const JOBS_MAX: usize = 512;

impl Ocsp {
    /// A service over `responder`.
    pub fn new(responder: Arc<Responder>) -> Self {
        Self {
            responder,
            work: Work::new(JOBS_MAX),
        }
    }

    /// The policy.
    pub fn responder(&self) -> &Arc<Responder> {
        &self.responder
    }

    /// The way to blocking threads.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Starts to follow the CA and to keep the signing certificate renewed.
    pub fn start(&self) {
        let follow = Arc::clone(self.responder.feed());
        spawn("ocsp-feed", move || follow.follow());
        let save = Arc::clone(self.responder.feed());
        spawn("ocsp-save", move || save.save());
        let roster = Arc::clone(self.responder.roster());
        spawn("ocsp-signer", move || roster.keep());
    }

    /// The service as part of a site.
    pub fn role(&self) -> site::Role {
        let responder = Arc::clone(&self.responder);
        let judging = Arc::clone(&self.responder);
        site::Role {
            name: "ocsp",
            openapi: http::openapi::document(),
            readiness: Arc::new(move || responder.readiness()),
            judge: Arc::new(move |evidence| judge(&judging, &evidence)),
            links: vec![("ocsp", "/ocsp")],
        }
    }
}

/// The statuses that are told to the world hold for our own callers, too.
fn judge(responder: &Responder, evidence: &Evidence) -> Result<(), Problem> {
    let Some(peer) = &evidence.certificate else {
        return Ok(());
    };
    let known = responder
        .feed()
        .statuses()
        .find_any(&peer.certificate.serial());
    match known.is_none_or(|known| known.status == Status::Valid) {
        true => Ok(()),
        false => Err((&Denied::certificate("is revoked or on hold")).into()),
    }
}
