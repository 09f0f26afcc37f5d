//! Names: of the right types and lengths, and such as other programs read as we mean them.

use std::collections::BTreeSet;

use common::x509::name::{email_addresses, text_of};
use common::x509::{AlternativeName, extension, idn};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519 as at;
use der::asn1::PrintableStringRef;
use der::{Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::{Candidate, Findings};

pub(super) fn check(candidate: &Candidate<'_>, findings: &mut Findings) {
    let names = candidate.find::<SubjectAltName>();
    let has_names = names.as_ref().is_some_and(|names| !names.0.is_empty());
    // RFC 5280 §4.1.2.6.
    findings.ensure(
        !candidate.tbs.subject.is_empty() || has_names,
        "subject",
        || "the certificate names nobody: subject and alternative names are empty".into(),
    );
    findings.ensure(
        !candidate.is_ca || !candidate.tbs.subject.is_empty(),
        "ca-subject",
        || "a CA has a subject".into(),
    );
    distinguished_name(&candidate.tbs.subject, findings);
    emails_in_subject(candidate, findings);
    if let Some(names) = &names {
        findings.ensure(has_names, "alternative-names", || {
            "the alternative names are empty".into()
        });
        alternative_names(&names.0, findings);
    }
}

/// RFC 5280 §4.1.2.6: an address in the subject stands among the alternative names, too.
fn emails_in_subject(candidate: &Candidate<'_>, findings: &mut Findings) {
    let names = extension::alternative_names(candidate.extensions);
    for address in email_addresses(&candidate.tbs.subject) {
        let stated = names.contains(&format!("email:{address}"));
        findings.ensure(stated, "subject-email", || {
            format!("the subject's e-mail address {address} is missing in the alternative names")
        });
    }
}

/// How the value of an attribute is to be encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Directory,
    Printable,
    Ia5,
}

/// RFC 5280 Appendix A.1, X.520 and RFC 4519: attributes with their longest values, in characters.
const ATTRIBUTES: [(ObjectIdentifier, usize, Form); 20] = [
    (at::COMMON_NAME, 64, Form::Directory),
    (at::ORGANIZATION_NAME, 64, Form::Directory),
    (at::ORGANIZATIONAL_UNIT_NAME, 64, Form::Directory),
    (at::LOCALITY_NAME, 128, Form::Directory),
    (at::ST, 128, Form::Directory),
    (at::STREET, 128, Form::Directory),
    (at::POSTAL_CODE, 40, Form::Directory),
    (at::TITLE, 64, Form::Directory),
    (at::NAME, 32_768, Form::Directory),
    (at::SN, 32_768, Form::Directory),
    (at::GIVEN_NAME, 32_768, Form::Directory),
    (at::INITIALS, 32_768, Form::Directory),
    (at::GENERATION_QUALIFIER, 32_768, Form::Directory),
    (PSEUDONYM, 128, Form::Directory),
    (at::UID, 256, Form::Directory),
    (at::COUNTRY_NAME, 2, Form::Printable),
    (at::SERIAL_NUMBER, 64, Form::Printable),
    (at::DN_QUALIFIER, 64, Form::Printable),
    (at::DOMAIN_COMPONENT, 63, Form::Ia5),
    (EMAIL_ADDRESS, 255, Form::Ia5),
];

/// id-at-pseudonym (RFC 5280 Appendix A.1).
const PSEUDONYM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.65");

/// RFC 5280 §4.1.2.4.
fn distinguished_name(name: &Name, findings: &mut Findings) {
    for rdn in &name.0 {
        let kinds: BTreeSet<_> = rdn.0.iter().map(|attribute| attribute.oid).collect();
        findings.ensure(
            kinds.len() == rdn.0.len() && !kinds.is_empty(),
            "name-repeated",
            || format!("`{rdn}` states the same attribute twice, or nothing"),
        );
        rdn.0
            .iter()
            .for_each(|attribute| value(attribute, findings));
    }
}

fn value(attribute: &AttributeTypeAndValue, findings: &mut Findings) {
    let oid = attribute.oid;
    let known = ATTRIBUTES.iter().find(|(known, ..)| *known == oid);
    let form = known.map_or(Form::Directory, |(_, _, form)| *form);
    let tag = attribute.value.tag();
    let right = match form {
        Form::Directory => tag == Tag::Utf8String || tag == Tag::PrintableString,
        Form::Printable => tag == Tag::PrintableString,
        Form::Ia5 => tag == Tag::Ia5String,
    };
    let bytes = attribute.value.value();
    let sound = (tag != Tag::PrintableString || PrintableStringRef::new(bytes).is_ok())
        && (tag != Tag::Ia5String || bytes.is_ascii())
        && (tag != Tag::Utf8String || std::str::from_utf8(bytes).is_ok());
    findings.ensure(right && sound, "name-type", || {
        format!("{oid} is encoded as {tag}, which its definition does not allow")
    });
    let Some(text) = text_of(&attribute.value) else {
        return;
    };
    let blank = text.trim().is_empty();
    findings.ensure(
        !blank && !text.chars().any(char::is_control),
        "name-text",
        || format!("the value of {oid} is empty or has control characters"),
    );
    let length = known.map_or(32_768, |(_, length, _)| *length);
    findings.ensure(text.chars().count() <= length, "name-length", || {
        format!("the value of {oid} is longer than {length} characters")
    });
    if oid == at::COUNTRY_NAME {
        let letters = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
        findings.ensure(letters, "name-country", || {
            format!("`{text}` is no country: two letters (ISO 3166)")
        });
    }
}

/// RFC 5280 §4.2.1.6.
fn alternative_names(names: &[GeneralName], findings: &mut Findings) {
    for (index, name) in names.iter().enumerate() {
        findings.ensure(!names[..index].contains(name), "name-repeated", || {
            "an alternative name stands twice".into()
        });
        let rule = match name {
            GeneralName::DnsName(host) => {
                findings.take("dns-idn", idn::check(host.as_str()));
                "dns-syntax"
            }
            GeneralName::Rfc822Name(address) => {
                let (_, host) = address.as_str().rsplit_once('@').unwrap_or_default();
                findings.take("dns-idn", idn::check(host));
                "email-syntax"
            }
            GeneralName::UniformResourceIdentifier(_) => "uri-syntax",
            GeneralName::IpAddress(_) => "ip-syntax",
            GeneralName::DirectoryName(name) => {
                distinguished_name(name, findings);
                continue;
            }
            GeneralName::OtherName(_) | GeneralName::RegisteredId(_) => continue,
            GeneralName::EdiPartyName(_) => "name-form",
        };
        let read = AlternativeName::from_general_name(name);
        findings.take(rule, read.map(|_| ()));
    }
}
