//! Jobs: what the clock starts, and what takes longer than an answer.

use std::time::Duration;

use serde_json::Value;
use tests::world::{World, eventually, text};

#[test]
fn timed_work_is_listed_with_its_last_result_and_next_run() {
    let world = World::up();

    let ran = eventually(Duration::from_secs(10), || {
        jobs(&world).iter().all(|job| job.get("last_run").is_some())
    });
    assert!(ran, "{:?}", jobs(&world));
    for job in jobs(&world) {
        let id = text(&job["id"]);
        assert_eq!(job["status"], "scheduled", "{id}");
        assert_eq!(job["errors"], 0, "{id}");
        let time = |name: &str| {
            let time = text(&job[name]).parse::<common::clock::Timestamp>();
            time.expect("RFC 3339")
        };
        assert!(time("next_run") > time("last_run"), "{id}");
        assert!(!text(&job["result"]).is_empty(), "{id}");
        let shown = job_of(&world, id);
        assert_eq!(shown["kind"], job["kind"]);
    }
    let kinds: Vec<_> = jobs(&world)
        .iter()
        .map(|job| text(&job["kind"]).to_owned())
        .collect();
    for kind in ["crl", "interrupted-issuances", "pruning", "statistics"] {
        assert!(kinds.contains(&kind.to_owned()), "{kind} in {kinds:?}");
    }
    let missing = world.get("/pki/job/none").as_user("admin").send();
    missing.problem(404);
}

#[test]
fn the_job_of_the_crl_tells_its_number_and_when_the_next_is_due() {
    let world = World::up();
    let made = world.post("/pki/crl").as_user("agent1").send();
    let made = made.with_status(200).json();

    let job = job_of(&world, "crl-host");

    let result = text(&job["result"]);
    let number: u64 = text(&made["number"]).parse().expect("a number");
    let told: u64 = result
        .split(' ')
        .find_map(|word| word.parse().ok())
        .expect("the result names the number");
    assert!(told >= number, "{result}");
    let next: common::clock::Timestamp = text(&job["next_run"]).parse().expect("a time");
    let last: common::clock::Timestamp = text(&job["last_run"]).parse().expect("a time");
    // Half of the validity of 48 hours.
    let hours = (next.seconds() - last.seconds() + 30) / 3_600;
    assert_eq!(hours, 24);
}

fn jobs(world: &World) -> Vec<Value> {
    let list = world.get("/pki/jobs").as_user("admin").send();
    let list = list.with_status(200).json();
    list["entries"].as_array().expect("a list").clone()
}

fn job_of(world: &World, id: &str) -> Value {
    let shown = world.get(&format!("/pki/job/{id}")).as_user("admin").send();
    shown.with_status(200).json()
}
