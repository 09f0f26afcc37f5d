//! Dogtag's names of signature algorithms.

use crate::issuer::Issuer;

/// Signature algorithms by OID (RFC 5912, RFC 8410, RFC 9881) with Dogtag's names.
const NAMES: [(&str, &str); 10] = [
    ("1.2.840.113549.1.1.11", "SHA256withRSA"),
    ("1.2.840.113549.1.1.12", "SHA384withRSA"),
    ("1.2.840.113549.1.1.13", "SHA512withRSA"),
    ("1.2.840.10045.4.3.2", "SHA256withEC"),
    ("1.2.840.10045.4.3.3", "SHA384withEC"),
    ("1.2.840.10045.4.3.4", "SHA512withEC"),
    ("1.3.101.112", "Ed25519"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
];

/// RSASSA-PSS with its hash by the length of an RSA key's signature; Dogtag has one name a hash.
const PSS: &str = "1.2.840.113549.1.1.10";

/// What `issuer` signs with.
pub(super) fn algorithm(issuer: &Issuer) -> String {
    let identifier = issuer.key.algorithm().identifier();
    let oid = identifier.oid.to_string();
    if oid == PSS {
        return "SHA256withRSA/PSS".to_owned();
    }
    let found = NAMES.iter().find(|(known, _)| *known == oid);
    found.map_or(oid.clone(), |(_, name)| (*name).to_owned())
}
