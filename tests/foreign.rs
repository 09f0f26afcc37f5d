//! What other people's PKI software says about what Chancery makes.
//!
//! Every function runs a foreign tool and panics with its command line and its
//! whole output when the tool disagrees. `tests/install-tools` installs them all.

use std::env;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::clock::Timestamp;
use common::x509::tlv;

/// A path as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("the paths of tests are plain text")
}

/// Runs `openssl` and returns what it printed.
#[track_caller]
pub fn openssl(args: &[&str]) -> String {
    Run::of(Command::new("openssl").args(args))
        .succeeds()
        .stdout()
}

/// Runs `openssl` on `stdin` and returns the bytes that it wrote.
#[track_caller]
pub fn openssl_with_input(args: &[&str], stdin: &[u8]) -> Vec<u8> {
    Run::with_input(Command::new("openssl").args(args), stdin)
        .succeeds()
        .stdout
}

/// Runs any foreign tool and returns what it printed.
#[track_caller]
pub fn tool(program: &str, args: &[&str]) -> String {
    Run::of(Command::new(program).args(args))
        .succeeds()
        .stdout()
}

/// The kinds of key that a request can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
}

/// A certification request that openssl made, and the key that it is for.
#[derive(Clone, Debug)]
pub struct OpensslCsr {
    /// The private key, as unencrypted PKCS #8 in PEM.
    pub key: PathBuf,
    /// The request, in PEM.
    pub csr: PathBuf,
    /// What the file `csr` holds.
    pub pem: String,
    /// The request in DER.
    pub der: Vec<u8>,
}

/// Makes `NAME.key` and `NAME.csr` in `dir`.
///
/// The subject and the alternative names are in openssl's form: `/O=Example/CN=host`
/// and `DNS:host.example`. Without alternative names the request has no extension.
#[track_caller]
pub fn openssl_csr(
    dir: &Path,
    name: &str,
    kind: KeyKind,
    subject: &str,
    sans: &[&str],
) -> OpensslCsr {
    let key = dir.join(format!("{name}.key"));
    let csr = dir.join(format!("{name}.csr"));
    let algorithm: &[&str] = match kind {
        KeyKind::Rsa2048 => &["rsa:2048"],
        KeyKind::Rsa3072 => &["rsa:3072"],
        KeyKind::P256 => &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        KeyKind::P384 => &["ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"],
        KeyKind::P521 => &["ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-sha512"],
        KeyKind::Ed25519 => &["ed25519"],
    };
    let mut command = Command::new("openssl");
    command
        .args([
            "req", "-new", "-nodes", "-utf8", "-subj", subject, "-newkey",
        ])
        .args(algorithm);
    if !sans.is_empty() {
        command.args(["-addext", &format!("subjectAltName={}", sans.join(","))]);
    }
    Run::of(command.arg("-keyout").arg(&key).arg("-out").arg(&csr)).succeeds();
    let pem = fs::read_to_string(&csr).expect("openssl wrote the request");
    let der = openssl_with_input(&["req", "-outform", "DER"], pem.as_bytes());
    OpensslCsr { key, csr, pem, der }
}

/// CRMF messages that openssl made for a private key, cut out of a CMP message.
///
/// The subject is in openssl's form; `options` are further ones of `openssl cmp`.
#[track_caller]
pub fn openssl_crmf(dir: &Path, key: &Path, subject: &str, options: &[&str]) -> Vec<u8> {
    let [certificate, request] = ["cmp.pem", "cmp.der"].map(|name| dir.join(name));
    let _ = fs::remove_file(&request);
    let (key, certificate) = (path(key), path(&certificate));
    // What openssl's own mock server answers; without an answer, nothing is saved.
    openssl(&[
        "req",
        "-x509",
        "-key",
        key,
        "-subj",
        "/CN=mock",
        "-out",
        certificate,
    ]);
    let secret = ["-ref", "x", "-secret", "pass:x", "-srv_ref", "x"];
    let saved = ["-certout", path(&dir.join("cmp.out")), "-reqout"].map(str::to_owned);
    let mut command = Command::new("openssl");
    command
        .args([
            "cmp",
            "-config",
            "",
            "-batch",
            "-cmd",
            "cr",
            "-use_mock_srv",
        ])
        .args(["-recipient", "/CN=CA", "-srv_secret", "pass:x"])
        .args(secret)
        .args(["-newkey", key, "-subject", subject])
        .args(["-rsp_cert", certificate])
        .args(saved)
        .arg(&request)
        .args(options);
    // The mock server refuses some of what is asked; that matters to nobody here.
    Run::of(&mut command);
    let saved = fs::read(&request).expect("openssl wrote the CMP messages");
    let body = |message| {
        let (message, _) = tlv::expect(0x30, message)?;
        let (_header, rest) = tlv::split(message)?;
        let (body, _) = tlv::expect(0xa2, rest)?;
        Some(body.to_vec())
    };
    body(&saved).expect("a PKIMessage with a cr body")
}

/// The certificate's subject as RFC 4514 text, by OpenSSL.
#[track_caller]
pub fn certificate_subject(pem: &Path) -> String {
    let printed = read_certificate(pem, &["-subject", "-nameopt", "RFC2253"]);
    let subject = printed.trim_end().strip_prefix("subject=");
    subject.expect("openssl printed the subject").to_owned()
}

/// The certificate's public key in PEM, by OpenSSL.
#[track_caller]
pub fn certificate_public_key(pem: &Path) -> String {
    read_certificate(pem, &["-pubkey"])
}

/// The first and the last second of the certificate's validity, by OpenSSL.
#[track_caller]
pub fn certificate_validity(pem: &Path) -> (Timestamp, Timestamp) {
    let printed = read_certificate(pem, &["-dates", "-dateopt", "iso_8601"]);
    let time = |name: &str| {
        let value = printed.lines().find_map(|line| line.strip_prefix(name));
        let value = value.map(|value| value.replace(' ', "T").parse());
        value
            .expect("openssl printed both")
            .expect("ISO 8601 is RFC 3339 but for the space")
    };
    (time("notBefore="), time("notAfter="))
}

/// An extension of the certificate in OpenSSL's words on one line, `critical` in front; empty when
/// it is absent. The name is openssl's: `subjectAltName`.
#[track_caller]
pub fn certificate_extension(pem: &Path, name: &str) -> String {
    let printed = read_certificate(pem, &["-ext", name]);
    let mut lines = printed.lines();
    let critical = lines.next().and_then(|line| line.split_once(": "));
    let critical = critical.map_or("", |(_, critical)| critical);
    let values: Vec<_> = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    format!("{critical} {}", values.join(", "))
        .trim()
        .to_owned()
}

/// OpenSSL (strictly), GnuTLS and Java accept the certificate.
///
/// The `chain` holds the intermediates, the leaf's issuer first.
#[track_caller]
pub fn certificate_is_accepted(ca_pem: &Path, chain: &[&Path], leaf_pem: &Path) {
    let mut openssl = openssl_verify(ca_pem);
    for intermediate in chain {
        openssl.arg("-untrusted").arg(intermediate);
    }
    Run::of(openssl.arg(leaf_pem)).succeeds();

    let mut certificates = Vec::new();
    for certificate in [&[leaf_pem], chain].concat() {
        certificates.extend(fs::read(certificate).expect("the certificate can be read"));
        certificates.push(b'\n');
    }
    let mut certtool = Command::new("certtool");
    certtool
        .args([
            "--verify",
            "--verify-profile",
            "medium",
            "--load-ca-certificate",
        ])
        .arg(ca_pem);
    Run::with_input(&mut certtool, &certificates).succeeds();

    Run::of(java_validation(ca_pem, leaf_pem).args(chain)).succeeds();
}

/// OpenSSL takes the certificate for revoked because of this CRL.
#[track_caller]
pub fn certificate_is_revoked_by_crl(ca_pem: &Path, crl: &Path, leaf_pem: &Path) {
    let run = Run::of(
        openssl_verify(ca_pem)
            .args(["-crl_check", "-CRLfile"])
            .arg(crl)
            .arg(leaf_pem),
    );
    if run.succeeded() || !run.stderr().contains("certificate revoked") {
        run.disagrees("the certificate should be revoked");
    }
}

/// OpenSSL accepts the certificate and does not find it in this CRL.
#[track_caller]
pub fn certificate_passes_crl(ca_pem: &Path, crl: &Path, leaf_pem: &Path) {
    Run::of(
        openssl_verify(ca_pem)
            .args(["-crl_check", "-CRLfile"])
            .arg(crl)
            .arg(leaf_pem),
    )
    .succeeds();
}

/// What a tool made of a certificate with CRLs at hand.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The certificate is good.
    Good,
    /// A CRL lists it.
    Revoked,
    /// No CRL says anything about it now: none for it, or an expired one.
    Undecided,
}

/// OpenSSL's verdict by these CRLs, at another time than now if one is given.
#[track_caller]
pub fn openssl_verdict(
    ca_pem: &Path,
    chain: &[&Path],
    crls: &[&Path],
    leaf_pem: &Path,
    at: Option<Timestamp>,
) -> Verdict {
    let mut command = openssl_verify(ca_pem);
    command.args(["-crl_check", "-extended_crl", "-use_deltas"]);
    for crl in crls {
        command.arg("-CRLfile").arg(crl);
    }
    for intermediate in chain {
        command.arg("-untrusted").arg(intermediate);
    }
    if let Some(at) = at {
        command.args(["-attime", &at.seconds().to_string()]);
    }
    let run = Run::of(command.arg(leaf_pem));
    let said = run.stderr();
    let undecided = [
        "CRL has expired",
        "unable to get certificate CRL",
        "Different CRL scope",
        "different CRL scope",
    ];
    match run.succeeded() {
        true => Verdict::Good,
        // It reads an expired one all the same, and complains of both.
        false if undecided.iter().any(|words| said.contains(words)) => Verdict::Undecided,
        false if said.contains("certificate revoked") => Verdict::Revoked,
        false => run.disagrees("OpenSSL should have a verdict"),
    }
}

/// Java's verdict by these CRLs, at another time than now if one is given.
#[track_caller]
pub fn java_verdict(
    ca_pem: &Path,
    chain: &[&Path],
    crls: &[&Path],
    leaf_pem: &Path,
    at: Option<Timestamp>,
) -> Verdict {
    let mut command = java_validation(ca_pem, leaf_pem);
    command.args(chain);
    command.args(crls.iter().map(|crl| format!("crl={}", path(crl))));
    command.args(at.map(|at| format!("at={at}")));
    let run = Run::of(&mut command);
    let said = run.stderr();
    match run.succeeded() {
        true => Verdict::Good,
        false if said.contains("Certificate has been revoked") => Verdict::Revoked,
        false if said.contains("Could not determine revocation status") => Verdict::Undecided,
        false => run.disagrees("Java should have a verdict"),
    }
}

/// GnuTLS's verdict by one CRL, now. It knows neither scopes nor deltas.
#[track_caller]
pub fn gnutls_verdict(ca_pem: &Path, chain: &[&Path], crl: &Path, leaf_pem: &Path) -> Verdict {
    let crl = fs::read(crl).expect("the CRL can be read");
    let scratch = Scratch::new("gnutls");
    // certtool reads PEM only, and wants CRL and CA in files.
    let list = scratch.file("crl.pem");
    let pem = openssl_with_input(&["crl", "-inform", "DER"], &crl);
    fs::write(&list, pem).expect("the folder can be written");
    let mut certificates = Vec::new();
    for certificate in [&[leaf_pem], chain].concat() {
        certificates.extend(fs::read(certificate).expect("the certificate can be read"));
        certificates.push(b'\n');
    }
    let mut certtool = Command::new("certtool");
    certtool
        .args(["--verify", "--verify-profile", "medium"])
        .arg("--load-ca-certificate")
        .arg(ca_pem)
        .arg("--load-crl")
        .arg(&list);
    let run = Run::with_input(&mut certtool, &certificates);
    let said = run.stdout() + &run.stderr();
    match run.succeeded() {
        true => Verdict::Good,
        false if said.contains("revoked") => Verdict::Revoked,
        false => run.disagrees("GnuTLS should have a verdict"),
    }
}

/// NSS does not know the scope of CRLs (RFC 5280 §5.2.5), which is critical, and so takes none that
/// has one: it asks by OCSP.
#[track_caller]
pub fn nss_takes_no_crl_with_a_scope(ca_pem: &Path, crl: &Path) {
    let scratch = Scratch::new("nss");
    let database = format!("sql:{}", scratch.path().display());
    let certutil = || {
        let mut command = Command::new("certutil");
        command.args(["-d", &database]);
        command
    };
    Run::of(certutil().args(["-N", "--empty-password"])).succeeds();
    let mut trust = certutil();
    trust.args(["-A", "-n", "ca", "-t", "CT,C,C", "-a", "-i"]);
    Run::of(trust.arg(ca_pem)).succeeds();
    let mut import = Command::new("crlutil");
    import.args(["-I", "-d", &database, "-i"]);
    let run = Run::of(import.arg(crl));
    if !run
        .stderr()
        .contains("SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION")
    {
        run.disagrees("NSS should refuse the scope, and nothing else");
    }
}

/// OpenSSL and GnuTLS accept the CRL, in PEM or DER, as one that the CA signed.
#[track_caller]
pub fn crl_is_accepted(ca_pem: &Path, crl: &Path) {
    let run = Run::of(
        Command::new("openssl")
            .args(["crl", "-CAfile"])
            .arg(ca_pem)
            .arg("-in")
            .arg(crl),
    )
    .succeeds();
    if !run.stderr().contains("verify OK") {
        run.disagrees("the signature should be good");
    }
    let mut certtool = Command::new("certtool");
    certtool
        .args(["--verify-crl", "--load-ca-certificate"])
        .arg(ca_pem);
    Run::with_input(&mut certtool, &run.stdout).succeeds();
}

/// What an OCSP client understood.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The certificate is good.
    Good,
    /// The certificate is revoked.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
}

/// Asks the responder with OpenSSL, which has to accept the response.
///
/// The digest, `sha1` or `sha256`, is the one that the request names the issuer by.
/// With `nonce` the response has to repeat the request's.
#[track_caller]
pub fn openssl_ocsp(
    ca_pem: &Path,
    issuer_pem: &Path,
    leaf_pem: &Path,
    url: &str,
    digest: &str,
    nonce: bool,
) -> Said {
    let mut openssl = Command::new("openssl");
    openssl.args(["ocsp", "-timeout", "10", "-url", url]);
    openssl.arg(if nonce { "-nonce" } else { "-no_nonce" });
    openssl
        .args(["-no-CApath", "-no-CAstore", "-CAfile"])
        .arg(ca_pem);
    openssl
        .arg("-verify_other")
        .arg(issuer_pem)
        .arg("-issuer")
        .arg(issuer_pem);
    let run = Run::of(openssl.arg(format!("-{digest}")).arg("-cert").arg(leaf_pem)).succeeds();
    let said = run.stdout() + &run.stderr();
    // "WARNING" stands before stale times and a missing nonce, with exit code 0.
    if !said.contains("Response verify OK") || said.contains("WARNING") {
        run.disagrees("the response should verify without a warning");
    }
    let prefix = format!("{}: ", leaf_pem.display());
    match said.lines().find_map(|line| line.strip_prefix(&prefix)) {
        Some("good") => Said::Good,
        Some("revoked") => Said::Revoked,
        Some("unknown") => Said::Unknown,
        _ => run.disagrees("there should be a status"),
    }
}

/// An OCSP request in DER, made by OpenSSL.
///
/// The certificates are asked about in openssl's words: `-cert FILE` or `-serial NUMBER` each,
/// and `-issuer FILE` before those of another CA.
#[track_caller]
pub fn openssl_ocsp_request(
    issuer_pem: &Path,
    asked: &[&str],
    digest: &str,
    nonce: bool,
) -> Vec<u8> {
    let scratch = Scratch::new("ocsp");
    let file = scratch.file("request.der");
    let mut openssl = Command::new("openssl");
    openssl.args(["ocsp", "-reqout"]).arg(&file);
    openssl.arg(if nonce { "-nonce" } else { "-no_nonce" });
    openssl.arg("-issuer").arg(issuer_pem);
    for words in asked.chunks(2) {
        // The digest counts for the next certificate only.
        if words[0] != "-issuer" {
            openssl.arg(format!("-{digest}"));
        }
        openssl.args(words);
    }
    Run::of(&mut openssl).succeeds();
    fs::read(file).expect("openssl wrote the request")
}

/// An OCSP response in OpenSSL's words, after checking that it was signed for the CA.
///
/// A response that only refuses is `Responder Error: …`.
#[track_caller]
pub fn openssl_ocsp_text(ca_pem: &Path, response_der: &[u8]) -> String {
    let scratch = Scratch::new("ocsp");
    let file = scratch.file("response.der");
    fs::write(&file, response_der).expect("the folder can be written");
    let mut openssl = Command::new("openssl");
    openssl.args(["ocsp", "-text", "-respin"]).arg(&file);
    openssl.arg("-CAfile").arg(ca_pem);
    let run = Run::of(openssl.arg("-verify_other").arg(ca_pem));
    let refused = run.stdout().starts_with("Responder Error: ");
    let verified = run.succeeded() && run.stderr().contains("Response verify OK");
    if !refused && !verified {
        run.disagrees("the response should verify");
    }
    run.stdout()
}

/// Asks the responder with GnuTLS, which has to accept the response.
#[track_caller]
pub fn gnutls_ocsp(ca_pem: &Path, issuer_pem: &Path, leaf_pem: &Path, url: &str) -> Said {
    let mut ocsptool = Command::new("ocsptool");
    ocsptool
        .arg(format!("--ask={url}"))
        .arg("--load-cert")
        .arg(leaf_pem);
    let run = Run::of(
        ocsptool
            .arg("--load-issuer")
            .arg(issuer_pem)
            .arg("--load-trust")
            .arg(ca_pem),
    )
    .succeeds();
    let said = run.stdout() + &run.stderr();
    if !said.contains("Verifying OCSP Response: Success.") {
        run.disagrees("the response should verify");
    }
    match said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Certificate Status: "))
    {
        Some("good") => Said::Good,
        Some("revoked") => Said::Revoked,
        Some("unknown") => Said::Unknown,
        _ => run.disagrees("there should be a status"),
    }
}

/// Asks the responder with NSS, which has to accept the response.
///
/// When the certificate itself names `url` as its responder, NSS makes its whole check,
/// by GET and, unless that gives good or revoked, by POST. From any other URL it fetches
/// the response by POST and judges its signature and signer, but not its times.
#[track_caller]
pub fn nss_ocsp(ca_pem: &Path, leaf_pem: &Path, url: &str) -> Said {
    let scratch = Scratch::new("nss");
    let database = format!("sql:{}", scratch.path().display());
    Run::of(Command::new("certutil").args(["-N", "--empty-password", "-d", &database])).succeeds();
    let mut trust = Command::new("certutil");
    trust.args(["-A", "-n", "ca", "-t", "CT,C,C", "-a", "-d", &database]);
    Run::of(trust.arg("-i").arg(ca_pem)).succeeds();
    let ocspclnt = || {
        let mut command = Command::new("ocspclnt");
        command.args(["-d", &database]);
        command
    };

    // ocspclnt documents an option for PEM but does not take it.
    let leaf = scratch.file("leaf.der");
    let pem = fs::read(leaf_pem).expect("the certificate can be read");
    let der = openssl_with_input(&["x509", "-outform", "DER"], &pem);
    fs::write(&leaf, der).expect("the folder can be written");
    let named = openssl_with_input(&["x509", "-noout", "-ocsp_uri"], &pem);

    // NSS takes a certificate that names no responder for good without asking.
    if String::from_utf8_lossy(&named).lines().next() == Some(url) {
        let run = Run::of(ocspclnt().arg("-S").arg(&leaf)).succeeds();
        return match run.stdout().lines().last().unwrap_or_default() {
            "Peer's Certificate has been revoked." => Said::Revoked,
            "The OCSP server has no status for the certificate." => Said::Unknown,
            line if line.ends_with(" succeeded.") => Said::Good,
            _ => run.disagrees("NSS should accept the response"),
        };
    }

    let fetched = Run::of(ocspclnt().args(["-l", url, "-R"]).arg(&leaf)).succeeds();
    // ocspclnt asks for its input's size, which a pipe does not have.
    let response = scratch.file("response.der");
    fs::write(&response, fetched.stdout).expect("the folder can be written");
    let response = fs::File::open(response).expect("it was just written");
    let run = Run::from(ocspclnt().arg("-P"), response.into(), &[]).succeeds();
    let said = run.stdout();
    if !said.contains("Signature verification succeeded.") {
        run.disagrees("the response's signature and signer should be good");
    }
    match said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Status: "))
    {
        Some("Cert is good.") => Said::Good,
        Some("Cert has been revoked.") => Said::Revoked,
        Some("Cert is unknown to responder.") => Said::Unknown,
        _ => run.disagrees("there should be a status"),
    }
}

/// pkilint finds nothing wrong with the certificate by RFC 5280.
#[track_caller]
pub fn pkilint_certificate(pem: &Path) {
    pkilint("lint_pkix_cert", &[], pem);
}

/// Like [`pkilint_certificate`] for many at once, in one process of pkilint: to start one takes
/// longer than to judge. Gives what it says about those that are not clean.
#[track_caller]
pub fn pkilint_certificates(pems: &[PathBuf]) -> String {
    const PROGRAM: &str = r#"
import contextlib, io, sys
from pkilint.bin.lint_pkix_cert import main
for file in sys.argv[1:]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        findings = main(["lint", "-s", "WARNING", file])
    if findings:
        print(file, said.getvalue())
"#;
    let python = tests_folder().join("../.tools/python/bin/python3");
    let mut command = Command::new(python);
    command.args(["-c", PROGRAM]).args(pems);
    Run::of(&mut command).succeeds().stdout()
}

/// pkilint finds nothing wrong with the CRL, in PEM or DER, by RFC 5280.
#[track_caller]
pub fn pkilint_crl(crl: &Path) {
    pkilint("lint_crl", &["-t", "CRL", "-p", "PKIX"], crl);
}

/// pkilint finds nothing wrong with the OCSP response by RFC 6960.
#[track_caller]
pub fn pkilint_ocsp(response_der: &Path) {
    pkilint("lint_ocsp_response", &[], response_der);
}

/// Java's PKIX validation accepts the certificate.
#[track_caller]
pub fn java_validates(ca_pem: &Path, leaf_pem: &Path) {
    Run::of(&mut java_validation(ca_pem, leaf_pem)).succeeds();
}

/// A PostgreSQL server of the test's own, on a free port of 127.0.0.1.
///
/// It stops, and its folder goes away, when this is dropped and also when the test's
/// process ends in any other way.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    port: u16,
    lifeline: Option<ChildStdin>,
    keeper: Child,
    _folder: Scratch,
}

impl Postgres {
    /// Starts a server; every local user may connect to it as `postgres`.
    #[track_caller]
    pub fn start() -> Postgres {
        // Somebody else can take the free port before the server does.
        for _ in 0..5 {
            if let Some(postgres) = Postgres::on_a_free_port() {
                return postgres;
            }
        }
        panic!("PostgreSQL found its port taken five times");
    }

    /// Where `database` is, for a client's settings.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database.
    #[track_caller]
    pub fn create_database(&self, name: &str) {
        let mut createdb = Command::new(self.programs.join("createdb"));
        createdb.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "--no-password",
        ]);
        Run::of(createdb.arg(name)).succeeds();
    }

    #[track_caller]
    fn on_a_free_port() -> Option<Postgres> {
        let programs = postgres_programs();
        let folder = Scratch::new("postgres");
        let user = server_user(folder.path());
        let server_program = |name: &str| {
            let mut words = user.iter().map(PathBuf::from).chain([programs.join(name)]);
            let mut command = Command::new(words.next().expect("there is at least the program"));
            command.args(words).current_dir(folder.path());
            command
        };

        let data = folder.file("data");
        let mut initdb = server_program("initdb");
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        Run::of(initdb.arg("-D").arg(&data)).succeeds();

        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = port.expect("there is a free port").port();
        let mut server = server_program("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(folder.path());
        server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        for setting in [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ] {
            server.args(["-c", setting]);
        }
        let log = folder.file("log");
        let mut keeper = kept(&server, folder.path(), &log);
        let lifeline = keeper.stdin.take();
        let postgres = Postgres {
            programs,
            port,
            lifeline,
            keeper,
            _folder: folder,
        };

        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // The server writes this word when it takes connections.
            let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if state
                .lines()
                .nth(7)
                .is_some_and(|word| word.trim() == "ready")
            {
                return Some(postgres);
            }
            let said = fs::read_to_string(&log).expect("the keeper made the log");
            if said.contains("could not create any TCP/IP sockets") {
                return None;
            }
            if said.contains("FATAL") || Instant::now() > deadline {
                panic!("PostgreSQL does not start\n$ {server:?}\n{said}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.lifeline.take();
        if let Err(failure) = self.keeper.wait() {
            eprintln!("cannot wait for PostgreSQL's end: {failure}");
        }
    }
}

/// A folder for one test's files, which goes away when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new folder with `label` in its name.
    #[track_caller]
    pub fn new(label: &str) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!("chancery-{label}-{}-{count}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Scratch(path),
                // An earlier process with the same id was killed.
                Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {}
                Err(failure) => panic!("cannot make {}: {failure}", path.display()),
            }
        }
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the file `name` of the folder is or will be.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.0) {
            Err(failure) if failure.kind() != ErrorKind::NotFound => {
                eprintln!("cannot remove {}: {failure}", self.0.display());
            }
            _ => {}
        }
    }
}

/// One run of a tool that has ended.
struct Run {
    line: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Run {
    #[track_caller]
    fn of(command: &mut Command) -> Run {
        Run::from(command, Stdio::null(), &[])
    }

    #[track_caller]
    fn with_input(command: &mut Command, input: &[u8]) -> Run {
        Run::from(command, Stdio::piped(), input)
    }

    #[track_caller]
    fn from(command: &mut Command, stdin: Stdio, input: &[u8]) -> Run {
        let spawned = command
            .env("LC_ALL", "C")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(failure) if failure.kind() == ErrorKind::NotFound => {
                let program = command.get_program().display();
                panic!("{program} is missing: run tests/install-tools")
            }
            Err(failure) => panic!("cannot run {command:?}: {failure}"),
        };
        let pipe = child.stdin.take();
        let output = thread::scope(|scope| {
            // A tool that ends without reading everything says so by its status.
            scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
            child
                .wait_with_output()
                .expect("the tool's output can be read")
        });
        Run {
            line: format!("{command:?}"),
            status: output.status,
            stdout: output.stdout,
            stderr: output.stderr,
        }
    }

    fn succeeded(&self) -> bool {
        self.status.success()
    }

    #[track_caller]
    fn succeeds(self) -> Run {
        if !self.succeeded() {
            self.disagrees("the tool should succeed");
        }
        self
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    fn disagrees(&self, expectation: &str) -> ! {
        let Run { line, status, .. } = self;
        let (stdout, stderr) = (self.stdout(), self.stderr());
        panic!("{expectation}\n$ {line}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
    }
}

#[track_caller]
fn read_certificate(pem: &Path, options: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout"]).args(options);
    Run::of(openssl.arg("-in").arg(pem)).succeeds().stdout()
}

fn openssl_verify(ca_pem: &Path) -> Command {
    let mut command = Command::new("openssl");
    command
        .args([
            "verify",
            "-x509_strict",
            "-no-CApath",
            "-no-CAstore",
            "-CAfile",
        ])
        .arg(ca_pem);
    command
}

fn java_validation(ca_pem: &Path, leaf_pem: &Path) -> Command {
    let mut command = Command::new("java");
    // The first compiler stage alone is the fastest for a program this short.
    command.args(["-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(java_classes()).arg("Validate");
    command.arg(ca_pem).arg(leaf_pem);
    command
}

/// The folder with `Validate.java` compiled, which takes longer than ten validations.
#[track_caller]
fn java_classes() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = env::current_exe().expect("the test knows where it is");
        let folder = program.with_file_name("java");
        let (source, class) = (
            tests_folder().join("Validate.java"),
            folder.join("Validate.class"),
        );
        let changed = |file: &Path| fs::metadata(file).and_then(|found| found.modified());
        let made = changed(&class).ok();
        if made.is_none() || made < changed(&source).ok() {
            fs::create_dir_all(&folder).expect("the folder of the tests can be written");
            let scratch = Scratch::new("java");
            Run::of(
                Command::new("javac")
                    .arg("-d")
                    .arg(scratch.path())
                    .arg(source),
            )
            .succeeds();
            // Another run of the tests may be reading it.
            let copy = folder.join(format!("{}.class", process::id()));
            let renamed = fs::copy(scratch.file("Validate.class"), &copy)
                .and_then(|_| fs::rename(copy, class));
            renamed.expect("the folder of the tests can be written");
        }
        folder
    })
}

#[track_caller]
fn pkilint(linter: &str, options: &[&str], file: &Path) {
    let program = tests_folder().join("../.tools/python/bin").join(linter);
    Run::of(
        Command::new(program)
            .args(["lint", "-s", "WARNING"])
            .args(options)
            .arg(file),
    )
    .succeeds();
}

fn tests_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Debian keeps the server's programs out of the PATH, by version.
#[track_caller]
fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let path = env::var_os("PATH").unwrap_or_default();
    let newest = versions
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max();
    newest
        .or_else(|| env::split_paths(&path).find(|bin| bin.join("initdb").exists()))
        .expect("PostgreSQL's initdb is missing: run tests/install-tools")
}

/// The words before the server's command that make it run as the owner of its folder.
///
/// PostgreSQL refuses to run as root, so that root gives the folder to `postgres`.
#[track_caller]
fn server_user(folder: &Path) -> &'static [&'static str] {
    if fs::metadata("/proc/self")
        .expect("/proc tells who runs this")
        .uid()
        != 0
    {
        return &[];
    }
    let id = |option| {
        let id = Run::of(Command::new("id").args([option, "postgres"]))
            .succeeds()
            .stdout();
        id.trim().parse::<u32>().expect("id prints a number")
    };
    chown(folder, Some(id("-u")), Some(id("-g"))).expect("root can give the folder away");
    &[
        "setpriv",
        "--reuid=postgres",
        "--regid=postgres",
        "--init-groups",
    ]
}

/// Runs the server below a shell that ends it and removes the folder when its input closes.
///
/// The input closes at the latest when this process ends, however that happens.
#[track_caller]
fn kept(server: &Command, folder: &Path, log: &Path) -> Child {
    const SCRIPT: &str = r#""$@" </dev/null & read -r _; kill -QUIT $!; wait $!; rm -rf "$0""#;
    let log = fs::File::create(log).expect("the log can be written");
    let mut keeper = Command::new("sh");
    keeper
        .args(["-c", SCRIPT])
        .arg(folder)
        .arg(server.get_program())
        .args(server.get_args());
    keeper
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log);
    // The terminal's Ctrl-C is not for the shell.
    keeper
        .current_dir(folder)
        .process_group(0)
        .spawn()
        .expect("there is a shell")
}
