//! Bodies and queries, parsed into types once, with precise refusals.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::Problem;
use super::conventions::payload_too_large;
use crate::api::object::Object;

/// Largest JSON body, bytes.
pub const JSON_MAX: usize = 1024 * 1024;

/// A body of at most [`JSON_MAX`] bytes with its media type.
pub struct Body {
    /// `application/json`, lower case, without parameters; empty when the header is missing.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = media_type(request);
        let payload = payload.take();
        Box::pin(async move {
            let bytes = read(payload, JSON_MAX).await?;
            Ok(Self { media_type, bytes })
        })
    }
}

/// Reads a body up to `bytes_max`.
pub async fn read(mut payload: Payload, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("the body broke off"))?;
        if bytes.len() + chunk.len() > bytes_max {
            return Err(payload_too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// The media type of the body, lower case, without parameters.
pub fn media_type(request: &HttpRequest) -> String {
    let header = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let bare = header.and_then(|text| text.split(';').next()).unwrap_or("");
    bare.trim().to_ascii_lowercase()
}

/// 415 with what would have been taken.
pub fn unsupported(media_types: &str) -> Problem {
    Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .detail(format!("this path takes {media_types}"))
}

impl Body {
    /// Reads the body as JSON: 415 for another type, 400 for no JSON, 422 naming the field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.media_type != "application/json" {
            return Err(unsupported("application/json"));
        }
        let mut json = serde_json::Deserializer::from_slice(&self.bytes);
        let parsed: Object<T> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            explain(&path, error.into_inner())
        })?;
        json.end()
            .map_err(|e| Problem::bad_request(format!("the body is not JSON: {e}")))?;
        Ok(parsed.0)
    }
}

fn explain(path: &str, error: serde_json::Error) -> Problem {
    let message = error.to_string();
    if !error.is_data() {
        return Problem::bad_request(format!("the body is not JSON: {message}"));
    }
    let message = message
        .split(" at line ")
        .next()
        .unwrap_or(&message)
        .to_owned();
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let (rule, last) = if message.starts_with("unknown field") {
        ("unknown-field", quoted)
    } else if message.starts_with("missing field") {
        ("required", quoted)
    } else if message.starts_with("unknown variant") {
        ("choice", "")
    } else {
        ("type", "")
    };
    let parent = if path == "." { "" } else { path };
    let field = match (parent, last) {
        ("", "") => "body".to_owned(),
        ("", last) => last.to_owned(),
        (parent, "") => parent.to_owned(),
        (parent, last) if parent == last || parent.ends_with(&format!(".{last}")) => {
            parent.to_owned()
        }
        (parent, last) => format!("{parent}.{last}"),
    };
    Problem::field(&field, rule, message)
}

/// The query, with unknown names refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes());
        let query = serde_urlencoded::Deserializer::new(pairs);
        let parsed = serde_path_to_error::deserialize(query);
        std::future::ready(parsed.map(Self).map_err(|error| {
            let path = error.path().to_string();
            explain_query(&path, &error.into_inner().to_string())
        }))
    }
}

fn explain_query(path: &str, message: &str) -> Problem {
    let quoted = message.split('`').nth(1);
    let field = match path {
        "." => quoted.unwrap_or("query"),
        path => path,
    };
    let rule = match message.starts_with("unknown field") {
        true => "unknown-filter",
        false => "type",
    };
    Problem::field(field, rule, message)
}
