//! The responder keeps its own certificate renewed.

use client::Endpoint;
use common::clock::{Clock, Timestamp};
use common::crypto::{KeyEncryptionKey, KeySource};
use common::keystore::KeyStore;
use common::process::anchors;
use ocsp::signer::Signer;
use tests::world::World;

#[test]
fn the_responder_renews_its_certificate_at_two_thirds_of_its_life() {
    let world = World::up();
    let folder = world.data().join("ocsp");
    let kek = || {
        let source = KeySource::File(world.data().join("secret.key"));
        KeyEncryptionKey::load(&source).expect("up made it")
    };
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
