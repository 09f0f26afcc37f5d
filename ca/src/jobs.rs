//! Timed work: finishing interrupted issuances, CRLs.

use std::sync::Arc;
use std::time::Duration;

use common::identity::Caller;
use common::process::spawn;

use crate::{Authority, Error};

/// Finishes what a crash left, makes first CRLs where there is none in force, and starts the
/// threads for the rest.
pub fn start(authority: &Arc<Authority>) -> Result<(), Error> {
    authority.finish_interrupted()?;
    let now = authority.clock().now();
    for issuer in authority.issuers() {
        match authority.current_crl(&issuer.id) {
            _ if issuer.certificate.not_after() < now => {}
            // A change may have been committed right before a crash, its CRL not made.
            Some(crl) if crl.next_update > now => authority.crl_wake().wake(&issuer.id),
            Some(_) | None => {
                authority.make_crl(&Caller::system(), &issuer.id)?;
            }
        }
    }

    let crls = Arc::clone(authority);
    spawn("crl", move || crls.make_crls());
    let journal = Arc::clone(authority);
    spawn("sequencer", move || number_journal(&journal));
    Ok(())
}

fn number_journal(authority: &Authority) {
    loop {
        if let Err(error) = authority.number_journal() {
            tracing::warn!(%error, "the journal could not be numbered");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
