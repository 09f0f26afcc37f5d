//! `chancery-ocsp`: the OCSP responder, alone.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use clap::Command;
use client::Endpoint;
use common::clock::Clock;
use common::config::Setting;
use common::http::server::Listeners;
use common::keystore::KeyStore;
use common::process::{self, Process};
use common::upkeep;
use ocsp::{Config, Ocsp, config, create, http};

/// Where the CA is.
const CA_URL: Setting = Setting {
    key: "ca_url",
    value: "URL",
    help: "The CA to follow [default: https://127.0.0.1:8443]",
};

fn main() -> ExitCode {
    let command = Command::new("chancery-ocsp")
        .about("OCSP responder")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Example:\n  chancery-ocsp --data-dir ./chancery-data/ocsp --ca-url https://ca.example:8443");
    let settings = all_settings();
    let command = process::with_arguments(command, "./chancery-data/ocsp", &settings);
    match process::parse(command) {
        Ok(flags) => process::exit(run(&settings, &flags)),
        Err(code) => code,
    }
}

fn all_settings() -> Vec<Setting> {
    [&process::SETTINGS[..], &config::SETTINGS, &[CA_URL]].concat()
}

fn run(known: &[Setting], flags: &clap::ArgMatches) -> Result<(), String> {
    let (data_dir, settings) = process::settings(known, flags)?;
    let process = Process::new(
        data_dir,
        &settings,
        "127.0.0.1:8445",
        Some("127.0.0.1:8081"),
    )?;
    let config = Config::new(&settings)?;
    let ca_url: String = settings.get_or("ca_url", "https://127.0.0.1:8443".into())?;
    process::check_http_url("ca_url", &ca_url)?;
    let listeners = Listeners::bind(process.https, process.http)?;
    let folder = process.open_folder()?;
    let kek = process.kek()?;
    let (tls, anchors) = process.tls(folder.path(), &kek)?;
    let identity = KeyStore {
        folder: folder.path(),
        kek: &kek,
    }
    .identity("subsystem")?;
    let ca = Endpoint::new(&ca_url, &anchors, Some(&identity)).map_err(|e| e.to_string())?;
    let all = upkeep::of_service(folder.path(), &kek, "caSubsystemCert", tls.clone(), {
        let ca = ca.clone();
        move |identity| ca.replace_credential(&identity).map_err(|e| e.to_string())
    });
    let renewing = ca.clone();
    process::spawn("upkeep", move || {
        let ask = |profile: &str, csr: Vec<u8>| renewing.issue(profile, &csr);
        upkeep::keep(&all, &Clock::System, &ask);
    });
    let issuer = anchors
        .first()
        .cloned()
        .ok_or("ca.pem has no certificate")?;
    let responder = create::open(folder.path(), kek, config, issuer, ca, Clock::System)?;
    let ocsp = Ocsp::new(Arc::new(responder));
    ocsp.start();
    let roles = vec![ocsp.role()];
    let waiting = ocsp.clone();
    let mount = move |config: &mut ServiceConfig| http::routes(config, ocsp.clone());
    actix_web::rt::System::new().block_on(process.serve(
        listeners,
        &tls,
        roles,
        (mount.clone(), mount),
        until_ready(waiting),
        || {},
    ))
}

/// The responder serves from the start, and says that it is ready when it can answer; a CA that is
/// away only delays the word, for ten seconds at most.
async fn until_ready(ocsp: Ocsp) -> Result<(), String> {
    for _ in 0..1_000 {
        if ocsp.responder().readiness().is_empty() {
            return Ok(());
        }
        actix_web::rt::time::sleep(Duration::from_millis(10)).await;
    }
    tracing::warn!(reasons = ?ocsp.responder().readiness(), "not ready yet");
    Ok(())
}
