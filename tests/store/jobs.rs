//! Jobs, and who is at work on them.

use ca::Error;
use ca::job::{Job, Outcome, State};
use ca::store::jobs::{due, find, finish, forget_leases, insert, lease, list, register};

use super::{Store, at, on_both_engines, read, write};

on_both_engines!(
    timed_work_is_registered_once,
    a_job_is_leased_to_one_instance_until_its_lease_ends,
    a_process_that_is_alone_forgets_the_leases_of_the_one_before,
    a_finished_run_says_what_came_of_it_and_when_the_next_is,
    jobs_are_listed_newest_first_in_pages,
);

fn timed_work_is_registered_once(store: &Store) {
    let database = store.ca();
    write(&database, |c| register(c, "crl", "crl", at(5), at(0)));
    write(&database, |c| register(c, "crl", "crl", at(9), at(8)));
    let job = read(&database, |c| find(c, "crl"));
    assert_eq!((job.kind.as_str(), job.state), ("crl", State::Scheduled));
    assert_eq!((job.created, job.next_run), (at(0), Some(at(5))));
    let missing = database.read(|c| find(c, "other"));
    assert!(matches!(missing, Err(Error::NotFound("job"))));
}

fn a_job_is_leased_to_one_instance_until_its_lease_ends(store: &Store) {
    let database = store.ca();
    let job = Job::long("revocation", "{}".into(), 3, at(0), "admin");
    let row = job.clone();
    write(&database, move |c| {
        register(c, "crl", "crl", at(1), at(0))?;
        insert(c, &row)
    });
    let ids = |long, now| {
        let found = read(&database, move |c| due(c, long, at(now)));
        found.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(false, 0), [""; 0]);
    assert_eq!(ids(false, 1), ["crl"]);
    assert_eq!(ids(true, 1), std::slice::from_ref(&job.id));

    let take = |owner: &'static str, now, until| {
        let id = job.id.clone();
        write(&database, move |c| lease(c, &id, owner, at(now), at(until)))
    };
    assert!(take("one", 1, 10));
    assert!(!take("two", 9, 20));
    assert!(ids(true, 9).is_empty());
    assert!(take("one", 9, 12), "the owner may go on");
    assert!(take("two", 12, 20), "the lease has ended");
    assert!(!take("one", 13, 30));
}

fn a_process_that_is_alone_forgets_the_leases_of_the_one_before(store: &Store) {
    let database = store.ca();
    write(&database, |c| {
        register(c, "crl", "crl", at(0), at(0))?;
        assert!(lease(c, "crl", "one", at(0), at(100))?);
        forget_leases(c)
    });
    assert_eq!(read(&database, |c| due(c, false, at(1))).len(), 1);
}

fn a_finished_run_says_what_came_of_it_and_when_the_next_is(store: &Store) {
    let database = store.ca();
    write(&database, |c| {
        register(c, "crl", "crl", at(0), at(0))?;
        assert!(lease(c, "crl", "one", at(0), at(100))?);
        let outcome = Outcome::done(2, "two of them").with_errors(1);
        finish(c, "crl", State::Failed, &outcome, (at(3), Some(at(63))))
    });
    let job = read(&database, |c| find(c, "crl"));
    assert_eq!(job.state, State::Failed);
    let progress = job.progress;
    assert_eq!((progress.done, progress.total, progress.errors), (3, 3, 1));
    assert_eq!(job.result.as_deref(), Some("two of them"));
    assert_eq!((job.last_run, job.next_run), (Some(at(3)), Some(at(63))));
    assert!(read(&database, |c| due(c, false, at(62))).is_empty());
    assert_eq!(read(&database, |c| due(c, false, at(63))).len(), 1);
}

fn jobs_are_listed_newest_first_in_pages(store: &Store) {
    let database = store.ca();
    write(&database, |c| {
        for (kind, created) in [("a", 1), ("b", 2), ("c", 2), ("d", 3)] {
            register(c, kind, kind, at(0), at(created))?;
        }
        Ok(())
    });
    let ids = |after: Option<(i64, &'static str)>| {
        let found = read(&database, |c| {
            let after = after.map(|(created, id)| (at(created).micros(), id.to_owned()));
            list(c, after, 2)
        });
        found.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None), ["d", "c"]);
    assert_eq!(ids(Some((2, "c"))), ["b", "a"]);
    assert!(ids(Some((1, "a"))).is_empty());
}
