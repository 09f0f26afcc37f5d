//! Subject alternative names as text (`dns:…`, `ip:…`, `email:…`, `uri:…`, and the rarer
//! `directory:…`, `rid:…`, `other:OID;text`) and back.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use der::asn1::{Ia5String, OctetString, Utf8StringRef};
use der::{Any, Tag, Tagged};
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

/// An alternative name of a kind that we issue (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlternativeName {
    /// A host name in A-labels, perhaps with a leftmost `*`.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A mailbox.
    Email(String),
    /// An absolute URI.
    Uri(String),
    /// A distinguished name, RFC 4514 text.
    Directory(String),
    /// A registered identifier.
    Registered(ObjectIdentifier),
    /// An otherName whose value is text, such as a user principal name.
    Other(ObjectIdentifier, String),
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
            Self::Email(address) => write!(f, "email:{address}"),
            Self::Uri(uri) => write!(f, "uri:{uri}"),
            Self::Directory(name) => write!(f, "directory:{name}"),
            Self::Registered(oid) => write!(f, "rid:{oid}"),
            Self::Other(oid, text) => write!(f, "other:{oid};{text}"),
        }
    }
}

impl FromStr for AlternativeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = match text.split_once(':') {
            Some(("dns", name)) => Self::Dns(name.to_ascii_lowercase()),
            Some(("ip", address)) => {
                let address = address
                    .parse()
                    .map_err(|_| format!("`{address}` is no IP address"))?;
                Self::Ip(address)
            }
            Some(("email", address)) => Self::Email(address.into()),
            Some(("uri", uri)) => Self::Uri(uri.into()),
            Some(("directory", name)) => Self::Directory(super::name::parse(name)?.to_string()),
            Some(("rid", oid)) => Self::Registered(identifier(oid)?),
            Some(("other", rest)) => {
                let (oid, value) = rest
                    .split_once(';')
                    .ok_or_else(|| format!("`{text}` is not other:OID;text"))?;
                Self::Other(identifier(oid)?, value.into())
            }
            _ => {
                return Err(format!(
                    "`{text}` is none of dns:…, ip:…, email:…, uri:…, directory:…, rid:…, other:…"
                ));
            }
        };
        name.check()?;
        Ok(name)
    }
}

impl AlternativeName {
    /// Reads the X.509 form; other kinds of names are refused by name.
    pub fn from_general_name(name: &GeneralName) -> Result<Self, String> {
        let name = match name {
            GeneralName::DnsName(name) => Self::Dns(name.as_str().to_ascii_lowercase()),
            GeneralName::Rfc822Name(address) => Self::Email(address.as_str().into()),
            GeneralName::UniformResourceIdentifier(uri) => Self::Uri(uri.as_str().into()),
            GeneralName::IpAddress(bytes) => {
                let bytes = bytes.as_bytes();
                let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
                Self::Ip(v4.or(v6).map_err(|_| "an IP address has 4 or 16 octets")?)
            }
            GeneralName::OtherName(other) if other.value.tag() == Tag::Utf8String => {
                let text = String::from_utf8(other.value.value().to_vec());
                let text = text.map_err(|_| "the text of an otherName is not UTF-8")?;
                Self::Other(other.type_id, text)
            }
            GeneralName::OtherName(_) => {
                return Err("an otherName that is no UTF8String is not supported".into());
            }
            GeneralName::DirectoryName(name) => Self::Directory(name.to_string()),
            GeneralName::EdiPartyName(_) => return Err("ediPartyName is not supported".into()),
            GeneralName::RegisteredId(oid) => Self::Registered(*oid),
        };
        name.check()?;
        Ok(name)
    }

    /// The X.509 form.
    pub fn to_general_name(&self) -> GeneralName {
        let ascii = |text: &str| Ia5String::new(text).expect("checked when it was made");
        match self {
            Self::Dns(name) => GeneralName::DnsName(ascii(name)),
            Self::Email(address) => GeneralName::Rfc822Name(ascii(address)),
            Self::Uri(uri) => GeneralName::UniformResourceIdentifier(ascii(uri)),
            Self::Ip(IpAddr::V4(address)) => GeneralName::IpAddress(octets(&address.octets())),
            Self::Ip(IpAddr::V6(address)) => GeneralName::IpAddress(octets(&address.octets())),
            Self::Directory(name) => GeneralName::DirectoryName(
                super::name::parse(name).expect("checked when it was made"),
            ),
            Self::Registered(oid) => GeneralName::RegisteredId(*oid),
            Self::Other(oid, text) => GeneralName::OtherName(OtherName {
                type_id: *oid,
                value: Any::from(Utf8StringRef::new(text).expect("checked when it was made")),
            }),
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Dns(name) if !is_host_name(name) => Err(match super::idn::to_a_labels(name) {
                Some(spelled) => format!("`{name}` is to be written in A-labels: {spelled}"),
                None => format!("`{name}` is no DNS host name"),
            }),
            Self::Email(address) if !is_mailbox(address) => {
                Err(format!("`{address}` is no e-mail address"))
            }
            Self::Uri(uri) if !is_absolute_uri(uri) => Err(format!("`{uri}` is no absolute URI")),
            Self::Directory(name) => super::name::parse(name).map(|_| ()),
            Self::Other(_, text) if text.is_empty() || text.chars().any(char::is_control) => {
                Err("the text of an otherName is empty or has control characters".into())
            }
            Self::Dns(_)
            | Self::Email(_)
            | Self::Uri(_)
            | Self::Ip(_)
            | Self::Registered(_)
            | Self::Other(..) => Ok(()),
        }
    }
}

fn identifier(text: &str) -> Result<ObjectIdentifier, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no object identifier"))
}

fn octets(bytes: &[u8]) -> OctetString {
    OctetString::new(bytes).expect("4 or 16 octets")
}

/// A name of one or more LDH labels (RFC 5890 §2.3.1), the first perhaps `*` before two others.
pub fn is_host_name(name: &str) -> bool {
    let bare = name.strip_prefix("*.");
    let labels: Vec<_> = bare.unwrap_or(name).split('.').collect();
    let wildcard_is_deep_enough = bare.is_none() || labels.len() >= 2;
    let all_digits = |label: &&str| label.bytes().all(|b| b.is_ascii_digit());
    name.len() <= 253
        && wildcard_is_deep_enough
        && labels.iter().all(|label| is_label(label))
        // A numeric last label would be read as an address.
        && !labels.last().is_some_and(all_digits)
}

/// A label of letters, digits and inner hyphens (RFC 5890 §2.3.1).
pub fn is_label(label: &str) -> bool {
    let ldh = label
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (1..=63).contains(&label.len()) && ldh && !label.starts_with('-') && !label.ends_with('-')
}

/// Whether this is `local@host.name` in ASCII.
pub fn is_mailbox(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    (1..=64).contains(&local.len())
        && local.bytes().all(atom)
        && !dots
        && !domain.starts_with('*')
        && is_host_name(domain)
}

fn is_absolute_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let letter = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let scheme_ok = scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest_ok = rest
        .bytes()
        .all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
    let authority_ok = rest.strip_prefix("//").is_none_or(has_host);
    letter && scheme_ok && rest_ok && authority_ok && !rest.is_empty() && uri.len() <= 2_048
}

/// Whether `user@host:port/path` names a host (RFC 5280 §4.2.1.6 asks for one, RFC 3986 §3.2).
fn has_host(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match place
        .strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
    {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
        Some(_) => return false,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let port_ok =
        (port.is_empty() || port.starts_with(':')) && digits.bytes().all(|b| b.is_ascii_digit());
    let host_ok = host.parse::<std::net::Ipv4Addr>().is_ok() || is_host_name(host);
    host_ok && !host.starts_with('*') && port_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_survive_both_round_trips() {
        for text in [
            "dns:a.example",
            "dns:*.a.example",
            "ip:10.0.0.1",
            "ip:2001:db8::1",
            "email:a@b.example",
            "uri:https://a.example/x",
            "directory:CN=a,O=b",
            "rid:1.2.3",
            "other:1.3.6.1.4.1.311.20.2.3;a@b.example",
        ] {
            let name: AlternativeName = text.parse().expect(text);
            assert_eq!(name.to_string(), text);
            assert_eq!(
                AlternativeName::from_general_name(&name.to_general_name()),
                Ok(name)
            );
        }
    }

    #[test]
    fn a_name_in_other_letters_is_refused_with_its_right_spelling() {
        let refused = "dns:münchen.example".parse::<AlternativeName>();
        let why = refused.expect_err("it is not in A-labels");
        assert!(why.ends_with(": xn--mnchen-3ya.example"), "{why}");
    }

    #[test]
    fn bad_names_are_refused() {
        for text in [
            "dns:",
            "dns:a_b.example",
            "dns:*",
            "dns:*.com",
            "dns:1.2.3.4",
            "dns:-a.b",
            "dns:a..b",
            "ip:1.2.3",
            "email:a",
            "email:a@*.b.c",
            "uri:nothing",
            "uri:http://",
            "uri:https://[::1/",
            "x:y",
            "plain",
        ] {
            assert!(text.parse::<AlternativeName>().is_err(), "{text}");
        }
    }
}
