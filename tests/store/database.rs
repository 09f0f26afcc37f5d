//! Transactions: whole or not at all, alone or in company, now or soon.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use ca::Error;
use common::db::{Connection, Database};

use super::{Store, execute, on_both_engines, read, texts, write};

on_both_engines!(
    an_error_undoes_the_whole_transaction,
    a_failed_statement_undoes_the_whole_transaction,
    a_failed_statement_that_nobody_heeds_is_no_false_success,
    what_was_committed_is_read_at_once,
    what_is_not_committed_is_not_read,
    many_writers_at_once_all_succeed,
    a_failing_transaction_leaves_its_neighbours_alone,
    a_panic_in_a_query_leaves_the_database_usable,
);

/// Adds a row that is easy to find.
fn add(connection: &mut Connection, id: &str) -> Result<(), Error> {
    super::add_authority(connection, id)
}

/// The rows that [`add`] added, in order.
fn added(database: &Database) -> Vec<String> {
    let sql = "SELECT id AS text FROM authorities ORDER BY id";
    read(database, |c| texts(c, sql))
}

fn an_error_undoes_the_whole_transaction(store: &Store) {
    let database = store.ca();
    let failed = database.write("test", |c| {
        add(c, "a")?;
        add(c, "b")?;
        Err::<(), _>(Error::Internal("on purpose".into()))
    });
    assert!(matches!(failed, Err(Error::Internal(why)) if why == "on purpose"));
    assert_eq!(added(&database), [""; 0]);
    write(&database, |c| add(c, "a"));
    assert_eq!(added(&database), ["a"]);
}

fn a_failed_statement_undoes_the_whole_transaction(store: &Store) {
    let database = store.ca();
    write(&database, |c| add(c, "a"));
    let failed = database.write("test", |c| {
        add(c, "b")?;
        add(c, "a")
    });
    let Err(Error::Database(error)) = failed else {
        panic!("{failed:?}: not the database's error");
    };
    assert!(
        error.to_string().to_lowercase().contains("unique"),
        "{error}"
    );
    assert_eq!(added(&database), ["a"]);
}

/// PostgreSQL answers the COMMIT of a failed transaction with a rollback and no error.
fn a_failed_statement_that_nobody_heeds_is_no_false_success(store: &Store) {
    let database = store.ca();
    let done = database.write("test", |c| {
        add(c, "a")?;
        let heedless = add(c, "a");
        assert!(heedless.is_err());
        Ok::<_, Error>(())
    });
    let expected: &[&str] = if done.is_ok() { &["a"] } else { &[] };
    assert_eq!(added(&database), expected, "{done:?}");
}

fn what_was_committed_is_read_at_once(store: &Store) {
    let database = store.ca();
    thread::scope(|scope| {
        for writer in 0..4 {
            let database = &database;
            scope.spawn(move || {
                for count in 0..25 {
                    let id = format!("{writer} {count}");
                    let row = id.clone();
                    write(database, move |c| add(c, &row));
                    assert!(added(database).contains(&id), "{id}");
                }
            });
        }
    });
}

/// A transaction that stays open until it is told to go on.
struct Open {
    go_on: Sender<()>,
    end: thread::JoinHandle<Result<(), Error>>,
}

impl Open {
    /// Adds `id` and stays open.
    fn start(database: &Database, id: &'static str) -> Self {
        let (started, wait_for_start) = channel();
        let (go_on, told): (_, Receiver<()>) = channel();
        let (database, told) = (database.clone(), Mutex::new(told));
        let end = thread::spawn(move || {
            database.write("test", move |c| {
                add(c, id)?;
                started.send(()).expect("the test waits");
                let told = told.lock().expect("nobody panics with it");
                told.recv().expect("the test goes on");
                Ok(())
            })
        });
        wait_for_start.recv().expect("the transaction starts");
        Self { go_on, end }
    }

    fn commit(self) {
        self.go_on.send(()).expect("it waits");
        let ended = self.end.join().expect("no panic");
        ended.expect("it commits");
    }
}

fn what_is_not_committed_is_not_read(store: &Store) {
    let database = store.ca();
    let open = Open::start(&database, "a");
    // Readers neither see it nor wait for it.
    assert_eq!(added(&database), [""; 0]);
    open.commit();
    assert_eq!(added(&database), ["a"]);
}

fn many_writers_at_once_all_succeed(store: &Store) {
    // More than PostgreSQL's connections, fewer than SQLite's queue.
    const WRITERS: usize = 40;
    let database = store.ca();
    write(&database, |c| add(c, "counter"));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let database = &database;
            scope.spawn(move || {
                for count in 0..3 {
                    write(database, move |c| {
                        add(c, &format!("{writer} {count}"))?;
                        count_up(c, "counter")
                    });
                }
            });
        }
    });
    assert_eq!(added(&database).len(), WRITERS * 3 + 1);
    assert_eq!(counter(&database, "counter"), WRITERS * 3);
}

fn count_up(connection: &mut Connection, id: &str) -> Result<(), Error> {
    ca::store::authorities::next_crl_number(connection, id).map(drop)
}

fn counter(database: &Database, id: &str) -> usize {
    let sql = format!("SELECT CAST(crl_number AS TEXT) AS text FROM authorities WHERE id = '{id}'");
    let text = read(database, |c| texts(c, &sql)).remove(0);
    text.parse().expect("a number")
}

/// On SQLite all of these wait for the first and then share one commit.
fn a_failing_transaction_leaves_its_neighbours_alone(store: &Store) {
    const NEIGHBOURS: usize = 30;
    let database = store.ca();
    let first = Open::start(&database, "first");
    let outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..NEIGHBOURS)
            .map(|number| {
                let database = &database;
                scope.spawn(move || {
                    let body = move |c: &mut Connection| {
                        add(c, &format!("{number:02}"))?;
                        match number % 5 {
                            1 => Err(Error::Internal("on purpose".into())),
                            2 => panic!("on purpose"),
                            // The first row of the same transaction again.
                            3 => add(c, &format!("{number:02}")),
                            _ => Ok(()),
                        }
                    };
                    // On PostgreSQL the panic comes back to the caller.
                    let run = || database.write("test", body);
                    catch_unwind(AssertUnwindSafe(run)).is_ok_and(|done| done.is_ok())
                })
            })
            .collect();
        // Long enough for all to stand in the queue; too short costs only the company.
        thread::sleep(Duration::from_millis(100));
        first.commit();
        let threads = threads.into_iter();
        threads.map(|t| t.join().expect("no panic")).collect()
    });
    let succeeded: Vec<_> = (0..NEIGHBOURS).filter(|n| outcomes[*n]).collect();
    let expected: Vec<_> = (0..NEIGHBOURS).filter(|n| matches!(n % 5, 0 | 4)).collect();
    assert_eq!(succeeded, expected);
    let mut rows: Vec<_> = expected.iter().map(|n| format!("{n:02}")).collect();
    rows.push("first".into());
    assert_eq!(added(&database), rows);

    write(&database, |c| add(c, "next"));
    assert!(added(&database).contains(&"next".into()));
}

fn a_panic_in_a_query_leaves_the_database_usable(store: &Store) {
    let database = store.ca();
    // More often than there are connections.
    for _ in 0..20 {
        let read = || database.read(|_| -> Result<(), Error> { panic!("on purpose") });
        assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    }
    write(&database, |c| add(c, "a"));
    assert_eq!(added(&database), ["a"]);
}

/// A reader in between sees none or all of a batch: there was one commit.
#[test]
fn on_sqlite_those_who_wait_together_are_committed_together() {
    const WAITING: usize = 50;
    let store = Store::sqlite();
    let database = store.ca();
    let first = Open::start(&database, "first");
    let (counts, watched) = thread::scope(|scope| {
        for number in 0..WAITING {
            let database = &database;
            scope.spawn(move || write(database, move |c| add(c, &number.to_string())));
        }
        let watching = scope.spawn(|| {
            let mut counts = vec![added(&database).len()];
            while counts.last() != Some(&(WAITING + 1)) {
                counts.push(added(&database).len());
            }
            counts.dedup();
            counts
        });
        thread::sleep(Duration::from_millis(200));
        first.commit();
        (watching.join().expect("no panic"), added(&database).len())
    });
    assert_eq!(watched, WAITING + 1);
    assert!(matches!(counts[..], [0, 1, 51] | [0, 51]), "{counts:?}");
}

#[test]
fn on_sqlite_a_full_queue_turns_writers_away() {
    const QUEUE: usize = 1_024;
    const TOO_MANY: usize = 30;
    let store = Store::sqlite();
    let database = store.ca();
    let open = Open::start(&database, "first");
    let (answers, mut turned_away) = (channel(), 0);
    thread::scope(|scope| {
        for _ in 0..QUEUE + TOO_MANY {
            let (database, answer) = (&database, answers.0.clone());
            let caller = thread::Builder::new().stack_size(128 * 1024);
            let spawned = caller.spawn_scoped(scope, move || {
                let done = database.write("test", |_| Ok::<_, Error>(()));
                answer.send(done).expect("the test listens");
            });
            spawned.expect("the system can start a thread");
        }
        // Nobody but those who were turned away hears anything before the first commits.
        for _ in 0..TOO_MANY {
            let answer = answers.1.recv().expect("a caller answers");
            let busy = matches!(answer, Err(Error::Database(common::db::Error::Busy)));
            turned_away += usize::from(busy);
        }
        open.commit();
    });
    assert_eq!(turned_away, TOO_MANY);
    drop(answers.0);
    let served: Vec<_> = answers.1.iter().collect();
    assert_eq!(served.len(), QUEUE);
    assert!(served.iter().all(Result::is_ok));
    write(&database, |c| add(c, "next"));
    assert_eq!(added(&database), ["first", "next"]);
}

#[test]
fn on_sqlite_a_reader_cannot_write() {
    let store = Store::sqlite();
    let database = store.ca();
    assert!(database.read(|c| add(c, "a")).is_err());
    assert_eq!(added(&database), [""; 0]);
}

/// Two transactions that each hold what the other wants: PostgreSQL ends one of them.
#[test]
fn on_postgresql_both_of_two_that_deadlock_succeed() {
    let store = Store::postgres();
    let database = store.ca();
    write(&database, |c| {
        add(c, "a")?;
        add(c, "b")
    });
    let bodies = [["a", "b"], ["b", "a"]].map(|[first, second]| {
        move |c: &mut Connection, wait: &dyn Fn()| {
            execute(c, "SET LOCAL deadlock_timeout = '20ms'")?;
            count_up(c, first)?;
            wait();
            count_up(c, second)
        }
    });
    assert_eq!(attempts_of_two(&database, bodies), 3);
    assert_eq!((counter(&database, "a"), counter(&database, "b")), (2, 2));
}

/// Two transactions that each read what the other writes: no order of the two explains both.
/// PostgreSQL notices at the latest when the second commits.
#[test]
fn on_postgresql_both_of_two_that_cannot_be_serialized_succeed() {
    for waits_before_its_row in [true, false] {
        let store = Store::postgres();
        let database = store.ca();
        let bodies = ["a", "b"].map(|id| {
            move |c: &mut Connection, wait: &dyn Fn()| {
                execute(c, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")?;
                let rows = texts(c, "SELECT id AS text FROM authorities")?.len();
                if waits_before_its_row {
                    wait();
                }
                add(c, &format!("{id} after {rows}"))?;
                if !waits_before_its_row {
                    wait();
                }
                Ok(())
            }
        });
        assert_eq!(attempts_of_two(&database, bodies), 3);
        let rows = added(&database);
        let serial = [["a after 0", "b after 1"], ["a after 1", "b after 0"]];
        assert!(serial.iter().any(|order| rows == *order), "{rows:?}");
    }
}

/// A transaction that is no longer passing is not run for ever.
#[test]
fn on_postgresql_what_never_serializes_ends_with_the_error() {
    let store = Store::postgres();
    let database = store.ca();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let failed = database.write("test", move |c| {
        counted.fetch_add(1, Ordering::SeqCst);
        execute(c, "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
    });
    assert!(matches!(failed, Err(Error::Database(_))));
    assert_eq!(attempts.load(Ordering::SeqCst), 11);
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let failed = database.write("test", move |c| {
        counted.fetch_add(1, Ordering::SeqCst);
        execute(c, "DO $$ BEGIN RAISE SQLSTATE '23505'; END $$")
    });
    assert!(failed.is_err());
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

/// The server was restarted, or a firewall forgot us: nobody needs to hear of it.
#[test]
fn on_postgresql_connections_that_died_idle_are_replaced() {
    let store = Store::postgres();
    let (writing, reading) = (store.ca(), store.ca());
    for (database, number) in [(&writing, 0), (&reading, 1)] {
        let killed = kill_all_connections(&store, database);
        assert!(killed >= CONNECTIONS, "{killed}");
        match number {
            0 => write(database, |c| add(c, "after")),
            _ => assert_eq!(added(database), ["after"]),
        }
    }
}

/// As many as a pool has for PostgreSQL.
const CONNECTIONS: usize = 16;

/// Opens every connection of the pool, lets it lie idle and ends it; gives the number of the dead.
fn kill_all_connections(store: &Store, database: &Database) -> usize {
    let all_at_once = Barrier::new(CONNECTIONS);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                read(database, |c| {
                    all_at_once.wait();
                    texts(c, "SELECT 'here' AS text")
                })
            });
        }
    });
    let killed = read(&store.ca(), |c| {
        texts(
            c,
            "SELECT pg_terminate_backend(pid)::text AS text FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND backend_type = 'client backend'",
        )
    });
    // The server ends them in its own time.
    thread::sleep(Duration::from_millis(200));
    killed.iter().filter(|done| *done == "true").count()
}

/// Runs two transactions that wait for each other where they say, on their first attempt; gives
/// the number of attempts.
fn attempts_of_two<F>(database: &Database, bodies: [F; 2]) -> usize
where
    F: Fn(&mut Connection, &dyn Fn()) -> Result<(), Error> + Send + 'static,
{
    let attempts = Arc::new(AtomicUsize::new(0));
    let meeting = Arc::new(Barrier::new(2));
    thread::scope(|scope| {
        for body in bodies {
            let (attempts, meeting) = (Arc::clone(&attempts), Arc::clone(&meeting));
            scope.spawn(move || {
                let mut first = true;
                write(database, move |c| {
                    attempts.fetch_add(1, Ordering::SeqCst);
                    let is_first = std::mem::replace(&mut first, false);
                    body(c, &|| {
                        if is_first {
                            meeting.wait();
                        }
                    })
                });
            });
        }
    });
    attempts.load(Ordering::SeqCst)
}
