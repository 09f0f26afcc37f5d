//! The status journal: whoever follows it misses nothing and sees nothing twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ca::Authority;
use ca::Error;
use ca::store::journal::{Entry, PAGE_MAX, after, append, number};
use common::clock::Clock;
use common::db::Database;
use common::x509::{RevocationReason, SerialNumber, Status};

use super::{Store, at, authority, instance, on_both_engines, read, serial, write};

on_both_engines!(
    an_entry_is_read_as_it_was_written,
    positions_count_commits_without_gaps,
    a_follower_of_many_writers_sees_each_commit_once_in_order,
    what_was_committed_before_the_question_is_in_the_answer,
    a_long_journal_comes_in_pages,
);

fn add(database: &Database, serial: &SerialNumber, status: Status, seconds: i64) {
    let serial = serial.clone();
    write(database, move |c| {
        append(c, "host", &serial, &status, at(900), at(seconds))
    });
}

fn an_entry_is_read_as_it_was_written(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(0)));
    let mut expected = vec![Status::Valid, Status::OnHold { since: at(1) }];
    for ((reason, _, _), seconds) in RevocationReason::ALL.into_iter().zip(2..) {
        expected.push(Status::Revoked {
            at: at(seconds),
            reason,
            invalidity_date: None,
        });
    }
    for (status, seconds) in expected.iter().zip(0..) {
        add(authority.database(), &serial(7), *status, seconds);
    }
    let entries = authority.journal_after(0).expect("the journal is read");
    assert_eq!(entries.len(), expected.len());
    for ((entry, status), seconds) in entries.iter().zip(expected).zip(0..) {
        assert_eq!(entry.position, seconds + 1);
        assert_eq!(
            (entry.authority.as_str(), &entry.serial),
            ("host", &serial(7))
        );
        assert_eq!((entry.status, entry.at), (status, at(seconds)));
        assert_eq!(entry.not_after, at(900));
    }
}

fn positions_count_commits_without_gaps(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(0)));
    assert!(authority.journal_after(0).expect("it is read").is_empty());
    let mut expected = Vec::new();
    for count in 0..12 {
        let failed = authority.database().write("test", move |c| {
            append(c, "host", &serial(count), &Status::Valid, at(9), at(0))?;
            match count % 3 {
                1 => Err(Error::NotFound("test")),
                _ => Ok(()),
            }
        });
        match failed.is_err() {
            true => assert_eq!(count % 3, 1),
            false => expected.push(serial(count)),
        }
        if count == 5 {
            authority.number_journal().expect("numbers are given");
        }
    }
    let entries = authority.journal_after(0).expect("the journal is read");
    let positions: Vec<_> = entries.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, (1..=8).collect::<Vec<_>>());
    let serials: Vec<_> = entries.into_iter().map(|entry| entry.serial).collect();
    assert_eq!(serials, expected);
    let tail = authority.journal_after(6).expect("the journal is read");
    assert_eq!(tail.len(), 2);
    assert!(authority.journal_after(8).expect("it is read").is_empty());
    // Whoever read further read another journal, one that a restored backup has not.
    let beyond = authority.journal_after(9);
    assert!(matches!(beyond, Err(Error::NotAcceptable(_))));
}

/// Follows until `done` says that nothing will come any more, and checks each step.
fn follow(authority: &Authority, done: impl Fn() -> bool) -> Vec<Entry> {
    let mut seen: Vec<Entry> = Vec::new();
    loop {
        // Asked before the last look, so that the look comes after the last commit.
        let last = done();
        let position = seen.last().map_or(0, |entry| entry.position);
        let page = authority.journal_after(position);
        let page = page.expect("the journal is read");
        for entry in &page {
            // Each commit has the next position: nothing is missing, nothing comes twice, and
            // nothing can come later with a smaller one.
            let position = seen.last().map_or(0, |entry| entry.position);
            assert_eq!(entry.position, position + 1);
            seen.push(entry.clone());
        }
        if last && page.is_empty() {
            return seen;
        }
    }
}

fn a_follower_of_many_writers_sees_each_commit_once_in_order(store: &Store) {
    const WRITERS: u16 = 8;
    const ENTRIES: u16 = 40;
    let clock = Clock::fixed(at(0));
    let one = authority(store, &clock);
    // Several instances may number and answer on one PostgreSQL database.
    let other = match one.is_shared() {
        true => instance(store, &clock),
        false => authority_twin(&one),
    };
    let working = AtomicUsize::new(WRITERS.into());

    let (seen, seen_by_other) = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (database, working) = (one.database(), &working);
            scope.spawn(move || {
                for entry in 0..ENTRIES {
                    write_entry(database, writer, entry);
                }
                working.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let done = || working.load(Ordering::SeqCst) == 0;
        let follower = scope.spawn(move || follow(&other, done));
        (follow(&one, done), follower.join().expect("no panic"))
    });

    let mut by_writer: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in &seen {
        let entries = by_writer.entry(entry.serial.clone()).or_default();
        entries.push(entry.at);
    }
    let committed: Vec<_> = (0..ENTRIES).filter(|n| !is_rolled_back(*n)).collect();
    let expected: Vec<_> = committed.iter().map(|n| at((*n).into())).collect();
    assert_eq!(by_writer.len(), usize::from(WRITERS));
    for (serial, times) in by_writer {
        // What one writer did comes in the order in which it was done.
        assert_eq!(times, expected, "{serial}");
    }
    let text = |entries: &[Entry]| format!("{entries:?}");
    assert_eq!(text(&seen), text(&seen_by_other));
}

/// On a file there is one process; a second reader in it stands for the second instance.
fn authority_twin(one: &Authority) -> Authority {
    let profiles = ca::authority::Profiles::open(one.database().clone(), super::START)
        .expect("the database can be read");
    let (database, clock) = (one.database().clone(), one.clock().clone());
    Authority::new(
        database,
        super::issuers(),
        profiles,
        &super::config(),
        clock,
    )
    .expect("the database can be read")
}

fn is_rolled_back(entry: u16) -> bool {
    entry % 5 == 4
}

/// One transaction that appends an entry. Its length differs, so that transactions end in another
/// order than they began; some are rolled back, so that they use numbers up.
fn write_entry(database: &Database, writer: u16, entry: u16) {
    let is_shared = database.is_shared();
    let done = database.write("test", move |c| {
        let seconds = i64::from(entry);
        append(
            c,
            "host",
            &serial(writer),
            &Status::Valid,
            at(900),
            at(seconds),
        )?;
        // SQLite has one writer; waiting there would only make everybody wait.
        if is_shared {
            thread::sleep(Duration::from_millis(((writer + entry) % 4).into()));
        }
        match is_rolled_back(entry) {
            true => Err(Error::NotFound("test")),
            false => Ok(()),
        }
    });
    assert_eq!(done.is_err(), is_rolled_back(entry));
}

/// A responder takes this for the promise that a serial which is not in the answer was not issued
/// when it asked.
fn what_was_committed_before_the_question_is_in_the_answer(store: &Store) {
    let clock = Clock::fixed(at(0));
    let one = authority(store, &clock);
    let other = match one.is_shared() {
        true => instance(store, &clock),
        false => authority_twin(&one),
    };
    thread::scope(|scope| {
        for writer in 0..6 {
            let (one, other) = (&one, &other);
            scope.spawn(move || {
                let mut position = 0;
                for count in 0..15 {
                    let serial = serial(writer * 100 + count);
                    add(one.database(), &serial, Status::Valid, 0);
                    let entries = other.journal_after(position).expect("it is read");
                    assert!(entries.iter().any(|entry| entry.serial == serial));
                    position = entries.last().expect("not empty").position;
                }
            });
        }
    });
}

fn a_long_journal_comes_in_pages(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(0)));
    let database = authority.database();
    write(database, |c| {
        for count in 0..1_203 {
            append(c, "host", &serial(count), &Status::Valid, at(9), at(0))?;
        }
        number(c)
    });
    let first = read(database, |c| after(c, 0));
    assert_eq!(first.len(), usize::try_from(PAGE_MAX).expect("small"));
    let second = read(database, |c| after(c, 1_000));
    assert_eq!(second.len(), 203);
    let serials = first.iter().chain(&second).map(|entry| &entry.serial);
    assert!(serials.eq((0..1_203).map(serial).collect::<Vec<_>>().iter()));
}
