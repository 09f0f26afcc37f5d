//! OCSP requests (RFC 6960 §4.1): sliced, not copied, within limits.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use common::x509::tlv;

/// Largest request, bytes.
pub const LENGTH_MAX: usize = 64 * 1024;

/// Most certificates in one request.
const CERTIFICATES_MAX: usize = 64;

/// Longest nonce (RFC 9654 §2.1).
const NONCE_MAX: usize = 128;

/// The request is not one that we can read, or asks for too much.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed OCSP request")]
pub struct Malformed;

/// The digest by which a client names the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-1: only a name here, never a signature.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// All, with the content of their AlgorithmIdentifier's OID.
    const OIDS: [(Self, &'static [u8]); 4] = [
        (Self::Sha1, &[0x2b, 0x0e, 0x03, 0x02, 0x1a]),
        (
            Self::Sha256,
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        ),
        (
            Self::Sha384,
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
        ),
        (
            Self::Sha512,
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        ),
    ];
}

/// The certificate asked about (RFC 6960 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertId<'a> {
    /// The whole CertID as it came: it goes into the answer unchanged.
    pub der: &'a [u8],
    /// The digest of the two hashes; `None` for one that we do not know.
    pub algorithm: Option<HashAlgorithm>,
    /// Digest of the issuer's name.
    pub issuer_name_hash: &'a [u8],
    /// Digest of the issuer's public key.
    pub issuer_key_hash: &'a [u8],
    /// Content of the serial number's INTEGER.
    pub serial: &'a [u8],
}

/// A request within our limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// One or more.
    pub certificates: Vec<CertId<'a>>,
    /// Content of the nonce's inner OCTET STRING.
    pub nonce: Option<&'a [u8]>,
}

impl<'a> Question<'a> {
    /// Reads DER.
    pub fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        if der.len() > LENGTH_MAX {
            return Err(Malformed);
        }
        read(der).ok_or(Malformed)
    }
}

fn read(der: &[u8]) -> Option<Question<'_>> {
    let (request, rest) = tlv::expect(0x30, der)?;
    let (mut tbs, signature) = tlv::expect(0x30, request)?;
    // A signature is allowed and not needed (RFC 6960 §4.1.2).
    let signature_ok = signature.is_empty() || tlv::expect(0xa0, signature)?.1.is_empty();
    if !rest.is_empty() || !signature_ok {
        return None;
    }
    if tbs.first() == Some(&0xa0) {
        let (version, rest) = tlv::expect(0xa0, tbs)?;
        if version != [0x02, 0x01, 0x00] {
            return None;
        }
        tbs = rest;
    }
    if tbs.first() == Some(&0xa1) {
        tbs = tlv::expect(0xa1, tbs)?.1;
    }
    let (mut list, extensions) = tlv::expect(0x30, tbs)?;
    let mut certificates = Vec::with_capacity(1);
    while !list.is_empty() {
        if certificates.len() == CERTIFICATES_MAX {
            return None;
        }
        let (one, rest) = tlv::expect(0x30, list)?;
        certificates.push(single(one)?);
        list = rest;
    }
    let nonce = match extensions.is_empty() {
        true => None,
        false => {
            let (extensions, rest) = tlv::expect(0xa2, extensions)?;
            if !rest.is_empty() {
                return None;
            }
            nonce(extensions)?
        }
    };
    (!certificates.is_empty()).then_some(Question {
        certificates,
        nonce,
    })
}

fn single(request: &[u8]) -> Option<CertId<'_>> {
    let (cert_id, extensions) = tlv::split(request)?;
    if cert_id.tag != 0x30 {
        return None;
    }
    if !extensions.is_empty() {
        let (extensions, rest) = tlv::expect(0xa0, extensions)?;
        for_each_extension(extensions, |_, critical, _| (!critical).then_some(()))?;
        if !rest.is_empty() {
            return None;
        }
    }
    let (algorithm, rest) = tlv::expect(0x30, cert_id.content)?;
    let (issuer_name_hash, rest) = tlv::expect(0x04, rest)?;
    let (issuer_key_hash, rest) = tlv::expect(0x04, rest)?;
    let (serial, rest) = tlv::expect(0x02, rest)?;
    let (oid, _) = tlv::expect(0x06, algorithm)?;
    let known = HashAlgorithm::OIDS.iter().find(|(_, known)| *known == oid);
    (rest.is_empty() && !serial.is_empty()).then_some(CertId {
        der: cert_id.der,
        algorithm: known.map(|(algorithm, _)| *algorithm),
        issuer_name_hash,
        issuer_key_hash,
        serial,
    })
}

/// id-pkix-ocsp-nonce.
pub const NONCE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];

/// Extensions of a request that change nothing for us: acceptable responses, service locator and
/// preferred signature algorithms.
const HARMLESS: [&[u8]; 3] = [
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x04],
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x07],
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x08],
];

fn nonce(extensions: &[u8]) -> Option<Option<&[u8]>> {
    let mut nonce = None;
    for_each_extension(extensions, |oid, critical, value| {
        if oid == NONCE {
            let (inner, rest) = tlv::expect(0x04, value)?;
            let fits = (1..=NONCE_MAX).contains(&inner.len()) && rest.is_empty() && nonce.is_none();
            nonce = Some(inner);
            return fits.then_some(());
        }
        (!critical || HARMLESS.contains(&oid)).then_some(())
    })?;
    Some(nonce)
}

fn for_each_extension<'a>(
    extensions: &'a [u8],
    mut each: impl FnMut(&'a [u8], bool, &'a [u8]) -> Option<()>,
) -> Option<()> {
    let (mut list, rest) = tlv::expect(0x30, extensions)?;
    if !rest.is_empty() {
        return None;
    }
    while !list.is_empty() {
        let (extension, rest) = tlv::expect(0x30, list)?;
        let (oid, mut fields) = tlv::expect(0x06, extension)?;
        let mut critical = false;
        if fields.first() == Some(&0x01) {
            let (boolean, rest) = tlv::expect(0x01, fields)?;
            critical = boolean != [0];
            fields = rest;
        }
        let (value, end) = tlv::expect(0x04, fields)?;
        if !end.is_empty() {
            return None;
        }
        each(oid, critical, value)?;
        list = rest;
    }
    Some(())
}

/// Decodes the path of a GET (RFC 6960 Appendix A.1): base64, perhaps percent-encoded, perhaps
/// without its padding.
pub fn from_path(path: &str) -> Result<Vec<u8>, Malformed> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    if path.len() > 2 * LENGTH_MAX {
        return Err(Malformed);
    }
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => {
                let digits = [
                    bytes.next().ok_or(Malformed)?,
                    bytes.next().ok_or(Malformed)?,
                ];
                let digits = std::str::from_utf8(&digits).map_err(|_| Malformed)?;
                u8::from_str_radix(digits, 16).map_err(|_| Malformed)?
            }
            other => other,
        };
        text.push(match decoded {
            // What proxies make of `+`, and the URL-safe alphabet.
            b' ' | b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
    }
    LENIENT.decode(text).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl ocsp -issuer ca.pem -serial 0x1234 -nonce`, made for this test.
    fn request(nonce: Option<&[u8]>, critical_unknown: bool) -> Vec<u8> {
        let mut cert_id = Vec::new();
        let mut algorithm = Vec::new();
        tlv::push(&mut algorithm, 0x06, HashAlgorithm::OIDS[0].1);
        algorithm.extend([0x05, 0x00]);
        tlv::push(&mut cert_id, 0x30, &algorithm);
        tlv::push(&mut cert_id, 0x04, &[1; 20]);
        tlv::push(&mut cert_id, 0x04, &[2; 20]);
        tlv::push(&mut cert_id, 0x02, &[0x12, 0x34]);
        let one = wrap(0x30, &wrap(0x30, &cert_id));
        let mut tbs = wrap(0x30, &one);
        let mut extensions = Vec::new();
        if let Some(nonce) = nonce {
            let mut extension = wrap(0x06, NONCE);
            extension.extend(wrap(0x04, &wrap(0x04, nonce)));
            extensions.extend(wrap(0x30, &extension));
        }
        if critical_unknown {
            let mut extension = wrap(0x06, &[0x2a, 0x03]);
            extension.extend([0x01, 0x01, 0xff]);
            extension.extend(wrap(0x04, &[0x05, 0x00]));
            extensions.extend(wrap(0x30, &extension));
        }
        if !extensions.is_empty() {
            tbs.extend(wrap(0xa2, &wrap(0x30, &extensions)));
        }
        wrap(0x30, &wrap(0x30, &tbs))
    }

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        tlv::push(&mut out, tag, content);
        out
    }

    #[test]
    fn certificates_and_nonce_are_found() {
        let der = request(Some(&[9; 32]), false);
        let question = Question::parse(&der).expect("reads");
        assert_eq!(question.nonce, Some(&[9; 32][..]));
        assert_eq!(
            question.certificates[0].algorithm,
            Some(HashAlgorithm::Sha1)
        );
        assert_eq!(question.certificates[0].serial, [0x12, 0x34]);
    }

    #[test]
    fn nonces_have_1_to_128_octets() {
        for (length, fits) in [(0, false), (1, true), (128, true), (129, false)] {
            let der = request(Some(&vec![9; length]), false);
            assert_eq!(Question::parse(&der).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn unknown_critical_extensions_and_every_truncation_are_refused() {
        assert_eq!(Question::parse(&request(None, true)), Err(Malformed));
        let der = request(Some(&[9; 32]), false);
        for end in 0..der.len() {
            assert_eq!(Question::parse(&der[..end]), Err(Malformed), "{end}");
        }
    }

    #[test]
    fn paths_are_decoded_in_all_their_spellings() {
        let der = request(Some(&[0xfb; 32]), false);
        let text = base64::engine::general_purpose::STANDARD.encode(&der);
        let escaped = text
            .replace('+', "%2B")
            .replace('/', "%2f")
            .replace('=', "%3D");
        let spaced = text.replace('+', " ");
        for path in [text.as_str(), &escaped, &spaced, text.trim_end_matches('=')] {
            assert_eq!(from_path(path).as_deref(), Ok(der.as_slice()));
        }
        assert_eq!(from_path("M%"), Err(Malformed));
    }
}
