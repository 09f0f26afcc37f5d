//! `chancery init`: data folders for services that run alone.

use std::path::{Path, PathBuf};

use ca::issuer::Places;
use common::crypto::KeySource;
use common::folder::{Content, Folder, VERSION};
use common::process;

use crate::install::{Keks, Layout, install, write};

/// Make the data folders of a new installation
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  chancery init --separate --data-dir pki \\
    --ca-url https://ca.example:8443 --kra-url https://kra.example:8444 --ocsp-url https://ocsp.example:8445
  chancery-ca --data-dir pki/ca")]
pub(crate) struct Init {
    /// One folder each for CA, KRA and OCSP responder, to be run alone
    #[arg(long, required = true)]
    separate: bool,

    /// Folder to fill; must be empty or missing
    #[arg(long, value_name = "DIR", default_value = "./chancery-data")]
    data_dir: PathBuf,

    /// How others reach the CA
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8443")]
    ca_url: String,

    /// How others reach the KRA
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8444")]
    kra_url: String,

    /// How others reach the OCSP responder
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8445")]
    ocsp_url: String,

    /// How clients fetch CRLs and CA certificates [default: port 8080 of the CA's host]
    #[arg(long, value_name = "URL")]
    ca_http_url: Option<String>,

    /// How clients ask the OCSP responder [default: port 8081 of its host]
    #[arg(long, value_name = "URL")]
    ocsp_http_url: Option<String>,

    /// Kind of the CA's key
    #[arg(long, value_name = "KIND", default_value = "ec-p256")]
    ca_key: common::crypto::KeySpec,

    /// Subject of the CA [default: CN=Chancery CA and a random number]
    #[arg(long, value_name = "NAME")]
    ca_subject: Option<String>,
}

/// A service's address taken apart.
struct Place {
    url: String,
    host: String,
    port: u16,
}

impl Place {
    fn new(key: &str, url: &str) -> Result<Self, String> {
        let wrong = || format!("{key}: `{url}` is not like https://host.example:8443");
        process::check_http_url(key, url)?;
        let rest = url
            .strip_prefix("https://")
            .ok_or_else(wrong)?
            .trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (rest, 443),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            host,
            port,
        })
    }

    /// Loopback stays loopback; a service that others reach by name has to listen for them.
    fn listen(&self, port: u16) -> String {
        match self.host.as_str() {
            "localhost" | "127.0.0.1" => format!("127.0.0.1:{port}"),
            "::1" => format!("[::1]:{port}"),
            _ => format!("0.0.0.0:{port}"),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = ["localhost", "127.0.0.1", "::1"]
            .map(str::to_owned)
            .to_vec();
        if !names.contains(&self.host) {
            names.push(self.host.clone());
        }
        names
    }

    fn http_url(&self, given: &Option<String>, port: u16) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        given
            .clone()
            .unwrap_or_else(|| format!("http://{host}:{port}"))
    }
}

fn port_of(url: &str, default: u16) -> u16 {
    let host = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let port = host
        .and_then(|host| host.rsplit_once(':'))
        .and_then(|(_, port)| port.parse().ok());
    port.unwrap_or(default)
}

impl Init {
    pub(crate) fn run(&self) -> Result<(), String> {
        let ca = Place::new("--ca-url", &self.ca_url)?;
        let kra = Place::new("--kra-url", &self.kra_url)?;
        let ocsp = Place::new("--ocsp-url", &self.ocsp_url)?;
        let ca_http = ca.http_url(&self.ca_http_url, 8080);
        let ocsp_http = ocsp.http_url(&self.ocsp_http_url, 8081);
        process::check_http_url("--ca-http-url", &ca_http)?;
        process::check_http_url("--ocsp-http-url", &ocsp_http)?;
        let config = ca::Config {
            key: self.ca_key,
            subject: self.ca_subject.clone(),
            ..ca::Config::new(&common::config::Settings::default())?
        };
        if let Some(subject) = &self.ca_subject {
            let name = common::x509::name::parse(subject);
            let name = name.map_err(|e| format!("--ca-subject: {e}"))?;
            if name.is_empty() {
                return Err("--ca-subject: must not be empty".into());
            }
        }
        let (folder, content) = Folder::open(&self.data_dir)?;
        if content == Content::Complete {
            return Err(format!(
                "the data folder {} holds an installation already",
                self.data_dir.display()
            ));
        }
        let created = folder.create(|staging| {
            let names = [&ca, &kra, &ocsp].map(Place::names);
            make(staging, &config, names, Places::new(&ca_http, &ocsp_http))?;
            let files = [
                ("ca", ca_toml(&ca, &kra, &ca_http, &ocsp_http)),
                ("kra", kra_toml(&kra, &ca)),
                ("ocsp", ocsp_toml(&ocsp, &ca, &ocsp_http)),
            ];
            for (service, text) in files {
                write(
                    &staging.join(service).join("chancery.toml"),
                    text.as_bytes(),
                    false,
                )?;
                write(
                    &staging.join(service).join("version"),
                    VERSION.to_string().as_bytes(),
                    false,
                )?;
            }
            Ok(())
        });
        if let Err(error) = created {
            folder.abandon();
            return Err(error);
        }
        let dir = self.data_dir.display();
        println!("made {dir}/ca, {dir}/kra and {dir}/ocsp; the trust anchor is {dir}/ca.pem");
        println!("start them with: chancery-ca --data-dir {dir}/ca");
        println!("                 chancery-kra --data-dir {dir}/kra");
        println!("                 chancery-ocsp --data-dir {dir}/ocsp");
        Ok(())
    }
}

fn make(
    staging: &Path,
    config: &ca::Config,
    names: [Vec<String>; 3],
    places: Places,
) -> Result<(), String> {
    let folders = ["ca", "kra", "ocsp"].map(|service| staging.join(service));
    let kek = |folder: &PathBuf| {
        common::folder::create_private(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let path = folder.join("secret.key");
        Keks::make(&KeySource::File(path.clone()), &path, &path)
    };
    let [ca, kra, ocsp] = &folders;
    let keks = Keks::Separate(Box::new([kek(ca)?, kek(kra)?, kek(ocsp)?]));
    let mut anchors: Vec<PathBuf> = folders.iter().map(|folder| folder.join("ca.pem")).collect();
    anchors.push(staging.join("ca.pem"));
    let layout = Layout {
        ca: ca.clone(),
        kra: kra.clone(),
        ocsp: ocsp.clone(),
        tls: folders.iter().cloned().zip(names).collect(),
        credentials: staging.join("credentials"),
        anchors,
    };
    install(&layout, &keks, config, places)
}

fn ca_toml(ca: &Place, kra: &Place, http: &str, ocsp_http: &str) -> String {
    format!(
        "https = \"{}\"\nhttp = \"{}\"\npublic_http_url = \"{http}\"\nocsp_http_url = \"{ocsp_http}\"\nkra_url = \"{}\"\nhosts = \"{}\"\n",
        ca.listen(ca.port),
        ca.listen(port_of(http, 80)),
        kra.url,
        ca.host,
    )
}

fn kra_toml(kra: &Place, ca: &Place) -> String {
    format!(
        "https = \"{}\"\nca_url = \"{}\"\nhosts = \"{}\"\n",
        kra.listen(kra.port),
        ca.url,
        kra.host
    )
}

fn ocsp_toml(ocsp: &Place, ca: &Place, http: &str) -> String {
    format!(
        "https = \"{}\"\nhttp = \"{}\"\nca_url = \"{}\"\nhosts = \"{}\"\n",
        ocsp.listen(ocsp.port),
        ocsp.listen(port_of(http, 80)),
        ca.url,
        ocsp.host,
    )
}
