//! The command line for people, against a running PKI.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::foreign::{KeyKind, OpensslCsr, openssl, openssl_crmf, openssl_csr, path, tool};
use tests::world::{World, eventually, free_port, open_private_key, program, text};

const NOBODY: Option<&str> = None;
const AGENT: Option<&str> = Some("agent1");

#[test]
fn profiles_are_listed_and_shown() {
    let world = World::up();
    let listed = chancery(&world, NOBODY, "profile list").done();
    let mut rows = table(&listed);
    assert_eq!(rows.remove(0), ["ID", "STATUS", "NAME"]);
    let server = ["caServerCert", "enabled", "TLS server certificate"];
    assert!(rows.iter().any(|row| *row == server), "{listed}");
    let list = chancery(&world, NOBODY, "--json profile list").json();
    let ids: Vec<_> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(ids_of(&list), ids);

    let shown = chancery(&world, NOBODY, "profile show caServerCert").done();
    for part in ["caServerCert", "cert_request", "keyConstraintImpl", "2048"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let shown = chancery(&world, NOBODY, "profile show caServerCert --json").json();
    assert_eq!(shown["id"], "caServerCert");
    let line = chancery(&world, NOBODY, "profile show nope").failed(1);
    assert!(line.contains("404"), "{line}");
}

#[test]
fn profiles_are_written_enabled_and_tried_out() {
    let world = World::up();
    let admin = |words: &str| chancery(&world, Some("admin"), words);
    let agent = |words: &str| chancery(&world, AGENT, words);
    let toml = admin("profile export caServerCert").done();
    assert!(toml.starts_with("id = \"caServerCert\""), "{toml}");
    let file = world.dir().join("mine.toml");
    let mine = toml.replacen("\"caServerCert\"", "\"mine\"", 1);
    fs::write(&file, &mine).expect("the folder can be written");
    let created = admin(&format!("profile create {} --json", path(&file))).json();
    assert_eq!(created["status"], "disabled");
    fs::write(&file, mine.replace("397", "30")).expect("the folder can be written");
    let changed = admin(&format!("profile change mine {} --json", path(&file))).json();
    assert_ne!(changed["version"], created["version"]);
    agent("profile enable mine").done();
    let csr = host(&world);
    let dry = format!("request submit mine --csr {} --dry-run", path(&csr.csr));
    let dry = chancery(&world, NOBODY, &dry).done();
    for part in [
        "fills in subject CN=host.example",
        "checks keyConstraintImpl",
    ] {
        assert!(dry.contains(part), "{part}:\n{dry}");
    }
    let stopped = admin("profile stop mine --note mistake").done();
    assert!(stopped.contains("by admin: mistake"), "{stopped}");
    let refused = agent("profile enable mine").failed(1);
    assert!(refused.contains("403"), "{refused}");
    admin("profile disable mine").done();
    let cfg = admin("profile export mine --format cfg").done();
    admin("profile delete mine").done();
    let file = world.dir().join("mine.cfg");
    fs::write(&file, &cfg).expect("the folder can be written");
    admin(&format!("profile create {}", path(&file))).done();
    assert_eq!(admin("profile export mine --format cfg").done(), cfg);
}

#[test]
fn certificates_are_renewed_by_number_request_and_holder() {
    let world = World::up();
    let csr = host(&world);
    let submit = format!("request submit caAgentServerCert --csr {}", path(&csr.csr));
    let first = chancery(&world, AGENT, &format!("{submit} --json")).json();
    let (id, serial) = (text(&first["id"]), text(&first["certificate"]["id"]));

    let renew = format!("request submit caManualRenewal --renew {serial}");
    let dry = chancery(&world, NOBODY, &format!("{renew} --dry-run")).done();
    assert!(dry.contains("CN=host.example"), "{dry}");
    let pending = chancery(&world, NOBODY, &format!("{renew} --json")).json();
    assert_eq!(pending["status"], "pending");
    let shown = format!("request show {}", text(&pending["id"]));
    let shown = chancery(&world, AGENT, &shown).done();
    for part in ["renewal", "caManualRenewal", serial] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let renew = format!("request submit caAgentServerCert --renew-request {id} --json");
    let done = chancery(&world, AGENT, &renew).json();
    assert_eq!(done["status"], "complete");
    let own = "request submit caSSLClientSelfRenewal --renew-own --json";
    assert_eq!(chancery(&world, AGENT, own).json()["status"], "complete");

    let listed = chancery(&world, AGENT, "request list --type renewal --json").json();
    assert_eq!(ids_of(&listed).len(), 3);
    let both = format!("{renew} --renew-own");
    assert_eq!(chancery(&world, AGENT, &both).code, 2);
    let both = format!("{submit} --renew-own");
    assert_eq!(chancery(&world, AGENT, &both).code, 2);
}

#[test]
fn a_request_is_submitted_listed_and_shown() {
    let world = World::up();
    let csr = host(&world);
    let submit = format!("request submit caServerCert --csr {}", path(&csr.csr));
    let person = format!("{submit} --name Ada --email ada@example.org --json");
    let submitted = chancery(&world, NOBODY, &person).json();
    let id = text(&submitted["id"]);
    assert_eq!(submitted["status"], "pending");
    let words = chancery(&world, NOBODY, &submit).done();
    assert!(words.contains("pending"), "{words}");
    let crmf = openssl_crmf(world.dir(), &csr.key, "/CN=host.example", &[]);
    let file = world.dir().join("request.crmf");
    fs::write(&file, crmf).expect("the folder can be written");
    let crmf = format!("request submit caServerCert --crmf {}", path(&file));
    let crmf = chancery(&world, NOBODY, &crmf).done();
    assert!(crmf.contains("pending"), "{crmf}");
    let mut from_stdin = command(&world, NOBODY, "request submit caServerCert --csr - --json");
    from_stdin.stdin(File::open(&csr.csr).expect("openssl wrote the request"));
    let last = said(&mut from_stdin).json();

    let listed = chancery(&world, AGENT, "request list --status pending").done();
    let rows = table(&listed);
    assert_eq!(rows.len(), 1 + 4, "{listed}");
    let row = rows
        .iter()
        .find(|row| row[0] == id)
        .expect("it is in the list");
    assert_eq!((&*row[1], &*row[3]), ("pending", "caServerCert"));
    let list = chancery(&world, AGENT, "request list --limit 1 --json").json();
    assert_eq!(ids_of(&list), [text(&last["id"])], "newest first");

    let shown = chancery(&world, AGENT, &format!("request show {id}")).done();
    for part in [
        "CN=host.example",
        "dns:host.example",
        "Ada",
        "ada@example.org",
        "submitted",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let shown = chancery(&world, NOBODY, &format!("request show {id}")).done();
    assert!(
        shown.contains("pending") && !shown.contains("Ada"),
        "{shown}"
    );
}

#[test]
fn a_request_is_decided_as_it_was_shown() {
    let world = World::up();
    let csr = host(&world).der;
    let [approved, rejected, canceled] =
        [(); 3].map(|()| world.submit("caServerCert", &csr, None).0);
    let agent = |words: String| chancery(&world, AGENT, &words);

    let taken = agent(format!("request assign {approved} --json")).json();
    assert_eq!(taken["assigned_to"], "agent1");
    let given = agent(format!("request unassign {approved} --json")).json();
    assert!(given.get("assigned_to").is_none());
    let web = "--subject CN=web.example --san dns:web.example";
    let checked = agent(format!("request validate {approved} {web}")).done();
    assert!(checked.contains("CN=web.example"), "{checked}");
    let update = format!("request update {approved} {web} --note typo --json");
    let kept = agent(update).json();
    assert_eq!(kept["draft"]["subject"], "CN=web.example");
    let shown = agent(format!("request show {approved}")).done();
    assert!(
        shown.contains("changed by agents") && shown.contains("typo"),
        "{shown}"
    );
    let changes = "--san dns:other.example --subject CN=other.example --note called";
    let shown = agent(format!("request approve {approved} {changes}")).done();
    for part in ["CN=host.example", "dns:other.example", "complete"] {
        assert!(
            shown.contains(part),
            "what is decided is shown: {part}\n{shown}"
        );
    }
    let complete = agent(format!("request show {approved} --json")).json();
    assert_eq!(complete["status"], "complete");
    assert!(complete["history"].to_string().contains("called"));
    let serial = text(&complete["certificate"]["id"]);
    let certificate = agent(format!("cert show {serial} --json")).json();
    assert_eq!(certificate["subject"], "CN=other.example");

    let outcome = agent(format!("request reject {rejected} --note unknown --json")).json();
    assert_eq!(outcome["status"], "rejected");
    let outcome = agent(format!("request cancel {canceled} --json")).json();
    assert_eq!(outcome["status"], "canceled");
    for id in [approved, rejected, canceled] {
        let line = agent(format!("request approve {id} --json")).failed(1);
        assert!(
            line.contains("409") && line.contains("not pending"),
            "{line}"
        );
    }
}

#[test]
fn a_list_of_requests_says_what_for() {
    let world = World::up();
    world.submit("caServerCert", &host(&world).der, None);
    let rows = table(&chancery(&world, AGENT, "request list --status pending").done());
    assert_eq!(rows[0].last().map(String::as_str), Some("SUBJECT"));
    assert_eq!(rows[1].last().map(String::as_str), Some("CN=host.example"));
}

#[test]
fn a_request_may_stand_beside_its_private_key() {
    let world = World::up();
    let csr = host(&world);
    let key = fs::read_to_string(&csr.key).expect("openssl wrote the key");
    let file = world.dir().join("both.pem");
    for both in [csr.pem.clone() + &key, key + &csr.pem] {
        fs::write(&file, both).expect("the scratch folder is writable");
        let submit = format!("request submit caServerCert --csr {} --json", path(&file));
        assert_eq!(
            chancery(&world, NOBODY, &submit).json()["status"],
            "pending"
        );
    }
}

#[test]
fn a_request_is_waited_for() {
    let world = World::up();
    let csr = host(&world).csr;
    let submit = format!("request submit caAgentServerCert --csr {}", path(&csr));
    let submitted = chancery(&world, AGENT, &format!("{submit} --wait --json")).json();
    assert_eq!(submitted["status"], "complete");
    assert!(submitted["certificate"]["id"].is_string());
}

#[test]
fn a_certificate_is_listed_and_shown() {
    let world = World::up();
    let serial = world.issue(&host(&world).der);
    let shown = chancery(&world, NOBODY, &format!("cert show {serial}")).done();
    for part in [
        &*serial,
        "valid",
        "CN=host.example",
        "dns:host.example",
        "serverAuth",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    // As other tools write it.
    let octets = serial.as_bytes().chunks(2).map(String::from_utf8_lossy);
    let colons = octets.collect::<Vec<_>>().join(":").to_uppercase();
    let (pem, der) = (world.dir().join("shown.pem"), world.dir().join("shown.der"));
    let printed = chancery(&world, NOBODY, &format!("cert show {colons} --pem")).done();
    fs::write(&pem, printed).expect("the scratch folder is writable");
    chancery(
        &world,
        NOBODY,
        &format!("cert show {serial} --der {}", path(&der)),
    )
    .done();
    for (file, form) in [(pem, "PEM"), (der, "DER")] {
        let line = openssl(&[
            "x509",
            "-noout",
            "-serial",
            "-inform",
            form,
            "-in",
            path(&file),
        ]);
        assert_eq!(line.trim().to_lowercase(), format!("serial={serial}"));
    }

    let listed = chancery(&world, AGENT, "cert list --subject HOST.example").done();
    let rows = table(&listed);
    assert_eq!(rows.len(), 2, "{listed}");
    assert_eq!(
        rows[0],
        ["SERIAL", "STATUS", "NOT AFTER", "PROFILE", "SUBJECT"]
    );
    assert_eq!((&*rows[1][0], &*rows[1][1]), (&*serial, "valid"));
    let list = chancery(&world, AGENT, "cert list --san dns:host.example --json").json();
    assert_eq!(ids_of(&list), [&serial]);
}

#[test]
fn a_certificate_is_held_released_and_revoked() {
    let world = World::up();
    let serial = world.issue(&host(&world).der);
    let agent = |words: String| chancery(&world, AGENT, &words);
    let status = || {
        let certificate = agent(format!("cert show {serial} --json")).json();
        text(&certificate["status"]).to_owned()
    };

    let held = agent(format!("cert hold {serial} --note mislaid")).done();
    assert!(held.contains("on_hold"), "{held}");
    assert_eq!(status(), "on_hold");
    let released = agent(format!("cert release {serial} --json")).json();
    assert_eq!(released["status"], "valid");
    assert_eq!(status(), "valid");
    let line = agent(format!("cert release {serial}")).failed(1);
    assert!(line.contains("409"), "{line}");

    let revoke = format!("cert revoke {serial} --reason key_compromise");
    let revoked = agent(format!(
        "{revoke} --invalidity-date 2026-11-20T00:00:00Z --json"
    ))
    .json();
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["reason"], "key_compromise");
    assert_eq!(revoked["invalidity_date"], "2026-11-20T00:00:00Z");
    assert!(revoked["visible"]["ocsp"].is_string());
    let line = agent(revoke).failed(1);
    assert!(line.contains("409"), "{line}");
    let list = agent("cert list --status revoked --json".to_owned()).json();
    assert_eq!(ids_of(&list), [&serial]);
}

#[test]
fn the_revocation_list_comes_in_three_forms() {
    let world = World::up();
    let (pem, der) = (world.dir().join("crl.pem"), world.dir().join("crl.der"));
    let number = |file: &Path, form| {
        let file = path(file);
        openssl(&["crl", "-noout", "-crlnumber", "-inform", form, "-in", file])
    };
    // A new one may be made at any time, in the middle of this as well.
    let same = || {
        let get = |options: &str| chancery(&world, NOBODY, &format!("crl get {options}"));
        get(&format!("--out {}", path(&pem))).done();
        get(&format!("--out {} --der", path(&der))).done();
        let (printed, json) = (get("").done(), get("--json").json());
        let written = fs::read_to_string(&pem).expect("it was written");
        let numbers = number(&pem, "PEM") == number(&der, "DER");
        numbers && written == printed && json["pem"] == *printed
    };
    assert!(eventually(Duration::from_secs(5), same));
    let line = chancery(&world, NOBODY, "crl get --authority nope").failed(1);
    assert!(line.contains("404"), "{line}");
}

#[test]
fn the_status_of_a_certificate_is_the_exit_code() {
    let world = World::up();
    let csr = host(&world);
    let serial = world.issue(&csr.der);
    let leaf = world.save_certificate(&serial);
    let check = format!("ocsp check {}", path(&leaf));

    let good = chancery(&world, NOBODY, &check).done();
    assert!(good.contains("good"), "{good}");
    let good = chancery(&world, NOBODY, &format!("{check} --json --sha1")).json();
    assert_eq!(
        (text(&good["status"]), text(&good["serial"])),
        ("good", &*serial)
    );

    let superseded = r#"{"status":"revoked","reason":"superseded"}"#;
    world.change_status(&serial, superseded).with_status(200);
    let revoked = chancery(&world, NOBODY, &format!("{check} --json"));
    assert_eq!(revoked.code, 1);
    let revoked: Value = serde_json::from_str(&revoked.stdout).expect("it is JSON");
    assert_eq!(
        (text(&revoked["status"]), text(&revoked["reason"])),
        ("revoked", "superseded")
    );

    let stray = stray(&world, &csr);
    let http = world.http();
    let unknown = chancery(&world, NOBODY, &format!("ocsp check {stray} --url {http}"));
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(unknown.stdout.contains("unknown"), "{}", unknown.stdout);

    // No answer to rely upon; 1 and 2 are taken, even for wrong usage.
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    for words in [
        format!("{check} --url {nowhere}"),
        format!("ocsp check {stray}"),
        format!("ocsp check {}", path(&csr.csr)),
        "ocsp check /nowhere.pem".to_owned(),
    ] {
        chancery(&world, NOBODY, &words).failed(3);
    }
    assert_eq!(
        chancery(&world, NOBODY, &format!("{check} --colour")).code,
        3
    );
}

/// A certificate of the CA's making that is not on its books: somebody else has used the key.
fn stray(world: &World, csr: &OpensslCsr) -> String {
    let secret = world.data().join("secret.key");
    let opened = open_private_key(&world.data().join("ca/keys/signing.p8"), &secret);
    let (key, stray) = (world.dir().join("ca.key"), world.dir().join("stray.pem"));
    fs::write(&key, opened).expect("the scratch folder is writable");
    let anchor = world.ca_pem();
    let sign = [
        "x509",
        "-req",
        "-set_serial",
        "4711",
        "-days",
        "9",
        "-in",
        path(&csr.csr),
    ];
    let by = [
        "-CA",
        path(&anchor),
        "-CAkey",
        path(&key),
        "-out",
        path(&stray),
    ];
    openssl(&[&sign[..], &by].concat());
    path(&stray).to_owned()
}

#[test]
fn a_refusal_is_one_line_and_an_exit_code() {
    let world = World::up();
    let csr = host(&world).csr;
    for (user, words, expected) in [
        (NOBODY, "request list", "401"),
        (Some("auditor"), "request list", "403"),
        (AGENT, "request show nope", "404"),
        (AGENT, "request list --status blessed", "status"),
        (AGENT, "request approve nope", "404"),
        (NOBODY, "cert show 7f", "404"),
        (NOBODY, "cert list", "401"),
        (AGENT, "cert list --san host.example", "san"),
        (NOBODY, "cert revoke 7f", "401"),
        (Some("auditor"), "cert revoke 7f", "404"),
        (
            NOBODY,
            &format!("request submit nope --csr {}", path(&csr)),
            "404",
        ),
        (NOBODY, "request submit caServerCert", "csr"),
    ] {
        let line = chancery(&world, user, words).failed(1);
        assert!(line.contains(expected), "{words}: {line}");
    }
}

#[test]
fn what_cannot_be_tried_is_said_in_one_line() {
    let (world, other) = (World::up(), World::up());
    let csr = host(&world);
    let (missing, garbage) = (world.dir().join("missing"), world.dir().join("garbage"));
    fs::write(&garbage, "hello").expect("the scratch folder is writable");
    let (missing, garbage) = (path(&missing), path(&garbage));
    let nowhere = format!("https://127.0.0.1:{}", free_port());
    let (other_ca, other_agent) = (other.ca_pem(), other.credential("agent1"));
    let submit = "request submit caServerCert --csr";
    for (words, expected) in [
        (format!("{submit} {missing}"), "missing"),
        (format!("{submit} {garbage}"), "garbage"),
        (format!("{submit} {}", path(&csr.key)), "host.key"),
        (format!("profile list --url {nowhere}"), &*nowhere),
        ("profile list --url nowhere".to_owned(), "nowhere"),
        (format!("profile list --ca-file {missing}"), "missing"),
        (format!("profile list --ca-file {garbage}"), "garbage"),
        (
            format!("profile list --ca-file {}", path(&other_ca)),
            "certificate",
        ),
        (format!("profile list --credential {missing}"), "missing"),
        (format!("profile list --credential {}", path(&other_ca)), ""),
        // Of another PKI: it holds no more than none.
        (
            format!("profile list --credential {}", path(&other_agent)),
            "401",
        ),
    ] {
        let line = chancery(&world, NOBODY, &words).failed(1);
        assert!(line.contains(expected), "{words}: {line}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let world = World::up();
    for words in [
        "request",
        "request nope",
        "cert show",
        "cert show nope",
        "cert revoke 7f --reason boredom",
        "cert show 7f --pem --json",
        "request list --limit 0",
        "request approve x --not-after tomorrow",
        "request approve x --san host.example",
        "profile list --colour",
        "completion tcsh",
    ] {
        let said = chancery(&world, NOBODY, words);
        assert_eq!((said.code, &*said.stdout), (2, ""), "{words}");
        assert!(!said.stderr.is_empty(), "{words}");
    }
}

#[test]
fn a_refusal_by_the_profile_is_told_in_full() {
    let world = World::up();
    let names = ["DNS:a.example"];
    let nobody = openssl_csr(world.dir(), "nobody", KeyKind::P256, "/", &names).csr;
    let submit = format!("request submit caTransportCert --csr {}", path(&nobody));
    let said = chancery(&world, NOBODY, &submit);
    assert_eq!((said.code, &*said.stdout), (1, ""));
    let lines: Vec<_> = said.stderr.lines().collect();
    for part in ["csr: ", "policy subject: ", "policy key: ", "/pki/request/"] {
        let told = lines.iter().filter(|line| line.contains(part)).count();
        assert_eq!(told, 1, "{part}: {lines:#?}");
    }
    assert!(
        lines.iter().all(|line| line.starts_with("error: ")),
        "{lines:#?}"
    );
}

#[test]
fn settings_come_from_flags_and_environment() {
    let world = World::up();
    let agent = world.credential("agent1");
    let with =
        |name: &str, value: &str, words: &str| said(command(&world, AGENT, words).env(name, value));
    let (name, words) = ("CHANCERY_CREDENTIAL", "request list");
    chancery(&world, AGENT, words).done();
    with(name, "/nowhere.pem", words).failed(1);
    with(
        name,
        "/nowhere.pem",
        &format!("{words} --credential {}", path(&agent)),
    )
    .done();
    let (name, url) = ("CHANCERY_URL", world.https());
    with(name, "https://127.0.0.1:1", words).failed(1);
    with(name, "https://127.0.0.1:1", &format!("--url {url} {words}")).done();
    let (name, anchor) = ("CHANCERY_CA_FILE", world.ca_pem());
    with(name, "/nowhere.pem", words).failed(1);
    with(
        name,
        "/nowhere.pem",
        &format!("{words} --ca-file {}", path(&anchor)),
    )
    .done();
}

#[test]
fn what_strangers_write_moves_no_cursor() {
    let eve = "Eve\u{1b}[2K\nstatus  approved\u{202e}";
    let request = json!({
        "id": eve, "type": "enrollment", "status": "pending", "profile": "caServerCert",
        "created": "2026-11-21T20:45:00Z", "modified": "2026-11-21T20:45:00Z",
        "status_link": "", "requestor": {"name": eve},
    });
    let problem = json!({"type": "/problems/x", "title": "x", "status": 422, "detail": eve});
    let list = json!({"entries": [request]});
    for (status, answer, words) in [
        (200, &request, "request show x"),
        (200, &list, "request list --limit 1"),
        (422, &problem, "request show x"),
    ] {
        let url = stranger(status, answer);
        let said = said(&mut bare(&format!("{words} --url {url}")));
        let text = said.stdout + &said.stderr;
        let line = text.lines().find(|line| line.contains("Eve"));
        let line = line.expect("it is shown");
        assert!(line.contains("approved"), "in the line of the name: {text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}

/// A service that is not ours, for one call: gives the URL.
fn stranger(status: u16, body: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let body = body.to_string();
    let kind = if status == 200 {
        "json"
    } else {
        "problem+json"
    };
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/{kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody calls");
        let mut lines = BufReader::new(&stream).lines();
        while lines
            .next()
            .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
        {}
        (&stream)
            .write_all(answer.as_bytes())
            .expect("somebody listens");
    });
    format!("http://{address}")
}

#[test]
fn a_shell_completes_commands() {
    let world = World::up();
    let script = world.dir().join("completion");
    let printed = chancery(&world, NOBODY, "completion bash").done();
    fs::write(&script, printed).expect("the scratch folder is writable");
    let complete = |words: &str| {
        let last = words.split(' ').count() - 1;
        let ask = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={last}; \
             _chancery chancery \"${{COMP_WORDS[-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            path(&script)
        );
        tool("bash", &["--norc", "-c", &ask]).trim().to_owned()
    };
    assert_eq!(complete("chancery req"), "request");
    assert_eq!(complete("chancery request app"), "approve");
    assert_eq!(complete("chancery cert revoke --rea"), "--reason");
    for shell in ["zsh", "fish"] {
        let script = chancery(&world, NOBODY, &format!("completion {shell}")).done();
        assert!(script.contains("chancery"));
    }
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

/// What the command line said.
struct Said {
    words: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    /// What it printed when it did its work.
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.words, self.stderr);
        self.stdout
    }

    /// The JSON that it printed, and nothing else.
    #[track_caller]
    fn json(self) -> Value {
        let words = self.words.clone();
        let stdout = self.done();
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{words}\n{stdout}"))
    }

    /// The one line of its failure.
    #[track_caller]
    fn failed(self, code: i32) -> String {
        let Said { words, stderr, .. } = self;
        assert_eq!((self.code, &*self.stdout), (code, ""), "{words}\n{stderr}");
        let line = stderr.strip_suffix('\n').unwrap_or(&stderr);
        let is_one = line.starts_with("error: ") && !line.contains('\n');
        assert!(is_one, "{words}\n{stderr}");
        line.to_owned()
    }
}

/// Runs `chancery` with `words` against a world, as one of its users or as nobody.
fn chancery(world: &World, user: Option<&str>, words: &str) -> Said {
    said(&mut command(world, user, words))
}

fn command(world: &World, user: Option<&str>, words: &str) -> Command {
    let mut command = bare(words);
    command.env("CHANCERY_URL", world.https());
    command.env("CHANCERY_CA_FILE", world.ca_pem());
    if let Some(user) = user {
        command.env("CHANCERY_CREDENTIAL", world.credential(user));
    }
    command
}

/// `chancery` without any settings from around the tests.
fn bare(words: &str) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program("chancery"));
    command.args(words.split_whitespace()).stdin(Stdio::null());
    for name in ["CHANCERY_URL", "CHANCERY_CA_FILE", "CHANCERY_CREDENTIAL"] {
        command.env_remove(name);
    }
    command
}

fn said(command: &mut Command) -> Said {
    let output = command.output().expect("there is `timeout`");
    Said {
        words: format!("{command:?}"),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The ids in a list.
fn ids_of(list: &Value) -> Vec<&str> {
    let entries = list["entries"].as_array().expect("a list has entries");
    entries.iter().map(|entry| text(&entry["id"])).collect()
}

/// The cells of a table, which are two or more spaces apart.
fn table(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let cells = line.split("  ").map(str::trim);
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    text.lines().map(cells).collect()
}
