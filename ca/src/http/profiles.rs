//! `/pki/profiles`, `/pki/profile/{id}` and its status.

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::Page;
use common::api::ca::{Profile, ProfileDecision, ProfileSummary};
use common::http::body::{Body, unsupported};
use common::http::conditional::{self, IfMatch};
use common::http::{Problem, Query};
use common::identity::{Caller, Evidence, Group};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Operation;
use super::page::{self, ListQuery};
use crate::profile::{Entry, Standing, Text};
use crate::{Authority, Ca, Error};

/// Media types of the notations.
const TOML: &str = "application/toml";
const CFG: &str = "text/x-dogtag-profile";

/// Profiles under which certificates can be asked for.
#[utoipa::path(get, path = "/pki/profiles", tag = "profiles", params(ListQuery),
    responses((status = 200, body = Page<ProfileSummary>), (status = 422, body = common::api::Problem)))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<ProfileSummary>>, Problem> {
    let limit = page::limit(query.0.limit)?;
    let after = page::cursor(query.0.after.as_deref())?;
    let entries = ca
        .run(
            evidence,
            Operation::ListProfiles,
            move |authority, caller| {
                let after = after.map(|(_, id)| id);
                let later = |entry: &Entry| {
                    let id = entry.text.id.as_bytes();
                    after.as_deref().is_none_or(|after| id > after)
                };
                let all = authority.profiles().all();
                let shown = all
                    .iter()
                    .filter(|entry| may_see(entry, caller) && later(entry));
                let count = usize::try_from(limit).unwrap_or(usize::MAX) + 1;
                Ok(shown
                    .take(count)
                    .map(|entry| entry.summary())
                    .collect::<Vec<_>>())
            },
        )
        .await?;
    let (entries, next) = page::cut(entries, limit, |profile| {
        (0, profile.id.as_bytes().to_vec())
    });
    Ok(web::Json(Page { entries, next }))
}

/// Which notation, and of which version.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// `json`, `toml`, or `cfg` (Dogtag's notation).
    format: Option<String>,
    /// An earlier version, as requests and certificates remember it.
    version: Option<String>,
}

/// A profile: what to send, what is filled in, what is checked.
#[utoipa::path(get, path = "/pki/profile/{id}", tag = "profiles", params(ShowQuery),
    responses(
        (status = 200, content(
            (Profile = "application/json"),
            (String = "application/toml"),
            (String = "text/x-dogtag-profile"),
        )),
        (status = 404, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    query: Query<ShowQuery>,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let ShowQuery { format, version } = query.0;
    let entry = ca
        .run(
            evidence,
            Operation::ShowProfile,
            move |authority, caller| find(authority, caller, &id, version.as_deref()),
        )
        .await?;
    let etag = entry.etag();
    let text = |media_type: &'static str, text: String| {
        let tag = conditional::representation(&etag, media_type);
        if conditional::is_not_modified(&request, &tag) {
            return conditional::not_modified(&tag);
        }
        HttpResponse::Ok()
            .insert_header(("etag", tag))
            .content_type(media_type)
            .body(text)
    };
    match format.as_deref() {
        None | Some("json") => Ok(conditional::json(&request, &etag, &entry.describe())),
        Some("toml") => Ok(text(TOML, entry.text.to_toml())),
        Some("cfg") => Ok(text(CFG, entry.text.to_cfg())),
        Some(_) => Err(Problem::field(
            "format",
            "choice",
            "format is json, toml or cfg",
        )),
    }
}

/// Where the id of a profile in Dogtag's notation stands when its text has none.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateQuery {
    /// The id, for a text that has none.
    id: Option<String>,
}

/// Adds a profile, disabled.
#[utoipa::path(post, path = "/pki/profiles", tag = "profiles", params(CreateQuery),
    request_body(content(
        (Profile = "application/json"),
        (String = "application/toml"),
        (String = "text/x-dogtag-profile"),
    )),
    responses(
        (status = 201, body = Profile),
        (status = 400, body = common::api::Problem),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 415, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn create(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<CreateQuery>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let entry = ca
        .run(
            evidence,
            Operation::EditProfile,
            move |authority, caller| {
                let text = read(&body, query.0.id.as_deref()).map_err(Error::Precondition)?;
                authority.create_profile(caller, text)
            },
        )
        .await?;
    Ok(HttpResponse::Created()
        .insert_header(("location", format!("/pki/profile/{}", entry.text.id)))
        .insert_header(("etag", entry.etag()))
        .json(entry.describe()))
}

/// Replaces a disabled profile.
#[utoipa::path(put, path = "/pki/profile/{id}", tag = "profiles",
    params(("If-Match" = String, Header, description = "the ETag of what is replaced")),
    request_body(content(
        (Profile = "application/json"),
        (String = "application/toml"),
        (String = "text/x-dogtag-profile"),
    )),
    responses(
        (status = 200, body = Profile),
        (status = 400, body = common::api::Problem),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
        (status = 415, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
        (status = 428, body = common::api::Problem),
    ))]
pub(super) async fn change(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let entry = ca
        .run(
            evidence,
            Operation::EditProfile,
            move |authority, caller| {
                let text = read(&body, Some(&id)).map_err(Error::Precondition)?;
                authority.change_profile(caller, &id, &if_match, text)
            },
        )
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header(("etag", entry.etag()))
        .json(entry.describe()))
}

/// Removes a disabled profile.
#[utoipa::path(delete, path = "/pki/profile/{id}", tag = "profiles",
    responses(
        (status = 204),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
    ))]
pub(super) async fn delete(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    ca.run(
        evidence,
        Operation::EditProfile,
        move |authority, caller| authority.delete_profile(caller, &id, &if_match),
    )
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Enables, disables or stops a profile.
#[utoipa::path(put, path = "/pki/profile/{id}/status", tag = "profiles", request_body = ProfileDecision,
    responses(
        (status = 200, body = Profile),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn decide(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let entry = ca
        .run(
            evidence,
            Operation::DecideProfile,
            move |authority, caller| {
                let decision: ProfileDecision = body.json().map_err(Error::Precondition)?;
                authority.decide_profile(caller, &id, &if_match, decision)
            },
        )
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header(("etag", entry.etag()))
        .json(entry.describe()))
}

fn find(
    authority: &Authority,
    caller: &Caller,
    id: &str,
    version: Option<&str>,
) -> Result<Entry, Error> {
    let entry = authority.profiles().find(id);
    let entry = entry.filter(|entry| may_see(entry, caller));
    match version {
        None => {
            let entry = entry.ok_or(Error::NotFound("profile"))?;
            Ok(Entry::clone(&entry))
        }
        Some(version) if entry.as_ref().is_some_and(|entry| entry.version == version) => {
            let entry = entry.ok_or(Error::NotFound("profile"))?;
            Ok(Entry::clone(&entry))
        }
        // What a profile said before is for those who may see all of it.
        Some(_) if !sees_all(caller) => Err(Error::NotFound("version of the profile")),
        Some(version) => {
            let text = authority.profile_version(id, version)?;
            let past = common::clock::Timestamp::from_micros(0);
            Ok(Entry::new(text, Standing::Disabled, past))
        }
    }
}

fn sees_all(caller: &Caller) -> bool {
    caller.is_in(Group::CertificateManagerAgents) || caller.is_in(Group::Administrators)
}

fn may_see(entry: &Entry, caller: &Caller) -> bool {
    let shown = entry.standing == Standing::Enabled && entry.text.visible == Some(true);
    sees_all(caller) || shown
}

/// Reads a profile in one of the notations.
fn read(body: &Body, id: Option<&str>) -> Result<Text, Problem> {
    let wrong = |field: &str, message: String| Problem::field(field, "syntax", message);
    let text = || {
        std::str::from_utf8(&body.bytes).map_err(|_| Problem::bad_request("the body is not UTF-8"))
    };
    match body.media_type.as_str() {
        "application/json" => {
            let text: Text = body.json()?;
            text.tidy().map_err(|e| wrong("id", e))
        }
        TOML => Text::from_toml(text()?).map_err(|e| wrong("toml", e)),
        CFG => Text::from_cfg(text()?, id).map_err(|e| wrong("cfg", e)),
        _ => Err(unsupported(
            "application/json, application/toml and text/x-dogtag-profile",
        )),
    }
}
