//! Stopping, crashing and starting again in the middle of a story changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use tests::foreign::{
    KeyKind, OpensslCsr, Said, certificate_is_accepted, certificate_is_revoked_by_crl,
    certificate_passes_crl, crl_is_accepted, openssl_csr, openssl_ocsp,
};
use tests::world::{World, eventually, text};

#[test]
fn a_restart_changes_nothing() {
    nothing_changes(World::up(), World::restart);
}

#[test]
fn a_crash_changes_nothing() {
    nothing_changes(World::up(), World::crash_and_restart);
}

#[test]
fn a_restart_of_separate_services_changes_nothing() {
    nothing_changes(World::separate(), World::restart);
}

#[test]
fn a_crash_of_separate_services_changes_nothing() {
    nothing_changes(World::separate(), World::crash_and_restart);
}

#[test]
fn a_crash_during_issuance_loses_no_certificate_and_leaves_no_request_half_done() {
    let mut world = World::up();
    let csr = csr(&world);
    let answered = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let ask = || {
                    let call = world.post("/pki/request/caAgentServerCert");
                    let call = call.as_user("agent1");
                    call.body("application/pkcs10", &csr.der).try_send()
                };
                // The number is only a bound; the crash ends it.
                for answer in (0..1_000).map_while(|_| ask()) {
                    let answer = answer.with_status(201).json();
                    let pair = [&answer["id"], &answer["certificate"]["id"]];
                    let pair = pair.map(|id| text(id).to_owned());
                    answered.lock().expect("nobody panicked").insert(pair);
                }
            });
        }
        let busy = || answered.lock().expect("nobody panicked").len() >= 20;
        assert!(eventually(Duration::from_secs(30), busy));
        let id = world.process().id().to_string();
        let killed = Command::new("kill").args(["-9", &id]).status();
        assert!(killed.expect("kill is there").success());
    });

    world.crash_and_restart();

    let ca = world.ca_pem();
    for [request, serial] in answered.lock().expect("nobody panicked").iter() {
        let seen = world.get(&format!("/pki/request/{request}")).send();
        let seen = seen.with_status(200).json();
        assert_eq!(seen["status"], "complete");
        assert_eq!(seen["certificate"]["id"], *serial);
    }
    // What was under way is finished or never happened.
    let path = "/pki/requests?limit=1000&profile=caAgentServerCert";
    let requests = world.get(path).as_user("agent1").send();
    let requests = requests.with_status(200).json();
    let requests = requests["entries"].as_array().expect("a list");
    let mut serials = BTreeSet::new();
    for request in requests {
        assert_eq!(request["status"], "complete", "{request}");
        assert!(serials.insert(text(&request["certificate"]["id"]).to_owned()));
    }
    let path = "/pki/certificates?limit=1000&profile=caAgentServerCert";
    let listed = world.get(path).as_user("agent1").send().with_status(200);
    let listed: BTreeSet<_> = listed.ids().into_iter().collect();
    assert_eq!(listed, serials, "one certificate for each request");
    let answered = answered.lock().expect("nobody panicked");
    let unanswered = serials
        .iter()
        .filter(|serial| !answered.iter().any(|[_, known]| known == *serial));
    for serial in unanswered.chain(serials.iter().take(1)) {
        let leaf = world.save_certificate(serial);
        certificate_is_accepted(&ca, &[], &leaf);
        assert_eq!(asked(&world, &leaf), Said::Good);
    }
}

/// A PKI in the middle of its work.
#[derive(Debug)]
struct Story {
    pending: String,
    etag: String,
    review: Value,
    valid: PathBuf,
    held: (String, PathBuf),
    revoked: (String, PathBuf),
    statuses: Vec<Value>,
    certificates: Value,
    anchor: Vec<u8>,
    transport: Vec<u8>,
    crl_number: u64,
}

fn nothing_changes(mut world: World, stop_and_start: fn(&mut World)) {
    let before = begin(&world);

    stop_and_start(&mut world);

    // The first answers of OCSP are right, the last change included.
    assert_eq!(asked(&world, &before.revoked.1), Said::Revoked);
    assert_eq!(asked(&world, &before.held.1), Said::Revoked);
    assert_eq!(asked(&world, &before.valid), Said::Good);
    assert_eq!(
        statuses(&world, &before.held.0, &before.revoked.0),
        before.statuses
    );
    assert_eq!(
        fs::read(world.ca_pem()).expect("it is still there"),
        before.anchor
    );
    assert_eq!(transport(&world), before.transport);
    assert_eq!(certificates(&world), before.certificates);

    let listed = || crl_entries(&world) == 2;
    assert!(eventually(Duration::from_millis(1_200), listed));
    assert!(crl_number(&world) >= before.crl_number, "never back");
    let (ca, crl) = (world.ca_pem(), world.save_crl());
    crl_is_accepted(&ca, &crl);
    certificate_is_revoked_by_crl(&ca, &crl, &before.revoked.1);
    certificate_is_revoked_by_crl(&ca, &crl, &before.held.1);
    certificate_passes_crl(&ca, &crl, &before.valid);

    // The story goes on where it stood: what was reviewed before can be approved now.
    let (review, etag) = review(&world, &before.pending);
    assert_eq!(review, before.review);
    assert_eq!(etag, before.etag);
    let approved = world
        .put(&format!("/pki/request/{}/status", before.pending))
        .as_user("agent1")
        .header("If-Match", &before.etag)
        .json(r#"{"status":"approved"}"#)
        .send()
        .with_status(200)
        .json();
    let leaf = world.save_certificate(text(&approved["certificate"]["id"]));
    certificate_is_accepted(&ca, &[], &leaf);
    assert_eq!(asked(&world, &leaf), Said::Good);
    let change = |serial: &str, json: &str| world.change_status(serial, json);
    change(&before.revoked.0, r#"{"status":"valid"}"#).problem(409);
    change(&before.held.0, r#"{"status":"valid"}"#).with_status(200);
    let released = || asked(&world, &before.held.1) == Said::Good;
    assert!(eventually(Duration::from_secs(1), released));
    assert!(eventually(Duration::from_millis(1_200), || crl_entries(
        &world
    ) == 1));
    assert!(crl_number(&world) > before.crl_number);
}

fn begin(world: &World) -> Story {
    let csr = csr(world);
    let (pending, _) = world.submit("caServerCert", csr.pem.as_bytes(), None);
    world
        .decide(&pending, "agent2", r#"{"status":"assigned","note":"mine"}"#)
        .with_status(200);
    let issue = || {
        let serial = world.issue(&csr.der);
        let path = world.save_certificate(&serial);
        (serial, path)
    };
    let [(_, valid), held, revoked] = std::array::from_fn(|_| issue());
    world
        .change_status(&held.0, r#"{"status":"on_hold"}"#)
        .with_status(200);
    let (review, etag) = review(world, &pending);
    let (anchor, transport) = (
        fs::read(world.ca_pem()).expect("the trust anchor is there"),
        transport(world),
    );
    world
        .post("/pki/crl")
        .as_user("agent1")
        .send()
        .with_status(200);
    let crl_number = crl_number(world);
    // Last, so that nobody but the CA has heard of it.
    let change = r#"{"status":"revoked","reason":"privilege_withdrawn","invalidity_date":"2026-01-31T00:00:00Z"}"#;
    world.change_status(&revoked.0, change).with_status(200);
    Story {
        statuses: statuses(world, &held.0, &revoked.0),
        certificates: certificates(world),
        pending,
        etag,
        review,
        valid,
        held,
        revoked,
        anchor,
        transport,
        crl_number,
    }
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

/// A request as an agent sees it, without what moves with the clock, and its tag.
fn review(world: &World, id: &str) -> (Value, String) {
    let seen = world.get(&format!("/pki/request/{id}")).as_user("agent1");
    let seen = seen.send().with_status(200);
    let mut request = seen.json();
    let draft = request["draft"].as_object_mut().expect("agents see it");
    assert!(draft.remove("not_before").is_some());
    assert!(draft.remove("not_after").is_some());
    (request, seen.header("etag").expect("a request has a tag"))
}

fn statuses(world: &World, held: &str, revoked: &str) -> Vec<Value> {
    let status = |serial: &str| {
        let shown = world.get(&format!("/pki/certificate/{serial}/status"));
        shown.send().with_status(200).json()
    };
    vec![status(held), status(revoked)]
}

fn certificates(world: &World) -> Value {
    let listed = world.get("/pki/certificates?limit=1000").as_user("agent1");
    listed.send().with_status(200).json()
}

fn transport(world: &World) -> Vec<u8> {
    let url = format!("{}/pki/config/kra/cert/transport", world.kra());
    let answer = world.get(&url).header("Accept", "application/pkix-cert");
    answer.send().with_status(200).body
}

fn crl(world: &World) -> Value {
    world.get("/pki/crl").send().with_status(200).json()
}

fn crl_number(world: &World) -> u64 {
    text(&crl(world)["number"]).parse().expect("a number")
}

fn crl_entries(world: &World) -> u64 {
    crl(world)["entries_count"].as_u64().expect("a count")
}
