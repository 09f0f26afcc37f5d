//! Bad input: each kind is answered with the problem that names it, and leaves no trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::clock::Clock;
use common::x509::pem;
use serde_json::{Value, json};
use tests::foreign::{KeyKind, OpensslCsr, openssl, openssl_csr, path};
use tests::world::{Answer, Call, World, eventually, expect_all, text};

/// A request id that nobody ever got.
const NOBODYS: &str = "6b2f0000-0000-4000-8000-000000000000";

#[test]
fn what_is_no_certificate_request_is_refused_by_its_fault() {
    let world = World::up();
    let good = host(&world);
    let mut signature = good.der.clone();
    *signature.last_mut().expect("a request is not empty") ^= 1;
    let mut subject = good.der.clone();
    let at = subject.windows(4).position(|bytes| bytes == b"host");
    subject[at.expect("the name is in there")] = b'm';
    // What is sent, the status for it as a bare body, and the rule that it breaks.
    let cases = [
        (Vec::new(), 422, "required"),
        (b" \r\n\t".to_vec(), 422, "required"),
        (b"hello, world".to_vec(), 400, "syntax"),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----".to_vec(),
            400,
            "syntax",
        ),
        (good.der[..100].to_vec(), 422, "syntax"),
        ([&good.der[..], b"and more"].concat(), 422, "syntax"),
        (vec![0x30, 0], 422, "syntax"),
        (signature, 422, "proof-of-possession"),
        (subject, 422, "proof-of-possession"),
        (vec![b'A'; 64 * 1024 + 4], 422, "length"),
    ];

    leaving_no_trace(&world, || {
        expect_all(cases.iter().map(|(input, status, rule)| {
            let bare = submission(&world, "caServerCert").body("application/pkcs10", input);
            let expected = match status {
                400 => "400".to_owned(),
                _ => format!("422 csr {rule}"),
            };
            (format!("{input:?}"), rule_broken(&bare.send()), expected)
        }));
        // In JSON there is only text, and what cannot be read is a field like any other.
        let certificate = fs::read(world.ca_pem()).expect("there is a CA");
        let certificate = (certificate, 422, "syntax");
        expect_all(cases.iter().chain([&certificate]).map(|(input, _, rule)| {
            let text = match input.first() {
                Some(0x30) => pem("CERTIFICATE REQUEST", input),
                _ => String::from_utf8(input.clone()).expect("the others are text"),
            };
            let body = json!({"csr": text}).to_string();
            let answer = submission(&world, "caServerCert").json(&body).send();
            (body, rule_broken(&answer), format!("422 csr {rule}"))
        }));
    });

    // The request itself is none of these.
    let before = world.record();
    world.submit("caServerCert", &good.der, None);
    assert_eq!(world.record().requests.len(), before.requests.len() + 1);
}

#[test]
fn a_request_for_a_key_or_name_that_we_never_certify_is_refused() {
    let world = World::up();
    let new_key = |algorithm: &[&str], extra: &[&str]| {
        let (key, csr) = (world.dir().join("x.key"), world.dir().join("x.csr"));
        let mut arguments = vec!["req", "-new", "-nodes", "-subj", "/CN=host.example"];
        arguments.extend(["-keyout", path(&key), "-out", path(&csr), "-newkey"]);
        openssl(&[&arguments, algorithm, extra].concat());
        fs::read(csr).expect("openssl wrote the request")
    };
    let ec = |curve| ["ec", "-pkeyopt", curve];
    let cases = [
        (new_key(&["rsa:1024"], &[]), "legacy-signature"),
        (new_key(&["ed448"], &[]), "key"),
        (new_key(&ec("ec_paramgen_curve:secp256k1"), &[]), "key"),
        (new_key(&ec("ec_paramgen_curve:P-224"), &[]), "key"),
        (
            new_key(
                &ec("ec_paramgen_curve:P-256"),
                &["-addext", "subjectAltName=otherName:1.2.3.4;BOOL:TRUE"],
            ),
            "syntax",
        ),
        (
            new_key(
                &ec("ec_paramgen_curve:P-256"),
                &["-addext", "subjectAltName=DNS:under_score.example"],
            ),
            "syntax",
        ),
        (
            new_key(
                &ec("ec_paramgen_curve:P-256"),
                &["-subj", "/CN=revoke:11:superseded"],
            ),
            "revocation-proof",
        ),
    ];

    leaving_no_trace(&world, || {
        for profile in ["caServerCert", "caAgentServerCert", "caUserCert"] {
            expect_all(cases.iter().enumerate().map(|(index, (csr, rule))| {
                let call = submission(&world, profile).as_user("agent1");
                let answer = call.body("application/x-pem-file", csr).send();
                let case = format!("{profile}, request {index}");
                (case, rule_broken(&answer), format!("422 csr {rule}"))
            }));
        }
    });
}

#[test]
fn a_body_that_is_not_the_json_asked_for_is_refused_by_field() {
    let world = World::up();
    let csr = host(&world).pem;
    let long = "x".repeat(256);
    let cases = [
        (json!({"csr": csr, "colour": "red"}), "colour"),
        (
            json!({"csr": csr, "requestor": {"nickname": "x"}}),
            "requestor.nickname",
        ),
        (
            json!({"csr": csr, "requestor": {"name": long}}),
            "requestor.name",
        ),
        (
            json!({"csr": csr, "requestor": {"name": 7}}),
            "requestor.name",
        ),
        (json!({"csr": csr, "requestor": ["me"]}), "requestor"),
        (json!({"csr": csr, "requestor": "me"}), "requestor"),
        (
            json!({"csr": csr, "inputs": {"nickname": "x"}}),
            "inputs.nickname",
        ),
        (
            json!({"csr": csr, "inputs": {"requestor_name": 7}}),
            "inputs.requestor_name",
        ),
        (
            json!({"csr": csr, "inputs": {"cert_request_type": "crmf"}}),
            "inputs.cert_request_type",
        ),
        (json!({"csr": csr, "inputs": {"cert_request": csr}}), "csr"),
        (json!({"csr": csr, "authority": "other"}), "authority"),
        (json!({"csr": 7}), "csr"),
        (json!({"csr": null}), "csr"),
        (json!({}), "csr"),
        (json!([csr]), "body"),
        (json!("csr"), "body"),
        (Value::Null, "body"),
    ];
    let no_json: [&[u8]; 6] = [
        b"",
        b"{",
        b"{} {}",
        b"csr",
        b"{'csr': 'x'}",
        b"{\"csr\":\"\xff\"}",
    ];

    leaving_no_trace(&world, || {
        expect_all(cases.iter().map(|(body, field)| {
            let call = submission(&world, "caServerCert").json(&body.to_string());
            (
                body.to_string(),
                fault(&call.send()),
                format!("422 {field}"),
            )
        }));
        for body in no_json {
            let answer = submission(&world, "caServerCert")
                .body("application/json", body)
                .send();
            assert_eq!(answer.problem(400), "malformed", "{body:?}");
        }
    });

    // Absent and null are the same.
    let body = json!({"csr": csr, "inputs": null, "requestor": {"name": null}, "authority": null});
    let answer = submission(&world, "caServerCert").json(&body.to_string());
    answer.send().with_status(201);
}

#[test]
fn media_types_and_sizes_that_no_path_takes_are_refused() {
    let world = World::up();
    let csr = host(&world);
    let (id, etag) = world.submit("caServerCert", &csr.der, None);
    let serial = world.issue(&csr.der);
    let decision = format!("/pki/request/{id}/status");
    let change = format!("/pki/certificate/{serial}/status");
    let approve = br#"{"status":"approved"}"#;
    let revoke = br#"{"status":"revoked"}"#;
    let calls = || {
        [
            (submission(&world, "caServerCert"), &csr.der[..]),
            (
                world
                    .put(&decision)
                    .as_user("agent1")
                    .header("If-Match", &etag),
                approve,
            ),
            (world.put(&change).as_user("agent1"), revoke),
        ]
    };

    leaving_no_trace(&world, || {
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
            "application/jsonx",
            "",
        ] {
            for (call, body) in calls() {
                let answer = call.body(media_type, body).send();
                assert_eq!(
                    answer.problem(415),
                    "unsupported-media-type",
                    "{media_type}"
                );
                assert!(
                    answer.text().contains("application/json"),
                    "it says what would do"
                );
            }
        }
        for (call, body) in calls() {
            let padded = [&vec![b' '; 10_000_000][..], body].concat();
            let answer = call.body("application/json", &padded).send();
            assert_eq!(answer.problem(413), "payload-too-large");
        }
        let bare =
            submission(&world, "caServerCert").body("application/pkcs10", &vec![0; 10_000_000]);
        assert_eq!(bare.send().problem(413), "payload-too-large");
    });

    // The same bodies under the right name, with a parameter that changes nothing.
    for (call, body) in calls().into_iter().skip(1) {
        let answer = call.body("application/json; charset=utf-8", body);
        answer.send().with_status(200);
    }
}

#[test]
fn paths_methods_and_ids_that_there_are_not_are_refused() {
    let world = World::up();
    let serial = world.issue(&host(&world).der);
    let missing = [
        "/",
        "/pki",
        "/pki/",
        "/pki/nope",
        "/pki/profiles/",
        "//pki/profiles",
        "/pki/profile/nope",
        "/pki/request/nope",
        "/pki/request/%00",
        "/pki/request/%ff",
        "/pki/authority/nope",
        "/pki/authority/nope/certificate",
        "/pki/authority/nope/chain",
        "/pki/certificate/nope",
        "/pki/certificate/00",
        "/pki/certificate/7f",
        "/pki/certificate/-7f",
        "/pki/certificate/7fffffffffffffffffffffffffffffffffffffffff",
        "/pki/certificate/nope/status",
        "/pki/crl?authority=nope",
        "/ocsp",
    ];

    leaving_no_trace(&world, || {
        for path in missing.iter().filter(|path| **path != "/ocsp") {
            let answer = world.get(path).as_user("agent1").send();
            assert_eq!(answer.problem(404), "not-found", "{path}");
        }
        for path in [
            format!("/pki/request/{NOBODYS}"),
            format!("/pki/request/{NOBODYS}/status"),
        ] {
            assert_eq!(world.get(&path).send().problem(404), "not-found");
        }
        for id in ["nope", NOBODYS] {
            let answer = world
                .put(&format!("/pki/request/{id}/status"))
                .as_user("agent1")
                .header("If-Match", "\"1\"")
                .json(r#"{"status":"approved"}"#)
                .send();
            assert_eq!(answer.problem(404), "not-found", "{id}");
        }
        for id in ["nope", "7f"] {
            let answer = world.change_status(id, r#"{"status":"revoked"}"#);
            assert_eq!(answer.problem(404), "not-found", "{id}");
        }
        let answer = submission(&world, "nope").body("application/pkcs10", &host(&world).der);
        assert_eq!(answer.send().problem(404), "not-found");

        let status = format!("/pki/certificate/{serial}/status");
        for (method, path, allowed) in [
            ("DELETE", "/pki/profiles", "GET, HEAD, POST"),
            ("POST", "/pki/requests", "GET, HEAD"),
            ("PUT", "/pki/certificates", "GET, HEAD"),
            ("OPTIONS", "/pki/info", "GET, HEAD"),
            ("TRACE", "/health", "GET, HEAD"),
            ("BREW", "/pki/crl", "GET, HEAD, POST"),
            ("DELETE", &status, "GET, HEAD, PUT"),
            ("PATCH", "/pki/request/nope", "GET, HEAD, POST"),
            ("GET", "/ocsp", "POST"),
        ] {
            let answer = world.call(method, path).as_user("agent1").send();
            assert_eq!(answer.problem(405), "method-not-allowed", "{method} {path}");
            let allow = answer.header("allow").expect("405 says what there is");
            assert_eq!(allow, allowed, "{method} {path}");
        }
    });
}

#[test]
fn a_representation_that_there_is_not_is_refused_naming_those_there_are() {
    let world = World::up();
    let serial = world.issue(&host(&world).der);
    let certificate = [
        "application/json",
        "application/x-pem-file",
        "application/pkix-cert",
        "application/pkcs7-mime",
    ];
    let crl = [
        "application/json",
        "application/x-pem-file",
        "application/pkix-crl",
    ];
    for (path, there) in [
        (format!("/pki/certificate/{serial}"), &certificate[..]),
        ("/pki/authority/host/certificate".into(), &certificate),
        (
            "/pki/authority/host/chain".into(),
            &["application/json", "application/pkcs7-mime"],
        ),
        ("/pki/crl".into(), &crl),
        ("/pki/config/kra/cert/transport".into(), &certificate[..3]),
    ] {
        for accept in [
            "text/html",
            "image/*",
            "application/json;q=0",
            "application/xml, text/*",
        ] {
            let answer = world.get(&path).header("Accept", accept).send();
            assert_eq!(answer.problem(406), "not-acceptable", "{path} as {accept}");
            let detail = answer.json()["detail"].to_string();
            for media_type in there {
                assert!(detail.contains(media_type), "{path}: {detail}");
            }
        }
        // Each of them there is.
        for media_type in there {
            let answer = world.get(&path).header("Accept", media_type).send();
            let given = answer.with_status(200).header("content-type");
            assert_eq!(given.as_deref(), Some(*media_type), "{path}");
        }
    }
}

#[test]
fn what_is_decided_is_not_decided_again() {
    let world = World::up();
    let csr = host(&world).der;
    let (approved, _) = world.submit("caServerCert", &csr, None);
    let (rejected, _) = world.submit("caServerCert", &csr, None);
    let (canceled, _) = world.submit("caServerCert", &csr, None);
    let complete = world.issue(&csr);
    world.approve(&approved, "agent1");
    let reject = r#"{"status":"rejected","note":"unknown host"}"#;
    world.decide(&rejected, "agent1", reject).with_status(200);
    let cancel = r#"{"status":"canceled"}"#;
    world.decide(&canceled, "agent1", cancel).with_status(200);
    let at_once = &world
        .get(&format!("/pki/certificate/{complete}"))
        .as_user("agent1")
        .send()
        .json();
    let at_once = text(&at_once["request"]["id"]);

    leaving_no_trace(&world, || {
        for (id, state) in [
            (&*approved, "complete"),
            (&*rejected, "rejected"),
            (&*canceled, "canceled"),
            (at_once, "complete"),
        ] {
            for decision in [
                r#"{"status":"approved"}"#,
                reject,
                cancel,
                r#"{"status":"assigned"}"#,
                r#"{"status":"unassigned"}"#,
            ] {
                let answer = world.decide(id, "agent2", decision);
                assert_eq!(
                    answer.problem(409),
                    "request-not-pending",
                    "{state} {decision}"
                );
                assert!(answer.text().contains(state), "it says what the request is");
                assert!(answer.header("etag").is_some());
            }
        }
    });
}

#[test]
fn a_certificate_goes_no_way_that_its_status_does_not_have() {
    let world = World::up();
    let csr = host(&world).der;
    let [valid, held, revoked] = [(); 3].map(|()| world.issue(&csr));
    world
        .change_status(&held, r#"{"status":"on_hold"}"#)
        .with_status(200);
    let superseded = r#"{"status":"revoked","reason":"superseded"}"#;
    world.change_status(&revoked, superseded).with_status(200);
    let long_ago = r#"{"status":"revoked","invalidity_date":"2099-01-01T00:00:00Z"}"#;

    leaving_no_trace(&world, || {
        for (serial, body) in [
            (&valid, r#"{"status":"valid"}"#),
            (&held, r#"{"status":"on_hold"}"#),
            (&revoked, r#"{"status":"valid"}"#),
            (&revoked, r#"{"status":"on_hold"}"#),
            (&revoked, superseded),
            (
                &revoked,
                r#"{"status":"revoked","reason":"key_compromise"}"#,
            ),
        ] {
            let answer = world.change_status(serial, body);
            assert_eq!(answer.problem(409), "certificate-status", "{body}");
        }
        let faulty = [
            (r#"{"status":"blessed"}"#, "status"),
            (r#"{"status":7}"#, "status"),
            (r#"{}"#, "status"),
            (r#"{"status":"revoked","reason":"boredom"}"#, "reason"),
            (
                r#"{"status":"revoked","reason":"certificate_hold"}"#,
                "reason",
            ),
            (
                r#"{"status":"revoked","reason":"remove_from_crl"}"#,
                "reason",
            ),
            (r#"{"status":"revoked","reason":1}"#, "reason"),
            (
                r#"{"status":"revoked","invalidity_date":"yesterday"}"#,
                "invalidity_date",
            ),
            (long_ago, "invalidity_date"),
            (r#"{"status":"revoked","colour":"red"}"#, "colour"),
            (r#"{"status":"on_hold","reason":"superseded"}"#, "reason"),
            (r#"["revoked"]"#, "body"),
        ];
        expect_all(faulty.map(|(body, field)| {
            let answer = world.change_status(&valid, body);
            (body.to_owned(), fault(&answer), format!("422 {field}"))
        }));
        assert_eq!(
            world.change_status(&valid, "revoked").problem(400),
            "malformed"
        );

        let stale = world
            .put(&format!("/pki/certificate/{valid}/status"))
            .as_user("agent1")
            .header("If-Match", "\"stale\"")
            .json(superseded)
            .send();
        assert_eq!(stale.problem(412), "stale");
        let now = world
            .get(&format!("/pki/certificate/{valid}/status"))
            .send();
        assert_eq!(
            stale.header("etag"),
            now.header("etag"),
            "412 says what holds now"
        );
    });

    // If-Match is optional here, since revoking must never wait, and honoured when it fits.
    let status = format!("/pki/certificate/{valid}/status");
    let tag = world.get(&status).send().header("etag");
    let call = world.put(&status).as_user("agent1").json(superseded);
    let call = call.header("If-Match", &tag.expect("a status has a tag"));
    call.send().with_status(200);
}

#[test]
fn a_decision_that_does_not_say_what_was_reviewed_is_refused() {
    let world = World::up();
    let (id, etag) = world.submit("caServerCert", &host(&world).der, None);
    let assign = world.decide(&id, "agent2", r#"{"status":"assigned"}"#);
    let fresh = assign
        .with_status(200)
        .header("etag")
        .expect("a request has a tag");
    assert_ne!(fresh, etag, "an assignment changes what is reviewed");
    let decide = |tag: Option<&str>, body: &str| {
        let call = world
            .put(&format!("/pki/request/{id}/status"))
            .as_user("agent1");
        let call = call.json(body);
        match tag {
            Some(tag) => call.header("If-Match", tag).send(),
            None => call.send(),
        }
    };
    let approve = r#"{"status":"approved"}"#;
    let weak = format!("W/{fresh}");

    leaving_no_trace(&world, || {
        for body in [
            approve,
            r#"{"status":"rejected","note":"x"}"#,
            r#"{"status":"canceled"}"#,
            r#"{"status":"assigned"}"#,
            r#"{"status":"unassigned"}"#,
        ] {
            assert_eq!(
                decide(None, body).problem(428),
                "if-match-required",
                "{body}"
            );
            for stale in [&etag, "\"other\"", "\"other\", \"another\"", &weak, ""] {
                let answer = decide(Some(stale), body);
                // curl does not send an empty header.
                let expected = if stale.is_empty() { 428 } else { 412 };
                answer.problem(expected);
                assert_eq!(
                    answer.header("etag").as_ref(),
                    Some(&fresh),
                    "{body} {stale}"
                );
            }
        }
        // Nobody approves what he has not seen.
        assert_eq!(decide(Some("*"), approve).problem(428), "if-match-required");
    });

    let answer = decide(Some(&format!("\"other\", {fresh}")), approve);
    assert_eq!(answer.with_status(200).json()["status"], "complete");
}

#[test]
fn changes_that_break_a_constraint_leave_the_request_pending() {
    let world = World::up();
    let (id, etag) = world.submit("caServerCert", &host(&world).der, None);
    let fields = [
        (json!({"changes": {"colour": "red"}}), "changes.colour"),
        (json!({"changes": {"subject": "hello"}}), "changes.subject"),
        (json!({"changes": {"subject": 7}}), "changes.subject"),
        (
            json!({"changes": {"not_after": "tomorrow"}}),
            "changes.not_after",
        ),
        (
            json!({"changes": {"not_before": "2026-11-21"}}),
            "changes.not_before",
        ),
        (
            json!({"changes": {"subject_alt_names": ["dns:a.example", "dns:-"]}}),
            "changes.subject_alt_names[1]",
        ),
        (
            json!({"changes": {"subject_alt_names": "dns:a.example"}}),
            "changes.subject_alt_names",
        ),
        (json!({"changes": ["CN=host.example"]}), "changes"),
        (json!({"note": 7}), "note"),
        (json!({"colour": "red"}), "colour"),
    ];
    let policies = [
        (json!({"not_after": "2036-01-01T00:00:00Z"}), "validity"),
        (json!({"not_before": "2030-01-01T00:00:00Z"}), "validity"),
        (json!({"not_before": "2020-01-01T00:00:00Z"}), "lint"),
        (json!({"not_after": "2020-01-01T00:00:00Z"}), "lint"),
        (json!({"subject": "", "subject_alt_names": []}), "lint"),
    ];
    let approve = |body: &Value| {
        let mut body = body.clone();
        body["status"] = "approved".into();
        world
            .put(&format!("/pki/request/{id}/status"))
            .as_user("agent1")
            .header("If-Match", &etag)
            .json(&body.to_string())
            .send()
    };

    leaving_no_trace(&world, || {
        expect_all(fields.iter().map(|(body, field)| {
            let answer = approve(body);
            (body.to_string(), fault(&answer), format!("422 {field}"))
        }));
        for (changes, policy) in &policies {
            let answer = approve(&json!({"changes": changes}));
            assert_eq!(answer.problem(422), "not-acceptable", "{changes}");
            let violated = violated_policies(&answer);
            assert!(
                violated.iter().any(|found| found == policy),
                "{changes}: {violated:?}"
            );
            assert!(
                answer.json().get("request").is_none(),
                "nothing new is recorded"
            );
        }
    });

    let status = world
        .get(&format!("/pki/request/{id}/status"))
        .send()
        .json();
    assert_eq!(status["status"], "pending");
    let changes = json!({"subject": "CN=other.example", "subject_alt_names": []});
    let answer = approve(&json!({ "changes": changes }));
    assert_eq!(answer.with_status(200).json()["status"], "complete");
}

#[test]
fn a_refusal_by_the_profile_is_recorded_with_all_that_is_wrong() {
    let world = World::up();
    let nobody = openssl_csr(
        world.dir(),
        "nobody",
        KeyKind::P256,
        "/",
        &["DNS:a.example"],
    );
    let before = world.record();

    // No subject, a name that the profile takes none of, and a key of the wrong kind.
    let answer = submission(&world, "caTransportCert")
        .body("application/pkcs10", &nobody.der)
        .send();

    assert_eq!(answer.problem(422), "not-acceptable");
    let problem = answer.json();
    let violations = problem["violations"]
        .as_array()
        .expect("there are violations");
    assert_eq!(violations.len(), 3, "{problem}");
    assert_eq!(answer.violated_fields(), ["csr"]);
    let mut policies = violated_policies(&answer);
    policies.sort();
    assert_eq!(policies, ["key", "subject"]);
    for violation in violations {
        assert!(violation["rule"].is_string() && violation["message"].is_string());
    }

    let link = text(&problem["request"]);
    let recorded = world.get(link).send().with_status(200).json();
    assert_eq!(recorded["status"], "rejected");
    assert_eq!(recorded["violations"], problem["violations"]);
    let after = world.record();
    assert_eq!(after.requests.len(), before.requests.len() + 1);
    assert_eq!(
        (&after.certificates, &after.journal),
        (&before.certificates, &before.journal)
    );
    let id = link.rsplit('/').next().expect("a link ends in the id");
    leaving_no_trace(&world, || {
        let answer = world.decide(id, "agent1", r#"{"status":"approved"}"#);
        assert_eq!(answer.problem(409), "request-not-pending");
    });

    // An automatic profile refuses in the same way, and issues nothing.
    let nameless = openssl_csr(world.dir(), "nameless", KeyKind::P256, "/", &[]);
    let answer = submission(&world, "caAgentServerCert")
        .as_user("agent1")
        .body("application/pkcs10", &nameless.der)
        .send();
    assert_eq!(answer.problem(422), "not-acceptable");
    let link = answer.json()["request"].clone();
    let recorded = world.get(text(&link)).send().with_status(200).json();
    assert_eq!(recorded["status"], "rejected");
    assert_eq!(world.record().certificates, before.certificates);
}

#[test]
fn lists_refuse_what_they_cannot_mean() {
    let world = World::up();
    let requests = "/pki/requests";
    let certificates = "/pki/certificates";
    let authorities = "/pki/authorities";
    let mut cases = Vec::new();
    for list in [requests, certificates, "/pki/profiles", authorities] {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=1001", "limit"),
            ("limit=ten", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=", "limit"),
            ("after=nope", "after"),
            ("after=%21", "after"),
            ("after=", "after"),
            ("colour=red", "colour"),
        ] {
            cases.push((list, query, field));
        }
    }
    cases.extend([
        (requests, "status=blessed", "status"),
        (requests, "status=", "status"),
        (requests, "type=renewal-of-vows", "type"),
        (requests, "created_after=yesterday", "created_after"),
        (requests, "created_before=2026-11-21", "created_before"),
        (requests, "status=pending&status=rejected", "status"),
        (certificates, "status=blessed", "status"),
        (certificates, "san=host.example", "san"),
        (certificates, "serial=nope", "serial"),
        (certificates, "spki_sha256=7f", "spki_sha256"),
        (certificates, "issued_after=1", "issued_after"),
        (certificates, "issued_before=1", "issued_before"),
        (certificates, "expires_after=1", "expires_after"),
        (certificates, "expires_before=1", "expires_before"),
        (certificates, "revoked_after=1", "revoked_after"),
        (certificates, "revoked_before=1", "revoked_before"),
        ("/pki/crl", "kind=partial", "kind"),
        ("/pki/crl", "colour=red", "colour"),
        ("/pki/status-journal", "after=nope", "after"),
        ("/pki/status-journal", "after=j-000000000000001", "after"),
        ("/pki/status-journal", "wait=long", "wait"),
        ("/pki/status-journal", "colour=red", "colour"),
    ]);
    let service = world.service_credential();

    expect_all(cases.into_iter().map(|(list, query, field)| {
        let query = format!("{list}?{query}");
        let call = match list {
            "/pki/status-journal" => world.get(&query).with_certificate(&service),
            _ => world.get(&query).as_user("agent1"),
        };
        (query, fault(&call.send()), format!("422 {field}"))
    }));

    // A cursor of one list is none of another.
    let page = world
        .get("/pki/profiles?limit=1")
        .as_user("agent1")
        .send()
        .json();
    let cursor = text(&page["next"]);
    let answer = world
        .get(&format!("{requests}?after={cursor}"))
        .as_user("agent1")
        .send();
    assert!([200, 422].contains(&answer.status), "{}", answer.text());
}

#[test]
fn without_a_credential_or_its_role_nothing_is_decided() {
    let world = World::up();
    let csr = host(&world).der;
    let (id, etag) = world.submit("caServerCert", &csr, None);
    let serial = world.issue(&csr);
    let root = serial_of(&world.ca_pem());
    let calls = || {
        let status = format!("/pki/certificate/{serial}/status");
        [
            world.get("/pki/requests"),
            world.post("/pki/crl"),
            submission(&world, "caAgentServerCert").body("application/pkcs10", &csr),
            world.put(&status).json(r#"{"status":"revoked"}"#),
            world
                .put(&format!("/pki/request/{id}/status"))
                .header("If-Match", &etag)
                .json(r#"{"status":"approved"}"#),
        ]
    };

    leaving_no_trace(&world, || {
        for call in calls() {
            expect_unauthenticated(&call.send());
        }
        for user in ["admin", "auditor", "token"] {
            for call in calls() {
                assert_eq!(
                    call.as_user(user).send().problem(403),
                    "forbidden",
                    "{user}"
                );
            }
        }
        // Agents stop where administrators begin.
        let answer = world.change_status(&root, r#"{"status":"revoked"}"#);
        assert_eq!(answer.problem(403), "forbidden");
    });

    // The same calls by an agent are taken.
    for call in calls() {
        let answer = call.as_user("agent1").send();
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
    }
}

#[test]
fn a_credential_that_does_not_hold_is_refused_even_where_none_is_needed() {
    let world = World::up();
    let stranger = stranger(&world);
    let server = certified_again(&world, "agent2", "caServerCert", "/CN=host.example", None);
    let expiring = certified_again(&world, "agent2", "caUserCert", "/CN=Agent 2", Some(8));
    let agent3 = serial_of(&world.credential("agent3"));
    let by = |pem: &Path, path: &str| world.get(path).with_certificate(pem).send();
    let refused = |pem: &Path, why: &str| {
        let paths = ["/pki/requests", "/pki/profiles", "/pki/crl", "/pki/info"];
        expect_all(paths.map(|path| {
            let answer = by(pem, path);
            let said = fault(&answer) + if answer.text().contains(why) { why } else { "" };
            (path.to_owned(), said, format!("401{why}"))
        }));
    };

    // A second certificate for an agent's key is that agent's, while it lasts.
    by(&expiring, "/pki/requests").with_status(200);
    by(&world.credential("agent3"), "/pki/requests").with_status(200);

    refused(&stranger, "not");
    refused(&server, "not for TLS clients");
    let hold = world.change_status(&agent3, r#"{"status":"on_hold"}"#);
    hold.with_status(200);
    refused(&world.credential("agent3"), "revoked or on hold");
    world
        .change_status(&agent3, r#"{"status":"valid"}"#)
        .with_status(200);
    by(&world.credential("agent3"), "/pki/requests").with_status(200);
    world
        .change_status(&agent3, r#"{"status":"revoked"}"#)
        .with_status(200);
    refused(&world.credential("agent3"), "revoked or on hold");
    let expired = || by(&expiring, "/pki/requests").status == 401;
    assert!(
        eventually(Duration::from_secs(20), expired),
        "a certificate expires"
    );
    refused(&expiring, "expired");

    for authorization in [
        "Bearer nonsense",
        "Basic YWdlbnQxOnNlY3JldA==",
        "Negotiate x",
    ] {
        expect_all(["/pki/profiles", "/pki/requests"].map(|path| {
            let call = world.get(path).header("Authorization", authorization);
            let case = format!("{path} with {authorization}");
            (case, fault(&call.send()), "401".to_owned())
        }));
    }
}

#[test]
fn an_agent_who_was_revoked_decides_nothing_more() {
    let world = World::up();
    let csr = host(&world).der;
    let (id, etag) = world.submit("caServerCert", &csr, None);
    let agent3 = serial_of(&world.credential("agent3"));
    world
        .change_status(&agent3, r#"{"status":"revoked"}"#)
        .with_status(200);

    leaving_no_trace(&world, || {
        let approve = world
            .put(&format!("/pki/request/{id}/status"))
            .as_user("agent3")
            .header("If-Match", &etag)
            .json(r#"{"status":"approved"}"#);
        expect_unauthenticated(&approve.send());
        for profile in ["caAgentServerCert", "caServerCert"] {
            let submit = submission(&world, profile).as_user("agent3");
            expect_unauthenticated(&submit.body("application/pkcs10", &csr).send());
        }
        let revoke = world
            .put(&format!(
                "/pki/certificate/{}/status",
                serial_of(&world.credential("agent1"))
            ))
            .as_user("agent3")
            .json(r#"{"status":"revoked"}"#);
        expect_unauthenticated(&revoke.send());
    });
}

/// Checks that `story` leaves requests, certificates and the journal as they were.
#[track_caller]
fn leaving_no_trace(world: &World, story: impl FnOnce()) {
    let before = world.record();
    story();
    let after = world.record();
    assert_eq!(after.requests, before.requests);
    assert_eq!(after.certificates, before.certificates);
    assert_eq!(after.journal, before.journal);
}

/// The status of a problem, and the fields in which the fault is.
#[track_caller]
fn fault(answer: &Answer) -> String {
    if answer.status < 400 {
        return answer.status.to_string();
    }
    answer.problem(answer.status);
    let status = answer.status.to_string();
    [&[status], &answer.violated_fields()[..]]
        .concat()
        .join(" ")
}

/// The same with the rule that is broken first.
#[track_caller]
fn rule_broken(answer: &Answer) -> String {
    match answer.status {
        422 => format!(
            "{} {}",
            fault(answer),
            text(&answer.json()["violations"][0]["rule"])
        ),
        _ => fault(answer),
    }
}

#[track_caller]
fn expect_unauthenticated(answer: &Answer) {
    assert_eq!(answer.problem(401), "unauthenticated");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge.as_deref(), Some("Bearer realm=\"chancery\""));
}

fn violated_policies(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let violations = problem["violations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let policies = violations
        .iter()
        .filter_map(|violation| violation["policy"].as_str());
    policies.map(str::to_owned).collect()
}

fn submission<'a>(world: &'a World, profile: &str) -> Call<'a> {
    world.post(&format!("/pki/request/{profile}"))
}

fn host(world: &World) -> OpensslCsr {
    openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example"],
    )
}

/// A certificate that somebody made for himself.
fn stranger(world: &World) -> PathBuf {
    let (key, pem) = (
        world.dir().join("stranger.key"),
        world.dir().join("stranger.pem"),
    );
    let mut arguments = vec![
        "req",
        "-x509",
        "-nodes",
        "-subj",
        "/CN=Agent 1",
        "-days",
        "9",
    ];
    arguments.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    arguments.extend(["-keyout", path(&key), "-out", path(&pem)]);
    openssl(&arguments);
    with_key(&pem, &key)
}

/// Another certificate of ours for the key of `user`, for `seconds` only.
fn certified_again(
    world: &World,
    user: &str,
    profile: &str,
    subject: &str,
    seconds: Option<i64>,
) -> PathBuf {
    let credential = world.credential(user);
    let csr = world.dir().join("again.csr");
    let mut arguments = vec!["req", "-new", "-subj", subject, "-key", path(&credential)];
    arguments.extend(["-outform", "DER", "-out", path(&csr)]);
    openssl(&arguments);
    let csr = fs::read(csr).expect("openssl wrote the request");
    let (id, _) = world.submit(profile, &csr, None);
    let end = seconds.map(|seconds| Clock::System.now().plus_seconds(seconds).to_string());
    let decision = json!({"status": "approved", "changes": {"not_after": end}});
    let decided = world.decide(&id, "agent1", &decision.to_string());
    let decided = decided.with_status(200).json();
    let pem = world.save_certificate(text(&decided["certificate"]["id"]));
    with_key(&pem, &credential)
}

/// Writes a key behind a certificate, in the same file.
fn with_key(pem: &Path, key: &Path) -> PathBuf {
    let key = openssl(&["pkey", "-in", path(key)]);
    let certificate = fs::read_to_string(pem).expect("the certificate can be read");
    fs::write(pem, certificate + &key).expect("the scratch folder is writable");
    pem.to_owned()
}

/// The serial number of a certificate as we write it.
fn serial_of(pem: &Path) -> String {
    let line = openssl(&["x509", "-noout", "-serial", "-in", path(pem)]);
    let serial = line.trim().trim_start_matches("serial=");
    serial.to_ascii_lowercase()
}
