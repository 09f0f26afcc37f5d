//! What agents do with a request beside approving and refusing it.

use serde_json::{Value, json};
use tests::foreign::{KeyKind, certificate_subject, openssl_csr};
use tests::world::{Answer, World, expect_all, text};

#[test]
fn an_update_stays_with_the_request_and_is_what_an_approval_issues() {
    let world = World::up();
    let id = submitted(&world, None);
    let before = seen(&world, &id);

    let changes = json!({"subject": "CN=web.example", "subject_alt_names": ["dns:web.example"]});
    let body = json!({"status": "updated", "changes": changes, "note": "as agreed\nby phone"});
    let updated = world
        .decide(&id, "agent1", &body.to_string())
        .with_status(200);

    assert_ne!(updated.header("etag"), before.header("etag"));
    let updated = updated.json();
    assert_eq!(updated["status"], "pending");
    assert_eq!(updated["changes"], changes);
    assert_eq!(updated["csr"]["subject"], "CN=host.example");
    assert_eq!(updated["draft"]["subject"], "CN=web.example");
    assert_eq!(updated["history"][1]["action"], "updated");
    assert_eq!(updated["history"][1]["note"], "as agreed\nby phone");
    // Requesters do not see it.
    let stranger = world.get(&format!("/pki/request/{id}")).send().json();
    assert!(stranger.get("changes").is_none());

    // What an approval changes comes on top of it, field by field.
    let more = json!({"status": "approved", "changes": {"subject_alt_names": ["dns:two.example"]}});
    let approved = world
        .decide(&id, "agent2", &more.to_string())
        .with_status(200);
    let approved = approved.json();
    let serial = text(&approved["certificate"]["id"]);
    let certificate = world
        .get(&format!("/pki/certificate/{serial}"))
        .send()
        .json();
    let names = json!(["dns:two.example", "dns:web.example"]);
    assert_eq!(certificate["subject_alt_names"], names);
    let subject = certificate_subject(&world.save_certificate(serial));
    assert_eq!(subject, "CN=web.example");
}

#[test]
fn an_update_replaces_the_one_before_and_nothing_takes_it_back() {
    let world = World::up();
    let id = submitted(&world, None);
    let update = |changes: Value| {
        let body = json!({"status": "updated", "changes": changes}).to_string();
        world.decide(&id, "agent1", &body)
    };

    update(json!({"subject": "CN=one.example"})).with_status(200);
    let later = update(json!({"subject_alt_names": ["dns:two.example"]})).with_status(200);
    assert_eq!(later.json()["draft"]["subject"], "CN=host.example");
    let refused = update(json!({"not_after": "2099-01-01T00:00:00Z"}));
    assert_eq!(refused.problem(422), "not-acceptable");
    let kept = seen(&world, &id);
    assert_eq!(kept.header("etag"), later.header("etag"));
    let names = json!(["dns:two.example"]);
    assert_eq!(kept.json()["changes"]["subject_alt_names"], names);

    let nothing = update(json!({})).with_status(200).json();
    assert!(nothing.get("changes").is_none());
    assert_eq!(nothing["draft"]["subject"], "CN=host.example");
}

#[test]
fn a_validation_tells_what_an_approval_would_do_and_keeps_nothing() {
    let world = World::up();
    let id = submitted(&world, None);
    let before = (seen(&world, &id), world.record());
    let history = |seen: &Answer| seen.json()["history"].clone();
    let validate = |body: Value| world.decide(&id, "agent1", &body.to_string());

    let plain = validate(json!({"status": "validated"})).with_status(200);
    assert_eq!(plain.header("etag"), before.0.header("etag"));
    assert_eq!(plain.json()["draft"]["subject"], "CN=host.example");
    let changes = json!({"subject": "CN=web.example"});
    let changed = validate(json!({"status": "validated", "changes": changes}));
    let draft = &changed.with_status(200).json()["draft"];
    assert_eq!(draft["subject"], "CN=web.example");
    let far = json!({"not_after": "2099-01-01T00:00:00Z"});
    let refused = validate(json!({"status": "validated", "changes": far}));
    assert_eq!(refused.problem(422), "not-acceptable");

    let after = seen(&world, &id);
    assert_eq!(after.header("etag"), before.0.header("etag"));
    assert_eq!(history(&after), history(&before.0));
    assert_eq!(world.record().requests, before.1.requests);
    world.approve(&id, "agent1");
}

#[test]
fn decisions_that_make_no_sense_are_refused_by_field() {
    let world = World::up();
    let id = submitted(&world, None);
    let before = seen(&world, &id).header("etag");
    let long = "x".repeat(2_001);
    let cases = [
        (json!({"status": "updated"}), "changes", "required"),
        (
            json!({"status": "updated", "changes": null}),
            "changes",
            "required",
        ),
        (
            json!({"status": "validated", "note": "why"}),
            "note",
            "unknown-field",
        ),
        (
            json!({"status": "assigned", "changes": {}}),
            "changes",
            "unknown-field",
        ),
        (
            json!({"status": "rejected", "changes": {}}),
            "changes",
            "unknown-field",
        ),
        (
            json!({"status": "rejected", "note": long}),
            "note",
            "length",
        ),
        (
            json!({"status": "assigned", "note": "a\u{1b}[2J"}),
            "note",
            "syntax",
        ),
        (
            json!({"status": "approved", "note": "a\r\nb"}),
            "note",
            "syntax",
        ),
        (
            json!({"status": "updated", "changes": {}, "note": "\0"}),
            "note",
            "syntax",
        ),
        (json!({"status": "expired"}), "status", "choice"),
    ];
    let cases = cases.map(|(body, field, rule)| {
        let answer = world.decide(&id, "agent1", &body.to_string()).json();
        let found = &answer["violations"][0];
        let found = json!([answer["status"], found["field"], found["rule"]]);
        (body.to_string(), found, json!([422, field, rule]))
    });
    expect_all(cases);
    assert_eq!(seen(&world, &id).header("etag"), before);

    let note = "ü".repeat(2_000);
    let body = json!({"status": "rejected", "note": note}).to_string();
    let rejected = world.decide(&id, "agent1", &body).with_status(200).json();
    assert_eq!(rejected["history"][1]["note"], note);
}

#[test]
fn nobody_approves_a_request_of_their_own_unless_told_so() {
    let world = World::up();
    let id = submitted(&world, Some("agent1"));
    let approved = r#"{"status":"approved"}"#;
    let refused = world.decide(&id, "agent1", approved);
    assert_eq!(refused.problem(409), "own-request");
    assert_eq!(refused.header("etag"), seen(&world, &id).header("etag"));
    // Everything else they may, and a profile that asks nobody still asks nobody.
    world
        .decide(&id, "agent1", r#"{"status":"validated"}"#)
        .with_status(200);
    world.approve(&id, "agent2");
    let own = submitted(&world, Some("agent1"));
    world
        .decide(&own, "agent1", r#"{"status":"canceled"}"#)
        .with_status(200);
    let csr = openssl_csr(world.dir(), "own", KeyKind::P256, "/CN=own.example", &[]);
    world.issue(&csr.der);

    let world = World::up_with(&["--request-own-approval=true"]);
    let id = submitted(&world, Some("agent1"));
    world.approve(&id, "agent1");
}

#[test]
fn only_who_took_a_request_decides_where_that_is_the_rule() {
    let world = World::up_with(&["--request-assignee-only=true"]);
    let id = submitted(&world, None);
    let decide = |agent: &str, status: &str| {
        let mut body = json!({"status": status});
        if status == "updated" {
            body["changes"] = json!({});
        }
        world.decide(&id, agent, &body.to_string())
    };
    let all = ["approved", "rejected", "canceled", "updated"];
    for status in all {
        assert_eq!(decide("agent1", status).problem(409), "not-assigned");
    }
    decide("agent1", "assigned").with_status(200);
    for status in all {
        assert_eq!(decide("agent2", status).problem(409), "not-assigned");
    }
    decide("agent1", "updated").with_status(200);
    // An agent who is ill stops nobody.
    decide("agent2", "assigned").with_status(200);
    decide("agent2", "approved").with_status(200);
    let history = seen(&world, &id).json()["history"].clone();
    let actions: Vec<_> = history
        .as_array()
        .expect("agents see it")
        .iter()
        .map(|entry| format!("{} {}", text(&entry["by"]), text(&entry["action"])))
        .collect();
    let expected = [
        "anonymous submitted",
        "agent1 assigned",
        "agent1 updated",
        "agent2 assigned",
        "agent2 approved",
        "system issued",
    ];
    assert_eq!(actions, expected);
}

/// The id of a pending request.
fn submitted(world: &World, user: Option<&str>) -> String {
    let csr = openssl_csr(world.dir(), "host", KeyKind::P256, "/CN=host.example", &[]);
    world.submit("caServerCert", &csr.der, user).0
}

fn seen(world: &World, id: &str) -> Answer {
    let answer = world.get(&format!("/pki/request/{id}")).as_user("agent3");
    answer.send().with_status(200)
}
