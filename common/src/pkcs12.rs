//! PKCS#12 files (RFC 7292) that openssl, NSS, GnuTLS and Java read: PBES2 with AES-256-CBC, MAC
//! with HMAC-SHA-256.

use aws_lc_rs::hmac;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::encrypted_data::EncryptedData;
use cms::enveloped_data::EncryptedContentInfo;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_DATA, ID_ENCRYPTED_DATA};
use const_oid::db::rfc5912::ID_SHA_256;
use der::asn1::{BmpString, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Tag};
use pkcs8::EncryptedPrivateKeyInfo;
use pkcs12::cert_type::CertBag;
use pkcs12::digest_info::DigestInfo;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::mac_data::MacData;
use pkcs12::pfx::{Pfx, Version};
use pkcs12::safe_bag::{SafeBag, SafeContents};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::{Attribute, Attributes};
use zeroize::Zeroizing;

use crate::crypto::{KeyError, Secret, pbes2_encrypt};
use crate::entropy;
use crate::x509::Certificate;

const SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");

/// PBKDF2 rounds for a password of 128 random bits.
pub const ROUNDS_GENERATED: u32 = 2_048;

/// Packs a private key and its chain (leaf first) under `password`.
pub fn encode(
    name: &str,
    pkcs8: &Secret,
    chain: &[&Certificate],
    password: &str,
    rounds: u32,
) -> Result<Secret, KeyError> {
    build(name, pkcs8, chain, password, rounds).map_err(|_| KeyError::Engine)
}

fn build(
    name: &str,
    pkcs8: &Secret,
    chain: &[&Certificate],
    password: &str,
    rounds: u32,
) -> Result<Secret, Box<dyn std::error::Error>> {
    let leaf = chain.first().ok_or("a chain has a leaf")?;
    // The same id on key and leaf is what joins them for Java's key store.
    let attributes = attributes(name, &leaf.public_key().key_identifier())?;

    let (algorithm, data) = pbes2_encrypt(password.as_bytes(), rounds, pkcs8.expose())?;
    let algorithm = algorithm.to_der()?;
    let key = EncryptedPrivateKeyInfo {
        encryption_algorithm: Decode::from_der(&algorithm)?,
        encrypted_data: &data,
    };
    let keys: SafeContents = vec![SafeBag {
        bag_id: SHROUDED_KEY_BAG,
        bag_value: key.to_der()?,
        bag_attributes: Some(attributes.clone()),
    }];

    let mut certificates = SafeContents::new();
    for (index, certificate) in chain.iter().enumerate() {
        let bag = CertBag {
            cert_id: X509_CERTIFICATE,
            cert_value: OctetString::new(certificate.der())?,
        };
        certificates.push(SafeBag {
            bag_id: CERT_BAG,
            bag_value: bag.to_der()?,
            bag_attributes: (index == 0).then(|| attributes.clone()),
        });
    }
    let (algorithm, data) = pbes2_encrypt(password.as_bytes(), rounds, &certificates.to_der()?)?;
    let encrypted = EncryptedData {
        version: CmsVersion::V0,
        enc_content_info: EncryptedContentInfo {
            content_type: ID_DATA,
            content_enc_alg: algorithm,
            encrypted_content: Some(OctetString::new(data)?),
        },
        unprotected_attrs: None,
    };

    let safes = vec![
        ContentInfo {
            content_type: ID_ENCRYPTED_DATA,
            content: Any::encode_from(&encrypted)?,
        },
        ContentInfo {
            content_type: ID_DATA,
            content: octets(keys.to_der()?)?,
        },
    ];
    let safes = safes.to_der()?;
    let pfx = Pfx {
        version: Version::V3,
        mac_data: Some(mac(&safes, password, rounds)?),
        auth_safe: ContentInfo {
            content_type: ID_DATA,
            content: octets(safes)?,
        },
    };
    Ok(Secret::new(pfx.to_der()?))
}

fn octets(bytes: Vec<u8>) -> der::Result<Any> {
    Any::new(Tag::OctetString, bytes)
}

fn attributes(name: &str, key_id: &[u8]) -> der::Result<Attributes> {
    let attribute = |oid, value| -> der::Result<Attribute> {
        Ok(Attribute {
            oid,
            values: SetOfVec::try_from(vec![value])?,
        })
    };
    SetOfVec::try_from(vec![
        attribute(LOCAL_KEY_ID, octets(key_id.to_vec())?)?,
        attribute(
            FRIENDLY_NAME,
            Any::encode_from(&BmpString::from_utf8(name)?)?,
        )?,
    ])
}

fn mac(content: &[u8], password: &str, rounds: u32) -> Result<MacData, Box<dyn std::error::Error>> {
    let salt = entropy::bytes::<16>();
    let rounds = i32::try_from(rounds)?;
    let key = derive_key_utf8::<sha2::Sha256>(password, &salt, Pkcs12KeyType::Mac, rounds, 32)?;
    let key = Zeroizing::new(key);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content);
    Ok(MacData {
        mac: DigestInfo {
            algorithm: AlgorithmIdentifierOwned {
                oid: ID_SHA_256,
                parameters: Some(Any::null()),
            },
            digest: OctetString::new(tag.as_ref())?,
        },
        mac_salt: OctetString::new(salt)?,
        iterations: rounds,
    })
}
