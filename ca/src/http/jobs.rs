//! `/pki/jobs`, `/pki/job/{id}`.

use actix_web::web::{self, Path};
use common::api::{Page, ca};
use common::http::{Problem, Query};
use common::identity::Evidence;

use super::access::Operation;
use super::page::{self, ListQuery};
use crate::job::Job;
use crate::{Ca, Error};

/// Timed and long work, the newest first.
#[utoipa::path(get, path = "/pki/jobs", tag = "jobs", params(ListQuery),
    responses(
        (status = 200, body = Page<ca::Job>),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<ca::Job>>, Problem> {
    let list = ca.run(evidence, Operation::ListJobs, move |authority, _| {
        let limit = page::limit(query.0.limit).map_err(Error::Precondition)?;
        let after = page::cursor(query.0.after.as_deref()).map_err(Error::Precondition)?;
        let after = after
            .map(|(moment, id)| String::from_utf8(id).map(|id| (moment, id)))
            .transpose()
            .map_err(|_| Error::field("after", "cursor", "this is no cursor of this list"))?;
        let found = authority.jobs(after, limit + 1)?;
        let (found, next) = page::cut(found, limit, |job| {
            (job.created.micros(), job.id.clone().into_bytes())
        });
        let entries = found.iter().map(describe).collect();
        Ok(Page { entries, next })
    });
    Ok(web::Json(list.await?))
}

/// A job.
#[utoipa::path(get, path = "/pki/job/{id}", tag = "jobs",
    responses(
        (status = 200, body = ca::Job),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
    ))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    id: Path<String>,
) -> Result<web::Json<ca::Job>, Problem> {
    let job = ca.run(evidence, Operation::ShowJob, move |authority, _| {
        authority.job(&id)
    });
    Ok(web::Json(describe(&job.await?)))
}

fn describe(job: &Job) -> ca::Job {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    ca::Job {
        id: job.id.clone(),
        kind: job.kind.clone(),
        status: job.state.name().into(),
        done: count(job.progress.done),
        total: count(job.progress.total),
        errors: count(job.progress.errors),
        result: job.result.clone(),
        last_run: job.last_run,
        next_run: job.next_run,
    }
}
