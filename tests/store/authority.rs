//! A whole CA over each engine, up to what a crash leaves behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ca::authority::{Asked, StatusRequest, Submission, Submitted};
use ca::create::HOST;
use ca::crl::Crl;
use ca::issue::Linted;
use ca::request::State;
use ca::store::certificates::{Filter, Origin, find, intend};
use ca::store::requests;
use ca::{Authority, Error};
use common::api::ca::{Decision, Requestor};
use common::clock::Clock;
use common::entropy;
use common::http::conditional::IfMatch;
use common::identity::Caller;
use common::x509::{Certificate, RevocationReason, SerialNumber, Status};
use tests::foreign::openssl_with_input;

use super::{
    Store, agent, anonymous, at, authority, changes, contents, csr, execute, instance, linted,
    on_both_engines, origin, read, unfinished, write,
};

on_both_engines!(
    a_certificate_lives_from_request_to_crl,
    an_interrupted_issuance_is_finished_with_the_bytes_on_record,
    timed_work_finishes_what_stayed_interrupted_for_a_minute,
    an_interrupted_issuance_without_a_request_is_finished,
    an_intent_that_cannot_be_finished_stops_no_other,
    those_who_finish_at_once_make_one_certificate,
    a_request_that_is_approved_by_many_gets_one_certificate,
    crls_asked_for_at_once_tell_each_what_it_did_before,
    a_crl_that_fails_fails_for_nobody_else,
    a_clock_that_was_set_back_stops_no_crl,
    what_a_client_calls_itself_breaks_nothing,
);

fn submission(subject: &str, names: &[&str]) -> Submission {
    Submission {
        profile: "caServerCert".into(),
        asked: Asked::Pkcs10(csr(subject, names)),
        inputs: std::collections::BTreeMap::new(),
        requestor: None,
        authority: None,
        idempotency: None,
    }
}

fn submit(authority: &Authority, caller: &Caller, subject: &str) -> Submitted {
    let submitted = authority.submit(caller, submission(subject, &[]));
    submitted.expect("the request is accepted")
}

const APPROVED: Decision = Decision::Approved {
    changes: None,
    note: None,
};

fn a_certificate_lives_from_request_to_crl(store: &Store) {
    let clock = Clock::fixed(at(0));
    let authority = authority(store, &clock);
    let (requestor, agent) = (anonymous(&authority), agent(&authority, "agent1"));

    let asked = submit(&authority, &requestor, "CN=host.example");
    assert_eq!(asked.request.state, State::Pending);
    clock.set(at(1));
    let reviewed = IfMatch::Tags(vec![asked.etag]);
    let decided = authority.decide(&agent, asked.request.id, &reviewed, APPROVED);
    let State::Complete(serial) = decided.expect("it is approved").request.state else {
        panic!("the request is not complete");
    };
    let again = authority.decide(&agent, asked.request.id, &reviewed, APPROVED);
    assert!(matches!(
        again,
        Err(Error::Precondition(_) | Error::NotPending { .. })
    ));
    let issued = authority.certificate(&serial).expect("it is on record");
    let host = authority.host();
    let ca = host.certificate.public_key();
    issued
        .certificate
        .verify_signed_by(ca)
        .expect("it is signed");
    assert_eq!(issued.origin.request, Some(asked.request.id));
    assert_eq!(issued.origin.approved_by, "agent1");
    let filter = Filter {
        subject: Some("host.example".into()),
        ..Filter::default()
    };
    let listed = authority.certificates(&filter, None, 10).expect("a list");
    assert_eq!(listed.len(), 1);

    let crl = authority.make_crl(&Caller::system(), HOST).expect("a CRL");
    assert_eq!((crl.number, crl.entries), (1, 0));
    clock.set(at(2));
    let wanted = StatusRequest::Revoke {
        reason: RevocationReason::KeyCompromise,
        invalidity_date: None,
        note: None,
    };
    let revoked = authority.change_status(&agent, &serial, &IfMatch::Any, &wanted);
    let (status, _) = revoked.expect("it is revoked");
    let again = authority.change_status(&agent, &serial, &IfMatch::Any, &wanted);
    assert!(matches!(
        again,
        Err(Error::WrongStatus {
            found: "revoked",
            ..
        })
    ));
    let crl = authority.make_crl(&Caller::system(), HOST).expect("a CRL");
    assert_eq!((crl.number, crl.entries), (2, 1));
    let text = openssl_with_input(&["crl", "-inform", "DER", "-noout", "-text"], &crl.der);
    let text = String::from_utf8_lossy(&text).to_uppercase();
    assert!(
        text.contains(&format!("SERIAL NUMBER: {serial}").to_uppercase()),
        "{text}"
    );
    assert!(text.contains("KEY COMPROMISE"), "{text}");

    let journal = authority.journal_after(0).expect("the journal");
    let told: Vec<_> = journal.iter().map(|e| (&e.serial, e.status)).collect();
    assert_eq!(told[1..], [(&serial, Status::Valid), (&serial, status)]);
    let positions: Vec<_> = journal.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, [1, 2, 3]);
    // Another process over the same database goes on where this one is.
    clock.set(at(3));
    let next = instance(store, &clock);
    assert_eq!(next.current_crl(HOST).expect("it is in force").der, crl.der);
    assert_eq!(next.certificate(&serial).expect("on record").status, status);
    assert_eq!(
        next.make_crl(&Caller::system(), HOST)
            .expect("a CRL")
            .number,
        3
    );
}

/// What is on record when a process dies between intent and signature: an approved request, its
/// intent, a journal entry.
fn interrupt(authority: &Authority, caller: &Caller, subject: &str) -> Linted {
    let pending = submit(authority, caller, subject).request;
    let linted = linted(subject, &[], at(0));
    let approved = pending.approve(linted.serial().clone(), "agent1", at(0), None);
    let approved = approved.expect("it was pending");
    let origin = Origin {
        request: Some(approved.id),
        ..origin("caServerCert")
    };
    let intended = linted.clone();
    write(authority.database(), move |c| {
        assert!(requests::update(c, &approved)?);
        intend(c, &intended, &origin, at(0)).map(drop)
    });
    linted
}

/// The `tbsCertificate` of a certificate, as openssl cuts it out.
fn tbs(certificate: &Certificate) -> Vec<u8> {
    let arguments = [
        "asn1parse",
        "-inform",
        "DER",
        "-noout",
        "-strparse",
        "4",
        "-out",
        "/dev/stdout",
    ];
    openssl_with_input(&arguments, certificate.der())
}

fn an_interrupted_issuance_is_finished_with_the_bytes_on_record(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(5)));
    let requestor = anonymous(&authority);
    let other = submit(&authority, &Caller::system(), "CN=other.example");
    assert!(matches!(other.request.state, State::Complete(_)));
    let linted = interrupt(&authority, &requestor, "CN=host.example");
    authority.number_journal().expect("numbers are given");
    let before = contents(authority.database());
    assert_eq!(read(authority.database(), unfinished).len(), 1);
    drop(authority);

    let restarted = instance(store, &Clock::fixed(at(9)));
    assert_eq!(restarted.finish_interrupted().expect("it is finished"), 1);

    assert!(read(restarted.database(), unfinished).is_empty());
    let issued = restarted.certificate(linted.serial()).expect("on record");
    assert_eq!(tbs(&issued.certificate), linted.tbs());
    let host = restarted.host();
    let ca = host.certificate.public_key();
    issued
        .certificate
        .verify_signed_by(ca)
        .expect("it is signed");
    assert_eq!((issued.status, issued.changed), (Status::Valid, at(0)));
    let id = issued.origin.request.expect("there was a request");
    let request = restarted.request(id).expect("on record").request;
    assert_eq!(request.state, State::Complete(linted.serial().clone()));
    let actions: Vec<_> = request
        .history
        .iter()
        .map(|entry| entry.action.as_str())
        .collect();
    assert_eq!(actions, ["submitted", "approved", "issued"]);
    restarted.number_journal().expect("numbers are given");
    let after = contents(restarted.database());
    // These rows and nothing else: no second journal entry, no other status.
    let changed = changes(&before, &after);
    let mut tables: Vec<_> = changes_of(&changed).collect();
    tables.sort_unstable();
    let expected = [
        "+audit",
        "+certificates",
        "+requests",
        "-certificates",
        "-requests",
    ];
    assert_eq!(tables, expected, "{changed:#?}");
    let serial = linted.serial().to_string();
    for (table, row) in &changed {
        let named = match table.as_str() {
            "+audit" => format!("event=CERT_ISSUED object=certificate/{serial}"),
            "+requests" | "-requests" => format!("id={id}"),
            _ => format!("serial={serial}"),
        };
        assert!(row.contains(&named), "{table}: {row}");
    }

    assert_eq!(restarted.finish_interrupted().expect("nothing is left"), 0);
    assert_eq!(changes(&after, &contents(restarted.database())), []);
}

fn changes_of(changes: &[(String, String)]) -> impl Iterator<Item = &str> {
    changes.iter().map(|(table, _)| table.as_str())
}

fn an_interrupted_issuance_without_a_request_is_finished(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(5)));
    let linted = linted("CN=own.example", &[], at(0));
    let intended = linted.clone();
    write(authority.database(), move |c| {
        intend(c, &intended, &origin("caCACert"), at(0)).map(drop)
    });
    assert_eq!(authority.finish_interrupted().expect("it is finished"), 1);
    let issued = authority.certificate(linted.serial()).expect("on record");
    assert_eq!(tbs(&issued.certificate), linted.tbs());
    let audit = &contents(authority.database())["audit"];
    assert_eq!(audit.len(), 1);
    assert_eq!(authority.finish_interrupted().expect("nothing is left"), 0);
}

fn timed_work_finishes_what_stayed_interrupted_for_a_minute(store: &Store) {
    let clock = Clock::fixed(at(60));
    let authority = authority(store, &clock);
    let requestor = anonymous(&authority);
    interrupt(&authority, &requestor, "CN=host.example");

    let early = authority.finish_old_intents().expect("there is nothing");
    assert_eq!(early.progress.done, 0);
    clock.set(at(61));
    let late = authority.finish_old_intents().expect("it is finished");

    assert_eq!(late.progress.done, 1);
    assert!(read(authority.database(), unfinished).is_empty());
}

/// It stays where it is, for people to look at.
fn an_intent_that_cannot_be_finished_stops_no_other(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(5)));
    let requestor = anonymous(&authority);
    let first = interrupt(&authority, &requestor, "CN=first.example");
    let lost = linted("CN=lost.example", &[], at(1));
    let (intended, mut asked) = (lost.clone(), origin("caServerCert"));
    asked.request = Some(entropy::uuid());
    write(authority.database(), move |c| {
        intend(c, &intended, &asked, at(1)).map(drop)
    });
    let last = interrupt(&authority, &requestor, "CN=last.example");

    assert_eq!(authority.finish_interrupted().expect("it goes on"), 2);

    for linted in [first, last] {
        assert!(authority.certificate(linted.serial()).is_ok());
    }
    let left = read(authority.database(), unfinished);
    let left: Vec<_> = left.iter().map(|(intent, _)| intent.serial()).collect();
    assert_eq!(left, [lost.serial()]);
}

/// Instances that start together after a crash find the same intents.
fn those_who_finish_at_once_make_one_certificate(store: &Store) {
    const INTERRUPTED: usize = 12;
    let clock = Clock::fixed(at(5));
    let one = authority(store, &clock);
    let requestor = anonymous(&one);
    let left: Vec<SerialNumber> = (0..INTERRUPTED)
        .map(|n| interrupt(&one, &requestor, &format!("CN=h{n}.example")))
        .map(|linted| linted.serial().clone())
        .collect();
    let audited = contents(one.database())["audit"].len();

    thread::scope(|scope| {
        for _ in 0..4 {
            let one = &one;
            scope.spawn(move || one.finish_interrupted().expect("it is finished"));
        }
    });

    assert!(read(one.database(), unfinished).is_empty());
    for serial in &left {
        let issued = one.certificate(serial).expect("on record");
        let request = issued.origin.request.expect("there was a request");
        let request = one.request(request).expect("on record").request;
        assert_eq!(request.state, State::Complete(serial.clone()));
    }
    let issued = contents(one.database())["audit"].len() - audited;
    assert_eq!(issued, INTERRUPTED);
}

/// One instance starts, and finishes what it finds, while another is at work.
#[test]
fn on_postgresql_a_starting_instance_does_not_disturb_one_at_work() {
    let store = Store::postgres();
    let clock = Clock::fixed(at(5));
    let (working, starting) = (authority(&store, &clock), instance(&store, &clock));
    let done = AtomicBool::new(false);
    let serials: Vec<SerialNumber> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let working = &working;
                scope.spawn(move || {
                    let issue = |n: usize| {
                        let subject = format!("CN=h{n}.t{thread}.example");
                        let request = submit(working, &Caller::system(), &subject).request;
                        let State::Complete(serial) = request.state else {
                            panic!("{:?}: not complete", request.state);
                        };
                        serial
                    };
                    (0..20).map(issue).collect::<Vec<_>>()
                })
            })
            .collect();
        let finisher = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                starting.finish_interrupted().expect("it goes on");
            }
        });
        let joined: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        done.store(true, Ordering::SeqCst);
        finisher
            .join()
            .expect("a starting instance is not stopped by one at work");
        let joined = joined.into_iter();
        joined
            .flat_map(|serials| serials.expect("no panic"))
            .collect()
    });

    assert!(read(working.database(), unfinished).is_empty());
    let rows = contents(working.database());
    assert_eq!(rows["certificates"].len(), serials.len());
    assert_eq!(rows["journal"].len(), serials.len());
    let issued = rows["audit"]
        .iter()
        .filter(|row| row.contains("event=CERT_ISSUED"));
    assert_eq!(issued.count(), serials.len());
    for serial in serials {
        read(working.database(), |c| find(c, &serial));
    }
}

fn a_request_that_is_approved_by_many_gets_one_certificate(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(0)));
    let requestor = anonymous(&authority);
    let agents: Vec<_> = (0..6)
        .map(|number| agent(&authority, &format!("agent{number}")))
        .collect();
    for _ in 0..4 {
        let asked = submit(&authority, &requestor, "CN=host.example");
        let before = contents(authority.database())["certificates"].len();
        let outcomes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = agents
                .iter()
                .map(|agent| {
                    let (authority, asked) = (&authority, &asked);
                    let reviewed = IfMatch::Tags(vec![asked.etag.clone()]);
                    scope.spawn(move || {
                        authority.decide(agent, asked.request.id, &reviewed, APPROVED)
                    })
                })
                .collect();
            let threads = threads.into_iter();
            threads.map(|t| t.join().expect("no panic")).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for outcome in lost {
            assert!(
                matches!(
                    outcome,
                    Err(Error::NotPending { .. } | Error::Precondition(_))
                ),
                "{outcome:?}"
            );
        }
        let rows = contents(authority.database());
        assert_eq!(rows["certificates"].len(), before + 1);
        assert_eq!(rows["journal"].len(), before + 1);
    }
}

/// Whoever asks after a revocation gets a CRL that has it, alone or shared with others who asked.
fn crls_asked_for_at_once_tell_each_what_it_did_before(store: &Store) {
    let clock = Clock::fixed(at(0));
    let authority = authority(store, &clock);
    let (mut made, failed) = ask_for_crls_at_once(&authority);
    assert_eq!(failed, 0);
    made.sort_by_key(|crl| crl.number);
    made.dedup();
    let numbers: Vec<_> = made.iter().map(|crl| crl.number).collect();
    let last = i64::try_from(made.len()).expect("few");
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    assert!(made.is_sorted_by(|one, next| one.this_update < next.this_update));
    let newest = made.last().expect("at least one");
    assert_eq!(newest.entries, i64::try_from(ASKING * ROUNDS).expect("few"));
    assert_eq!(authority.current_crl(HOST).as_ref(), Some(newest));
    assert_eq!(
        instance(store, &clock).current_crl(HOST).as_ref(),
        Some(newest)
    );
    let audit = &contents(authority.database())["audit"];
    let told = audit
        .iter()
        .filter(|row| row.contains("FULL_CRL_GENERATION"));
    assert_eq!(told.count(), made.len());
}

/// What was lost on the way to the disk is not passed on to those who waited for it.
fn a_crl_that_fails_fails_for_nobody_else(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(0)));
    let sql = match authority.is_shared() {
        false => {
            "CREATE TRIGGER odd BEFORE INSERT ON crls WHEN NEW.number % 2 = 1 \
             BEGIN SELECT RAISE(ABORT, 'on purpose'); END"
        }
        true => {
            "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE 'on purpose'; END $$; \
             CREATE TRIGGER odd BEFORE INSERT ON crls FOR EACH ROW \
             WHEN (NEW.number % 2 = 1) EXECUTE FUNCTION odd()"
        }
    };
    write(authority.database(), move |c| execute(c, sql));
    let (made, failed) = ask_for_crls_at_once(&authority);
    assert!(failed > 0 && !made.is_empty());
    assert!(made.iter().all(|crl| crl.number % 2 == 0));
}

const ASKING: usize = 6;
const ROUNDS: usize = 3;

/// Many revoke and ask for a CRL each, at once, and find in it what they revoked; gives the CRLs and
/// how many got none.
fn ask_for_crls_at_once(authority: &Authority) -> (Vec<Arc<Crl>>, usize) {
    let agent = agent(authority, "agent1");
    let done = AtomicBool::new(false);
    let ask = |_: usize| {
        let serial = revoked(authority, &agent);
        let crl = authority.make_crl(&Caller::system(), HOST).ok()?;
        assert!(lists(&crl, &serial), "CRL {}", crl.number);
        Some(crl)
    };
    let answers: Vec<Option<Arc<Crl>>> = thread::scope(|scope| {
        // No two CRLs are of the same second, so let seconds fly.
        scope.spawn(|| {
            let clock = authority.clock();
            while !done.load(Ordering::SeqCst) {
                clock.set(clock.now().plus_seconds(60));
                thread::sleep(Duration::from_millis(1));
            }
        });
        let threads: Vec<_> = (0..ASKING)
            .map(|_| scope.spawn(|| (0..ROUNDS).map(ask).collect::<Vec<_>>()))
            .collect();
        let joined: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        done.store(true, Ordering::SeqCst);
        let joined = joined.into_iter();
        joined.flat_map(|crls| crls.expect("no panic")).collect()
    });
    let made: Vec<_> = answers.into_iter().flatten().collect();
    let failed = ASKING * ROUNDS - made.len();
    (made, failed)
}

/// A new certificate that was revoked.
fn revoked(authority: &Authority, agent: &Caller) -> SerialNumber {
    let request = submit(authority, &Caller::system(), "CN=host.example").request;
    let serial = request.state.serial().expect("it is issued").clone();
    let wanted = StatusRequest::Revoke {
        reason: RevocationReason::Superseded,
        invalidity_date: None,
        note: None,
    };
    let done = authority.change_status(agent, &serial, &IfMatch::Any, &wanted);
    assert!(done.is_ok());
    serial
}

/// Whether the bytes of the serial number stand in the CRL.
fn lists(crl: &Crl, serial: &SerialNumber) -> bool {
    let serial = serial.as_bytes();
    crl.der.windows(serial.len()).any(|bytes| bytes == serial)
}

fn a_clock_that_was_set_back_stops_no_crl(store: &Store) {
    let clock = Clock::fixed(at(86_400));
    let authority = authority(store, &clock);
    let agent = agent(&authority, "agent1");
    let before = authority.make_crl(&Caller::system(), HOST).expect("a CRL");
    clock.set(at(86_400 - 3_600));

    let serial = revoked(&authority, &agent);
    let after = authority.make_crl(&Caller::system(), HOST).expect("a CRL");

    assert!(lists(&after, &serial));
    assert_eq!((before.number, after.number), (1, 2));
    // A client that has the older one must take the newer for the newer.
    assert!(after.this_update > before.this_update);
}

/// Text that an engine cannot keep or look for is refused, never taken for a failure of ours.
fn what_a_client_calls_itself_breaks_nothing(store: &Store) {
    let authority = authority(store, &Clock::fixed(at(0)));
    let caller = anonymous(&authority);
    // SQLite measures a pattern only when there is something to match it with.
    submit(&authority, &Caller::system(), "CN=some.example");
    let long = "a".repeat(60_000);
    for name in [
        "Zoë 證書 🦀",
        "a\0b",
        "'; DROP TABLE requests; --",
        "\u{202e}x\u{7f}",
        &long,
    ] {
        let mut submission = submission("CN=host.example", &[]);
        submission.requestor = Some(Requestor {
            name: Some(name.into()),
            ..Requestor::default()
        });
        let shown: String = name.chars().take(40).collect();
        match authority.submit(&caller, submission) {
            Ok(kept) => {
                let found = authority.request(kept.request.id).expect("on record");
                assert_eq!(found.request.requestor, kept.request.requestor);
            }
            Err(Error::NotAcceptable(_)) => {}
            Err(error) => panic!("{shown:?}: {error:?}"),
        }
        let filter = requests::Filter {
            requestor: Some(name.into()),
            ..requests::Filter::default()
        };
        let listed = authority.requests(&filter, None, 10).map(drop);
        let well = |done: &Result<(), Error>| matches!(done, Ok(()) | Err(Error::NotAcceptable(_)));
        assert!(well(&listed), "{shown:?}: {listed:?}");
        let filter = Filter {
            subject: Some(name.into()),
            ..Filter::default()
        };
        let listed = authority.certificates(&filter, None, 10).map(drop);
        assert!(well(&listed), "{shown:?}: {listed:?}");
    }
}
