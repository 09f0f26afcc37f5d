//! `/pki/profiles`, `/pki/profile/{id}`.

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::Page;
use common::api::ca::{Profile, ProfileSummary};
use common::http::conditional;
use common::http::{Problem, Query};
use common::identity::{Caller, Evidence, Group};

use super::access::Operation;
use super::page::{self, ListQuery};
use crate::{Ca, Error};

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
                let sees = |profile: &&std::sync::Arc<crate::profile::Profile>| {
                    may_see(profile.text(), caller)
                };
                let all = authority.profiles().iter().filter(sees);
                let rest = all.skip_while(|profile| {
                    after
                        .as_ref()
                        .is_some_and(|(_, id)| profile.id().as_bytes() <= id.as_slice())
                });
                let count = usize::try_from(limit).unwrap_or(usize::MAX) + 1;
                Ok(rest
                    .take(count)
                    .map(|profile| profile.summary())
                    .collect::<Vec<_>>())
            },
        )
        .await?;
    let (entries, next) = page::cut(entries, limit, |profile| {
        (0, profile.id.as_bytes().to_vec())
    });
    Ok(web::Json(Page { entries, next }))
}

/// A profile: what to send, what is filled in, what is checked.
#[utoipa::path(get, path = "/pki/profile/{id}", tag = "profiles",
    responses((status = 200, body = Profile), (status = 404, body = common::api::Problem)))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let profile = ca
        .run(
            evidence,
            Operation::ShowProfile,
            move |authority, caller| {
                let profile = authority.profiles().find(&id);
                let profile = profile.filter(|profile| may_see(profile.text(), caller));
                profile
                    .map(|profile| profile.describe())
                    .ok_or(Error::NotFound("profile"))
            },
        )
        .await?;
    let etag = format!("\"{}\"", profile.version);
    Ok(conditional::json(&request, &etag, &profile))
}

fn may_see(profile: &crate::profile::Text, caller: &Caller) -> bool {
    let sees_all =
        caller.is_in(Group::CertificateManagerAgents) || caller.is_in(Group::Administrators);
    sees_all || (profile.enabled && profile.visible)
}
