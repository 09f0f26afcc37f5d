//! CRLs and their numbers.

use std::thread;

use ca::Error;
use ca::crl::{Crl, Scope};
use ca::store::authorities::{certificate, next_crl_number};
use ca::store::crls;
use common::db::Database;

use super::{HOUSE, Store, at, on_both_engines, read, write};

on_both_engines!(
    an_authority_is_found_with_its_certificate,
    numbers_taken_at_once_are_all_different_and_none_is_left_out,
    a_number_that_was_rolled_back_is_taken_again,
    the_newest_of_an_authority_is_in_force_and_the_oldest_are_forgotten,
);

fn add_authority(database: &Database, id: &'static str) {
    write(database, move |c| super::add_authority(c, id));
}

fn an_authority_is_found_with_its_certificate(store: &Store) {
    let database = store.ca();
    add_authority(&database, "host");
    let found = read(&database, |c| certificate(c, "host"));
    assert_eq!(found.der(), HOUSE.certificate.der());
    let missing = database.read(|c| certificate(c, "other"));
    assert!(matches!(missing, Err(Error::NotFound("authority"))));
    let missing = database.write("test", |c| next_crl_number(c, "other"));
    assert!(missing.is_err());
}

fn numbers_taken_at_once_are_all_different_and_none_is_left_out(store: &Store) {
    let database = store.ca();
    add_authority(&database, "host");
    add_authority(&database, "other");
    let mut numbers: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let take = |_| write(&database, |c| next_crl_number(c, "host"));
                    let numbers: Vec<i64> = (0..10).map(take).collect();
                    assert!(numbers.is_sorted());
                    numbers
                })
            })
            .collect();
        let threads = threads.into_iter();
        threads
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
    assert_eq!(write(&database, |c| next_crl_number(c, "other")), 1);
}

fn a_number_that_was_rolled_back_is_taken_again(store: &Store) {
    let database = store.ca();
    add_authority(&database, "host");
    let failed = database.write("test", |c| {
        assert_eq!(next_crl_number(c, "host")?, 1);
        Err::<(), _>(Error::NotFound("test"))
    });
    assert!(failed.is_err());
    assert_eq!(write(&database, |c| next_crl_number(c, "host")), 1);
}

fn the_newest_of_an_authority_is_in_force_and_the_oldest_are_forgotten(store: &Store) {
    const KEPT: usize = 16;
    let database = store.ca();
    let crl = |authority: &str, number: i64| Crl {
        authority: authority.into(),
        scope: Scope::Full,
        number,
        base: None,
        this_update: at(number),
        next_update: at(number + 100),
        entries: number * 3,
        der: number.to_be_bytes().to_vec(),
    };
    let add = |crl: &Crl| {
        let crl = crl.clone();
        write(&database, move |c| {
            crls::insert_piece(c, &crl, 0, &crl.der[..3])?;
            crls::insert_piece(c, &crl, 1, &crl.der[3..])?;
            crls::insert(c, &crl, false)
        });
    };
    let newest = |authority: &str| read(&database, |c| crls::newest(c, authority, Scope::Full));
    assert_eq!(newest("host"), None);

    add(&crl("other", 99));
    for number in 1..=20 {
        add(&crl("host", number));
        assert_eq!(newest("host"), Some(crl("host", number)));
    }
    // One that was slow to sign.
    let kept = super::contents(&database)["crls"].len();
    assert_eq!(kept, KEPT + 1);
    write(&database, |c| {
        super::execute(c, "DELETE FROM crls WHERE number = 19")?;
        super::execute(c, "DELETE FROM crl_parts WHERE number = 19")
    });
    add(&crl("host", 19));

    assert_eq!(newest("host"), Some(crl("host", 20)));
    assert_eq!(newest("other"), Some(crl("other", 99)));
    let again = crl("host", 20);
    let refused = database.write("test", move |c| crls::insert(c, &again, false));
    assert!(matches!(refused, Err(Error::Database(_))));
}
