//! Answers made here as a responder would make them, and what becomes of them.

use common::clock::Timestamp;
use common::crypto::{KeySpec, PrivateKey, PublicKey};
use common::x509::{Certificate, SerialNumber, extension, generalized_time, name, time};
use der::asn1::{BitString, OctetString};
use der::oid::db::rfc5280::{ID_KP_OCSP_SIGNING, ID_KP_SERVER_AUTH};
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::{Decode, Encode};
use x509_cert::ext::pkix::{CrlReason, ExtendedKeyUsage};
use x509_cert::time::Validity;
use x509_cert::{TbsCertificate, Version};
use x509_ocsp::ext::Nonce;
use x509_ocsp::{
    BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse, ResponderId,
    ResponseData, RevokedInfo, SingleResponse,
};

use super::answer::{Answer, Distrust, Status};
use super::question::{Hash, Question};

const NOW: Timestamp = Timestamp::from_seconds(1_795_293_900);

/// A key and its certificate.
struct Party {
    key: PrivateKey,
    certificate: Certificate,
}

impl Party {
    fn root(subject: &str) -> Self {
        let (key, _) = PrivateKey::generate(KeySpec::EcP256).expect("keys can be made");
        let certificate = certify(subject, subject, key.public_key(), &key, None);
        Self { key, certificate }
    }

    fn issue(&self, subject: &str, usage: ObjectIdentifier) -> Self {
        let (key, _) = PrivateKey::generate(KeySpec::EcP256).expect("keys can be made");
        let issuer = self.certificate.subject().to_string();
        let certificate = certify(subject, &issuer, key.public_key(), &self.key, Some(usage));
        Self { key, certificate }
    }
}

/// A certificate that is valid for the hour before and after [`NOW`].
fn certify(
    subject: &str,
    issuer: &str,
    public_key: &PublicKey,
    issuer_key: &PrivateKey,
    usage: Option<ObjectIdentifier>,
) -> Certificate {
    let usage = usage.map(|usage| extension::new(false, &ExtendedKeyUsage(vec![usage])));
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::random().to_x509(),
        signature: issuer_key.algorithm().identifier(),
        issuer: name::parse(issuer).expect("a name"),
        validity: Validity {
            not_before: time(NOW.plus_seconds(-3_600)),
            not_after: time(NOW.plus_seconds(3_600)),
        },
        subject: name::parse(subject).expect("a name"),
        subject_public_key_info: public_key.info().clone(),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: usage.map(|usage| vec![usage.expect("encodes")]),
    };
    let certificate = x509_cert::Certificate {
        signature_algorithm: issuer_key.algorithm().identifier(),
        signature: sign(issuer_key, &tbs_certificate),
        tbs_certificate,
    };
    Certificate::from_der(&certificate.to_der().expect("encodes")).expect("decodes")
}

fn sign(key: &PrivateKey, signed: &impl Encode) -> BitString {
    let signed = signed.to_der().expect("encodes");
    BitString::from_bytes(&key.sign(&signed).expect("signs")).expect("whole octets")
}

fn moment(at: Timestamp) -> OcspGeneralizedTime {
    OcspGeneralizedTime(generalized_time(at))
}

/// A CA, one of its certificates, and a question about it.
struct World {
    ca: Party,
    question: Question,
}

impl World {
    fn new() -> Self {
        Self::asking_by(Hash::Sha256)
    }

    fn asking_by(hash: Hash) -> Self {
        let ca = Party::root("CN=CA");
        let server = ca.issue("CN=host.example", ID_KP_SERVER_AUTH);
        let question = Question::new(&server.certificate, &ca.certificate, hash);
        Self {
            question: question.expect("asks"),
            ca,
        }
    }

    /// A right answer, as yet unsigned.
    fn data(&self) -> ResponseData {
        let request = OcspRequest::from_der(self.question.der()).expect("well-formed");
        let nonce = request.nonce().expect("asked with a nonce");
        let single = SingleResponse {
            cert_id: request.tbs_request.request_list[0].req_cert.clone(),
            cert_status: CertStatus::good(),
            this_update: moment(NOW.plus_seconds(-60)),
            next_update: Some(moment(NOW.plus_seconds(600))),
            single_extensions: None,
        };
        ResponseData {
            version: x509_ocsp::Version::V1,
            responder_id: ResponderId::ByName(self.ca.certificate.subject().clone()),
            produced_at: moment(NOW),
            responses: vec![single],
            response_extensions: Some(vec![extension::new(false, &nonce).expect("encodes")]),
        }
    }

    fn check(&self, response: &[u8]) -> Result<Answer, Distrust> {
        Answer::check(response, &self.question, &self.ca.certificate, NOW)
    }

    /// Checks `data` signed by the CA itself.
    fn check_data(&self, data: ResponseData) -> Result<Answer, Distrust> {
        self.check(&response(data, &self.ca.key, &[]))
    }

    /// Checks a right answer signed by `responder`.
    fn check_responder(&self, responder: &Party) -> Result<Answer, Distrust> {
        let hash = responder.key.public_key().sha1();
        let data = ResponseData {
            responder_id: ResponderId::ByKey(OctetString::new(hash).expect("short")),
            ..self.data()
        };
        self.check(&response(data, &responder.key, &[&responder.certificate]))
    }
}

fn response(data: ResponseData, key: &PrivateKey, certificates: &[&Certificate]) -> Vec<u8> {
    let parsed = |certificate: &&Certificate| certificate.parsed().clone();
    let basic = BasicOcspResponse {
        signature_algorithm: key.algorithm().identifier(),
        signature: sign(key, &data),
        tbs_response_data: data,
        certs: (!certificates.is_empty()).then(|| certificates.iter().map(parsed).collect()),
    };
    let response = OcspResponse::successful(basic).expect("encodes");
    response.to_der().expect("encodes")
}

#[test]
fn the_issuer_itself_may_answer_by_either_hash() {
    for hash in [Hash::Sha1, Hash::Sha256] {
        let world = World::asking_by(hash);
        let answer = world.check_data(world.data()).expect("trusted");
        assert_eq!(answer.status, Status::Good);
        assert_eq!((&*answer.responder, answer.nonce), ("CN=CA", true));
    }
}

#[test]
fn a_responder_that_the_issuer_appointed_may_answer() {
    let world = World::new();
    let responder = world.ca.issue("CN=OCSP", ID_KP_OCSP_SIGNING);
    let answer = world.check_responder(&responder).expect("trusted");
    assert_eq!(answer.responder, "CN=OCSP");
}

#[test]
fn other_certificates_of_the_issuer_may_not_answer() {
    let world = World::new();
    let server = world.ca.issue("CN=other.example", ID_KP_SERVER_AUTH);
    let distrust = world.check_responder(&server).expect_err("distrusted");
    assert!(matches!(
        distrust,
        Distrust::Responder {
            why: "is not for OCSP signing",
            ..
        }
    ));
}

#[test]
fn responders_of_a_namesake_may_not_answer() {
    let world = World::new();
    let responder = Party::root("CN=CA").issue("CN=OCSP", ID_KP_OCSP_SIGNING);
    let distrust = world.check_responder(&responder).expect_err("distrusted");
    assert!(matches!(
        distrust,
        Distrust::Responder {
            why: "was not issued by the certificate's issuer",
            ..
        }
    ));
}

#[test]
fn a_responder_whose_certificate_has_ended_may_not_answer() {
    let world = World::new();
    let responder = world.ca.issue("CN=OCSP", ID_KP_OCSP_SIGNING);
    let data = ResponseData {
        responder_id: ResponderId::ByName(responder.certificate.subject().clone()),
        ..world.data()
    };
    let response = response(data, &responder.key, &[&responder.certificate]);
    let later = NOW.plus_seconds(3_601);
    let checked = Answer::check(&response, &world.question, &world.ca.certificate, later);
    assert!(matches!(
        checked,
        Err(Distrust::Responder {
            why: "is not valid now",
            ..
        })
    ));
}

#[test]
fn a_signature_must_be_that_of_the_named_signer() {
    let world = World::new();
    let stranger = Party::root("CN=Stranger");
    let forged = response(world.data(), &stranger.key, &[&stranger.certificate]);
    assert!(matches!(world.check(&forged), Err(Distrust::Signature)));
    let distrust = world.check(&response(
        ResponseData {
            responder_id: ResponderId::ByName(stranger.certificate.subject().clone()),
            ..world.data()
        },
        &stranger.key,
        &[],
    ));
    assert!(matches!(distrust, Err(Distrust::NoSigner)));
}

#[test]
fn no_byte_can_be_changed_or_missing() {
    let world = World::new();
    let right = response(world.data(), &world.ca.key, &[]);
    for at in 0..right.len() {
        let mut changed = right.clone();
        changed[at] ^= 1;
        assert!(world.check(&changed).is_err(), "octet {at}");
        assert!(world.check(&right[..at]).is_err(), "only {at} octets");
    }
}

#[test]
fn revocation_is_told_with_time_and_reason() {
    let world = World::new();
    let mut data = world.data();
    data.responses[0].cert_status = CertStatus::revoked(RevokedInfo {
        revocation_time: moment(NOW.plus_seconds(-90)),
        revocation_reason: Some(CrlReason::KeyCompromise),
    });
    let answer = world.check_data(data).expect("trusted");
    let revoked = Status::Revoked {
        at: NOW.plus_seconds(-90),
        reason: Some("key_compromise"),
    };
    assert_eq!(answer.status, revoked);
    let json = serde_json::to_value(&answer).expect("serializes");
    assert_eq!(
        (&json["status"], &json["reason"]),
        (&"revoked".into(), &"key_compromise".into())
    );
}

#[test]
fn an_answer_to_another_question_is_none() {
    let world = World::new();
    let other = world.ca.issue("CN=other.example", ID_KP_SERVER_AUTH);
    let mut data = world.data();
    let serial = other
        .certificate
        .parsed()
        .tbs_certificate
        .serial_number
        .clone();
    data.responses[0].cert_id.serial_number = serial;
    assert!(matches!(
        world.check_data(data),
        Err(Distrust::OtherCertificate)
    ));
    let mut data = world.data();
    let nonce = extension::new(false, &Nonce::new([7; 32]).expect("short")).expect("encodes");
    data.response_extensions = Some(vec![nonce]);
    assert!(matches!(world.check_data(data), Err(Distrust::Nonce)));
}

#[test]
fn an_answer_without_nonce_needs_an_end() {
    let world = World::new();
    let mut data = world.data();
    data.response_extensions = None;
    assert!(!world.check_data(data.clone()).expect("trusted").nonce);
    data.responses[0].next_update = None;
    assert!(matches!(world.check_data(data), Err(Distrust::Ageless)));
}

#[test]
fn old_answers_and_early_ones_are_refused() {
    let world = World::new();
    let mut data = world.data();
    data.responses[0].next_update = Some(moment(NOW.plus_seconds(-301)));
    assert!(matches!(world.check_data(data), Err(Distrust::Late(_))));
    let mut data = world.data();
    data.responses[0].this_update = moment(NOW.plus_seconds(301));
    assert!(matches!(world.check_data(data), Err(Distrust::Early(_))));
}

#[test]
fn unknown_critical_extensions_are_refused() {
    let world = World::new();
    let mut data = world.data();
    let usage = ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH]);
    let critical = extension::new(true, &usage).expect("encodes");
    data.responses[0].single_extensions = Some(vec![critical]);
    let distrust = world.check_data(data).expect_err("distrusted");
    assert!(matches!(
        distrust,
        Distrust::Critical(ExtendedKeyUsage::OID)
    ));
}

#[test]
fn an_error_of_the_responder_is_named() {
    let world = World::new();
    let refusal = OcspResponse::try_later().to_der().expect("encodes");
    let distrust = world.check(&refusal).expect_err("no answer");
    assert_eq!(distrust.to_string(), "the responder answers tryLater");
}

#[test]
fn a_url_is_split_before_its_path() {
    let split = |url| super::split(url, "/ocsp");
    let pair = |base: &str, path: &str| Some((base.to_owned(), path.to_owned()));
    assert_eq!(
        split("http://a.example:80/x/y?z"),
        pair("http://a.example:80", "/x/y?z")
    );
    assert_eq!(
        split("https://[::1]:8443"),
        pair("https://[::1]:8443", "/ocsp")
    );
    assert_eq!(split("http://a.example/"), pair("http://a.example", "/"));
    assert_eq!(split("ldap://a.example/"), None);
}
