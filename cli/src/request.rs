//! `chancery request`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use client::Endpoint;
use common::api::Page;
use common::api::ca::{Changes, Decision, Renew, Request, Requestor, SubmitRequest};
use common::clock::Timestamp;
use common::x509::{AlternativeName, base64, der_from, pem};

use crate::error::Error;
use crate::output::{self, Table};
use crate::service::Service;
use crate::{files, list, view};

/// How often `--wait` asks.
const WAIT: Duration = Duration::from_secs(2);

/// What can be done with requests.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for a certificate
    #[command(after_help = "\
Example:
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \\
    -keyout server.key -subj /CN=host.example | chancery request submit caServerCert --csr - --wait
  chancery request submit caManualRenewal --renew 5f3a…
  chancery request submit caSSLClientSelfRenewal --renew-own")]
    Submit(Submit),
    /// List requests, newest first
    #[command(after_help = "Example:\n  chancery request list --status pending")]
    List(List),
    /// Show a request
    #[command(after_help = "Example:\n  chancery request show 6b2f…")]
    Show {
        /// The request's id
        id: String,
    },
    /// Approve a request, and issue its certificate
    #[command(after_help = "\
Example:
  chancery request approve 6b2f… --san dns:a.example --san dns:b.example --note 'owner called back'")]
    Approve(Change),
    /// Keep changes with a request; it stays pending
    #[command(after_help = "\
Example:
  chancery request update 6b2f… --subject CN=host.example --note 'spelling'

Without any change, those kept before are taken back.")]
    Update(Change),
    /// Check what an approval would issue, and keep nothing
    #[command(after_help = "Example:\n  chancery request validate 6b2f… --san dns:a.example")]
    Validate(Validate),
    /// Refuse a request for good
    #[command(after_help = "Example:\n  chancery request reject 6b2f… --note 'unknown host'")]
    Reject(Decide),
    /// Close a request without judgement
    #[command(after_help = "Example:\n  chancery request cancel 6b2f…")]
    Cancel(Decide),
    /// Take a request for yourself
    #[command(after_help = "Example:\n  chancery request assign 6b2f…")]
    Assign(Decide),
    /// Give a request back
    #[command(after_help = "Example:\n  chancery request unassign 6b2f…")]
    Unassign(Decide),
}

/// `request submit`.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The profile's id
    profile: String,

    /// PKCS#10 request, PEM or DER, `-` for standard input
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,

    /// CRMF messages instead, DER or base64, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "csr")]
    crmf: Option<PathBuf>,

    #[command(flatten)]
    renewal: Renewal,

    /// One of the profile's inputs; may be repeated
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input)]
    inputs: Vec<(String, String)>,

    /// Your name
    #[arg(long)]
    name: Option<String>,

    /// Your e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// Your telephone number
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,

    /// The issuing authority
    #[arg(long, value_name = "ID")]
    authority: Option<String>,

    /// Wait until it is decided
    #[arg(long)]
    wait: bool,

    /// Explain what every policy of the profile would do, and ask for nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
}

/// The certificate to renew, instead of a request.
#[derive(Debug, Args)]
#[group(id = "renewal", multiple = false, conflicts_with_all = ["csr", "crmf"])]
struct Renewal {
    /// Renew the certificate with this serial number instead
    #[arg(long, value_name = "SERIAL")]
    renew: Option<String>,

    /// Renew the certificate that this request made instead
    #[arg(long, value_name = "ID")]
    renew_request: Option<String>,

    /// Renew the certificate of your own credential instead
    #[arg(long)]
    renew_own: bool,
}

/// `request list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// pending, approved, complete, rejected or canceled
    #[arg(long)]
    status: Option<String>,

    /// enrollment or renewal
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,

    /// The profile's id
    #[arg(long, value_name = "ID")]
    profile: Option<String>,

    /// How many at most
    #[arg(long, value_name = "N", default_value = "50")]
    limit: NonZeroUsize,
}

/// `request approve` and `request update`.
#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    decide: Decide,

    #[command(flatten)]
    content: Content,
}

/// `request validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The request's id
    id: String,

    #[command(flatten)]
    content: Content,
}

/// What differs from the draft.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// Another subject, RFC 4514
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// An alternative name: dns:…, ip:…, email:…, uri:…; may be repeated, all replace those asked for
    #[arg(long = "san", value_name = "NAME")]
    names: Vec<AlternativeName>,

    /// Another start, RFC 3339
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,

    /// Another end, RFC 3339
    #[arg(long, value_name = "TIME")]
    not_after: Option<Timestamp>,
}

/// A request that is decided.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The request's id
    id: String,

    /// A note for the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        match self {
            Self::Submit(submit) => submit.run(service),
            Self::List(list) => list.run(service),
            Self::Show { id } => {
                let request = service.endpoint()?.request(id)?.value;
                output::show(service.json, &request, view::request)
            }
            Self::Approve(Change { decide, content }) => {
                let changes = content.changes();
                let decision = Decision::Approved {
                    changes: (changes != Changes::default()).then_some(changes),
                    note: decide.note.clone(),
                };
                decide.run(service, &decision)
            }
            Self::Update(Change { decide, content }) => {
                let decision = Decision::Updated {
                    changes: content.changes(),
                    note: decide.note.clone(),
                };
                decide.run(service, &decision)
            }
            Self::Validate(Validate { id, content }) => {
                let changes = content.changes();
                let decision = Decision::Validated {
                    changes: (changes != Changes::default()).then_some(changes),
                };
                let endpoint = service.endpoint()?;
                let tag = tag(id, endpoint.request(id)?.etag)?;
                let validated = endpoint.decide(id, &tag, &decision)?;
                output::show(service.json, &validated, view::request)
            }
            Self::Reject(decide) => {
                let note = decide.note.clone();
                decide.run(service, &Decision::Rejected { note })
            }
            Self::Cancel(decide) => {
                let note = decide.note.clone();
                decide.run(service, &Decision::Canceled { note })
            }
            Self::Assign(decide) => {
                let note = decide.note.clone();
                decide.run(service, &Decision::Assigned { note })
            }
            Self::Unassign(decide) => {
                let note = decide.note.clone();
                decide.run(service, &Decision::Unassigned { note })
            }
        }
    }
}

impl Submit {
    fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        if self.dry_run {
            let run = endpoint.dry_run(&self.profile, &self.body()?)?;
            return output::show(service.json, &run, view::dry_run);
        }
        let mut request = endpoint.submit(&self.profile, &self.body()?)?;
        if self.wait {
            request = decided(&endpoint, request)?;
        }
        output::show(service.json, &request, view::request)?;
        match self.wait && request.status != "complete" {
            true => Err(Error::NotIssued {
                id: request.id,
                status: request.status,
            }),
            false => Ok(()),
        }
    }

    fn body(&self) -> Result<SubmitRequest, Error> {
        let requestor = Requestor {
            name: self.name.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
        };
        Ok(SubmitRequest {
            csr: self.csr()?,
            crmf: self.crmf()?,
            renew: self.renewal.body(),
            inputs: (!self.inputs.is_empty()).then(|| self.inputs.iter().cloned().collect()),
            requestor: (requestor != Requestor::default()).then_some(requestor),
            authority: self.authority.clone(),
        })
    }

    /// The request as PEM text, and nothing else of the file: people keep private keys beside it.
    fn csr(&self) -> Result<Option<String>, Error> {
        let Some(path) = &self.csr else {
            return Ok(None);
        };
        let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
        let der = der_from(&files::read(path)?, &labels);
        let der = der.ok_or_else(|| files::content(path, "this is no certificate request"))?;
        Ok(Some(pem("CERTIFICATE REQUEST", &der)))
    }

    fn crmf(&self) -> Result<Option<String>, Error> {
        let Some(path) = &self.crmf else {
            return Ok(None);
        };
        let der = der_from(&files::read(path)?, &[]);
        let der = der.ok_or_else(|| files::content(path, "these are no CRMF messages"))?;
        Ok(Some(base64(&der)))
    }
}

impl Renewal {
    fn body(&self) -> Option<Renew> {
        let renew = Renew {
            serial: self.renew.clone(),
            request: self.renew_request.clone(),
            client_certificate: self.renew_own.then_some(true),
        };
        let is_asked =
            renew.serial.is_some() || renew.request.is_some() || renew.client_certificate.is_some();
        is_asked.then_some(renew)
    }
}

/// Waits until `request` is no longer under way.
fn decided(endpoint: &Endpoint, mut request: Request) -> Result<Request, Error> {
    let under_way = |request: &Request| ["pending", "approved"].contains(&&*request.status);
    if under_way(&request) {
        output::warn(
            "note",
            &format!("request {} waits for a decision", request.id),
        );
    }
    while under_way(&request) {
        std::thread::sleep(WAIT);
        match endpoint.request(&request.id) {
            Ok(found) => request = found.value,
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(request)
}

/// Whether asking again may help: a decision takes hours, a restart of the service seconds.
fn passes(error: &client::Error) -> bool {
    match error {
        client::Error::Unreachable { .. } => true,
        client::Error::Refused(problem) => [429, 503].contains(&problem.status),
        client::Error::Unexpected { .. } | client::Error::Credential(_) => false,
    }
}

impl List {
    fn run(&self, service: &Service) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        let terms = list::terms([
            ("status", &self.status),
            ("type", &self.kind),
            ("profile", &self.profile),
        ]);
        let page = list::collect(terms, self.limit, |terms, limit| {
            endpoint.requests(terms, limit)
        })?;
        output::show(service.json, &page, table)
    }
}

impl Content {
    fn changes(&self) -> Changes {
        let names = self.names.iter().map(AlternativeName::to_string).collect();
        Changes {
            subject: self.subject.clone(),
            subject_alt_names: (!self.names.is_empty()).then_some(names),
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }
}

/// The tag of what was reviewed.
fn tag(id: &str, etag: Option<String>) -> Result<String, Error> {
    etag.ok_or_else(|| Error::NoTag(id.to_owned()))
}

impl Decide {
    /// Shows what is decided, and decides exactly that: the tag of what was shown goes along.
    fn run(&self, service: &Service, decision: &Decision) -> Result<(), Error> {
        let endpoint = service.endpoint()?;
        let reviewed = endpoint.request(&self.id)?;
        let tag = tag(&self.id, reviewed.etag)?;
        if !service.json {
            let review = view::review(&reviewed.value, decision);
            output::print(format!("{review}\n").as_bytes())?;
        }
        let decided = endpoint.decide(&self.id, &tag, decision)?;
        output::show(service.json, &decided, view::outcome)
    }
}

fn table(page: &Page<Request>) -> Table<5> {
    let row = |request: &Request| {
        let subject = match (&request.draft, &request.csr) {
            (Some(draft), _) => &draft.subject,
            (None, Some(csr)) => &csr.subject,
            (None, None) => "",
        };
        [
            request.id.clone(),
            request.status.clone(),
            request.created.to_string(),
            request.profile.clone(),
            subject.to_owned(),
        ]
    };
    let headings = ["ID", "STATUS", "CREATED", "PROFILE", "SUBJECT"];
    Table::new(headings, page.entries.iter().map(row))
}

fn input(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("an input is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
