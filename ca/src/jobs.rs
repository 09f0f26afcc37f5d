//! Timed work: what the clock starts, and the threads that do it.

use std::sync::Arc;
use std::time::Duration;

use common::identity::Caller;
use common::process::spawn;

use crate::job::Outcome;
use crate::{Authority, Error};

/// Work that the clock starts.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Its name, and the id of its job.
    pub kind: &'static str,
    /// From the end of a run to the next.
    pub every: Duration,
    /// Does it.
    pub run: fn(&Authority) -> Result<Outcome, Error>,
}

const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);

/// All of it, but for CRLs, which have a thread of their own.
const TIMED: &[Timed] = &[
    Timed {
        kind: "interrupted-issuances",
        every: MINUTE,
        run: Authority::finish_old_intents,
    },
    Timed {
        kind: "waiting-requests",
        every: MINUTE,
        run: Authority::expire_requests,
    },
    Timed {
        kind: "pruning",
        every: HOUR,
        run: Authority::prune,
    },
    Timed {
        kind: "statistics",
        every: TEN_MINUTES,
        run: Authority::measure,
    },
];

/// What waits for others, on a thread of its own.
const OUTGOING: &[Timed] = &[Timed {
    kind: "publication",
    every: Duration::from_secs(2),
    run: Authority::publish,
}];

/// Finishes what a crash left, makes first CRLs where there is none in force, and starts the
/// threads for the rest.
pub fn start(authority: &Arc<Authority>) -> Result<(), Error> {
    authority.finish_interrupted()?;
    authority.register_jobs(TIMED)?;
    let now = authority.clock().now();
    for issuer in authority.issuers() {
        if issuer.certificate.not_after() >= now {
            let current = authority.current_crl(&issuer.id);
            authority.make_missing_crls(&Caller::system(), &issuer.id)?;
            // A change may have been committed right before a crash, its CRL not made.
            if current.is_some_and(|crl| crl.next_update > now) {
                authority.crl_wake().wake(&issuer.id);
            }
        }
    }

    for (name, full) in [("crl", true), ("crl-parts", false)] {
        let crls = Arc::clone(authority);
        spawn(name, move || crls.make_crls(full));
    }
    let journal = Arc::clone(authority);
    spawn("sequencer", move || number_journal(&journal));
    if authority.is_shared() {
        let profiles = Arc::clone(authority);
        spawn("profiles", move || follow_profiles(&profiles));
    }
    let timed = Arc::clone(authority);
    spawn("timed-jobs", move || run_timed(&timed));
    if authority.publishes() {
        authority.register_jobs(OUTGOING)?;
        let outgoing = Arc::clone(authority);
        spawn("outgoing-jobs", move || run_outgoing(&outgoing));
    }
    let long = Arc::clone(authority);
    spawn("long-jobs", move || run_long(&long));
    Ok(())
}

fn run_outgoing(authority: &Authority) {
    loop {
        if let Err(error) = authority.run_timed(OUTGOING) {
            tracing::warn!(%error, "nothing could be published");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn run_long(authority: &Authority) {
    loop {
        if let Err(error) = authority.run_long() {
            tracing::warn!(%error, "long work could not be run");
        }
        authority.job_wake().wait(Duration::from_secs(2));
    }
}

fn run_timed(authority: &Authority) {
    loop {
        if let Err(error) = authority.run_timed(TIMED) {
            tracing::warn!(%error, "timed work could not be run");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// What another instance stopped or changed holds here within a second.
fn follow_profiles(authority: &Authority) {
    loop {
        std::thread::sleep(Duration::from_millis(500));
        if let Err(error) = authority.profiles().reload() {
            tracing::warn!(%error, "the profiles could not be read again");
        }
    }
}

fn number_journal(authority: &Authority) {
    loop {
        if let Err(error) = authority.number_journal() {
            tracing::warn!(%error, "the journal could not be numbered");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
