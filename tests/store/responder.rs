//! The OCSP responder's statuses and cursor.

use common::x509::{RevocationReason, Status};
use ocsp::statuses::Known;
use ocsp::store::{Row, load, open, save};

use super::{Store, at, on_both_engines, serial};

on_both_engines!(
    what_was_saved_is_loaded_with_its_cursor,
    a_newer_status_takes_the_place_of_an_older_one,
    a_cursor_and_its_statuses_are_saved_together,
);

type Saved = (Option<String>, Vec<Row>);

fn row(authority: &str, number: u16, status: Status, seconds: i64) -> Row {
    let known = Known {
        status,
        not_after: at(900),
    };
    Row::new(authority, &serial(number), &known, at(seconds))
}

fn sorted((cursor, mut rows): Saved) -> Saved {
    rows.sort_by_key(|row| format!("{row:?}"));
    (cursor, rows)
}

fn what_was_saved_is_loaded_with_its_cursor(store: &Store) {
    let database = open(&store.location).expect("it opens");
    let loaded = || sorted(database.read(load).expect("it can be read"));
    assert_eq!(loaded(), (None, Vec::new()));
    let mut rows = vec![
        row("host", 1, Status::Valid, 1),
        row("host", 2, Status::OnHold { since: at(2) }, 2),
        row("other", 1, Status::Valid, 3),
    ];
    for ((reason, _, _), number) in RevocationReason::ALL.into_iter().zip(10..) {
        let revoked = Status::Revoked {
            at: at(4),
            reason,
            invalidity_date: None,
        };
        let row = row("host", number, revoked, 4);
        let (_, known_serial, known) = row.known().expect("it is sound");
        assert_eq!((known_serial, known.status), (serial(number), revoked));
        rows.push(row);
    }
    let saving = rows.clone();
    let saved = database.write("test", move |c| save(c, &saving, "cursor 1"));
    saved.expect("it can be written");

    let expected = sorted((Some("cursor 1".into()), rows));
    assert_eq!(loaded(), expected);
    let again = open(&store.location).expect("it opens again");
    assert_eq!(sorted(again.read(load).expect("it can be read")), expected);
}

fn a_newer_status_takes_the_place_of_an_older_one(store: &Store) {
    let database = open(&store.location).expect("it opens");
    let revoked = Status::Revoked {
        at: at(3),
        reason: RevocationReason::KeyCompromise,
        invalidity_date: None,
    };
    let steps = [
        vec![row("host", 1, Status::Valid, 1), row("host", 2, revoked, 1)],
        // Twice in one page, and a reason that is no more.
        vec![
            row("host", 1, Status::OnHold { since: at(2) }, 2),
            row("host", 1, revoked, 3),
            row("host", 2, Status::Valid, 3),
        ],
        Vec::new(),
    ];
    for (rows, cursor) in steps.into_iter().zip(["a", "b", "c"]) {
        let saved = database.write("test", move |c| save(c, &rows, cursor));
        saved.expect("it can be written");
    }
    let expected = vec![row("host", 1, revoked, 3), row("host", 2, Status::Valid, 3)];
    let loaded = sorted(database.read(load).expect("it can be read"));
    assert_eq!(loaded, sorted((Some("c".into()), expected)));
}

fn a_cursor_and_its_statuses_are_saved_together(store: &Store) {
    let database = open(&store.location).expect("it opens");
    let first = vec![row("host", 1, Status::Valid, 1)];
    let copy = first.clone();
    let saved = database.write("test", move |c| save(c, &copy, "before"));
    saved.expect("it can be written");

    let failed = database.write("test", |c| {
        save(c, &[row("host", 2, Status::Valid, 2)], "after")?;
        Err::<(), _>(common::db::Error::Busy)
    });

    assert!(failed.is_err());
    let loaded = database.read(load).expect("it can be read");
    assert_eq!(loaded, (Some("before".into()), first));
}
