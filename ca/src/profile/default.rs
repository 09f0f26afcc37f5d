//! Defaults: what fills a draft in. Class names and parameters as in Dogtag.

use common::crypto::KeyKind;
use common::x509::{AlternativeName, extension, name, san};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::COMMON_NAME;
use const_oid::db::rfc5280::{
    ID_AD_CA_ISSUERS, ID_AD_OCSP, ID_CE_FRESHEST_CRL, ID_CE_SUBJECT_ALT_NAME,
    ID_PE_AUTHORITY_INFO_ACCESS, ID_PE_SUBJECT_INFO_ACCESS,
};
use der::asn1::{Ia5String, OctetString};
use der::flagset::FlagSet;
use der::{Any, Encode, Tag};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, CrlDistributionPoints,
    IssuerAltName, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::RelativeDistinguishedName;

use super::composition::Composition;
use super::pattern::Pattern;
use super::text::Plugin;
use super::{fixed, general_name, signing};

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
    /// Nothing.
    None,
    /// The subject that the request asks for.
    UserSubjectName,
    /// A subject out of a pattern.
    SubjectName(Pattern),
    /// The key of the request.
    UserKey,
    /// The authority has to sign with this, by Dogtag's name.
    SigningAlgorithm(String),
    Validity(Validity),
    /// The validity that the request asks for.
    UserValidity,
    AuthorityKeyIdentifier,
    SubjectKeyIdentifier {
        critical: bool,
        /// SHA-1 as in RFC 5280 §4.2.1.2 (1) instead of RFC 7093 §2 (1).
        sha1: bool,
        from_request: bool,
    },
    KeyUsage {
        critical: bool,
        usages: FlagSet<KeyUsages>,
    },
    /// The same in every certificate.
    Fixed(Extension),
    /// An extension of the request; the alternative names are [`Self::UserAlternativeNames`].
    UserExtension {
        oid: ObjectIdentifier,
        critical: Option<bool>,
    },
    UserAlternativeNames,
    AlternativeNames {
        critical: bool,
        names: Vec<(String, Pattern)>,
    },
    CommonNameToAlternativeName,
    AlternativeNameToCommonName,
    IssuerAlternativeName {
        critical: bool,
        kind: String,
        pattern: Pattern,
    },
    /// Authority or subject information access.
    InfoAccess {
        oid: ObjectIdentifier,
        critical: bool,
        places: Vec<(ObjectIdentifier, Place)>,
    },
    /// CRL distribution points or the freshest CRL.
    DistributionPoints {
        oid: ObjectIdentifier,
        critical: bool,
        points: Vec<Point>,
    },
    PrivateKeyUsagePeriod {
        critical: bool,
        start_seconds: i64,
        days: i64,
    },
    SubjectDirectoryAttributes {
        critical: bool,
        attributes: Vec<(ObjectIdentifier, Pattern)>,
    },
    /// Gives the request to an agent.
    AutoAssign(String),
    /// Marks the request with a realm.
    Realm(String),
}

/// How long a certificate is valid.
#[derive(Debug)]
pub(super) struct Validity {
    seconds: i64,
    start_seconds: i64,
    /// Ends with the CA at the latest.
    within_ca: bool,
    /// The start moves back by up to 2^bits seconds.
    not_before_bits: u32,
    /// The end moves on by up to 2^bits seconds.
    not_after_bits: u32,
}

/// Where something is to be found.
#[derive(Debug)]
pub(super) enum Place {
    /// Where the issuing authority says.
    Own,
    Stated(String, Pattern),
}

/// A distribution point.
#[derive(Debug)]
pub(super) struct Point {
    place: Place,
    reasons: Option<x509_cert::ext::pkix::crl::dp::ReasonFlags>,
    issuer: Option<(String, Pattern)>,
}

/// Why some of Dogtag's defaults are not here.
const ABSENT: [(&str, &str); 7] = [
    (
        "authTokenSubjectNameDefaultImpl",
        "it needs an LDAP directory",
    ),
    (
        "cmcUserSignedSubjectNameDefaultImpl",
        "CMC is not there yet",
    ),
    (
        "nsTokenUserKeySubjectNameDefaultImpl",
        "it needs smart cards",
    ),
    (
        "nsTokenDeviceKeySubjectNameDefaultImpl",
        "it needs smart cards",
    ),
    (
        "SignedCertificateTimestampListExtDefaultImpl",
        "certificate transparency is not there yet",
    ),
    (
        "serverKeygenUserKeyDefaultImpl",
        "keys generated by the KRA are not there yet",
    ),
    ("nsNKeySubjectNameDefaultImpl", "it needs smart cards"),
];

impl Default {
    pub(super) fn new(plugin: &Plugin) -> Result<Self, String> {
        if let Some(extension) = fixed::extension(plugin)? {
            return Ok(Self::Fixed(extension));
        }
        Ok(match plugin.class.as_str() {
            "noDefaultImpl" | "imageDefaultImpl" => Self::None,
            "userSigningAlgDefaultImpl" => Self::None,
            "signingAlgDefaultImpl" => match plugin.filled("signingAlg") {
                None | Some("-") => Self::None,
                Some(name) => Self::SigningAlgorithm(name.to_owned()),
            },
            "certificateVersionDefaultImpl" => match plugin.number("certVersionNum", 3)? {
                3 => Self::None,
                other => return Err(format!("certificates have version 3, not {other}")),
            },
            "userSubjectNameDefaultImpl" => Self::UserSubjectName,
            "subjectNameDefaultImpl" => Self::SubjectName(Pattern::read(plugin.text("name")?)),
            "userKeyDefaultImpl" => Self::UserKey,
            "validityDefaultImpl" | "caValidityDefaultImpl" | "randomizedValidityDefaultImpl" => {
                Self::Validity(validity(plugin)?)
            }
            "userValidityDefaultImpl" => Self::UserValidity,
            "authorityKeyIdentifierExtDefaultImpl" => Self::AuthorityKeyIdentifier,
            "subjectKeyIdentifierExtDefaultImpl" => Self::SubjectKeyIdentifier {
                critical: plugin.flag("critical")?,
                sha1: match plugin.filled("messageDigest") {
                    None | Some("SHA-256") => false,
                    Some("SHA-1") => true,
                    Some(other) => {
                        return Err(format!("messageDigest `{other}` is none of SHA-1, SHA-256"));
                    }
                },
                from_request: plugin.flag("useSKIFromCertRequest")?,
            },
            "keyUsageExtDefaultImpl" => key_usage(plugin)?,
            "userExtensionDefaultImpl" => {
                let oid = plugin.oid("userExtOID")?;
                match oid == ID_CE_SUBJECT_ALT_NAME {
                    true => Self::UserAlternativeNames,
                    false => Self::UserExtension {
                        oid,
                        critical: plugin.wanted("userExtCritical")?,
                    },
                }
            }
            "subjectAltNameExtDefaultImpl" => alternative_names(plugin)?,
            "commonNameToSANDefaultImpl" => Self::CommonNameToAlternativeName,
            "sanToCNDefaultImpl" => Self::AlternativeNameToCommonName,
            "issuerAltNameExtDefaultImpl" => Self::IssuerAlternativeName {
                critical: plugin.flag("issuerAltNameExtCritical")?,
                kind: plugin.text("issuerAltExtType")?.to_owned(),
                pattern: Pattern::read(plugin.text("issuerAltExtPattern")?),
            },
            "authInfoAccessExtDefaultImpl" => {
                info_access(plugin, "authInfoAccess", ID_PE_AUTHORITY_INFO_ACCESS)?
            }
            "subjectInfoAccessExtDefaultImpl" => {
                info_access(plugin, "subjInfoAccess", ID_PE_SUBJECT_INFO_ACCESS)?
            }
            "crlDistributionPointsExtDefaultImpl" => crl_distribution_points(plugin)?,
            "freshestCRLExtDefaultImpl" => freshest_crl(plugin)?,
            "privateKeyPeriodExtDefaultImpl" => Self::PrivateKeyUsagePeriod {
                critical: plugin.flag("puCritical")?,
                start_seconds: plugin.number("puStartTime", 0)?,
                days: plugin.number("puDurationInDays", 365)?,
            },
            "subjectDirAttributesExtDefaultImpl" => subject_directory_attributes(plugin)?,
            "autoAssignDefaultImpl" => Self::AutoAssign(plugin.text("assignTo")?.to_owned()),
            "authzRealmDefaultImpl" => Self::Realm(plugin.text("realm")?.to_owned()),
            class => {
                let absent = ABSENT.iter().find(|(known, _)| *known == class);
                return Err(match absent {
                    Some((_, why)) => format!("the default {class}: {why}"),
                    None => format!("the default {class} is not known"),
                });
            }
        })
    }

    /// The rule's name in violations.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::None | Self::AutoAssign(_) | Self::Realm(_) => "none",
            Self::UserSubjectName | Self::SubjectName(_) | Self::AlternativeNameToCommonName => {
                "subject"
            }
            Self::UserKey => "key",
            Self::SigningAlgorithm(_) => "signing-algorithm",
            Self::Validity(_) | Self::UserValidity => "validity",
            Self::AuthorityKeyIdentifier
            | Self::SubjectKeyIdentifier { .. }
            | Self::KeyUsage { .. }
            | Self::Fixed(_)
            | Self::UserExtension { .. }
            | Self::UserAlternativeNames
            | Self::AlternativeNames { .. }
            | Self::CommonNameToAlternativeName
            | Self::IssuerAlternativeName { .. }
            | Self::InfoAccess { .. }
            | Self::DistributionPoints { .. }
            | Self::PrivateKeyUsagePeriod { .. }
            | Self::SubjectDirectoryAttributes { .. } => "extension",
        }
    }

    /// The agent to whom it gives requests.
    pub(super) fn assignee(&self) -> Option<&str> {
        if let Self::AutoAssign(agent) = self {
            return Some(agent);
        }
        None
    }

    /// The realm with which it marks requests.
    pub(super) fn realm(&self) -> Option<&str> {
        if let Self::Realm(realm) = self {
            return Some(realm);
        }
        None
    }

    /// Whether it puts names of its own in the place of those of the request.
    pub(super) fn replaces_names(&self) -> bool {
        matches!(self, Self::AlternativeNames { .. })
    }

    pub(super) fn fill(&self, c: &mut Composition<'_>) -> Result<(), String> {
        match self {
            Self::None | Self::UserKey | Self::AutoAssign(_) | Self::Realm(_) => {}
            Self::UserSubjectName => {
                let changed = c.changes.subject.clone();
                c.draft.subject = changed.unwrap_or_else(|| c.asked_subject.clone());
            }
            Self::SubjectName(pattern) => {
                let changed = c.changes.subject.clone();
                c.draft.subject = changed.map_or_else(|| c.fill_name(pattern), Ok)?;
            }
            Self::SigningAlgorithm(name) => {
                c.draft.algorithm = signing::choose(c.ask.issuer, name)?;
            }
            Self::Validity(validity) => validity.fill(c),
            Self::UserValidity => user_validity(c)?,
            Self::UserAlternativeNames => {
                let names = c.changes.names.clone();
                let names = names.unwrap_or_else(|| c.ask.csr.alternative_names().to_vec());
                names.into_iter().for_each(|name| c.add_name(name));
            }
            Self::AlternativeNames { critical, names } => {
                fill_alternative_names(c, *critical, names)?;
            }
            Self::CommonNameToAlternativeName => {
                for text in name::common_names(&c.draft.subject) {
                    // Several labels and no digits at the end: a host, not a person or an address.
                    if text.contains('.') && san::is_host_name(&text) {
                        c.add_name(AlternativeName::Dns(text.to_ascii_lowercase()));
                    }
                }
            }
            Self::AlternativeNameToCommonName => name_the_subject(c)?,
            Self::UserExtension { oid, critical } => {
                let asked = c.ask.csr.extensions().iter().find(|e| e.extn_id == *oid);
                if let Some(mut extension) = asked.cloned() {
                    extension.critical = critical.unwrap_or(extension.critical);
                    c.draft.extensions.push(extension);
                }
            }
            Self::AuthorityKeyIdentifier
            | Self::SubjectKeyIdentifier { .. }
            | Self::KeyUsage { .. }
            | Self::Fixed(_)
            | Self::IssuerAlternativeName { .. }
            | Self::InfoAccess { .. }
            | Self::DistributionPoints { .. }
            | Self::PrivateKeyUsagePeriod { .. }
            | Self::SubjectDirectoryAttributes { .. } => {
                let extension = self.extension(c)?;
                c.draft.extensions.extend(extension);
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one short arm for each class")]
    fn extension(&self, c: &Composition<'_>) -> Result<Option<Extension>, String> {
        let encoded = |made: der::Result<Extension>| made.map(Some).map_err(|e| e.to_string());
        match self {
            Self::Fixed(extension) => Ok(Some(extension.clone())),
            Self::AuthorityKeyIdentifier => encoded(authority_key_identifier(c)),
            Self::SubjectKeyIdentifier {
                critical,
                sha1,
                from_request,
            } => {
                let requested = extension::subject_key_identifier(c.ask.csr.extensions());
                let key = c.ask.csr.public_key();
                let identifier = match (requested.filter(|_| *from_request), sha1) {
                    (Some(requested), _) => requested,
                    (None, true) => key.sha1().to_vec(),
                    (None, false) => key.key_identifier().to_vec(),
                };
                encoded(
                    OctetString::new(identifier)
                        .and_then(|id| extension::new(*critical, &SubjectKeyIdentifier(id))),
                )
            }
            Self::KeyUsage { critical, usages } => {
                let usages = *usages & possible(c.ask.csr.public_key().kind());
                encoded(extension::new(*critical, &KeyUsage(usages)))
            }
            Self::IssuerAlternativeName {
                critical,
                kind,
                pattern,
            } => {
                let name = stated(c, kind, pattern)?;
                encoded(extension::new(*critical, &IssuerAltName(vec![name])))
            }
            Self::InfoAccess {
                oid,
                critical,
                places,
            } => {
                let mut accesses = Vec::new();
                for (method, place) in places {
                    accesses.push(AccessDescription {
                        access_method: *method,
                        access_location: access_location(c, *method, place)?,
                    });
                }
                let value = AuthorityInfoAccessSyntax(accesses).to_der();
                encoded(value.and_then(|value| extension::raw(*oid, *critical, value)))
            }
            Self::DistributionPoints {
                oid,
                critical,
                points,
            } => {
                let points = points.iter().map(|point| point.made(c));
                let points = CrlDistributionPoints(points.collect::<Result<_, _>>()?).to_der();
                encoded(points.and_then(|value| extension::raw(*oid, *critical, value)))
            }
            Self::PrivateKeyUsagePeriod {
                critical,
                start_seconds,
                days,
            } => {
                let begin = c.ask.now.plus_seconds(*start_seconds);
                fixed::private_key_usage_period(*critical, begin, begin.plus_days(*days)).map(Some)
            }
            Self::SubjectDirectoryAttributes {
                critical,
                attributes,
            } => {
                let mut filled = Vec::new();
                for (oid, pattern) in attributes {
                    if let Ok(value) = c.fill(pattern) {
                        filled.push((*oid, value));
                    }
                }
                fixed::subject_directory_attributes(*critical, &filled)
            }
            Self::None
            | Self::UserSubjectName
            | Self::SubjectName(_)
            | Self::UserKey
            | Self::SigningAlgorithm(_)
            | Self::Validity(_)
            | Self::UserValidity
            | Self::UserExtension { .. }
            | Self::UserAlternativeNames
            | Self::AlternativeNames { .. }
            | Self::CommonNameToAlternativeName
            | Self::AlternativeNameToCommonName
            | Self::AutoAssign(_)
            | Self::Realm(_) => Ok(None),
        }
    }
}

impl Validity {
    fn fill(&self, c: &mut Composition<'_>) {
        let jitter = |bits: u32| match bits {
            0 => 0,
            bits => {
                let random = u32::from_be_bytes(common::entropy::bytes());
                i64::from(random >> (32 - bits))
            }
        };
        let start = c.ask.now.plus_seconds(self.start_seconds);
        let stated = c.changes.not_before;
        let not_before =
            stated.unwrap_or_else(|| start.plus_seconds(-jitter(self.not_before_bits)));
        // The last second counts (RFC 5280 §4.1.2.5), so a day has 86,400 of them and no more.
        let full = not_before.plus_seconds(self.seconds - 1 + jitter(self.not_after_bits));
        let end = c.ask.issuer.certificate.not_after();
        let not_after = match self.within_ca && full > end {
            true => end,
            false => full,
        };
        c.validity = Some((not_before, c.changes.not_after.unwrap_or(not_after)));
    }
}

fn user_validity(c: &mut Composition<'_>) -> Result<(), String> {
    let asked = c.ask.csr.validity();
    let not_before = c.changes.not_before.or(asked.not_before);
    let not_before = not_before.unwrap_or(c.ask.now);
    let not_after = c.changes.not_after.or(asked.not_after);
    let not_after = not_after.ok_or("the request does not say how long it shall be valid")?;
    c.validity = Some((not_before, not_after));
    Ok(())
}

/// Gives a subject without a common name the first host name.
fn name_the_subject(c: &mut Composition<'_>) -> Result<(), String> {
    if !name::common_names(&c.draft.subject).is_empty() {
        return Ok(());
    }
    let host = c.draft.names.iter().find_map(|name| {
        let AlternativeName::Dns(host) = name else {
            return None;
        };
        (host.len() <= 64).then(|| host.clone())
    });
    let Some(host) = host else {
        return Ok(());
    };
    let value = Any::new(Tag::Utf8String, host.as_bytes()).map_err(|e| e.to_string())?;
    let attribute = AttributeTypeAndValue {
        oid: COMMON_NAME,
        value,
    };
    let rdn = RelativeDistinguishedName::try_from(vec![attribute]).map_err(|e| e.to_string())?;
    c.draft.subject.0.push(rdn);
    Ok(())
}

fn fill_alternative_names(
    c: &mut Composition<'_>,
    critical: bool,
    names: &[(String, Pattern)],
) -> Result<(), String> {
    if let Some(changed) = c.changes.names.clone() {
        changed.into_iter().for_each(|name| c.add_name(name));
        return Ok(());
    }
    for (kind, pattern) in names {
        // What the request leaves open gives no name; the dry run shows that nothing was filled in.
        let Ok(text) = c.fill(pattern) else {
            continue;
        };
        let name = general_name::read(kind, &text)?;
        c.add_name(AlternativeName::from_general_name(&name)?);
    }
    c.draft.names_critical = critical;
    Ok(())
}

fn authority_key_identifier(c: &Composition<'_>) -> der::Result<Extension> {
    let value = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(c.ask.issuer.certificate.key_identifier())?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension::new(false, &value)
}

fn access_location(
    c: &Composition<'_>,
    method: ObjectIdentifier,
    place: &Place,
) -> Result<GeneralName, String> {
    match place {
        Place::Stated(kind, pattern) => stated(c, kind, pattern),
        Place::Own if method == ID_AD_CA_ISSUERS => uri(&c.ask.issuer.urls.issuer),
        Place::Own => uri(&c.ask.issuer.urls.ocsp),
    }
}

impl Point {
    fn made(&self, c: &Composition<'_>) -> Result<DistributionPoint, String> {
        let name = match &self.place {
            Place::Own => uri(&c.ask.issuer.urls.crl_for(c.ask.csr.public_key()))?,
            Place::Stated(kind, pattern) => stated(c, kind, pattern)?,
        };
        let issuer = self.issuer.as_ref();
        let issuer = issuer.map(|(kind, pattern)| stated(c, kind, pattern));
        Ok(DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![name])),
            reasons: self.reasons,
            crl_issuer: issuer.transpose()?.map(|name| vec![name]),
        })
    }
}

fn stated(c: &Composition<'_>, kind: &str, pattern: &Pattern) -> Result<GeneralName, String> {
    let text = c
        .fill(pattern)
        .map_err(|missing| format!("the request has nothing for {}", missing.0))?;
    general_name::read(kind, &text)
}

fn uri(url: &str) -> Result<GeneralName, String> {
    let text = Ia5String::new(url).map_err(|_| format!("`{url}` is no URI"))?;
    Ok(GeneralName::UniformResourceIdentifier(text))
}

fn validity(plugin: &Plugin) -> Result<Validity, String> {
    let bits = |name: &str| -> Result<u32, String> {
        match plugin.number(name, 0)? {
            bits if bits <= 20 => Ok(bits),
            _ => Err(format!("{name} is at most 20")),
        }
    };
    let random = plugin.class == "randomizedValidityDefaultImpl";
    Ok(Validity {
        seconds: range(plugin)?,
        start_seconds: plugin.number("startTime", START_SECONDS)?,
        within_ca: plugin.class == "caValidityDefaultImpl" && !plugin.flag("bypassCAnotafter")?,
        not_before_bits: if random {
            bits("notBeforeRandomBits")?
        } else {
            0
        },
        not_after_bits: if random {
            bits("startTimeRandomBits")?
        } else {
            0
        },
    })
}

fn key_usage(plugin: &Plugin) -> Result<Default, String> {
    let mut usages = FlagSet::default();
    for (parameter, usage) in KEY_USAGE_PARAMETERS {
        if plugin.flag(parameter)? {
            usages |= usage;
        }
    }
    Ok(Default::KeyUsage {
        critical: plugin.flag("keyUsageCritical")?,
        usages,
    })
}

fn alternative_names(plugin: &Plugin) -> Result<Default, String> {
    let slots = plugin.slots(
        "subjAltNameNumGNs",
        "subjAltExtGNEnable_",
        "subjAltExtPattern_",
    )?;
    let mut names = Vec::new();
    for slot in slots {
        let source = plugin.slot("subjAltExtSource_", slot);
        if !source.is_empty() && source != "UUID4" {
            return Err(format!("subjAltExtSource_{slot} is UUID4, not `{source}`"));
        }
        let kind = match plugin.slot("subjAltExtType_", slot) {
            "" => "RFC822Name",
            kind => kind,
        };
        let pattern = plugin.slot("subjAltExtPattern_", slot);
        names.push((kind.to_owned(), Pattern::read(pattern)));
    }
    Ok(Default::AlternativeNames {
        critical: plugin.flag("subjAltNameExtCritical")?,
        names,
    })
}

/// `stem` is `authInfoAccess` or `subjInfoAccess`. Without parameters: the authority's own places.
fn info_access(plugin: &Plugin, stem: &str, oid: ObjectIdentifier) -> Result<Default, String> {
    let name = |suffix: &str| format!("{stem}{suffix}");
    let slots = plugin.slots(&name("NumADs"), &name("ADEnable_"), &name("ADMethod_"))?;
    let mut places = Vec::new();
    for slot in slots {
        let method = plugin.slot(&name("ADMethod_"), slot);
        let method = match method {
            "" => ID_AD_OCSP,
            "ocsp" | "OCSP" => ID_AD_OCSP,
            "caIssuers" => ID_AD_CA_ISSUERS,
            text => text
                .parse()
                .map_err(|_| format!("`{text}` is no access method"))?,
        };
        places.push((
            method,
            place(plugin, &name("ADLocationType_"), &name("ADLocation_"), slot),
        ));
    }
    let is_subject = oid == ID_PE_SUBJECT_INFO_ACCESS;
    if is_subject && places.iter().any(|(_, place)| matches!(place, Place::Own)) {
        return Err(format!(
            "{stem}ADLocation_N says where the subject's service is"
        ));
    }
    if places.is_empty() {
        if is_subject {
            return Err(format!("{stem}ADMethod_0 is needed"));
        }
        places = vec![(ID_AD_OCSP, Place::Own), (ID_AD_CA_ISSUERS, Place::Own)];
    }
    Ok(Default::InfoAccess {
        oid,
        critical: plugin.flag(&name("Critical"))?,
        places,
    })
}

/// An empty location is the authority's own.
fn place(plugin: &Plugin, kind: &str, location: &str, slot: usize) -> Place {
    let kind = match plugin.slot(kind, slot) {
        "" => "URIName",
        kind => kind,
    };
    match plugin.slot(location, slot) {
        "" => Place::Own,
        text => Place::Stated(kind.to_owned(), Pattern::read(text)),
    }
}

fn crl_distribution_points(plugin: &Plugin) -> Result<Default, String> {
    let slots = plugin.slots(
        "crlDistPointsNum",
        "crlDistPointsEnable_",
        "crlDistPointsPointName_",
    )?;
    let mut points = Vec::new();
    for slot in slots {
        points.push(Point {
            place: place(
                plugin,
                "crlDistPointsPointType_",
                "crlDistPointsPointName_",
                slot,
            ),
            reasons: fixed::reasons(plugin.slot("crlDistPointsReasons_", slot))?,
            issuer: crl_issuer(plugin, "crlDistPoints", slot),
        });
    }
    if points.is_empty() {
        points.push(Point {
            place: Place::Own,
            reasons: None,
            issuer: None,
        });
    }
    Ok(Default::DistributionPoints {
        oid: const_oid::db::rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS,
        critical: plugin.flag("crlDistPointsCritical")?,
        points,
    })
}

fn freshest_crl(plugin: &Plugin) -> Result<Default, String> {
    let slots = plugin.slots(
        "freshestCRLPointNum",
        "freshestCRLPointEnable_",
        "freshestCRLPointName_",
    )?;
    let mut points = Vec::new();
    for slot in slots {
        let place = place(
            plugin,
            "freshestCRLPointType_",
            "freshestCRLPointName_",
            slot,
        );
        if matches!(place, Place::Own) {
            return Err(format!("freshestCRLPointName_{slot} is needed"));
        }
        points.push(Point {
            place,
            reasons: None,
            issuer: crl_issuer(plugin, "freshestCRLPoint", slot),
        });
    }
    match points.is_empty() {
        true => Err("freshestCRLPointName_0 is needed".into()),
        false => Ok(Default::DistributionPoints {
            oid: ID_CE_FRESHEST_CRL,
            critical: plugin.flag("freshestCRLCritical")?,
            points,
        }),
    }
}

fn crl_issuer(plugin: &Plugin, stem: &str, slot: usize) -> Option<(String, Pattern)> {
    let name = plugin.slot(&format!("{stem}IssuerName_"), slot);
    let kind = match plugin.slot(&format!("{stem}IssuerType_"), slot) {
        "" => "DirectoryName",
        kind => kind,
    };
    (!name.is_empty()).then(|| (kind.to_owned(), Pattern::read(name)))
}

fn subject_directory_attributes(plugin: &Plugin) -> Result<Default, String> {
    let slots = plugin.slots("subjDirAttrsNum", "subjDirAttrEnable_", "subjDirAttrName_")?;
    let mut attributes = Vec::new();
    for slot in slots {
        let name = plugin.slot("subjDirAttrName_", slot);
        let oid = name::attribute_type(name)
            .ok_or_else(|| format!("subjDirAttrName_{slot}: `{name}` is no attribute type"))?;
        let pattern = Pattern::read(plugin.slot("subjDirAttrPattern_", slot));
        attributes.push((oid, pattern));
    }
    Ok(Default::SubjectDirectoryAttributes {
        critical: plugin.flag("subjDirAttrsCritical")?,
        attributes,
    })
}

/// The usages that a key of this kind can have (RFC 5480 §3, RFC 8410 §5, RFC 9881 §5). A profile for
/// several kinds of keys states them all; those that the key cannot do are left out.
fn possible(kind: KeyKind) -> FlagSet<KeyUsages> {
    let agreement = KeyUsages::KeyAgreement | KeyUsages::EncipherOnly | KeyUsages::DecipherOnly;
    let encipherment = KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment;
    match kind {
        KeyKind::Rsa(_) => !agreement,
        KeyKind::Ec(_) => !encipherment,
        KeyKind::Ed25519 | KeyKind::RsaPss(_) | KeyKind::MlDsa(_) => !(encipherment | agreement),
    }
}

/// `range` and `rangeUnit` in seconds. A month has 30 days, a year 365.
pub(super) fn range(plugin: &Plugin) -> Result<i64, String> {
    let range: i64 = plugin
        .text("range")?
        .parse()
        .map_err(|_| "range is a whole number")?;
    let unit = match plugin.filled("rangeUnit").unwrap_or("day") {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "month" => 30 * 86_400,
        "year" => 365 * 86_400,
        other => {
            return Err(format!(
                "rangeUnit `{other}` is none of second, minute, hour, day, month, year"
            ));
        }
    };
    match range.checked_mul(unit) {
        Some(seconds) if (60..=100 * 365 * 86_400).contains(&seconds) => Ok(seconds),
        _ => Err("range is between one minute and a hundred years".into()),
    }
}
