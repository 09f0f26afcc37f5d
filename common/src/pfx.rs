//! Reading PKCS#12 files (RFC 7292) as current programs write them: PBES2 with AES-256-CBC, MAC with
//! HMAC-SHA-256.

use aws_lc_rs::hmac;
use cms::content_info::ContentInfo;
use cms::encrypted_data::EncryptedData;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_DATA, ID_ENCRYPTED_DATA};
use const_oid::db::rfc5912::ID_SHA_256;
use der::asn1::OctetString;
use der::{Decode, Encode};
use pkcs8::EncryptedPrivateKeyInfo;
use pkcs12::cert_type::CertBag;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::mac_data::MacData;
use pkcs12::pfx::Pfx;
use pkcs12::safe_bag::SafeContents;
use zeroize::Zeroizing;

use crate::crypto::{PrivateKey, Secret, pbes2_decrypt};
use crate::x509::{Certificate, tlv};

const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");

/// Rounds of key derivation that we are willing to do.
const ROUNDS_MAX: i32 = 10_000_000;

/// A private key with the certificates that lay beside it.
#[derive(Debug)]
pub struct Content {
    /// The key.
    pub key: PrivateKey,
    /// The key, PKCS#8.
    pub pkcs8: Secret,
    /// The key's certificate first, then each one's issuer, as far as they are there.
    pub chain: Vec<Certificate>,
}

/// Opens a file under `password`; `Err` is one sentence for people.
pub fn decode(bytes: &[u8], password: &str) -> Result<Content, String> {
    let unreadable = |e: der::Error| format!("the PKCS#12 file cannot be read: {e}");
    let pfx = Pfx::from_der(bytes).map_err(unreadable)?;
    let safes = pfx.auth_safe.content;
    let safes: OctetString = safes.decode_as().map_err(unreadable)?;
    let mac = pfx.mac_data.ok_or("the PKCS#12 file has no MAC")?;
    verify(&mac, safes.as_bytes(), password)?;
    let safes = Vec::<ContentInfo>::from_der(safes.as_bytes()).map_err(unreadable)?;
    let (mut key, mut certificates) = (None, Vec::new());
    for safe in &safes {
        for bag in contents(safe, password)? {
            // The crate gives the value with its wrapping.
            let value = tlv::expect(0xa0, &bag.bag_value);
            let (value, _) = value.ok_or("a bag cannot be read")?;
            match bag.bag_id {
                KEY_BAG => key = Some(Secret::new(value.to_vec())),
                SHROUDED_KEY_BAG => key = Some(unshroud(value, password)?),
                CERT_BAG => {
                    let bag = CertBag::from_der(value).map_err(unreadable)?;
                    certificates.push(Certificate::from_der(bag.cert_value.as_bytes())?);
                }
                _ => {}
            }
        }
    }
    let pkcs8 = key.ok_or("the PKCS#12 file has no private key")?;
    let key = PrivateKey::from_pkcs8(&pkcs8).map_err(|e| e.to_string())?;
    let chain = chain(&key, certificates)?;
    Ok(Content { key, pkcs8, chain })
}

/// What to say about algorithms that we do not speak.
fn legacy() -> String {
    "the PKCS#12 file uses old algorithms; convert it: openssl pkcs12 -legacy -in OLD -nodes -out \
     ca.pem && openssl pkcs12 -export -in ca.pem -out NEW"
        .into()
}

fn verify(mac: &MacData, content: &[u8], password: &str) -> Result<(), String> {
    if mac.mac.algorithm.oid != ID_SHA_256 || !(1..=ROUNDS_MAX).contains(&mac.iterations) {
        return Err(legacy());
    }
    let (salt, kind) = (mac.mac_salt.as_bytes(), Pkcs12KeyType::Mac);
    let key = derive_key_utf8::<sha2::Sha256>(password, salt, kind, mac.iterations, 32);
    let key = Zeroizing::new(key.map_err(|e| e.to_string())?);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&key, content, mac.mac.digest.as_bytes())
        .map_err(|_| "the password of the PKCS#12 file is wrong".into())
}

fn contents(safe: &ContentInfo, password: &str) -> Result<SafeContents, String> {
    let unreadable = |e: der::Error| format!("the PKCS#12 file cannot be read: {e}");
    let plain = match safe.content_type {
        ID_DATA => {
            let data: OctetString = safe.content.decode_as().map_err(unreadable)?;
            Secret::new(data.into_bytes())
        }
        ID_ENCRYPTED_DATA => {
            let data: EncryptedData = safe.content.decode_as().map_err(unreadable)?;
            let info = data.enc_content_info;
            let scheme = info.content_enc_alg.to_der().map_err(unreadable)?;
            let scheme = Decode::from_der(&scheme).map_err(|_| legacy())?;
            let data = info.encrypted_content.ok_or("a safe is empty")?;
            pbes2_decrypt(password.as_bytes(), &scheme, data.as_bytes()).map_err(|_| legacy())?
        }
        _ => return Err("the PKCS#12 file has a safe of an unknown kind".into()),
    };
    SafeContents::from_der(plain.expose()).map_err(unreadable)
}

fn unshroud(value: &[u8], password: &str) -> Result<Secret, String> {
    let info = EncryptedPrivateKeyInfo::from_der(value).map_err(|_| legacy())?;
    let (scheme, data) = (&info.encryption_algorithm, info.encrypted_data);
    pbes2_decrypt(password.as_bytes(), scheme, data).map_err(|_| legacy())
}

fn chain(key: &PrivateKey, mut rest: Vec<Certificate>) -> Result<Vec<Certificate>, String> {
    let own = rest
        .iter()
        .position(|certificate| certificate.public_key() == key.public_key());
    let own = own.ok_or("the PKCS#12 file has no certificate of its key")?;
    let mut chain = vec![rest.swap_remove(own)];
    while let Some(last) = chain.last() {
        let next = rest.iter().position(|certificate| {
            certificate.subject() == last.issuer()
                && last.verify_signed_by(certificate.public_key()).is_ok()
        });
        match next {
            Some(next) => chain.push(rest.swap_remove(next)),
            None => break,
        }
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pkcs12_is_refused() {
        assert!(decode(b"", "x").is_err());
        assert!(decode(&[0x30, 0x00], "x").is_err());
    }
}
