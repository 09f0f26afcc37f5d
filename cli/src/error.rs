//! What can go wrong, in words for people.

use std::io;

use common::api::{Problem, Violation};

use crate::ocsp::Distrust;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A service refused, or was not reached.
    #[error(transparent)]
    Service(#[from] client::Error),
    /// A file cannot be read or written.
    #[error("{path}: {why}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{path}: {what}")]
    Content {
        /// Its path.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The trust anchor is missing.
    #[error("{path}: {why} (the trust anchor for TLS; `--ca-file` names another)")]
    NoAnchor {
        /// Where it was expected.
        path: String,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// Nothing can be written to standard output.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    /// The URL is of no use.
    #[error("`{0}` is no http or https URL")]
    Url(String),
    /// A decision needs the tag of what was reviewed.
    #[error("the service sent no ETag for request {0}, so that no decision can be bound to it")]
    NoTag(String),
    /// The request that was waited for ended without a certificate.
    #[error("request {id} is {status}")]
    NotIssued {
        /// Its id.
        id: String,
        /// How it ended.
        status: String,
    },
    /// No certificate at hand belongs to the issuer.
    #[error("no certificate of the issuer `{0}` is at hand; `--issuer` names one")]
    NoIssuer(String),
    /// The certificate names no responder.
    #[error("the certificate names no OCSP responder; `--url` names one")]
    NoResponder,
    /// What this machine was to do failed.
    #[error("{0}")]
    Operation(String),
    /// The OCSP answer is not to be relied upon.
    #[error(transparent)]
    Distrust(#[from] Distrust),
}

impl Error {
    /// One line for the error, and one for each further violation.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::Service(error) => match error.problem() {
                Some(problem) => problem_lines(problem),
                None => vec![error.to_string()],
            },
            Self::File { .. }
            | Self::Content { .. }
            | Self::NoAnchor { .. }
            | Self::Output(_)
            | Self::Url(_)
            | Self::NoTag(_)
            | Self::NotIssued { .. }
            | Self::NoIssuer(_)
            | Self::NoResponder
            | Self::Operation(_)
            | Self::Distrust(_) => vec![self.to_string()],
        }
    }
}

fn problem_lines(problem: &Problem) -> Vec<String> {
    let detail = problem.detail.as_deref().unwrap_or(&problem.title);
    // The detail often repeats the first violation, which knows the field as well.
    let (repeated, further): (Vec<_>, Vec<_>) = problem
        .violations
        .iter()
        .partition(|violation| violation.message == detail);
    let first = repeated.first().map_or(detail.to_owned(), |v| located(v));
    let kind = problem.kind.trim_start_matches("/problems/");
    let mut lines = vec![format!("{first} ({}, {kind})", problem.status)];
    lines.extend(further.into_iter().map(located));
    if let Some(id) = &problem.request {
        lines.push(format!("the refusal is on record as {id}"));
    }
    lines
}

/// A violation behind the place where it is.
pub(crate) fn located(violation: &Violation) -> String {
    match (&violation.field, &violation.policy) {
        (Some(field), _) => format!("{field}: {}", violation.message),
        (None, Some(policy)) => format!("policy {policy}: {}", violation.message),
        (None, None) => violation.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_violation_has_its_line_and_its_place() {
        let too_short = Violation::policy("keyConstraint", "key-size", "the key is too short");
        let unknown = Violation::field("colour", "unknown-field", "there is no such field");
        let problem = Problem {
            kind: "/problems/not-acceptable".into(),
            title: "Not acceptable".into(),
            status: 422,
            detail: Some("the key is too short".into()),
            instance: None,
            violations: vec![too_short, unknown],
            request: None,
        };
        let error = Error::from(client::Error::Refused(Box::new(problem)));
        assert_eq!(
            error.lines(),
            [
                "policy keyConstraint: the key is too short (422, not-acceptable)",
                "colour: there is no such field",
            ]
        );
    }
}
