//! Name constraints (RFC 5280 §4.2.1.10) of the issuing authority and of all above it.

use std::net::IpAddr;

use common::x509::extension;
use common::x509::name::{common_names, email_addresses, text_of};
use common::x509::san::is_host_name;
use der::asn1::OctetString;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};
use x509_cert::name::{Name, RelativeDistinguishedName};

use super::{Candidate, Findings};

const RULE: &str = "name-constraints";

pub(super) fn check(candidate: &Candidate<'_>, findings: &mut Findings) {
    let mut constrained = candidate.authorities().filter_map(|authority| {
        let extensions = authority.parsed().tbs_certificate.extensions.as_deref();
        let constraints = extension::find::<NameConstraints>(extensions.unwrap_or_default())?;
        Some((authority, constraints))
    });
    // Most authorities have no constraints; then no name is looked at.
    let Some(first) = constrained.next() else {
        return;
    };
    let names = names(candidate);
    for (authority, constraints) in std::iter::once(first).chain(constrained) {
        let permitted = constraints.permitted_subtrees.unwrap_or_default();
        let excluded = constraints.excluded_subtrees.unwrap_or_default();
        for name in &names {
            let by = || format!("{name} is not allowed below {}", authority.subject());
            findings.ensure(!is_outside(name, &permitted), RULE, by);
            let inside = |tree: &GeneralSubtree| name.lies_in(tree) != Place::Outside;
            findings.ensure(!excluded.iter().any(inside), RULE, by);
        }
    }
}

/// A name that constraints may speak of.
enum Subject {
    Dns(String),
    Email(String),
    /// The host, when the URI names one.
    Uri(String, Option<String>),
    Ip(IpAddr),
    Directory(Name),
    /// A form of which we cannot tell where it lies.
    Other(std::mem::Discriminant<GeneralName>),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Email(address) => write!(f, "email:{address}"),
            Self::Uri(uri, _) => write!(f, "uri:{uri}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
            Self::Directory(name) => write!(f, "the name `{name}`"),
            Self::Other(_) => f.write_str("a name of this form"),
        }
    }
}

/// Where a name lies with regard to a subtree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The subtree is of another form.
    OtherForm,
    Inside,
    Outside,
    /// The subtree is of this form, and nobody can tell.
    Unknown,
}

/// Every name of the certificate, the e-mail addresses and the host names in its subject included.
fn names(candidate: &Candidate<'_>) -> Vec<Subject> {
    let subject = &candidate.tbs.subject;
    let mut names: Vec<_> = email_addresses(subject)
        .into_iter()
        .map(Subject::Email)
        .collect();
    if !subject.is_empty() {
        names.push(Subject::Directory(subject.clone()));
    }
    let stated = candidate
        .find::<SubjectAltName>()
        .map_or(Vec::new(), |names| names.0);
    let has_dns = stated
        .iter()
        .any(|name| matches!(name, GeneralName::DnsName(_)));
    if !has_dns && !candidate.is_ca {
        // Programs that still read common names take such a one for a host.
        let hosts = common_names(subject).into_iter();
        let hosts = hosts.filter(|name| name.contains('.') && is_host_name(name));
        names.extend(hosts.map(Subject::Dns));
    }
    names.extend(stated.into_iter().map(|name| match name {
        GeneralName::DnsName(name) => Subject::Dns(name.as_str().into()),
        GeneralName::Rfc822Name(address) => Subject::Email(address.as_str().into()),
        GeneralName::UniformResourceIdentifier(uri) => {
            let host = host_of(uri.as_str()).map(str::to_owned);
            Subject::Uri(uri.as_str().into(), host)
        }
        GeneralName::IpAddress(ref octets) => match address(octets.as_bytes()) {
            Some(address) => Subject::Ip(address),
            None => Subject::Other(std::mem::discriminant(&name)),
        },
        GeneralName::DirectoryName(name) => Subject::Directory(name),
        GeneralName::OtherName(_) | GeneralName::EdiPartyName(_) | GeneralName::RegisteredId(_) => {
            Subject::Other(std::mem::discriminant(&name))
        }
    }));
    names
}

/// Whether subtrees of the name's form are there and none of them has it.
fn is_outside(name: &Subject, permitted: &[GeneralSubtree]) -> bool {
    let mut places = permitted
        .iter()
        .map(|tree| name.lies_in(tree))
        .filter(|place| *place != Place::OtherForm)
        .peekable();
    places.peek().is_some() && !places.any(|place| place == Place::Inside)
}

impl Subject {
    fn lies_in(&self, tree: &GeneralSubtree) -> Place {
        let inside = match (self, &tree.base) {
            (Self::Dns(name), GeneralName::DnsName(base)) => is_below(name, base.as_str()),
            (Self::Email(address), GeneralName::Rfc822Name(base)) => {
                is_mailbox_in(address, base.as_str())
            }
            (Self::Uri(_, Some(host)), GeneralName::UniformResourceIdentifier(base))
                if is_host_name(host) =>
            {
                is_host_in(host, base.as_str())
            }
            // Without a host by name it must be refused.
            (Self::Uri(..), GeneralName::UniformResourceIdentifier(_)) => return Place::Unknown,
            (Self::Ip(address), GeneralName::IpAddress(base)) => {
                match is_address_in(*address, base) {
                    Some(inside) => inside,
                    None => return Place::OtherForm,
                }
            }
            (Self::Directory(name), GeneralName::DirectoryName(base)) => starts_with(name, base),
            (Self::Other(form), base) if *form == std::mem::discriminant(base) => {
                return Place::Unknown;
            }
            _ => return Place::OtherForm,
        };
        match (inside, tree.minimum, tree.maximum) {
            (true, 0, None) => Place::Inside,
            (false, 0, None) => Place::Outside,
            // Distances are of no meaning in RFC 5280.
            (_, _, _) => Place::Unknown,
        }
    }
}

/// A host name is below itself, and below what stands right of one of its dots.
fn is_below(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    let base = base.strip_prefix('.').unwrap_or(&base);
    base.is_empty()
        || name == *base
        || name
            .strip_suffix(base)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// `user@host`: this mailbox; `host`: all of that host; `.domain`: all hosts below the domain.
fn is_mailbox_in(address: &str, base: &str) -> bool {
    let Some((local, host)) = address.rsplit_once('@') else {
        return false;
    };
    match base.rsplit_once('@') {
        Some((base_local, base_host)) => {
            local == base_local && host.eq_ignore_ascii_case(base_host)
        }
        None => is_host_in(host, base),
    }
}

fn is_host_in(host: &str, base: &str) -> bool {
    match base.starts_with('.') {
        true => {
            let host = host.to_ascii_lowercase();
            host.ends_with(&base.to_ascii_lowercase())
        }
        false => host.eq_ignore_ascii_case(base),
    }
}

fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit('@').next()?;
    match place.starts_with('[') {
        true => None,
        false => place.split(':').next(),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

/// `None` when the subtree is of the other family.
fn is_address_in(address: IpAddr, base: &OctetString) -> Option<bool> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let base = base.as_bytes();
    if base.len() != octets.len() * 2 {
        return None;
    }
    let (network, mask) = base.split_at(octets.len());
    let mut bits = octets.iter().zip(network).zip(mask);
    Some(bits.all(|((octet, network), mask)| octet & mask == network & mask))
}

/// Whether the relative names of `base` are the first of `name`.
fn starts_with(name: &Name, base: &Name) -> bool {
    let mut pairs = name.0.iter().zip(&base.0);
    name.0.len() >= base.0.len() && pairs.all(|(one, other)| are_same(one, other))
}

fn are_same(one: &RelativeDistinguishedName, other: &RelativeDistinguishedName) -> bool {
    let has = |attribute: &AttributeTypeAndValue| {
        let mut others = other.0.iter();
        others.any(|found| found.oid == attribute.oid && is_same_value(found, attribute))
    };
    one.0.len() == other.0.len() && one.0.iter().all(has)
}

/// RFC 5280 §7.1: without regard to case and to runs of spaces.
fn is_same_value(one: &AttributeTypeAndValue, other: &AttributeTypeAndValue) -> bool {
    let folded = |attribute: &AttributeTypeAndValue| {
        let text = text_of(&attribute.value)?.to_lowercase();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    match (folded(one), folded(other)) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => one.value == other.value,
    }
}
