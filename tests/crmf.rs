//! Certificate request messages (CRMF, RFC 4211): what openssl makes of them, and what it never
//! would, put together here and signed by openssl.

use std::fs;
use std::path::{Path, PathBuf};

use common::clock::Timestamp;
use common::x509::{base64, pem, tlv};
use der::Encode;
use der::oid::ObjectIdentifier;
use serde_json::{Value, json};
use tests::foreign::{
    KeyKind, certificate_extension, certificate_is_accepted, certificate_public_key, openssl,
    openssl_crmf, openssl_csr, openssl_with_input, path, pkilint_certificate,
};
use tests::world::{Answer, World, expect_all, text};

#[test]
fn a_crmf_request_is_reviewed_and_issued() {
    let world = World::up();
    let key = key(&world, KeyKind::P256);
    let options = ["-sans", "host.example", "-days", "30"];
    let crmf = openssl_crmf(world.dir(), &key, "/CN=host.example", &options);

    let (id, etag) = submitted(&submit(&world, "caServerCert", &crmf));
    let review = world.get(&format!("/pki/request/{id}")).as_user("agent1");
    let review = review.send().with_status(200).json();
    let csr = &review["csr"];
    assert_eq!(csr["kind"], "crmf");
    assert_eq!(csr["crmf"], base64(&crmf));
    assert!(csr.get("pem").is_none());
    assert_eq!(csr["subject"], "CN=host.example");
    assert_eq!(csr["subject_alt_names"], json!(["dns:host.example"]));
    let moment = |name: &str| text(&csr[name]).parse::<Timestamp>().expect("RFC 3339");
    let length = moment("not_after").seconds() - moment("not_before").seconds();
    assert_eq!(length, 30 * 86_400);

    let approved = world
        .put(&format!("/pki/request/{id}/status"))
        .as_user("agent1")
        .header("If-Match", &etag)
        .json(r#"{"status":"approved"}"#)
        .send();
    let serial = approved.with_status(200).json();
    let leaf = world.save_certificate(text(&serial["certificate"]["id"]));
    let public = openssl(&["pkey", "-pubout", "-in", path(&key)]);
    assert_eq!(certificate_public_key(&leaf), public);
    let names = certificate_extension(&leaf, "subjectAltName");
    assert_eq!(names, "DNS:host.example");
    certificate_is_accepted(&world.ca_pem(), &[], &leaf);
    pkilint_certificate(&leaf);
}

#[test]
fn crmf_comes_for_every_kind_of_key_and_in_every_form() {
    let world = World::up();
    let mut cases = Vec::new();
    for (kind, digest) in [
        (KeyKind::Rsa2048, "sha256"),
        (KeyKind::P256, "sha384"),
        (KeyKind::P384, "sha384"),
        (KeyKind::P521, "sha512"),
    ] {
        let key = key(&world, kind);
        let options = ["-digest", digest];
        let crmf = openssl_crmf(world.dir(), &key, "/CN=host.example", &options);
        let text = base64(&crmf);
        let armoured = pem("CERTIFICATE REQUEST", &crmf);
        for (form, body) in [
            ("crmf", json!({"crmf": text})),
            ("PEM", json!({"crmf": armoured})),
            (
                "inputs",
                json!({"inputs": {"cert_request_type": "crmf", "cert_request": text}}),
            ),
        ] {
            let answer = world
                .post("/pki/request/caAgentServerCert")
                .as_user("agent1")
                .json(&body.to_string())
                .send();
            let status = text_of(&answer.json()["status"]);
            cases.push((format!("{kind:?}, {form}"), status, "complete".to_owned()));
        }
    }
    expect_all(cases);
}

#[test]
fn controls_reach_the_agent() {
    let world = World::up();
    let key = key(&world, KeyKind::P256);
    // The shape that an older client sends: version, key usage, both controls.
    let usage = [
        oid("2.5.29.15"),
        der(0x01, &[0xff]),
        der(4, &[3, 2, 5, 0xe0]),
    ]
    .concat();
    let usage = der(0x30, &usage);
    let request = Request {
        template: vec![
            der(0x80, &[2]),
            subject("x.example"),
            public_key(&key),
            der(0xa9, &usage),
        ],
        controls: vec![
            control("1.3.6.1.5.5.7.5.1.1", &der(0x0c, b"regToken")),
            control("1.3.6.1.5.5.7.5.1.2", &der(0x0c, b"authenticator")),
        ],
        info: vec![control("1.3.6.1.5.5.7.5.2.1", &der(0x0c, b"who?me%"))],
    };

    let (id, _) = submitted(&submit(
        &world,
        "caServerCert",
        &request.signed(&world, &key),
    ));

    let review = world.get(&format!("/pki/request/{id}")).as_user("agent1");
    let csr = review.send().json()["csr"].clone();
    let told =
        json!({"regToken": "regToken", "authenticator": "authenticator", "utf8Pairs": "who?me%"});
    assert_eq!(csr["controls"], told);
    assert_eq!(csr["extensions"][0]["name"], "keyUsage");
    world.approve(&id, "agent1");
}

#[test]
fn each_message_becomes_a_request_of_its_own() {
    let world = World::up();
    let key = key(&world, KeyKind::P256);
    let one = |key: &Path, name: &str| {
        let subject = format!("/CN={name}.example");
        let made = openssl_crmf(world.dir(), key, &subject, &[]);
        tlv::expect(0x30, &made).expect("DER").0.to_vec()
    };
    let all = |names: &[&str]| {
        let messages: Vec<_> = names.iter().flat_map(|name| one(&key, name)).collect();
        der(0x30, &messages)
    };

    // Both wait, and each knows of the other.
    let answer = submit(&world, "caServerCert", &all(&["a", "b"]));
    let (first, _) = submitted(&answer);
    let link = &answer.json()["requests"];
    let second = text_of(&link[0]["id"]);
    assert_eq!(link[0]["link"], format!("/pki/request/{second}"));
    assert_eq!(link.as_array().map(Vec::len), Some(1));
    let other = world
        .get(&format!("/pki/request/{second}"))
        .as_user("agent1");
    let other = other.send().with_status(200).json();
    assert_eq!(other["requests"][0]["id"], first.as_str());
    assert_eq!(other["csr"]["subject"], "CN=b.example");
    let serials = [
        world.approve(&first, "agent1"),
        world.approve(&second, "agent2"),
    ];
    assert_ne!(serials[0], serials[1]);

    // Under a profile that issues at once, both are issued at once.
    let body = json!({"crmf": base64(&all(&["c", "d", "e"]))}).to_string();
    let issued = || {
        world
            .post("/pki/request/caAgentServerCert")
            .as_user("agent1")
            .header("Idempotency-Key", "three")
            .json(&body)
            .send()
            .with_status(201)
            .json()
    };
    let answer = issued();
    assert_eq!(answer["status"], "complete");
    let others = answer["requests"].as_array().expect("there are two");
    assert_eq!(others.len(), 2);
    for link in others {
        let found = world.get(text(&link["link"])).send().json();
        assert_eq!(found["status"], "complete");
    }
    assert_eq!(issued(), answer);

    // When one is refused, only that is on record: here the key that is no RSA key.
    let rsa = openssl_csr(world.dir(), "rsa", KeyKind::Rsa3072, "/CN=a", &[]).key;
    let before = world.record();
    let mixed = der(0x30, &[one(&rsa, "f"), one(&key, "g")].concat());
    let refused = submit(&world, "caTransportCert", &mixed);
    assert_eq!(refused.problem(422), "not-acceptable");
    let found = world
        .get(text(&refused.json()["request"]))
        .as_user("agent1");
    let found = found.send().json();
    assert_eq!(found["status"], "rejected");
    assert_eq!(found["csr"]["subject"], "CN=g.example");
    assert_eq!(world.record().requests.len(), before.requests.len() + 1);
}

#[test]
fn what_proves_nothing_is_refused() {
    let world = World::up();
    let ec = key(&world, KeyKind::P256);
    let by_openssl = |options: &[&str]| openssl_crmf(world.dir(), &ec, "/CN=a.example", options);
    let plain = Request {
        template: vec![subject("a.example"), public_key(&ec)],
        ..Request::default()
    };
    let other = openssl_csr(world.dir(), "other", KeyKind::P256, "/CN=o", &[]).key;
    let mut altered = plain.signed(&world, &ec);
    let at = altered.windows(4).position(|w| w == b"a.ex");
    altered[at.expect("the name is there")] = b'b';
    let input = |key: &Path, name: &[u8]| der(0xa0, &[name, &info(key)].concat());
    let sender = der(0xa0, &der(0xa4, &name("a.example")));
    let nameless = Request {
        template: vec![public_key(&ec)],
        ..Request::default()
    };
    let proof = "proof-of-possession";
    let cases = [
        ("raVerified", by_openssl(&["-popo", "0"]), proof),
        ("keyEncipherment", by_openssl(&["-popo", "2"]), proof),
        ("none", by_openssl(&["-popo", "-1"]), "syntax"),
        (
            "SHA-1",
            by_openssl(&["-digest", "sha1"]),
            "legacy-signature",
        ),
        ("another key", plain.signed(&world, &other), proof),
        ("altered", altered, proof),
        (
            "keyAgreement",
            plain.proved(&der(0xa3, &der(0x80, &[0]))),
            proof,
        ),
        (
            "input beside subject",
            plain.signed_input(&world, &ec, &input(&ec, &sender)),
            proof,
        ),
        (
            "neither subject nor input",
            nameless.signed(&world, &ec),
            proof,
        ),
        (
            "input for another key",
            nameless.signed_input(&world, &ec, &input(&other, &sender)),
            proof,
        ),
        (
            "a password",
            nameless.signed_input(&world, &ec, &input(&ec, &der(0x30, &[]))),
            proof,
        ),
        (
            "a sender who is not there",
            nameless.signed_input(&world, &ec, &input(&ec, &sender)),
            proof,
        ),
    ];
    let cases = cases.map(|(case, crmf, rule)| refused(&world, case, &crmf, rule));
    expect_all(cases);
}

#[test]
fn a_proof_by_name_counts_for_the_one_who_calls() {
    let world = World::up();
    let ec = key(&world, KeyKind::P256);
    let nameless = Request {
        template: vec![public_key(&ec)],
        ..Request::default()
    };
    let subject = openssl(&[
        "x509",
        "-in",
        path(&world.credential("agent1")),
        "-noout",
        "-subject",
        "-nameopt",
        "RFC2253",
    ]);
    let common_name = subject.trim().rsplit_once("CN=").expect("it has a name").1;
    let certificate = fs::read(world.credential("agent1")).expect("it is there");
    let certificate = openssl_with_input(&["x509", "-outform", "DER"], &certificate);
    let sender = subject_of(&certificate);
    let input = der(0xa0, &[der(0xa0, &der(0xa4, &sender)), info(&ec)].concat());
    let crmf = nameless.signed_input(&world, &ec, &input);

    let answer = world
        .post("/pki/request/caServerCert")
        .as_user("agent1")
        .json(&json!({"crmf": base64(&crmf)}).to_string())
        .send();

    // The proof holds; that there is no subject is another matter.
    assert_eq!(answer.problem(422), "not-acceptable", "{common_name}");
    assert_eq!(answer.violated_fields(), [""; 0]);
    assert!(answer.json()["request"].is_string());
}

#[test]
fn what_a_ca_would_have_to_heed_and_does_not_is_refused() {
    let world = World::up();
    let key = key(&world, KeyKind::P256);
    let asked = |fields: &[Vec<u8>], controls: &[Vec<u8>]| {
        let mut template = vec![subject("a.example"), public_key(&key)];
        template.extend_from_slice(fields);
        template.sort_by_key(|field| field[0] & 0x1f);
        let controls = controls.to_vec();
        let request = Request {
            template,
            controls,
            info: Vec::new(),
        };
        request.signed(&world, &key)
    };
    let registration =
        |number: u8, value: &[u8]| control(&format!("1.3.6.1.5.5.7.5.1.{number}"), value);
    let token = registration(1, &der(0x0c, b"once"));
    let line = registration(2, &der(0x0c, b"two\nlines"));
    let years = der(0xa4, &[]);
    let cases = [
        (
            "archival",
            asked(&[], &[registration(4, &der(0x82, &[0xff]))]),
            "archival",
        ),
        (
            "publication",
            asked(&[], &[registration(3, &der(0x30, &[2, 1, 0]))]),
            "control",
        ),
        (
            "old certificate",
            asked(&[], &[registration(5, &der(0x30, &[]))]),
            "control",
        ),
        (
            "encryption",
            asked(&[], &[registration(6, &der(0x30, &[]))]),
            "control",
        ),
        (
            "unknown",
            asked(&[], &[control("1.2.3.4", &der(5, &[]))]),
            "control",
        ),
        ("twice", asked(&[], &[token.clone(), token]), "control"),
        ("two lines", asked(&[], &[line]), "control"),
        ("version 1", asked(&[der(0x80, &[0])], &[]), "template"),
        ("serial number", asked(&[der(0x81, &[7])], &[]), "template"),
        (
            "algorithm",
            asked(&[der(0xa2, &oid("1.2.840.10045.4.3.2"))], &[]),
            "template",
        ),
        (
            "issuer",
            asked(&[der(0xa3, &name("another CA"))], &[]),
            "issuer",
        ),
        ("empty validity", asked(&[years], &[]), "syntax"),
        ("unique id", asked(&[der(0x88, &[0, 1])], &[]), "template"),
        ("unknown field", asked(&[der(0x8a, &[1])], &[]), "syntax"),
        ("no messages", der(0x30, &[]), "syntax"),
        ("a PKCS#10", csr(&world), "syntax"),
        ("nothing", Vec::new(), "required"),
    ];
    let cases = cases.map(|(case, crmf, rule)| refused(&world, case, &crmf, rule));
    expect_all(cases);

    let (one, other) = (base64(&asked(&[], &[])), base64(&csr(&world)));
    let both = json!({"crmf": one, "csr": other}).to_string();
    let answer = world.post("/pki/request/caServerCert").json(&both).send();
    assert_eq!(answer.problem(422), "not-acceptable");
    let many = der(0x30, &der(0x30, &[]).repeat(17));
    expect_all([refused(&world, "too many", &many, "messages")]);
}

/// A request as its parts.
#[derive(Clone, Default)]
struct Request {
    template: Vec<Vec<u8>>,
    controls: Vec<Vec<u8>>,
    info: Vec<Vec<u8>>,
}

impl Request {
    /// `CertRequest`.
    fn request(&self) -> Vec<u8> {
        let mut content = der(0x02, &[1]);
        content.extend(der(0x30, &self.template.concat()));
        if !self.controls.is_empty() {
            content.extend(der(0x30, &self.controls.concat()));
        }
        der(0x30, &content)
    }

    /// `CertReqMessages` with this `ProofOfPossession`.
    fn proved(&self, proof: &[u8]) -> Vec<u8> {
        let mut content = self.request();
        content.extend_from_slice(proof);
        if !self.info.is_empty() {
            content.extend(der(0x30, &self.info.concat()));
        }
        der(0x30, &der(0x30, &content))
    }

    /// With a signature over the request.
    fn signed(&self, world: &World, key: &Path) -> Vec<u8> {
        self.proved(&der(0xa1, &signature(world, key, &self.request())))
    }

    /// With a signature over `poposkInput`.
    fn signed_input(&self, world: &World, key: &Path, input: &[u8]) -> Vec<u8> {
        let (content, _) = tlv::expect(0xa0, input).expect("our own DER is sound");
        let signature = signature(world, key, &der(0x30, content));
        self.proved(&der(0xa1, &[input, &signature].concat()))
    }
}

/// Algorithm and signature by an EC key.
fn signature(world: &World, key: &Path, message: &[u8]) -> Vec<u8> {
    let file = world.dir().join("message");
    fs::write(&file, message).expect("the folder can be written");
    let arguments = ["dgst", "-sha256", "-sign", path(key), path(&file)];
    let signature = openssl_with_input(&arguments, b"");
    let algorithm = der(0x30, &oid("1.2.840.10045.4.3.2"));
    [algorithm, der(0x03, &[vec![0], signature].concat())].concat()
}

fn control(id: &str, value: &[u8]) -> Vec<u8> {
    der(0x30, &[&oid(id), value].concat())
}

fn oid(text: &str) -> Vec<u8> {
    let oid: ObjectIdentifier = text.parse().expect("an OID");
    oid.to_der().expect("it is encoded")
}

/// A name with this common name.
fn name(common_name: &str) -> Vec<u8> {
    let value = der(0x0c, common_name.as_bytes());
    der(
        0x30,
        &der(0x31, &der(0x30, &[oid("2.5.4.3"), value].concat())),
    )
}

fn subject(common_name: &str) -> Vec<u8> {
    der(0xa5, &name(common_name))
}

/// The subject of a certificate in DER: the sixth field of its content.
fn subject_of(certificate: &[u8]) -> Vec<u8> {
    let tbs = tlv::signed_part(certificate).expect("a certificate");
    let (mut rest, _) = tlv::expect(0x30, tbs).expect("a sequence");
    for _ in 0..5 {
        rest = tlv::split(rest).expect("a field").1;
    }
    tlv::split(rest).expect("the subject").0.der.to_vec()
}

/// SubjectPublicKeyInfo.
fn info(key: &Path) -> Vec<u8> {
    let arguments = ["pkey", "-in", path(key), "-pubout", "-outform", "DER"];
    openssl_with_input(&arguments, b"")
}

/// `publicKey` of a template.
fn public_key(key: &Path) -> Vec<u8> {
    let mut info = info(key);
    info[0] = 0xa6;
    info
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::push(&mut out, tag, content);
    out
}

fn key(world: &World, kind: KeyKind) -> PathBuf {
    openssl_csr(world.dir(), "key", kind, "/CN=key", &[]).key
}

fn csr(world: &World) -> Vec<u8> {
    openssl_csr(world.dir(), "csr", KeyKind::P256, "/CN=a.example", &[]).der
}

fn submit(world: &World, profile: &str, crmf: &[u8]) -> Answer {
    world
        .post(&format!("/pki/request/{profile}"))
        .json(&json!({"crmf": base64(crmf)}).to_string())
        .send()
}

/// The id and the tag of a request that waits.
fn submitted(answer: &Answer) -> (String, String) {
    let request = answer.json();
    assert_eq!(request["status"], "pending", "{request}");
    let etag = answer.header("etag").expect("a request has a tag");
    (text_of(&request["id"]), etag)
}

/// The rule by which a request is refused, beside the one that is expected.
fn refused(world: &World, case: &str, crmf: &[u8], rule: &str) -> (String, Value, Value) {
    let answer = submit(world, "caServerCert", crmf).json();
    let found = &answer["violations"][0];
    let found = json!([
        answer["status"],
        found["field"],
        found["rule"],
        answer["request"]
    ]);
    (case.into(), found, json!([422, "crmf", rule, null]))
}

fn text_of(value: &Value) -> String {
    text(value).to_owned()
}
