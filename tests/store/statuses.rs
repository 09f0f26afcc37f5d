//! The narrow table that OCSP, CRLs and revocations go by.

use std::thread;

use ca::Error;
use ca::store::statuses::{Selection, find, insert, listed as listed_by, update};
use common::clock::Timestamp;
use common::db::Database;
use common::x509::{RevocationReason, Status};

use super::{Store, at, on_both_engines, read, serial, write};

on_both_engines!(
    every_status_is_found_as_it_was_written,
    the_second_of_two_changes_loses,
    of_many_who_revoke_at_once_one_wins,
    what_is_held_or_revoked_is_listed_until_its_certificate_ends,
);

fn add(database: &Database, number: u16, not_after: i64) {
    write(database, move |c| {
        insert(c, "host", &serial(number), at(not_after), at(0))
    });
}

fn revoked(reason: RevocationReason, seconds: i64) -> Status {
    Status::Revoked {
        at: at(seconds),
        reason,
        invalidity_date: None,
    }
}

/// Changes the status from what it is now.
fn change(database: &Database, number: u16, status: Status, seconds: i64) -> bool {
    write(database, move |c| {
        let known = find(c, &serial(number))?;
        update(c, &known, status, at(seconds))
    })
}

fn every_status_is_found_as_it_was_written(store: &Store) {
    let database = store.ca();
    add(&database, 1, 900);
    let known = read(&database, |c| find(c, &serial(1)));
    assert_eq!(
        (&known.serial, known.authority.as_str()),
        (&serial(1), "host")
    );
    assert_eq!((known.changed, known.not_after), (at(0), at(900)));
    assert_eq!(known.status, Status::Valid);

    let mut wanted = vec![Status::OnHold { since: at(1) }, Status::Valid];
    for (reason, _, _) in RevocationReason::ALL {
        wanted.push(revoked(reason, 2));
    }
    wanted.push(Status::Revoked {
        at: at(3),
        reason: RevocationReason::KeyCompromise,
        invalidity_date: Some(at(-1_000_000)),
    });
    for (number, status) in (2..).zip(wanted) {
        add(&database, number, 900);
        let seconds = match status {
            Status::Valid => 4,
            Status::OnHold { since } => since.seconds() - at(0).seconds(),
            Status::Revoked { at: moment, .. } => moment.seconds() - at(0).seconds(),
        };
        assert!(change(&database, number, status, seconds));
        let known = read(&database, |c| find(c, &serial(number)));
        assert_eq!(known.status, status);
        assert_eq!(known.changed, at(seconds));
        assert_eq!(known.not_after, at(900));
    }
    let missing = database.read(|c| find(c, &serial(999)));
    assert!(matches!(missing, Err(Error::NotFound("certificate"))));
}

fn the_second_of_two_changes_loses(store: &Store) {
    let database = store.ca();
    add(&database, 1, 900);
    let seen = read(&database, |c| find(c, &serial(1)));
    let held = Status::OnHold { since: at(1) };
    let (first, second) = (seen.clone(), seen.clone());

    assert!(write(&database, move |c| update(c, &first, held, at(1))));
    let lost = revoked(RevocationReason::Superseded, 1);
    assert!(!write(&database, move |c| update(c, &second, lost, at(1))));

    assert_eq!(read(&database, |c| find(c, &serial(1))).status, held);
    // Held and released again: still not what the loser saw.
    assert!(change(&database, 1, Status::Valid, 2));
    assert!(!write(&database, move |c| update(c, &seen, lost, at(3))));
    assert_eq!(
        read(&database, |c| find(c, &serial(1))).status,
        Status::Valid
    );
}

fn of_many_who_revoke_at_once_one_wins(store: &Store) {
    let database = store.ca();
    for number in 0..10 {
        add(&database, number, 900);
        let seen = read(&database, |c| find(c, &serial(number)));
        let won: usize = thread::scope(|scope| {
            let agents = RevocationReason::ALL.map(|(reason, _, _)| {
                let (seen, database) = (seen.clone(), &database);
                let status = revoked(reason, 1);
                scope.spawn(move || write(database, move |c| update(c, &seen, status, at(1))))
            });
            agents
                .into_iter()
                .map(|agent| usize::from(agent.join().expect("no panic")))
                .sum()
        });
        assert_eq!(won, 1);
    }
}

fn all(authority: &str, ends_since: Timestamp) -> Selection<'_> {
    Selection {
        authority,
        shard: None,
        ends_since,
        changed_since: None,
    }
}

fn what_is_held_or_revoked_is_listed_until_its_certificate_ends(store: &Store) {
    let database = store.ca();
    for (number, not_after) in [(5, 100), (4, 100), (3, 99), (2, 100), (1, 300)] {
        add(&database, number, not_after);
    }
    let superseded = revoked(RevocationReason::Superseded, 1);
    let held = Status::OnHold { since: at(2) };
    for (number, status) in [(5, superseded), (3, superseded), (2, held), (1, superseded)] {
        assert!(change(&database, number, status, 2));
    }
    write(&database, move |c| {
        insert(c, "other", &serial(6), at(900), at(0))?;
        let known = find(c, &serial(6))?;
        update(c, &known, superseded, at(2))
    });

    let listed = |since: i64| {
        let listed = read(&database, |c| {
            listed_by(c, &all("host", at(since)), None, 10)
        });
        let listed = listed.into_iter().map(|known| known.serial);
        listed.collect::<Vec<_>>()
    };

    assert_eq!(listed(0), [serial(1), serial(2), serial(3), serial(5)]);
    assert_eq!(listed(100), [serial(1), serial(2), serial(5)]);
    assert_eq!(listed(101), [serial(1)]);
    assert_eq!(listed(301), []);
    let other = read(&database, |c| listed_by(c, &all("other", at(0)), None, 10));
    assert_eq!(other.len(), 1);
}
