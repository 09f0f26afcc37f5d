//! `/pki/statistics`.

use actix_web::web;
use common::api::ca::Statistics;
use common::http::Problem;
use common::identity::Evidence;

use super::access::Operation;
use crate::Ca;

/// Numbers about certificates and requests.
#[utoipa::path(get, path = "/pki/statistics", tag = "statistics",
    responses(
        (status = 200, body = Statistics),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
    ))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
) -> Result<web::Json<Statistics>, Problem> {
    let found = ca.run(evidence, Operation::ShowStatistics, |authority, _| {
        authority.statistics()
    });
    Ok(web::Json(found.await?))
}
