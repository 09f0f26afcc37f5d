//! `chancery-kra`: the key recovery authority, alone.

use std::process::ExitCode;

use clap::Command;
use common::clock::Clock;
use common::http::server::Listeners;
use common::process::{self, Process, SETTINGS};
use kra::{Kra, http};

fn main() -> ExitCode {
    let command = Command::new("chancery-kra")
        .about("Key recovery authority")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Example:\n  chancery-kra --data-dir ./chancery-data/kra");
    let command = process::with_arguments(command, "./chancery-data/kra", &SETTINGS);
    match process::parse(command) {
        Ok(flags) => process::exit(run(&flags)),
        Err(code) => code,
    }
}

fn run(flags: &clap::ArgMatches) -> Result<(), String> {
    let (data_dir, settings) = process::settings(&SETTINGS, flags)?;
    let process = Process::new(data_dir, &settings, "127.0.0.1:8444", None)?;
    let listeners = Listeners::bind(process.https, process.http)?;
    let folder = process.open_folder()?;
    let kek = process.kek()?;
    let kra = Kra::open(folder.path(), &kek, Clock::System)?;
    let (tls, _) = process.tls(folder.path(), &kek)?;
    let roles = vec![kra.role()];
    let mount = move |config: &mut actix_web::web::ServiceConfig| http::routes(config, kra.clone());
    let nothing = |_: &mut actix_web::web::ServiceConfig| {};
    actix_web::rt::System::new().block_on(process.serve(
        listeners,
        &tls,
        roles,
        (mount, nothing),
        std::future::ready(Ok(())),
        || {},
    ))
}
