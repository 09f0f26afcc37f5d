//! `chancery ocsp`.

mod answer;
mod question;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use client::Endpoint;
use common::clock::Clock;
use common::x509::{Certificate, extension};
use der::oid::db::rfc5280::ID_AD_OCSP;
use serde::Serialize;
use x509_cert::ext::pkix::AuthorityInfoAccessSyntax;
use x509_cert::ext::pkix::name::GeneralName;

use crate::error::Error;
use crate::files;
use crate::output::{self, Listing};
use crate::service::{Scheme, Service, scheme};
use answer::{Answer, Status};
use question::{Hash, Question};

pub(crate) use answer::Distrust;

/// The exit code when there is no answer to rely upon. 1 and 2 say *revoked* and *unknown*.
pub(crate) const FAILED: u8 = 3;

/// What can be done by OCSP.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for the status of a certificate, and check the answer
    #[command(after_help = "\
The responder's URL is that of the certificate, unless the command line has `--url`. A `--url`
without any path is the base of a service of ours and stands for its `/ocsp`.

Example:
  chancery ocsp check server.pem
  chancery ocsp check server.pem --issuer ca.pem --url http://localhost:8080/ocsp

Exit code: 0 good, 1 revoked, 2 unknown, 3 no answer to rely upon.")]
    Check(Check),
}

/// `ocsp check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The certificate, PEM or DER; its issuer may follow it
    certificate: PathBuf,

    /// The issuer's certificate; otherwise looked for behind the certificate and in the CA file
    #[arg(long, value_name = "FILE")]
    issuer: Option<PathBuf>,

    /// Name the certificate by SHA-1 as older responders want it, instead of SHA-256
    #[arg(long)]
    sha1: bool,
}

/// What we tell about an answer.
#[derive(Debug, Serialize)]
struct Report {
    serial: String,
    subject: String,
    url: String,
    #[serde(flatten)]
    answer: Answer,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<ExitCode, Error> {
        match self {
            Self::Check(check) => check.run(service),
        }
    }
}

impl Check {
    fn run(&self, service: &Service) -> Result<ExitCode, Error> {
        let chain = files::certificates(&self.certificate)?;
        let (certificate, others) = chain.split_first().expect("never empty");
        let issuer = self.issuer(service, certificate, others)?;
        let (base, path) = responder(service, certificate)?;
        let hash = if self.sha1 { Hash::Sha1 } else { Hash::Sha256 };
        let question = Question::new(certificate, &issuer, hash)?;

        let anchors = match scheme(&base) {
            Some(Scheme::Https) => service.anchors()?,
            Some(Scheme::Http) | None => Vec::new(),
        };
        let endpoint = Endpoint::new(&base, &anchors, None)?;
        let answer = endpoint.post_bytes(&path, "application/ocsp-request", question.der())?;
        let answer = Answer::check(&answer, &question, &issuer, Clock::System.now())?;

        let code = answer.status.exit_code();
        let report = Report {
            serial: certificate.serial().to_string(),
            subject: certificate.subject().to_string(),
            url: format!("{base}{path}"),
            answer,
        };
        output::show(service.json, &report, listing)?;
        Ok(code)
    }

    /// The certificate whose key signed `certificate`.
    fn issuer(
        &self,
        service: &Service,
        certificate: &Certificate,
        others: &[Certificate],
    ) -> Result<Certificate, Error> {
        let signed = |issuer: &Certificate| {
            certificate.issuer() == issuer.subject()
                && certificate.verify_signed_by(issuer.public_key()).is_ok()
        };
        let candidates = match &self.issuer {
            Some(path) => files::certificates(path)?,
            None if others.iter().any(signed) => others.to_vec(),
            None => service.anchors().unwrap_or_default(),
        };
        let found = candidates.into_iter().find(signed);
        found.ok_or_else(|| Error::NoIssuer(certificate.issuer().to_string()))
    }
}

impl Status {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Good => 0,
            Self::Revoked { .. } => 1,
            Self::Unknown => 2,
        })
    }
}

/// Where to ask: base URL and path.
fn responder(service: &Service, certificate: &Certificate) -> Result<(String, String), Error> {
    if service.url_is_flag {
        return split(&service.url, "/ocsp").ok_or_else(|| Error::Url(service.url.clone()));
    }
    let extensions = certificate.parsed().tbs_certificate.extensions.as_deref();
    let access = extension::find::<AuthorityInfoAccessSyntax>(extensions.unwrap_or_default());
    let accesses = access.map(|access| access.0).unwrap_or_default();
    let ocsp = accesses
        .iter()
        .filter(|access| access.access_method == ID_AD_OCSP);
    let mut urls = ocsp.filter_map(|access| uri(&access.access_location));
    urls.find_map(|url| split(url, "/"))
        .ok_or(Error::NoResponder)
}

fn uri(name: &GeneralName) -> Option<&str> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        GeneralName::OtherName(_)
        | GeneralName::Rfc822Name(_)
        | GeneralName::DnsName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::IpAddress(_)
        | GeneralName::RegisteredId(_) => None,
    }
}

/// Base and path of an http or https URL; `root` stands for a path that is not there.
fn split(url: &str, root: &str) -> Option<(String, String)> {
    scheme(url)?;
    let host = url.find("://")? + 3;
    let path = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host + at);
    let (base, path) = url.split_at(path);
    let path = if path.is_empty() { root } else { path };
    Some((base.to_owned(), path.to_owned()))
}

fn listing(report: &Report) -> Listing {
    let answer = &report.answer;
    let (revoked, reason) = match &answer.status {
        Status::Revoked { at, reason } => (Some(at), *reason),
        Status::Good | Status::Unknown => (None, None),
    };
    let nonce: &dyn Display = match answer.nonce {
        true => &"returned",
        false => &"not returned: the answer may have been made for somebody else",
    };
    Listing::default()
        .line("status", answer.status.name())
        .maybe("revoked", revoked)
        .maybe("reason", reason)
        .line("serial", &report.serial)
        .line("subject", &report.subject)
        .line("asked at", &report.url)
        .line("responder", &answer.responder)
        .line("produced", answer.produced_at)
        .line("this update", answer.this_update)
        .maybe("next update", answer.next_update)
        .line("nonce", nonce)
}
