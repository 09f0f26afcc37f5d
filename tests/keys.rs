//! Keys and signatures of every kind, and the old ones that are refused.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::crypto::{KeyEncryptionKey, KeySpec, MlDsa, PublicKey};
use common::keystore::KeyStore;
use common::x509::{Certificate, Csr, pem, tlv};
use der::Encode;
use ml_dsa::{Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signer, SigningKey, Verifier};
use serde_json::{Value, json};
use tests::foreign::{Scratch, openssl, path, pkilint_certificates};
use tests::world::{World, eventually, program, text};

/// The independent judge's word on a signature of ML-DSA.
fn judged(set: MlDsa, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    fn judge<P: MlDsaParams>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let key = key.try_into().expect("keys of a set have one length");
        let key = ml_dsa::VerifyingKey::<P>::decode(key);
        let signature = ml_dsa::Signature::<P>::try_from(signature);
        signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }
    match set {
        MlDsa::Set44 => judge::<MlDsa44>(key.raw(), message, signature),
        MlDsa::Set65 => judge::<MlDsa65>(key.raw(), message, signature),
        MlDsa::Set87 => judge::<MlDsa87>(key.raw(), message, signature),
    }
}

/// Whether the judge finds that `issuer` signed this certificate or CRL.
fn is_signed_by(set: MlDsa, issuer: &Certificate, der: &[u8]) -> bool {
    let signed = tlv::signed_part(der).expect("it is a signed structure");
    let (content, _) = tlv::expect(0x30, der).expect("it is a sequence");
    let (_, rest) = tlv::split(content).expect("the signed part");
    let (_, rest) = tlv::split(rest).expect("the algorithm");
    let (bits, _) = tlv::expect(3, rest).expect("the signature");
    judged(set, issuer.public_key(), signed, &bits[1..])
}

/// A PKCS#10 request that the judge made and signed.
fn foreign_request(set: MlDsa, common_name: &str, host: &str) -> Vec<u8> {
    fn make<P: MlDsaParams>(seed: u8) -> (Vec<u8>, impl Fn(&[u8]) -> Vec<u8>) {
        let key = SigningKey::<P>::from_seed(&[seed; 32].into());
        let public = key.verifying_key().encode().to_vec();
        (public, move |message: &[u8]| {
            key.sign(message).encode().to_vec()
        })
    }
    let tagged = |tag: u8, parts: &[&[u8]]| {
        let mut out = Vec::new();
        tlv::push(&mut out, tag, &parts.concat());
        out
    };
    let mut seed = [0];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| std::io::Read::read_exact(&mut random, &mut seed))
        .expect("there is chance");
    let [seed] = seed;
    type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;
    let (public, sign): (Vec<u8>, Sign) = match set {
        MlDsa::Set44 => {
            let (public, sign) = make::<MlDsa44>(seed);
            (public, Box::new(sign))
        }
        MlDsa::Set65 => {
            let (public, sign) = make::<MlDsa65>(seed);
            (public, Box::new(sign))
        }
        MlDsa::Set87 => {
            let (public, sign) = make::<MlDsa87>(seed);
            (public, Box::new(sign))
        }
    };
    let algorithm = tagged(0x30, &[&set.oid().to_der().expect("encodes")]);
    let bits = |bytes: &[u8]| tagged(3, &[&[0], bytes]);
    let key = tagged(0x30, &[&algorithm, &bits(&public)]);
    let subject = common::x509::name::parse(&format!("CN={common_name}"))
        .and_then(|name| name.to_der().map_err(|e| e.to_string()))
        .expect("a name");
    let oid = |dotted: &str| {
        let oid = der::asn1::ObjectIdentifier::new_unwrap(dotted);
        oid.to_der().expect("encodes")
    };
    let names = tagged(0x30, &[&tagged(0x82, &[host.as_bytes()])]);
    let extension = tagged(0x30, &[&oid("2.5.29.17"), &tagged(4, &[&names])]);
    let asked = tagged(0x31, &[&tagged(0x30, &[&extension])]);
    let attribute = tagged(0x30, &[&oid("1.2.840.113549.1.9.14"), &asked]);
    let attributes = tagged(0xa0, &[&attribute]);
    let info = tagged(0x30, &[&[2, 1, 0], &subject, &key, &attributes]);
    tagged(0x30, &[&info, &algorithm, &bits(&sign(&info))])
}

#[test]
fn requests_of_another_implementation_of_ml_dsa_get_certificates() {
    let world = World::up();
    for set in MlDsa::ALL {
        let host = format!("ml-dsa-{}.example", set.level());
        let request = foreign_request(set, &host, &host);
        let serial = world.issue(&request);
        let shown = world.get(&format!("/pki/certificate/{serial}")).send();
        let shown = shown.with_status(200).json();
        let csr = Csr::parse(&request).expect("the CA took it, too");
        let digest = common::x509::hex(&csr.public_key().spki_sha256());
        let key = json!({"type": "ml-dsa", "level": set.level(), "spki_sha256": digest});
        assert_eq!(shown["key"], key);
        assert_eq!(shown["subject_alt_names"], json!([format!("dns:{host}")]));
        let usage = extension(&shown, "keyUsage");
        assert_eq!(usage, "digitalSignature", "ML-DSA only signs");

        let mut forged = request.clone();
        *forged.last_mut().expect("it has octets") ^= 1;
        let refused = world
            .post("/pki/request/caServerCert")
            .body("application/pkcs10", &forged)
            .send();
        let refused = refused.with_status(422).json();
        assert_eq!(refused["violations"][0]["rule"], "proof-of-possession");
    }
}

#[test]
fn what_we_sign_by_ml_dsa_another_implementation_verifies() {
    for set in MlDsa::ALL {
        let (key, _) = common::crypto::PrivateKey::generate(KeySpec::MlDsa(set)).expect("made");
        let signature = key.sign(b"message").expect("signed");
        assert!(judged(set, key.public_key(), b"message", &signature));
        assert!(!judged(set, key.public_key(), b"massage", &signature));
    }
}

#[test]
fn every_kind_of_ca_key_makes_a_root_that_others_verify() {
    let roots = Scratch::new("roots");
    let mut files = Vec::new();
    for (name, spec) in KeySpec::ALL {
        let folder = Scratch::new(name);
        let kek = KeyEncryptionKey::generate();
        let config = ca::Config {
            key: spec,
            ..ca::Config::new(&common::config::Settings::default()).expect("sound defaults")
        };
        let places = ca::issuer::Places::new("http://pki.example", "http://pki.example");
        let clock = common::clock::Clock::System;
        let authority = ca::create::create(folder.path(), &kek, &config, places, clock)
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        let root = authority.host().certificate.clone();
        let file = roots.file(&format!("{name}.pem"));
        fs::write(&file, root.pem()).expect("the scratch folder is writable");
        match spec {
            KeySpec::MlDsa(set) => assert!(is_signed_by(set, &root, root.der()), "{name}"),
            KeySpec::EcP256
            | KeySpec::EcP384
            | KeySpec::EcP521
            | KeySpec::Rsa(_)
            | KeySpec::RsaPss(_)
            | KeySpec::Ed25519 => {
                let words = ["verify", "-x509_strict", "-check_ss_sig", "-CAfile"];
                openssl(&[&words[..], &[path(&file), path(&file)]].concat());
            }
        }
        let keys = KeyStore {
            folder: folder.path(),
            kek: &kek,
        };
        let (key, _) = keys.key(ca::create::SIGNING).expect("the key opens");
        assert_eq!(key.algorithm(), authority.host().key.algorithm(), "{name}");
        files.push(file);
    }
    assert_eq!(pkilint_certificates(&files), "");
}

/// TLS both ways, certificate, OCSP answer and CRL, all below a root of ML-DSA.
#[test]
fn a_ca_with_an_ml_dsa_key_serves_our_own_programs() {
    let mut world = World::up_with(&["--ca-key", "ml-dsa-65"]);
    let root = fs::read_to_string(world.ca_pem()).expect("the root is there");
    let root = Certificate::from_pem(&root).expect("the root can be read");
    assert!(is_signed_by(MlDsa::Set65, &root, root.der()));
    let csr = world.dir().join("host.csr");
    let request = foreign_request(MlDsa::Set44, "host.example", "host.example");
    fs::write(&csr, pem("CERTIFICATE REQUEST", &request)).expect("the folder is writable");
    let submit = format!(
        "request submit caAgentServerCert --csr {} --json",
        path(&csr)
    );
    let answer: Value = serde_json::from_str(&chancery(&world, &submit, 0)).expect("JSON");
    let serial = text(&answer["certificate"]["id"]).to_owned();
    let leaf = world.dir().join("leaf.pem");
    let shown = chancery(&world, &format!("cert show {serial} --pem"), 0);
    fs::write(&leaf, &shown).expect("the folder is writable");
    let certificate = Certificate::from_pem(&shown).expect("PEM");
    assert!(is_signed_by(MlDsa::Set65, &root, certificate.der()));

    let check = format!("ocsp check {}", path(&leaf));
    chancery(&world, &check, 0);
    chancery(
        &world,
        &format!("cert revoke {serial} --reason superseded"),
        0,
    );
    chancery(&world, &check, 1);
    let revoked = certificate.serial();
    let listed = eventually(Duration::from_secs(10), || {
        let crl = fs::read(world.save_crl()).expect("the CRL is there");
        assert!(is_signed_by(MlDsa::Set65, &root, &crl));
        let mut places = crl.windows(revoked.as_bytes().len());
        places.any(|place| place == revoked.as_bytes())
    });
    assert!(listed, "the CRL has the certificate");

    world.restart();
    let listed = chancery(&world, "cert list --status revoked", 0);
    assert!(listed.contains(&serial), "{listed}");
}

#[test]
fn requests_signed_by_pss_are_taken_and_altered_ones_are_not() {
    let world = World::up();
    for (name, options) in [
        ("digest", ["rsa_pss_saltlen:-1", "-sha256"]),
        ("longest", ["rsa_pss_saltlen:-2", "-sha384"]),
        ("short", ["rsa_pss_saltlen:8", "-sha512"]),
    ] {
        for algorithm in ["RSA", "RSA-PSS"] {
            let key = new_key(&world, algorithm, "rsa_keygen_bits:3072");
            let [salt, hash] = options;
            let words = ["rsa_padding_mode:pss", "-sigopt", salt, hash];
            let der = request(&world, &key, &[&["-sigopt"], &words[..]].concat());
            let serial = world.issue(&der);
            let shown = world
                .get(&format!("/pki/certificate/{serial}"))
                .send()
                .json();
            assert_eq!(shown["key"]["type"], "rsa", "{name} {algorithm}");
            assert_eq!(shown["key"]["size"], 3072, "{name} {algorithm}");
            let enciphers = extension(&shown, "keyUsage").contains("keyEncipherment");
            assert_eq!(enciphers, algorithm == "RSA", "a PSS key only signs");
            assert_eq!(
                rules_refusing(&world, &altered(der)),
                ["proof-of-possession"]
            );
        }
    }
}

#[test]
fn old_request_signatures_need_the_switch_and_never_make_old_certificates() {
    let strict = World::up();
    let lenient = World::up_with(&["--ca-legacy-request-signatures", "true"]);
    let rsa = new_key(&strict, "RSA", "rsa_keygen_bits:2048");
    let short = new_key(&strict, "RSA", "rsa_keygen_bits:1024");
    let ec = new_key(&strict, "EC", "ec_paramgen_curve:P-256");
    for (key, hash) in [(&rsa, "-sha1"), (&ec, "-sha1")] {
        let der = request(&strict, key, &[hash]);
        assert_eq!(rules_refusing(&strict, &der), ["legacy-signature"]);
        assert_eq!(
            rules_refusing(&lenient, &altered(der.clone())),
            ["proof-of-possession"]
        );
        let certificate = lenient.save_certificate(&lenient.issue(&der));
        let shown = openssl(&["x509", "-noout", "-text", "-in", path(&certificate)]);
        assert!(!shown.to_lowercase().contains("sha1"), "{shown}");
        assert!(shown.contains("ecdsa-with-SHA256"), "{shown}");
    }
    for hash in ["-sha1", "-sha256", "-sha512"] {
        let der = request(&strict, &short, &[hash]);
        assert_eq!(rules_refusing(&strict, &der), ["legacy-signature"]);
        // The signature is good now; the profile still wants longer keys.
        assert_eq!(rules_refusing(&lenient, &der), ["key"]);
    }
}

/// The text of an extension in the API's words.
fn extension(certificate: &Value, name: &str) -> String {
    let mut extensions = certificate["extensions"].as_array().expect("a list").iter();
    let found = extensions.find(|extension| extension["name"] == name);
    let value = &found.unwrap_or_else(|| panic!("{name}: {certificate}"))["value"];
    value.to_string().replace(['"', '[', ']'], "")
}

/// A key that openssl made.
fn new_key(world: &World, algorithm: &str, option: &str) -> PathBuf {
    let key = world
        .dir()
        .join(format!("{algorithm}-{}.key", option.replace(':', "-")));
    let words = [
        "genpkey",
        "-algorithm",
        algorithm,
        "-pkeyopt",
        option,
        "-out",
    ];
    openssl(&[&words[..], &[path(&key)]].concat());
    key
}

/// A request that openssl signed in the way that `options` say, DER.
fn request(world: &World, key: &std::path::Path, options: &[&str]) -> Vec<u8> {
    let file = world.dir().join("request.der");
    let subject = [
        "-subj",
        "/CN=host.example",
        "-addext",
        "subjectAltName=DNS:host.example",
    ];
    let words = [
        "req",
        "-new",
        "-outform",
        "DER",
        "-out",
        path(&file),
        "-key",
        path(key),
    ];
    openssl(&[&words[..], &subject, options].concat());
    fs::read(file).expect("openssl wrote it")
}

/// The same request with another signature.
fn altered(mut der: Vec<u8>) -> Vec<u8> {
    *der.last_mut().expect("it has octets") ^= 1;
    der
}

fn rules_refusing(world: &World, der: &[u8]) -> Vec<String> {
    let answer = world
        .post("/pki/request/caServerCert")
        .body("application/pkcs10", der)
        .send();
    let answer = answer.with_status(422).json();
    let violations = answer["violations"].as_array().expect("a list");
    violations
        .iter()
        .map(|v| text(&v["rule"]).to_owned())
        .collect()
}

/// What the command line prints for `agent1`, with the exit code that it should have.
fn chancery(world: &World, words: &str, code: i32) -> String {
    let output = Command::new(program("chancery"))
        .args(words.split_whitespace())
        .env("CHANCERY_URL", world.https())
        .env("CHANCERY_CA_FILE", world.ca_pem())
        .env("CHANCERY_CREDENTIAL", world.credential("agent1"))
        .stdin(Stdio::null())
        .output()
        .expect("our program can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    String::from_utf8(output.stdout).expect("it prints text")
}
