//! One story, told in one process and in three.

use std::fs;
use std::time::Duration;

use serde_json::json;

use tests::foreign::{
    KeyKind, Said, certificate_extension, certificate_is_accepted, certificate_is_revoked_by_crl,
    certificate_passes_crl, crl_is_accepted, gnutls_ocsp, nss_ocsp, openssl, openssl_csr,
    openssl_ocsp, path, pkilint_certificate, pkilint_crl,
};
use tests::world::{Answer, World, eventually, text};

#[test]
fn one_process_does_the_whole_job() {
    let world = World::up();
    the_whole_job(&world);

    let info = world.get("/pki/info").send().with_status(200).json();
    assert_eq!(info["roles"], json!(["ca", "kra", "ocsp"]));
}

#[test]
fn three_processes_do_the_whole_job() {
    let world = World::separate();
    the_whole_job(&world);

    for (base, role) in [
        (world.https(), "ca"),
        (world.kra(), "kra"),
        (world.ocsp(), "ocsp"),
    ] {
        let info = world
            .get(&format!("{base}/pki/info"))
            .send()
            .with_status(200);
        assert_eq!(info.json()["roles"], json!([role]));
        for path in ["/health", "/ready"] {
            world.get(&format!("{base}{path}")).send().with_status(200);
        }
    }
    // A service does its own work only.
    let elsewhere = world.get(&format!("{}/pki/certificates", world.kra()));
    elsewhere.as_user("agent1").send().problem(404);
    let elsewhere = world.get(&format!("{}/pki/crl", world.ocsp()));
    elsewhere.send().problem(404);
}

fn the_whole_job(world: &World) {
    let ca = world.ca_pem();
    let url = world.ocsp_url();
    world.get("/ready").send().with_status(200);

    // Somebody asks; an agent looks at it and approves.
    let csr = openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/O=Example/CN=host.example",
        &["DNS:host.example"],
    );
    let (id, etag) = world.submit("caServerCert", csr.pem.as_bytes(), None);
    let waiting = world.get("/pki/requests?status=pending").as_user("agent1");
    assert_eq!(waiting.send().with_status(200).ids(), [id.as_str()]);
    let review = world.get(&format!("/pki/request/{id}")).as_user("agent1");
    let review = review.send().with_status(200);
    assert_eq!(review.header("etag"), Some(etag));
    assert_eq!(
        review.json()["draft"]["subject"],
        "CN=host.example,O=Example"
    );
    let serial = world.approve(&id, "agent1");

    // Everybody accepts what came out.
    let leaf = world.save_certificate(&serial);
    certificate_is_accepted(&ca, &[], &leaf);
    pkilint_certificate(&leaf);
    let asked = || openssl_ocsp(&ca, &ca, &leaf, &url, "sha256", true);
    assert_eq!(asked(), Said::Good);
    assert_eq!(gnutls_ocsp(&ca, &ca, &leaf, &url), Said::Good);
    assert_eq!(nss_ocsp(&ca, &leaf, &url), Said::Good);
    certificate_passes_crl(&ca, &world.save_crl(), &leaf);
    // The certificate itself says where to ask.
    let access = certificate_extension(&leaf, "authorityInfoAccess");
    assert!(access.contains(&format!("OCSP - URI:{url}")), "{access}");
    let points = certificate_extension(&leaf, "crlDistributionPoints");
    let point = format!("{}/crl/host.crl", world.http());
    assert!(points.ends_with(&format!("URI:{point}")), "{points}");

    // Revoked, everybody knows within a second.
    let change = r#"{"status":"revoked","reason":"key_compromise"}"#;
    world.change_status(&serial, change).with_status(200);
    let seen = eventually(Duration::from_secs(1), || asked() == Said::Revoked);
    assert!(seen, "OCSP says so within a second");
    let listed = eventually(Duration::from_millis(1_200), || {
        let crl = world.get("/pki/crl").send().with_status(200).json();
        crl["entries_count"] == 1
    });
    assert!(listed, "the CRL says so within a second");
    assert_eq!(gnutls_ocsp(&ca, &ca, &leaf, &url), Said::Revoked);
    assert_eq!(nss_ocsp(&ca, &leaf, &url), Said::Revoked);
    let crl = world.save_crl();
    crl_is_accepted(&ca, &crl);
    pkilint_crl(&crl);
    certificate_is_revoked_by_crl(&ca, &crl, &leaf);

    the_kra_is_known(world);
    the_journal_is_for_services(world);
}

/// Both the KRA and the CA hand out the transport certificate.
fn the_kra_is_known(world: &World) {
    let fetch = |base: &str, media_type: &str| -> Answer {
        let url = format!("{base}/pki/config/kra/cert/transport");
        let answer = world.get(&url).header("Accept", media_type).send();
        answer.with_status(200)
    };
    let pem = fetch(&world.kra(), "application/x-pem-file");
    assert_eq!(
        fetch(&world.https(), "application/x-pem-file").body,
        pem.body
    );
    let json = fetch(&world.kra(), "application/json").json();
    assert_eq!(fetch(&world.https(), "application/json").json(), json);
    assert_eq!(text(&json["certificate"]).as_bytes(), pem.body);
    assert!(!json["algorithms"].is_null());

    let file = world.dir().join("transport.pem");
    fs::write(&file, &pem.body).expect("the scratch folder is writable");
    certificate_is_accepted(&world.ca_pem(), &[], &file);
    pkilint_certificate(&file);
    let printed = openssl(&["x509", "-noout", "-text", "-in", path(&file)]);
    assert!(printed.contains("Public-Key: (3072 bit)"), "{printed}");
    assert_eq!(
        certificate_extension(&file, "keyUsage"),
        "critical Key Encipherment, Data Encipherment"
    );
    let serial = openssl(&["x509", "-noout", "-serial", "-in", path(&file)]);
    let serial = serial.trim().trim_start_matches("serial=").to_lowercase();
    let shown = world.get(&format!("/pki/certificate/{serial}")).send();
    assert_eq!(shown.with_status(200).json()["profile"], "caTransportCert");
}

fn the_journal_is_for_services(world: &World) {
    let path = "/pki/status-journal";
    world.get(path).send().problem(401);
    for user in ["agent1", "admin", "auditor", "token"] {
        world.get(path).as_user(user).send().problem(403);
    }
}
