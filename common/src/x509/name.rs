//! Distinguished names as text (RFC 4514) and back.

use std::str::FromStr;

use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519::{COMMON_NAME, COUNTRY_NAME, DOMAIN_COMPONENT, SERIAL_NUMBER};
use der::asn1::PrintableString;
use der::{Any, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RelativeDistinguishedName};

/// Upper bounds of RFC 5280 Appendix A.1, in characters.
const LENGTH_MAX: [(&str, usize); 8] = [
    ("2.5.4.3", 64),
    ("2.5.4.5", 64),
    ("2.5.4.6", 2),
    ("2.5.4.7", 128),
    ("2.5.4.8", 128),
    ("2.5.4.10", 64),
    ("2.5.4.11", 64),
    ("1.2.840.113549.1.9.1", 255),
];

/// Reads RFC 4514 text, forgiving spaces around separators; `Err` is one sentence for people.
pub fn parse(text: &str) -> Result<Name, String> {
    if text.trim().is_empty() {
        return Ok(Name::default());
    }
    let tidy = separated(text)?;
    let name = Name::from_str(&tidy)
        .map_err(|_| "not a distinguished name like CN=host.example,O=Example".to_owned())?;
    let rdns: Vec<_> = name
        .0
        .into_iter()
        .map(with_right_types)
        .collect::<Result<_, _>>()?;
    let name = rdns.into();
    check(&name)?;
    Ok(name)
}

/// Checks what RFC 5280 demands of a subject: known text, no empty values, lengths.
pub fn check(name: &Name) -> Result<(), String> {
    for attribute in name.0.iter().flat_map(|rdn| rdn.0.iter()) {
        let oid = attribute.oid.to_string();
        let Some(value) = text_of(&attribute.value) else {
            if attribute.value.tag() == Tag::BmpString
                || attribute.value.tag() == Tag::TeletexString
            {
                continue;
            }
            return Err(format!("the value of {oid} is no directory string"));
        };
        if value.is_empty() {
            return Err(format!("the value of {oid} is empty"));
        }
        if value.chars().any(char::is_control) {
            return Err(format!("the value of {oid} has a control character"));
        }
        let max = LENGTH_MAX.iter().find(|(known, _)| *known == oid);
        if max.is_some_and(|(_, max)| value.chars().count() > *max) {
            return Err(format!("the value of {oid} is too long"));
        }
        if attribute.oid == DOMAIN_COMPONENT && !super::san::is_label(&value) {
            return Err("a domain component is one label of a DNS name (RFC 4519)".into());
        }
        let country = attribute.oid == COUNTRY_NAME;
        if country && !(value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic())) {
            return Err("a country is two letters (ISO 3166)".into());
        }
    }
    Ok(())
}

/// The text of every common name, first to last.
pub fn common_names(name: &Name) -> Vec<String> {
    let attributes = name.0.iter().flat_map(|rdn| rdn.0.iter());
    attributes
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .filter_map(|attribute| text_of(&attribute.value))
        .collect()
}

/// Every e-mail address in the name.
pub fn email_addresses(name: &Name) -> Vec<String> {
    let attributes = name.0.iter().flat_map(|rdn| rdn.0.iter());
    attributes
        .filter(|attribute| attribute.oid == EMAIL_ADDRESS)
        .filter_map(|attribute| text_of(&attribute.value))
        .collect()
}

/// Attribute types by the short names that people use in patterns.
const SHORT_NAMES: [(&str, &str); 14] = [
    ("cn", "2.5.4.3"),
    ("sn", "2.5.4.4"),
    ("serialnumber", "2.5.4.5"),
    ("c", "2.5.4.6"),
    ("l", "2.5.4.7"),
    ("st", "2.5.4.8"),
    ("o", "2.5.4.10"),
    ("ou", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("givenname", "2.5.4.42"),
    ("e", "1.2.840.113549.1.9.1"),
    ("email", "1.2.840.113549.1.9.1"),
    ("dc", "0.9.2342.19200300.100.1.25"),
    ("uid", "0.9.2342.19200300.100.1.1"),
];

/// An attribute type by its short name or as an OID.
pub fn attribute_type(name: &str) -> Option<const_oid::ObjectIdentifier> {
    let lower = name.to_ascii_lowercase();
    let short = SHORT_NAMES.iter().find(|(known, _)| *known == lower);
    short.map_or(name, |(_, oid)| oid).parse().ok()
}

/// The most specific value of an attribute, by its short name in any case (`cn`).
pub fn attribute(name: &Name, short: &str) -> Option<String> {
    let short = short.to_ascii_lowercase();
    let (_, oid) = SHORT_NAMES.iter().find(|(known, _)| *known == short)?;
    let attributes = name.0.iter().flat_map(|rdn| rdn.0.iter());
    attributes
        .filter(|attribute| attribute.oid.to_string() == *oid)
        .filter_map(|attribute| text_of(&attribute.value))
        .next_back()
}

/// The text of a string value, `None` for types that are not text here.
pub fn text_of(value: &Any) -> Option<String> {
    let readable = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString
    );
    if !readable {
        return None;
    }
    String::from_utf8(value.value().to_vec()).ok()
}

/// Drops spaces that people write after separators; RFC 4514 §2 itself allows none.
fn separated(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut escaped = false;
    let mut at_start = true;
    for character in text.chars() {
        if escaped {
            escaped = false;
            at_start = false;
            out.push(character);
            continue;
        }
        match character {
            '\\' => escaped = true,
            ' ' if at_start => continue,
            ',' | '+' => {
                let kept = out.trim_end_matches(' ').len();
                if !out[..kept].ends_with('\\') {
                    out.truncate(kept);
                }
                at_start = true;
                out.push(character);
                continue;
            }
            _ => {}
        }
        at_start = false;
        out.push(character);
    }
    match escaped {
        true => Err("the name ends in a backslash".into()),
        false => Ok(out.trim_end_matches(' ').to_owned()),
    }
}

/// Gives each attribute the string type that RFC 5280 Appendix A.1 asks for.
fn with_right_types(rdn: RelativeDistinguishedName) -> Result<RelativeDistinguishedName, String> {
    let attributes = rdn.0.iter().map(|attribute| {
        let tag = match attribute.oid {
            EMAIL_ADDRESS | DOMAIN_COMPONENT => Tag::Ia5String,
            COUNTRY_NAME | SERIAL_NUMBER => Tag::PrintableString,
            _ => attribute.value.tag(),
        };
        let bytes = attribute.value.value();
        if tag == Tag::PrintableString && PrintableString::new(bytes).is_err() {
            return Err(format!(
                "the value of {} is not printable ASCII",
                attribute.oid
            ));
        }
        if tag == Tag::Ia5String && !bytes.is_ascii() {
            return Err(format!("the value of {} is not ASCII", attribute.oid));
        }
        let value = Any::new(tag, bytes).map_err(|e| e.to_string())?;
        Ok(AttributeTypeAndValue {
            oid: attribute.oid,
            value,
        })
    });
    let attributes: Vec<_> = attributes.collect::<Result<_, _>>()?;
    RelativeDistinguishedName::try_from(attributes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_the_round_trip_in_order() {
        let name = parse("CN=host.example, O=Example\\, Inc. ,C=DE").expect("parses");
        assert_eq!(name.to_string(), "CN=host.example,O=Example\\, Inc.,C=DE");
        assert_eq!(common_names(&name), ["host.example"]);
        let first = &name.0[0].0;
        assert_eq!(first.iter().next().map(|a| a.oid), Some(COUNTRY_NAME));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["host", "CN=", "C=Germany", "XX=1", "CN=a\\", "CN=a\u{7}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
