//! Revoking many at once: planned, done in batches, finished after a crash.

use std::fs;
use std::process::Command;
use std::time::Duration;

use ca::store;
use common::db::Location;
use common::on;
use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl};
use serde_json::{Value, json};
use tests::foreign::{KeyKind, openssl_csr, path};
use tests::world::{Answer, World, eventually, expect_all, program, text};

fn order(world: &World, order: &Value) -> Answer {
    let call = world.post("/pki/revocations").as_user("admin");
    call.json(&order.to_string()).send()
}

fn finished(world: &World, answer: &Answer) -> Value {
    let link = text(&answer.json()["job"]["link"]).to_owned();
    assert_eq!(answer.header("location").as_deref(), Some(link.as_str()));
    let job = || world.get(&link).as_user("admin").send().json();
    let done = eventually(Duration::from_secs(60), || job()["status"] == "complete");
    assert!(done, "{}", job());
    job()
}

fn issue(world: &World, name: &str) -> String {
    let subject = format!("/CN={name}.example");
    world.issue(&openssl_csr(world.dir(), name, KeyKind::P256, &subject, &[]).der)
}

fn status(world: &World, serial: &str) -> Value {
    let shown = world.get(&format!("/pki/certificate/{serial}/status"));
    shown.send().with_status(200).json()
}

#[test]
fn a_dry_run_counts_and_an_order_revokes_what_it_counted() {
    let world = World::up();
    let [one, two, held, gone, other] =
        ["one", "two", "held", "gone", "other"].map(|name| issue(&world, name));
    world
        .change_status(&held, r#"{"status":"on_hold"}"#)
        .with_status(200);
    world
        .change_status(&gone, r#"{"status":"revoked"}"#)
        .with_status(200);
    let serials = json!([one, two, held, gone]);
    let wanted = json!({"serials": serials, "reason": "superseded", "note": "moved"});

    let mut tried = wanted.clone();
    tried["dry_run"] = json!(true);
    let plan = order(&world, &tried).with_status(200).json();
    assert_eq!(plan["count"], 3);
    assert_eq!(plan["sample"].as_array().map(Vec::len), Some(3));
    let again = world.post("/pki/revocations?dry_run=true").as_user("admin");
    let again = again.json(&wanted.to_string()).send().with_status(200);
    assert_eq!(again.json()["count"], 3);
    assert_eq!(status(&world, &one)["status"], "valid");

    let answer = order(&world, &wanted).with_status(202);
    assert_eq!(answer.json()["count"], 3);
    let job = finished(&world, &answer);

    assert_eq!(
        (&job["done"], &job["total"], &job["errors"]),
        (&json!(3), &json!(3), &json!(0))
    );
    for serial in [&one, &two, &held] {
        assert_eq!(status(&world, serial)["reason"], "superseded");
    }
    assert!(
        status(&world, &gone)
            .get("reason")
            .is_none_or(|r| r == "unspecified")
    );
    assert_eq!(status(&world, &other)["status"], "valid");
    // Nothing is left to do.
    let rest = order(&world, &wanted).with_status(202);
    assert_eq!(rest.json()["count"], 0);
    assert_eq!(finished(&world, &rest)["done"], 0);
}

#[test]
fn an_order_names_certificates_by_what_they_have_in_common() {
    let world = World::up();
    let [one, two] = ["one", "two"].map(|name| issue(&world, name));
    let shown = world.get(&format!("/pki/certificate/{one}")).send().json();
    let key = text(&shown["key"]["spki_sha256"]).to_owned();
    let count = |mut wanted: Value| {
        wanted["dry_run"] = json!(true);
        let plan = order(&world, &wanted).with_status(200).json();
        plan["count"].as_u64().expect("a number")
    };
    assert_eq!(count(json!({"profile": "caAgentServerCert"})), 2);
    assert_eq!(count(json!({"spki_sha256": key})), 1);
    let future = "2999-01-01T00:00:00Z";
    assert_eq!(
        count(json!({"profile": "caAgentServerCert", "issued_after": future})),
        0
    );
    assert_eq!(
        count(json!({"profile": "caAgentServerCert", "issued_before": future})),
        2
    );
    assert_eq!(
        count(json!({"profile": "caAgentServerCert", "spki_sha256": key})),
        1
    );
    // The CA's own certificate is spared unless it is named.
    assert_eq!(count(json!({"profile": "caCACert"})), 0);
    let all = count(json!({"authority": "host"}));
    assert!(all > 2, "our services have certificates, too: {all}");

    let refused = [
        (json!({}), "serials"),
        (json!({"reason": "superseded"}), "serials"),
        (json!({"serials": []}), "serials"),
        (json!({"serials": ["xyz"]}), "serials"),
        (json!({"serials": ["7f"]}), "serials"),
        (json!({"spki_sha256": "00"}), "spki_sha256"),
        (json!({"authority": "nobody"}), "authority"),
        (json!({"profile": "x", "reason": "boredom"}), "reason"),
        (
            json!({"profile": "x", "invalidity_date": future}),
            "invalidity_date",
        ),
        (json!({"profile": "x", "colour": "red"}), "colour"),
    ];
    expect_all(refused.map(|(wanted, field)| {
        let answer = order(&world, &wanted);
        answer.problem(422);
        (
            wanted.to_string(),
            answer.violated_fields(),
            vec![field.to_owned()],
        )
    }));
    for serial in [one, two] {
        assert_eq!(status(&world, &serial)["status"], "valid");
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Certificates of a profile of their own, by copying one in the database.
fn copy(world: &mut World, serial: &str, count: i64) {
    world.stop();
    let database = store::open(&Location::Sqlite(world.data().join("ca/ca.db"))).expect("it opens");
    let sql = format!(
        "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < {count}) SELECT i, CAST(printf('@%017d', i) AS BLOB) AS serial FROM n;
         INSERT INTO statuses (serial, authority, status, changed_at, not_after) \
         SELECT n.serial, authority, 0, changed_at, not_after FROM statuses s, n \
         WHERE s.serial = x'{serial}';
         INSERT INTO certificates (serial, authority, profile, profile_version, approved_by, \
         subject, subject_lower, issuer, spki_sha256, not_before, not_after, issued_at, der) \
         SELECT n.serial, authority, 'copied', profile_version, approved_by, subject, \
         subject_lower, issuer, spki_sha256, not_before, not_after, issued_at, der \
         FROM certificates c, n WHERE c.serial = x'{serial}';"
    );
    let copied = database.write("test", move |c| {
        Ok::<_, ca::Error>(on!(c, |c| c.batch_execute(&sql))?)
    });
    copied.expect("they are copied");
    drop(database);
    world.start_again();
}

fn counted(world: &World, sql: &str) -> i64 {
    let location = Location::Sqlite(world.data().join("ca/ca.db"));
    let database = store::open(&location).expect("it opens");
    let found: Result<Vec<Count>, ca::Error> =
        database.read(|c| Ok(on!(c, |c| diesel::sql_query(sql).load(c))?));
    found.expect("it is counted")[0].count
}

/// A job goes on where a crash stopped it, and does nothing twice.
#[test]
fn an_order_survives_kill_9() {
    const COPIES: i64 = 6_000;
    let mut world = World::up();
    let serial = issue(&world, "one");
    copy(&mut world, &serial, COPIES);
    let answer = order(&world, &json!({"profile": "copied"})).with_status(202);
    assert_eq!(answer.json()["count"], COPIES);
    let link = text(&answer.json()["job"]["link"]).to_owned();
    let job = |world: &World| world.get(&link).as_user("admin").send().json();
    let begun = eventually(Duration::from_secs(20), || {
        job(&world)["done"].as_i64().is_some_and(|done| done > 0)
    });
    assert!(begun);
    world.crash_and_restart();
    let before = job(&world);
    assert_eq!(before["total"], COPIES);

    let job = finished(&world, &answer);

    assert_eq!(job["done"], COPIES);
    assert_eq!(
        counted(
            &world,
            "SELECT COUNT(*) AS count FROM statuses WHERE status = 2"
        ),
        COPIES
    );
    // Each once.
    for sql in [
        "SELECT COUNT(*) AS count FROM journal WHERE status = 2",
        "SELECT COUNT(DISTINCT serial) AS count FROM journal WHERE status = 2",
        "SELECT COUNT(*) AS count FROM audit WHERE event = 'CERT_STATUS_CHANGE_REQUEST_PROCESSED'",
    ] {
        assert_eq!(counted(&world, sql), COPIES, "{sql}");
    }
}

#[test]
fn the_command_line_tries_first_and_waits_for_the_end() {
    let world = World::up();
    let serials = ["one", "two"].map(|name| issue(&world, name));
    let run = |more: &[&str]| {
        let mut chancery = Command::new(program("chancery"));
        chancery.args(["--url", &world.https(), "--ca-file", path(&world.ca_pem())]);
        chancery.args(["--credential", path(&world.credential("admin")), "--json"]);
        chancery.args(["cert", "revoke-many", "--profile", "caAgentServerCert"]);
        let ran = chancery.args(more).output().expect("it runs");
        let (out, err) = (
            ran.stdout,
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        );
        assert!(ran.status.success(), "{err}");
        // A progress bar is for terminals.
        assert_eq!(err, "");
        serde_json::from_slice::<Value>(&out).expect("JSON")
    };
    assert_eq!(run(&["--dry-run"])["count"], 2);
    let done = run(&["--reason", "superseded"]);
    assert_eq!(
        (&done["status"], &done["done"]),
        (&json!("complete"), &json!(2))
    );
    for serial in serials {
        assert_eq!(status(&world, &serial)["reason"], "superseded");
    }
    fs::metadata(world.data()).expect("the world is still there");
}
