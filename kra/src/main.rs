//! `chancery-kra`: the key recovery authority, alone.

use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use client::Endpoint;
use common::clock::Clock;
use common::config::Setting;
use common::crypto::KeyEncryptionKey;
use common::http::server::Listeners;
use common::http::tls::Tls;
use common::keystore::KeyStore;
use common::process::{self, Process};
use common::upkeep::{self, Upkeep};
use kra::{Kra, http};

/// Where the CA is.
const CA_URL: Setting = Setting {
    key: "ca_url",
    value: "URL",
    help: "The CA that renews our certificates",
};

fn main() -> ExitCode {
    let command = Command::new("chancery-kra")
        .about("Key recovery authority")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Example:\n  chancery-kra --data-dir ./chancery-data/kra");
    let settings = [&process::SETTINGS[..], &[CA_URL]].concat();
    let command = process::with_arguments(command, "./chancery-data/kra", &settings);
    match process::parse(command) {
        Ok(flags) => process::exit(run(&settings, &flags)),
        Err(code) => code,
    }
}

fn run(known: &[Setting], flags: &clap::ArgMatches) -> Result<(), String> {
    let (data_dir, settings) = process::settings(known, flags)?;
    let process = Process::new(data_dir, &settings, "127.0.0.1:8444", None)?;
    let ca_url: Option<String> = settings.get("ca_url")?;
    if let Some(url) = &ca_url {
        process::check_http_url("ca_url", url)?;
    }
    let listeners = Listeners::bind(process.https, process.http)?;
    let folder = process.open_folder()?;
    let kek = process.kek()?;
    let kra = Kra::open(folder.path(), &kek, Clock::System)?;
    let (tls, anchors) = process.tls(folder.path(), &kek)?;
    if let Some(url) = ca_url {
        let keys = KeyStore {
            folder: folder.path(),
            kek: &kek,
        };
        let identity = keys.identity("subsystem")?;
        let ca = Endpoint::new(&url, &anchors, Some(&identity)).map_err(|e| e.to_string())?;
        let all = upkeep(folder.path(), &kek, &tls, &kra, &ca);
        process::spawn("upkeep", move || {
            let ask = |profile: &str, csr: Vec<u8>| ca.issue(profile, &csr);
            upkeep::keep(&all, &Clock::System, &ask);
        });
    }
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

fn upkeep(
    folder: &Path,
    kek: &KeyEncryptionKey,
    tls: &Tls,
    kra: &Kra,
    ca: &Endpoint,
) -> Vec<Upkeep> {
    let mut all = upkeep::of_service(folder, kek, "caSubsystemCert", tls.clone(), {
        let ca = ca.clone();
        move |identity| ca.replace_credential(&identity).map_err(|e| e.to_string())
    });
    all.push(kra.upkeep(folder, kek));
    all
}
