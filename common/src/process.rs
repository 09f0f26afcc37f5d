//! What the main function of every service does: settings, data folder, TLS, serving, stopping.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::clock::Clock;
use crate::config::{Setting, Settings, arguments};
use crate::crypto::{KeyEncryptionKey, KeySource};
use crate::folder::{Content, Folder};
use crate::http::server::{self, Listeners, Mount};
use crate::http::site::{Role, Site};
use crate::http::tls::{Tls, TlsIdentity};
use crate::keystore::KeyStore;
use crate::telemetry::{self, LogFormat};
use crate::x509::Certificate;
use crate::x509::certificate::chain_from_pem;

/// Settings that every service has.
pub const SETTINGS: [Setting; 7] = [
    Setting {
        key: "https",
        value: "ADDRESS",
        help: "Where to serve HTTPS; port 0 picks one [default: on loopback]",
    },
    Setting {
        key: "http",
        value: "ADDRESS",
        help: "Where to serve what PKIX clients fetch without TLS; port 0 picks one [default: on loopback]",
    },
    Setting {
        key: "public_http_url",
        value: "URL",
        help: "How clients reach the plain listener; written into certificates [default: http://localhost:PORT]",
    },
    Setting {
        key: "hosts",
        value: "NAMES",
        help: "Further host names and addresses that the service answers to, separated by commas",
    },
    Setting {
        key: "secret_key",
        value: "SOURCE",
        help: "Key under which private keys rest: file:PATH, env:NAME or credential:NAME [default: file:DIR/secret.key]",
    },
    Setting {
        key: "log",
        value: "FILTER",
        help: "What to log: error, warn, info, debug, or a filter such as warn,ca=debug [default: info]",
    },
    Setting {
        key: "log_format",
        value: "FORMAT",
        help: "text or json [default: text]",
    },
];

/// The settings of [`SETTINGS`], read.
#[derive(Clone, Debug)]
pub struct Process {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where to serve HTTPS.
    pub https: SocketAddr,
    /// Where to serve plain HTTP.
    pub http: Option<SocketAddr>,
    /// How clients reach the plain listener, when it was said.
    pub public_http_url: Option<String>,
    /// Further names of ours.
    pub hosts: Vec<String>,
    /// Where the key-encryption key is.
    pub secret_key: KeySource,
}

/// Adds `--data-dir` and a flag for each setting to a command.
pub fn with_arguments(command: Command, data_dir: &'static str, settings: &[Setting]) -> Command {
    let folder = Arg::new("data-dir")
        .long("data-dir")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .default_value(data_dir)
        .help("Folder with databases, keys and chancery.toml");
    command.arg(folder).args(arguments(settings))
}

/// The data folder on the command line, and the settings in force.
pub fn settings(settings: &[Setting], flags: &ArgMatches) -> Result<(PathBuf, Settings), String> {
    let data_dir = flags
        .get_one::<PathBuf>("data-dir")
        .cloned()
        .unwrap_or_default();
    let settings = Settings::load(settings, flags, &data_dir.join("chancery.toml"))?;
    Ok((data_dir, settings))
}

impl Process {
    /// Reads the settings and starts logging. `https` and `http` are the default addresses.
    pub fn new(
        data_dir: PathBuf,
        settings: &Settings,
        https: &str,
        http: Option<&str>,
    ) -> Result<Self, String> {
        let log: String = settings.get_or("log", "info".to_owned())?;
        telemetry::start(
            &log,
            settings.get_or::<LogFormat>("log_format", LogFormat::Text)?,
        )?;
        let default = |text: &str| text.parse::<SocketAddr>().map_err(|e| e.to_string());
        let hosts: String = settings.get_or("hosts", String::new())?;
        let hosts: Vec<String> = hosts
            .split(',')
            .map(str::trim)
            .filter(|h| !h.is_empty())
            .map(str::to_owned)
            .collect();
        for host in &hosts {
            let known = host.parse::<IpAddr>().is_ok() || crate::x509::san::is_host_name(host);
            if !known {
                return Err(format!("hosts: `{host}` is no host name and no address"));
            }
        }
        let public_http_url: Option<String> = settings.get("public_http_url")?;
        if let Some(url) = &public_http_url {
            check_http_url("public_http_url", url)?;
        }
        let secret_key = settings.get("secret_key")?;
        Ok(Self {
            https: settings.get_or("https", default(https)?)?,
            http: match http {
                Some(http) => Some(settings.get_or("http", default(http)?)?),
                None => settings.get("http")?,
            },
            public_http_url,
            hosts,
            secret_key: secret_key.unwrap_or_else(|| KeySource::File(data_dir.join("secret.key"))),
            data_dir,
        })
    }

    /// The base of the URLs in certificates.
    pub fn public_url(&self, http: Option<SocketAddr>) -> String {
        self.public_http_url.clone().unwrap_or_else(|| {
            let port = http.map_or(80, |address| address.port());
            format!("http://localhost:{port}")
        })
    }

    /// Every name and address that this machine answers to.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"]
            .map(str::to_owned)
            .to_vec();
        names.extend(machine_name());
        let ip = self.https.ip();
        if !ip.is_unspecified() {
            names.push(ip.to_string());
        }
        names.extend(self.hosts.iter().cloned());
        let mut unique = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        unique
    }

    /// Opens a data folder that must be complete.
    pub fn open_folder(&self) -> Result<Folder, String> {
        let path = &self.data_dir;
        if !path.exists() {
            return Err(format!(
                "there is no data folder {}; `chancery init` makes one",
                path.display()
            ));
        }
        match Folder::open(path)? {
            (folder, Content::Complete) => Ok(folder),
            (folder, Content::Empty) => {
                folder.abandon();
                Err(format!(
                    "the data folder {} is empty; `chancery init` makes one",
                    path.display()
                ))
            }
        }
    }

    /// The key-encryption key.
    pub fn kek(&self) -> Result<KeyEncryptionKey, String> {
        KeyEncryptionKey::load(&self.secret_key)
    }

    /// The service's own TLS certificate and the trust anchor, from a service's folder.
    pub fn tls(
        &self,
        folder: &Path,
        kek: &KeyEncryptionKey,
    ) -> Result<(Tls, Vec<Certificate>), String> {
        let anchors = anchors(folder)?;
        let identity: TlsIdentity = KeyStore { folder, kek }.identity("tls")?;
        let tls = Tls::new(&identity, &anchors, Clock::System)?;
        Ok((tls, anchors))
    }

    /// Serves until SIGTERM or SIGINT. `ready` runs once the listeners work; `stopping` runs when
    /// the signal has come, to end what waits.
    pub async fn serve<F: Future<Output = Result<(), String>>>(
        &self,
        listeners: Listeners,
        tls: &Tls,
        roles: Vec<Role>,
        mounts: (impl Mount, impl Mount),
        ready: F,
        stopping: impl FnOnce(),
    ) -> Result<(), String> {
        let (https, http) = (listeners.https(), listeners.http());
        let loopback = https.ip().is_loopback();
        let site = Site::new(roles, self.names(), loopback);
        let running =
            server::start(listeners, tls, site, mounts.0, mounts.1).map_err(|e| e.to_string())?;
        let signal = server::stop_signal();
        tokio::pin!(signal);
        let started = tokio::select! {
            started = ready => started,
            signal = &mut signal => return signal.map_err(|e| e.to_string()),
        };
        started?;
        let plain = http.map_or_else(String::new, |address| format!(" http://{address}"));
        println!("ready https://{https}{plain}");
        signal.await.map_err(|e| e.to_string())?;
        tracing::info!("stopping");
        stopping();
        running.stop().await;
        Ok(())
    }
}

/// The trust anchor in a service's folder.
pub fn anchors(folder: &Path) -> Result<Vec<Certificate>, String> {
    let path = folder.join("ca.pem");
    let pem = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    chain_from_pem(&pem).map_err(|e| format!("{}: {e}", path.display()))
}

/// How to reach a listener of this machine.
pub fn local_url(https: SocketAddr) -> String {
    let port = https.port();
    match https.ip() {
        IpAddr::V6(ip) if !ip.is_unspecified() => format!("https://[{ip}]:{port}"),
        IpAddr::V4(ip) if !ip.is_unspecified() => format!("https://{ip}:{port}"),
        IpAddr::V4(_) | IpAddr::V6(_) => format!("https://127.0.0.1:{port}"),
    }
}

/// Refuses what could not stand in a certificate.
pub fn check_http_url(key: &str, url: &str) -> Result<(), String> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    let sound =
        url.bytes().all(|b| b.is_ascii_graphic()) && host.is_some_and(|host| !host.is_empty());
    match sound {
        true => Ok(()),
        false => Err(format!("{key}: `{url}` is no http or https URL")),
    }
}

/// Parses the command line. Wrong usage becomes one line on stderr and exit code 2; `--help` and
/// `--version` are printed.
pub fn parse(command: Command) -> Result<ArgMatches, ExitCode> {
    command
        .try_get_matches()
        .map_err(|error| report_usage(&error))
}

/// Prints what clap has to say, an error as one line.
pub fn report_usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        let _ = error.print();
        return match error.exit_code() {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(2),
        };
    }
    let text = error.to_string();
    // Some kinds list what is missing on further lines; the hint and the usage come after a blank one.
    let lines = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim);
    eprintln!(
        "{} (--help tells more)",
        lines.collect::<Vec<_>>().join(" ")
    );
    ExitCode::from(2)
}

/// Starts a thread for timed work that goes on as long as the process.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .expect("the system can start a thread");
}

/// Runs a main function; an `Err` becomes one line on stderr and exit code 1.
pub fn exit(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_ascii_lowercase();
    crate::x509::san::is_host_name(&name).then_some(name)
}
