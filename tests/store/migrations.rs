//! Tables come and go with the migrations.

use std::fs;
use std::path::Path;
use std::thread;

use common::db::{Error, Location};

use super::{Store, at, contents, execute, on_both_engines, read, schema, serial, texts, write};
use ca::store::statuses;

on_both_engines!(
    a_database_that_is_opened_again_keeps_its_rows,
    a_database_of_a_newer_version_is_refused_and_left_alone,
    what_the_migrations_made_they_can_take_away,
);

const APPLIED: &str = "SELECT version AS text FROM __diesel_schema_migrations ORDER BY version";

fn a_database_that_is_opened_again_keeps_its_rows(store: &Store) {
    let first = store.ca();
    write(&first, |c| {
        statuses::insert(c, "host", &serial(1), at(9), at(0))
    });
    let (applied, rows) = (read(&first, |c| texts(c, APPLIED)), contents(&first));
    assert_eq!(applied, shipped());
    assert_eq!(rows["statuses"].len(), 1);
    drop(first);

    let second = store.ca();

    assert_eq!(read(&second, |c| texts(c, APPLIED)), applied);
    assert_eq!(contents(&second), rows);
}

fn a_database_of_a_newer_version_is_refused_and_left_alone(store: &Store) {
    let database = store.ca();
    write(&database, |c| {
        execute(
            c,
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')",
        )
    });
    let rows = contents(&database);

    let refusal = ca::store::open(&store.location);

    assert!(matches!(&refusal, Err(Error::Newer(version)) if version == "9999"));
    let message = refusal.expect_err("it is refused").to_string();
    assert!(message.contains("newer version"), "{message}");
    assert_eq!(contents(&database), rows);
    let applied = read(&database, |c| texts(c, APPLIED));
    assert_eq!(applied, [shipped(), vec!["9999".into()]].concat());
}

/// The numbers of the migrations in the repository, in order.
fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/ca/sqlite");
    let names = fs::read_dir(folder).expect("the migrations are there");
    let number = |name: String| name.split('_').next().unwrap_or_default().to_owned();
    let mut numbers: Vec<_> = names
        .flatten()
        .map(|entry| number(entry.file_name().to_string_lossy().into_owned()))
        .collect();
    numbers.sort();
    numbers
}

fn what_the_migrations_made_they_can_take_away(store: &Store) {
    let database = store.ca();
    let tables = schema::tables(&database);
    let engine = match store.location {
        Location::Sqlite(_) => "sqlite",
        Location::Postgres(_) => "postgres",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../migrations/ca/{engine}"));
    let mut migrations: Vec<_> = fs::read_dir(folder)
        .expect("there are migrations")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    migrations.sort();

    for migration in migrations.iter().rev() {
        let sql = fs::read_to_string(migration.join("down.sql")).expect("there is a way back");
        write(&database, move |c| execute(c, &sql));
    }

    assert!(schema::tables(&database).is_empty());
    write(&database, |c| {
        execute(c, "DELETE FROM __diesel_schema_migrations")
    });
    assert_eq!(schema::tables(&store.ca()), tables);
}

/// Several instances of a service may run on one PostgreSQL database.
#[test]
fn instances_that_start_together_on_an_empty_database_all_open_it() {
    let store = Store::postgres();
    let opened = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| ca::store::open(&store.location)))
            .collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results
            .map(|result| result.expect("no panic"))
            .collect::<Vec<_>>()
    });
    for result in opened {
        result.expect("the database opens");
    }
    assert_eq!(read(&store.ca(), |c| texts(c, APPLIED)), shipped());
}
