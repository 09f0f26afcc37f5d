//! `/pki/revocations`: many at once.

use actix_web::HttpResponse;
use actix_web::web;
use common::api::ca::{self, Link, Revocations, RevokeMany};
use common::http::body::Body;
use common::http::{Problem, Query};
use common::identity::Evidence;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Operation;
use super::certificates::summary;
use crate::{Ca, Error};

/// Whether it is only tried.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TryQuery {
    /// `true`: counts and changes nothing, as the field of the same name.
    dry_run: Option<bool>,
}

/// Revokes all certificates that an order names, or counts them.
#[utoipa::path(post, path = "/pki/revocations", tag = "certificates", params(TryQuery),
    request_body = RevokeMany,
    responses(
        (status = 200, body = Revocations),
        (status = 202, body = Revocations),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn order(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<TryQuery>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let answer = ca.run(evidence, Operation::RevokeMany, move |authority, caller| {
        let mut order: RevokeMany = body.json().map_err(Error::Precondition)?;
        if order.dry_run.take().or(query.0.dry_run).unwrap_or(false) {
            let plan = authority.plan_revocations(&order)?;
            let now = authority.clock().now();
            return Ok(Revocations {
                count: u64::try_from(plan.count).unwrap_or(0),
                sample: Some(plan.sample.iter().map(|l| summary(l, now)).collect()),
                job: None,
            });
        }
        let job = authority.order_revocations(caller, order)?;
        let link = format!("/pki/job/{}", job.id);
        Ok(ca::Revocations {
            count: u64::try_from(job.progress.total).unwrap_or(0),
            sample: None,
            job: Some(Link { id: job.id, link }),
        })
    });
    let answer = answer.await?;
    Ok(match &answer.job {
        None => HttpResponse::Ok().json(answer),
        Some(job) => HttpResponse::Accepted()
            .insert_header(("location", job.link.clone()))
            .json(answer),
    })
}
