//! Revoking, holding and releasing, as everybody else sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::clock::Timestamp;
use serde_json::json;

use tests::foreign::{
    KeyKind, OpensslCsr, Said, certificate_is_revoked_by_crl, certificate_passes_crl,
    crl_is_accepted, gnutls_ocsp, nss_ocsp, openssl, openssl_csr, openssl_ocsp,
    openssl_ocsp_request, openssl_ocsp_text, openssl_with_input, path, pkilint_crl,
};
use tests::world::{World, eventually, text};

/// The contract: what an agent changes shows in OCSP within a second of the answer.
const OCSP_LIMIT: Duration = Duration::from_secs(1);

/// The contract: a new CRL within a second of a change; the rest is for fetching it.
const CRL_LIMIT: Duration = Duration::from_millis(1_200);

/// Every reason that a client may give: as OpenSSL writes it of a CRL, and its number, since not
/// every OpenSSL has words for all of them in OCSP.
const REASONS: [(&str, &str, &str); 8] = [
    ("unspecified", "", "0x0"),
    ("key_compromise", "Key Compromise", "0x1"),
    ("ca_compromise", "CA Compromise", "0x2"),
    ("affiliation_changed", "Affiliation Changed", "0x3"),
    ("superseded", "Superseded", "0x4"),
    ("cessation_of_operation", "Cessation Of Operation", "0x5"),
    ("privilege_withdrawn", "Privilege Withdrawn", "0x9"),
    ("aa_compromise", "AA Compromise", "0xa"),
];

#[test]
fn a_revocation_shows_everywhere_within_a_second() {
    let world = World::up();
    let serial = world.issue(&csr(&world).der);
    let leaf = world.save_certificate(&serial);
    let ca = world.ca_pem();
    assert_eq!(asked(&world, &leaf), Said::Good);
    certificate_passes_crl(&ca, &world.save_crl(), &leaf);
    let number = crl_number(&world);

    let answer = world
        .change_status(
            &serial,
            r#"{"status":"revoked","reason":"key_compromise","note":"lost"}"#,
        )
        .with_status(200)
        .json();
    assert!(
        eventually(OCSP_LIMIT, || asked(&world, &leaf) == Said::Revoked),
        "OCSP says so within a second"
    );
    assert!(
        eventually(CRL_LIMIT, || crl_entry(&world, &serial).is_some()),
        "the CRL says so within a second"
    );

    assert_eq!(answer["status"], "revoked");
    assert_eq!(answer["reason"], "key_compromise");
    let at: Timestamp = text(&answer["at"]).parse().expect("a time");
    for place in ["ocsp", "crl"] {
        let visible: Timestamp = text(&answer["visible"][place]).parse().expect("a time");
        assert!((0..=2).contains(&(visible.seconds() - at.seconds())));
    }
    let mut status = answer.clone();
    status.as_object_mut().expect("an object").remove("visible");
    let shown = world.get(&format!("/pki/certificate/{serial}/status"));
    assert_eq!(shown.send().with_status(200).json(), status);
    let shown = world.get(&format!("/pki/certificate/{serial}")).send();
    assert_eq!(shown.json()["status"], "revoked");

    assert_eq!(
        gnutls_ocsp(&ca, &ca, &leaf, &world.ocsp_url()),
        Said::Revoked
    );
    assert_eq!(nss_ocsp(&ca, &leaf, &world.ocsp_url()), Said::Revoked);
    let crl = world.save_crl();
    crl_is_accepted(&ca, &crl);
    pkilint_crl(&crl);
    certificate_is_revoked_by_crl(&ca, &crl, &leaf);
    assert!(crl_number(&world) > number);

    // It is final.
    for change in [
        r#"{"status":"revoked","reason":"superseded"}"#,
        r#"{"status":"on_hold"}"#,
        r#"{"status":"valid"}"#,
    ] {
        world.change_status(&serial, change).problem(409);
    }
    let shown = world.get(&format!("/pki/certificate/{serial}/status"));
    assert_eq!(shown.send().json(), status);
}

#[test]
fn every_reason_is_told_by_status_ocsp_and_crl() {
    let world = World::up();
    let csr = csr(&world);
    // All before the first, since a compromised key gets no certificate.
    let serials = REASONS.map(|_| world.issue(&csr.der));
    let silent = world.issue(&csr.der);
    let revoked: Vec<_> = REASONS
        .iter()
        .zip(serials)
        .map(|((reason, words, number), serial)| {
            let change = json!({"status": "revoked", "reason": reason});
            let answer = world.change_status(&serial, &change.to_string());
            assert_eq!(answer.with_status(200).json()["reason"], *reason);
            (serial, *words, *number)
        })
        .collect();
    let answer = world.change_status(&silent, r#"{"status":"revoked"}"#);
    assert_eq!(answer.with_status(200).json()["reason"], "unspecified");

    make_crl(&world);
    for (serial, words, number) in revoked.iter().chain([&(silent, "", "0x0")]) {
        let entry = crl_entry(&world, serial).expect("it is on the CRL");
        let ocsp = ocsp_text(&world, serial);
        assert!(ocsp.contains("Cert Status: revoked\n"), "{ocsp}");
        if words.is_empty() {
            // RFC 5280 §5.3.1: unspecified is told by silence.
            assert!(!entry.contains("Reason Code"), "{entry}");
            assert!(!ocsp.contains("Revocation Reason"), "{ocsp}");
        } else {
            assert_eq!(extension(&entry, "X509v3 CRL Reason Code"), Some(*words));
            let told = ocsp
                .lines()
                .find(|line| line.contains("Revocation Reason: "));
            let told = told.expect("OCSP gives the reason");
            assert!(told.ends_with(&format!("({number})")), "{told}");
        }
    }
    let crl = world.save_crl();
    crl_is_accepted(&world.ca_pem(), &crl);
    pkilint_crl(&crl);
}

#[test]
fn a_hold_is_told_and_can_be_released() {
    let world = World::up();
    let serial = world.issue(&csr(&world).der);
    let leaf = world.save_certificate(&serial);
    let ca = world.ca_pem();

    let held = world
        .change_status(&serial, r#"{"status":"on_hold"}"#)
        .with_status(200)
        .json();
    assert!(eventually(OCSP_LIMIT, || asked(&world, &leaf) == Said::Revoked));
    assert!(eventually(CRL_LIMIT, || crl_entry(&world, &serial).is_some()));

    assert_eq!(held["status"], "on_hold");
    assert!(held.get("reason").is_none());
    let entry = crl_entry(&world, &serial).expect("it is on the CRL");
    assert_eq!(
        extension(&entry, "X509v3 CRL Reason Code"),
        Some("Certificate Hold")
    );
    let ocsp = ocsp_text(&world, &serial);
    assert!(
        ocsp.contains("Revocation Reason: certificateHold"),
        "{ocsp}"
    );
    assert_eq!(nss_ocsp(&ca, &leaf, &world.ocsp_url()), Said::Revoked);
    let crl = world.save_crl();
    pkilint_crl(&crl);
    certificate_is_revoked_by_crl(&ca, &crl, &leaf);
    world
        .change_status(&serial, r#"{"status":"on_hold"}"#)
        .problem(409);

    let released = world
        .change_status(&serial, r#"{"status":"valid"}"#)
        .with_status(200)
        .json();
    assert!(eventually(OCSP_LIMIT, || asked(&world, &leaf) == Said::Good));
    assert!(eventually(CRL_LIMIT, || crl_entry(&world, &serial).is_none()));

    assert_eq!(released["status"], "valid");
    assert!(released.get("at").is_none());
    assert_eq!(gnutls_ocsp(&ca, &ca, &leaf, &world.ocsp_url()), Said::Good);
    assert_eq!(nss_ocsp(&ca, &leaf, &world.ocsp_url()), Said::Good);
    let crl = world.save_crl();
    crl_is_accepted(&ca, &crl);
    certificate_passes_crl(&ca, &crl, &leaf);
    world
        .change_status(&serial, r#"{"status":"valid"}"#)
        .problem(409);
}

#[test]
fn a_hold_can_become_a_revocation_directly() {
    let world = World::up();
    let serial = world.issue(&csr(&world).der);
    world
        .change_status(&serial, r#"{"status":"on_hold"}"#)
        .with_status(200);
    make_crl(&world);
    let held = crl_entry(&world, &serial).expect("it is on the CRL");
    assert!(held.contains("Certificate Hold"));

    let change = r#"{"status":"revoked","reason":"cessation_of_operation"}"#;
    let revoked = world.change_status(&serial, change).with_status(200).json();

    assert_eq!(revoked["status"], "revoked");
    make_crl(&world);
    let entry = crl_entry(&world, &serial).expect("it is still on the CRL");
    assert_eq!(
        extension(&entry, "X509v3 CRL Reason Code"),
        Some("Cessation Of Operation")
    );
    assert!(ocsp_text(&world, &serial).contains("Revocation Reason: cessationOfOperation"));
    world
        .change_status(&serial, r#"{"status":"valid"}"#)
        .problem(409);
}

#[test]
fn the_invalidity_date_stands_in_the_status_and_in_the_crl() {
    let world = World::up();
    let serial = world.issue(&csr(&world).der);
    let change = |date: &str| {
        json!({"status": "revoked", "reason": "key_compromise", "invalidity_date": date})
            .to_string()
    };
    // A key cannot be known to become unsafe.
    let refused = world.change_status(&serial, &change("2999-01-01T00:00:00Z"));
    refused.problem(422);
    assert_eq!(refused.violated_fields(), ["invalidity_date"]);

    let answer = world.change_status(&serial, &change("2026-01-31T12:30:45Z"));
    let answer = answer.with_status(200).json();

    assert_eq!(answer["invalidity_date"], "2026-01-31T12:30:45Z");
    let shown = world
        .get(&format!("/pki/certificate/{serial}/status"))
        .send();
    assert_eq!(shown.json()["invalidity_date"], "2026-01-31T12:30:45Z");
    make_crl(&world);
    let entry = crl_entry(&world, &serial).expect("it is on the CRL");
    assert_eq!(
        extension(&entry, "Invalidity Date"),
        Some("Jan 31 12:30:45 2026 GMT")
    );
    pkilint_crl(&world.save_crl());
}

#[test]
fn the_crl_comes_in_three_forms_with_what_caches_need() {
    let world = World::up();
    // What the start itself had to publish is out after this one, so nothing changes any more.
    make_crl(&world);
    let der = fs::read(world.save_crl()).expect("it was just saved");
    let plain = format!("{}/crl/host.crl", world.http());
    let pem = openssl_with_input(&["crl", "-inform", "DER"], &der);
    let shown = world.get("/pki/crl").send().with_status(200).json();
    assert_eq!(shown["authority"], "host");
    assert_eq!(shown["kind"], "full");
    assert_eq!(shown["entries_count"], 0);
    assert_eq!(text(&shown["pem"]).as_bytes(), pem);
    let printed = openssl_with_input(
        &[
            "crl",
            "-inform",
            "DER",
            "-noout",
            "-crlnumber",
            "-lastupdate",
            "-nextupdate",
            "-dateopt",
            "iso_8601",
        ],
        &der,
    );
    let printed = String::from_utf8_lossy(&printed);
    let number: u64 = text(&shown["number"]).parse().expect("a number");
    let zoned = |name: &str| text(&shown[name]).replace('T', " ");
    for line in [
        format!("crlNumber=0x{number:02X}"),
        format!("lastUpdate={}", zoned("this_update")),
        format!("nextUpdate={}", zoned("next_update")),
    ] {
        assert!(printed.lines().any(|l| l == line), "{line} in\n{printed}");
    }

    // The scope is the URL of the certificates' distribution points (RFC 5280 §6.3.3).
    let printed = openssl_with_input(&["crl", "-inform", "DER", "-noout", "-text"], &der);
    let printed = String::from_utf8_lossy(&printed);
    let scope = printed
        .split("X509v3 Issuing Distribution Point: critical")
        .nth(1);
    let scope = scope.unwrap_or_else(|| panic!("it has a scope: {printed}"));
    assert!(scope.contains(&format!("URI:{plain}\n")), "{printed}");

    for (url, media_type, body) in [
        ("/pki/crl", "application/x-pem-file", &pem),
        ("/pki/crl", "application/pkix-crl", &der),
        (
            "/pki/crl?authority=host&kind=full",
            "application/pkix-crl",
            &der,
        ),
        (plain.as_str(), "application/pkix-crl", &der),
    ] {
        let get = || world.get(url).header("Accept", media_type);
        let answer = get().send().with_status(200);
        assert_eq!(answer.header("content-type").as_deref(), Some(media_type));
        assert_eq!(&answer.body, body, "{url}");
        let etag = answer.header("etag").expect("CRLs change");
        assert!(etag.starts_with('"'), "{etag} is strong");
        let modified = answer.header("last-modified").expect("CRLs have a time");
        assert!(modified.ends_with(" GMT"), "{modified}");
        let cache = answer.header("cache-control").expect("caches are told");
        assert!(cache.contains("max-age="), "{cache}");

        let again = get().header("If-None-Match", &etag).send().with_status(304);
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), Some(etag));
        // RFC 9110 §15.4.5.
        assert!(again.header("cache-control").is_some(), "{url}");
        get()
            .header("If-None-Match", "\"other\"")
            .send()
            .with_status(200);
    }
}

#[test]
fn an_agent_makes_crls_that_are_valid_at_once() {
    let world = World::up();
    let leaf = world.save_certificate(&world.issue(&csr(&world).der));
    let mut last = crl_number(&world);
    let etag = world.get("/pki/crl").send().header("etag");
    for _ in 0..3 {
        let made = world.post("/pki/crl").as_user("agent2").send();
        let made = made.with_status(200).json();

        let number: u64 = text(&made["number"]).parse().expect("a number");
        assert!(number > last, "{number} after {last}");
        last = number;
        assert!(crl_number(&world) >= number, "it is in force");
        // OpenSSL refuses a CRL from the future.
        certificate_passes_crl(&world.ca_pem(), &world.save_crl(), &leaf);
    }
    assert_ne!(world.get("/pki/crl").send().header("etag"), etag);
    for user in ["admin", "auditor", "token"] {
        world.post("/pki/crl").as_user(user).send().problem(403);
    }
    world.post("/pki/crl").send().problem(401);
}

#[test]
fn only_an_administrator_revokes_a_ca_certificate() {
    let world = World::up();
    let sub = openssl_csr(world.dir(), "sub", KeyKind::P256, "/CN=Sub CA", &[]);
    let (id, _) = world.submit("caCACert", sub.pem.as_bytes(), None);
    let serial = world.approve(&id, "agent1");
    let leaf = world.issue(&csr(&world).der);
    let change = |serial: &str, user: &str, json: &str| {
        let path = format!("/pki/certificate/{serial}/status");
        world.put(&path).as_user(user).json(json).send()
    };

    for json in [
        r#"{"status":"revoked","reason":"ca_compromise"}"#,
        r#"{"status":"on_hold"}"#,
    ] {
        change(&serial, "agent1", json).problem(403);
    }
    let shown = world
        .get(&format!("/pki/certificate/{serial}/status"))
        .send();
    assert_eq!(shown.json()["status"], "valid");
    // The administrator is no agent.
    change(&leaf, "admin", r#"{"status":"on_hold"}"#).problem(403);

    let revoked = change(
        &serial,
        "admin",
        r#"{"status":"revoked","reason":"ca_compromise"}"#,
    );
    assert_eq!(revoked.with_status(200).json()["reason"], "ca_compromise");
    make_crl(&world);
    let entry = crl_entry(&world, &serial).expect("it is on the CRL");
    assert!(entry.contains("CA Compromise"), "{entry}");
    let saved = world.save_certificate(&serial);
    assert_eq!(asked(&world, &saved), Said::Revoked);
    assert!(crl_entry(&world, &leaf).is_none());
}

fn csr(world: &World) -> OpensslCsr {
    let names = ["DNS:host.example"];
    openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &names,
    )
}

fn asked(world: &World, leaf: &Path) -> Said {
    let ca = world.ca_pem();
    openssl_ocsp(&ca, &ca, leaf, &world.ocsp_url(), "sha1", false)
}

/// What the responder says, in OpenSSL's words.
fn ocsp_text(world: &World, serial: &str) -> String {
    let serial = format!("0x{serial}");
    let ca = world.ca_pem();
    let request = openssl_ocsp_request(&ca, &["-serial", &serial], "sha256", false);
    let answer = world
        .post(&world.ocsp_url())
        .body("application/ocsp-request", &request)
        .send()
        .with_status(200);
    openssl_ocsp_text(&ca, &answer.body)
}

fn make_crl(world: &World) {
    let made = world.post("/pki/crl").as_user("agent1").send();
    made.with_status(200);
}

fn crl_number(world: &World) -> u64 {
    let shown = world.get("/pki/crl").send().with_status(200).json();
    text(&shown["number"]).parse().expect("a number")
}

/// What OpenSSL says of a certificate's entry in the CRL in force.
fn crl_entry(world: &World, serial: &str) -> Option<String> {
    let crl: PathBuf = world.save_crl();
    let printed = openssl(&[
        "crl",
        "-inform",
        "DER",
        "-noout",
        "-text",
        "-in",
        path(&crl),
    ]);
    let list = printed.split("    Signature Algorithm").nth(1)?;
    let mut entries = list.split("    Serial Number: ").skip(1);
    let number = serial.to_uppercase();
    let found = entries.find(|entry| entry.lines().next() == Some(&number));
    found.map(str::to_owned)
}

/// The value under the line `NAME:` of an entry.
fn extension<'a>(entry: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = entry.lines().map(str::trim);
    lines.find(|line| line.strip_suffix(':') == Some(name))?;
    lines.next()
}
