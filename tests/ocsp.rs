//! What the responder answers, and to which questions.

use std::fs;
use std::time::Duration;

use tests::foreign::{
    KeyKind, OpensslCsr, Said, certificate_extension, certificate_is_accepted,
    certificate_public_key, gnutls_ocsp, nss_ocsp, openssl, openssl_csr, openssl_ocsp,
    openssl_ocsp_request, openssl_ocsp_text, openssl_with_input, path, pkilint_certificate,
    pkilint_ocsp,
};
use tests::world::{Answer, World, eventually};

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";

/// A serial number of the right shape that nobody has issued.
const NEVER_ISSUED: &str = "0x1234567890abcdef1234567890abcdef12345678";

#[test]
fn every_client_gets_the_truth_by_either_hash_with_and_without_nonce() {
    let world = World::up();
    let csr = csr(&world);
    let (ca, url) = (world.ca_pem(), world.ocsp_url());
    let good = world.issue(&csr.der);
    let revoked = world.issue(&csr.der);
    world
        .change_status(&revoked, r#"{"status":"revoked"}"#)
        .with_status(200);
    let revoked = world.save_certificate(&revoked);
    let good = world.save_certificate(&good);
    let unknown = never_issued(&world, &good);

    for (leaf, expected) in [
        (&good, Said::Good),
        (&revoked, Said::Revoked),
        (&unknown, Said::Unknown),
    ] {
        for digest in ["sha1", "sha256"] {
            for nonce in [true, false] {
                let said = openssl_ocsp(&ca, &ca, leaf, &url, digest, nonce);
                assert_eq!(said, expected, "{digest}, nonce {nonce}");
            }
        }
        assert_eq!(gnutls_ocsp(&ca, &ca, leaf, &url), expected);
        assert_eq!(nss_ocsp(&ca, leaf, &url), expected);
    }
}

#[test]
fn the_same_question_may_come_by_post_or_get_at_every_known_path() {
    let world = World::up();
    let serial = format!("0x{}", world.issue(&csr(&world).der));
    let ca = world.ca_pem();
    let request = openssl_ocsp_request(&ca, &["-serial", &serial], "sha1", false);
    let base64 = base64(&request);
    assert!(base64.starts_with('M'));
    let encoded = percent_encoded(&base64);
    for base in [world.http(), world.https()] {
        for place in ["/ocsp", "/ca/ocsp", "/ocsp/ee/ocsp"] {
            let url = format!("{base}{place}");
            let answers = [
                ask(&world, &url, &request),
                world.get(&format!("{url}/{base64}")).send(),
                world.get(&format!("{url}/{encoded}")).send(),
            ];
            for answer in answers {
                let said = said(&world, &answer);
                assert!(said.contains("Cert Status: good\n"), "{url}\n{said}");
            }
        }
    }
}

#[test]
fn base64_with_slashes_and_pluses_is_read_as_it_was_sent() {
    let world = World::up();
    let ca = world.ca_pem();
    // Which bits meet in one letter depends on where the serial number begins.
    let requests = ["", "00", "0000"].map(|shift| {
        let serial = format!("0x01ffffffffffff{shift}fbefbefbefbe01");
        openssl_ocsp_request(&ca, &["-serial", &serial], "sha1", false)
    });
    let mut found = requests.iter().filter(|request| {
        let base64 = base64(request);
        base64.contains("//") && base64.contains('+')
    });
    let request = found.next().expect("one of three positions fits");

    let base64 = base64(request);
    for tail in [base64.clone(), percent_encoded(&base64)] {
        let answer = world.get(&format!("{}/{tail}", world.ocsp_url())).send();
        let said = said(&world, &answer);
        assert!(said.contains("Serial Number: 01FFFFFFFFFFFF"), "{said}");
        assert!(said.contains("Cert Status: unknown\n"), "{said}");
    }
}

#[test]
fn several_certificates_in_one_request_are_answered_in_their_order() {
    let world = World::up();
    let csr = csr(&world);
    let ca = world.ca_pem();
    let good = format!("0x{}", world.issue(&csr.der));
    let held = world.issue(&csr.der);
    world
        .change_status(&held, r#"{"status":"on_hold"}"#)
        .with_status(200);
    let held = format!("0x{held}");
    let words = [
        "-serial",
        &held,
        "-serial",
        NEVER_ISSUED,
        "-serial",
        &good,
        "-serial",
        &good,
    ];
    let request = openssl_ocsp_request(&ca, &words, "sha256", true);

    let answer = ask(&world, &world.ocsp_url(), &request);

    let said = said(&world, &answer);
    let statuses: Vec<_> = lines_after(&said, "Cert Status: ");
    assert_eq!(statuses, ["revoked", "unknown", "good", "good"], "{said}");
    let serials = lines_after(&said, "Serial Number: ");
    let asked = [&held, NEVER_ISSUED, &good, &good];
    let asked = asked.map(|serial| serial.trim_start_matches("0x").to_uppercase());
    assert_eq!(serials[..4], asked);
    let nonce = nonce_of(&said).expect("the nonce comes back");
    let sent = dump(&request);
    assert_eq!(nonce_of(&sent), Some(nonce), "{sent}");
}

#[test]
fn responses_are_clean_by_rfc_6960() {
    let world = World::up();
    let csr = csr(&world);
    let ca = world.ca_pem();
    let serials = [r#"{"status":"revoked","reason":"superseded"}"#, ""].map(|change| {
        let serial = world.issue(&csr.der);
        if !change.is_empty() {
            world.change_status(&serial, change).with_status(200);
        }
        format!("0x{serial}")
    });
    let [revoked, good] = &serials;
    let file = world.dir().join("response.der");
    for (asked, nonce) in [
        (vec!["-serial", good], false),
        (vec!["-serial", good], true),
        (vec!["-serial", revoked], false),
        (vec!["-serial", NEVER_ISSUED], true),
        (vec!["-serial", good, "-serial", revoked], false),
    ] {
        let request = openssl_ocsp_request(&ca, &asked, "sha256", nonce);
        let answer = ask(&world, &world.ocsp_url(), &request).with_status(200);
        fs::write(&file, &answer.body).expect("the scratch folder is writable");
        pkilint_ocsp(&file);
    }
}

#[test]
fn another_cas_certificates_get_no_opinion() {
    let world = World::up();
    let ours = format!("0x{}", world.issue(&csr(&world).der));
    let (key, other) = (world.dir().join("other.key"), world.dir().join("other.pem"));
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=Another CA",
        "-keyout",
        path(&key),
        "-out",
        path(&other),
    ]);
    for digest in ["sha1", "sha256"] {
        let foreign = openssl_ocsp_request(&other, &["-serial", &ours], digest, false);
        let by_post = ask(&world, &world.ocsp_url(), &foreign);
        let url = format!(
            "{}/{}",
            world.ocsp_url(),
            percent_encoded(&base64(&foreign))
        );
        let by_get = world.get(&url).send();
        for answer in [by_post, by_get] {
            assert!(said(&world, &answer).starts_with("Responder Error: unauthorized"));
            assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
        }
    }
    // Not even beside one of ours.
    let both = ["-serial", &ours, "-issuer", path(&other), "-serial", &ours];
    let mixed = openssl_ocsp_request(&world.ca_pem(), &both, "sha1", false);
    let answer = ask(&world, &world.ocsp_url(), &mixed);
    assert!(said(&world, &answer).starts_with("Responder Error: unauthorized"));
}

#[test]
fn garbage_is_a_malformed_request() {
    let world = World::up();
    let request = openssl_ocsp_request(&world.ca_pem(), &["-serial", NEVER_ISSUED], "sha1", false);
    let shortened = &request[..request.len() - 1];
    let lengthened = [&request[..], &[0]].concat();
    let not_a_request: &[u8] = &[0x30, 0x00];
    for body in [b"hello, world", shortened, &lengthened, not_a_request, b""] {
        let answer = ask(&world, &world.ocsp_url(), body);
        let said = said(&world, &answer);
        assert!(
            said.starts_with("Responder Error: malformedrequest"),
            "{body:?}: {said}"
        );
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    }
    for tail in ["MEIwQDA+", "M", "M*!", "MAAA%zz"] {
        let answer = world.get(&format!("{}/{tail}", world.ocsp_url())).send();
        let said = said(&world, &answer);
        assert!(
            said.starts_with("Responder Error: malformedrequest"),
            "{tail}: {said}"
        );
    }
    // Whatever does not begin like a request is no OCSP question at all.
    for tail in ["hello", "AAAA", ""] {
        let answer = world.get(&format!("{}/{tail}", world.ocsp_url())).send();
        assert!([404, 405].contains(&answer.status), "{tail}");
    }
}

#[test]
fn caches_may_keep_what_has_no_nonce_and_is_known() {
    let world = World::up();
    let serial = format!("0x{}", world.issue(&csr(&world).der));
    let ca = world.ca_pem();
    let get = |serial: &str, nonce: bool| {
        let request = openssl_ocsp_request(&ca, &["-serial", serial], "sha1", nonce);
        let tail = percent_encoded(&base64(&request));
        world.get(&format!("{}/{tail}", world.ocsp_url())).send()
    };

    // Freshly signed, and ready.
    for _ in 0..2 {
        let answer = get(&serial, false);
        let said = said(&world, &answer);
        let cache = answer.header("cache-control").expect("caches are told");
        assert!(cache.contains("public"), "{cache}");
        let age = cache
            .split(", ")
            .find_map(|part| part.strip_prefix("max-age="));
        let age: u64 = age.and_then(|age| age.parse().ok()).expect("an age");
        assert!((1..=3_600).contains(&age), "{cache}");
        for header in ["etag", "last-modified", "expires"] {
            assert!(answer.header(header).is_some(), "{header}");
        }
        assert_eq!(lines_after(&said, "Next Update: ").len(), 1, "{said}");
    }
    let with_nonce = get(&serial, true);
    assert!(said(&world, &with_nonce).contains("Cert Status: good\n"));
    let unknown = get(NEVER_ISSUED, false);
    assert!(said(&world, &unknown).contains("Cert Status: unknown\n"));
    for answer in [with_nonce, unknown] {
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
        for header in ["etag", "last-modified", "expires"] {
            assert!(answer.header(header).is_none(), "{header}");
        }
    }
}

#[test]
fn the_responder_signs_with_a_key_and_certificate_of_its_own() {
    let world = World::up();
    let ca = world.ca_pem();
    let request = openssl_ocsp_request(&ca, &["-serial", NEVER_ISSUED], "sha1", false);
    let said = said(&world, &ask(&world, &world.ocsp_url(), &request));
    let begin = said.find("-----BEGIN CERTIFICATE-----");
    let pem = &said[begin.expect("the certificate comes along")..];
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 1);
    let delegate = world.dir().join("delegate.pem");
    fs::write(&delegate, pem).expect("the scratch folder is writable");

    assert_eq!(
        certificate_extension(&delegate, "extendedKeyUsage"),
        "OCSP Signing"
    );
    assert!(said.contains("OCSP No Check"), "{said}");
    assert_ne!(
        certificate_public_key(&delegate),
        certificate_public_key(&ca)
    );
    certificate_is_accepted(&ca, &[], &delegate);
    pkilint_certificate(&delegate);
    // The CA issued it like any other.
    let serial = openssl(&["x509", "-noout", "-serial", "-in", path(&delegate)]);
    let serial = serial.trim().trim_start_matches("serial=").to_lowercase();
    let shown = world.get(&format!("/pki/certificate/{serial}")).send();
    assert_eq!(shown.with_status(200).json()["profile"], "caOCSPCert");
}

#[test]
fn a_certificate_is_known_to_another_process_as_soon_as_it_is_issued() {
    let world = World::separate();
    let csr = csr(&world);
    let ca = world.ca_pem();
    for _ in 0..20 {
        let serial = format!("0x{}", world.issue(&csr.der));
        let request = openssl_ocsp_request(&ca, &["-serial", &serial], "sha1", false);
        let answer = ask(&world, &world.ocsp_url(), &request);
        let said = said(&world, &answer);
        assert!(said.contains("Cert Status: good\n"), "{said}");
    }
}

#[test]
fn without_the_ca_the_responder_never_guesses() {
    let mut world = World::separate();
    let ca = world.ca_pem();
    let serial = world.issue(&csr(&world).der);
    let revoked = world.issue(&csr(&world).der);
    world
        .change_status(&revoked, r#"{"status":"revoked"}"#)
        .with_status(200);
    let [good, revoked] = [serial, revoked].map(|serial| world.save_certificate(&serial));
    let url = world.ocsp_url();
    let asked = |leaf: &str, words: &str| openssl_ocsp_request(&ca, &[words, leaf], "sha1", false);
    let (about_good, about_revoked) = (asked(path(&good), "-cert"), asked(path(&revoked), "-cert"));
    let unknown = asked(NEVER_ISSUED, "-serial");
    let status = |world: &World, request: &[u8]| {
        let said = said(world, &ask(world, &url, request));
        let status = said.lines().find_map(|line| {
            let line = line.trim();
            let status = line.strip_prefix("Cert Status: ");
            status.or_else(|| line.strip_prefix("Responder Error: "))
        });
        status.map(str::to_owned).unwrap_or(said)
    };
    let try_later = "trylater (3)";
    let revoked_soon = || status(&world, &about_revoked) == "revoked";
    assert!(eventually(Duration::from_secs(1), revoked_soon));
    assert_eq!(status(&world, &about_good), "good");
    assert_eq!(status(&world, &unknown), "unknown");

    // What it knows, it knows for a while; of the rest it cannot say that it was never issued.
    world.kill_service("ca");
    assert_eq!(status(&world, &about_good), "good");
    assert_eq!(status(&world, &about_revoked), "revoked");
    assert_eq!(status(&world, &unknown), try_later);

    // A new process has never heard from the CA.
    world.kill_service("ocsp");
    world.start_service("ocsp");
    let health = format!("{}/health", url.trim_end_matches("/ocsp"));
    let up = || world.get(&health).try_send().is_some();
    assert!(eventually(Duration::from_secs(10), up));
    for request in [&about_good, &about_revoked, &unknown] {
        assert_eq!(status(&world, request), try_later);
    }
    let ready = format!("{}/ready", world.ocsp());
    world.get(&ready).send().with_status(503);

    world.start_service("ca");
    let back = || status(&world, &about_good) == "good";
    assert!(eventually(Duration::from_secs(20), back));
    world.get(&ready).send().with_status(200);
    assert_eq!(status(&world, &about_revoked), "revoked");
    assert_eq!(status(&world, &unknown), "unknown");
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

fn ask(world: &World, url: &str, request: &[u8]) -> Answer {
    world.post(url).body(REQUEST, request).send()
}

/// What OpenSSL reads in an answer. Errors of OCSP are successes of HTTP.
#[track_caller]
fn said(world: &World, answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type").as_deref(), Some(RESPONSE));
    openssl_ocsp_text(&world.ca_pem(), &answer.body)
}

/// The certificate with another serial number, so that its signature is wrong: no client looks at
/// that before it asks.
fn never_issued(world: &World, issued: &std::path::Path) -> std::path::PathBuf {
    let mut der = openssl_with_input(
        &["x509", "-outform", "DER"],
        &fs::read(issued).expect("it was just saved"),
    );
    let shown = openssl(&["x509", "-noout", "-serial", "-in", path(issued)]);
    let serial = shown.trim().trim_start_matches("serial=");
    let serial: Vec<_> = (0..serial.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&serial[at..at + 2], 16).expect("hex"))
        .collect();
    let place = der.windows(serial.len()).position(|part| part == serial);
    der[place.expect("the serial number is in there") + serial.len() - 1] ^= 1;
    let pem = world.dir().join("never-issued.pem");
    fs::write(&pem, openssl_with_input(&["x509", "-inform", "DER"], &der))
        .expect("the scratch folder is writable");
    pem
}

fn base64(bytes: &[u8]) -> String {
    String::from_utf8(openssl_with_input(&["base64", "-A"], bytes)).expect("base64 is text")
}

fn percent_encoded(base64: &str) -> String {
    base64
        .replace('+', "%2B")
        .replace('/', "%2f")
        .replace('=', "%3D")
}

fn lines_after<'a>(said: &'a str, name: &str) -> Vec<&'a str> {
    said.lines()
        .filter_map(|line| line.trim().strip_prefix(name))
        .collect()
}

/// What OpenSSL reads in a request.
fn dump(request: &[u8]) -> String {
    let read = openssl_with_input(&["ocsp", "-reqin", "/dev/stdin", "-req_text"], request);
    String::from_utf8(read).expect("openssl prints text")
}

/// The line after `OCSP Nonce:`.
fn nonce_of(said: &str) -> Option<String> {
    let mut lines = said.lines().map(str::trim);
    lines.find(|line| *line == "OCSP Nonce:")?;
    lines.next().map(str::to_owned)
}
