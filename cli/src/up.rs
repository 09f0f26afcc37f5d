//! `chancery up`: CA, KRA and OCSP responder in one process, on embedded databases.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use ca::authority::SystemRequest;
use ca::issuer::Places;
use ca::{Ca, jobs};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use client::Endpoint;
use common::clock::Clock;
use common::config::Setting;
use common::folder::{Content, Folder};
use common::http::server::Listeners;
use common::keystore::KeyStore;
use common::process::{self, Process};
use common::upkeep::{self, Upkeep};
use kra::Kra;
use ocsp::Ocsp;

use crate::install::{Keks, Layout, install, write};

/// Every setting of `up`.
pub(crate) fn settings() -> Vec<Setting> {
    [
        &process::SETTINGS[..],
        &ca::config::SETTINGS,
        &ocsp::config::SETTINGS,
    ]
    .concat()
}

/// The flags of `up`, as clap found them.
#[derive(Clone, Debug)]
pub(crate) struct Up(ArgMatches);

impl Args for Up {
    fn augment_args(command: Command) -> Command {
        process::with_arguments(command, "./chancery-data", &settings())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Up {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Up {
    /// Starts everything and serves until SIGTERM or SIGINT.
    pub(crate) fn run(&self) -> Result<(), String> {
        let (data_dir, settings) = process::settings(&settings(), &self.0)?;
        let process = Process::new(
            data_dir,
            &settings,
            "127.0.0.1:8443",
            Some("127.0.0.1:8080"),
        )?;
        let ca_config = ca::Config::new(&settings)?;
        let ocsp_config = ocsp::Config::new(&settings)?;
        // Before anything is made, so that a port in use leaves nothing behind.
        let listeners = Listeners::bind(process.https, process.http)?;
        let (folder, content) = Folder::open(&process.data_dir)?;
        let places = places(&process, &listeners).with_shards(ca_config.crl.shards);
        if content == Content::Empty {
            let created =
                folder.create(|staging| create(staging, &process, &ca_config, places.clone()));
            if let Err(error) = created {
                folder.abandon();
                return Err(error);
            }
        }
        let first = content == Content::Empty;
        serve(
            &process,
            listeners,
            &folder,
            (&ca_config, ocsp_config),
            places,
            first,
        )
    }
}

fn places(process: &Process, listeners: &Listeners) -> Places {
    let public = process.public_url(listeners.http());
    Places::new(&public, &public)
}

fn create(
    staging: &Path,
    process: &Process,
    config: &ca::Config,
    places: Places,
) -> Result<(), String> {
    let default = process.data_dir.join("secret.key");
    let kek = Keks::make(&process.secret_key, &default, &staging.join("secret.key"))?;
    let layout = Layout {
        ca: staging.join("ca"),
        kra: staging.join("kra"),
        ocsp: staging.join("ocsp"),
        tls: vec![(staging.join("ca"), process.names())],
        credentials: staging.join("credentials"),
        anchors: ["ca.pem", "ca/ca.pem", "kra/ca.pem", "ocsp/ca.pem"]
            .map(|f| staging.join(f))
            .to_vec(),
    };
    install(&layout, &Keks::Shared(kek), config, places)?;
    write(&staging.join("chancery.toml"), TEMPLATE.as_bytes(), false)
}

const TEMPLATE: &str = "\
# Settings of `chancery up`. Each is also a flag (--public-http-url) and an environment variable
# (CHANCERY_PUBLIC_HTTP_URL); a flag wins over the environment, the environment over this file.
# `chancery up --help` lists them all.

# https = \"127.0.0.1:8443\"
# http = \"127.0.0.1:8080\"
# public_http_url = \"http://pki.example\"
";

fn serve(
    process: &Process,
    listeners: Listeners,
    folder: &Folder,
    (ca_config, ocsp_config): (&ca::Config, ocsp::Config),
    places: Places,
    first: bool,
) -> Result<(), String> {
    let (ca_dir, kra_dir, ocsp_dir) = (
        folder.path().join("ca"),
        folder.path().join("kra"),
        folder.path().join("ocsp"),
    );
    let kek = process.kek()?;
    let (tls, anchors) = process.tls(&ca_dir, &kek)?;
    let authority = ca::create::open(&ca_dir, &kek, ca_config, places, Clock::System)?;
    let root = authority
        .issuer(ca::create::HOST)
        .map_err(|e| e.to_string())?;
    let root = root.certificate.clone();
    let authority = Arc::new(authority);
    jobs::start(&authority).map_err(|e| e.to_string())?;
    let authority_of_upkeep = Arc::clone(&authority);
    let ca = Ca::new(authority);
    let kra = Kra::open(&kra_dir, &kek, Clock::System)?;
    // The responder follows the CA as it would from another machine.
    let identity = KeyStore {
        folder: &ocsp_dir,
        kek: &kek,
    }
    .identity("subsystem")?;
    let url = process::local_url(listeners.https());
    let endpoint = Endpoint::new(&url, &anchors, Some(&identity)).map_err(|e| e.to_string())?;
    let mut all = upkeep::of_service(&ca_dir, &kek, "caServerCert", tls.clone(), |_| Ok(()));
    all.push(upkeep::of_subsystem(&kra_dir, &kek, |_| Ok(())));
    all.push(kra.upkeep(&kra_dir, &kek));
    let renewed = endpoint.clone();
    all.push(upkeep::of_subsystem(&ocsp_dir, &kek, move |identity| {
        renewed
            .replace_credential(&identity)
            .map_err(|e| e.to_string())
    }));
    keep_renewed(authority_of_upkeep, all);
    let responder = ocsp::create::open(&ocsp_dir, kek, ocsp_config, root, endpoint, Clock::System)?;
    let ocsp = Ocsp::new(Arc::new(responder));

    let roles = vec![ca.role(), kra.role(), ocsp.role()];
    let stopping = ca.clone();
    let waiting = ocsp.clone();
    let (plain_ca, plain_ocsp) = (ca.clone(), ocsp.clone());
    let secure = move |config: &mut ServiceConfig| {
        ca::http::routes(config, ca.clone());
        kra::http::routes(config, kra.clone());
        ocsp::http::routes(config, ocsp.clone());
    };
    let plain = move |config: &mut ServiceConfig| {
        ca::http::plain_routes(config, plain_ca.clone());
        ocsp::http::routes(config, plain_ocsp.clone());
    };
    let data_dir = folder.path().to_owned();
    actix_web::rt::System::new().block_on(process.serve(
        listeners,
        &tls,
        roles,
        (secure, plain),
        async move {
            until_ready(&waiting).await?;
            if first {
                welcome(&data_dir, &url);
            }
            Ok(())
        },
        move || stopping.stop(),
    ))
}

/// The certificates of all three services are renewed by the CA beside them.
fn keep_renewed(authority: Arc<ca::Authority>, all: Vec<Upkeep>) {
    process::spawn("upkeep", move || {
        let ask = |profile, csr| {
            let chain = authority.issue_chain_for_system(SystemRequest { profile, csr });
            chain.map_err(|e| e.to_string())
        };
        upkeep::keep(&all, &Clock::System, &ask);
    });
}

/// The responder asks the CA for its certificate and its journal; both are in this process.
async fn until_ready(ocsp: &Ocsp) -> Result<(), String> {
    ocsp.start();
    for _ in 0..3_000 {
        if ocsp.responder().readiness().is_empty() {
            return Ok(());
        }
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
    Err(format!(
        "the OCSP responder does not get ready: {}",
        ocsp.responder().readiness().join(", ")
    ))
}

/// What to do next, on stderr: stdout has the `ready` line only.
fn welcome(data_dir: &Path, url: &str) {
    let dir = data_dir.display();
    eprintln!(
        "\
A new PKI is in {dir}. Its trust anchor is {dir}/ca.pem; credentials for an administrator, three
agents, an auditor and a token system are in {dir}/credentials. Try, from another terminal:

  # a key and a request for it
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout host.key \\
    -subj /CN=host.example -addext subjectAltName=DNS:host.example -out host.csr

  # a certificate at once, asked for by an agent
  curl --cacert {dir}/ca.pem --cert {dir}/credentials/agent1.pem \\
    -H 'Content-Type: application/pkcs10' --data-binary @host.csr \\
    {url}/pki/request/caAgentServerCert

  # what waits for an agent
  curl --cacert {dir}/ca.pem --cert {dir}/credentials/agent1.pem '{url}/pki/requests?status=pending'
"
    );
}
