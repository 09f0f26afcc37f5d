//! What is forgotten, what is kept, and what is counted.

use std::fs;

use ca::Authority;
use ca::config::PruneConfig;
use ca::create::HOST;
use ca::store::pruning::is_known;
use ca::store::publications;
use ca::store::statuses::{find, update};
use common::clock::Clock;
use common::identity::Caller;
use common::x509::{RevocationReason, SerialNumber, Status};
use tests::foreign::Scratch;

use super::{
    Store, at, authority_with, config, contents, issue, linted, on_both_engines, origin, read,
    write,
};

on_both_engines!(
    what_ended_long_ago_is_forgotten_and_nothing_else,
    what_no_crl_was_made_without_is_kept,
    nothing_is_forgotten_unless_somebody_wants_it,
    certificates_requests_and_days_are_counted,
    an_older_crl_never_goes_over_a_newer_one,
);

/// Days after [`super::START`] as seconds.
const DAY: i64 = 86_400;

fn pruning(store: &Store, clock: &Clock, days: Option<i64>) -> Authority {
    let mut config = config();
    config.prune = PruneConfig {
        certificates_days: days,
        requests_days: days,
    };
    authority_with(store, &config, clock)
}

/// A certificate that ends as all of these do.
fn certificate(authority: &Authority, name: &str) -> SerialNumber {
    let linted = linted(name, &[], at(0));
    let serial = linted.serial().clone();
    issue(
        authority.database(),
        &linted,
        &origin("caServerCert"),
        at(0),
    );
    serial
}

fn revoke(authority: &Authority, serial: &SerialNumber, reason: RevocationReason) {
    let serial = serial.clone();
    let changed = write(authority.database(), move |c| {
        let known = find(c, &serial)?;
        let status = Status::Revoked {
            at: at(1),
            reason,
            invalidity_date: None,
        };
        update(c, &known, status, at(1))
    });
    assert!(changed);
}

fn end(authority: &Authority, serial: &SerialNumber) -> i64 {
    let known = read(authority.database(), |c| find(c, serial));
    known.not_after.seconds() - at(0).seconds()
}

fn knows(authority: &Authority, serial: &SerialNumber) -> bool {
    read(authority.database(), |c| is_known(c, serial))
}

fn what_ended_long_ago_is_forgotten_and_nothing_else(store: &Store) {
    let clock = Clock::fixed(at(2));
    let authority = pruning(store, &clock, Some(90));
    let plain = certificate(&authority, "CN=plain.example");
    let revoked = certificate(&authority, "CN=revoked.example");
    let stolen = certificate(&authority, "CN=stolen.example");
    revoke(&authority, &revoked, RevocationReason::Superseded);
    revoke(&authority, &stolen, RevocationReason::KeyCompromise);
    let end = end(&authority, &plain);
    let prune_at = |seconds: i64| {
        clock.set(at(seconds));
        authority.make_crl(&Caller::system(), HOST).expect("a CRL");
        authority.prune().expect("it is done")
    };

    let early = prune_at(end + 89 * DAY);
    assert_eq!(early.progress.done, 0, "{}", early.result);
    assert!(knows(&authority, &plain));
    let late = prune_at(end + 91 * DAY);

    assert!(late.result.contains("2 certificates"), "{}", late.result);
    assert!(!knows(&authority, &plain) && !knows(&authority, &revoked));
    // Its key stays refused.
    assert!(knows(&authority, &stolen));
    let rows = contents(authority.database());
    assert_eq!(rows["statuses"].len(), 1);
    let audited = rows["audit"].iter().filter(|row| row.contains("PRUNED"));
    assert!(audited.count() >= 1);
}

fn what_no_crl_was_made_without_is_kept(store: &Store) {
    let clock = Clock::fixed(at(2));
    let authority = pruning(store, &clock, Some(1));
    let revoked = certificate(&authority, "CN=revoked.example");
    revoke(&authority, &revoked, RevocationReason::Superseded);
    authority.make_crl(&Caller::system(), HOST).expect("a CRL");
    // It has ended, but the last CRL was made before that and lists it.
    clock.set(at(end(&authority, &revoked) + 9 * DAY));
    authority.prune().expect("it is done");
    assert!(knows(&authority, &revoked));

    authority.make_crl(&Caller::system(), HOST).expect("a CRL");
    authority.prune().expect("it is done");
    assert!(!knows(&authority, &revoked));
}

fn nothing_is_forgotten_unless_somebody_wants_it(store: &Store) {
    let clock = Clock::fixed(at(2));
    let authority = pruning(store, &clock, None);
    let serial = certificate(&authority, "CN=host.example");
    clock.set(at(end(&authority, &serial) + 9_000 * DAY));
    authority.prune().expect("it is done");
    assert!(knows(&authority, &serial));
}

fn certificates_requests_and_days_are_counted(store: &Store) {
    let clock = Clock::fixed(at(2));
    let authority = pruning(store, &clock, None);
    let [_, revoked] = ["CN=a.example", "CN=b.example"].map(|name| certificate(&authority, name));
    revoke(&authority, &revoked, RevocationReason::Superseded);

    let found = authority.statistics().expect("numbers");

    let counts: Vec<_> = found
        .certificates
        .iter()
        .filter(|one| one.profile == "caServerCert")
        .map(|one| (one.status.as_str(), one.count))
        .collect();
    assert_eq!(counts, [("revoked", 1), ("valid", 1)]);
    let today = at(0).to_string();
    let today = today.split('T').next().expect("a day");
    let last = found.issued.last().expect("today");
    assert_eq!((last.day.as_str(), last.count), (today, 2));
    let last = found.revoked.last().expect("today");
    assert_eq!((last.day.as_str(), last.count), (today, 1));
    let spans: Vec<_> = found.expiring.iter().map(|one| one.days).collect();
    assert_eq!(spans, [1, 7, 30]);
    clock.set(at(end(&authority, &revoked) + DAY));
    let found = authority.statistics().expect("numbers");
    assert!(found.certificates.iter().any(|one| one.status == "expired"));
}

fn an_older_crl_never_goes_over_a_newer_one(store: &Store) {
    let folder = Scratch::new("published");
    let mut config = config();
    config.publish.folder = Some(folder.path().to_owned());
    let clock = Clock::fixed(at(2));
    let authority = authority_with(store, &config, &clock);
    let make = |authority: &Authority| authority.make_crl(&Caller::system(), HOST).expect("a CRL");
    let published = || fs::read(folder.file("host.crl")).expect("it is there");
    let first = make(&authority);
    authority.publish().expect("it is done");
    assert_eq!(published(), first.der);
    // Another process has published a newer one by now.
    let place = folder.path().display().to_string();
    let newer = first.number + 2;
    write(authority.database(), move |c| {
        publications::note(c, &place, "host.crl", newer)
    });
    clock.set(at(60));
    let between = make(&authority);
    assert_eq!(between.number + 1, newer);
    authority.publish().expect("it is done");
    assert_eq!(published(), first.der);
    clock.set(at(120));
    let _same = make(&authority);
    clock.set(at(180));
    let last = make(&authority);
    authority.publish().expect("it is done");
    assert_eq!(published(), last.der);
}
