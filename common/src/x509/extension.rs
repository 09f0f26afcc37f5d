//! Extensions: made from typed values, and put into words.

use base64::Engine;
use const_oid::db::rfc5280 as ce;
use const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::OctetString;
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
    ExtendedKeyUsage, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
};

use super::AlternativeName;
use crate::api;

/// Encodes a typed extension value.
pub fn new<T: Encode + AssociatedOid>(critical: bool, value: &T) -> der::Result<Extension> {
    raw(T::OID, critical, value.to_der()?)
}

/// An extension with an already encoded value.
pub fn raw(oid: ObjectIdentifier, critical: bool, der: Vec<u8>) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: oid,
        critical,
        extn_value: OctetString::new(der)?,
    })
}

/// The decoded value of the extension of type `T`, when it is there and well-formed.
pub fn find<'a, T: Decode<'a> + AssociatedOid>(extensions: &'a [Extension]) -> Option<T> {
    let found = extensions.iter().find(|e| e.extn_id == T::OID)?;
    T::from_der(found.extn_value.as_bytes()).ok()
}

/// The subject key identifier.
pub fn subject_key_identifier(extensions: &[Extension]) -> Option<Vec<u8>> {
    find::<SubjectKeyIdentifier>(extensions).map(|id| id.0.as_bytes().to_vec())
}

/// The alternative names as text.
pub fn alternative_names(extensions: &[Extension]) -> Vec<String> {
    let names = find::<SubjectAltName>(extensions).map_or(Vec::new(), |names| names.0);
    names.iter().map(general_name).collect()
}

/// All extensions in words.
pub fn describe(extensions: &[Extension]) -> Vec<api::ca::Extension> {
    let describe_one = |extension: &Extension| api::ca::Extension {
        oid: extension.extn_id.to_string(),
        name: name(extension.extn_id),
        critical: extension.critical,
        value: value(extension).unwrap_or_else(|| {
            base64::engine::general_purpose::STANDARD.encode(extension.extn_value.as_bytes())
        }),
    };
    extensions.iter().map(describe_one).collect()
}

/// The name of an extended key usage in RFC 5280, or its OID.
pub fn usage_name(oid: ObjectIdentifier) -> String {
    USAGES
        .iter()
        .find(|(_, known)| *known == oid)
        .map_or_else(|| oid.to_string(), |(name, _)| (*name).to_owned())
}

/// The OID of an extended key usage by name or dotted text.
pub fn usage_oid(text: &str) -> Option<ObjectIdentifier> {
    let known = USAGES.iter().find(|(name, _)| *name == text);
    known.map(|(_, oid)| *oid).or_else(|| text.parse().ok())
}

/// Extended key usages by name.
const USAGES: [(&str, ObjectIdentifier); 6] = [
    ("serverAuth", ce::ID_KP_SERVER_AUTH),
    ("clientAuth", ce::ID_KP_CLIENT_AUTH),
    ("codeSigning", ce::ID_KP_CODE_SIGNING),
    ("emailProtection", ce::ID_KP_EMAIL_PROTECTION),
    ("timeStamping", ce::ID_KP_TIME_STAMPING),
    ("OCSPSigning", ce::ID_KP_OCSP_SIGNING),
];

/// Key usage bits in the order of RFC 5280 §4.2.1.3, by name.
pub const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// The names of the bits set.
pub fn key_usage_names(usage: &KeyUsage) -> Vec<&'static str> {
    let bits = usage.0.bits();
    let named = KEY_USAGES.iter().enumerate();
    named
        .filter(|(index, _)| bits & (1 << index) != 0)
        .map(|(_, name)| *name)
        .collect()
}

fn name(oid: ObjectIdentifier) -> String {
    let known = match oid {
        ce::ID_CE_BASIC_CONSTRAINTS => "basicConstraints",
        ce::ID_CE_KEY_USAGE => "keyUsage",
        ce::ID_CE_EXT_KEY_USAGE => "extKeyUsage",
        ce::ID_CE_SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier",
        ce::ID_CE_AUTHORITY_KEY_IDENTIFIER => "authorityKeyIdentifier",
        ce::ID_CE_SUBJECT_ALT_NAME => "subjectAltName",
        ce::ID_CE_CRL_DISTRIBUTION_POINTS => "cRLDistributionPoints",
        ce::ID_PE_AUTHORITY_INFO_ACCESS => "authorityInfoAccess",
        ID_PKIX_OCSP_NOCHECK => "ocspNoCheck",
        _ => return oid.to_string(),
    };
    known.to_owned()
}

fn value(extension: &Extension) -> Option<String> {
    let der = extension.extn_value.as_bytes();
    Some(match extension.extn_id {
        ce::ID_CE_BASIC_CONSTRAINTS => {
            let constraints = BasicConstraints::from_der(der).ok()?;
            match constraints.path_len_constraint {
                Some(length) => format!("CA:{}, path length {length}", constraints.ca),
                None => format!("CA:{}", constraints.ca),
            }
        }
        ce::ID_CE_KEY_USAGE => key_usage_names(&KeyUsage::from_der(der).ok()?).join(", "),
        ce::ID_CE_EXT_KEY_USAGE => {
            let usages = ExtendedKeyUsage::from_der(der).ok()?.0;
            let names: Vec<_> = usages.into_iter().map(usage_name).collect();
            names.join(", ")
        }
        ce::ID_CE_SUBJECT_KEY_IDENTIFIER => {
            hex::encode(SubjectKeyIdentifier::from_der(der).ok()?.0.as_bytes())
        }
        ce::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
            let identifier = AuthorityKeyIdentifier::from_der(der).ok()?.key_identifier?;
            hex::encode(identifier.as_bytes())
        }
        ce::ID_CE_SUBJECT_ALT_NAME => {
            let names = SubjectAltName::from_der(der).ok()?.0;
            let names: Vec<_> = names.iter().map(general_name).collect();
            names.join(", ")
        }
        ce::ID_CE_CRL_DISTRIBUTION_POINTS => {
            let points = CrlDistributionPoints::from_der(der).ok()?.0;
            points.iter().map(place).collect::<Vec<_>>().join(", ")
        }
        ce::ID_PE_AUTHORITY_INFO_ACCESS => {
            let accesses = AuthorityInfoAccessSyntax::from_der(der).ok()?.0;
            let access = |a: &x509_cert::ext::pkix::AccessDescription| {
                let method = match a.access_method {
                    ce::ID_AD_OCSP => "OCSP".to_owned(),
                    ce::ID_AD_CA_ISSUERS => "CA issuers".to_owned(),
                    other => other.to_string(),
                };
                format!("{method} {}", general_name(&a.access_location))
            };
            accesses.iter().map(access).collect::<Vec<_>>().join(", ")
        }
        ID_PKIX_OCSP_NOCHECK => "present".to_owned(),
        _ => return None,
    })
}

fn place(point: &DistributionPoint) -> String {
    match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => {
            names.iter().map(general_name).collect::<Vec<_>>().join(" ")
        }
        Some(DistributionPointName::NameRelativeToCRLIssuer(_)) | None => "relative name".into(),
    }
}

fn general_name(name: &GeneralName) -> String {
    match AlternativeName::from_general_name(name) {
        Ok(name) => name.to_string(),
        Err(_) => match name {
            GeneralName::UniformResourceIdentifier(uri) => format!("uri:{}", uri.as_str()),
            GeneralName::DirectoryName(name) => format!("directory:{name}"),
            GeneralName::DnsName(name) => format!("dns:{}", name.as_str()),
            GeneralName::Rfc822Name(name) => format!("email:{}", name.as_str()),
            GeneralName::OtherName(_)
            | GeneralName::EdiPartyName(_)
            | GeneralName::IpAddress(_)
            | GeneralName::RegisteredId(_) => "other".into(),
        },
    }
}
