//! CRLs: full, delta and in parts, judged by others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ca::store;
use common::clock::{Clock, Timestamp};
use common::db::{Database, Location};
use common::on;
use diesel::connection::SimpleConnection;
use serde_json::Value;
use tests::foreign::{
    KeyKind, Said, Verdict, certificate_extension, crl_is_accepted, gnutls_verdict, java_verdict,
    nss_ocsp, nss_takes_no_crl_with_a_scope, openssl, openssl_csr, openssl_verdict, path,
    pkilint_crl,
};
use tests::world::{World, eventually, expect_all, text};

/// Certificates of keys of their own, so that they spread over the parts.
fn issue(world: &World, count: usize) -> Vec<String> {
    let names = (0..count).map(|number| format!("h{number}"));
    let issued = names.map(|name| {
        let subject = format!("/CN={name}.example");
        let csr = openssl_csr(world.dir(), &name, KeyKind::P256, &subject, &[]);
        world.issue(&csr.der)
    });
    issued.collect()
}

/// Where a certificate says that its CRL is.
fn distribution_point(pem: &Path) -> String {
    let printed = certificate_extension(pem, "crlDistributionPoints");
    let url = printed.split("URI:").nth(1).expect("there is one");
    url.trim().to_owned()
}

/// Fetches a CRL and gives its file.
fn fetch(world: &World, url: &str) -> PathBuf {
    let answer = world.call("GET", url).send().with_status(200);
    let name = url.rsplit('/').next().expect("a URL has a path");
    let file = world.dir().join(name);
    fs::write(&file, &answer.body).expect("the scratch folder is writable");
    file
}

fn printed(crl: &Path) -> String {
    openssl(&["crl", "-inform", "DER", "-noout", "-text", "-in", path(crl)])
}

/// The URLs of the CRL's scope, and whether a client must understand it.
fn scope(crl: &Path) -> Vec<String> {
    let text = printed(crl);
    let scope = text.split("X509v3 Issuing Distribution Point: critical");
    let scope = scope.skip(1).flat_map(str::lines).skip(1);
    let names = scope
        .map(str::trim)
        .skip_while(|line| *line != "Full Name:");
    let urls = names.skip(1).map_while(|line| line.strip_prefix("URI:"));
    urls.map(str::to_owned).collect()
}

fn serials(crl: &Path) -> BTreeSet<String> {
    let text = printed(crl).to_lowercase();
    let list = text.split("    serial number: ").skip(1);
    let serial = |entry: &str| entry.lines().next().unwrap_or_default().to_owned();
    list.map(serial).collect()
}

fn make(world: &World, query: &str) -> Value {
    let made = world.post(&format!("/pki/crl{query}")).as_user("agent1");
    made.send().with_status(200).json()
}

fn revoke(world: &World, serial: &str, reason: &str) {
    let change = format!(r#"{{"status":"revoked","reason":"{reason}"}}"#);
    world.change_status(serial, &change).with_status(200);
}

#[test]
fn parts_together_list_what_the_full_crl_lists() {
    const PARTS: usize = 4;
    let world = World::up_with(&["--crl-shards", "4"]);
    let issued = issue(&world, 12);
    let revoked: BTreeSet<String> = issued.iter().step_by(2).cloned().collect();
    revoked
        .iter()
        .for_each(|serial| revoke(&world, serial, "superseded"));
    let full = format!("{}/crl/host.crl", world.http());
    make(&world, "");

    let mut union = BTreeSet::new();
    for part in 0..PARTS {
        let made = make(&world, &format!("?shard={part}"));
        assert_eq!(made["shard"], part);
        assert_eq!(made["kind"], "full");
        let url = format!("{}/crl/host-{part}.crl", world.http());
        let file = fetch(&world, &url);
        assert_eq!(scope(&file), [url]);
        crl_is_accepted(&world.ca_pem(), &file);
        pkilint_crl(&file);
        union.append(&mut serials(&file));
    }
    let file = fetch(&world, &full);
    pkilint_crl(&file);
    assert_eq!(union, revoked);
    assert_eq!(serials(&file), revoked);
    // It is for those who name a part, and for those who name it.
    assert_eq!(scope(&file).len(), PARTS + 1);
    assert!(scope(&file).contains(&full));

    let places: BTreeSet<_> = issued
        .iter()
        .map(|serial| distribution_point(&world.save_certificate(serial)))
        .collect();
    assert!(places.len() > 1, "they are spread: {places:?}");
    for serial in &issued {
        let leaf = world.save_certificate(serial);
        let own = distribution_point(&leaf);
        let verdict = match revoked.contains(serial) {
            true => Verdict::Revoked,
            false => Verdict::Good,
        };
        let by = |url: &str| {
            let crl = fetch(&world, url);
            openssl_verdict(&world.ca_pem(), &[], &[&crl], &leaf, None)
        };
        assert_eq!(by(&own), verdict);
        assert_eq!(by(&full), verdict);
        let other = places.iter().find(|place| **place != own);
        assert_eq!(by(other.expect("there are several")), Verdict::Undecided);
    }
    for missing in ["host-4.crl", "host--1.crl", "host-00.crl", "host-delta.crl"] {
        let url = format!("{}/crl/{missing}", world.http());
        world.call("GET", &url).send().problem(404);
    }
    world.get("/pki/crl?shard=4").send().problem(404);
    world.get("/pki/crl?shard=full").send().problem(422);
}

#[test]
fn a_change_shows_in_the_part_within_a_second() {
    let world = World::up_with(&["--crl-shards", "3"]);
    let serial = issue(&world, 1).remove(0);
    let url = distribution_point(&world.save_certificate(&serial));
    revoke(&world, &serial, "superseded");
    let shown = eventually(Duration::from_millis(2_000), || {
        serials(&fetch(&world, &url)).contains(&serial)
    });
    assert!(shown);
}

/// Whatever is set later: a URL that was written into a certificate is answered, and in scope.
#[test]
fn every_url_ever_written_stays_alive_and_in_scope() {
    let mut world = World::up_with(&["--crl-shards", "3"]);
    let issued = issue(&world, 4);
    let leaves: Vec<_> = issued
        .iter()
        .map(|serial| world.save_certificate(serial))
        .collect();
    revoke(&world, &issued[0], "superseded");
    let place = distribution_point(&leaves[0]);
    assert!(eventually(Duration::from_secs(3), || {
        serials(&fetch(&world, &place)).contains(&issued[0])
    }));

    for shards in ["0", "2", "5"] {
        world.restart_with(&["--crl-shards", shards]);
        for (leaf, verdict) in leaves.iter().zip([Verdict::Revoked, Verdict::Good]) {
            let crl = fetch(&world, &distribution_point(leaf));
            let found = openssl_verdict(&world.ca_pem(), &[], &[&crl], leaf, None);
            assert_eq!(found, verdict, "{shards}");
        }
    }
    // The same CRL under another name: both are in its scope.
    let leaf = &leaves[0];
    let elsewhere = format!(
        "http://localhost:{}",
        world.http().rsplit(':').next().expect("a port")
    );
    world.restart_with(&["--crl-shards", "0", "--public-http-url", &elsewhere]);
    let crl = fetch(&world, &distribution_point(leaf));
    let found = openssl_verdict(&world.ca_pem(), &[], &[&crl], leaf, None);
    assert_eq!(found, Verdict::Revoked);
    assert!(scope(&fetch(&world, &format!("{}/crl/host.crl", world.http()))).len() > 1);
}

#[test]
fn a_delta_adds_to_its_base_what_has_changed_since() {
    let world = World::up_with(&["--crl-delta", "true", "--crl-on-revocation", "false"]);
    let issued = issue(&world, 4);
    let [before, held, after, good] = [0, 1, 2, 3].map(|n| issued[n].clone());
    revoke(&world, &before, "superseded");
    let hold = |serial: &str| {
        let change = world.change_status(serial, r#"{"status":"on_hold"}"#);
        change.with_status(200);
    };
    hold(&held);
    // The first one is the base of the schedule; it is from the start, with nothing on it.
    let base = make(&world, "");
    let full = fetch(&world, &format!("{}/crl/host.crl", world.http()));
    assert!(printed(&full).contains("X509v3 Freshest CRL"));
    world
        .change_status(&held, r#"{"status":"valid"}"#)
        .with_status(200);
    revoke(&world, &after, "key_compromise");

    let made = make(&world, "?kind=delta");

    assert_eq!(made["kind"], "delta");
    let number = |crl: &Value| text(&crl["number"]).parse::<u64>().expect("a number");
    assert!(number(&made) > number(&base));
    let delta = fetch(&world, &format!("{}/crl/host-delta.crl", world.http()));
    crl_is_accepted(&world.ca_pem(), &delta);
    for crl in [&full, &delta] {
        pkilint_crl(crl);
        assert_eq!(scope(crl), [format!("{}/crl/host.crl", world.http())]);
    }
    let text = printed(&delta);
    assert!(
        text.contains("X509v3 Delta CRL Indicator: critical"),
        "{text}"
    );
    assert!(text.contains("Remove From CRL"), "{text}");

    let found = [
        (&before, Verdict::Revoked, Verdict::Revoked),
        (&held, Verdict::Revoked, Verdict::Good),
        (&after, Verdict::Good, Verdict::Revoked),
        (&good, Verdict::Good, Verdict::Good),
    ];
    let found = found.map(|(serial, by_full, by_both)| {
        let leaf = world.save_certificate(serial);
        let ca = world.ca_pem();
        let by = |crls: &[&Path]| openssl_verdict(&ca, &[], crls, &leaf, None);
        let came = (by(&[&full]), by(&[&full, &delta]));
        (serial.clone(), came, (by_full, by_both))
    });
    expect_all(found);
}

/// NSS goes by OCSP, and GnuTLS knows no deltas.
#[test]
fn openssl_gnutls_nss_and_java_agree_with_us() {
    let world = World::up_with(&["--crl-shards", "2", "--crl-delta", "true"]);
    let issued = issue(&world, 4);
    let names = ["good", "revoked", "held", "released"];
    for (serial, name) in issued.iter().zip(names) {
        match name {
            "revoked" => revoke(&world, serial, "key_compromise"),
            "held" | "released" => {
                let hold = world.change_status(serial, r#"{"status":"on_hold"}"#);
                hold.with_status(200);
            }
            _ => {}
        }
    }
    let released = world.change_status(&issued[3], r#"{"status":"valid"}"#);
    released.with_status(200);
    for query in ["", "?kind=delta", "?shard=0", "?shard=1"] {
        make(&world, query);
    }
    let ca = world.ca_pem();
    let full = fetch(&world, &format!("{}/crl/host.crl", world.http()));
    let delta = fetch(&world, &format!("{}/crl/host-delta.crl", world.http()));
    let late = Clock::System.now().plus_days(30);

    let mut found = Vec::new();
    for (serial, name) in issued.iter().zip(names) {
        let leaf = world.save_certificate(serial);
        let expected = match name {
            "revoked" | "held" => Verdict::Revoked,
            _ => Verdict::Good,
        };
        let part = fetch(&world, &distribution_point(&leaf));
        let both = [full.as_path(), &delta];
        for (case, crls) in [
            ("full", &both[..1]),
            ("full and delta", &both[..]),
            ("part", &[part.as_path()]),
        ] {
            let case = |tool: &str| format!("{tool}: {name}, {case}");
            let by = openssl_verdict(&ca, &[], crls, &leaf, None);
            found.push((case("openssl"), by, expected));
            let by = java_verdict(&ca, &[], crls, &leaf, None);
            found.push((case("java"), by, expected));
            // It knows no deltas.
            if let [crl] = crls {
                let by = gnutls_verdict(&ca, &[], crl, &leaf);
                found.push((case("gnutls"), by, expected));
            }
        }
        let said = match nss_ocsp(&ca, &leaf, &world.ocsp_url()) {
            Said::Good => Verdict::Good,
            Said::Revoked => Verdict::Revoked,
            Said::Unknown => Verdict::Undecided,
        };
        found.push((format!("nss: {name}, OCSP"), said, expected));
        let case = |tool: &str| format!("{tool}: {name}, expired");
        let by = openssl_verdict(&ca, &[], &[&full], &leaf, Some(late));
        found.push((case("openssl"), by, Verdict::Undecided));
        let by = java_verdict(&ca, &[], &[&full], &leaf, Some(late));
        found.push((case("java"), by, Verdict::Undecided));
    }
    expect_all(found);
    for crl in [&full, &delta] {
        nss_takes_no_crl_with_a_scope(&ca, crl);
    }
}

/// Better none than one that has ended: a CA that cannot make CRLs says so.
#[test]
fn an_expired_crl_is_never_served() {
    let mut world = World::up();
    world.stop();
    let end: Timestamp = Clock::System.now().plus_seconds(6);
    let sql = format!(
        "UPDATE crls SET next_update = {}; \
         CREATE TRIGGER full BEFORE INSERT ON crls BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
        end.micros()
    );
    change_database(&world, &sql);
    world.start_again();
    let plain = format!("{}/crl/host.crl", world.http());
    let status = |url: &str| world.call("GET", url).send().status;
    assert!(Clock::System.now() >= end || status(&plain) == 200);

    let ended = eventually(Duration::from_secs(20), || status(&plain) == 503);

    assert!(ended);
    assert!(Clock::System.now() >= end);
    for url in ["/pki/crl", &plain] {
        let answer = world.call("GET", url).send();
        answer.problem(503);
        assert!(answer.header("retry-after").is_some());
    }
    let job = world.get("/pki/job/crl-host").as_user("admin").send();
    assert_eq!(job.with_status(200).json()["status"], "failed");
    // The cause is removed: it comes back by itself.
    world.stop();
    change_database(&world, "DROP TRIGGER full");
    world.start_again();
    let status = world.call("GET", &plain).send().status;
    assert_eq!(status, 200);
}

fn change_database(world: &World, sql: &str) {
    let location = Location::Sqlite(world.data().join("ca/ca.db"));
    let database: Database = store::open(&location).expect("it opens");
    let sql = sql.to_owned();
    let changed = database.write("test", move |c| {
        Ok::<_, ca::Error>(on!(c, |c| c.batch_execute(&sql))?)
    });
    changed.expect("it is changed");
}
