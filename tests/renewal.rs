//! The services keep their own certificates renewed.

use std::path::Path;
use std::time::Duration;

use ca::authority::SystemRequest;
use ca::issuer::Places;
use client::Endpoint;
use common::clock::{Clock, Timestamp};
use common::config::Settings;
use common::crypto::{KeyEncryptionKey, KeySource};
use common::keystore::KeyStore;
use common::process::anchors;
use common::x509::{Certificate, csr};
use ocsp::signer::Signer;
use tests::foreign::{certificate_is_accepted, openssl_with_input};
use tests::world::{World, eventually};

#[test]
fn the_responder_renews_its_certificate_at_two_thirds_of_its_life() {
    let world = World::up();
    let folder = world.data().join("ocsp");
    let kek = || kek(&world, "ocsp");
    let identity = KeyStore {
        folder: &folder,
        kek: &kek(),
    }
    .identity("subsystem");
    let anchors = anchors(&folder).expect("up wrote it");
    let ca = Endpoint::new(
        &world.https(),
        &anchors,
        Some(&identity.expect("up made it")),
    );
    let clock = Clock::fixed(Clock::System.now());
    let subject = "CN=Chancery OCSP responder".to_owned();
    let signer = Signer::open(
        "host".into(),
        folder.clone(),
        kek(),
        ca.expect("the identity is good"),
        subject,
        clock.clone(),
    );
    let first = signer.current().expect("up got one").certificate.clone();

    let life = first.not_after().seconds() - first.not_before().seconds();
    let two_thirds = first.not_before().plus_seconds(life / 3 * 2);
    let now_is = |at: Timestamp| {
        clock.set(at);
        signer.renew_when_due().expect("the CA is there");
        signer.current().expect("there is one").certificate.clone()
    };
    assert_eq!(now_is(two_thirds.plus_seconds(-1)).serial(), first.serial());
    let second = now_is(two_thirds.plus_seconds(1));
    assert_ne!(second.serial(), first.serial());
    assert_ne!(
        second.public_key(),
        first.public_key(),
        "a new certificate has a new key"
    );

    let saved = KeyStore {
        folder: &folder,
        kek: &kek(),
    }
    .identity("signing")
    .expect("key and certificate fit");
    assert_eq!(saved.chain[0].serial(), second.serial());
}

/// The key-encryption key of a service's folder, its own or the common one.
fn kek(world: &World, service: &str) -> KeyEncryptionKey {
    let own = world.data().join(service).join("secret.key");
    let source = match own.exists() {
        true => own,
        false => world.data().join("secret.key"),
    };
    KeyEncryptionKey::load(&KeySource::File(source)).expect("the first start made it")
}

/// Puts certificates of the same keys and names in place whose life is two thirds over.
fn age(world: &World, of: &[(&str, &str, &'static str)]) -> Vec<Certificate> {
    let past = Clock::System.now().plus_days(-500);
    let authority = ca::create::open(
        &world.data().join("ca"),
        &kek(world, "ca"),
        &ca::Config::new(&Settings::default()).expect("defaults are sound"),
        Places::new("http://127.0.0.1", "http://127.0.0.1"),
        Clock::fixed(past),
    );
    let authority = authority.expect("the CA's folder is in order");
    let age_one = |(service, name, profile): &(&str, &str, &'static str)| {
        let (folder, kek) = (world.data().join(service), kek(world, service));
        let store = KeyStore {
            folder: &folder,
            kek: &kek,
        };
        let (key, _) = store.key(name).expect("a key");
        let young = store.chain(name).expect("a chain").swap_remove(0);
        let names = young.alternative_names();
        let names: Vec<_> = names.iter().map(|n| n.parse().expect("a name")).collect();
        let csr = csr::create(&key, young.subject(), &names).expect("a request");
        let old = authority.issue_for_system(SystemRequest { profile, csr });
        let old = old.expect("it is issued");
        store.save_chain(name, &[&old]).expect("it can be written");
        old
    };
    of.iter().map(age_one).collect()
}

/// The certificate that a listener shows.
fn shown(url: &str) -> Option<Certificate> {
    let address = url.trim_start_matches("https://");
    let said = openssl_with_input(&["s_client", "-connect", address], b"");
    Certificate::from_pem(&String::from_utf8_lossy(&said)).ok()
}

fn saved(folder: &Path, name: &str) -> Certificate {
    let kek = KeyEncryptionKey::generate();
    let store = KeyStore { folder, kek: &kek };
    store.chain(name).expect("a chain").swap_remove(0)
}

#[test]
fn old_certificates_of_all_services_are_renewed_and_used_without_a_restart() {
    let mut world = World::up();
    world.stop();
    let old = age(
        &world,
        &[
            ("ca", "tls", "caAgentServerCert"),
            ("ca", "subsystem", "caSubsystemCert"),
            ("kra", "subsystem", "caSubsystemCert"),
            ("kra", "transport", "caTransportCert"),
            ("ocsp", "subsystem", "caSubsystemCert"),
        ],
    );
    world.start();
    they_are_renewed(&world, &old, &[&world.https()]);
}

#[test]
fn services_apart_renew_their_certificates_over_the_network() {
    let mut world = World::separate();
    world.stop();
    let old = age(
        &world,
        &[
            ("ca", "tls", "caAgentServerCert"),
            ("ca", "subsystem", "caSubsystemCert"),
            ("kra", "tls", "caAgentServerCert"),
            ("kra", "subsystem", "caSubsystemCert"),
            ("kra", "transport", "caTransportCert"),
            ("ocsp", "tls", "caAgentServerCert"),
            ("ocsp", "subsystem", "caSubsystemCert"),
        ],
    );
    world.start();
    they_are_renewed(&world, &old, &[&world.https(), &world.kra(), &world.ocsp()]);
}

fn they_are_renewed(world: &World, old: &[Certificate], listeners: &[&str]) {
    let is_old = |certificate: &Certificate| old.iter().any(|o| o.der() == certificate.der());
    let soon = Duration::from_secs(20);
    for url in listeners {
        let renewed = || shown(url).is_some_and(|certificate| !is_old(&certificate));
        assert!(eventually(soon, renewed), "{url} still shows the old one");
        let file = world.dir().join("shown.pem");
        std::fs::write(&file, shown(url).expect("one").pem()).expect("writable");
        certificate_is_accepted(&world.ca_pem(), &[], &file);
        world.get(&format!("{url}/health")).send().with_status(200);
    }
    for (service, name) in [
        ("ca", "subsystem"),
        ("kra", "subsystem"),
        ("kra", "transport"),
        ("ocsp", "subsystem"),
    ] {
        let folder = world.data().join(service);
        let renewed = || !is_old(&saved(&folder, name));
        assert!(eventually(soon, renewed), "{name} of {service}");
    }
    let transport = format!("{}/pki/config/kra/cert/transport", world.kra());
    let handed_out = || {
        let answer = world
            .get(&transport)
            .header("Accept", "application/x-pem-file");
        let pem = String::from_utf8_lossy(&answer.send().body).into_owned();
        Certificate::from_pem(&pem).expect("a certificate")
    };
    assert!(eventually(soon, || !is_old(&handed_out())));
    // The responder goes on with its new certificate.
    let csr = tests::foreign::openssl_csr(
        world.dir(),
        "host",
        tests::foreign::KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example"],
    );
    let leaf = world.save_certificate(&world.issue(&csr.der));
    let ca = world.ca_pem();
    let url = world.ocsp_url();
    let said = tests::foreign::openssl_ocsp(&ca, &ca, &leaf, &url, "sha256", true);
    assert_eq!(said, tests::foreign::Said::Good);
}
