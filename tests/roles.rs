//! Who may do what: every operation and every role.

use std::collections::BTreeSet;
use std::thread;

use tests::foreign::{KeyKind, openssl_csr};
use tests::world::{Answer, Call, World, expect_all, text};

use crate::openapi::{committed, operations, template};

/// What each role gets from each operation. `{}` stands for what is in the third column. `token` is
/// an identity without a role at the CA; `service` is the responder.
///
/// 401 and 403 say that the caller is not let in. Everything else comes after that question: 409
/// and 428 are about what was asked, so that the table can be gone through without changing much.
const TABLE: &str = "
METHOD PATH                             {}                 anonymous token agent1 auditor admin service
GET    /health                          -                  200 200 200 200 200 200
GET    /ready                           -                  200 200 200 200 200 200
GET    /metrics                         -                  200 200 200 200 200 200
GET    /pki/info                        -                  200 200 200 200 200 200
GET    /pki/openapi.json                -                  200 200 200 200 200 200
GET    /pki/profiles                    -                  200 200 200 200 200 200
GET    /pki/profile/{}                  caServerCert       200 200 200 200 200 200
POST   /pki/profiles                    -                  401 403 403 403 422 403
PUT    /pki/profile/{}                  caServerCert       401 403 403 403 422 403
DELETE /pki/profile/{}                  caServerCert       401 403 403 403 409 403
PUT    /pki/profile/{}/status           caServerCert       401 403 409 403 403 403
POST   /pki/request/{}                  caServerCert       201 201 201 201 201 201
POST   /pki/request/{}                  caAgentServerCert  401 403 201 403 403 403
GET    /pki/requests                    -                  401 403 200 403 403 403
GET    /pki/request/{}                  REQUEST            200 200 200 200 200 200
GET    /pki/request/{}/status           REQUEST            200 200 200 200 200 200
PUT    /pki/request/{}/status           REQUEST            401 403 428 403 403 403
GET    /pki/certificates                -                  401 200 200 200 200 200
GET    /pki/certificate/{}              SERVER             200 200 200 200 200 200
GET    /pki/certificate/{}/status       SERVER             200 200 200 200 200 200
PUT    /pki/certificate/{}/status       SERVER             401 403 409 403 403 403
PUT    /pki/certificate/{}/status       CA                 401 403 403 403 409 403
GET    /pki/crl                         -                  200 200 200 200 200 200
POST   /pki/crl                         -                  401 403 200 403 403 403
GET    /pki/authorities                 -                  200 200 200 200 200 200
POST   /pki/authorities                 -                  401 403 403 403 422 403
GET    /pki/authority/{}                host               200 200 200 200 200 200
GET    /pki/authority/{}/certificate    host               200 200 200 200 200 200
GET    /pki/authority/{}/chain          host               200 200 200 200 200 200
PUT    /pki/authority/{}/certificate    host               401 403 403 403 409 403
PUT    /pki/authority/{}/status         host               401 403 403 403 409 403
POST   /pki/authority/{}/renewal        nobody             401 403 403 403 404 403
DELETE /pki/authority/{}                host               401 403 403 403 409 403
GET    /pki/statistics                  -                  401 403 200 200 200 403
POST   /pki/revocations                 -                  401 403 403 403 200 403
GET    /pki/jobs                        -                  401 403 403 403 200 403
GET    /pki/job/{}                      crl-host           401 403 403 403 200 403
GET    /pki/status-journal              -                  401 403 403 403 403 200
GET    /pki/config/kra/cert/transport   -                  200 200 200 200 200 200
POST   /ocsp                            -                  200 200 200 200 200 200
GET    /ocsp/{}                         MAA=               200 200 200 200 200 200
";

/// The cells of the table, the headings first.
fn table() -> impl Iterator<Item = Vec<&'static str>> {
    let rows = TABLE.lines().filter(|line| !line.is_empty());
    rows.map(|line| line.split_whitespace().collect())
}

fn roles() -> Vec<&'static str> {
    let headings = table().next().expect("the table has headings");
    headings[3..].to_vec()
}

/// Something to call operations on.
struct Objects {
    request: String,
    server: String,
    ca: String,
    csr: Vec<u8>,
}

impl Objects {
    fn of(world: &World) -> Self {
        let csr = csr(world, KeyKind::P256);
        let list = world.get("/pki/certificates?profile=caCACert");
        let list = list.as_user("agent1").send().json();
        Self {
            request: world.submit("caServerCert", &csr, None).0,
            server: world.issue(&csr),
            ca: text(&list["entries"][0]["id"]).to_owned(),
            csr,
        }
    }

    fn path(&self, template: &str, object: &str) -> String {
        let object = match object {
            "REQUEST" => &self.request,
            "SERVER" => &self.server,
            "CA" => &self.ca,
            literal => literal,
        };
        template.replace("{}", object)
    }

    fn with_body<'a>(&self, call: Call<'a>, method: &str, template: &str) -> Call<'a> {
        match (method, template) {
            ("POST", "/pki/request/{}") => call.body("application/pkcs10", &self.csr),
            ("POST", "/pki/profiles") | ("PUT", "/pki/profile/{}") => {
                call.body("application/toml", b"id = ")
            }
            ("PUT", "/pki/profile/{}/status") => call.json(r#"{"status":"enabled"}"#),
            ("POST", "/ocsp") => call.body("application/ocsp-request", b"M"),
            ("PUT", "/pki/request/{}/status") => call.json(r#"{"status":"approved"}"#),
            ("POST", "/pki/authorities") => call.json(r#"{"subject":""}"#),
            ("PUT", "/pki/authority/{}/certificate") => call.json(r#"{"certificates":[]}"#),
            ("PUT", "/pki/authority/{}/status") => call.json(r#"{"status":"disabled"}"#),
            ("POST", "/pki/revocations") => call.json(r#"{"profile":"none","dry_run":true}"#),
            ("PUT", "/pki/certificate/{}/status") => call.json(r#"{"status":"valid"}"#),
            _ => call,
        }
    }
}

#[test]
fn every_operation_lets_in_whom_it_should_and_nobody_else() {
    let world = World::up();
    let objects = Objects::of(&world);
    // Opened before several threads want it.
    world.service_credential();

    let found: Vec<_> = thread::scope(|scope| {
        let ask = |(column, role)| {
            let (world, objects) = (&world, &objects);
            scope.spawn(move || column_of(world, objects, role, 3 + column))
        };
        let threads: Vec<_> = roles().into_iter().enumerate().map(ask).collect();
        let columns = threads.into_iter().map(|thread| thread.join());
        let columns = columns.map(|column| column.expect("the calls end"));
        columns.flatten().collect()
    });

    expect_all(found);
}

/// What a role gets: the case, the status, and the one expected.
fn column_of(
    world: &World,
    objects: &Objects,
    role: &str,
    column: usize,
) -> Vec<(String, u16, u16)> {
    let mut found = Vec::new();
    for row in table().skip(1) {
        let (method, template) = (row[0], row[1]);
        let path = objects.path(template, row[2]);
        let expected = row[column].parse().expect("a status");
        let call = objects.with_body(world.call(method, &path), method, template);
        let answer = by(world, call, role).send();
        check_refusal(&answer);
        found.push((
            format!("{method} {path} as {role}"),
            answer.status,
            expected,
        ));
        if method == "GET" && role == "anonymous" {
            let head = world.call("HEAD", &path).send().status;
            found.push((format!("HEAD {path} as {role}"), head, expected));
        }
    }
    found
}

#[test]
fn every_operation_stands_in_the_table() {
    let rows = table().skip(1);
    let rows: BTreeSet<_> = rows
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    let services = ["ca", "kra", "ocsp"].map(committed);
    let described = services.iter().flat_map(operations);
    let described: BTreeSet<_> = described
        .map(|(method, path, _)| (method, template(&path)))
        .collect();
    let differing: Vec<_> = rows.symmetric_difference(&described).collect();
    assert!(
        differing.is_empty(),
        "in the table or in openapi/, but not in both: {differing:?}"
    );
}

#[test]
fn only_agents_see_what_was_sent_and_what_was_decided() {
    let world = World::up();
    let objects = Objects::of(&world);
    let request = objects.path("/pki/request/{}", "REQUEST");
    let certificate = objects.path("/pki/certificate/{}", "SERVER");
    let for_agents = [
        (
            &request,
            &["csr", "draft", "history", "profile_version"][..],
        ),
        (&certificate, &["request", "profile_version"]),
    ];
    for role in roles() {
        for (path, members) in for_agents {
            let seen = by(&world, world.get(path), role).send().with_status(200);
            let seen = seen.json();
            for member in members {
                let is_there = seen.get(member).is_some();
                assert_eq!(is_there, role == "agent1", "{member} for {role}");
            }
        }
    }
}

#[test]
fn only_services_get_what_services_need_at_once() {
    let world = World::up();
    let (ec, rsa) = (csr(&world, KeyKind::P256), csr(&world, KeyKind::Rsa2048));
    let mut found = Vec::new();
    for (profile, csr, for_services) in [
        ("caServerCert", &ec, false),
        ("caUserCert", &ec, false),
        ("caCACert", &ec, false),
        ("caOCSPCert", &ec, true),
        ("caSubsystemCert", &ec, true),
        ("caTransportCert", &rsa, true),
    ] {
        for role in roles() {
            let call = world.post(&format!("/pki/request/{profile}"));
            let call = call.body("application/pkcs10", csr);
            let answer = by(&world, call, role).send().with_status(201);
            let status = text(&answer.json()["status"]).to_owned();
            let expected = match for_services && role == "service" {
                true => "complete",
                false => "pending",
            };
            found.push((format!("{profile} as {role}"), status, expected.to_owned()));
        }
    }
    expect_all(found);
}

fn csr(world: &World, kind: KeyKind) -> Vec<u8> {
    openssl_csr(world.dir(), "x", kind, "/CN=host.example", &[]).der
}

fn by<'a>(world: &World, call: Call<'a>, role: &str) -> Call<'a> {
    match role {
        "anonymous" => call,
        "service" => call.with_certificate(&world.service_credential()),
        user => call.with_certificate(&world.credential(user)),
    }
}

/// A refusal names its kind, and says how to do better where there is a way.
#[track_caller]
fn check_refusal(answer: &Answer) {
    match answer.status {
        401 => {
            assert_eq!(answer.problem(401), "unauthenticated");
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge.as_deref(), Some("Bearer realm=\"chancery\""));
        }
        403 => assert_eq!(answer.problem(403), "forbidden"),
        _ => {}
    }
}
