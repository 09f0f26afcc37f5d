//! Parsers of what strangers send, under thousands of broken inputs. A short run of what
//! `make fuzz` does at length.
//!
//! `CHANCERY_FUZZ_SECONDS` and `CHANCERY_FUZZ_CASES` bound each target, `CHANCERY_FUZZ_SEED` picks
//! the run. A failure names the file of its input; `CHANCERY_FUZZ_INPUT=FILE` runs that one alone.
//! `CHANCERY_FUZZ_CORPUS` names a folder that gets the seeds, for `cargo fuzz`.

mod mutation;
mod targets;

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::x509::{csr, from_hex, hex, name, pem, tlv};
use tests::dice::Dice;
use tests::foreign::{KeyKind, Scratch, openssl, openssl_crmf, openssl_csr, openssl_with_input};

use mutation::mutate;

/// How far to go.
struct Bounds {
    seed: u64,
    cases: u64,
    time: Duration,
}

impl Bounds {
    fn from_environment() -> Self {
        Self {
            seed: number("CHANCERY_FUZZ_SEED").unwrap_or(1),
            cases: number("CHANCERY_FUZZ_CASES").unwrap_or(u64::MAX),
            time: Duration::from_secs(number("CHANCERY_FUZZ_SECONDS").unwrap_or(2)),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?;
    Some(value.into_string().expect("the variable is text"))
}

fn number(name: &str) -> Option<u64> {
    let text = variable(name)?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// An input may take this long on the slowest machine.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Runs a target on the seeds and on what becomes of them, until the bounds.
#[track_caller]
fn fuzz(name: &str, seeds: &[Vec<u8>], bounds: &Bounds, target: impl Fn(&[u8]) -> bool) {
    if let Some(file) = variable("CHANCERY_FUZZ_INPUT") {
        let input = fs::read(&file).unwrap_or_else(|failure| panic!("{file}: {failure}"));
        target(&input);
        return;
    }
    let Bounds { seed, cases, time } = *bounds;
    let start = Instant::now();
    let mut dice = Dice::new(seed);
    let (mut count, mut accepted) = (0, 0);
    let mutated = std::iter::repeat_with(|| mutate(&mut dice, seeds));
    let inputs = seeds.iter().cloned().chain(mutated);
    for input in inputs {
        if count >= cases || start.elapsed() >= time {
            break;
        }
        let before = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = before.elapsed();
        let Ok(is_accepted) = outcome else {
            panic!("{name}: {}", told(name, seed, count, &input));
        };
        assert!(
            took < TIME_MAX,
            "{name}: {took:?}, {}",
            told(name, seed, count, &input)
        );
        accepted += u64::from(is_accepted);
        count += 1;
    }
    println!("{name}: seed {seed}, {count} inputs, {accepted} accepted");
    // Else something stands in the way, and the run says nothing about what lies behind it.
    assert!(
        accepted * 200 > count,
        "{name}: {accepted} of {count} accepted"
    );
    assert!(accepted < count);
}

/// What helps to see a failure again.
fn told(name: &str, seed: u64, count: u64, input: &[u8]) -> String {
    let file = env::temp_dir().join(format!("chancery-fuzz-{name}-{seed}-{count}"));
    fs::write(&file, input).expect("the folder for temporary files can be written");
    let start = hex(&input[..input.len().min(512)]);
    format!(
        "seed {seed}, input {count} ({start}…), CHANCERY_FUZZ_INPUT={}",
        file.display()
    )
}

/// Writes the seeds where `cargo fuzz` looks for them.
fn save(name: &str, seeds: &[Vec<u8>]) {
    let Some(folder) = variable("CHANCERY_FUZZ_CORPUS") else {
        return;
    };
    let folder = PathBuf::from(folder).join(name);
    fs::create_dir_all(&folder).expect("the corpus can be written");
    for (number, seed) in seeds.iter().enumerate() {
        let file = folder.join(format!("seed-{number:03}"));
        fs::write(file, seed).expect("the corpus can be written");
    }
}

#[test]
fn no_certification_request_breaks_the_parser() {
    let seeds = requests();
    save("csr", &seeds);
    fuzz("csr", &seeds, &Bounds::from_environment(), targets::csr);
}

#[test]
fn no_crmf_message_breaks_the_parser() {
    let seeds = messages();
    save("crmf", &seeds);
    fuzz("crmf", &seeds, &Bounds::from_environment(), targets::crmf);
}

#[test]
fn no_ocsp_request_breaks_the_parser() {
    let seeds = questions();
    save("question", &seeds);
    let bounds = Bounds::from_environment();
    fuzz("question", &seeds, &bounds, targets::question);
}

/// A fuzzer that finds nothing proves nothing.
#[test]
fn a_planted_bug_is_found_and_told() {
    let bounds = Bounds {
        seed: 7,
        cases: u64::MAX,
        time: Duration::from_secs(60),
    };
    let seeds = questions();
    // Far from every seed: openssl's nonces have 16 octets.
    let planted = |input: &[u8]| {
        let question = ocsp::question::Question::parse(input);
        let nonce = question.as_ref().ok().and_then(|question| question.nonce);
        assert!(nonce.is_none_or(|nonce| nonce.len() < 100), "planted");
        question.is_ok()
    };
    let run = || fuzz("planted", &seeds, &bounds, planted);
    let told = catch_unwind(AssertUnwindSafe(run)).expect_err("it is found");
    let told = told.downcast_ref::<String>().expect("a message");
    let (_, file) = told.split_once("CHANCERY_FUZZ_INPUT=").expect("the input");
    let input = fs::read(file).expect("the input was kept");
    fs::remove_file(file).expect("nobody needs it any more");
    assert!(catch_unwind(|| planted(&input)).is_err());
}

/// Certification requests of all kinds, and the parts of them that a signature covers.
fn requests() -> Vec<Vec<u8>> {
    let folder = Scratch::new("fuzz-csr");
    let mut seeds = Vec::new();
    for (subject, names) in [
        ("CN=host.example", &["dns:host.example"][..]),
        ("CN=Zoë\\, Inc.,OU=a+L=b,DC=example,C=DE", &[]),
        (
            "",
            &[
                "dns:*.a.example",
                "ip:192.0.2.1",
                "ip:2001:db8::1",
                "email:a@example",
                "uri:https://a.example/b?c",
            ],
        ),
    ] {
        let subject = name::parse(subject).expect("a name");
        let names: Vec<_> = names.iter().map(|n| n.parse().expect("a name")).collect();
        let request = csr::create(&targets::SIGNER, &subject, &names);
        seeds.push(request.expect("our own request can be made"));
    }
    for (kind, name) in [
        (KeyKind::P256, "p256"),
        (KeyKind::P384, "p384"),
        (KeyKind::P521, "p521"),
        (KeyKind::Ed25519, "ed25519"),
        (KeyKind::Rsa2048, "rsa"),
    ] {
        let names = ["DNS:host.example", "IP:192.0.2.1"];
        let made = openssl_csr(folder.path(), name, kind, "/C=DE/O=Example/CN=host", &names);
        seeds.push(made.der);
    }
    seeds.extend(REQUEST_SECTIONS.map(|sections| openssl_request(folder.path(), sections)));
    let parts: Vec<_> = seeds
        .iter()
        .map(|seed| tlv::signed_part(seed).expect("it is signed").to_vec())
        .collect();
    let first = seeds[0].clone();
    seeds.extend(parts);
    seeds.push(pem("CERTIFICATE REQUEST", &first).into_bytes());
    seeds.push(pem("NEW CERTIFICATE REQUEST", &first).into_bytes());
    seeds.push(STANDARD.encode(&first).into_bytes());
    seeds
}

/// CRMF by openssl and with what openssl never writes, and the parts that a signature covers.
fn messages() -> Vec<Vec<u8>> {
    let folder = Scratch::new("fuzz-crmf");
    let ec = openssl_csr(folder.path(), "p256", KeyKind::P256, "/CN=a", &[]).key;
    let ours = folder.file("ours.pem");
    let pkcs8 = from_hex(targets::KEY).expect("it is hex");
    fs::write(&ours, pem("PRIVATE KEY", &pkcs8)).expect("the folder can be written");
    let mut seeds = Vec::new();
    for options in [
        &["-sans", "a.example 192.0.2.1", "-days", "9"][..],
        &["-popo", "0", "-issuer", "/CN=CA"],
        &["-popo", "2", "-policy_oids", "1.2.3.4"],
        &["-popo", "-1"],
    ] {
        let made = openssl_crmf(folder.path(), &ec, "/C=DE/CN=host", options);
        let mut two = tlv::expect(0x30, &made).expect("DER").0.to_vec();
        two.extend_from_slice(&two.clone());
        seeds.push(made);
        seeds.push(der(0x30, &two));
    }
    let made = openssl_crmf(folder.path(), &ours, "/CN=host", &["-popo", "0"]);
    let message = tlv::signed_part(&made).expect("a message");
    let request = tlv::signed_part(message).expect("a request");
    seeds.push(targets::sign_crmf(request));
    let (request, _) = tlv::expect(0x30, request).expect("DER");
    for (oid, value) in [
        ("2b0601050507050101", der(0x0c, b"token")),
        ("2b0601050507050102", der(0x0c, "Z\u{f6}e".as_bytes())),
        ("2b0601050507050104", der(0x82, &[0xff])),
        ("2b0601050507050105", der(0x30, &[])),
    ] {
        let oid = der(0x06, &from_hex(oid).expect("it is hex"));
        let control = der(0x30, &[oid, value].concat());
        let controls = der(0x30, &control);
        seeds.push(der(0x30, &[request, &controls].concat()));
    }
    let parts: Vec<_> = seeds
        .iter()
        .filter_map(|seed| tlv::signed_part(seed))
        .collect();
    let parts: Vec<_> = parts
        .iter()
        .filter_map(|part| tlv::signed_part(part))
        .collect();
    let parts: Vec<_> = parts.iter().map(|part| part.to_vec()).collect();
    seeds.extend(parts);
    seeds.push(STANDARD.encode(&seeds[0]).into_bytes());
    seeds
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::push(&mut out, tag, content);
    out
}

/// Sections of openssl's configuration: attributes and extensions that only openssl makes.
const REQUEST_SECTIONS: [&str; 4] = [
    "[name]\nCN = Zo\u{eb}\n[attributes]\nchallengePassword = secret1\nunstructuredName = x\n\
     [extensions]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth, 1.2.3.4\n\
     basicConstraints = CA:TRUE, pathlen:3\n",
    "[name]\nemailAddress = a@b.example\nC = DE\n[attributes]\n[extensions]\n\
     subjectAltName = DNS:a.example, DNS:A.example, email:a@example, URI:urn:x:y, IP:2001:db8::1\n\
     1.2.3.4 = critical, DER:0500\n",
    "[name]\n0.OU = one\n1.OU = two\nCN = host\n[attributes]\n[extensions]\n\
     subjectAltName = RID:1.2.3, otherName:1.2.3;UTF8:x, dirName:name\n",
    "[name]\nCN = tls feature\n[attributes]\n[extensions]\ntlsfeature = status_request\n\
     subjectKeyIdentifier = hash\n",
];

/// A request by openssl for the key that the targets sign with.
fn openssl_request(folder: &Path, sections: &str) -> Vec<u8> {
    let (key, config) = (folder.join("key.pem"), folder.join("request.cnf"));
    let pkcs8 = from_hex(targets::KEY).expect("it is hex");
    fs::write(&key, pem("PRIVATE KEY", &pkcs8)).expect("the folder can be written");
    let head = "[req]\ndistinguished_name = name\nattributes = attributes\n\
                req_extensions = extensions\nprompt = no\nutf8 = yes\n";
    fs::write(&config, format!("{head}{sections}")).expect("the folder can be written");
    let [key, config] = [key, config].map(|path| path.display().to_string());
    let arguments = [
        "req", "-new", "-key", &key, "-config", &config, "-outform", "DER",
    ];
    openssl_with_input(&arguments, b"")
}

/// OCSP requests of all kinds, as DER and as paths.
fn questions() -> Vec<Vec<u8>> {
    let folder = Scratch::new("fuzz-ocsp");
    let [key, certificate, request] =
        ["key.pem", "ca.pem", "request.der"].map(|name| folder.file(name).display().to_string());
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-subj",
        "/CN=CA",
        "-days",
        "2",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]);
    let many: Vec<String> = (1..=64).map(|number| format!("0x{number:040x}")).collect();
    let many: Vec<&str> = many.iter().flat_map(|n| ["-serial", n.as_str()]).collect();
    let signed = ["-serial", "7", "-signer", &certificate, "-signkey", &key];
    let variants: [&[&str]; 6] = [
        &["-no_nonce", "-serial", "0x1234"],
        &["-nonce", "-serial", "0x1234"],
        &[
            "-sha256", "-nonce", "-serial", "0x1234", "-sha512", "-serial", "1",
        ],
        &[
            "-no_nonce",
            "-sha384",
            "-serial",
            "0xffffffffffffffffffffffffffffffffffffffff",
        ],
        &signed,
        &many,
    ];
    let mut seeds = Vec::new();
    for variant in variants {
        let arguments = [
            &["ocsp", "-reqout", &request, "-issuer", &certificate],
            variant,
        ];
        openssl(&arguments.concat());
        seeds.push(fs::read(&request).expect("openssl wrote the request"));
    }
    let paths: Vec<_> = seeds
        .iter()
        .map(|seed| STANDARD.encode(seed).replace('+', "%2B").into_bytes())
        .collect();
    seeds.extend(paths);
    seeds
}
