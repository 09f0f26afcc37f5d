//! Certificates a second through the agent profile.

use client::Endpoint;
use tests::foreign::{KeyKind, openssl_csr};
use tests::world::World;

use crate::Pace;
use crate::load::{Figure, threads};

/// `clients` connections, each asking for one certificate after the other.
pub(crate) fn measure(pace: Pace, key: &str, clients: usize) -> Figure {
    let world = World::up_with(&["--ca-key", key]);
    let csr = openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example"],
    );
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("up wrote it");
    let (anchor, credential) = (read(&world.ca_pem()), read(&world.credential("agent1")));
    threads(
        world.process().id(),
        clients,
        pace.seconds,
        || {
            Endpoint::from_pem(&world.https(), &anchor, Some(&credential))
                .expect("the credential is good")
        },
        |endpoint| {
            let answer = endpoint.post_bytes(
                "/pki/request/caAgentServerCert",
                "application/pkcs10",
                &csr.der,
            );
            assert!(answer.is_ok(), "{:?}", answer.err());
        },
    )
}
