//! A newcomer's first minute.

use tests::foreign::{KeyKind, openssl_csr};
use tests::world::World;

#[test]
fn an_agent_gets_a_certificate_at_once() {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "host",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example"],
    );

    let answer = world
        .post("/pki/request/caAgentServerCert")
        .as_user("agent1")
        .body("application/pkcs10", &csr.der)
        .send();

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json()["status"], "complete");
}
