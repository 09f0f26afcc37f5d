//! `chancery-ca`: the certificate authority, alone.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::web::ServiceConfig;
use ca::authority::SystemRequest;
use ca::issuer::Places;
use ca::{Authority, Ca, Config, config, create, http, jobs};
use clap::Command;
use client::Endpoint;
use common::clock::Clock;
use common::config::Setting;
use common::crypto::KeyEncryptionKey;
use common::http::server::Listeners;
use common::http::tls::Tls;
use common::keystore::KeyStore;
use common::process::{self, Process};
use common::upkeep;

/// Where the others are.
const PEERS: [Setting; 2] = [
    Setting {
        key: "kra_url",
        value: "URL",
        help: "The KRA, when there is one",
    },
    Setting {
        key: "ocsp_http_url",
        value: "URL",
        help: "How clients reach the OCSP responder; written into certificates [default: public_http_url]",
    },
];

fn main() -> ExitCode {
    let command = Command::new("chancery-ca")
        .about("Certificate authority")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Example:\n  chancery-ca --data-dir ./chancery-data/ca");
    let settings = [&process::SETTINGS[..], &config::SETTINGS, &PEERS].concat();
    let command = process::with_arguments(command, "./chancery-data/ca", &settings);
    match process::parse(command) {
        Ok(flags) => process::exit(run(&settings, &flags)),
        Err(code) => code,
    }
}

fn run(known: &[Setting], flags: &clap::ArgMatches) -> Result<(), String> {
    let (data_dir, settings) = process::settings(known, flags)?;
    let process = Process::new(
        data_dir,
        &settings,
        "127.0.0.1:8443",
        Some("127.0.0.1:8080"),
    )?;
    let config = Config::new(&settings)?;
    let kra_url: Option<String> = settings.get("kra_url")?;
    let ocsp_url: Option<String> = settings.get("ocsp_http_url")?;
    for (key, url) in [("kra_url", &kra_url), ("ocsp_http_url", &ocsp_url)] {
        url.as_ref()
            .map_or(Ok(()), |url| process::check_http_url(key, url))?;
    }
    let listeners = Listeners::bind(process.https, process.http)?;
    let folder = process.open_folder()?;
    let kek = process.kek()?;
    let (tls, anchors) = process.tls(folder.path(), &kek)?;
    let public_url = process.public_url(listeners.http());
    let places = Places::new(&public_url, ocsp_url.as_deref().unwrap_or(&public_url))
        .with_shards(config.crl.shards);
    let authority = create::open(folder.path(), &kek, &config, places, Clock::System)?;
    let authority = Arc::new(authority);
    jobs::start(&authority).map_err(|e| e.to_string())?;
    let kra = match kra_url {
        None => None,
        Some(url) => {
            let identity = KeyStore {
                folder: folder.path(),
                kek: &kek,
            }
            .identity("subsystem")?;
            Some(Endpoint::new(&url, &anchors, Some(&identity)).map_err(|e| e.to_string())?)
        }
    };
    keep_renewed(&authority, folder.path(), &kek, &tls, kra.clone());
    let ca = Ca::new(authority).with_kra(kra);
    let roles = vec![ca.role()];
    let stopping = ca.clone();
    let plain = ca.clone();
    let secure = move |config: &mut ServiceConfig| {
        http::routes(config, ca.clone());
        http::transport_route(config);
    };
    let plain = move |config: &mut ServiceConfig| http::plain_routes(config, plain.clone());
    actix_web::rt::System::new().block_on(process.serve(
        listeners,
        &tls,
        roles,
        (secure, plain),
        std::future::ready(Ok(())),
        move || stopping.stop(),
    ))
}

/// Our own certificates are renewed by ourselves.
fn keep_renewed(
    authority: &Arc<Authority>,
    folder: &Path,
    kek: &KeyEncryptionKey,
    tls: &Tls,
    kra: Option<Endpoint>,
) {
    let all = upkeep::of_service(folder, kek, "caServerCert", tls.clone(), move |identity| {
        let replaced = kra.as_ref().map(|kra| kra.replace_credential(&identity));
        replaced.transpose().map(drop).map_err(|e| e.to_string())
    });
    let authority = Arc::clone(authority);
    process::spawn("upkeep", move || {
        let ask = |profile, csr| {
            let chain = authority.issue_chain_for_system(SystemRequest { profile, csr });
            chain.map_err(|e| e.to_string())
        };
        upkeep::keep(&all, &Clock::System, &ask);
    });
}
