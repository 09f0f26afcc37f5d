//! Finishing touches on OpenAPI documents that are derived from handlers.

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use super::problem::MEDIA_TYPE;

/// Says what the derivation leaves open: a description for each response, the media type of
/// problems, and parameters for the variables of paths.
pub fn finish(document: &OpenApi) -> OpenApi {
    let mut value = serde_json::to_value(document).expect("a document is JSON");
    let paths = value.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            // Handlers are named within their files; in one document names must differ.
            let words = path.split(|c: char| !c.is_ascii_alphanumeric());
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            operation["operationId"] = json!(format!("{method}_{}", words.join("_")));
            responses(operation);
            parameters(path, operation);
        }
    }
    serde_json::from_value(value).expect("it still is a document")
}

fn responses(operation: &mut Value) {
    let responses = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    for (status, response) in responses.into_iter().flatten() {
        let Some(response) = response.as_object_mut() else {
            continue;
        };
        let code = status
            .parse::<u16>()
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok());
        let reason = code
            .and_then(|code| code.canonical_reason())
            .unwrap_or("Response");
        let description = response.entry("description").or_insert_with(|| json!(""));
        if description.as_str().is_none_or(str::is_empty) {
            *description = json!(reason);
        }
        let is_error = code.is_some_and(|code| code.is_client_error() || code.is_server_error());
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        let Some(content) = content.filter(|_| is_error) else {
            continue;
        };
        let schema = content
            .get("application/json")
            .map(|json| json["schema"]["$ref"].clone());
        if schema.is_some_and(|schema| schema == "#/components/schemas/Problem")
            && let Some(json) = content.remove("application/json")
        {
            content.insert(MEDIA_TYPE.to_owned(), json);
        }
    }
}

fn parameters(path: &str, operation: &mut Value) {
    let Some(operation) = operation.as_object_mut() else {
        return;
    };
    let known = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(known) = known.as_array_mut() else {
        return;
    };
    for part in path.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        let declared = |p: &Value| p["in"] == "path" && p["name"] == name;
        if !known.iter().any(declared) {
            let schema = json!({"type": "string"});
            known.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
    }
    if known.is_empty() {
        operation.remove("parameters");
    }
}
