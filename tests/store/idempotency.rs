//! Answers kept for those who ask again.

use std::thread;

use ca::Error;
use ca::store::idempotency::{Kept, find, forget, insert, keep};
use common::db::Database;
use common::entropy;

use super::{Store, at, on_both_engines, read, write};

on_both_engines!(
    a_key_leads_to_its_request_and_then_to_its_answer,
    a_key_belongs_to_the_first_who_used_it,
    of_many_who_use_a_key_at_once_one_is_first,
    keys_are_forgotten_by_age,
);

fn known(database: &Database, scope: &[u8], since: i64) -> Option<Kept> {
    read(database, |c| find(c, scope, at(since)))
}

fn a_key_leads_to_its_request_and_then_to_its_answer(store: &Store) {
    let database = store.ca();
    let request = entropy::uuid();
    assert!(known(&database, b"key", 0).is_none());
    assert!(write(&database, move |c| insert(
        c,
        b"key",
        b"digest",
        request,
        at(5)
    )));

    let kept = known(&database, b"key", 5).expect("it is there");
    assert_eq!(
        (kept.digest.as_slice(), kept.request),
        (&b"digest"[..], request)
    );
    assert_eq!(kept.answer, None);
    assert!(known(&database, b"key", 6).is_none());
    assert!(known(&database, b"kez", 5).is_none());

    write(&database, |c| keep(c, b"key", b"\x00answer\xff"));
    let kept = known(&database, b"key", 5).expect("it is there");
    assert_eq!(kept.answer.as_deref(), Some(&b"\x00answer\xff"[..]));
    assert_eq!(kept.request, request);
}

fn a_key_belongs_to_the_first_who_used_it(store: &Store) {
    let database = store.ca();
    let [first, second] = [entropy::uuid(), entropy::uuid()];
    assert!(write(&database, move |c| insert(
        c,
        b"key",
        b"one",
        first,
        at(1)
    )));
    assert!(!write(&database, move |c| insert(
        c,
        b"key",
        b"two",
        second,
        at(2)
    )));
    let kept = known(&database, b"key", 0).expect("it is there");
    assert_eq!((kept.digest.as_slice(), kept.request), (&b"one"[..], first));
}

fn of_many_who_use_a_key_at_once_one_is_first(store: &Store) {
    let database = store.ca();
    for round in 0..10_u8 {
        let first: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let request = entropy::uuid();
                        write(&database, move |c| insert(c, &[round], b"", request, at(0)))
                    })
                })
                .collect();
            let clients = clients.into_iter();
            clients
                .map(|client| usize::from(client.join().expect("no panic")))
                .sum()
        });
        assert_eq!(first, 1);
    }
}

fn keys_are_forgotten_by_age(store: &Store) {
    let database = store.ca();
    for age in 0..4_u8 {
        let request = entropy::uuid();
        write(&database, move |c| {
            insert(c, &[age], b"", request, at(age.into()))
        });
    }
    assert_eq!(write(&database, |c| forget(c, at(2))), 2);
    let left: Vec<_> = (0..4)
        .filter(|age| known(&database, &[*age], 0).is_some())
        .collect();
    assert_eq!(left, [2, 3]);
    // An error takes the key back together with the request it was for.
    let failed = database.write("test", |c| {
        insert(c, b"key", b"", entropy::uuid(), at(9))?;
        Err::<(), _>(Error::NotFound("test"))
    });
    assert!(failed.is_err());
    assert!(known(&database, b"key", 0).is_none());
}
