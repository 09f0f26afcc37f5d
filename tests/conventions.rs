//! What every answer of the native face has in common.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::foreign::{KeyKind, OpensslCsr, Scratch, openssl, openssl_csr, path, tool};
use tests::world::{Answer, Call, Running, World, entries, eventually, expect_all, program, text};

const CROSS_ORIGIN_HEADERS: [&str; 5] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
];

#[test]
fn every_answer_names_its_request() {
    let world = World::up();
    let plain = |path: &str| format!("{}{path}", world.http());
    let calls = || {
        [
            world.get("/health"),
            world.get("/pki/nope"),
            world.get("/pki/requests"),
            world.call("DELETE", "/pki/profiles"),
            world.call("HEAD", "/pki/info"),
            world.get("/pki/info").header("Host", "elsewhere.example"),
            world
                .post("/pki/crl")
                .header("Origin", "https://elsewhere.example"),
            world.call("GET", &plain("/crl/host.crl")),
            world.call("GET", &plain("/nope")),
        ]
    };
    let id_of = |answer: &Answer| answer.header("x-request-id").expect("there is an id");

    let mut ours = BTreeSet::new();
    for call in calls() {
        let id = id_of(&call.send());
        assert!(is_uuid(&id), "{id}");
        assert!(ours.insert(id), "our ids are new each time");
    }
    for call in calls() {
        let theirs = "0d9c57f2-3a4b-4c6d-8e7f-90a1b2c3d4e5";
        let answer = call.header("X-Request-Id", theirs).send();
        assert_eq!(id_of(&answer), theirs);
        if answer.status >= 400 && !answer.body.is_empty() && !answer.text().starts_with("HTTP") {
            answer.problem(answer.status);
            assert_eq!(answer.json()["instance"], format!("urn:uuid:{theirs}"));
        }
    }
    for other in ["17", "hello", "0d9c57f2-3a4b-4c6d-8e7f", "<script>"] {
        let answer = world.get("/health").header("X-Request-Id", other).send();
        assert!(is_uuid(&id_of(&answer)), "what is no UUID is not echoed");
    }
}

#[test]
fn only_our_own_names_are_answered() {
    let world = World::up_with(&["--hosts", "pki.example,192.0.2.7"]);
    let port = world
        .https()
        .rsplit(':')
        .next()
        .expect("a URL with a port")
        .to_owned();
    let machine = tool("hostname", &[]).trim().to_owned();
    let known = [
        "localhost",
        "LOCALHOST",
        "localhost:1",
        "127.0.0.1",
        "[::1]",
        &format!("[::1]:{port}"),
        "pki.example",
        "Pki.Example:443",
        "192.0.2.7",
        &machine,
    ]
    .map(str::to_owned);
    let unknown = [
        "elsewhere.example",
        "localhost.elsewhere.example",
        "127.0.0.2",
        "pki.example@elsewhere.example",
        "elsewhere.example:443",
        "x.pki.example",
        "::1",
    ]
    .map(str::to_owned);
    let by_host = |host: &str| world.get("/pki/info").header("Host", host).send();

    expect_all(known.map(|host| {
        let status = by_host(&host).status;
        (host, status, 200)
    }));
    for host in &unknown[..6] {
        assert_eq!(by_host(host).problem(421), "unknown-host", "{host}");
    }
    // What proxies may say neither helps nor hurts.
    for header in ["Forwarded", "X-Forwarded-Host"] {
        let value = |host: &str| match header {
            "Forwarded" => format!("host={host}"),
            _ => host.to_owned(),
        };
        let helped = world.get("/pki/info").header("Host", "elsewhere.example");
        let helped = helped.header(header, &value("localhost")).send();
        assert_eq!(helped.problem(421), "unknown-host", "{header}");
        let hurt = world
            .get("/pki/info")
            .header(header, &value("elsewhere.example"));
        hurt.send().with_status(200);
    }
    // Clients fetch CRLs by whatever name a certificate says.
    let crl = world.call("GET", &format!("{}/crl/host.crl", world.http()));
    crl.header("Host", "elsewhere.example")
        .send()
        .with_status(200);
}

#[test]
fn other_sites_change_nothing() {
    let world = World::up();
    let csr = host(&world);
    let foreign = [
        ("Origin", "https://elsewhere.example"),
        ("Origin", "null"),
        ("Origin", &world.https().replace("https:", "http:")),
        ("Origin", &format!("{}1", world.https())),
        ("Origin", "https://localhost"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "nonsense"),
    ];
    let serial = world.issue(&csr.der);
    let before = world.record();

    for (name, value) in foreign {
        let status = format!("/pki/certificate/{serial}/status");
        let calls = [
            submission(&world, "caServerCert", &csr.der),
            submission(&world, "caAgentServerCert", &csr.der).as_user("agent1"),
            world
                .put(&status)
                .as_user("agent1")
                .json(r#"{"status":"revoked"}"#),
            world.post("/pki/crl").as_user("agent1"),
        ];
        for call in calls {
            let answer = call.header(name, value).send();
            assert_eq!(answer.problem(403), "cross-site", "{name}: {value}");
            assert_no_cross_origin_headers(&answer);
        }
        // Looking changes nothing; that other sites cannot read it is the browser's part.
        let answer = world.get("/pki/profiles").header(name, value).send();
        assert_no_cross_origin_headers(&answer.with_status(200));
        let answer = world
            .call("OPTIONS", "/pki/request/caServerCert")
            .header(name, value);
        let answer = answer
            .header("Access-Control-Request-Method", "POST")
            .send();
        assert_no_cross_origin_headers(&answer.with_status(405));
    }
    assert_eq!(world.record(), before);

    for (name, value) in [
        ("Origin", &*world.https()),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "none"),
    ] {
        let call = submission(&world, "caServerCert", &csr.der).header(name, value);
        call.send().with_status(201);
    }
}

#[test]
fn the_same_request_again_gets_the_same_answer() {
    let mut world = World::up();
    let (csr, other) = (host(&world), host(&world));
    let ask = |world: &World, user: Option<&str>, profile: &str, csr: &[u8], key: &str| {
        let call = submission(world, profile, csr).header("Idempotency-Key", key);
        let call = match user {
            Some(user) => call.as_user(user),
            None => call,
        };
        call.send()
    };
    let id = |answer: &Answer| text(&answer.json()["id"]).to_owned();
    let same = |first: &Answer, again: &Answer| {
        assert_eq!((again.status, again.json()), (first.status, first.json()));
        for header in ["location", "etag"] {
            assert_eq!(again.header(header), first.header(header), "{header}");
        }
    };
    let agent = Some("agent1");

    let first = ask(&world, agent, "caServerCert", &csr.der, "k").with_status(201);
    let issued = ask(&world, agent, "caAgentServerCert", &csr.der, "k").with_status(201);
    let anonymous = ask(&world, None, "caServerCert", &csr.der, "k").with_status(201);
    let nobody = openssl_csr(world.dir(), "nobody", KeyKind::P256, "/", &[]);
    let refused = ask(&world, agent, "caUserCert", &nobody.der, "k");
    assert_eq!(refused.problem(422), "not-acceptable");
    let before = world.record();

    for round in ["at once", "after the decision", "after a restart"] {
        same(&first, &ask(&world, agent, "caServerCert", &csr.der, "k"));
        same(
            &issued,
            &ask(&world, agent, "caAgentServerCert", &csr.der, "k"),
        );
        same(
            &anonymous,
            &ask(&world, None, "caServerCert", &csr.der, "k"),
        );
        let again = ask(&world, agent, "caUserCert", &nobody.der, "k");
        assert_eq!(again.problem(422), "not-acceptable", "{round}");
        for member in ["violations", "request"] {
            assert_eq!(again.json()[member], refused.json()[member], "{round}");
        }
        let reused = ask(&world, agent, "caServerCert", &other.der, "k");
        assert_eq!(reused.problem(422), "not-acceptable", "{round}");
        assert_eq!(reused.violated_fields(), ["Idempotency-Key"]);
        match round {
            "at once" => {
                assert_eq!(world.record(), before, "nothing was done twice");
                world.approve(&id(&first), "agent2");
            }
            "after the decision" => world.restart(),
            _ => {}
        }
    }

    // Another identity, path, key or (for those without a name) body is another request.
    let mut ids = BTreeSet::from([id(&first), id(&issued), id(&anonymous)]);
    for other in [
        ask(&world, Some("agent2"), "caServerCert", &csr.der, "k"),
        ask(&world, Some("token"), "caServerCert", &csr.der, "k"),
        ask(&world, agent, "caUserCert", &csr.der, "K"),
        ask(&world, agent, "caServerCert", &csr.der, "l"),
        ask(&world, None, "caServerCert", &other.der, "k"),
    ] {
        assert!(
            ids.insert(id(&other.with_status(201))),
            "this is a new request"
        );
    }
    let again = world.post("/pki/request/caServerCert").as_user("agent1");
    let again = again.body("application/x-pem-file", &csr.der);
    let again = again.header("Idempotency-Key", "k").send();
    assert_eq!(again.status, 422, "the media type belongs to the request");
}

#[test]
fn an_idempotency_key_is_short_and_visible() {
    let world = World::up();
    let csr = host(&world);
    let ask = |key: &str| {
        let call = submission(&world, "caServerCert", &csr.der);
        call.header("Idempotency-Key", key).send()
    };
    let before = world.record();
    for key in ["two words", "ä", &"x".repeat(129)] {
        let answer = ask(key);
        assert_eq!(answer.problem(422), "not-acceptable", "{key}");
        assert_eq!(answer.violated_fields(), ["Idempotency-Key"], "{key}");
    }
    assert_eq!(world.record(), before);
    for key in ["!", &"~".repeat(128)] {
        ask(key).with_status(201);
    }
}

#[test]
fn the_same_request_many_times_at_once_is_done_once() {
    let world = World::up();
    let csr = host(&world);
    let before = world.record();
    let ask = || {
        let call = submission(&world, "caAgentServerCert", &csr.der).as_user("agent1");
        call.header("Idempotency-Key", "at-once").send()
    };

    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        let answers = threads.into_iter().map(|thread| thread.join());
        answers
            .map(|answer| answer.expect("the call ends"))
            .collect()
    });

    let mut serials = BTreeSet::new();
    for answer in &answers {
        match answer.status {
            201 => {
                serials.insert(answer.json()["certificate"]["id"].to_string());
            }
            _ => {
                assert_eq!(answer.problem(409), "in-progress");
                assert!(answer.header("retry-after").is_some());
            }
        }
    }
    assert_eq!(serials.len(), 1);
    assert_eq!(
        ask().json()["certificate"]["id"].to_string(),
        *serials.first().expect("one")
    );
    let after = world.record();
    assert_eq!(after.certificates.len(), before.certificates.len() + 1);
    assert_eq!(after.requests.len(), before.requests.len() + 1);
}

/// What can change, and so has a tag: a request and its status, a certificate and its status, a
/// profile, the CRL twice.
fn changeable(world: &World, request: &str, serial: &str) -> [String; 7] {
    [
        format!("/pki/request/{request}"),
        format!("/pki/request/{request}/status"),
        format!("/pki/certificate/{serial}"),
        format!("/pki/certificate/{serial}/status"),
        "/pki/profile/caServerCert".to_owned(),
        "/pki/crl".to_owned(),
        format!("{}/crl/host.crl", world.http()),
    ]
}

fn tag(world: &World, path: &str) -> String {
    let answer = world.call("GET", path).send().with_status(200);
    answer
        .header("etag")
        .expect("it can change, so it has a tag")
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let world = World::up();
    let csr = host(&world).der;
    let (request, _) = world.submit("caServerCert", &csr, None);
    for path in changeable(&world, &request, &world.issue(&csr)) {
        let ask = |tags: &str| {
            world
                .call("GET", &path)
                .header("If-None-Match", tags)
                .send()
        };
        for form in ["{}", "\"other\", {}", "W/{}", "*"] {
            // A CRL may be made at any time, in the middle of this as well.
            let unchanged = || {
                let tag = tag(&world, &path);
                let answer = ask(&form.replace("{}", &tag));
                let again = answer.header("etag");
                answer.status == 304 && answer.body.is_empty() && again == Some(tag)
            };
            let limit = Duration::from_secs(2);
            assert!(eventually(limit, unchanged), "{path} for {form}");
        }
        ask("\"other\"").with_status(200);
    }
}

#[test]
fn a_tag_changes_with_what_it_stands_for() {
    let world = World::up();
    let csr = host(&world).der;
    let (request, etag) = world.submit("caServerCert", &csr, None);
    let serial = world.issue(&csr);
    let tags = || changeable(&world, &request, &serial).map(|path| tag(&world, &path));

    let before = tags();
    for tag in &before {
        let strong = tag.starts_with('"') && tag.ends_with('"');
        assert!(strong, "{tag} is strong");
    }
    assert_eq!(
        before[0], etag,
        "the answer to the submission had it already"
    );
    assert_eq!(
        before[0], before[1],
        "a request and its status change together"
    );

    world.approve(&request, "agent1");
    let revoke = world.change_status(&serial, r#"{"status":"revoked"}"#);
    revoke.with_status(200);
    let crl = world.post("/pki/crl").as_user("agent1").send();
    crl.with_status(200);
    let after = tags();
    let changed: Vec<_> = (0..7).map(|place| before[place] != after[place]).collect();
    assert_eq!(changed, [true, true, true, true, false, true, true]);
}

#[test]
fn each_form_of_a_thing_has_a_tag_of_its_own() {
    let world = World::up();
    let serial = world.issue(&host(&world).der);
    let certificate = format!("/pki/certificate/{serial}");
    for (path, forms) in [
        (
            &*certificate,
            &["json", "x-pem-file", "pkix-cert", "pkcs7-mime"][..],
        ),
        ("/pki/crl", &["json", "x-pem-file", "pkix-crl"]),
    ] {
        // A strong tag stands for bytes: caches tell forms apart by it (RFC 9110 §8.8.3).
        let tags = || {
            let tag = |form: &&str| {
                let call = world
                    .get(path)
                    .header("Accept", &format!("application/{form}"));
                call.send().with_status(200).header("etag")
            };
            forms.iter().map(tag).collect::<BTreeSet<_>>()
        };
        assert_eq!(tags().len(), forms.len(), "{path}");
    }
}

#[test]
fn head_says_what_get_would_without_the_body() {
    let world = World::up();
    let serial = world.issue(&host(&world).der);
    for path in [
        "/health".to_owned(),
        "/pki/info".to_owned(),
        "/pki/profiles".to_owned(),
        format!("/pki/certificate/{serial}"),
        "/pki/nope".to_owned(),
        format!("{}/crl/host.crl", world.http()),
        format!("{}/issuer/host.crt", world.http()),
    ] {
        let get = world.call("GET", &path).send();
        let head = world.call("HEAD", &path).send();
        assert_eq!(head.status, get.status, "{path}");
        for header in ["content-type", "content-length", "etag"] {
            assert_eq!(head.header(header), get.header(header), "{path}: {header}");
        }
    }
}

#[test]
fn lists_come_in_pages_that_make_up_the_whole() {
    let world = World::up();
    let csr = host(&world);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..12).for_each(|_| drop(world.issue(&csr.der))));
        }
    });

    for (list, key) in [
        ("/pki/requests", "id"),
        ("/pki/certificates", "serial"),
        ("/pki/profiles", "id"),
    ] {
        let page = |query: &str| {
            let answer = world
                .get(&format!("{list}?{query}"))
                .as_user("agent1")
                .send();
            answer.with_status(200)
        };
        let keys = |answer: &Answer| -> Vec<String> {
            entries(answer)
                .iter()
                .map(|entry| text(&entry[key]).to_owned())
                .collect()
        };
        let whole = page("limit=1000");
        assert!(
            whole.json().get("next").is_none(),
            "the last page has no next"
        );
        let whole = keys(&whole);
        let distinct: BTreeSet<_> = whole.iter().collect();
        assert_eq!(distinct.len(), whole.len());

        let default = page("");
        assert_eq!(keys(&default), whole[..whole.len().min(50)]);
        assert_eq!(default.json().get("next").is_some(), whole.len() > 50);
        for limit in [1, 7, whole.len()] {
            let mut gathered = Vec::new();
            let mut query = format!("limit={limit}");
            loop {
                let found = page(&query);
                let length = keys(&found).len();
                gathered.extend(keys(&found));
                let Some(next) = found.json().get("next").cloned() else {
                    assert!(length <= limit);
                    break;
                };
                assert_eq!(length, limit, "only the last page is short");
                query = format!("limit={limit}&after={}", text(&next));
                // One entry each: three pages tell as much as fifty.
                if limit == 1 && gathered.len() == 3 {
                    break;
                }
            }
            assert_eq!(gathered[..], whole[..gathered.len()], "{list} by {limit}");
            assert!(limit == 1 || gathered.len() == whole.len());
        }
    }

    let created = world.record().requests;
    let created: Vec<_> = created
        .iter()
        .map(|entry| text(&entry["created"]).to_owned())
        .collect();
    assert!(
        created.is_sorted_by(|earlier, later| earlier >= later),
        "newest first"
    );
}

#[test]
fn json_has_no_null_and_only_snake_case_names() {
    let world = World::up();
    let csr = host(&world);
    let (id, _) = world.submit("caServerCert", &csr.der, None);
    let serial = world.issue(&csr.der);
    let request = format!("/pki/request/{id}");
    let certificate = format!("/pki/certificate/{serial}");
    let status = format!("{certificate}/status");
    let service = world.service_credential();
    let mut answers = vec![
        world.change_status(&serial, r#"{"status":"on_hold"}"#),
        world
            .get("/pki/status-journal")
            .with_certificate(&service)
            .send(),
        world.get("/pki/nope").send(),
    ];
    for path in [
        "/pki/info",
        "/pki/profiles",
        "/pki/profile/caServerCert",
        "/pki/requests",
        &request,
        &format!("{request}/status"),
        "/pki/certificates",
        &certificate,
        &status,
        "/pki/crl",
        "/pki/authorities",
        "/pki/authority/host",
        "/pki/authority/host/chain",
        "/pki/config/kra/cert/transport",
        "/health",
        "/ready",
    ] {
        answers.push(world.get(path).send());
        answers.push(world.get(path).as_user("agent1").send());
    }
    for answer in answers {
        check_names(&answer.json());
    }
}

#[test]
fn a_service_says_what_and_how_it_is() {
    let world = World::up();
    let info = world.get("/pki/info").send().with_status(200).json();
    assert_eq!(info["product"], "Chancery");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["roles"], serde_json::json!(["ca", "kra", "ocsp"]));
    let links = info["links"].as_object().expect("there are links");
    assert!(!links.is_empty());
    for link in links.values() {
        let answer = world.get(text(link)).as_user("agent1").send();
        // The responder takes POST only.
        assert!(
            [200, 405].contains(&answer.status),
            "{link}: {}",
            answer.text()
        );
    }

    for path in ["/health", "/ready"] {
        assert_eq!(
            world.get(path).send().with_status(200).json()["status"],
            "ok"
        );
    }
    let plain = world
        .call("GET", &format!("{}/health", world.http()))
        .send();
    assert_eq!(plain.with_status(200).json()["status"], "ok");

    let answered = |metrics: &str| {
        let line = "http_requests_total{method=\"GET\",status=\"4xx\"} ";
        let line = metrics.lines().find_map(|found| found.strip_prefix(line));
        line.map_or(0, |count| count.parse::<u64>().expect("a count"))
    };
    let metrics = world.get("/metrics").send().with_status(200);
    let media_type = metrics.header("content-type").expect("there is a type");
    assert!(
        media_type.starts_with("text/plain; version=0.0.4"),
        "{media_type}"
    );
    world.get("/pki/nope").send();
    let later = world.get("/metrics").send().text();
    assert_eq!(answered(&later), answered(&metrics.text()) + 1);
}

#[test]
fn strangers_do_not_see_inside_beyond_loopback() {
    let scratch = Scratch::new("beyond");
    let data = scratch.file("data");
    let arguments = [
        "up",
        "--log",
        "warn",
        "--https",
        "0.0.0.0:0",
        "--http",
        "127.0.0.1:0",
    ];
    let mut arguments = arguments.map(str::to_owned).to_vec();
    arguments.extend(["--data-dir".to_owned(), path(&data).to_owned()]);
    let (_running, addresses) = Running::start(&program("chancery"), &arguments);
    let port = addresses
        .split(' ')
        .next()
        .and_then(|url| url.rsplit(':').next());
    let url = format!("https://localhost:{}", port.expect("a URL with a port"));
    let anchor = data.join("ca.pem");
    let agent = data.join("credentials/agent1.pem");
    let status = |path_: &str, options: &[&str]| {
        let url = format!("{url}{path_}");
        let fixed = [
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--cacert",
            path(&anchor),
        ];
        tool("curl", &[&fixed, options, &[&url]].concat())
    };

    assert_eq!(status("/metrics", &[]), "401");
    assert_eq!(status("/metrics", &["--cert", path(&agent)]), "200");
    assert_eq!(status("/ready", &[]), "200");
    assert_eq!(status("/health", &[]), "200");
}

#[test]
fn plain_http_serves_what_needs_no_secret_and_nothing_else() {
    let world = World::up();
    let plain = |method: &str, path: &str| world.call(method, &format!("{}{path}", world.http()));
    let request = world.dir().join("request.der");
    let serial = world.issue(&host(&world).der);
    let leaf = world.save_certificate(&serial);
    let anchor = world.ca_pem();
    let question = ["ocsp", "-issuer", path(&anchor), "-cert", path(&leaf)];
    openssl(&[&question[..], &["-reqout", path(&request)]].concat());
    let request = std::fs::read(request).expect("openssl wrote the request");

    for (path, media_type) in [
        ("/crl/host.crl", "application/pkix-crl"),
        ("/issuer/host.crt", "application/pkix-cert"),
        ("/health", "application/json"),
    ] {
        // Always the same form, whatever the client wishes.
        let answer = plain("GET", path).header("Accept", "text/html").send();
        let answer = answer.with_status(200);
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some(media_type),
            "{path}"
        );
    }
    let answer = plain("POST", "/ocsp")
        .body("application/ocsp-request", &request)
        .send();
    let given = answer.with_status(200).header("content-type");
    assert_eq!(given.as_deref(), Some("application/ocsp-response"));

    for path in [
        "/",
        "/ready",
        "/metrics",
        "/pki/info",
        "/pki/openapi.json",
        "/pki/profiles",
        "/pki/crl",
        "/pki/requests",
        "/pki/authority/host/certificate",
        "/pki/config/kra/cert/transport",
        "/pki/status-journal",
        "/ui/",
        "/crl/other.crl",
        "/crl/host",
        "/crl/host.crt",
        "/crl/../crl/host.crl.crl",
        "/issuer/other.crt",
        "/issuer/host.crl",
    ] {
        assert_eq!(
            plain("GET", path).send().problem(404),
            "not-found",
            "{path}"
        );
    }
    let before = world.record();
    let answer = plain("POST", "/pki/request/caServerCert");
    let answer = answer.body("application/pkcs10", &host(&world).der).send();
    assert_eq!(answer.problem(404), "not-found");
    assert_eq!(
        plain("POST", "/crl/host.crl").send().problem(405),
        "method-not-allowed"
    );
    assert_eq!(world.record(), before);
}

fn submission<'a>(world: &'a World, profile: &str, csr: &[u8]) -> Call<'a> {
    let call = world.post(&format!("/pki/request/{profile}"));
    call.body("application/pkcs10", csr)
}

fn host(world: &World) -> OpensslCsr {
    let names = ["DNS:host.example"];
    openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &names,
    )
}

#[track_caller]
fn assert_no_cross_origin_headers(answer: &Answer) {
    for name in CROSS_ORIGIN_HEADERS {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    groups == [8, 4, 4, 4, 12] && text.bytes().all(hex)
}

/// Names are snake_case, and what is absent is not there.
fn check_names(value: &Value) {
    let is_snake = |name: &str| {
        name.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                // Parameters of profile policies have Dogtag's names.
                if name == "default" || name == "constraint" {
                    continue;
                }
                assert!(is_snake(name), "{name}");
                assert!(!member.is_null(), "{name} is null");
                check_names(member);
            }
        }
        Value::Array(members) => members.iter().for_each(check_names),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
