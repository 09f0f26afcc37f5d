//! Requests: insert, find, list, compare-and-set.

use common::api::ca::Changes;
use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use common::x509::{CsrKind, SerialNumber};
use diesel::prelude::*;
use uuid::Uuid;

use super::schema::requests;
use crate::Error;
use crate::request::{Request, State};

#[derive(Insertable, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = requests, treat_none_as_null = true)]
struct Row {
    id: String,
    version: i64,
    state: String,
    profile: String,
    profile_version: String,
    authority: String,
    created_at: i64,
    modified_at: i64,
    csr: Vec<u8>,
    requestor: Option<String>,
    requestor_name: Option<String>,
    assigned_to: Option<String>,
    serial: Option<Vec<u8>>,
    violations: String,
    history: String,
    kind: String,
    submission: Option<String>,
    changes: Option<String>,
    context: String,
    renews: Option<Vec<u8>>,
}

/// What a list of requests is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// State by name.
    pub state: Option<String>,
    /// Whether it renews a certificate.
    pub renews: Option<bool>,
    /// Profile id.
    pub profile: Option<String>,
    /// The requestor's name.
    pub requestor: Option<String>,
    /// The agent who took it.
    pub assigned_to: Option<String>,
    /// Not before.
    pub created_after: Option<Timestamp>,
    /// Not after.
    pub created_before: Option<Timestamp>,
}

/// Adds a new request.
pub fn insert(connection: &mut Connection, request: &Request) -> Result<(), Error> {
    let row = Row::try_from(request)?;
    on!(connection, |c| diesel::insert_into(requests::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

/// Writes a changed request if nobody changed it since; `false` means that somebody was faster.
pub fn update(connection: &mut Connection, request: &Request) -> Result<bool, Error> {
    let row = Row::try_from(request)?;
    let before = requests::table
        .find(row.id.clone())
        .filter(requests::version.eq(row.version - 1));
    let changed = on!(connection, |c| diesel::update(before).set(row).execute(c))?;
    Ok(changed == 1)
}

/// The request with this id.
pub fn find(connection: &mut Connection, id: Uuid) -> Result<Request, Error> {
    let row: Option<Row> = on!(connection, |c| requests::table
        .find(id.to_string())
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.ok_or(Error::NotFound("request"))?.try_into()
}

/// The requests that the same submission made, in their order, without this one.
pub fn siblings(connection: &mut Connection, request: &Request) -> Result<Vec<Uuid>, Error> {
    let Some(submission) = request.submission else {
        return Ok(Vec::new());
    };
    let ids: Vec<String> = on!(connection, |c| requests::table
        .filter(requests::submission.eq(submission.to_string()))
        .filter(requests::id.ne(request.id.to_string()))
        .order(requests::id)
        .select(requests::id)
        .load(c))?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}

/// At most `limit` pending requests that came before `before`, the oldest first.
pub fn waiting_since(
    connection: &mut Connection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Request>, Error> {
    let rows: Vec<Row> = on!(connection, |c| requests::table
        .filter(requests::state.eq(State::Pending.name()))
        .filter(requests::created_at.lt(before.micros()))
        .order((requests::created_at, requests::id))
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    rows.into_iter().map(Request::try_from).collect()
}

/// A page, newest first, of at most `limit` requests after `after`.
pub fn list(
    connection: &mut Connection,
    filter: &Filter,
    after: Option<(i64, String)>,
    limit: i64,
) -> Result<Vec<Request>, Error> {
    let rows: Vec<Row> = on!(connection, |c| {
        let mut query = requests::table.select(Row::as_select()).into_boxed();
        if let Some(state) = &filter.state {
            query = query.filter(requests::state.eq(state));
        }
        match filter.renews {
            Some(true) => query = query.filter(requests::renews.is_not_null()),
            Some(false) => query = query.filter(requests::renews.is_null()),
            None => {}
        }
        if let Some(profile) = &filter.profile {
            query = query.filter(requests::profile.eq(profile));
        }
        if let Some(name) = &filter.requestor {
            query = query.filter(requests::requestor_name.eq(name));
        }
        if let Some(agent) = &filter.assigned_to {
            query = query.filter(requests::assigned_to.eq(agent));
        }
        if let Some(at) = filter.created_after {
            query = query.filter(requests::created_at.ge(at.micros()));
        }
        if let Some(at) = filter.created_before {
            query = query.filter(requests::created_at.le(at.micros()));
        }
        if let Some((created, id)) = after {
            let same_moment = requests::created_at.eq(created).and(requests::id.lt(id));
            query = query.filter(requests::created_at.lt(created).or(same_moment));
        }
        query
            .order((requests::created_at.desc(), requests::id.desc()))
            .limit(limit)
            .load(c)
    })?;
    rows.into_iter().map(Request::try_from).collect()
}

impl TryFrom<&Request> for Row {
    type Error = Error;

    fn try_from(request: &Request) -> Result<Self, Error> {
        let json = |e: serde_json::Error| Error::Internal(e.to_string());
        let requestor = request.requestor.as_ref();
        Ok(Self {
            id: request.id.to_string(),
            version: request.version,
            state: request.state.name().into(),
            profile: request.profile.clone(),
            profile_version: request.profile_version.clone(),
            authority: request.authority.clone(),
            created_at: request.created.micros(),
            modified_at: request.modified.micros(),
            csr: request.csr.clone(),
            requestor: requestor
                .map(serde_json::to_string)
                .transpose()
                .map_err(json)?,
            requestor_name: requestor.and_then(|requestor| requestor.name.clone()),
            assigned_to: request.assigned_to.clone(),
            serial: request
                .state
                .serial()
                .map(|serial| serial.as_bytes().to_vec()),
            violations: serde_json::to_string(&request.violations).map_err(json)?,
            history: serde_json::to_string(&request.history).map_err(json)?,
            kind: request.kind.name().into(),
            submission: request.submission.map(|id| id.to_string()),
            changes: (request.changes != Changes::default())
                .then(|| serde_json::to_string(&request.changes))
                .transpose()
                .map_err(json)?,
            context: serde_json::to_string(&request.context).map_err(json)?,
            renews: request
                .context
                .original
                .as_ref()
                .map(|original| original.serial.parse::<SerialNumber>())
                .transpose()
                .map_err(|e| Error::Internal(e.to_string()))?
                .map(|serial| serial.as_bytes().to_vec()),
        })
    }
}

impl TryFrom<Row> for Request {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let corrupt =
            |what: &str| Error::Internal(format!("request {}: bad {what} on record", row.id));
        let serial = row.serial.as_deref().and_then(SerialNumber::from_bytes);
        let state = match (row.state.as_str(), serial) {
            ("pending", None) => State::Pending,
            ("approved", Some(serial)) => State::Approved(serial),
            ("complete", Some(serial)) => State::Complete(serial),
            ("rejected", None) => State::Rejected,
            ("canceled", None) => State::Canceled,
            _ => return Err(corrupt("state")),
        };
        let changes = row.changes.as_deref().map(serde_json::from_str).transpose();
        let requestor = row
            .requestor
            .as_deref()
            .map(serde_json::from_str)
            .transpose();
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("id"))?,
            kind: CsrKind::by_name(&row.kind).ok_or_else(|| corrupt("kind"))?,
            submission: row
                .submission
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|_| corrupt("submission"))?,
            version: row.version,
            state,
            requestor: requestor.map_err(|_| corrupt("requestor"))?,
            changes: changes.map_err(|_| corrupt("changes"))?.unwrap_or_default(),
            violations: serde_json::from_str(&row.violations).map_err(|_| corrupt("violations"))?,
            history: serde_json::from_str(&row.history).map_err(|_| corrupt("history"))?,
            context: serde_json::from_str(&row.context).map_err(|_| corrupt("context"))?,
            profile: row.profile,
            profile_version: row.profile_version,
            authority: row.authority,
            created: Timestamp::from_micros(row.created_at),
            modified: Timestamp::from_micros(row.modified_at),
            csr: row.csr,
            assigned_to: row.assigned_to,
        })
    }
}
