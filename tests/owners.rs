//! Owners of keys: they may revoke, and what they give up stays given up.

use std::fs;
use std::path::Path;

use serde_json::json;
use tests::foreign::{KeyKind, OpensslCsr, openssl, openssl_csr, path, tool};
use tests::world::{Answer, World, expect_all, text};

/// A CSR for an existing key: the proof that an owner makes. OpenSSL makes no common names of more
/// than 64 characters; GnuTLS does.
fn proof(world: &World, key: &Path, subject: &str) -> String {
    if subject.len() > 64 {
        let template = world.dir().join("proof.template");
        fs::write(&template, format!("cn = \"{subject}\"\n")).expect("the folder is writable");
        return tool(
            "certtool",
            &[
                "--generate-request",
                "--load-privkey",
                path(key),
                "--template",
                path(&template),
            ],
        );
    }
    let subject = format!("/CN={subject}");
    let arguments = ["req", "-new", "-key", path(key), "-subj", &subject, "-out"];
    let file = world.dir().join("proof.csr");
    openssl(&[&arguments[..], &[path(&file)]].concat());
    fs::read_to_string(file).expect("openssl wrote it")
}

fn revoke_by(world: &World, serial: &str, reason: &str, proof: &str) -> Answer {
    let change = json!({"status": "revoked", "reason": reason, "proof": proof});
    world
        .put(&format!("/pki/certificate/{serial}/status"))
        .json(&change.to_string())
        .send()
}

fn status(world: &World, serial: &str) -> String {
    let shown = world.get(&format!("/pki/certificate/{serial}/status"));
    let shown = shown.send().with_status(200).json();
    text(&shown["status"]).to_owned()
}

fn csr(world: &World, kind: KeyKind) -> OpensslCsr {
    openssl_csr(world.dir(), "host", kind, "/CN=host.example", &[])
}

#[test]
fn who_signs_with_the_key_may_revoke_without_any_other_credential() {
    let world = World::up();
    for (kind, reason) in [
        (KeyKind::P256, "unspecified"),
        (KeyKind::Rsa2048, "superseded"),
        (KeyKind::P384, "affiliation_changed"),
        (KeyKind::Ed25519, "cessation_of_operation"),
        (KeyKind::P521, "key_compromise"),
    ] {
        let csr = csr(&world, kind);
        let serial = world.issue(&csr.der);
        let proof = proof(&world, &csr.key, &format!("revoke:{serial}:{reason}"));

        let answer = revoke_by(&world, &serial, reason, &proof).with_status(200);

        assert_eq!(answer.json()["status"], "revoked");
        assert_eq!(answer.json()["reason"], reason);
        revoke_by(&world, &serial, reason, &proof).problem(409);
    }
}

#[test]
fn a_proof_is_good_for_a_certificate_on_hold_too() {
    let world = World::up();
    let csr = csr(&world, KeyKind::P256);
    let serial = world.issue(&csr.der);
    world
        .change_status(&serial, r#"{"status":"on_hold"}"#)
        .with_status(200);
    let proof = proof(&world, &csr.key, &format!("revoke:{serial}:superseded"));
    revoke_by(&world, &serial, "superseded", &proof).with_status(200);
    assert_eq!(status(&world, &serial), "revoked");
}

#[test]
fn a_proof_for_anything_else_changes_nothing() {
    let world = World::up();
    let owner = csr(&world, KeyKind::P256);
    let serial = world.issue(&owner.der);
    let sibling = world.issue(&owner.der);
    let stranger = openssl_csr(world.dir(), "other", KeyKind::P256, "/CN=x", &[]);
    let subject = format!("revoke:{serial}:superseded");
    let good = proof(&world, &owner.key, &subject);
    let cases = [
        ("another reason", "unspecified", good.clone(), "proof"),
        (
            "a reason of agents",
            "ca_compromise",
            good.clone(),
            "reason",
        ),
        (
            "another key",
            "superseded",
            proof(&world, &stranger.key, &subject),
            "proof",
        ),
        (
            "another certificate of the key",
            "superseded",
            proof(&world, &owner.key, &format!("revoke:{sibling}:superseded")),
            "proof",
        ),
        (
            "more in the subject",
            "superseded",
            proof(&world, &owner.key, &format!("{subject}/O=x")),
            "proof",
        ),
        ("a request", "superseded", owner.pem.clone(), "proof"),
        ("nothing", "superseded", String::new(), "proof"),
        ("text", "superseded", "please".into(), "proof"),
        ("a forged one", "superseded", forged(&good), "proof"),
    ];
    let found = cases.map(|(case, reason, proof, field)| {
        let answer = revoke_by(&world, &serial, reason, &proof);
        answer.problem(422);
        (
            case.to_owned(),
            answer.violated_fields(),
            vec![field.to_owned()],
        )
    });
    expect_all(found);
    assert_eq!(status(&world, &serial), "valid");

    for status in ["on_hold", "valid"] {
        let body = json!({"status": status, "proof": good}).to_string();
        let path = format!("/pki/certificate/{serial}/status");
        world.put(&path).json(&body).send().problem(422);
    }
    // It proves, but it is no request.
    for form in [
        world
            .post("/pki/request/caServerCert")
            .body("application/pkcs10", good.as_bytes()),
        world
            .post("/pki/request/caServerCert")
            .json(&json!({"csr": good}).to_string()),
    ] {
        form.send().problem(422);
    }
}

/// The same with the last byte of the signature changed.
fn forged(pem: &str) -> String {
    let (body, _) = pem.split_once("-----END").expect("it is PEM");
    let last = body.trim_end().chars().next_back();
    let cut = &body.trim_end()[..body.trim_end().len() - 6];
    assert!(last.is_some());
    format!("{cut}AAAAAA\n-----END CERTIFICATE REQUEST-----\n")
}

#[test]
fn a_ca_certificate_is_not_revoked_by_proof() {
    let world = World::up();
    let sub = openssl_csr(world.dir(), "sub", KeyKind::P256, "/CN=Sub CA", &[]);
    let (id, _) = world.submit("caCACert", sub.pem.as_bytes(), None);
    let serial = world.approve(&id, "agent1");
    let proof = proof(&world, &sub.key, &format!("revoke:{serial}:superseded"));
    revoke_by(&world, &serial, "superseded", &proof).problem(403);
    assert_eq!(status(&world, &serial), "valid");
}

#[test]
fn who_calls_with_the_certificate_may_revoke_it() {
    let world = World::up();
    let csr = csr(&world, KeyKind::P256);
    let issue = || {
        let (id, _) = world.submit("caUserCert", user_csr(&world).pem.as_bytes(), None);
        let serial = world.approve(&id, "agent1");
        (serial.clone(), credential(&world, &serial))
    };
    let (serial, pem) = issue();
    let (other, _) = issue();
    let change = |serial: &str, json: &str| {
        let path = format!("/pki/certificate/{serial}/status");
        world.put(&path).with_certificate(&pem).json(json).send()
    };
    drop(csr);

    change(&other, r#"{"status":"revoked"}"#).problem(403);
    change(&serial, r#"{"status":"on_hold"}"#).problem(403);
    let judged = change(
        &serial,
        r#"{"status":"revoked","reason":"privilege_withdrawn"}"#,
    );
    judged.problem(422);
    // Held, it opens nothing else but this.
    world
        .change_status(&serial, r#"{"status":"on_hold"}"#)
        .with_status(200);
    change(&serial, r#"{"status":"valid"}"#).problem(403);
    change(&other, r#"{"status":"revoked"}"#).problem(401);

    let done = change(&serial, r#"{"status":"revoked","reason":"superseded"}"#);
    assert_eq!(done.with_status(200).json()["reason"], "superseded");
    change(&serial, r#"{"status":"revoked"}"#).problem(401);
    assert_eq!(status(&world, &other), "valid");
}

/// An agent's office does not outlast the hold of the certificate that lends it.
#[test]
fn a_held_agent_may_revoke_but_not_release_itself() {
    let world = World::up();
    let certificate = openssl(&[
        "x509",
        "-noout",
        "-serial",
        "-in",
        path(&world.credential("agent2")),
    ]);
    let serial = certificate
        .trim()
        .trim_start_matches("serial=")
        .to_lowercase();
    world
        .change_status(&serial, r#"{"status":"on_hold"}"#)
        .with_status(200);
    let change = |json: &str| {
        let path = format!("/pki/certificate/{serial}/status");
        world.put(&path).as_user("agent2").json(json).send()
    };
    change(r#"{"status":"valid"}"#).problem(403);
    change(r#"{"status":"revoked","reason":"privilege_withdrawn"}"#).problem(422);
    change(r#"{"status":"revoked","reason":"key_compromise"}"#).with_status(200);
}

#[test]
fn a_compromised_key_gets_no_further_certificate() {
    let world = World::up();
    let csr = csr(&world, KeyKind::P256);
    let serial = world.issue(&csr.der);
    let (waiting, _) = world.submit("caServerCert", &csr.der, None);
    world
        .change_status(&serial, r#"{"status":"revoked","reason":"key_compromise"}"#)
        .with_status(200);

    let again = world
        .post("/pki/request/caAgentServerCert")
        .as_user("agent1")
        .body("application/pkcs10", &csr.der)
        .send();
    again.problem(422);
    assert_eq!(again.json()["violations"][0]["rule"], "compromised-key");
    let approved = world.decide(&waiting, "agent1", r#"{"status":"approved"}"#);
    approved.problem(422);
    // Another reason says nothing about the key.
    let other = openssl_csr(world.dir(), "other", KeyKind::P256, "/CN=host.example", &[]);
    let serial = world.issue(&other.der);
    world
        .change_status(&serial, r#"{"status":"revoked","reason":"superseded"}"#)
        .with_status(200);
    world.issue(&other.der);
}

fn user_csr(world: &World) -> OpensslCsr {
    let subject = "/UID=alice/CN=Alice";
    openssl_csr(world.dir(), "user", KeyKind::P256, subject, &[])
}

/// Certificate and key in one file.
fn credential(world: &World, serial: &str) -> std::path::PathBuf {
    let certificate = fs::read_to_string(world.save_certificate(serial));
    let key = fs::read_to_string(world.dir().join("user.key"));
    let pem = certificate.expect("it was saved") + &key.expect("openssl wrote it");
    let file = world.dir().join(format!("{serial}-credential.pem"));
    fs::write(&file, pem).expect("the scratch folder is writable");
    file
}
