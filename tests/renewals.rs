//! Renewal of certificates: by serial number, by the original request, by the holder on the
//! connection, within its window.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::clock::{Clock, Timestamp};
use serde_json::{Value, json};
use tests::foreign::{
    KeyKind, OpensslCsr, certificate_extension, certificate_is_accepted, certificate_public_key,
    certificate_subject, certificate_validity, openssl, openssl_csr, path, pkilint_certificate,
};
use tests::world::{Answer, World, eventually, expect_all, text};

/// An agent's certificate for a server: the serial number and the key's file.
fn server(world: &World) -> (String, OpensslCsr) {
    let csr = openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example", "DNS:www.example"],
    );
    (world.issue(&csr.der), csr)
}

/// A certificate for a person: the serial number, the request's id, and certificate and key together.
fn person(world: &World, name: &str) -> (String, String, PathBuf) {
    let csr = openssl_csr(
        world.dir(),
        name,
        KeyKind::P256,
        &format!("/CN={name}"),
        &[],
    );
    let (id, _) = world.submit("caUserCert", &csr.der, None);
    let serial = world.approve(&id, "agent1");
    let pem = credential(world, &serial, &csr.key);
    (serial, id, pem)
}

fn credential(world: &World, serial: &str, key: &Path) -> PathBuf {
    let mut pem = fs::read(world.save_certificate(serial)).expect("it was just saved");
    pem.extend(fs::read(key).expect("openssl wrote it"));
    let both = world.dir().join(format!("{serial}.both.pem"));
    fs::write(&both, pem).expect("the scratch folder is writable");
    both
}

fn renew(world: &World, profile: &str, user: Option<&str>, renew: &Value) -> Answer {
    let call = world.post(&format!("/pki/request/{profile}"));
    let call = match user {
        Some(user) => call.as_user(user),
        None => call,
    };
    call.json(&json!({"renew": renew}).to_string()).send()
}

fn certificate_of(answer: &Answer) -> String {
    text(&answer.json()["certificate"]["id"]).to_owned()
}

fn rule(answer: &Answer) -> String {
    answer.problem(422);
    text(&answer.json()["violations"][0]["rule"]).to_owned()
}

/// `new` is for the same key and names as `old`, another certificate, and lasts longer.
fn is_renewed(world: &World, old: &str, new: &str) {
    assert_ne!(old, new);
    let (old_pem, new_pem) = (world.save_certificate(old), world.save_certificate(new));
    assert_eq!(
        certificate_public_key(&old_pem),
        certificate_public_key(&new_pem)
    );
    assert_eq!(certificate_subject(&old_pem), certificate_subject(&new_pem));
    let names = |pem: &Path| certificate_extension(pem, "subjectAltName");
    assert_eq!(names(&old_pem), names(&new_pem));
    assert!(certificate_validity(&old_pem).1 < certificate_validity(&new_pem).1);
    certificate_is_accepted(&world.ca_pem(), &[], &new_pem);
    pkilint_certificate(&new_pem);
    // The old one stays what it was.
    let status = world.get(&format!("/pki/certificate/{old}/status")).send();
    assert_eq!(status.json()["status"], "valid");
}

/// So that a second later really is later.
fn a_second_passes() {
    std::thread::sleep(Duration::from_millis(1_100));
}

#[test]
fn who_names_a_serial_number_waits_for_an_agent() {
    let world = World::up();
    let (old, _) = server(&world);
    a_second_passes();

    let asked = renew(&world, "caManualRenewal", None, &json!({"serial": old})).with_status(201);
    let asked = asked.json();
    assert_eq!(asked["status"], "pending");
    assert_eq!(asked["type"], "renewal");
    assert_eq!(asked["profile"], "caAgentServerCert");
    assert!(asked.get("renews").is_none());
    let id = text(&asked["id"]);

    let review = world.get(&format!("/pki/request/{id}")).as_user("agent1");
    let review = review.send().with_status(200).json();
    assert_eq!(review["renews"]["id"], old);
    assert_eq!(review["renewal_profile"], "caManualRenewal");
    assert_eq!(review["draft"]["subject"], "CN=host.example");
    let new = world.approve(id, "agent1");
    is_renewed(&world, &old, &new);
    let shown = world.get(&format!("/pki/certificate/{new}"));
    assert_eq!(
        shown.send().json()["profile"],
        "caAgentServerCert",
        "the profile that composed it"
    );

    // The lists tell renewals from first requests.
    let list = |query: &str| {
        let list = world.get(&format!("/pki/requests?{query}"));
        list.as_user("agent1").send().with_status(200).ids()
    };
    assert_eq!(list("type=renewal"), [id]);
    let first = list("type=enrollment&profile=caAgentServerCert");
    assert_eq!(first.len(), 1);
    assert_ne!(first[0], id);
    let wrong = world.get("/pki/requests?type=keygen").as_user("agent1");
    assert_eq!(rule(&wrong.send()), "choice");

    // A renewed one is renewed again, and Dogtag's input names it as well.
    a_second_passes();
    let body = json!({"inputs": {"serial_num": format!("0x{new}")}}).to_string();
    let again = world.post("/pki/request/caManualRenewal").json(&body);
    let again = again.send().with_status(201).json();
    let third = world.approve(text(&again["id"]), "agent2");
    is_renewed(&world, &new, &third);
}

#[test]
fn a_renewal_keeps_what_agents_changed_and_takes_the_same_changes() {
    let world = World::up();
    let csr = openssl_csr(world.dir(), "web", KeyKind::P256, "/CN=web.example", &[]);
    let (id, _) = world.submit("caServerCert", &csr.der, None);
    let end = Clock::System.now().plus_days(10).whole_seconds();
    let changes = json!({"subject": "CN=two.example", "subject_alt_names": ["dns:two.example"],
        "not_after": end});
    let body = json!({"status": "approved", "changes": changes});
    let approved = world.decide(&id, "agent1", &body.to_string());
    let old = certificate_of(&approved.with_status(200));

    let by_request = json!({"request": id});
    let asked = renew(&world, "caManualRenewal", None, &by_request).with_status(201);
    let renewal = text(&asked.json()["id"]).to_owned();
    let new = world.approve(&renewal, "agent1");
    is_renewed(&world, &old, &new);

    // The original profile renews its own certificates, too.
    let asked = renew(&world, "caServerCert", None, &json!({"request": renewal}));
    let asked = asked.with_status(201).json();
    assert_eq!(asked["status"], "pending");
    let body = r#"{"status":"approved","changes":{"subject":"CN=three.example","subject_alt_names":["dns:three.example"]}}"#;
    let third = world.decide(text(&asked["id"]), "agent1", body);
    let third = world.save_certificate(&certificate_of(&third.with_status(200)));
    assert_eq!(certificate_subject(&third), "CN=three.example");
}

#[test]
fn the_holder_renews_at_once_and_nobody_else_does() {
    let world = World::up();
    let (old, id, pem) = person(&world, "alice");
    let (_, _, other) = person(&world, "bob");
    a_second_passes();
    let post = |pem: &Path, renew: Value| {
        let call = world.post("/pki/request/caSSLClientSelfRenewal");
        let body = json!({"renew": renew}).to_string();
        call.with_certificate(pem).json(&body).send()
    };

    let own = post(&pem, json!({"client_certificate": true})).with_status(201);
    assert_eq!(own.json()["status"], "complete");
    is_renewed(&world, &old, &certificate_of(&own));
    // By its number or its request, it is still their own.
    post(&pem, json!({"serial": old})).with_status(201);
    post(&pem, json!({"request": id})).with_status(201);
    // An agent's word counts as well.
    let by = json!({"serial": old});
    renew(&world, "caSSLClientSelfRenewal", Some("agent1"), &by).with_status(201);

    let before = world.record();
    assert_eq!(
        rule(&post(&other, json!({"serial": old}))),
        "client-certificate"
    );
    assert_eq!(
        rule(&post(&other, json!({"request": id}))),
        "client-certificate"
    );
    let anonymous = json!({"client_certificate": true});
    renew(&world, "caSSLClientSelfRenewal", None, &anonymous).problem(401);
    renew(&world, "caManualRenewal", None, &anonymous).problem(401);
    assert_eq!(world.record().requests, before.requests);

    // A service renews its own like anybody.
    let call = world.post("/pki/request/caSSLClientSelfRenewal");
    let service = world.service_credential();
    let body = json!({"renew": anonymous}).to_string();
    let answer = call.with_certificate(&service).json(&body).send();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[test]
fn what_is_not_in_force_is_not_renewed() {
    let world = World::up();
    let mut cases = Vec::new();
    let mut refused = |what: &str, renewal: Value, expected: &str| {
        let answer = renew(&world, "caManualRenewal", None, &renewal);
        cases.push((what.to_owned(), rule(&answer), expected.to_owned()));
    };
    let (held, _) = server(&world);
    world
        .change_status(&held, r#"{"status":"on_hold"}"#)
        .with_status(200);
    refused("held", json!({"serial": held}), "on-hold");
    let revoke = |reason: &str| json!({"status": "revoked", "reason": reason}).to_string();
    world
        .change_status(&held, &revoke("superseded"))
        .with_status(200);
    refused("revoked", json!({"serial": held}), "revoked");

    // Two certificates of one key: the key that one gave up is lost for the other.
    let (one, csr) = server(&world);
    let other = world.issue(&csr.der);
    world
        .change_status(&one, &revoke("key_compromise"))
        .with_status(200);
    refused("compromised", json!({"serial": other}), "compromised-key");

    let (pending, _) = world.submit("caUserCert", &server(&world).1.der, None);
    refused("pending", json!({"request": pending}), "unknown");
    let nowhere = "00000000-0000-4000-8000-000000000000";
    refused("no request", json!({"request": nowhere}), "unknown");
    refused("unknown", json!({"serial": "1234"}), "unknown");
    let printed = openssl(&["x509", "-serial", "-noout", "-in", path(&world.ca_pem())]);
    let own = printed.trim_end().strip_prefix("serial=");
    refused("the CA", json!({ "serial": own }), "no-request");
    refused("no number", json!({"serial": "xyz"}), "syntax");
    refused("no id", json!({"request": "xyz"}), "syntax");
    refused("none", json!({}), "one-of");
    refused("false", json!({"client_certificate": false}), "one-of");
    refused("two", json!({"serial": "12", "request": pending}), "one-of");
    expect_all(cases);

    // The body as a whole.
    let (good, csr) = server(&world);
    let send = |profile: &str, body: Value| {
        let call = world.post(&format!("/pki/request/{profile}"));
        call.as_user("agent1").json(&body.to_string()).send()
    };
    let by_serial = json!({"serial": good});
    let both = send(
        "caManualRenewal",
        json!({"renew": by_serial, "csr": csr.pem}),
    );
    assert_eq!(rule(&both), "one-of");
    let with_input = json!({"renew": by_serial, "inputs": {"serial_num": good}});
    assert_eq!(rule(&send("caManualRenewal", with_input)), "one-of");
    let plain = send("caManualRenewal", json!({"csr": csr.pem}));
    assert_eq!(rule(&plain), "required");
    let foreign = send("caServerCert", json!({"renew": by_serial}));
    assert_eq!(rule(&foreign), "profile");
    let inputs = json!({"renew": by_serial, "inputs": {"requestor_name": "me"}});
    assert_eq!(rule(&send("caAgentServerCert", inputs)), "unknown-field");
    let unknown = send(
        "caManualRenewal",
        json!({"renew": {"serial": good, "x": 1}}),
    );
    assert_eq!(unknown.violated_fields(), ["renew.x"]);
}

/// A copy of `caAgentServerCert` with a window in which it renews.
fn profile_with_window(world: &World, id: &str, before: &str, after: &str) {
    let shipped = world.get("/pki/profile/caAgentServerCert?format=toml");
    let text = shipped.send().with_status(200).text();
    let text = text.replace("\"caAgentServerCert\"", &format!("\"{id}\""));
    let window = format!(
        r#"
[[policies]]
id = "window"
default = {{ class = "noDefaultImpl" }}
constraint = {{ class = "renewGracePeriodConstraintImpl", "renewal.graceBefore" = "{before}", "renewal.graceAfter" = "{after}" }}
"#
    );
    let made = world.post("/pki/profiles").as_user("admin");
    made.body("application/toml", format!("{text}{window}").as_bytes())
        .send()
        .with_status(201);
    let etag = world.get(&format!("/pki/profile/{id}")).as_user("agent1");
    let etag = etag.send().header("etag").expect("a profile has a tag");
    world
        .put(&format!("/pki/profile/{id}/status"))
        .as_user("agent1")
        .header("If-Match", &etag)
        .json(r#"{"status":"enabled"}"#)
        .send()
        .with_status(200);
}

#[test]
fn a_profile_opens_and_closes_its_window() {
    let world = World::up();
    profile_with_window(&world, "siteEarly", "400", "0");
    profile_with_window(&world, "siteLate", "30", "0");
    let csr = server(&world).1;
    let issue = |profile: &str| {
        let call = world.post(&format!("/pki/request/{profile}"));
        let call = call.as_user("agent1").body("application/pkcs10", &csr.der);
        certificate_of(&call.send().with_status(201))
    };
    let early = issue("siteEarly");
    let late = issue("siteLate");
    let manually =
        |serial: &str| renew(&world, "caManualRenewal", None, &json!({"serial": serial}));

    manually(&early).with_status(201);
    let refused = manually(&late);
    assert_eq!(rule(&refused), "renewal-window");
    // The refusal is on record, as one under the profile that refused.
    let link = text(&refused.json()["request"]).to_owned();
    let shown = world.get(&link).send().with_status(200).json();
    assert_eq!(shown["status"], "rejected");
    assert_eq!(shown["type"], "renewal");
    assert_eq!(shown["profile"], "siteLate");

    // What ended is renewed as long as the window is open; without a window, always.
    let short = |profile: &str, end: Timestamp| {
        let renewed = renew(
            &world,
            "caManualRenewal",
            None,
            &json!({"serial": issue(profile)}),
        );
        let id = text(&renewed.with_status(201).json()["id"]).to_owned();
        let changes = json!({"status": "approved", "changes": {"not_after": end}});
        certificate_of(
            &world
                .decide(&id, "agent1", &changes.to_string())
                .with_status(200),
        )
    };
    let end = Clock::System.now().plus_seconds(4).whole_seconds();
    let closing = short("siteEarly", end);
    let always = short("caAgentServerCert", end);
    manually(&closing).with_status(201);
    let ended = || Clock::System.now() > end.plus_seconds(1);
    assert!(eventually(Duration::from_secs(10), ended));
    assert_eq!(rule(&manually(&closing)), "renewal-window");
    manually(&always).with_status(201);
}

#[test]
fn a_dry_run_of_a_renewal_explains_the_original_profile() {
    let world = World::up();
    profile_with_window(&world, "siteLate", "30", "30");
    let csr = server(&world).1;
    let call = world.post("/pki/request/siteLate").as_user("agent1");
    let issued = call.body("application/pkcs10", &csr.der).send();
    let serial = certificate_of(&issued.with_status(201));
    let before = world.record();

    let run = world
        .post("/pki/request/caManualRenewal?dry_run=true")
        .json(&json!({"renew": {"serial": serial}}).to_string())
        .send()
        .with_status(200)
        .json();

    assert_eq!(run["certificate"]["subject"], "CN=host.example");
    assert_eq!(run["violations"][0]["policy"], "window");
    let policies = run["policies"].as_array().expect("all are explained");
    let refusing = policies.iter().filter(|p| p.get("refused").is_some());
    let refusing: Vec<_> = refusing.map(|policy| text(&policy["id"])).collect();
    assert_eq!(refusing, ["window"]);
    assert_eq!(world.record().requests, before.requests);
}

#[test]
fn profiles_that_change_meanwhile_let_no_renewal_through() {
    let world = World::up();
    let (old, _) = server(&world);
    let by = json!({"serial": old});
    let asked = renew(&world, "caManualRenewal", None, &by).with_status(201);
    let id = text(&asked.json()["id"]).to_owned();
    let standing = |profile: &str, status: &str| {
        let path = format!("/pki/profile/{profile}");
        let shown = world.get(&path).as_user("agent1").send();
        let etag = shown.header("etag").expect("a profile has a tag");
        let change = world.put(&format!("{path}/status")).as_user("agent1");
        let body = json!({"status": status}).to_string();
        let change = change.header("If-Match", &etag).json(&body).send();
        change.with_status(200);
    };
    let approve = || world.decide(&id, "agent2", r#"{"status":"approved"}"#);

    for profile in ["caManualRenewal", "caAgentServerCert"] {
        standing(profile, "disabled");
        assert_eq!(approve().problem(409), "profile-disabled", "{profile}");
        let status = match profile {
            "caManualRenewal" => 404,
            _ => 409,
        };
        renew(&world, "caManualRenewal", None, &by).problem(status);
        standing(profile, "enabled");
    }
    approve().with_status(200);
}
