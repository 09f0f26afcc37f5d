//! `chancery`: the command line for people.

mod authority;
mod certificate;
mod completion;
mod crl;
mod error;
mod files;
mod import;
mod init;
mod install;
mod job;
mod list;
mod ocsp;
mod output;
mod profile;
mod request;
mod revocations;
mod service;
mod statistics;
mod up;
mod view;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use error::Error;
use service::Service;

/// Certificates from request to revocation.
#[derive(Debug, Parser)]
#[command(
    name = "chancery",
    version,
    arg_required_else_help = true,
    after_help = "\
Example:
  chancery up
  chancery request submit caServerCert --csr server.csr
  chancery --credential chancery-data/credentials/agent1.pem request list --status pending

Exit code: 0 done, 1 refused or failed, 2 wrong usage; `ocsp check` has its own."
)]
struct Arguments {
    #[command(flatten)]
    service: Service,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run CA, KRA and OCSP responder in one process; the first start makes a new PKI
    #[command(
        after_help = "Example:\n  chancery up --data-dir ./chancery-data --https 127.0.0.1:8443 --http 127.0.0.1:8080"
    )]
    Up(up::Up),
    /// Make the data folders of services that run alone
    Init(Box<init::Init>),
    /// Certificate requests: submit, look at, decide
    #[command(subcommand)]
    Request(request::Command),
    /// Certificates: look at, revoke, hold, release
    #[command(subcommand)]
    Cert(certificate::Command),
    /// Certificate revocation lists
    #[command(subcommand)]
    Crl(crl::Command),
    /// The status of a certificate by OCSP
    #[command(subcommand)]
    Ocsp(ocsp::Command),
    /// Profiles: what can be asked for
    #[command(subcommand)]
    Profile(profile::Command),
    /// Authorities: make, certify, stop, renew, delete
    #[command(subcommand)]
    Authority(authority::Command),
    /// Take over what another program ran
    #[command(subcommand)]
    Import(import::Command),
    /// Jobs: timed and long work
    #[command(subcommand)]
    Job(job::Command),
    /// Numbers about certificates and requests
    #[command(
        after_help = "Example:\n  chancery --credential chancery-data/credentials/agent1.pem statistics"
    )]
    Statistics(statistics::Numbers),
    /// Print a completion script for a shell
    Completion(completion::Completion),
}

impl Command {
    fn run(&self, service: &Service) -> Result<ExitCode, Error> {
        match self {
            Self::Up(command) => command.run().map(done).map_err(Error::Operation),
            Self::Init(command) => command.run().map(done).map_err(Error::Operation),
            Self::Request(command) => command.run(service).map(done),
            Self::Cert(command) => command.run(service).map(done),
            Self::Crl(command) => command.run(service).map(done),
            Self::Ocsp(command) => command.run(service),
            Self::Profile(command) => command.run(service).map(done),
            Self::Authority(command) => command.run(service).map(done),
            Self::Import(command) => command.run().map(done).map_err(Error::Operation),
            Self::Job(command) => command.run(service).map(done),
            Self::Statistics(command) => command.run(service).map(done),
            Self::Completion(command) => command.run(Arguments::command()).map(done),
        }
    }

    /// The exit code when it fails.
    fn failure(&self) -> ExitCode {
        match self {
            Self::Ocsp(_) => ExitCode::from(ocsp::FAILED),
            Self::Up(_)
            | Self::Init(_)
            | Self::Request(_)
            | Self::Cert(_)
            | Self::Crl(_)
            | Self::Profile(_)
            | Self::Authority(_)
            | Self::Import(_)
            | Self::Job(_)
            | Self::Statistics(_)
            | Self::Completion(_) => ExitCode::FAILURE,
        }
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    let Arguments { service, command } = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => return usage_code(&error),
    };
    command.run(&service).unwrap_or_else(|error| {
        for line in error.lines() {
            output::warn("error", &line);
        }
        command.failure()
    })
}

fn arguments() -> Result<Arguments, clap::Error> {
    let matches = Arguments::command().try_get_matches()?;
    let mut arguments = Arguments::from_arg_matches(&matches)
        .map_err(|error| error.format(&mut Arguments::command()))?;
    arguments.service.url_is_flag = matches.value_source("url") == Some(ValueSource::CommandLine);
    Ok(arguments)
}

/// Wrong usage is 2, as everywhere; only `ocsp check` means something else by that.
fn usage_code(error: &clap::Error) -> ExitCode {
    let code = common::process::report_usage(error);
    let ocsp = std::env::args_os().any(|argument| argument == OsStr::new("ocsp"));
    match code == ExitCode::from(2) && ocsp {
        true => ExitCode::from(ocsp::FAILED),
        false => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
