//! From a request to a certificate that other people's software accepts.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use common::clock::Timestamp;
use serde_json::{Value, json};

use tests::foreign::{
    KeyKind, OpensslCsr, Said, certificate_extension as extension, certificate_is_accepted,
    certificate_is_revoked_by_crl, certificate_public_key as public_key,
    certificate_subject as subject, certificate_validity as validity, crl_is_accepted, gnutls_ocsp,
    nss_ocsp, openssl, openssl_csr, openssl_ocsp, openssl_with_input, path, pkilint_certificate,
    pkilint_crl, tool,
};
use tests::world::{Answer, World, text};

const DAY: i64 = 86_400;

#[test]
fn an_agent_gets_a_certificate_at_once() {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example"],
    );

    let answer = world
        .post("/pki/request/caAgentServerCert")
        .as_user("agent1")
        .body("application/pkcs10", &csr.der)
        .send()
        .with_status(201);

    let request = answer.json();
    assert_eq!(request["status"], "complete");
    assert_eq!(request["profile"], "caAgentServerCert");
    let link = format!("/pki/request/{}", text(&request["id"]));
    assert_eq!(answer.header("location").as_ref(), Some(&link));
    let serial = text(&request["certificate"]["id"]);
    assert_eq!(
        request["certificate"]["link"],
        format!("/pki/certificate/{serial}")
    );
    let certificate = world.save_certificate(serial);
    assert_eq!(
        public_key(&certificate),
        openssl(&["pkey", "-pubout", "-in", path(&csr.key)])
    );
    certificate_is_accepted(&world.ca_pem(), &[], &certificate);

    // Who only knows the id sees where it stands, and nothing of what was sent.
    let seen = world.get(&link).send().with_status(200);
    assert_eq!(seen.header("etag"), answer.header("etag"));
    let seen = seen.json();
    assert_eq!(seen["certificate"]["id"], serial);
    for hidden in [
        "csr",
        "draft",
        "history",
        "requestor",
        "assigned_to",
        "profile_version",
    ] {
        assert!(seen.get(hidden).is_none(), "{hidden} is for agents: {seen}");
    }
}

#[test]
fn an_agent_reviews_a_request_and_approves_it_with_changes() {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "web",
        KeyKind::P256,
        "/O=Exmple/CN=web.example",
        &["DNS:old.example"],
    );
    let body = json!({
        "csr": csr.pem,
        "requestor": {"name": "Alice", "email": "alice@example.org", "phone": "+1 555 0100"},
    });
    let submitted = world
        .post("/pki/request/caServerCert")
        .json(&body.to_string())
        .send()
        .with_status(201);
    let request = submitted.json();
    assert_eq!(request["status"], "pending");
    assert!(request.get("certificate").is_none());
    let id = text(&request["id"]);

    let waiting = world
        .get("/pki/requests?status=pending&profile=caServerCert&requestor=Alice")
        .as_user("agent1")
        .send()
        .with_status(200);
    assert_eq!(waiting.ids(), [id]);

    let (review, etag) = reviewed(&world, id);
    assert_eq!(review["requestor"], body["requestor"]);
    let created = moment(&review["created"]);
    let (not_before, not_after) = (created.plus_seconds(-3_600), created.plus_days(30));
    let decision = json!({
        "status": "approved",
        "note": "spelling",
        "changes": {
            "subject": "CN=web.example,O=Example,C=DE",
            "subject_alt_names": ["dns:web.example", "dns:alt.example", "ip:2001:db8::1", "uri:https://web.example/"],
            "not_before": not_before.to_string(),
            "not_after": not_after.to_string(),
        },
    });
    let approved = world
        .put(&format!("/pki/request/{id}/status"))
        .as_user("agent2")
        .header("If-Match", &etag)
        .json(&decision.to_string())
        .send()
        .with_status(200);
    assert_ne!(approved.header("etag").as_ref(), Some(&etag));
    let approved = approved.json();
    assert_eq!(approved["status"], "complete");
    let history = actions(&approved);
    assert_eq!(history[..2], ["anonymous submitted", "agent2 approved"]);
    assert_eq!(approved["history"][1]["note"], "spelling");
    let serial = text(&approved["certificate"]["id"]);

    let certificate = world.save_certificate(serial);
    assert_eq!(subject(&certificate), "CN=web.example,O=Example,C=DE");
    assert_eq!(
        extension(&certificate, "subjectAltName"),
        "DNS:web.example, DNS:alt.example, IP Address:2001:DB8:0:0:0:0:0:1, URI:https://web.example/"
    );
    assert_eq!(validity(&certificate), (not_before, not_after));
    certificate_is_accepted(&world.ca_pem(), &[], &certificate);
    pkilint_certificate(&certificate);

    let status = world.get(&format!("/pki/request/{id}/status")).send();
    assert_eq!(
        status.json(),
        json!({
            "status": "complete",
            "request": format!("/pki/request/{id}"),
            "certificate": {"id": serial, "link": format!("/pki/certificate/{serial}")},
        })
    );
}

/// What an agent finds in the request of the story above, and its tag.
fn reviewed(world: &World, id: &str) -> (Value, String) {
    let seen = world
        .get(&format!("/pki/request/{id}"))
        .as_user("agent1")
        .send();
    let review = seen.json();
    assert_eq!(review["csr"]["subject"], "CN=web.example,O=Exmple");
    assert_eq!(
        review["csr"]["subject_alt_names"],
        json!(["dns:old.example"])
    );
    assert_eq!(review["csr"]["key"]["curve"], "P-256");
    assert_eq!(review["draft"]["subject"], "CN=web.example,O=Exmple");
    assert_eq!(
        review["draft"]["subject_alt_names"],
        json!(["dns:old.example", "dns:web.example"])
    );
    let length = moment(&review["draft"]["not_after"]).seconds()
        - moment(&review["draft"]["not_before"]).seconds();
    assert_eq!(length + 1, 397 * DAY);
    assert_eq!(actions(&review), ["anonymous submitted"]);
    let etag = seen.header("etag").expect("a request has a tag");
    let status = world.get(&format!("/pki/request/{id}/status")).send();
    assert_eq!(
        status.header("etag").as_ref(),
        Some(&etag),
        "one tag for both paths"
    );
    assert_eq!(status.json()["status"], "pending");
    (review, etag)
}

#[test]
fn a_change_that_the_profile_forbids_is_refused_and_the_request_still_waits() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    let (id, etag) = world.submit("caServerCert", csr.pem.as_bytes(), None);

    let far = json!({"status": "approved", "changes": {"not_after": "2040-01-01T00:00:00Z"}});
    let refused = world.decide(&id, "agent1", &far.to_string());

    refused.problem(422);
    let status = world.get(&format!("/pki/request/{id}/status")).send();
    assert_eq!(status.json()["status"], "pending");
    assert_eq!(status.header("etag"), Some(etag));
    let serial = world.approve(&id, "agent1");
    assert_eq!(
        validity_seconds(&world.save_certificate(&serial)),
        397 * DAY
    );
}

#[test]
fn a_request_that_is_rejected_or_canceled_stays_so() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    for (decision, end) in [
        (r#"{"status":"rejected","note":"who is this?"}"#, "rejected"),
        (r#"{"status":"canceled"}"#, "canceled"),
    ] {
        let (id, etag) = world.submit("caServerCert", csr.pem.as_bytes(), None);

        let decided = world.decide(&id, "agent2", decision).with_status(200);

        assert_ne!(decided.header("etag"), Some(etag));
        let decided = decided.json();
        assert_eq!(decided["status"], end);
        assert_eq!(
            actions(&decided),
            ["anonymous submitted".to_owned(), format!("agent2 {end}")]
        );
        if end == "rejected" {
            assert_eq!(decided["history"][1]["note"], "who is this?");
        }
        for next in ["approved", "rejected", "canceled", "assigned", "unassigned"] {
            let next = json!({"status": next, "note": "after all"}).to_string();
            assert_eq!(
                world.decide(&id, "agent1", &next).problem(409),
                "request-not-pending"
            );
        }
        let seen = world.get(&format!("/pki/request/{id}")).send().json();
        assert_eq!(seen["status"], end);
        assert!(seen.get("certificate").is_none());
        let listed = world
            .get(&format!("/pki/requests?status={end}"))
            .as_user("agent3")
            .send();
        assert_eq!(listed.ids(), [id]);
    }
}

#[test]
fn an_agent_takes_a_request_and_gives_it_back() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    let (id, mut etag) = world.submit("caServerCert", csr.pem.as_bytes(), None);
    let (other, _) = world.submit("caServerCert", csr.pem.as_bytes(), None);
    let taken = |agent: &str| {
        let path = format!("/pki/requests?assigned_to={agent}");
        let listed = world.get(&path).as_user("agent1").send().with_status(200);
        listed.ids()
    };
    let changed = |etag: &mut String, answer: &Answer| {
        let new = answer.header("etag").expect("a request has a tag");
        assert_ne!(new, *etag, "every decision changes the tag");
        *etag = new;
    };

    let assigned = world
        .decide(&id, "agent2", r#"{"status":"assigned"}"#)
        .with_status(200);
    changed(&mut etag, &assigned);
    assert_eq!(assigned.json()["status"], "pending");
    assert_eq!(assigned.json()["assigned_to"], "agent2");
    assert_eq!(taken("agent2"), [id.as_str()]);
    assert!(taken("agent1").is_empty());

    let returned = world
        .decide(&id, "agent2", r#"{"status":"unassigned"}"#)
        .with_status(200);
    changed(&mut etag, &returned);
    assert!(returned.json().get("assigned_to").is_none());
    assert!(taken("agent2").is_empty());
    assert_eq!(
        actions(&returned.json()),
        [
            "anonymous submitted",
            "agent2 assigned",
            "agent2 unassigned"
        ]
    );

    // Another agent may decide all the same.
    world.decide(&other, "agent2", r#"{"status":"assigned"}"#);
    world.approve(&other, "agent3");
}

#[test]
fn of_agents_who_approve_at_once_one_is_first_and_one_certificate_comes_out() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    let (id, etag) = world.submit("caServerCert", csr.pem.as_bytes(), None);
    let approve = |agent: &'static str| {
        let call = world.put(&format!("/pki/request/{id}/status"));
        let call = call.as_user(agent).header("If-Match", &etag);
        call.json(r#"{"status":"approved"}"#).send()
    };

    let answers = thread::scope(|scope| {
        let agents = ["agent1", "agent2", "agent3", "agent1", "agent2", "agent3"];
        let asked = agents.map(|agent| scope.spawn(move || approve(agent)));
        asked.map(|answer| answer.join().expect("curl works"))
    });

    let (first, late): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(first.len(), 1);
    for answer in late {
        // Decided already, or no longer what was reviewed.
        assert!([409, 412].contains(&answer.status), "{}", answer.text());
    }
    let listed = world
        .get("/pki/certificates?profile=caServerCert&san=dns:host.example")
        .as_user("agent1")
        .send();
    let serial = &first[0].json()["certificate"]["id"];
    assert_eq!(listed.ids(), [text(serial)]);
}

#[test]
fn every_kind_of_key_and_body_gives_a_certificate_that_everybody_accepts() {
    let world = World::up();
    let kinds = [
        (KeyKind::Rsa2048, json!({"type": "rsa", "size": 2048})),
        (KeyKind::Rsa3072, json!({"type": "rsa", "size": 3072})),
        (KeyKind::P256, json!({"type": "ec", "curve": "P-256"})),
        (KeyKind::P384, json!({"type": "ec", "curve": "P-384"})),
        (KeyKind::P521, json!({"type": "ec", "curve": "P-521"})),
        (KeyKind::Ed25519, json!({"type": "ed25519"})),
    ];
    for (index, (kind, key)) in kinds.into_iter().enumerate() {
        let csr = server_csr(&world, &format!("host{index}"), kind);
        let base64 = base64(&csr.der);
        let (media_type, body) = match index {
            0 => ("application/x-pem-file", csr.pem.clone().into_bytes()),
            1 => ("application/pkcs10", csr.der.clone()),
            2 => ("application/json", json_bytes(&json!({"csr": base64}))),
            3 => ("application/json", json_bytes(&json!({"csr": csr.pem}))),
            4 => (
                "application/json",
                json_bytes(
                    &json!({"inputs": {"cert_request": csr.pem, "cert_request_type": "pkcs10"}}),
                ),
            ),
            _ => ("application/pkcs10", base64.into_bytes()),
        };

        let answer = world
            .post("/pki/request/caAgentServerCert")
            .as_user("agent1")
            .body(media_type, &body)
            .send()
            .with_status(201)
            .json();

        let serial = text(&answer["certificate"]["id"]);
        let certificate = world.save_certificate(serial);
        assert_eq!(
            public_key(&certificate),
            openssl(&["pkey", "-pubout", "-in", path(&csr.key)]),
            "{kind:?}"
        );
        let mut described = certificate_json(&world, serial)["key"].clone();
        let digest = described["spki_sha256"].take();
        assert_eq!(digest, spki_sha256(&csr));
        let mut key = key;
        key["spki_sha256"] = Value::Null;
        assert_eq!(described, key);
        let usage = extension(&certificate, "keyUsage");
        match kind {
            KeyKind::Rsa2048 | KeyKind::Rsa3072 => {
                assert_eq!(usage, "critical Digital Signature, Key Encipherment");
            }
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => {
                assert_eq!(usage, "critical Digital Signature");
            }
        }
        certificate_is_accepted(&world.ca_pem(), &[], &certificate);
        pkilint_certificate(&certificate);
    }
}

#[test]
fn server_certificates_take_the_names_of_the_request_and_a_host_as_common_name() {
    let world = World::up();
    let names = |name: &str, subject: &str, sans: &[&str]| {
        let csr = openssl_csr(world.dir(), name, KeyKind::P256, subject, sans);
        let certificate = world.save_certificate(&world.issue(&csr.der));
        pkilint_certificate(&certificate);
        extension(&certificate, "subjectAltName")
    };
    assert_eq!(
        names(
            "added",
            "/CN=Host.Example",
            &["DNS:www.example", "IP:192.0.2.1", "email:a@b.example"]
        ),
        "DNS:www.example, IP Address:192.0.2.1, email:a@b.example, DNS:host.example"
    );
    assert_eq!(
        names("once", "/CN=host.example", &["DNS:host.example"]),
        "DNS:host.example"
    );
    assert_eq!(names("alone", "/CN=host.example", &[]), "DNS:host.example");
    assert_eq!(
        names("person", "/CN=Example Server", &["DNS:host.example"]),
        "DNS:host.example"
    );
    assert_eq!(
        names("address", "/CN=192.0.2.1", &["IP:192.0.2.1"]),
        "IP Address:192.0.2.1"
    );
    // RFC 5280 §4.1.2.6: without a subject the alternative names are critical.
    assert_eq!(
        names("nameless", "/", &["DNS:host.example"]),
        "critical DNS:host.example"
    );
}

#[test]
fn server_certificates_are_for_servers_and_end_after_397_days() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    let at_once = world.issue(&csr.der);
    let (id, _) = world.submit("caServerCert", csr.pem.as_bytes(), None);
    for (profile, serial) in [
        ("caAgentServerCert", at_once),
        ("caServerCert", world.approve(&id, "agent1")),
    ] {
        let certificate = world.save_certificate(&serial);
        assert_eq!(
            extension(&certificate, "extendedKeyUsage"),
            "TLS Web Server Authentication"
        );
        assert_eq!(
            extension(&certificate, "basicConstraints"),
            "critical CA:FALSE"
        );
        assert_eq!(
            extension(&certificate, "authorityInfoAccess"),
            format!(
                "OCSP - URI:{}, CA Issuers - URI:{}/issuer/host.crt",
                world.ocsp_url(),
                world.http()
            )
        );
        assert!(
            extension(&certificate, "crlDistributionPoints")
                .ends_with(&format!("URI:{}/crl/host.crl", world.http()))
        );
        assert_eq!(
            extension(&certificate, "authorityKeyIdentifier"),
            extension(&world.ca_pem(), "subjectKeyIdentifier")
        );
        assert!(!extension(&certificate, "subjectKeyIdentifier").is_empty());
        assert_eq!(validity_seconds(&certificate), 397 * DAY);
        assert_eq!(serial.len() % 2, 0);
        assert!((32..=40).contains(&serial.len()), "{serial}");

        let shown = certificate_json(&world, &serial);
        assert_eq!(shown["profile"], profile);
        assert_eq!(shown["status"], "valid");
        let (not_before, not_after) = validity(&certificate);
        assert_eq!(shown["not_before"], not_before.to_string());
        assert_eq!(shown["not_after"], not_after.to_string());
    }
}

#[test]
fn a_user_certificate_is_for_signing_in_and_e_mail_for_180_days() {
    let world = World::up();
    let (certificate, key) = approved(
        &world,
        "caUserCert",
        KeyKind::Rsa2048,
        "/O=Example/CN=Alice Example/emailAddress=alice@example.org",
        &["email:alice@example.org"],
    );

    assert_eq!(
        extension(&certificate, "extendedKeyUsage"),
        "TLS Web Client Authentication, E-mail Protection"
    );
    assert_eq!(
        extension(&certificate, "subjectAltName"),
        "email:alice@example.org"
    );
    assert_eq!(
        extension(&certificate, "keyUsage"),
        "critical Digital Signature, Non Repudiation, Key Encipherment"
    );
    assert_eq!(validity_seconds(&certificate), 180 * DAY);
    accepted(&world, &certificate);

    // It signs in, as somebody who is nobody's agent.
    let both = world.dir().join("alice.pem");
    let (mut pem, key) = (
        fs::read(&certificate).expect("it was just saved"),
        fs::read(key).expect("it was just made"),
    );
    pem.extend(key);
    fs::write(&both, pem).expect("the scratch folder is writable");
    let answer = world.get("/pki/requests").with_certificate(&both).send();
    answer.problem(403);
    let info = world.get("/pki/info").with_certificate(&both).send();
    assert_eq!(info.status, 200);
}

#[test]
fn a_ca_certificate_can_certify_others() {
    let world = World::up();
    let (sub, key) = approved(&world, "caCACert", KeyKind::P384, "/CN=Sub CA", &[]);

    assert_eq!(extension(&sub, "basicConstraints"), "critical CA:TRUE");
    assert_eq!(
        extension(&sub, "keyUsage"),
        "critical Digital Signature, Certificate Sign, CRL Sign"
    );
    assert!(
        validity(&sub).1 <= validity(&world.ca_pem()).1,
        "a CA ends before its own"
    );
    accepted(&world, &sub);

    let leaf = openssl_csr(
        world.dir(),
        "below",
        KeyKind::P256,
        "/CN=below.example",
        &["DNS:below.example"],
    );
    let extensions = world.dir().join("below.cnf");
    let text = "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n\
                subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n\
                subjectAltName=DNS:below.example\n";
    fs::write(&extensions, text).expect("the scratch folder is writable");
    let certificate = world.dir().join("below.pem");
    openssl(&[
        "x509",
        "-req",
        "-in",
        path(&leaf.csr),
        "-CA",
        path(&sub),
        "-CAkey",
        path(&key),
        "-days",
        "10",
        "-extfile",
        path(&extensions),
        "-out",
        path(&certificate),
    ]);
    certificate_is_accepted(&world.ca_pem(), &[&sub], &certificate);
}

#[test]
fn our_services_certificates_do_what_their_profiles_say() {
    let world = World::up();
    let (ocsp, _) = approved(&world, "caOCSPCert", KeyKind::P256, "/CN=Responder", &[]);
    assert_eq!(extension(&ocsp, "extendedKeyUsage"), "OCSP Signing");
    assert!(
        openssl(&["x509", "-noout", "-text", "-in", path(&ocsp)]).contains("OCSP No Check"),
        "nobody asks a responder about itself"
    );
    accepted(&world, &ocsp);

    let (transport, _) = approved(
        &world,
        "caTransportCert",
        KeyKind::Rsa3072,
        "/CN=Transport",
        &[],
    );
    assert_eq!(
        extension(&transport, "keyUsage"),
        "critical Key Encipherment, Data Encipherment"
    );
    accepted(&world, &transport);

    let (subsystem, _) = approved(
        &world,
        "caSubsystemCert",
        KeyKind::P256,
        "/CN=Subsystem",
        &["DNS:ocsp.example"],
    );
    assert_eq!(
        extension(&subsystem, "extendedKeyUsage"),
        "TLS Web Client Authentication, TLS Web Server Authentication"
    );
    accepted(&world, &subsystem);
}

#[test]
fn a_certificate_comes_as_json_pem_der_and_pkcs7() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    let serial = world.issue(&csr.der);
    let as_type = |resource: &str, media_type: &str| {
        let answer = world
            .get(resource)
            .header("Accept", media_type)
            .send()
            .with_status(200);
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some(media_type),
            "{resource}"
        );
        answer.body
    };
    let to_der = |pem: &[u8]| openssl_with_input(&["x509", "-outform", "DER"], pem);

    let leaf = format!("/pki/certificate/{serial}");
    let der = as_type(&leaf, "application/pkix-cert");
    let pem = as_type(&leaf, "application/x-pem-file");
    assert_eq!(to_der(&pem), der);
    let json: Value = serde_json::from_slice(&as_type(&leaf, "application/json")).expect("JSON");
    assert_eq!(text(&json["pem"]).as_bytes(), pem);
    assert_eq!(json["serial"], serial);
    assert_eq!(json["id"], serial);
    let fingerprint = openssl_with_input(&["x509", "-noout", "-fingerprint", "-sha256"], &pem);
    let fingerprint = String::from_utf8_lossy(&fingerprint).replace(':', "");
    let fingerprint = fingerprint.trim().rsplit('=').next().map(str::to_lowercase);
    assert_eq!(json["sha256"].as_str().map(str::to_owned), fingerprint);

    let ca_pem = fs::read(world.ca_pem()).expect("the trust anchor is there");
    let ca_der = to_der(&ca_pem);
    let printed = |pkcs7: &[u8]| {
        let printed = openssl_with_input(&["pkcs7", "-inform", "DER", "-print_certs"], pkcs7);
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let begin = "-----BEGIN CERTIFICATE-----";
        let blocks = printed.split(begin).skip(1);
        // PKCS#7 holds a set: in no order that means anything.
        blocks
            .map(|block| to_der(format!("{begin}{block}").as_bytes()))
            .collect::<BTreeSet<_>>()
    };
    let pkcs7 = as_type(&leaf, "application/pkcs7-mime");
    assert_eq!(printed(&pkcs7), BTreeSet::from([der, ca_der.clone()]));

    for resource in [
        "/pki/authority/host/certificate",
        "/pki/authority/host/chain",
    ] {
        let pem = as_type(resource, "application/x-pem-file");
        assert_eq!(to_der(&pem), ca_der, "{resource}");
        let pkcs7 = as_type(resource, "application/pkcs7-mime");
        let ca_alone = BTreeSet::from([ca_der.clone()]);
        assert_eq!(printed(&pkcs7), ca_alone, "{resource}");
        let json = as_type(resource, "application/json");
        let json: Value = serde_json::from_slice(&json).expect("JSON");
        let listed = json["certificates"][0].as_str().expect("a chain of PEM");
        assert_eq!(to_der(listed.as_bytes()), ca_der, "{resource}");
    }
    let der = as_type("/pki/authority/host/certificate", "application/pkix-cert");
    assert_eq!(der, ca_der);
    let plain = world
        .get(&format!("{}/issuer/host.crt", world.http()))
        .send()
        .with_status(200);
    assert_eq!(plain.body, ca_der, "this is where AIA points");

    let host = world.get("/pki/authority/host").send().json();
    assert_eq!(host["id"], "host");
    assert_eq!(host["subject"], subject(&world.ca_pem()));
    let all = world.get("/pki/authorities").send().json();
    assert_eq!(all["entries"], json!([host]));
}

#[test]
fn certificates_are_found_by_every_filter() {
    let world = World::up();
    let before = Timestamp::from_seconds(1_000_000_000);
    let long_after = Timestamp::from_seconds(4_000_000_000);
    let ([held, revoked, valid, user], second) = four_certificates(&world);
    let anchor = certificate_json(&world, &valid);
    let issuer = text(&anchor["issuer"]).replace(' ', "%20");
    let digest = text(&spki_sha256(&second)).to_owned();
    // The world's own certificates have neither `example` nor `Example` in their subjects.
    let all = [&held, &revoked, &valid, &user];
    let servers = [&held, &revoked, &valid];

    let cases: Vec<(String, Vec<&String>)> = vec![
        ("subject=eXaMpLe".into(), all.to_vec()),
        ("subject=first.example".into(), vec![&held]),
        ("san=dns:second.example".into(), vec![&revoked, &valid]),
        ("san=dns:example".into(), vec![]),
        ("email=alice@example.org".into(), vec![&user]),
        (format!("issuer={issuer}&subject=example"), all.to_vec()),
        ("issuer=CN=Nobody".into(), vec![]),
        ("status=on_hold".into(), vec![&held]),
        ("status=revoked".into(), vec![&revoked]),
        ("status=valid&subject=example".into(), vec![&valid, &user]),
        ("status=expired".into(), vec![]),
        ("status=not_yet_valid".into(), vec![]),
        ("profile=caAgentServerCert".into(), servers.to_vec()),
        ("profile=caUserCert&subject=example".into(), vec![&user]),
        (format!("spki_sha256={digest}"), vec![&revoked, &valid]),
        (format!("serial={valid}"), vec![&valid]),
        (
            format!("issued_after={before}&subject=example"),
            all.to_vec(),
        ),
        (format!("issued_after={long_after}"), vec![]),
        (format!("issued_before={before}"), vec![]),
        (
            format!("issued_before={long_after}&subject=example"),
            all.to_vec(),
        ),
        (
            format!(
                "expires_after={}&subject=example",
                moment(&anchor["not_before"]).plus_days(200)
            ),
            servers.to_vec(),
        ),
        (
            format!(
                "expires_before={}&subject=example",
                moment(&anchor["not_before"]).plus_days(200)
            ),
            vec![&user],
        ),
        (format!("revoked_after={before}"), vec![&held, &revoked]),
        (
            format!("revoked_before={long_after}&status=revoked"),
            vec![&revoked],
        ),
        (format!("revoked_after={long_after}"), vec![]),
        (format!("revoked_before={before}"), vec![]),
    ];
    for (query, expected) in cases {
        let found = world
            .get(&format!("/pki/certificates?{query}"))
            .as_user("auditor")
            .send()
            .with_status(200);
        let found: BTreeSet<_> = found.ids().into_iter().collect();
        let expected: BTreeSet<_> = expected.into_iter().cloned().collect();
        assert_eq!(found, expected, "{query}");
    }
}

/// One held, one revoked, one valid, one of a person; the request of the second and the third.
fn four_certificates(world: &World) -> ([String; 4], OpensslCsr) {
    let first = server_csr(world, "first", KeyKind::P256);
    let second = server_csr(world, "second", KeyKind::P256);
    let held = world.issue(&first.der);
    let revoked = world.issue(&second.der);
    let valid = world.issue(&second.der);
    let csr = openssl_csr(
        world.dir(),
        "alice",
        KeyKind::P256,
        "/CN=Alice Example",
        &["email:alice@example.org"],
    );
    let (id, _) = world.submit("caUserCert", csr.pem.as_bytes(), None);
    let user = world.approve(&id, "agent1");
    world
        .change_status(&held, r#"{"status":"on_hold"}"#)
        .with_status(200);
    world
        .change_status(&revoked, r#"{"status":"revoked","reason":"superseded"}"#)
        .with_status(200);
    ([held, revoked, valid, user], second)
}

#[test]
fn pages_show_every_certificate_once_while_new_ones_come() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    for _ in 0..5 {
        world.issue(&csr.der);
    }
    let all = world
        .get("/pki/certificates?limit=1000")
        .as_user("agent1")
        .send()
        .with_status(200);
    assert!(all.json().get("next").is_none());
    let all = all.ids();
    assert!(all.len() > 10, "five, and the world's own");

    let mut walked = Vec::new();
    let mut path = "/pki/certificates?limit=2".to_owned();
    loop {
        let page = world.get(&path).as_user("agent1").send().with_status(200);
        let entries = page.ids();
        let page = page.json();
        walked.extend(entries.iter().cloned());
        let Some(next) = page["next"].as_str() else {
            assert!((1..=2).contains(&entries.len()));
            break;
        };
        assert_eq!(entries.len(), 2);
        path = format!("/pki/certificates?limit=2&after={next}");
        if walked.len() == 4 {
            world.issue(&csr.der);
        }
    }
    assert_eq!(walked, all, "newest first, each once, none left out");
}

#[test]
fn pages_show_every_request_once() {
    let world = World::up();
    let csr = server_csr(&world, "host", KeyKind::P256);
    let mut submitted: Vec<_> = (0..5)
        .map(|_| world.submit("caServerCert", csr.pem.as_bytes(), None).0)
        .collect();
    submitted.reverse();

    let mut walked = Vec::new();
    let mut after = String::new();
    for expected in [2, 2, 1] {
        let path = format!("/pki/requests?status=pending&limit=2{after}");
        let page = world.get(&path).as_user("agent1").send().with_status(200);
        assert_eq!(page.ids().len(), expected);
        walked.extend(page.ids());
        after = match page.json()["next"].as_str() {
            Some(next) => format!("&after={next}"),
            None => String::new(),
        };
    }
    assert_eq!(after, "", "the last page has no next");
    assert_eq!(walked, submitted, "newest first");
}

#[test]
fn a_ca_with_an_rsa_key_serves_everybody() {
    let world = World::up_with(&["--ca-key", "rsa-2048"]);
    signs_everything(&world, "sha256WithRSAEncryption");
    nss_agrees(&world);
}

#[test]
fn a_ca_with_a_p_384_key_serves_everybody() {
    let world = World::up_with(&["--ca-key", "ec-p384"]);
    signs_everything(&world, "ecdsa-with-SHA384");
    nss_agrees(&world);
}

#[test]
fn a_ca_with_a_p_521_key_serves_everybody() {
    let world = World::up_with(&["--ca-key", "ec-p521"]);
    signs_everything(&world, "ecdsa-with-SHA512");
    nss_agrees(&world);
}

#[test]
fn a_ca_that_signs_by_pss_serves_everybody() {
    let mut world = World::up_with(&["--ca-key", "rsa-pss-3072"]);
    world.restart();
    signs_everything(&world, "rsassaPss");
    nss_agrees(&world);
}

#[test]
fn a_ca_with_an_ed25519_key_serves_everybody_but_nss() {
    let world = World::up_with(&["--ca-key", "ed25519"]);
    signs_everything(&world, "ED25519");
}

#[test]
fn nobody_but_their_owner_reads_credentials_and_keys() {
    let world = World::up();
    let folder = world.data().join("credentials");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the credentials are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let names: Vec<_> = files
        .iter()
        .filter_map(|file| file.file_name()?.to_str())
        .collect();
    let users = ["admin", "agent1", "agent2", "agent3", "auditor", "token"];
    let expected: Vec<_> = users
        .iter()
        .flat_map(|user| ["p12", "p12.password", "pem"].map(|kind| format!("{user}.{kind}")))
        .collect();
    assert_eq!(names, expected);
    files.push(world.data().join("secret.key"));
    for service in ["ca", "kra", "ocsp"] {
        let keys = fs::read_dir(world.data().join(service).join("keys"));
        files.extend(
            keys.expect("each has keys")
                .map(|key| key.expect("a key").path()),
        );
    }
    for file in &files {
        let metadata = fs::metadata(file).expect("it was just listed");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn credentials_open_in_other_programs() {
    let world = World::up();
    let folder = world.data().join("credentials");
    let pem = world.credential("agent1");
    let p12 = folder.join("agent1.p12");
    let password = fs::read_to_string(folder.join("agent1.p12.password")).expect("it is text");
    let password = password.trim();
    let certificate = public_key(&pem);
    assert_eq!(
        openssl(&["pkey", "-pubout", "-in", path(&pem)]),
        certificate
    );

    let opened = openssl(&[
        "pkcs12",
        "-in",
        path(&p12),
        "-nodes",
        "-passin",
        &format!("pass:{password}"),
    ]);
    let key = openssl_with_input(&["pkey", "-pubout"], opened.as_bytes());
    assert_eq!(String::from_utf8_lossy(&key), certificate);
    assert_eq!(
        opened.matches("BEGIN CERTIFICATE").count(),
        2,
        "with the CA"
    );

    let listed = tool(
        "keytool",
        &[
            "-list",
            "-v",
            "-storetype",
            "PKCS12",
            "-keystore",
            path(&p12),
            "-storepass",
            password,
        ],
    );
    assert!(listed.contains("Alias name: agent1"), "{listed}");
    assert!(listed.contains("Entry type: PrivateKeyEntry"), "{listed}");
    assert!(listed.contains("Certificate chain length: 2"), "{listed}");

    let listed = tool("pk12util", &["-l", path(&p12), "-W", password]);
    assert!(listed.contains("Certificate(has private key):"), "{listed}");
    assert!(listed.contains("Friendly Name: agent1"), "{listed}");

    let listed = tool(
        "certtool",
        &[
            "--p12-info",
            "--inder",
            "--infile",
            path(&p12),
            "--password",
            password,
        ],
    );
    assert_eq!(listed.matches("BEGIN CERTIFICATE").count(), 2, "{listed}");
    assert!(listed.contains("PKCS #8"), "{listed}");
}

/// A leaf, a CRL and OCSP answers of a CA with another key.
fn signs_everything(world: &World, algorithm: &str) {
    let csr = server_csr(world, "host", KeyKind::P256);
    let ca = world.ca_pem();
    let leaf = world.save_certificate(&world.issue(&csr.der));
    for certificate in [&ca, &leaf] {
        let text = openssl(&["x509", "-noout", "-text", "-in", path(certificate)]);
        let signed = format!("Signature Algorithm: {algorithm}");
        let lines = text.lines().filter(|line| line.trim() == signed);
        assert_eq!(lines.count(), 2, "{text}");
    }
    accepted(world, &leaf);
    // pkilint's rules for PKIX certificates hold for the anchor, too.
    pkilint_certificate(&ca);

    let serial = world.issue(&csr.der);
    let revoked = world.save_certificate(&serial);
    let good = |leaf: &Path| {
        let url = world.ocsp_url();
        let openssl = openssl_ocsp(&ca, &ca, leaf, &url, "sha256", true);
        assert_eq!(openssl, gnutls_ocsp(&ca, &ca, leaf, &url));
        openssl
    };
    assert_eq!(good(&leaf), Said::Good);
    assert_eq!(good(&revoked), Said::Good);
    world
        .change_status(&serial, r#"{"status":"revoked"}"#)
        .with_status(200);
    world
        .post("/pki/crl")
        .as_user("agent1")
        .send()
        .with_status(200);
    let crl = world.save_crl();
    crl_is_accepted(&ca, &crl);
    pkilint_crl(&crl);
    certificate_is_revoked_by_crl(&ca, &crl, &revoked);
    assert_eq!(good(&revoked), Said::Revoked);
    assert_eq!(good(&leaf), Said::Good);
}

fn nss_agrees(world: &World) {
    let csr = server_csr(world, "nss", KeyKind::P256);
    let leaf = world.save_certificate(&world.issue(&csr.der));
    let said = nss_ocsp(&world.ca_pem(), &leaf, &world.ocsp_url());
    assert_eq!(said, Said::Good);
}

/// A certificate that an agent approved as asked, and its key.
fn approved(
    world: &World,
    profile: &str,
    kind: KeyKind,
    subject: &str,
    sans: &[&str],
) -> (PathBuf, PathBuf) {
    let csr = openssl_csr(world.dir(), profile, kind, subject, sans);
    let (id, _) = world.submit(profile, csr.pem.as_bytes(), None);
    let status = world.get(&format!("/pki/request/{id}/status")).send();
    assert_eq!(status.json()["status"], "pending", "{profile}");
    let serial = world.approve(&id, "agent1");
    assert_eq!(certificate_json(world, &serial)["profile"], profile);
    (world.save_certificate(&serial), csr.key)
}

#[track_caller]
fn accepted(world: &World, certificate: &Path) {
    certificate_is_accepted(&world.ca_pem(), &[], certificate);
    pkilint_certificate(certificate);
}

/// A request for `NAME.example`.
fn server_csr(world: &World, name: &str, kind: KeyKind) -> OpensslCsr {
    let host = format!("{name}.example");
    let (subject, san) = (format!("/CN={host}"), format!("DNS:{host}"));
    openssl_csr(world.dir(), name, kind, &subject, &[&san])
}

fn certificate_json(world: &World, serial: &str) -> Value {
    let answer = world.get(&format!("/pki/certificate/{serial}")).send();
    answer.with_status(200).json()
}

/// Who did what.
fn actions(request: &Value) -> Vec<String> {
    let history = request["history"].as_array().expect("agents see it");
    let line = |entry: &Value| format!("{} {}", text(&entry["by"]), text(&entry["action"]));
    history.iter().map(line).collect()
}

/// How many seconds a certificate is valid, the last one included.
fn validity_seconds(certificate: &Path) -> i64 {
    let (not_before, not_after) = validity(certificate);
    not_after.seconds() - not_before.seconds() + 1
}

fn moment(value: &Value) -> Timestamp {
    text(value).parse().expect("times are RFC 3339")
}

fn json_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    let text = openssl_with_input(&["base64", "-A"], bytes);
    String::from_utf8(text).expect("base64 is text")
}

fn spki_sha256(csr: &OpensslCsr) -> Value {
    let spki = openssl(&["pkey", "-pubout", "-in", path(&csr.key)]);
    let der = openssl_with_input(&["pkey", "-pubin", "-outform", "DER"], spki.as_bytes());
    let digest = openssl_with_input(&["dgst", "-sha256", "-r"], &der);
    let digest = String::from_utf8_lossy(&digest);
    digest.split(' ').next().unwrap_or_default().into()
}
