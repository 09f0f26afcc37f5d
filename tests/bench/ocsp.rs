//! OCSP answers a second.

use std::fs;

use base64::Engine;
use tests::foreign::{KeyKind, openssl, openssl_csr};
use tests::world::World;

use crate::Pace;
use crate::load::{Figure, post_script, wrk};

/// Ready answers by POST and GET, and answers signed for a nonce.
pub(crate) fn measure(pace: Pace) -> Vec<(String, Figure)> {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example"],
    );
    let serial = world.issue(&csr.der);
    let certificate = world.save_certificate(&serial);
    let request = |name: &str, nonce: &str| {
        let path = world.dir().join(name).display().to_string();
        let ca = world.ca_pem().display().to_string();
        openssl(&[
            "ocsp",
            nonce,
            "-issuer",
            &ca,
            "-cert",
            &certificate.display().to_string(),
            "-reqout",
            &path,
        ]);
        path
    };
    let (plain, nonce) = (
        request("plain.der", "-no_nonce"),
        request("nonce.der", "-nonce"),
    );
    let script = |name: &str, body: &str| {
        let path = world.dir().join(name);
        fs::write(&path, post_script(body, "application/ocsp-request"))
            .expect("the scratch folder is writable");
        path.display().to_string()
    };
    let der = fs::read(&plain).expect("openssl wrote it");
    let path = base64::engine::general_purpose::STANDARD.encode(der);
    let path = path
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let process = world.process().id();
    let url = world.ocsp_url();
    let post = wrk(
        process,
        &url,
        pace.seconds,
        Some(&script("plain.lua", &plain)),
    );
    let get = wrk(process, &format!("{url}/{path}"), pace.seconds, None);
    let live = wrk(
        process,
        &url,
        pace.seconds,
        Some(&script("nonce.lua", &nonce)),
    );
    vec![
        ("ready answer by POST".into(), post),
        ("ready answer by GET".into(), get),
        ("answer with a nonce, signed live".into(), live),
    ]
}
