//! A running CA, by its REST interface.

use std::thread;

use serde_json::{Value, json};
use tests::foreign::{KeyKind, openssl_csr};
use tests::world::{World, text};

use super::model::{Outcome, Policy};
use super::{Seen, Subject, agent_name, agent_of, number, run};

struct Service {
    world: World,
    csr: String,
}

impl Service {
    fn new(arguments: &[&str]) -> Self {
        let world = World::up_with(arguments);
        let csr = openssl_csr(world.dir(), "host", KeyKind::P256, "/CN=host.example", &[]).pem;
        Self { world, csr }
    }
}

impl Subject for Service {
    fn submit(&self, sender: Option<usize>) -> String {
        let mut call = self.world.post("/pki/request/caServerCert");
        if let Some(agent) = sender {
            call = call.as_user(&agent_name(agent));
        }
        let answer = call.json(&json!({"csr": self.csr}).to_string()).send();
        text(&answer.with_status(201).json()["id"]).to_owned()
    }

    fn decide(&self, id: &str, agent: usize, tag: Option<&str>, decision: &Value) -> Outcome {
        let mut call = self
            .world
            .put(&format!("/pki/request/{id}/status"))
            .as_user(&agent_name(agent))
            .json(&decision.to_string());
        if let Some(tag) = tag {
            call = call.header("If-Match", tag);
        }
        let answer = call.send();
        if answer.status == 200 {
            return Outcome::Done;
        }
        match (answer.status, &*answer.problem(answer.status)) {
            (412, _) => Outcome::Stale,
            (428, _) => Outcome::NoTag,
            (409, "request-not-pending") => Outcome::NotPending,
            (409, "not-assigned") => Outcome::NotAssigned,
            (409, "own-request") => Outcome::Own,
            (409, "profile-changed") => Outcome::ProfileChanged,
            (422, "not-acceptable") => Outcome::NotAcceptable,
            other => panic!("{other:?}: {}", answer.text()),
        }
    }

    fn seen(&self, id: &str) -> Seen {
        let answer = self
            .world
            .get(&format!("/pki/request/{id}"))
            .as_user("agent1");
        let answer = answer.send().with_status(200);
        let request = answer.json();
        let issued_to = request["certificate"]["link"].as_str().map(|link| {
            let certificate = self.world.get(link).send().with_status(200).json();
            text(&certificate["subject"]).to_owned()
        });
        let history = request["history"].as_array().expect("agents see it").iter();
        let changes = &request["changes"];
        Seen {
            etag: answer.header("etag").expect("a request has a tag"),
            status: text(&request["status"]).to_owned(),
            assigned_to: request["assigned_to"].as_str().and_then(agent_of),
            changes: (
                changes["subject"].as_str().map(str::to_owned),
                changes["not_after"].is_string(),
            ),
            history: history
                .map(|entry| {
                    (
                        agent_of(text(&entry["by"])),
                        text(&entry["action"]).to_owned(),
                    )
                })
                .collect(),
            issued_to,
        }
    }

    fn wait(&self, _: i64) -> bool {
        false
    }

    fn edit_profile(&self, _: &str) -> bool {
        false
    }
}

#[test]
fn a_hundred_sequences_over_https_find_no_illegal_step() {
    let seed = number("CHANCERY_LIFECYCLE_SEED", 4);
    let strict = Policy {
        assignee_only: true,
        own_approval: true,
        expire_days: None,
    };
    let worlds: [(Policy, &[&str]); 2] = [
        (Policy::default(), &[]),
        (
            strict,
            &[
                "--request-assignee-only=true",
                "--request-own-approval=true",
            ],
        ),
    ];
    thread::scope(|scope| {
        for (policy, arguments) in worlds {
            scope.spawn(move || {
                let service = Service::new(arguments);
                let before = service.world.record();
                let (_, certificates) = run(&service, policy, seed, 50);
                let after = service.world.record();
                assert_eq!(after.requests.len(), before.requests.len() + 50);
                println!("seed {seed}: 50 sequences, {certificates} certificates, {policy:?}");
            });
        }
    });
}
