//! The CA's settings.

use std::path::PathBuf;

use common::config::{Setting, Settings};
use common::crypto::{KeySpec, RequestSignatures};

/// Every setting of the CA.
pub const SETTINGS: [Setting; 20] = [
    Setting {
        key: "ca.denied_keys",
        value: "FILE",
        help: "Keys that get no certificate: SHA-256 of their SubjectPublicKeyInfo, hex, one a line; read again when it changes",
    },
    Setting {
        key: "ca.key",
        value: "KIND",
        help: "Kind of the CA's key, used at first start: ec-p256, ec-p384, ec-p521, rsa-2048, rsa-3072, rsa-4096, rsa-pss-2048, rsa-pss-3072, rsa-pss-4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87 [default: ec-p256]",
    },
    Setting {
        key: "ca.legacy_request_signatures",
        value: "BOOL",
        help: "Accept certificate requests signed with SHA-1 or by RSA keys from 1024 bits [default: false]",
    },
    Setting {
        key: "ca.subject",
        value: "NAME",
        help: "Subject of the CA, used at first start [default: CN=Chancery CA and a random number]",
    },
    Setting {
        key: "ca.validity_max_days",
        value: "DAYS",
        help: "Longest validity of a certificate that is no CA's, whatever its profile says [default: 3660]",
    },
    Setting {
        key: "ca.weak_keys",
        value: "PATH",
        help: "File or folder of weak RSA keys in the form of Debian's openssl-blacklist",
    },
    Setting {
        key: "crl.delta",
        value: "BOOL",
        help: "Make delta CRLs, too [default: false]",
    },
    Setting {
        key: "crl.interval_hours",
        value: "HOURS",
        help: "Time from one CRL of the schedule to the next [default: half of crl.validity_hours]",
    },
    Setting {
        key: "crl.on_revocation",
        value: "BOOL",
        help: "Make a new CRL within a second of each change of status [default: true]",
    },
    Setting {
        key: "crl.on_revocation_max",
        value: "COUNT",
        help: "Above this many entries the CRL waits for its schedule [default: 100000]",
    },
    Setting {
        key: "crl.shards",
        value: "COUNT",
        help: "Parts that the revocations of new certificates are spread over, up to 256 [default: 0, not in parts]",
    },
    Setting {
        key: "crl.validity_hours",
        value: "HOURS",
        help: "Time from thisUpdate to nextUpdate; the next CRL comes after half of it [default: 48]",
    },
    Setting {
        key: "prune.certificates_days",
        value: "DAYS",
        help: "Forget certificates this long after they ended [default: 0, never]",
    },
    Setting {
        key: "prune.requests_days",
        value: "DAYS",
        help: "Forget decided requests after this time, when their certificate is gone [default: 0, never]",
    },
    Setting {
        key: "publish.certificates",
        value: "BOOL",
        help: "Publish issued certificates, too, by serial number [default: false]",
    },
    Setting {
        key: "publish.folder",
        value: "DIR",
        help: "Folder that CRLs and authorities' certificates are put into, for others to serve",
    },
    Setting {
        key: "publish.url",
        value: "URL",
        help: "URL below which CRLs and authorities' certificates are put with HTTP PUT",
    },
    Setting {
        key: "request.assignee_only",
        value: "BOOL",
        help: "Only the agent who took a request may approve, reject, cancel or update it [default: false]",
    },
    Setting {
        key: "request.expire_days",
        value: "DAYS",
        help: "Cancel requests that waited so long for a decision; 0 means never [default: 0]",
    },
    Setting {
        key: "request.own_approval",
        value: "BOOL",
        help: "An agent may approve requests that they made themselves [default: false]",
    },
];

/// Validated settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Kind of the CA's key, for first start.
    pub key: KeySpec,
    /// Subject of the CA, for first start.
    pub subject: Option<String>,
    /// What requests and certificates must satisfy.
    pub lint: LintConfig,
    /// CRLs.
    pub crl: CrlConfig,
    /// What is forgotten.
    pub prune: PruneConfig,
    /// What is published elsewhere.
    pub publish: PublishConfig,
    /// Decisions on requests.
    pub request: RequestConfig,
}

/// Who decides on requests, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestConfig {
    /// Only the one who took it.
    pub assignee_only: bool,
    /// Pending requests are canceled after so many days; `None` means never.
    pub expire_days: Option<i64>,
    /// Also the one who made it.
    pub own_approval: bool,
}

/// What requests and certificates must satisfy, whatever the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintConfig {
    /// Which request signatures verify.
    pub request_signatures: RequestSignatures,
    /// The operator's list of keys that get no certificate.
    pub denied_keys: Option<PathBuf>,
    /// Lists of weak RSA keys.
    pub weak_keys: Option<PathBuf>,
    /// The longest validity of a certificate that is no CA's.
    pub validity_days_max: i64,
}

/// Where CRLs and certificates of authorities go beside our own listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishConfig {
    /// A folder.
    pub folder: Option<PathBuf>,
    /// What stands before the name of a file that is put there.
    pub url: Option<String>,
    /// Whether issued certificates go there, too.
    pub certificates: bool,
}

/// How long what is over is kept; for ever when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneConfig {
    /// Days after the end of a certificate.
    pub certificates_days: Option<i64>,
    /// Days after the decision on a request.
    pub requests_days: Option<i64>,
}

/// When CRLs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlConfig {
    /// At once after a change.
    pub on_revocation: bool,
    /// Entries up to which that holds.
    pub on_revocation_max: i64,
    /// From thisUpdate to nextUpdate.
    pub validity_hours: i64,
    /// From one CRL of the schedule to the next; half of the validity when 0.
    pub interval_hours: i64,
    /// Whether there are delta CRLs.
    pub delta: bool,
    /// Parts that the revocations of new certificates are spread over; 0 when they are not.
    pub shards: i16,
}

impl CrlConfig {
    /// Seconds from one CRL of the schedule to the next.
    pub fn interval(&self) -> i64 {
        match self.interval_hours {
            0 => self.validity_hours * 1_800,
            hours => hours * 3_600,
        }
    }
}

impl Config {
    /// Reads and checks the values in force.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let validity_hours = settings.get_or("crl.validity_hours", 48)?;
        if !(1..=24 * 365).contains(&validity_hours) {
            return Err("crl.validity_hours: must be from 1 to 8760".into());
        }
        let expire_days = settings.get_or("request.expire_days", 0)?;
        if !(0..=36_500).contains(&expire_days) {
            return Err("request.expire_days: must be from 0 to 36500".into());
        }
        let interval_hours = settings.get_or("crl.interval_hours", 0)?;
        if interval_hours != 0 && !(1..validity_hours).contains(&interval_hours) {
            return Err("crl.interval_hours: must be less than crl.validity_hours".into());
        }
        let days = |key: &'static str| -> Result<Option<i64>, String> {
            match settings.get_or(key, 0)? {
                0 => Ok(None),
                days if (1..=36_500).contains(&days) => Ok(Some(days)),
                _ => Err(format!("{key}: must be from 1 to 36500, or 0 for never")),
            }
        };
        let publish = PublishConfig {
            folder: settings.get("publish.folder")?,
            url: settings.get("publish.url")?,
            certificates: settings.get_or("publish.certificates", false)?,
        };
        if let Some(url) = &publish.url {
            common::process::check_http_url("publish.url", url)?;
        }
        if let Some(folder) = publish.folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(format!(
                "publish.folder: there is no folder {}",
                folder.display()
            ));
        }
        let prune = PruneConfig {
            certificates_days: days("prune.certificates_days")?,
            requests_days: days("prune.requests_days")?,
        };
        let shards = settings.get_or("crl.shards", 0)?;
        if !(0..=256).contains(&shards) {
            return Err("crl.shards: must be from 0 to 256".into());
        }
        let subject: Option<String> = settings.get("ca.subject")?;
        if let Some(text) = &subject {
            let name = common::x509::name::parse(text).map_err(|e| format!("ca.subject: {e}"))?;
            if name.is_empty() {
                return Err("ca.subject: must not be empty".into());
            }
        }
        let validity_days_max = settings.get_or("ca.validity_max_days", 3_660)?;
        if !(1..=36_600).contains(&validity_days_max) {
            return Err("ca.validity_max_days: must be from 1 to 36600".into());
        }
        Ok(Self {
            key: settings.get_or("ca.key", KeySpec::default())?,
            subject,
            lint: LintConfig {
                request_signatures: match settings.get_or("ca.legacy_request_signatures", false)? {
                    true => RequestSignatures::Legacy,
                    false => RequestSignatures::Current,
                },
                denied_keys: settings.get("ca.denied_keys")?,
                weak_keys: settings.get("ca.weak_keys")?,
                validity_days_max,
            },
            prune,
            publish,
            crl: CrlConfig {
                on_revocation: settings.get_or("crl.on_revocation", true)?,
                on_revocation_max: settings.get_or("crl.on_revocation_max", 100_000)?,
                validity_hours,
                interval_hours,
                delta: settings.get_or("crl.delta", false)?,
                shards,
            },
            request: RequestConfig {
                assignee_only: settings.get_or("request.assignee_only", false)?,
                expire_days: (expire_days > 0).then_some(expire_days),
                own_approval: settings.get_or("request.own_approval", false)?,
            },
        })
    }
}
