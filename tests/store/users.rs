//! Users, groups and the audit trail: the same tables in every service.

use std::collections::BTreeSet;

use ca::Error;
use common::audit::Event;
use common::db::users::{NewUser, add, add_groups, by_key};
use common::db::{Database, audit, sequence};
use common::identity::{Caller, Group};
use common::x509::Certificate;

use super::{
    HOUSE, Store, at, changes, contents, issue, linted, on_both_engines, origin, read, texts, write,
};

on_both_engines!(
    every_group_is_there_once,
    a_user_is_found_by_the_key_of_its_certificate_with_its_groups,
    a_user_whose_groups_are_unknown_is_not_added,
    a_user_or_a_key_is_added_once,
    an_audit_record_stands_and_falls_with_its_change,
    audit_records_keep_their_order_and_their_bytes,
    audit_records_are_numbered_without_gaps,
);

const COUNT_GROUPS: &str = "SELECT name || ': ' || description AS text FROM groups ORDER BY name";

fn every_group_is_there_once(store: &Store) {
    let database = store.ca();
    write(&database, |c| Ok(add_groups(c)?));
    write(&database, |c| Ok(add_groups(c)?));
    let mut expected = Group::ALL.map(|g| format!("{}: {}", g.name(), g.description()));
    expected.sort();
    assert_eq!(read(&database, |c| texts(c, COUNT_GROUPS)), expected);
}

/// A certificate for a key of its own.
fn certificate(database: &Database) -> Certificate {
    let linted = linted("CN=somebody", &[], at(0));
    issue(database, &linted, &origin("caUserCert"), at(0))
}

fn user(id: &str, certificate: &Certificate, groups: &[Group]) -> NewUser {
    NewUser {
        id: id.into(),
        name: format!("User {id}"),
        groups: groups.to_vec(),
        certificate: certificate.clone(),
    }
}

fn add_user(database: &Database, user: NewUser) -> Result<(), Error> {
    database.write("test", move |c| Ok::<_, Error>(add(c, &user, at(1))?))
}

fn found(database: &Database, certificate: &Certificate) -> Option<(String, BTreeSet<Group>)> {
    let key = certificate.public_key().spki_sha256();
    read(database, |c| Ok(by_key(c, &key)?))
}

fn a_user_is_found_by_the_key_of_its_certificate_with_its_groups(store: &Store) {
    let database = store.ca();
    write(&database, |c| Ok(add_groups(c)?));
    let (many, none) = (certificate(&database), certificate(&database));
    let groups = [
        Group::CertificateManagerAgents,
        Group::Auditors,
        Group::TokenSystems,
    ];
    add_user(&database, user("many", &many, &groups)).expect("the user is new");
    add_user(&database, user("none", &none, &[])).expect("the user is new");

    let all = groups.into_iter().collect();
    assert_eq!(found(&database, &many), Some(("many".into(), all)));
    let nothing = BTreeSet::new();
    assert_eq!(found(&database, &none), Some(("none".into(), nothing)));
    assert_eq!(found(&database, &HOUSE.certificate), None);
}

fn a_user_whose_groups_are_unknown_is_not_added(store: &Store) {
    let database = store.ca();
    let certificate = certificate(&database);
    let before = contents(&database);
    // Nobody has added the groups.
    let refused = add_user(&database, user("one", &certificate, &[Group::Auditors]));
    assert!(matches!(refused, Err(Error::Database(_))));
    assert_eq!(changes(&before, &contents(&database)), []);
}

fn a_user_or_a_key_is_added_once(store: &Store) {
    let database = store.ca();
    write(&database, |c| Ok(add_groups(c)?));
    let (first, second) = (certificate(&database), certificate(&database));
    add_user(&database, user("one", &first, &[])).expect("the user is new");
    let before = contents(&database);
    for refused in [user("one", &second, &[]), user("two", &first, &[])] {
        assert!(add_user(&database, refused).is_err());
        assert_eq!(changes(&before, &contents(&database)), []);
    }
}

fn event(object: &str) -> Event {
    let system = Caller::system();
    Event::by(&system, at(3), "TEST", object.into()).with("detail", "Zoë \"'\\\n證")
}

fn an_audit_record_stands_and_falls_with_its_change(store: &Store) {
    let database = store.ca();
    let before = contents(&database);
    let failed = database.write("test", |c| {
        add_groups(c)?;
        audit::append(c, &event("lost"))?;
        Err::<(), _>(Error::NotFound("test"))
    });
    assert!(failed.is_err());
    assert_eq!(changes(&before, &contents(&database)), []);

    write(&database, |c| {
        add_groups(c)?;
        Ok(audit::append(c, &event("kept"))?)
    });
    let after = contents(&database);
    assert_eq!((after["groups"].len(), after["audit"].len()), (8, 1));
}

fn audit_records_keep_their_order_and_their_bytes(store: &Store) {
    let database = store.ca();
    let events: Vec<Event> = (0..20).map(|n| event(&n.to_string())).collect();
    for event in &events {
        let event = event.clone();
        write(&database, move |c| Ok(audit::append(c, &event)?));
    }
    let leaves = read(&database, |c| Ok(audit::leaves(c)?));
    assert_eq!(leaves, events.iter().map(Event::leaf).collect::<Vec<_>>());
    let columns = "SELECT at || ' ' || actor || ' ' || event || ' ' || object AS text FROM audit \
                   WHERE object = '7'";
    let expected = format!("{} system TEST 7", at(3).micros());
    assert_eq!(read(&database, |c| texts(c, columns)), [expected]);
}

fn audit_records_are_numbered_without_gaps(store: &Store) {
    let database = store.ca();
    for number in 0..12 {
        let result = database.write("test", move |c| {
            audit::append(c, &event(&number.to_string()))?;
            match number % 3 {
                1 => Err(Error::NotFound("test")),
                _ => Ok(()),
            }
        });
        assert_eq!(result.is_ok(), number % 3 != 1);
        if number == 5 {
            write(&database, |c| Ok(sequence::number(c, "audit")?));
        }
    }
    write(&database, |c| Ok(sequence::number(c, "audit")?));
    let sql = "SELECT position || ' ' || object AS text FROM audit ORDER BY position";
    let numbered = read(&database, |c| texts(c, sql));
    let kept = [0, 2, 3, 5, 6, 8, 9, 11];
    let expected = (1..).zip(kept).map(|(n, kept)| format!("{n} {kept}"));
    assert_eq!(numbered, expected.collect::<Vec<_>>());
    assert_eq!(read(&database, |c| Ok(sequence::last(c, "audit")?)), 8);
}
