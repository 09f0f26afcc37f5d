//! Requests on record.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ca::Error;
use ca::request::{Request, State};
use ca::store::requests::{Filter, find, insert, list, update};
use common::api::Violation;
use common::api::ca::{Changes, HistoryEntry, Requestor};
use common::db::Database;
use common::entropy;
use common::x509::CsrKind;

use super::{Store, at, on_both_engines, read, serial, write};

on_both_engines!(
    a_request_is_found_as_it_was_written,
    a_request_that_nobody_made_is_not_found,
    the_second_of_two_updates_loses,
    of_many_who_decide_at_once_one_wins,
    requests_are_listed_by_every_filter,
    pages_show_each_request_once_newest_first,
    an_id_is_never_used_twice,
);

/// A pending request, made `seconds` after the start.
fn pending(seconds: i64) -> Request {
    Request {
        id: entropy::uuid(),
        version: 1,
        state: State::Pending,
        profile: "caServerCert".into(),
        profile_version: "0123456789abcdef".into(),
        authority: "host".into(),
        created: at(seconds),
        modified: at(seconds),
        kind: CsrKind::Pkcs10,
        csr: vec![0x30, 0x00, 0xff],
        submission: None,
        requestor: None,
        assigned_to: None,
        changes: Changes::default(),
        violations: Vec::new(),
        context: ca::request::Context::default(),
        history: vec![HistoryEntry {
            at: at(seconds),
            by: "anonymous".into(),
            action: "submitted".into(),
            note: None,
        }],
    }
}

fn add(database: &Database, request: &Request) {
    let request = request.clone();
    write(database, move |c| insert(c, &request));
}

fn change(database: &Database, request: &Request) -> bool {
    let request = request.clone();
    write(database, move |c| update(c, &request))
}

/// Everything about a request.
fn text(request: &Request) -> String {
    format!("{request:?}")
}

fn a_request_is_found_as_it_was_written(store: &Store) {
    let database = store.ca();
    let bare = pending(0);
    let mut full = pending(1);
    full.requestor = Some(Requestor {
        name: Some("Zoë \"O'Neil\" \\ 證書".into()),
        email: Some("zoe@example".into()),
        phone: None,
    });
    full.violations = vec![Violation::policy("key", "strength", "too weak")];
    let assigned = full.clone().assign("agent1", at(2), None);
    let approved =
        assigned.and_then(|r| r.approve(serial(7), "agent2", at(3), Some("fine".into())));
    let complete = approved.and_then(|r| r.complete(at(4)));
    let full = complete.expect("it was pending");
    let rejected = pending(5).reject("agent1", at(6), None).expect("pending");
    let canceled = pending(7).cancel("agent1", at(8), None).expect("pending");

    for request in [&bare, &full, &rejected, &canceled] {
        add(&database, request);
        let found = read(&database, |c| find(c, request.id));
        assert_eq!(text(&found), text(request));
    }

    // An update replaces every field, also by nothing.
    let mut stripped = bare.clone();
    stripped.id = full.id;
    stripped.version = full.version + 1;
    assert!(change(&database, &stripped));
    let found = read(&database, |c| find(c, full.id));
    assert_eq!(text(&found), text(&stripped));
}

fn a_request_that_nobody_made_is_not_found(store: &Store) {
    let database = store.ca();
    add(&database, &pending(0));
    let missing = database.read(|c| find(c, entropy::uuid()));
    assert!(matches!(missing, Err(Error::NotFound("request"))));
    let mut missing = pending(1);
    missing.version = 2;
    assert!(!change(&database, &missing));
}

fn the_second_of_two_updates_loses(store: &Store) {
    let database = store.ca();
    let request = pending(0);
    add(&database, &request);
    let rejected = request.clone().reject("agent1", at(1), None);
    let approved = request.clone().approve(serial(1), "agent2", at(1), None);
    let (rejected, approved) = (rejected.expect("pending"), approved.expect("pending"));

    assert!(change(&database, &rejected));
    assert!(!change(&database, &approved));
    // Nor does the winner win twice.
    assert!(!change(&database, &rejected));

    let found = read(&database, |c| find(c, request.id));
    assert_eq!(text(&found), text(&rejected));
}

fn of_many_who_decide_at_once_one_wins(store: &Store) {
    const AGENTS: usize = 8;
    const ROUNDS: usize = 10;
    let database = store.ca();
    let won = Arc::new(AtomicUsize::new(0));
    for round in 1..=ROUNDS {
        let request = pending(0);
        add(&database, &request);
        thread::scope(|scope| {
            for agent in 0..AGENTS {
                let decided = request.clone().reject(&agent.to_string(), at(1), None);
                let (decided, database) = (decided.expect("pending"), &database);
                let won = Arc::clone(&won);
                scope.spawn(move || {
                    won.fetch_add(usize::from(change(database, &decided)), Ordering::SeqCst)
                });
            }
        });
        assert_eq!(won.load(Ordering::SeqCst), round);
        assert_eq!(read(&database, |c| find(c, request.id)).version, 2);
    }
}

fn requests_are_listed_by_every_filter(store: &Store) {
    let database = store.ca();
    let named = |name: &str| {
        Some(Requestor {
            name: Some(name.into()),
            ..Requestor::default()
        })
    };
    let requests = [
        pending(0),
        Request {
            profile: "caUserCert".into(),
            requestor: named("Ann"),
            ..pending(1)
        },
        Request {
            requestor: named("ann"),
            ..pending(2)
        },
        pending(3).assign("agent1", at(9), None).expect("pending"),
        pending(4).reject("agent1", at(9), None).expect("pending"),
    ];
    for request in &requests {
        add(&database, request);
    }
    let listed = |filter: Filter| {
        let found = read(&database, |c| list(c, &filter, None, 100));
        let place = |one: &Request| requests.iter().position(|r| r.id == one.id);
        found
            .iter()
            .map(|one| place(one).expect("one of ours"))
            .collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());

    assert_eq!(listed(Filter::default()), [4, 3, 2, 1, 0]);
    let state = |name| Filter {
        state: text(name),
        ..Filter::default()
    };
    assert_eq!(listed(state("pending")), [3, 2, 1, 0]);
    assert_eq!(listed(state("rejected")), [4]);
    assert_eq!(listed(state("complete")), [0; 0]);
    let profile = Filter {
        profile: text("caUserCert"),
        ..Filter::default()
    };
    assert_eq!(listed(profile), [1]);
    let requestor = Filter {
        requestor: text("Ann"),
        ..Filter::default()
    };
    assert_eq!(listed(requestor), [1]);
    let assigned = Filter {
        assigned_to: text("agent1"),
        ..Filter::default()
    };
    assert_eq!(listed(assigned), [3]);
    let span = |from: Option<i64>, until: Option<i64>| Filter {
        created_after: from.map(at),
        created_before: until.map(at),
        ..Filter::default()
    };
    assert_eq!(listed(span(Some(3), None)), [4, 3]);
    assert_eq!(listed(span(None, Some(1))), [1, 0]);
    assert_eq!(listed(span(Some(1), Some(3))), [3, 2, 1]);
    let together = Filter {
        state: text("pending"),
        ..span(Some(2), Some(4))
    };
    assert_eq!(listed(together), [3, 2]);
}

fn pages_show_each_request_once_newest_first(store: &Store) {
    let database = store.ca();
    // Three in each moment, so that pages of four end in the middle of one.
    let mut expected: Vec<_> = (0..21).map(|n| pending(n / 3)).collect();
    for request in &expected {
        add(&database, request);
    }
    expected.sort_by_key(|r| std::cmp::Reverse((r.created, r.id.to_string())));

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = read(&database, |c| list(c, &Filter::default(), after.clone(), 4));
        // What comes while somebody turns pages is newer and belongs to no page ahead.
        add(&database, &pending(100));
        let Some(last) = page.last() else { break };
        after = Some((last.created.micros(), last.id.to_string()));
        seen.extend(page.iter().map(|request| request.id));
    }

    let expected: Vec<_> = expected.iter().map(|request| request.id).collect();
    assert_eq!(seen, expected);
}

fn an_id_is_never_used_twice(store: &Store) {
    let database = store.ca();
    let request = pending(0);
    add(&database, &request);
    let mut other = pending(1);
    other.id = request.id;
    let refused = database.write("test", move |c| insert(c, &other));
    assert!(matches!(refused, Err(Error::Database(_))));
    let found = read(&database, |c| find(c, request.id));
    assert_eq!(text(&found), text(&request));
}
