//! What the services behind one address say about themselves together: `/pki/info`,
//! `/pki/openapi.json`, `/health`, `/ready`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use utoipa::openapi::OpenApi;

use super::{Problem, Work, resource};
use crate::api::{Health, Info};
use crate::identity::Evidence;
use crate::telemetry;

/// Says what keeps a service from serving; empty when nothing does.
pub type Readiness = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Judges the credential of a caller, on a blocking thread.
pub type Judge = Arc<dyn Fn(Evidence) -> Result<(), Problem> + Send + Sync>;

/// One service behind the address.
#[derive(Clone)]
pub struct Role {
    /// `ca`, `kra` or `ocsp`.
    pub name: &'static str,
    /// Its description of its interface.
    pub openapi: OpenApi,
    /// What is missing.
    pub readiness: Readiness,
    /// Who is nobody to it.
    pub judge: Judge,
    /// Named links for `/pki/info`.
    pub links: Vec<(&'static str, &'static str)>,
}

/// One listener's address and the services behind it.
#[derive(Clone)]
pub struct Site {
    roles: Vec<Role>,
    hosts: Arc<Vec<String>>,
    loopback: bool,
    plain: bool,
    work: Work,
}

impl Site {
    /// The site of the TLS listener. `hosts` are the names that it answers to.
    pub fn new(roles: Vec<Role>, hosts: Vec<String>, loopback: bool) -> Self {
        Self {
            roles,
            hosts: Arc::new(hosts),
            loopback,
            plain: false,
            work: Work::new(16),
        }
    }

    /// The same services behind plain HTTP, where any name is good: clients come by whatever URL
    /// a certificate names.
    pub fn plain(&self) -> Self {
        Self {
            plain: true,
            ..self.clone()
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    pub(super) fn is_known_host(&self, host: &str) -> bool {
        let bare = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let bare = bare.trim_start_matches('[').trim_end_matches(']');
        self.plain
            || self
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(bare))
    }

    /// 401 for a client certificate that one of the services knows to be revoked.
    async fn judge(&self, evidence: &Evidence) -> Result<(), Problem> {
        if evidence.certificate.is_none() {
            return Ok(());
        }
        let (roles, evidence) = (self.roles.clone(), evidence.clone());
        let judged = self.work.run(move || {
            roles
                .iter()
                .try_for_each(|role| (role.judge)(evidence.clone()))
        });
        judged.await?
    }

    fn missing(&self) -> Vec<String> {
        let role = |role: &Role| {
            let reasons = (role.readiness)();
            reasons
                .into_iter()
                .map(|reason| format!("{}: {reason}", role.name))
                .collect::<Vec<_>>()
        };
        self.roles.iter().flat_map(role).collect()
    }

    fn may_see_inside(&self, evidence: &Evidence) -> bool {
        let peer = evidence.certificate.as_ref();
        self.loopback || peer.is_some_and(|peer| peer.trusted.is_ok())
    }

    /// The interface of all services behind the address in one document.
    pub fn openapi(&self) -> Option<OpenApi> {
        let (first, rest) = self.roles.split_first()?;
        let mut merged = first.openapi.clone();
        for role in rest {
            merged.merge(role.openapi.clone());
        }
        if !rest.is_empty() {
            merged.info.title = "Chancery".into();
        }
        Some(merged)
    }
}

/// Mounts the shared paths of the TLS listener.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/pki/info", [(Method::GET, web::to(info))]))
        .service(resource(
            "/pki/openapi.json",
            [(Method::GET, web::to(openapi))],
        ))
        .service(resource("/ready", [(Method::GET, web::to(ready))]))
        .service(resource("/metrics", [(Method::GET, web::to(metrics))]))
        .configure(plain_routes);
}

/// Mounts the shared paths of the plain listener.
pub fn plain_routes(config: &mut web::ServiceConfig) {
    config.service(resource("/health", [(Method::GET, web::to(health))]));
}

/// The product, its version, the services here and where to go.
#[utoipa::path(get, path = "/pki/info", tag = "service", responses((status = 200, body = Info)))]
pub async fn info(site: web::Data<Site>, evidence: Evidence) -> Result<web::Json<Info>, Problem> {
    site.judge(&evidence).await?;
    let links = site.roles.iter().flat_map(|role| role.links.iter());
    let links: BTreeMap<String, String> = links
        .map(|(name, link)| ((*name).to_owned(), (*link).to_owned()))
        .collect();
    Ok(web::Json(Info {
        product: "Chancery".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        roles: site.roles.iter().map(|role| role.name.to_owned()).collect(),
        links,
    }))
}

/// This interface as OpenAPI 3.1.
#[utoipa::path(get, path = "/pki/openapi.json", tag = "service", responses((status = 200)))]
pub async fn openapi(site: web::Data<Site>, evidence: Evidence) -> Result<HttpResponse, Problem> {
    site.judge(&evidence).await?;
    let document = site
        .openapi()
        .ok_or_else(|| Problem::not_found("service"))?;
    Ok(HttpResponse::Ok().json(document))
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, body = Health)))]
pub async fn health() -> web::Json<Health> {
    web::Json(Health {
        status: "ok".into(),
        reasons: Vec::new(),
    })
}

/// Whether the services can do their work.
#[utoipa::path(get, path = "/ready", tag = "service",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn ready(site: web::Data<Site>, evidence: Evidence) -> Result<HttpResponse, Problem> {
    site.judge(&evidence).await?;
    let looking = site.clone();
    let missing = site.work.run(move || looking.missing()).await?;
    let shown = match site.may_see_inside(&evidence) {
        true => missing.clone(),
        false => Vec::new(),
    };
    Ok(match missing.is_empty() {
        true => HttpResponse::Ok().json(Health {
            status: "ok".into(),
            reasons: Vec::new(),
        }),
        false => HttpResponse::ServiceUnavailable()
            .insert_header(("retry-after", "1"))
            .json(Health {
                status: "unavailable".into(),
                reasons: shown,
            }),
    })
}

/// Numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String, content_type = "text/plain"), (status = 401, body = crate::api::Problem)))]
pub async fn metrics(site: web::Data<Site>, evidence: Evidence) -> Result<HttpResponse, Problem> {
    site.judge(&evidence).await?;
    if !site.may_see_inside(&evidence) {
        let denied =
            crate::identity::Denied::Unauthenticated("metrics need a client certificate".into());
        return Err((&denied).into());
    }
    let text = telemetry::render();
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text))
}
