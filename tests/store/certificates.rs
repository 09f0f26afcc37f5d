//! Certificates: intended, recorded, found, listed.

use ca::Error;
use ca::issue::Linted;
use ca::store::certificates::{self, Filter, Listed, find, intend, list, record};
use ca::store::{journal, statuses};
use common::clock::Timestamp;
use common::db::Database;
use common::x509::{RevocationReason, SerialNumber, Status};

use super::{
    HOUSE, Store, at, changes, contents, issue, issuer, linted, on_both_engines, origin, read,
    serial, unfinished, write,
};

on_both_engines!(
    an_intent_is_unfinished_until_its_certificate_is_on_record,
    a_certificate_is_recorded_once,
    what_was_not_intended_is_not_recorded,
    a_serial_number_is_intended_once,
    an_intent_comes_with_its_status_and_its_journal_entry,
    a_certificate_is_found_with_all_that_is_known_about_it,
    certificates_are_listed_by_what_they_say,
    certificates_are_listed_by_what_happened_when,
    certificates_are_listed_by_their_status_at_the_time,
    a_part_of_the_subject_is_found_in_any_case,
    wildcards_in_a_part_of_the_subject_mean_themselves,
    a_subject_is_found_as_it_is_written,
    intents_are_not_listed,
    pages_show_each_certificate_once_newest_first,
);

const DAY: i64 = 86_400;

fn an_intent_is_unfinished_until_its_certificate_is_on_record(store: &Store) {
    let database = store.ca();
    let linted = linted("CN=host.example", &[], at(0));
    let (copy, request) = (linted.clone(), common::entropy::uuid());
    let mut origin = origin("caServerCert");
    origin.request = Some(request);
    write(&database, move |c| {
        intend(c, &copy, &origin, at(0)).map(drop)
    });

    let found = database.read(|c| find(c, linted.serial()));
    assert!(matches!(found, Err(Error::NotFound("certificate"))));
    let mut left = read(&database, unfinished);
    assert_eq!(left.len(), 1);
    let (intent, asked) = left.remove(0);
    assert_eq!(asked, Some(request));
    assert_eq!(intent.serial(), linted.serial());

    let signed = intent.sign(&issuer()).expect("the key signs");
    assert_eq!(signed.tbs(), linted.tbs());
    let der = signed.certificate().der().to_vec();
    assert!(write(&database, move |c| record(c, &signed)));

    assert!(read(&database, unfinished).is_empty());
    let found = read(&database, |c| find(c, linted.serial()));
    assert_eq!(found.certificate.der(), der);
}

fn a_certificate_is_recorded_once(store: &Store) {
    let database = store.ca();
    let linted = linted("CN=host.example", &[], at(0));
    let copy = linted.clone();
    write(&database, move |c| {
        intend(c, &copy, &origin("caServerCert"), at(0)).map(drop)
    });
    // Two processes that finish the same intent; ECDSA gives each a signature of its own.
    let mut both = [read(&database, unfinished), read(&database, unfinished)]
        .map(|mut left| left.remove(0).0)
        .map(|intent| intent.sign(&issuer()).expect("the key signs"))
        .into_iter();
    let (first, second) = (both.next().expect("first"), both.next().expect("second"));
    assert_ne!(first.certificate().der(), second.certificate().der());
    let der = first.certificate().der().to_vec();

    let recorded = write(&database, move |c| {
        Ok((record(c, &first)?, record(c, &first)?))
    });
    assert_eq!(recorded, (true, false));
    let before = contents(&database);
    assert!(!write(&database, move |c| record(c, &second)));

    assert_eq!(contents(&database), before);
    let found = read(&database, |c| find(c, linted.serial()));
    assert_eq!(found.certificate.der(), der);
}

fn what_was_not_intended_is_not_recorded(store: &Store) {
    let (database, elsewhere) = (store.ca(), Store::sqlite().ca());
    let linted = linted("CN=host.example", &[], at(0));
    let signed = write(&elsewhere, move |c| {
        Ok(intend(c, &linted, &origin("caServerCert"), at(0))?.sign(&issuer())?)
    });
    assert!(!write(&database, move |c| record(c, &signed)));
    assert_eq!(contents(&database)["certificates"].len(), 0);
}

fn a_serial_number_is_intended_once(store: &Store) {
    let database = store.ca();
    let linted = linted("CN=host.example", &["dns:a.example"], at(0));
    let copy = linted.clone();
    write(&database, move |c| {
        intend(c, &copy, &origin("caServerCert"), at(0)).map(drop)
    });
    let before = contents(&database);

    let again = database.write("test", move |c| {
        intend(c, &linted, &origin("caUserCert"), at(1)).map(drop)
    });

    assert!(matches!(again, Err(Error::Database(_))));
    assert_eq!(changes(&before, &contents(&database)), []);
}

fn an_intent_comes_with_its_status_and_its_journal_entry(store: &Store) {
    let database = store.ca();
    let linted = linted("CN=host.example", &[], at(0));
    let copy = linted.clone();
    let entries = write(&database, move |c| {
        let _ = intend(c, &copy, &origin("caServerCert"), at(5))?;
        journal::number(c)?;
        journal::after(c, 0)
    });

    let known = read(&database, |c| statuses::find(c, linted.serial()));
    assert_eq!(known.status, Status::Valid);
    assert_eq!(known.authority, "host");
    assert_eq!(known.changed, at(5));
    assert_eq!(known.not_after, linted.not_after());
    let [entry] = &entries[..] else {
        panic!("{entries:?}: not one entry");
    };
    assert_eq!(
        (&entry.serial, entry.status),
        (linted.serial(), Status::Valid)
    );
    assert_eq!((entry.at, entry.not_after), (at(5), linted.not_after()));
    assert_eq!(entry.authority, "host");
}

fn a_certificate_is_found_with_all_that_is_known_about_it(store: &Store) {
    let database = store.ca();
    let linted = linted("CN=host.example", &["dns:host.example"], at(0));
    let mut origin = origin("caServerCert");
    origin.request = Some(common::entropy::uuid());
    let certificate = issue(&database, &linted, &origin, at(7));

    let found = read(&database, |c| find(c, linted.serial()));

    assert_eq!(found.certificate.der(), certificate.der());
    assert_eq!((found.status, found.changed), (Status::Valid, at(7)));
    assert_eq!(found.authority, "host");
    assert_eq!(found.origin.request, origin.request);
    assert_eq!(found.origin.profile, origin.profile);
    assert_eq!(found.origin.profile_version, origin.profile_version);
    assert_eq!(found.origin.approved_by, "agent1");
    let valid = found.etag();

    revoke(&database, linted.serial(), at(9));

    let found = read(&database, |c| find(c, linted.serial()));
    assert_eq!((found.status, found.changed), (revoked(at(9)), at(9)));
    assert_ne!(found.etag(), valid);
    let missing = database.read(|c| find(c, &serial(1)));
    assert!(matches!(missing, Err(Error::NotFound("certificate"))));
}

fn revoked(at: Timestamp) -> Status {
    Status::Revoked {
        at,
        reason: RevocationReason::KeyCompromise,
        invalidity_date: Some(at.plus_seconds(-60)),
    }
}

fn revoke(database: &Database, serial: &SerialNumber, at: Timestamp) {
    change(database, serial, revoked(at), at);
}

fn change(database: &Database, serial: &SerialNumber, status: Status, at: Timestamp) {
    let serial = serial.clone();
    assert!(write(database, move |c| {
        let known = statuses::find(c, &serial)?;
        statuses::update(c, &known, status, at)
    }));
}

/// Certificates under test, the n-th issued n days after the start.
struct Shelf {
    database: Database,
    linted: Vec<Linted>,
}

impl Shelf {
    fn new(store: &Store, subjects: &[&str]) -> Self {
        let with_names: Vec<(&str, &[&str])> = subjects.iter().map(|s| (*s, &[][..])).collect();
        Self::with_names(store, &with_names)
    }

    fn with_names(store: &Store, subjects: &[(&str, &[&str])]) -> Self {
        let database = store.ca();
        let linted = subjects.iter().zip(0..).map(|((subject, names), day)| {
            let now = at(day * DAY);
            let linted = linted(subject, names, now);
            issue(&database, &linted, &origin("caServerCert"), now);
            linted
        });
        let linted = linted.collect();
        Self { database, linted }
    }

    /// Which certificates a list at `now` shows, by number and in its order.
    fn listed_at(&self, filter: &Filter, now: Timestamp) -> Vec<usize> {
        let listed = read(&self.database, |c| list(c, filter, now, None, 100));
        let number = |one: &Listed| self.linted.iter().position(|l| *l.serial() == one.serial);
        let numbers = listed.iter().map(number);
        numbers.map(|number| number.expect("one of ours")).collect()
    }

    fn listed(&self, filter: Filter) -> Vec<usize> {
        self.listed_at(&filter, at(10 * DAY))
    }

    fn with_subject(&self, part: &str) -> Vec<usize> {
        self.listed(Filter {
            subject: Some(part.into()),
            ..Filter::default()
        })
    }
}

/// Four for hosts, the second revoked on day 5, the third on hold since day 6, and one for Ann.
fn five(store: &Store) -> Shelf {
    let mut shelf = Shelf::with_names(
        store,
        &[
            ("CN=zero.example", &[]),
            ("CN=one.example", &["dns:a.example", "ip:192.0.2.1"]),
            ("CN=two.example", &["dns:a.example", "dns:b.example"]),
            ("CN=three.example", &["email:ann@a.example"]),
        ],
    );
    let user = linted("CN=Ann", &[], at(4 * DAY));
    issue(&shelf.database, &user, &origin("caUserCert"), at(4 * DAY));
    shelf.linted.push(user);
    revoke(&shelf.database, shelf.linted[1].serial(), at(5 * DAY));
    let held = Status::OnHold { since: at(6 * DAY) };
    change(&shelf.database, shelf.linted[2].serial(), held, at(6 * DAY));
    shelf
}

fn certificates_are_listed_by_what_they_say(store: &Store) {
    let shelf = five(store);
    let none = Filter::default;
    assert_eq!(shelf.listed(none()), [4, 3, 2, 1, 0]);
    let named = |names: &[&str]| Filter {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..none()
    };
    assert_eq!(shelf.listed(named(&["dns:a.example"])), [2, 1]);
    assert_eq!(shelf.listed(named(&["ip:192.0.2.1"])), [1]);
    assert_eq!(shelf.listed(named(&["email:ann@a.example"])), [3]);
    let both = named(&["dns:a.example", "dns:b.example"]);
    assert_eq!(shelf.listed(both), [2]);
    assert_eq!(shelf.listed(named(&["dns:a"])), [0; 0]);
    // The profile turns a common name that is a host into an alternative name.
    assert_eq!(shelf.listed(named(&["dns:zero.example"])), [0]);
    let issuer = |name: &str| Filter {
        issuer: Some(name.into()),
        ..none()
    };
    let own = HOUSE.certificate.subject().to_string();
    assert_eq!(shelf.listed(issuer(&own)).len(), 5);
    assert_eq!(shelf.listed(issuer("CN=Somebody Else")), [0; 0]);
    let profile = Filter {
        profile: Some("caUserCert".into()),
        ..none()
    };
    assert_eq!(shelf.listed(profile), [4]);
    let key = Filter {
        spki_sha256: Some(shelf.linted[3].spki_sha256().to_vec()),
        ..none()
    };
    assert_eq!(shelf.listed(key), [3]);
    let by_serial = |serial: &SerialNumber| Filter {
        serial: Some(serial.clone()),
        ..none()
    };
    assert_eq!(shelf.listed(by_serial(shelf.linted[2].serial())), [2]);
    assert_eq!(shelf.listed(by_serial(&serial(1))), [0; 0]);
}

fn certificates_are_listed_by_what_happened_when(store: &Store) {
    let shelf = five(store);
    let none = Filter::default;
    let issued = Filter {
        issued_after: Some(at(DAY)),
        issued_before: Some(at(3 * DAY)),
        ..none()
    };
    assert_eq!(shelf.listed(issued), [3, 2, 1]);
    let ending = Filter {
        expires_after: Some(shelf.linted[2].not_after()),
        expires_before: Some(shelf.linted[3].not_after()),
        ..none()
    };
    assert_eq!(shelf.listed(ending), [3, 2]);
    let changed = |after: Option<i64>, before: Option<i64>| Filter {
        revoked_after: after.map(|day| at(day * DAY)),
        revoked_before: before.map(|day| at(day * DAY)),
        ..none()
    };
    // Valid ones, too, have a moment of their last change; they were not revoked then.
    assert_eq!(shelf.listed(changed(Some(0), None)), [2, 1]);
    assert_eq!(shelf.listed(changed(Some(6), None)), [2]);
    assert_eq!(shelf.listed(changed(None, Some(5))), [1]);
    assert_eq!(shelf.listed(changed(Some(7), Some(9))), [0; 0]);
    let together = Filter {
        status: Some("valid".into()),
        subject: Some("example".into()),
        issued_after: Some(at(DAY)),
        ..none()
    };
    assert_eq!(shelf.listed(together), [3]);
}

fn certificates_are_listed_by_their_status_at_the_time(store: &Store) {
    let shelf = Shelf::new(store, &["CN=a", "CN=b", "CN=c"]);
    let held = Status::OnHold { since: at(3 * DAY) };
    change(&shelf.database, shelf.linted[1].serial(), held, at(3 * DAY));
    revoke(&shelf.database, shelf.linted[2].serial(), at(3 * DAY));
    let listed = |status: &str, now: Timestamp| {
        let filter = Filter {
            status: Some(status.into()),
            ..Filter::default()
        };
        shelf.listed_at(&filter, now)
    };
    let (from, until) = (shelf.linted[0].not_before(), shelf.linted[0].not_after());

    for (now, status) in [
        (from.plus_seconds(-1), "not_yet_valid"),
        (from, "valid"),
        (until, "valid"),
        // The last second belongs to the validity as a whole (RFC 5280 §4.1.2.5).
        (Timestamp::from_micros(until.micros() + 999_999), "valid"),
        (until.plus_seconds(1), "expired"),
        (until.plus_seconds(100 * DAY), "expired"),
    ] {
        for wanted in ["not_yet_valid", "valid", "expired"] {
            let expected: &[usize] = if wanted == status { &[0] } else { &[] };
            assert_eq!(listed(wanted, now), expected, "{wanted} at {now}");
        }
        // Time changes nothing about these.
        assert_eq!(listed("on_hold", now), [1]);
        assert_eq!(listed("revoked", now), [2]);
    }
    let all = read(&shelf.database, |c| {
        list(c, &Filter::default(), at(4 * DAY), None, 100)
    });
    let statuses: Vec<_> = all.iter().map(|listed| listed.status).collect();
    assert_eq!(statuses, [revoked(at(3 * DAY)), held, Status::Valid]);
}

fn a_part_of_the_subject_is_found_in_any_case(store: &Store) {
    let shelf = Shelf::new(store, &["CN=Host.Example,O=ACME", "CN=other", "CN=HOST"]);
    assert_eq!(shelf.with_subject("host"), [2, 0]);
    assert_eq!(shelf.with_subject("HoSt"), [2, 0]);
    assert_eq!(shelf.with_subject("o=acme"), [0]);
    assert_eq!(shelf.with_subject("ost.exam"), [0]);
    assert_eq!(shelf.with_subject("cn=hostess"), [0; 0]);
}

fn wildcards_in_a_part_of_the_subject_mean_themselves(store: &Store) {
    let subjects = [
        "CN=a%b",
        "CN=a_b",
        "CN=a!b",
        "CN=axb",
        "CN=a'b",
        "CN=a\\\\b",
    ];
    let shelf = Shelf::new(store, &subjects);
    assert_eq!(shelf.with_subject("a%b"), [0]);
    assert_eq!(shelf.with_subject("a_b"), [1]);
    assert_eq!(shelf.with_subject("a!b"), [2]);
    assert_eq!(shelf.with_subject("a'b"), [4]);
    assert_eq!(shelf.with_subject("\\"), [5]);
    assert_eq!(shelf.with_subject("%"), [0]);
    assert_eq!(shelf.with_subject("_"), [1]);
    assert_eq!(shelf.with_subject("!"), [2]);
    assert_eq!(shelf.with_subject("!%"), [0; 0]);
    assert_eq!(shelf.with_subject("%b"), [0]);
}

/// Whatever a database takes for lower case beyond ASCII.
fn a_subject_is_found_as_it_is_written(store: &Store) {
    let subjects = ["CN=Jürgen Öztürk", "CN=ÅNGSTRÖM", "CN=Ωmega", "CN=İstanbul"];
    let shelf = Shelf::new(store, &subjects);
    for (subject, number) in subjects.iter().zip(0..) {
        assert_eq!(shelf.with_subject(subject), [number], "{subject}");
    }
}

fn intents_are_not_listed(store: &Store) {
    let shelf = Shelf::new(store, &["CN=signed"]);
    let intended = linted("CN=intended", &["dns:intended.example"], at(0));
    write(&shelf.database, move |c| {
        intend(c, &intended, &origin("caServerCert"), at(0)).map(drop)
    });
    assert_eq!(shelf.listed(Filter::default()), [0]);
    assert_eq!(shelf.with_subject("intended"), [0; 0]);
}

fn pages_show_each_certificate_once_newest_first(store: &Store) {
    let database = store.ca();
    let mut expected = Vec::new();
    for number in 0..14 {
        // Three in each moment, so that pages of four end in the middle of one.
        let issued = at(number / 3);
        let linted = linted("CN=host", &[], issued);
        issue(&database, &linted, &origin("caServerCert"), issued);
        expected.push((issued.micros(), linted.serial().clone()));
    }
    expected.sort_by(|one, other| other.cmp(one));

    let filter = certificates::Filter::default();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = read(&database, |c| list(c, &filter, at(DAY), after.clone(), 4));
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some((last.issued.micros(), last.serial.as_bytes().to_vec()));
        let entries = page.into_iter();
        seen.extend(entries.map(|one| (one.issued.micros(), one.serial)));
    }

    assert_eq!(seen, expected);
}
