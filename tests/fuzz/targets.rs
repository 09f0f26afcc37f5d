//! What strangers send, and what has to hold whatever they send. Shared by `cargo fuzz` and by the
//! mutations of the stable tests.
#![allow(dead_code, reason = "each fuzzer calls one target")]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use common::crypto::{PrivateKey, RequestSignatures, Secret};
use common::x509::certificate::describe_key;
use common::x509::{AlternativeName, Csr, extension, from_hex, name, tlv};
use der::Encode;
use ocsp::question::{LENGTH_MAX, Question, from_path};

/// The key of RFC 8032 §7.1, test 1, as PKCS #8: no secret to anybody, and its signatures are the
/// same each time.
pub(super) const KEY: &str = "302e020100300506032b657004220420\
                       9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

/// [`KEY`], ready.
pub(super) static SIGNER: LazyLock<PrivateKey> = LazyLock::new(|| {
    let pkcs8 = from_hex(KEY).expect("it is hex");
    PrivateKey::from_pkcs8(&Secret::new(pkcs8)).expect("it is a key")
});

/// Whether `input` is a certification request, as it is or once it is signed.
///
/// A change breaks the signature, and parsing ends there. So the input is signed again, as a request
/// and as the part of one that a signature covers; that gets as far as somebody with a key does.
pub(super) fn csr(input: &[u8]) -> bool {
    let as_it_is = request(input);
    let covered = tlv::signed_part(input).is_some_and(|part| request(&sign(part)));
    let as_the_part = request(&sign(input));
    as_it_is | covered | as_the_part
}

/// A request with this signed part and a good signature by [`KEY`].
pub(super) fn sign(part: &[u8]) -> Vec<u8> {
    let signature = SIGNER.sign(part).expect("the key signs");
    let algorithm = SIGNER.algorithm().identifier().to_der();
    let mut content = part.to_vec();
    content.extend(algorithm.expect("the identifier is sound"));
    tlv::push(&mut content, 0x03, &[&[0], signature.as_slice()].concat());
    let mut request = Vec::new();
    tlv::push(&mut request, 0x30, &content);
    request
}

/// Whether `input` is CRMF, as it is or once it is signed: as `CertReqMessages` whose first message
/// is signed anew, or as a `CertRequest`.
pub(super) fn crmf(input: &[u8]) -> bool {
    let as_it_is = messages(input);
    let part = tlv::signed_part(input).and_then(tlv::signed_part);
    let covered = part.is_some_and(|part| messages(&sign_crmf(part)));
    let as_the_part = messages(&sign_crmf(input));
    as_it_is | covered | as_the_part
}

/// `CertReqMessages` with this `CertRequest` and a good signature by [`KEY`].
pub(super) fn sign_crmf(part: &[u8]) -> Vec<u8> {
    let signed = sign(part);
    let (content, _) = tlv::expect(0x30, &signed).expect("our own DER is sound");
    let mut message = part.to_vec();
    tlv::push(&mut message, 0xa1, &content[part.len()..]);
    let mut messages = Vec::new();
    tlv::push(&mut messages, 0x30, &message);
    let mut all = Vec::new();
    tlv::push(&mut all, 0x30, &messages);
    all
}

fn messages(input: &[u8]) -> bool {
    let Ok(requests) = Csr::parse_crmf(input, RequestSignatures::Legacy) else {
        return false;
    };
    assert!((1..=16).contains(&requests.len()));
    for csr in &requests {
        for form in [csr.der(), csr.text().as_bytes()] {
            let again = Csr::parse_crmf(form, RequestSignatures::Legacy)
                .expect("what was read is read again");
            let [again] = again.as_slice() else {
                panic!("one message is one request");
            };
            is_same(csr, again);
        }
        for control in csr.controls() {
            assert!(!control.value.is_empty() && !control.value.contains('\n'));
        }
        is_usable(csr);
    }
    true
}

fn request(input: &[u8]) -> bool {
    let Ok(csr) = Csr::parse(input) else {
        return false;
    };
    // In every form that it may come in, it is the same request.
    let pem = csr.text();
    let base64 = STANDARD.encode(csr.der());
    for form in [csr.der(), pem.as_bytes(), base64.as_bytes()] {
        let again = Csr::parse(form).expect("what was read is read again");
        is_same(&csr, &again);
    }
    is_usable(&csr);
    true
}

/// What the store, the profiles, the lists and the pages do with a request.
fn is_usable(csr: &Csr) {
    let kept = Csr::recorded(csr.kind(), csr.der().to_vec());
    is_same(csr, &kept.expect("what was read is kept"));
    for name in csr.alternative_names() {
        let read: AlternativeName = name.to_string().parse().expect("its text is a name");
        assert_eq!(&read, name);
    }
    name::check(csr.subject()).expect("the subject was checked");
    let _ = csr.subject().to_string();
    let _ = name::common_names(csr.subject());
    let _ = extension::alternative_names(csr.extensions());
    assert_eq!(
        extension::describe(csr.extensions()).len(),
        csr.extensions().len()
    );
    let _ = describe_key(csr.public_key());
}

fn is_same(one: &Csr, other: &Csr) {
    assert_eq!(one.der(), other.der());
    assert_eq!(one.subject(), other.subject());
    assert_eq!(one.public_key(), other.public_key());
    assert_eq!(one.extensions(), other.extensions());
    assert_eq!(one.alternative_names(), other.alternative_names());
    assert_eq!(one.validity(), other.validity());
    assert_eq!(one.issuer(), other.issuer());
    assert_eq!(one.controls(), other.controls());
    assert_eq!(one.sender(), other.sender());
}

/// Whether `input` is an OCSP request, as it is or as the path of a GET.
pub(super) fn question(input: &[u8]) -> bool {
    let as_it_is = asked(input);
    let decoded = std::str::from_utf8(input).ok().map(from_path);
    let as_a_path = decoded.is_some_and(|decoded| decoded.is_ok_and(|der| asked(&der)));
    as_it_is | as_a_path
}

fn asked(input: &[u8]) -> bool {
    let Ok(question) = Question::parse(input) else {
        return false;
    };
    assert!(input.len() <= LENGTH_MAX);
    assert!((1..=64).contains(&question.certificates.len()));
    if let Some(nonce) = question.nonce {
        assert!((1..=128).contains(&nonce.len()));
        assert!(is_part(nonce, input));
    }
    for asked in &question.certificates {
        // Cut out of the request as it came; the answer repeats it byte by byte.
        let (element, rest) = tlv::split(asked.der).expect("a CertID is DER");
        assert!(element.tag == 0x30 && rest.is_empty());
        assert!(is_part(asked.der, input));
        for field in [asked.issuer_name_hash, asked.issuer_key_hash, asked.serial] {
            assert!(is_part(field, asked.der));
        }
        assert!(!asked.serial.is_empty());
    }
    // The same as a path, in the spellings that clients and proxies know.
    let text = STANDARD.encode(input);
    let escaped = text
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3d");
    for path in [
        text,
        escaped,
        STANDARD_NO_PAD.encode(input),
        URL_SAFE.encode(input),
    ] {
        let decoded = from_path(&path).expect("our own base64 is decoded");
        assert_eq!(decoded, input);
    }
    true
}

/// Whether `part` is a slice of `whole` itself, not a copy.
fn is_part(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}
