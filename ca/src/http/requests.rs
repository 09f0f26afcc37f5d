//! `/pki/request/{profile}`, `/pki/requests`, `/pki/request/{id}` and its status.

use std::collections::BTreeMap;

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use common::api::Page;
use common::api::ca::{
    Changes, CsrSummary, Decision, Draft, DryRun, Link, Renew, Request, RequestStatus, Requestor,
    SubmitRequest,
};
use common::clock::Timestamp;
use common::http::body::{Body, unsupported};
use common::http::conditional::{self, IfMatch};
use common::http::{Problem, Query};
use common::identity::{Evidence, Group};
use common::x509::certificate::describe_key;
use common::x509::{AlternativeName, Csr, CsrError, CsrKind, SerialNumber, extension};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::access::Operation;
use super::idempotency::{self, Answer};
use super::page;
use crate::authority::{Asked, Renewal, Submission, Submitted};
use crate::profile::{REQUEST, REQUEST_TYPE, SERIAL_TO_RENEW};
use crate::request::State;
use crate::store::requests::Filter;
use crate::{Authority, Ca, Error, issue, request};

/// Whether it is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitQuery {
    /// `true`: explain what every policy would do, and record nothing.
    dry_run: Option<bool>,
}

/// Asks for a certificate under a profile.
#[utoipa::path(post, path = "/pki/request/{id}", tag = "requests",
    request_body(content(
        (SubmitRequest = "application/json"),
        (String = "application/pkcs10"),
        (String = "application/x-pem-file"),
    )),
    params(SubmitQuery),
    responses(
        (status = 200, body = DryRun, description = "with `dry_run`"),
        (status = 201, body = Request),
        (status = 400, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 415, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn submit(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    profile: Path<String>,
    query: Query<SubmitQuery>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    if query.0.dry_run == Some(true) {
        return dry_run(&ca, evidence, submission(profile.into_inner(), &body)?).await;
    }
    let key = idempotency::key(&request, &evidence, &body)?;
    let _running = key.as_ref().map(idempotency::Running::start).transpose()?;
    if let Some(key) = &key
        && let Some(answer) = idempotency::replay(&ca, &evidence, key).await?
    {
        return Ok(answer);
    }
    let submission = Submission {
        idempotency: key.clone(),
        ..submission(profile.into_inner(), &body)?
    };
    let answer = ca.run(
        evidence,
        Operation::SubmitRequest,
        move |authority, caller| {
            let answer = match authority.submit(caller, submission) {
                Ok(submitted) => Answer::of(authority, caller, &submitted),
                Err(Error::Refused {
                    request,
                    violations,
                }) => Answer::Refused {
                    request,
                    violations,
                },
                Err(error) => return Err(error),
            };
            if let Some(key) = &key {
                authority.keep(key, answer.to_bytes())?;
            }
            Ok(answer)
        },
    );
    answer.await?.respond()
}

async fn dry_run(
    ca: &Ca,
    evidence: Evidence,
    submission: Submission,
) -> Result<HttpResponse, Problem> {
    let body = ca.run(
        evidence,
        Operation::SubmitRequest,
        move |authority, caller| {
            let runs = authority.dry_run(caller, &submission)?.into_iter();
            let mut runs = runs.map(|run| DryRun {
                certificate: describe_draft(&run.draft),
                policies: run.policies,
                violations: run.violations,
                siblings: Vec::new(),
            });
            let first = runs.next();
            let mut first = first.ok_or(Error::NotFound("set of policies"))?;
            first.siblings = runs.collect();
            Ok(first)
        },
    );
    Ok(HttpResponse::Ok().json(body.await?))
}

/// Requests, newest first.
#[utoipa::path(get, path = "/pki/requests", tag = "requests", params(ListQuery),
    responses(
        (status = 200, body = Page<Request>),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
    ))]
pub(super) async fn list(
    ca: web::Data<Ca>,
    evidence: Evidence,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<Request>>, Problem> {
    let entries = ca.run(evidence, Operation::ListRequests, move |authority, _| {
        let query = query.0;
        let limit = page::limit(query.limit).map_err(Error::Precondition)?;
        let after = page::cursor(query.after.as_deref()).map_err(Error::Precondition)?;
        let after = after.map(|(at, id)| (at, String::from_utf8_lossy(&id).into_owned()));
        let filter = query.filter()?;
        let found = authority.requests(&filter, after, limit + 1)?;
        let (found, next) = page::cut(found, limit, |request| {
            (
                request.created.micros(),
                request.id.to_string().into_bytes(),
            )
        });
        let entries = found.iter().map(|request| summary(request, true)).collect();
        Ok(Page { entries, next })
    });
    Ok(web::Json(entries.await?))
}

/// A request; agents see what was sent, what would be issued, and what happened.
#[utoipa::path(get, path = "/pki/request/{id}", tag = "requests",
    responses((status = 200, body = Request), (status = 404, body = common::api::Problem)))]
pub(super) async fn show(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = parse_id(&id)?;
    let (body, etag) = ca
        .run(
            evidence,
            Operation::ShowRequest,
            move |authority, caller| {
                let found = authority.request(id)?;
                let sees_all = caller.is_in(Group::CertificateManagerAgents);
                Ok((describe(authority, &found, sees_all), found.etag))
            },
        )
        .await?;
    Ok(conditional::json(&request, &etag, &body))
}

/// Where a request stands.
#[utoipa::path(get, path = "/pki/request/{id}/status", tag = "requests",
    responses((status = 200, body = RequestStatus), (status = 404, body = common::api::Problem)))]
pub(super) async fn status(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = parse_id(&id)?;
    let Submitted {
        request: found,
        etag,
        ..
    } = ca
        .run(evidence, Operation::ShowRequest, move |authority, _| {
            authority.request(id)
        })
        .await?;
    let body = RequestStatus {
        status: found.state.name().into(),
        request: found.link(),
        certificate: certificate(&found),
    };
    Ok(conditional::json(&request, &etag, &body))
}

/// An agent's decision, bound by `If-Match` to what was reviewed.
#[utoipa::path(put, path = "/pki/request/{id}/status", tag = "requests", request_body = Decision,
    params(("If-Match" = String, Header, description = "the ETag of what was reviewed")),
    responses(
        (status = 200, body = Request),
        (status = 401, body = common::api::Problem),
        (status = 403, body = common::api::Problem),
        (status = 404, body = common::api::Problem),
        (status = 409, body = common::api::Problem),
        (status = 412, body = common::api::Problem),
        (status = 422, body = common::api::Problem),
        (status = 428, body = common::api::Problem),
    ))]
pub(super) async fn decide(
    ca: web::Data<Ca>,
    evidence: Evidence,
    request: HttpRequest,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let (body, etag) = ca
        .run(
            evidence,
            Operation::DecideRequest,
            move |authority, caller| {
                let id = parse_id(&id).map_err(Error::Precondition)?;
                let decision: Decision = body.json().map_err(Error::Precondition)?;
                let decided = authority.decide(caller, id, &if_match, decision)?;
                Ok((describe(authority, &decided, true), decided.etag))
            },
        )
        .await?;
    Ok(HttpResponse::Ok().insert_header(("etag", etag)).json(body))
}

/// Narrows the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Entries of a page, 1 to 1,000 (50).
    limit: Option<i64>,
    /// Cursor of the page.
    after: Option<String>,
    /// `pending`, `approved`, `complete`, `rejected` or `canceled`.
    status: Option<String>,
    /// `enrollment` or `renewal`.
    r#type: Option<String>,
    /// Profile id.
    profile: Option<String>,
    /// The requestor's name.
    requestor: Option<String>,
    /// The agent who took it.
    assigned_to: Option<String>,
    /// RFC 3339.
    created_after: Option<String>,
    /// RFC 3339.
    created_before: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<Filter, Error> {
        let choice = |field: &str, value: &Option<String>, known: &[&str]| match value {
            Some(value) if !known.contains(&value.as_str()) => Err(Error::field(
                field,
                "choice",
                format!("{field} is one of {}", known.join(", ")),
            )),
            _ => Ok(()),
        };
        choice("status", &self.status, &State::NAMES)?;
        choice("type", &self.r#type, &request::Request::TYPES)?;
        Ok(Filter {
            state: self.status,
            renews: self.r#type.map(|name| name == "renewal"),
            profile: self.profile,
            requestor: self.requestor,
            assigned_to: self.assigned_to,
            created_after: moment("created_after", self.created_after)?,
            created_before: moment("created_before", self.created_before)?,
        })
    }
}

/// Reads a time of a query.
pub(super) fn moment(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Error> {
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|_| {
        Error::field(
            field,
            "time",
            format!("{field} is an RFC 3339 time like 2026-11-21T20:45:00Z"),
        )
    })
}

fn parse_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::not_found("request"))
}

/// Reads JSON or a bare PKCS#10.
fn submission(profile: String, body: &Body) -> Result<Submission, Problem> {
    let bare = |csr: Vec<u8>| Submission {
        profile: profile.clone(),
        asked: Asked::Pkcs10(csr),
        inputs: BTreeMap::new(),
        requestor: None,
        authority: None,
        idempotency: None,
    };
    match body.media_type.as_str() {
        "application/json" => from_json(profile, body.json()?),
        "application/pkcs10" | "application/x-pem-file" => {
            // A body that is not even DER or PEM is malformed; all else is judged with the request.
            if !Csr::may_be(&body.bytes) {
                return Err(Problem::bad_request(CsrError::NotDer.to_string()));
            }
            Ok(bare(body.bytes.to_vec()))
        }
        _ => Err(unsupported(
            "application/json, application/pkcs10 and application/x-pem-file",
        )),
    }
}

fn from_json(profile: String, body: SubmitRequest) -> Result<Submission, Problem> {
    let mut inputs = body.inputs.unwrap_or_default();
    let asked = asked(body.csr, body.crmf, body.renew, &mut inputs)?;
    let given = body.requestor.unwrap_or_default();
    let told = |name: &str| inputs.get(name).filter(|value| !value.is_empty()).cloned();
    let requestor = Requestor {
        name: given.name.or_else(|| told("requestor_name")),
        email: given.email.or_else(|| told("requestor_email")),
        phone: given.phone.or_else(|| told("requestor_phone")),
    };
    Ok(Submission {
        profile,
        asked,
        inputs,
        requestor: (requestor != Requestor::default()).then_some(requestor),
        authority: body.authority,
        idempotency: None,
    })
}

/// The request itself: one field, by whichever of its names.
fn asked(
    csr: Option<String>,
    crmf: Option<String>,
    renew: Option<Renew>,
    inputs: &mut BTreeMap<String, String>,
) -> Result<Asked, Problem> {
    if let Some(renew) = renew {
        let others = [REQUEST, REQUEST_TYPE, SERIAL_TO_RENEW];
        let more = others.iter().any(|name| inputs.contains_key(*name));
        return match csr.is_some() || crmf.is_some() || more {
            true => {
                let message = "a renewal takes the request that made the certificate, and no other";
                Err(Problem::field("renew", "one-of", message))
            }
            false => renewal(renew).map(Asked::Renewal),
        };
    }
    if csr.is_none()
        && crmf.is_none()
        && !inputs.contains_key(REQUEST)
        && let Some(text) = inputs.remove(SERIAL_TO_RENEW)
    {
        let serial = text.strip_prefix("0x").unwrap_or(&text).parse();
        let field = "inputs.serial_num";
        return serial.map_or_else(
            |_| Err(not_a_serial(field)),
            |serial| Ok(Asked::Renewal(Renewal::Serial(serial))),
        );
    }
    let wrong_kind = |message| Problem::field("inputs.cert_request_type", "choice", message);
    let kind = inputs.remove(REQUEST_TYPE);
    let kind = kind.map(|name| {
        CsrKind::by_name(&name).ok_or_else(|| wrong_kind("the kind of request is pkcs10 or crmf"))
    });
    let kind = kind.transpose()?;
    let pkcs10 = csr.map(|csr| (CsrKind::Pkcs10, csr));
    let crmf = crmf.map(|crmf| (CsrKind::Crmf, crmf));
    let input = inputs.remove(REQUEST);
    let input = input.map(|text| (kind.unwrap_or(CsrKind::Pkcs10), text));
    let mut given = [pkcs10, crmf, input].into_iter().flatten();
    let (found, text) = match (given.next(), given.next()) {
        (Some(given), None) => given,
        (None, _) => {
            let message = "a certificate request is needed";
            return Err(Problem::field("csr", "required", message));
        }
        (Some(_), Some(_)) => {
            let message = "send one of `csr`, `crmf` and `inputs.cert_request`";
            return Err(Problem::field("csr", "one-of", message));
        }
    };
    if kind.is_some_and(|kind| kind != found) {
        return Err(wrong_kind("the request is of another kind"));
    }
    Ok(match found {
        CsrKind::Pkcs10 => Asked::Pkcs10(text.into_bytes()),
        CsrKind::Crmf => Asked::Crmf(text.into_bytes()),
    })
}

/// Which certificate is renewed: said in one way.
fn renewal(renew: Renew) -> Result<Renewal, Problem> {
    let Renew {
        serial,
        request,
        client_certificate,
    } = renew;
    match (serial, request, client_certificate) {
        (Some(serial), None, None) => match serial.parse::<SerialNumber>() {
            Ok(serial) => Ok(Renewal::Serial(serial)),
            Err(_) => Err(not_a_serial("renew.serial")),
        },
        (None, Some(request), None) => match request.parse() {
            Ok(request) => Ok(Renewal::Request(request)),
            Err(_) => Err(Problem::field(
                "renew.request",
                "syntax",
                "this is no id of a request",
            )),
        },
        (None, None, Some(true)) => Ok(Renewal::ClientCertificate),
        _ => {
            let message =
                "say one of `serial`, `request` and `client_certificate`, the last with true";
            Err(Problem::field("renew", "one-of", message))
        }
    }
}

fn not_a_serial(field: &str) -> Problem {
    Problem::field(field, "syntax", "a serial number is written in hex")
}

fn link_to_certificate(serial: impl std::fmt::Display) -> Link {
    Link {
        id: serial.to_string(),
        link: format!("/pki/certificate/{serial}"),
    }
}

fn certificate(request: &request::Request) -> Option<Link> {
    match &request.state {
        State::Complete(serial) => Some(link_to_certificate(serial)),
        State::Pending | State::Approved(_) | State::Rejected | State::Canceled => None,
    }
}

/// A request in a list: with who asked for what, without the draft and what happened.
fn summary(request: &request::Request, sees_all: bool) -> Request {
    let context = &request.context;
    let original = context.original.as_ref();
    Request {
        id: request.id.to_string(),
        kind: request.type_name().into(),
        status: request.state.name().into(),
        profile: request.profile.clone(),
        created: request.created,
        modified: request.modified,
        violations: request.violations.clone(),
        certificate: certificate(request),
        status_link: format!("{}/status", request.link()),
        requests: Vec::new(),
        profile_version: sees_all.then(|| request.profile_version.clone()),
        renews: original
            .filter(|_| sees_all)
            .map(|original| link_to_certificate(&original.serial)),
        renewal_profile: context.renewal_profile.clone().filter(|_| sees_all),
        requestor: request.requestor.clone().filter(|_| sees_all),
        assigned_to: request.assigned_to.clone().filter(|_| sees_all),
        csr: request
            .asked()
            .ok()
            .filter(|_| sees_all)
            .map(|csr| describe_csr(&csr)),
        changes: (request.changes != Changes::default())
            .then(|| request.changes.clone())
            .filter(|_| sees_all),
        draft: None,
        history: None,
    }
}

/// A request in full, as far as the caller may see it.
pub(super) fn describe(authority: &Authority, submitted: &Submitted, sees_all: bool) -> Request {
    let request = &submitted.request;
    let mut body = summary(request, sees_all);
    let link = |id: &Uuid| Link {
        id: id.to_string(),
        link: format!("/pki/request/{id}"),
    };
    body.requests = submitted.siblings.iter().map(link).collect();
    if sees_all {
        body.history = Some(request.history.clone());
        if request.state == State::Pending {
            match authority.preview(request) {
                Ok(draft) => body.draft = Some(describe_draft(&draft)),
                Err(violations) => body.violations = violations,
            }
        }
    }
    body
}

fn describe_csr(csr: &Csr) -> CsrSummary {
    let validity = csr.validity();
    let controls = csr.controls().iter();
    let text = |kind| (csr.kind() == kind).then(|| csr.text());
    CsrSummary {
        kind: csr.kind().name().into(),
        subject: csr.subject().to_string(),
        key: describe_key(csr.public_key()),
        subject_alt_names: csr
            .alternative_names()
            .iter()
            .map(AlternativeName::to_string)
            .collect(),
        extensions: extension::describe(csr.extensions()),
        not_before: validity.not_before,
        not_after: validity.not_after,
        controls: controls
            .map(|control| (control.name.to_owned(), control.value.clone()))
            .collect(),
        pem: text(CsrKind::Pkcs10),
        crmf: text(CsrKind::Crmf),
    }
}

fn describe_draft(draft: &issue::Draft) -> Draft {
    Draft {
        subject: draft.subject.to_string(),
        subject_alt_names: draft.names.iter().map(AlternativeName::to_string).collect(),
        not_before: draft.not_before,
        not_after: draft.not_after,
        key: describe_key(&draft.public_key),
        extensions: extension::describe(&draft.all_extensions().unwrap_or_default()),
    }
}
