//! Authorities below the first one, beside it, and after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tests::foreign::{
    KeyKind, OpensslCsr, Said, certificate_extension, certificate_is_accepted, crl_is_accepted,
    openssl, openssl_csr, openssl_ocsp, path, pkilint_certificate, pkilint_crl, tool,
};
use tests::world::{Answer, World, eventually, program, text};

/// Makes an authority as the administrator.
fn create(world: &World, wanted: &Value) -> Answer {
    let call = world.post("/pki/authorities").as_user("admin");
    call.json(&wanted.to_string()).send()
}

/// The id of a new authority below `parent`.
fn sub(world: &World, parent: &str, subject: &str) -> String {
    let wanted = json!({"subject": subject, "parent": parent, "validity_days": 1000});
    let made = create(world, &wanted).with_status(201);
    let id = text(&made.json()["id"]).to_owned();
    assert_eq!(
        made.header("location"),
        Some(format!("/pki/authority/{id}"))
    );
    id
}

/// Writes a text into the scratch folder.
fn save(world: &World, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let file = world.dir().join(name);
    fs::write(&file, text).expect("the scratch folder is writable");
    file
}

/// An authority's certificate, PEM.
fn certificate(world: &World, id: &str) -> PathBuf {
    let call = world.get(&format!("/pki/authority/{id}/certificate"));
    let answer = call.header("Accept", "application/x-pem-file").send();
    save(world, &format!("{id}.pem"), answer.with_status(200).body)
}

/// An authority's CRL from where its certificates point to, PEM.
fn crl(world: &World, id: &str) -> PathBuf {
    let answer = world.get(&format!("{}/crl/{id}.crl", world.http())).send();
    let der = save(world, &format!("{id}.crl"), answer.with_status(200).body);
    let pem = world.dir().join(format!("{id}.crl.pem"));
    openssl(&[
        "crl",
        "-inform",
        "DER",
        "-in",
        path(&der),
        "-out",
        path(&pem),
    ]);
    pem
}

fn host_csr(world: &World, name: &str) -> OpensslCsr {
    let subject = format!("/CN={name}");
    let dns = format!("DNS:{name}");
    openssl_csr(world.dir(), name, KeyKind::P256, &subject, &[&dns])
}

fn ask(world: &World, authority: &str, name: &str) -> Answer {
    let body = json!({"csr": host_csr(world, name).pem, "authority": authority});
    let call = world.post("/pki/request/caAgentServerCert");
    call.as_user("agent1").json(&body.to_string()).send()
}

/// A server certificate by an authority.
fn issue(world: &World, authority: &str, name: &str) -> (String, PathBuf) {
    let answer = ask(world, authority, name).with_status(201);
    let serial = text(&answer.json()["certificate"]["id"]).to_owned();
    let file = world.save_certificate(&serial);
    (serial, file)
}

fn change(world: &World, id: &str, status: &str) -> Answer {
    let call = world.put(&format!("/pki/authority/{id}/status"));
    let body = json!({"status": status, "note": "because"});
    call.as_user("admin").json(&body.to_string()).send()
}

fn delete(world: &World, id: &str) -> Answer {
    let call = world.call("DELETE", &format!("/pki/authority/{id}"));
    call.as_user("admin").send()
}

/// OpenSSL's verdict on every link below the root, each with its issuer's CRL.
fn verify_with_crls(root: &Path, chain: &[&Path], crls: &[PathBuf]) {
    for (index, certificate) in chain.iter().enumerate() {
        let mut arguments = vec!["verify", "-x509_strict", "-crl_check"];
        arguments.extend(["-CAfile", path(root)]);
        for above in &chain[index + 1..] {
            arguments.extend(["-untrusted", path(above)]);
        }
        for crl in crls {
            arguments.extend(["-CRLfile", path(crl)]);
        }
        arguments.push(path(certificate));
        openssl(&arguments);
    }
}

#[test]
fn chains_of_three_are_accepted_everywhere_with_the_crl_of_each() {
    let world = World::up();
    let root = world.ca_pem();
    let sub_id = sub(&world, "host", "CN=Sub CA,O=Example");
    let wanted = json!({
        "subject": "CN=Sub Sub CA,O=Example", "parent": sub_id, "description": "for tests",
        "key": {"type": "rsa", "size": 2048},
    });
    let made = create(&world, &wanted).with_status(201).json();
    let lowest = text(&made["id"]).to_owned();
    assert_eq!(
        (&made["status"], &made["enabled"]),
        (&json!("enabled"), &json!(true))
    );
    assert_eq!(
        (&made["parent"], &made["host"]),
        (&json!(sub_id), &json!(false))
    );
    assert_eq!(made["description"], "for tests");

    let (ca1, ca2) = (certificate(&world, &sub_id), certificate(&world, &lowest));
    for ca in [&ca1, &ca2] {
        pkilint_certificate(ca);
    }
    let (serial1, leaf1) = issue(&world, &sub_id, "one.example");
    let (_, leaf2) = issue(&world, &lowest, "two.example");
    certificate_is_accepted(&root, &[&ca1], &leaf1);
    certificate_is_accepted(&root, &[&ca2, &ca1], &leaf2);
    pkilint_certificate(&leaf2);
    let crls = ["host", &sub_id, &lowest].map(|id| crl(&world, id));
    verify_with_crls(&root, &[&leaf2, &ca2, &ca1], &crls);
    crl_is_accepted(&ca2, &crls[2]);
    pkilint_crl(&crls[2]);

    // Every certificate points to its own issuer's places, and all of them work.
    let http = world.http();
    let points = certificate_extension(&leaf2, "crlDistributionPoints");
    assert!(
        points.ends_with(&format!("URI:{http}/crl/{lowest}.crl")),
        "{points}"
    );
    let access = certificate_extension(&leaf2, "authorityInfoAccess");
    assert!(
        access.contains(&format!("URI:{http}/issuer/{lowest}.crt")),
        "{access}"
    );
    let fetched = world.get(&format!("{http}/issuer/{lowest}.crt")).send();
    let fetched = save(&world, "fetched.crt", fetched.with_status(200).body);
    let fetched = openssl(&["x509", "-inform", "DER", "-in", path(&fetched)]);
    assert_eq!(fetched, openssl(&["x509", "-in", path(&ca2)]));

    // A revocation stands on the CRL of the authority that issued, and on no other.
    let revoked = world.change_status(&serial1, r#"{"status":"revoked"}"#);
    revoked.with_status(200);
    let entries = |id: &str| {
        let answer = world.get(&format!("/pki/crl?authority={id}")).send();
        answer.with_status(200).json()["entries_count"].clone()
    };
    assert!(eventually(Duration::from_millis(1_500), || entries(
        &sub_id
    ) == 1));
    assert_eq!((entries("host"), entries(&lowest)), (json!(0), json!(0)));

    // The list has them all, and the chain leads up to the root.
    let list = world.get("/pki/authorities").send().with_status(200);
    assert_eq!(list.ids(), ["host", &sub_id, &lowest]);
    let chain = world.get(&format!("/pki/authority/{lowest}/chain")).send();
    let chain = chain.with_status(200).json()["certificates"].clone();
    let files = [&ca2, &ca1, &root].map(|file| fs::read_to_string(file).expect("readable"));
    assert_eq!(chain, json!(files));
}

#[test]
fn an_authority_survives_a_crash_with_its_key_and_its_crl() {
    let mut world = World::up();
    let id = sub(&world, "host", "CN=Sub CA");
    let before = world.get(&format!("/pki/authority/{id}")).send().json();
    world.crash_and_restart();
    let after = world.get(&format!("/pki/authority/{id}")).send().json();
    assert_eq!(after, before);
    let (_, leaf) = issue(&world, &id, "host.example");
    let ca = certificate(&world, &id);
    certificate_is_accepted(&world.ca_pem(), &[&ca], &leaf);
    crl_is_accepted(&ca, &crl(&world, &id));
}

#[test]
fn who_is_disabled_or_stopped_issues_nothing_from_that_moment_on() {
    let world = World::up();
    let id = sub(&world, "host", "CN=Sub CA");
    let csr = host_csr(&world, "waiting.example");
    let body = json!({"csr": csr.pem, "authority": id}).to_string();
    let waiting = world.post("/pki/request/caServerCert").json(&body).send();
    let waiting = text(&waiting.with_status(201).json()["id"]).to_owned();
    for status in ["disabled", "stopped"] {
        let changed = change(&world, &id, status).with_status(200).json();
        assert_eq!(
            (&changed["status"], &changed["note"]),
            (&json!(status), &json!("because"))
        );
        assert_eq!(changed["enabled"], false);
        assert_eq!(
            ask(&world, &id, "host.example").problem(409),
            "authority-status"
        );
        let approval = world.decide(&waiting, "agent1", r#"{"status":"approved"}"#);
        assert_eq!(approval.problem(409), "authority-status");
        let below = json!({"subject": "CN=Below", "parent": id});
        assert_eq!(create(&world, &below).problem(409), "authority-status");
        // Its CRL goes on.
        let crl = world
            .post(&format!("/pki/crl?authority={id}"))
            .as_user("agent1");
        crl.send().with_status(200);
    }
    change(&world, &id, "enabled").with_status(200);
    world.approve(&waiting, "agent1");
    issue(&world, &id, "host.example");

    // The brake works on the first authority, too; and lets go again.
    change(&world, "host", "stopped").with_status(200);
    assert_eq!(
        ask(&world, "host", "host.example").problem(409),
        "authority-status"
    );
    let without = world
        .post("/pki/request/caAgentServerCert")
        .as_user("agent1");
    let without = without.body("application/pkcs10", &csr.der).send();
    assert_eq!(without.problem(409), "authority-status");
    change(&world, "host", "enabled").with_status(200);
    issue(&world, "host", "host.example");
}

#[test]
fn authorities_come_and_go_by_rules() {
    let world = World::up();
    let id = sub(&world, "host", "CN=Sub CA,O=Example");
    let below = sub(&world, &id, "CN=Below");
    let conflict = |answer: Answer| assert_eq!(answer.problem(409), "authority-conflict");

    // One name, one authority, whatever its spelling.
    conflict(create(
        &world,
        &json!({"subject": "cn=SUB  ca,o=example", "parent": "host"}),
    ));
    // Enabled, with children, or the first one: it stays.
    conflict(delete(&world, &below));
    conflict(delete(&world, "host"));
    conflict(change(&world, "host", "disabled"));
    change(&world, &id, "disabled").with_status(200);
    conflict(delete(&world, &id));
    change(&world, &below, "disabled").with_status(200);
    delete(&world, &below).with_status(204);
    let (_, leaf) = {
        change(&world, &id, "enabled").with_status(200);
        let issued = issue(&world, &id, "host.example");
        change(&world, &id, "disabled").with_status(200);
        issued
    };
    let ca = certificate(&world, &id);
    delete(&world, &id).with_status(204);

    // It is gone from the interface and revoked, but its CRL stays, and its name is free.
    let gone = format!("/pki/authority/{id}");
    assert_eq!(world.get(&gone).send().problem(404), "not-found");
    assert_eq!(
        ask(&world, &id, "host.example").violated_fields(),
        ["authority"]
    );
    assert_eq!(world.get("/pki/authorities").send().ids(), ["host"]);
    crl_is_accepted(&ca, &crl(&world, &id));
    let serial = openssl(&["x509", "-noout", "-serial", "-in", path(&ca)]);
    let serial = serial.trim().trim_start_matches("serial=").to_lowercase();
    let status = world
        .get(&format!("/pki/certificate/{serial}/status"))
        .send();
    assert_eq!(status.json()["status"], "revoked");
    assert_eq!(status.json()["reason"], "cessation_of_operation");
    assert!(leaf.exists());
    let again = sub(&world, "host", "CN=Sub CA,O=Example");
    assert_ne!(again, id);
}

#[test]
fn what_is_wrong_with_a_wanted_authority_is_named_by_its_field() {
    let world = World::up();
    for (wanted, field) in [
        (json!({"subject": "what", "parent": "host"}), "subject"),
        (json!({"subject": "", "parent": "host"}), "subject"),
        (json!({"parent": "host"}), "subject"),
        (json!({"subject": "CN=x", "parent": "nobody"}), "parent"),
        (
            json!({"subject": "CN=x", "parent": "host", "key": {"type": "dsa"}}),
            "key",
        ),
        (
            json!({"subject": "CN=x", "parent": "host", "key": {"type": "rsa", "size": 1024}}),
            "key",
        ),
        (
            json!({"subject": "CN=x", "parent": "host", "validity_days": 0}),
            "validity_days",
        ),
        (
            json!({"subject": "CN=x", "parent": "host", "profile": "none"}),
            "profile",
        ),
        (
            json!({"subject": "CN=x", "parent": "host", "profile": "caUserCert"}),
            "profile",
        ),
        (
            json!({"subject": "CN=x", "parent": "host", "children": 1}),
            "children",
        ),
        (
            json!({"subject": "CN=x", "description": "a\u{0}b"}),
            "description",
        ),
    ] {
        let answer = create(&world, &wanted);
        assert_eq!(answer.status, 422, "{wanted}: {}", answer.text());
        assert_eq!(answer.violated_fields(), [field], "{wanted}");
    }
    // Longer than its parent lives.
    let wanted = json!({"subject": "CN=x", "parent": "host", "validity_days": 3650 * 2});
    assert_eq!(create(&world, &wanted).status, 422);
    assert_eq!(world.get("/pki/authorities").send().ids(), ["host"]);
    // Only administrators.
    let wanted = json!({"subject": "CN=x", "parent": "host"}).to_string();
    for (user, status) in [("agent1", 403), ("auditor", 403)] {
        let call = world.post("/pki/authorities").as_user(user).json(&wanted);
        call.send().problem(status);
    }
}

#[test]
fn a_renewed_authority_keeps_its_key_and_what_it_issued() {
    let world = World::up();
    let id = sub(&world, "host", "CN=Sub CA");
    let (_, leaf) = issue(&world, &id, "host.example");
    let old = certificate(&world, &id);
    let old_text = fs::read_to_string(&old).expect("readable");
    let tag = world
        .get(&format!("/pki/authority/{id}"))
        .send()
        .header("etag");
    let renew = || {
        world
            .post(&format!("/pki/authority/{id}/renewal"))
            .as_user("admin")
    };
    let renewed = renew()
        .header("If-Match", &tag.expect("a tag"))
        .send()
        .with_status(200);
    assert_ne!(renewed.json()["certificate"], json!(old_text));
    let stale = renew().header("If-Match", "\"0-0\"").send();
    assert_eq!(stale.problem(412), "stale");
    let new = certificate(&world, &id);
    assert_ne!(fs::read_to_string(&new).expect("readable"), old_text);
    certificate_is_accepted(&world.ca_pem(), &[&new], &leaf);
    // So does the first authority, which certifies itself.
    let root = world.post("/pki/authority/host/renewal").as_user("admin");
    root.send().with_status(200);
    let root = certificate(&world, "host");
    let (_, leaf) = issue(&world, &id, "host.example");
    certificate_is_accepted(&root, &[&new], &leaf);
    certificate_is_accepted(&world.ca_pem(), &[&new], &leaf);
}

/// A root of somebody else, made with OpenSSL: certificate and key.
fn outside_root(world: &World) -> (PathBuf, PathBuf) {
    let (cert, key) = (
        world.dir().join("outside.pem"),
        world.dir().join("outside.key"),
    );
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        path(&key),
        "-out",
        path(&cert),
        "-days",
        "1000",
        "-subj",
        "/CN=Outside Root",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]);
    (cert, key)
}

/// What the outside root makes of a CSR, with these extensions.
fn certify(world: &World, csr: &str, extensions: &str) -> PathBuf {
    let (csr, ext) = (
        save(world, "ca.csr", csr),
        save(world, "ca.ext", extensions),
    );
    let out = world.dir().join("ca-by-outside.pem");
    let (cert, key) = (
        world.dir().join("outside.pem"),
        world.dir().join("outside.key"),
    );
    openssl(&[
        "x509",
        "-req",
        "-in",
        path(&csr),
        "-CA",
        path(&cert),
        "-CAkey",
        path(&key),
        "-days",
        "900",
        "-extfile",
        path(&ext),
        "-out",
        path(&out),
    ]);
    out
}

const CA_EXTENSIONS: &str = "basicConstraints=critical,CA:true,pathlen:0\n\
    keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n\
    authorityKeyIdentifier=keyid\n";

#[test]
fn an_outside_root_certifies_an_authority_of_ours_by_csr() {
    let world = World::up();
    let (root, _) = outside_root(&world);
    let waiting = create(&world, &json!({"subject": "CN=Below,O=Example"})).with_status(201);
    let waiting = waiting.json();
    let id = text(&waiting["id"]).to_owned();
    assert_eq!(
        (&waiting["status"], &waiting["enabled"]),
        (&json!("waiting"), &json!(false))
    );
    assert!(waiting.get("certificate").is_none());
    assert_eq!(
        ask(&world, &id, "host.example").problem(409),
        "authority-status"
    );
    let path_of = format!("/pki/authority/{id}/certificate");
    assert_eq!(world.get(&path_of).send().problem(404), "not-found");
    let csr = text(&waiting["csr"]);

    let complete = |certificates: &[&Path]| {
        let pems = certificates.iter();
        let pems: Vec<_> = pems
            .map(|p| fs::read_to_string(p).expect("readable"))
            .collect();
        let body = json!({"certificates": pems}).to_string();
        world.put(&path_of).as_user("admin").json(&body).send()
    };
    // No CA, no chain, another's key, no certificate: refused, each for its reason.
    let no_ca = certify(&world, csr, "basicConstraints=critical,CA:false\n");
    assert_eq!(
        complete(&[&no_ca, &root]).violated_fields(),
        ["certificate"]
    );
    let good = certify(&world, csr, CA_EXTENSIONS);
    assert_eq!(complete(&[&good]).violated_fields(), ["certificate"]);
    assert_eq!(complete(&[&root]).violated_fields(), ["certificate"]);
    assert_eq!(
        complete(&[&good, &world.ca_pem()]).violated_fields(),
        ["certificate"]
    );
    assert_eq!(complete(&[]).violated_fields(), ["certificate"]);
    let done = complete(&[&good, &root]).with_status(200).json();
    assert_eq!(
        (&done["status"], &done["enabled"]),
        (&json!("enabled"), &json!(true))
    );
    assert!(done.get("csr").is_none());
    assert_eq!(complete(&[&good, &root]).problem(409), "authority-conflict");

    let (_, leaf) = issue(&world, &id, "host.example");
    certificate_is_accepted(&root, &[&good], &leaf);
    crl_is_accepted(&good, &crl(&world, &id));
    let chain = world
        .get(&format!("/pki/authority/{id}/chain"))
        .send()
        .json();
    assert_eq!(chain["certificates"].as_array().map(Vec::len), Some(2));
    // The outside root wants no CA below.
    let below = create(&world, &json!({"subject": "CN=Lower", "parent": id}));
    assert_eq!(below.status, 422, "{}", below.text());
    assert!(below.text().contains("path-length"), "{}", below.text());
    // A renewal goes the same way.
    let renewal = world
        .post(&format!("/pki/authority/{id}/renewal"))
        .as_user("admin");
    let renewal = renewal.send().with_status(200).json();
    assert_eq!(renewal["enabled"], true);
    let renewed = certify(&world, text(&renewal["csr"]), CA_EXTENSIONS);
    complete(&[&renewed, &root]).with_status(200);
    certificate_is_accepted(&root, &[&certificate(&world, &id)], &leaf);
}

#[test]
fn after_a_change_of_key_old_and_new_trust_reach_old_and_new_certificates() {
    let mut world = World::up();
    let old_root = certificate(&world, "host");
    let (old_serial, old_leaf) = issue(&world, "host", "old.example");
    let call = world.post("/pki/authority/host/renewal").as_user("admin");
    let body = json!({"key": {"type": "ec", "curve": "P-384"}}).to_string();
    let made = call.json(&body).send().with_status(201).json();
    let id = text(&made["id"]).to_owned();
    let old = world.get("/pki/authority/host").send().json();
    assert_eq!(
        (&old["status"], &old["successor"]),
        (&json!("superseded"), &json!(id))
    );
    assert_eq!((&old["host"], &made["host"]), (&json!(false), &json!(true)));
    assert_eq!(old["subject"], made["subject"]);
    world.crash_and_restart();

    // Whoever asks the first authority is served by its new key.
    let (_, new_leaf) = issue(&world, "host", "new.example");
    let new_root = certificate(&world, &id);
    let crosses = made["cross_certificates"]
        .as_array()
        .expect("cross certificates");
    assert_eq!(crosses.len(), 2);
    let cross = |index: usize| save(&world, &format!("cross{index}.pem"), text(&crosses[index]));
    let by = |cross: &Path, root: &Path| {
        tool("sh", &["-c", &format!(
            "openssl verify -x509_strict -partial_chain -CAfile {} {} >/dev/null 2>&1 && echo yes || echo no",
            path(root), path(cross))]).trim() == "yes"
    };
    let (a, b) = (cross(0), cross(1));
    let (new_with_old, old_with_new) = match by(&a, &old_root) {
        true => (a, b),
        false => (b, a),
    };
    assert!(by(&new_with_old, &old_root) && by(&old_with_new, &new_root));
    for certificate in [&new_root, &new_with_old, &old_with_new] {
        pkilint_certificate(certificate);
    }
    certificate_is_accepted(&old_root, &[], &old_leaf);
    certificate_is_accepted(&new_root, &[], &new_leaf);
    certificate_is_accepted(&old_root, &[&new_with_old], &new_leaf);
    certificate_is_accepted(&new_root, &[&old_with_new], &old_leaf);

    // Both keys sign CRLs, each for its own certificates.
    let revoked = world.change_status(&old_serial, r#"{"status":"revoked"}"#);
    revoked.with_status(200);
    let listed = |id: &str| {
        let answer = world.get(&format!("/pki/crl?authority={id}")).send();
        answer.json()["entries_count"].clone()
    };
    assert!(eventually(Duration::from_millis(1_500), || listed("host") == 1));
    assert_eq!(listed(&id), 0);
    crl_is_accepted(&old_root, &crl(&world, "host"));
    crl_is_accepted(&new_root, &crl(&world, &id));
    let crls = ["host", &id].map(|id| crl(&world, id));
    verify_with_crls(&new_root, &[&new_leaf], &crls);
    tests::foreign::certificate_is_revoked_by_crl(&old_root, &crls[0], &old_leaf);
    // The responder answers for both keys.
    let url = world.ocsp_url();
    let said = openssl_ocsp(&old_root, &old_root, &old_leaf, &url, "sha256", true);
    assert_eq!(said, Said::Revoked);
    let said = openssl_ocsp(&new_root, &new_root, &new_leaf, &url, "sha256", true);
    assert_eq!(said, Said::Good);
    // The old key is done: it neither changes again nor comes back.
    let again = world.post("/pki/authority/host/renewal").as_user("admin");
    assert_eq!(again.json(&body).send().problem(409), "authority-conflict");
    assert_eq!(
        change(&world, "host", "enabled").problem(409),
        "authority-conflict"
    );
    assert_eq!(delete(&world, &id).problem(409), "authority-conflict");
}

#[test]
fn the_responder_answers_for_a_new_authority_at_once() {
    let world = World::up();
    it_answers_for_a_new_authority(&world);
}

#[test]
fn a_responder_of_its_own_answers_for_a_new_authority_and_still_does_after_a_restart() {
    let mut world = World::separate();
    let (ca, leaf) = it_answers_for_a_new_authority(&world);
    // It knows the authority without the CA.
    world.kill_service("ocsp");
    world.start_service("ocsp");
    let asked = || {
        let ready = world.get(&format!("{}/ready", world.ocsp())).try_send();
        ready.is_some_and(|ready| ready.status == 200)
    };
    assert!(eventually(Duration::from_secs(10), asked));
    let said = openssl_ocsp(&world.ca_pem(), &ca, &leaf, &world.ocsp_url(), "sha1", true);
    assert_eq!(said, Said::Revoked);
}

/// Gives the authority's certificate and a revoked one of it.
fn it_answers_for_a_new_authority(world: &World) -> (PathBuf, PathBuf) {
    let (root, url) = (world.ca_pem(), world.ocsp_url());
    let id = sub(world, "host", "CN=Sub CA");
    let ca = certificate(world, &id);
    let (serial, leaf) = issue(world, &id, "host.example");
    let ask = || openssl_ocsp(&root, &ca, &leaf, &url, "sha256", true);
    assert_eq!(ask(), Said::Good);
    // The authority's own certificate is a matter of its parent.
    let parent = openssl_ocsp(&root, &root, &ca, &url, "sha1", false);
    assert_eq!(parent, Said::Good);
    world
        .change_status(&serial, r#"{"status":"revoked"}"#)
        .with_status(200);
    assert!(eventually(Duration::from_secs(2), || ask() == Said::Revoked));
    // A disabled one goes on answering.
    change(world, &id, "disabled").with_status(200);
    assert_eq!(ask(), Said::Revoked);
    (ca, leaf)
}

/// Runs `chancery` and gives what it printed.
fn chancery(world: &World, arguments: &[&str]) -> Output {
    Command::new(program("chancery"))
        .args(["--url", &world.https(), "--ca-file"])
        .arg(world.ca_pem())
        .args(arguments)
        .output()
        .expect("chancery can be started")
}

#[test]
fn the_command_line_makes_stops_renews_and_deletes_authorities() {
    let world = World::up();
    let admin = world.credential("admin");
    let run = |arguments: &[&str]| {
        let arguments = [
            &["--credential", path(&admin), "--json", "authority"],
            arguments,
        ];
        let output = chancery(&world, &arguments.concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or(Value::Null)
    };
    let made = run(&[
        "create",
        "CN=Sub CA",
        "--parent",
        "host",
        "--key",
        "ec",
        "--curve",
        "P-384",
    ]);
    let id = text(&made["id"]).to_owned();
    assert_eq!(run(&["show", &id])["subject"], "CN=Sub CA");
    assert_eq!(run(&["list"])["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(run(&["stop", &id, "--note", "wrong"])["status"], "stopped");
    assert_eq!(run(&["enable", &id])["status"], "enabled");
    assert_ne!(run(&["renew", &id])["certificate"], made["certificate"]);
    assert_eq!(run(&["disable", &id])["enabled"], false);
    run(&["delete", &id]);
    assert_eq!(run(&["list"])["entries"].as_array().map(Vec::len), Some(1));
    // By an outside root.
    let (root, _) = outside_root(&world);
    let made = run(&["create", "CN=Below Outside"]);
    let own = certify(&world, text(&made["csr"]), CA_EXTENSIONS);
    let chain = fs::read_to_string(own).expect("readable");
    let chain = chain + &fs::read_to_string(root).expect("readable");
    let chain = save(&world, "chain.pem", chain);
    let id = text(&made["id"]);
    assert_eq!(
        run(&["complete", id, "--chain", path(&chain)])["enabled"],
        true
    );
    // For people.
    let shown = chancery(&world, &["authority", "list"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("CN=Below Outside"), "{shown}");
}

/// An old CA made with OpenSSL: three certificates, one of them revoked and one held, CRL number 65.
fn old_ca(world: &World) -> PathBuf {
    let dir = world.dir().join("old");
    fs::create_dir_all(dir.join("issued")).expect("writable");
    let script = r#"
set -e
cat > ca.cnf <<END
[ca]
default_ca = old
[old]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = issued
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 300
default_crl_days = 30
policy = any
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
[any]
commonName = supplied
END
touch index.txt; echo 1001 > serial; echo 41 > crlnumber
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 900 \
  -subj "/CN=Old CA" -addext keyUsage=critical,keyCertSign,cRLSign
for n in one two three; do
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $n.key \
    -subj /CN=$n.example -out $n.csr
  openssl ca -batch -config ca.cnf -in $n.csr -out $n.pem
done
openssl ca -config ca.cnf -revoke issued/1001.pem -crl_reason keyCompromise
openssl ca -config ca.cnf -revoke issued/1002.pem -crl_reason certificateHold
openssl ca -config ca.cnf -gencrl -out old.crl
printf secret > password
openssl pkcs12 -export -inkey ca.key -in ca.pem -out ca.p12 -passout file:password
openssl pkcs12 -export -legacy -inkey ca.key -in ca.pem -out legacy.p12 -passout file:password || true
"#;
    let done = Command::new("sh")
        .args(["-c", script])
        .current_dir(&dir)
        .output();
    let done = done.expect("sh is there");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    dir
}

#[test]
fn an_old_ca_is_taken_over_with_its_serial_numbers_and_revocations() {
    let mut world = World::up();
    let old = old_ca(&world);
    let file = |name: &str| old.join(name);
    let data = world.data();
    let import = |world: &World, p12: &str, password: &str| {
        let (p12, password) = (file(p12), file(password));
        let (issued, crl) = (file("issued"), file("old.crl"));
        chancery(
            world,
            &[
                "import",
                "ca",
                "--data-dir",
                path(&data),
                "--pkcs12",
                path(&p12),
                "--password-file",
                path(&password),
                "--certificates",
                path(&issued),
                "--crl",
                path(&crl),
            ],
        )
    };
    let refused = |output: Output, word: &str| {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && why.contains(word), "{why}");
    };
    refused(import(&world, "ca.p12", "password"), "in use");
    world.stop();
    refused(import(&world, "ca.p12", "ca.cnf"), "password");
    refused(import(&world, "ca.pem", "password"), "cannot be read");
    if file("legacy.p12").exists() {
        refused(import(&world, "legacy.p12", "password"), "openssl pkcs12");
    }
    let done = import(&world, "ca.p12", "password");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        said.contains("3 certificates and 2 revocations are new"),
        "{said}"
    );
    let again = import(&world, "ca.p12", "password");
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(
        said.contains("0 certificates and 0 revocations are new"),
        "{said}"
    );
    world.start();
    it_goes_on_where_it_was(&world, &old);
}

fn it_goes_on_where_it_was(world: &World, old: &Path) {
    let file = |name: &str| old.join(name);
    let list = world.get("/pki/authorities").send().with_status(200);
    let id = list.ids()[1].clone();
    let root = certificate(world, &id);
    assert_eq!(
        fs::read_to_string(&root).ok(),
        fs::read_to_string(file("ca.pem")).ok()
    );
    // Every certificate is there, with its status.
    for (serial, status) in [("1001", "revoked"), ("1002", "on_hold"), ("1003", "valid")] {
        let shown = world.get(&format!("/pki/certificate/{serial}")).send();
        assert_eq!(shown.with_status(200).json()["status"], status, "{serial}");
    }
    let found = world
        .get("/pki/certificates?subject=three.example")
        .as_user("agent1");
    assert_eq!(found.send().with_status(200).ids(), ["1003"]);
    // The CRL goes on: the same entries, a higher number.
    let crl_file = crl(world, &id);
    crl_is_accepted(&root, &crl_file);
    let number = openssl(&["crl", "-noout", "-crlnumber", "-in", path(&crl_file)]);
    assert_eq!(number.trim(), "crlNumber=0x42");
    let printed = openssl(&["crl", "-noout", "-text", "-in", path(&crl_file)]);
    for words in [
        "Serial Number: 1001",
        "Serial Number: 1002",
        "Key Compromise",
        "Certificate Hold",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    // OCSP knows them, and revoking goes on.
    let url = world.ocsp_url();
    let ask = |name: &str| openssl_ocsp(&root, &root, &file(name), &url, "sha1", false);
    assert!(eventually(Duration::from_secs(3), || ask("three.pem") == Said::Good));
    assert_eq!(
        (ask("one.pem"), ask("two.pem")),
        (Said::Revoked, Said::Revoked)
    );
    world
        .change_status("1003", r#"{"status":"revoked"}"#)
        .with_status(200);
    assert!(eventually(Duration::from_secs(2), || ask("three.pem") == Said::Revoked));
    // It issues, too.
    let (_, leaf) = issue(world, &id, "new.example");
    certificate_is_accepted(&root, &[], &leaf);
}

/// Creations that are cut off at any moment leave whole authorities or none.
#[test]
fn a_crash_while_authorities_are_made_leaves_nothing_half_made() {
    let mut world = World::up();
    for round in 0..3 {
        let (url, ca) = (world.https(), world.ca_pem());
        let admin = world.credential("admin");
        let makers: Vec<_> = (0..4)
            .map(|number| {
                let body = json!({"subject": format!("CN=Sub {round} {number}"), "parent": "host"});
                let mut curl = Command::new("curl");
                curl.args(["-s", "--cacert", path(&ca), "--cert", path(&admin)]);
                curl.args(["-H", "Content-Type: application/json"]);
                curl.args(["-d", &body.to_string(), &format!("{url}/pki/authorities")]);
                curl.stdout(std::process::Stdio::null()).spawn()
            })
            .collect();
        std::thread::sleep(Duration::from_millis(40 + 25 * round));
        world.crash_and_restart();
        for maker in makers {
            let _ = maker.expect("curl is there").wait();
        }
    }
    let list = world.get("/pki/authorities?limit=1000").send().json();
    for authority in list["entries"].as_array().expect("a list") {
        let id = text(&authority["id"]);
        assert_eq!(authority["status"], "enabled", "{authority}");
        crl_is_accepted(&certificate(&world, id), &crl(&world, id));
        ask(&world, id, "host.example").with_status(201);
    }
    // The names of those that came to nothing are free.
    for round in 0..3 {
        for number in 0..4 {
            let wanted = json!({"subject": format!("CN=Sub {round} {number}"), "parent": "host"});
            let status = create(&world, &wanted).status;
            assert!([201, 409].contains(&status), "{status}");
        }
    }
}
