//! The description of the interface: committed, served, valid and true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tests::world::{World, expect_all, text};

/// Services by name, with the document that their handlers make.
fn documents() -> [(&'static str, Value); 3] {
    let json = |document| serde_json::to_value(document).expect("a document is JSON");
    [
        ("ca", json(ca::http::openapi::document())),
        ("kra", json(kra::http::openapi::document())),
        ("ocsp", json(ocsp::http::openapi::document())),
    ]
}

/// The operations of a document: method, path and what is said of it.
pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("there are paths");
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().cloned().unwrap_or_default();
        let operation =
            |(method, operation): (String, Value)| (method.to_uppercase(), path.clone(), operation);
        methods.into_iter().map(operation).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// What is committed for a service.
pub(crate) fn committed(service: &str) -> Value {
    let text = fs::read_to_string(golden(service)).expect("it is committed");
    serde_json::from_str(&text).expect("it is JSON")
}

fn golden(service: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.join(format!("../openapi/{service}.json"))
}

#[test]
fn the_committed_documents_are_those_of_the_handlers() {
    for (service, document) in documents() {
        let path = golden(service);
        let made = serde_json::to_string_pretty(&document).expect("JSON is text") + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &made).expect("the repository is writable");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == made,
            "openapi/{service}.json is not what the handlers say: see what \
             `UPDATE_GOLDEN=1 cargo test -p tests openapi` changes, and commit it"
        );
    }
}

#[test]
fn each_service_serves_its_own_document() {
    let world = World::separate();
    for (service, url) in [
        ("ca", world.https()),
        ("kra", world.kra()),
        ("ocsp", world.ocsp()),
    ] {
        let answer = world.call("GET", &format!("{url}/pki/openapi.json")).send();
        let answer = answer.with_status(200);
        let media_type = answer.header("content-type");
        assert_eq!(media_type.as_deref(), Some("application/json"));
        assert!(
            answer.json() == committed(service),
            "{service} serves another"
        );
    }
}

#[test]
fn the_documents_are_openapi_3_1() {
    let world = World::up();
    let merged = world
        .get("/pki/openapi.json")
        .send()
        .with_status(200)
        .json();
    for (service, document) in documents().into_iter().chain([("up", merged)]) {
        let version = text(&document["openapi"]);
        assert!(version.starts_with("3.1."), "{service}: {version}");
        for member in ["title", "version"] {
            assert!(
                document["info"][member].is_string(),
                "{service}: info.{member}"
            );
        }
        let mut faults = Vec::new();
        unresolved(&document, &document, &mut faults);
        let mut names = BTreeSet::new();
        let mut templates = BTreeMap::new();
        for (method, path, operation) in operations(&document) {
            let name = operation["operationId"].to_string();
            if !names.insert(name.clone()) {
                faults.push(format!("{method} {path}: there is another {name}"));
            }
            let earlier = templates.insert(template(&path), path.clone());
            if earlier.is_some_and(|earlier| earlier != path) {
                faults.push(format!("{path}: this is the same template twice"));
            }
            for fault in [parameters(&path, &operation), responses(&operation)].concat() {
                faults.push(format!("{method} {path}: {fault}"));
            }
        }
        assert!(faults.is_empty(), "{service}\n{}", faults.join("\n"));
    }
}

#[test]
fn what_is_described_is_there_and_nothing_else_under_its_paths() {
    let world = World::up();
    let merged = world
        .get("/pki/openapi.json")
        .send()
        .with_status(200)
        .json();
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path, _) in operations(&merged) {
        described.entry(template(&path)).or_default().insert(method);
    }
    let services = ["ca", "kra", "ocsp"].map(committed);
    let ours = services.iter().flat_map(operations);
    let ours: BTreeSet<_> = ours.map(|(method, path, _)| (method, path)).collect();
    let theirs = operations(&merged).into_iter();
    let theirs: BTreeSet<_> = theirs.map(|(method, path, _)| (method, path)).collect();
    assert_eq!(theirs, ours, "`up` describes what its services do");

    let mut found = Vec::new();
    for (template, methods) in described {
        // `M` begins an OCSP request; elsewhere it is an id like any other.
        let path = template.replace("{}", "M");
        for method in methods.iter().filter(|method| *method != "HEAD") {
            let answer = world.call(method, &path).send();
            let missing = answer.text().contains("there is no such path");
            found.push((
                format!("{method} {path}"),
                answer.status == 405 || missing,
                false,
            ));
        }
        let mut allowed = methods.clone();
        if methods.contains("GET") {
            allowed.insert("HEAD".to_owned());
        }
        let refused = world.call("BREW", &path).send();
        assert_eq!(refused.problem(405), "method-not-allowed", "{path}");
        let said = refused.header("allow").expect("405 says what there is");
        let said: BTreeSet<_> = said
            .split(',')
            .map(|method| method.trim().to_owned())
            .collect();
        assert_eq!(said, allowed, "{path}");
    }
    expect_all(found);
}

/// The path without its parameters' names.
pub(crate) fn template(path: &str) -> String {
    let parts = path.split(['{', '}']).enumerate();
    parts.fold(String::new(), |done, (index, part)| match index % 2 {
        0 => done + part,
        _ => done + "{}",
    })
}

/// Every parameter stands where it says, and those of the path are all declared.
fn parameters(path: &str, operation: &Value) -> Vec<String> {
    let declared = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let in_path: BTreeSet<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
    let mut faults = Vec::new();
    let mut found = BTreeSet::new();
    for parameter in &declared {
        let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
        if place == "path" {
            found.insert(name);
        }
        if !["path", "query", "header", "cookie"].contains(&place) {
            faults.push(format!("parameter {name} is in {place}"));
        }
        if place == "path" && parameter["required"] != true {
            faults.push(format!("parameter {name} of the path is not required"));
        }
        if place == "query" && parameter["required"] == true {
            faults.push(format!("filter {name} is required"));
        }
    }
    let missing = in_path.difference(&found);
    faults.extend(missing.map(|name| format!("parameter {name} of the path is not declared")));
    let surplus = found.difference(&in_path);
    faults.extend(surplus.map(|name| format!("parameter {name} is not in the path")));
    faults
}

/// Every response is described, and there is at least one for success.
fn responses(operation: &Value) -> Vec<String> {
    let responses = operation["responses"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let mut faults = Vec::new();
    for (status, response) in &responses {
        if !response["description"].is_string() {
            faults.push(format!("response {status} has no description"));
        }
        let is_error = status.starts_with(['4', '5']);
        let problem = &response["content"]["application/problem+json"];
        if is_error && status != "503" && !problem.is_object() {
            faults.push(format!("response {status} is no problem"));
        }
    }
    if !responses.keys().any(|status| status.starts_with('2')) {
        faults.push("there is no success".to_owned());
    }
    faults
}

/// References that lead nowhere.
fn unresolved(value: &Value, document: &Value, faults: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let target = reference
                    .strip_prefix('#')
                    .map(|path| document.pointer(path));
                if target.flatten().is_none() {
                    faults.push(format!("{reference} leads nowhere"));
                }
            }
            members
                .values()
                .for_each(|member| unresolved(member, document, faults));
        }
        Value::Array(members) => members
            .iter()
            .for_each(|member| unresolved(member, document, faults)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
