//! Defaults: what fills a draft in. Class names and parameters as in Dogtag.

use common::api::{Violation, ca::Changes};
use common::clock::Timestamp;
use common::crypto::KeyKind;
use common::x509::{AlternativeName, Csr, extension, name, san};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_AD_CA_ISSUERS, ID_AD_OCSP, ID_CE_SUBJECT_ALT_NAME};
use const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use der::asn1::{Ia5String, OctetString};
use der::flagset::FlagSet;
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::Name;

use super::Plugin;
use crate::issue::Draft;
use crate::issuer::Issuer;

/// Seconds that the start of validity lies back, for clients whose clock is slow.
const START_SECONDS: i64 = -60;

/// Key usage parameters in the order of the bits (RFC 5280 §4.2.1.3), as Dogtag spells them.
pub(super) const KEY_USAGE_PARAMETERS: [(&str, KeyUsages); 9] = [
    ("keyUsageDigitalSignature", KeyUsages::DigitalSignature),
    ("keyUsageNonRepudiation", KeyUsages::NonRepudiation),
    ("keyUsageKeyEncipherment", KeyUsages::KeyEncipherment),
    ("keyUsageDataEncipherment", KeyUsages::DataEncipherment),
    ("keyUsageKeyAgreement", KeyUsages::KeyAgreement),
    ("keyUsageKeyCertSign", KeyUsages::KeyCertSign),
    ("keyUsageCrlSign", KeyUsages::CRLSign),
    ("keyUsageEncipherOnly", KeyUsages::EncipherOnly),
    ("keyUsageDecipherOnly", KeyUsages::DecipherOnly),
];

/// What a default does.
#[derive(Debug)]
pub(super) enum Default {
    None,
    UserSubjectName,
    UserKey,
    Validity {
        seconds: i64,
        within_ca: bool,
    },
    AuthorityKeyIdentifier,
    SubjectKeyIdentifier,
    KeyUsage {
        critical: bool,
        usages: FlagSet<KeyUsages>,
    },
    ExtendedKeyUsage {
        critical: bool,
        usages: Vec<ObjectIdentifier>,
    },
    BasicConstraints {
        critical: bool,
        ca: bool,
        path_length: Option<u8>,
    },
    UserAlternativeNames,
    CommonNameToAlternativeName,
    AuthorityInfoAccess,
    CrlDistributionPoints,
    OcspNoCheck {
        critical: bool,
    },
}

/// A draft in the making.
#[derive(Debug)]
pub struct Composition<'a> {
    csr: &'a Csr,
    issuer: &'a Issuer,
    changes: Requested,
    now: Timestamp,
    subject: Name,
    names: Vec<AlternativeName>,
    validity: Option<(Timestamp, Timestamp)>,
    extensions: Extensions,
}

/// An agent's changes, read.
#[derive(Debug)]
struct Requested {
    subject: Option<Name>,
    names: Option<Vec<AlternativeName>>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl<'a> Composition<'a> {
    /// An empty draft for `csr`. Changes that cannot be read are refused by field.
    pub fn new(
        csr: &'a Csr,
        issuer: &'a Issuer,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let subject = changes.subject.as_deref().map(name::parse).transpose();
        let subject = subject.unwrap_or_else(|message| {
            violations.push(Violation::field("changes.subject", "syntax", message));
            None
        });
        let names = changes.subject_alt_names.as_ref().map(|names| {
            let mut read = Vec::new();
            for (index, text) in names.iter().enumerate() {
                match text.parse() {
                    Ok(name) => read.push(name),
                    Err(message) => {
                        let field = format!("changes.subject_alt_names[{index}]");
                        violations.push(Violation::field(field, "syntax", message));
                    }
                }
            }
            read
        });
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            csr,
            issuer,
            changes: Requested {
                subject,
                names,
                not_before: changes.not_before,
                not_after: changes.not_after,
            },
            now,
            subject: Name::default(),
            names: Vec::new(),
            validity: None,
            extensions: Extensions::new(),
        })
    }

    pub(super) fn finish(self, violations: &mut Vec<Violation>) -> Draft {
        let (not_before, not_after) = self.validity.unwrap_or((self.now, self.now));
        let takes_names = self
            .changes
            .names
            .as_ref()
            .is_none_or(|names| names.iter().all(|name| self.names.contains(name)));
        if !takes_names {
            let message = "this profile takes no alternative names";
            violations.push(Violation::field(
                "changes.subject_alt_names",
                "profile",
                message,
            ));
        }
        // What the requester asked for and would not get is refused, never dropped without a word.
        let asked = self.changes.names.is_none() && !self.csr.alternative_names().is_empty();
        let dropped = |name: &&AlternativeName| asked && !self.names.contains(name);
        for name in self.csr.alternative_names().iter().filter(dropped) {
            let message = "this profile does not take alternative names from the request";
            violations
                .push(Violation::field("csr", "subject-alt-name", message).value(name.to_string()));
        }
        Draft {
            subject: self.subject,
            public_key: self.csr.public_key().clone(),
            names: self.names,
            not_before: not_before.whole_seconds(),
            not_after: not_after.whole_seconds(),
            extensions: self.extensions,
        }
    }

    fn add_name(&mut self, name: AlternativeName) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

impl Default {
    pub(super) fn new(plugin: &Plugin) -> Result<Self, String> {
        Ok(match plugin.class.as_str() {
            "noDefaultImpl" | "signingAlgDefaultImpl" => Self::None,
            "userSubjectNameDefaultImpl" => Self::UserSubjectName,
            "userKeyDefaultImpl" => Self::UserKey,
            "validityDefaultImpl" => Self::Validity {
                seconds: range(plugin)?,
                within_ca: false,
            },
            "caValidityDefaultImpl" => Self::Validity {
                seconds: range(plugin)?,
                within_ca: !plugin.flag("bypassCAnotafter")?,
            },
            "authorityKeyIdentifierExtDefaultImpl" => Self::AuthorityKeyIdentifier,
            "subjectKeyIdentifierExtDefaultImpl" => Self::SubjectKeyIdentifier,
            "keyUsageExtDefaultImpl" => {
                let mut usages = FlagSet::default();
                for (parameter, usage) in KEY_USAGE_PARAMETERS {
                    if plugin.flag(parameter)? {
                        usages |= usage;
                    }
                }
                Self::KeyUsage {
                    critical: plugin.flag("keyUsageCritical")?,
                    usages,
                }
            }
            "extendedKeyUsageExtDefaultImpl" => Self::ExtendedKeyUsage {
                critical: plugin.flag("exKeyUsageCritical")?,
                usages: usages(plugin)?,
            },
            "basicConstraintsExtDefaultImpl" => {
                let length: i16 = plugin
                    .text("basicConstraintsPathLen")
                    .unwrap_or("-1")
                    .parse()
                    .map_err(|_| "basicConstraintsPathLen is a number")?;
                Self::BasicConstraints {
                    critical: plugin.flag("basicConstraintsCritical")?,
                    ca: plugin.flag("basicConstraintsIsCA")?,
                    path_length: u8::try_from(length).ok(),
                }
            }
            "userExtensionDefaultImpl" => {
                let oid = plugin.text("userExtOID")?;
                if oid != ID_CE_SUBJECT_ALT_NAME.to_string() {
                    return Err(format!("userExtensionDefaultImpl does not copy {oid}"));
                }
                Self::UserAlternativeNames
            }
            "commonNameToSANDefaultImpl" => Self::CommonNameToAlternativeName,
            "authInfoAccessExtDefaultImpl" => Self::AuthorityInfoAccess,
            "crlDistributionPointsExtDefaultImpl" => Self::CrlDistributionPoints,
            "ocspNoCheckExtDefaultImpl" => Self::OcspNoCheck {
                critical: plugin.flag("ocspNoCheckCritical")?,
            },
            other => return Err(format!("the default {other} is not known")),
        })
    }

    /// The rule's name in violations.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::UserSubjectName => "subject",
            Self::UserKey => "key",
            Self::Validity { .. } => "validity",
            Self::AuthorityKeyIdentifier
            | Self::SubjectKeyIdentifier
            | Self::KeyUsage { .. }
            | Self::ExtendedKeyUsage { .. }
            | Self::BasicConstraints { .. }
            | Self::UserAlternativeNames
            | Self::CommonNameToAlternativeName
            | Self::AuthorityInfoAccess
            | Self::CrlDistributionPoints
            | Self::OcspNoCheck { .. } => "extension",
        }
    }

    pub(super) fn fill(&self, c: &mut Composition<'_>) -> Result<(), String> {
        match self {
            Self::None | Self::UserKey => {}
            Self::UserSubjectName => {
                c.subject = c
                    .changes
                    .subject
                    .clone()
                    .unwrap_or_else(|| c.csr.subject().clone());
            }
            Self::Validity { seconds, within_ca } => validity(c, *seconds, *within_ca),
            Self::UserAlternativeNames => {
                let names = c.changes.names.clone();
                let names = names.unwrap_or_else(|| c.csr.alternative_names().to_vec());
                names.into_iter().for_each(|name| c.add_name(name));
            }
            Self::CommonNameToAlternativeName => {
                for text in name::common_names(&c.subject) {
                    // Several labels and no digits at the end: a host, not a person or an address.
                    if text.contains('.') && san::is_host_name(&text) {
                        c.add_name(AlternativeName::Dns(text.to_ascii_lowercase()));
                    }
                }
            }
            Self::AuthorityKeyIdentifier
            | Self::SubjectKeyIdentifier
            | Self::KeyUsage { .. }
            | Self::ExtendedKeyUsage { .. }
            | Self::BasicConstraints { .. }
            | Self::AuthorityInfoAccess
            | Self::CrlDistributionPoints
            | Self::OcspNoCheck { .. } => {
                let extension = self.extension(c).map_err(|e| e.to_string())?;
                c.extensions.push(extension);
            }
        }
        Ok(())
    }

    fn extension(&self, c: &Composition<'_>) -> der::Result<x509_cert::ext::Extension> {
        match self {
            Self::AuthorityKeyIdentifier => {
                let identifier = OctetString::new(c.issuer.certificate.key_identifier())?;
                let value = AuthorityKeyIdentifier {
                    key_identifier: Some(identifier),
                    authority_cert_issuer: None,
                    authority_cert_serial_number: None,
                };
                extension::new(false, &value)
            }
            Self::SubjectKeyIdentifier => {
                let identifier = OctetString::new(c.csr.public_key().key_identifier())?;
                extension::new(false, &SubjectKeyIdentifier(identifier))
            }
            Self::KeyUsage { critical, usages } => {
                let usages = *usages & possible(c.csr.public_key().kind());
                extension::new(*critical, &KeyUsage(usages))
            }
            Self::ExtendedKeyUsage { critical, usages } => {
                extension::new(*critical, &ExtendedKeyUsage(usages.clone()))
            }
            Self::BasicConstraints {
                critical,
                ca,
                path_length,
            } => {
                let value = BasicConstraints {
                    ca: *ca,
                    path_len_constraint: *path_length,
                };
                extension::new(*critical, &value)
            }
            Self::AuthorityInfoAccess => {
                let access = |access_method, url: &str| -> der::Result<_> {
                    Ok(AccessDescription {
                        access_method,
                        access_location: uri(url)?,
                    })
                };
                let value = AuthorityInfoAccessSyntax(vec![
                    access(ID_AD_OCSP, &c.issuer.urls.ocsp)?,
                    access(ID_AD_CA_ISSUERS, &c.issuer.urls.issuer)?,
                ]);
                extension::new(false, &value)
            }
            Self::CrlDistributionPoints => {
                let point = DistributionPoint {
                    distribution_point: Some(DistributionPointName::FullName(vec![uri(&c
                        .issuer
                        .urls
                        .crl)?])),
                    reasons: None,
                    crl_issuer: None,
                };
                extension::new(false, &CrlDistributionPoints(vec![point]))
            }
            Self::OcspNoCheck { critical } => {
                extension::raw(ID_PKIX_OCSP_NOCHECK, *critical, vec![0x05, 0x00])
            }
            Self::None
            | Self::UserSubjectName
            | Self::UserKey
            | Self::Validity { .. }
            | Self::UserAlternativeNames
            | Self::CommonNameToAlternativeName => Err(der::ErrorKind::Failed.into()),
        }
    }
}

fn validity(c: &mut Composition<'_>, seconds: i64, within_ca: bool) {
    let not_before = c
        .changes
        .not_before
        .unwrap_or_else(|| c.now.plus_seconds(START_SECONDS));
    // The last second counts (RFC 5280 §4.1.2.5), so a day has 86,400 of them and no more.
    let full = not_before.plus_seconds(seconds - 1);
    let end = c.issuer.certificate.not_after();
    let not_after = match within_ca && full > end {
        true => end,
        false => full,
    };
    c.validity = Some((not_before, c.changes.not_after.unwrap_or(not_after)));
}

/// The usages that a key of this kind can have (RFC 5480 §3, RFC 8410 §5, RFC 9881 §5). A profile for several
/// kinds of keys states them all; those that the key cannot do are left out.
fn possible(kind: KeyKind) -> FlagSet<KeyUsages> {
    let agreement = KeyUsages::KeyAgreement | KeyUsages::EncipherOnly | KeyUsages::DecipherOnly;
    let encipherment = KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment;
    match kind {
        KeyKind::Rsa(_) => !agreement,
        KeyKind::Ec(_) => !encipherment,
        KeyKind::Ed25519 | KeyKind::RsaPss(_) | KeyKind::MlDsa(_) => !(encipherment | agreement),
    }
}

fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}

/// `range` and `rangeUnit` in seconds.
pub(super) fn range(plugin: &Plugin) -> Result<i64, String> {
    let range: i64 = plugin
        .text("range")?
        .parse()
        .map_err(|_| "range is a number")?;
    let unit = match plugin.text("rangeUnit").unwrap_or("day") {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "month" => 30 * 86_400,
        "year" => 365 * 86_400,
        other => {
            return Err(format!(
                "rangeUnit `{other}` is none of minute, hour, day, month, year"
            ));
        }
    };
    match (1..=100 * 365 * 86_400).contains(&(range * unit)) {
        true => Ok(range * unit),
        false => Err("range is between one minute and a hundred years".into()),
    }
}

/// `exKeyUsageOIDs`, by name or dotted.
pub(super) fn usages(plugin: &Plugin) -> Result<Vec<ObjectIdentifier>, String> {
    let text = plugin.text("exKeyUsageOIDs")?;
    let usage = |name: &str| {
        extension::usage_oid(name.trim())
            .ok_or_else(|| format!("`{name}` is no extended key usage"))
    };
    text.split(',').map(usage).collect()
}
