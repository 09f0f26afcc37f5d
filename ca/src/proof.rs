//! Proof that somebody holds a certificate's key: what lets an owner revoke.

use common::x509::{Certificate, RevocationReason, der_from, tlv};
use der::Decode;
use x509_cert::request::CertReq;

use crate::Error;

/// How the subject of a proof begins.
pub const PREFIX: &str = "revoke:";

/// What stands over it in PEM.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// Most bytes of a proof, PEM.
const LENGTH_MAX: usize = 65_536;

/// The reasons that an owner may give. The others are judgements that agents make.
pub const REASONS: [RevocationReason; 5] = [
    RevocationReason::Unspecified,
    RevocationReason::KeyCompromise,
    RevocationReason::Superseded,
    RevocationReason::AffiliationChanged,
    RevocationReason::CessationOfOperation,
];

/// Refuses reasons that are not for owners.
pub fn check_reason(reason: RevocationReason) -> Result<(), Error> {
    if REASONS.contains(&reason) {
        return Ok(());
    }
    let names: Vec<_> = REASONS.iter().map(ToString::to_string).collect();
    let message = format!("an owner's reason is one of {}", names.join(", "));
    Err(Error::field("reason", "owner", message))
}

/// Checks that `proof` was signed with the key of `certificate`, to revoke it for this reason.
///
/// It is a PKCS#10 request, which any tool can make, with the subject `CN=revoke:{serial}:{reason}`.
/// With the longest reasons that is more than the 64 characters that some tools give a common name
/// (RFC 5280 A.1), so the reason may be its number, too. A proof for one certificate and reason is
/// of no use for another, and none is ever enrolled.
pub fn check(
    proof: &str,
    certificate: &Certificate,
    reason: RevocationReason,
) -> Result<(), Error> {
    let refused = |rule: &str, message: String| Error::field("proof", rule, message);
    let unreadable = || refused("syntax", "the proof is no PKCS#10 request".into());
    if proof.len() > LENGTH_MAX {
        return Err(unreadable());
    }
    let der = der_from(proof.as_bytes(), &LABELS).ok_or_else(unreadable)?;
    let request = CertReq::from_der(&der).map_err(|_| unreadable())?;
    let prefix = format!("CN={PREFIX}{}:", certificate.serial());
    let subject = request.info.subject.to_string();
    let told = subject.strip_prefix(&prefix);
    if told != Some(&reason.to_string()) && told != Some(&reason.code().to_string()) {
        let message = format!("the subject of the proof is not `{prefix}{reason}`");
        return Err(refused("subject", message));
    }
    let key = certificate.public_key();
    if request.info.public_key != *key.info() {
        return Err(refused("key", "the proof is by another key".into()));
    }
    let signed = tlv::signed_part(&der).ok_or_else(unreadable)?;
    let signature = request.signature.as_bytes().ok_or_else(unreadable)?;
    key.verify(&request.algorithm, signed, signature)
        .map_err(|_| refused("signature", "the signature of the proof is wrong".into()))
}

#[cfg(test)]
mod tests {
    use common::clock::Clock;
    use common::crypto::{KeySpec, PrivateKey};
    use common::x509::{Csr, csr, name, pem};

    use super::*;

    fn certificate(key: &PrivateKey) -> Certificate {
        let subject = name::parse("CN=host.example").expect("a name");
        let request = csr::create(key, &subject, &[]).expect("a request");
        let csr = Csr::from_der(request).expect("it is ours");
        crate::create::seed(key, csr.subject(), Clock::System.now()).expect("a certificate")
    }

    fn proof(key: &PrivateKey, subject: &str) -> String {
        let subject = name::parse(subject).expect("a name");
        let der = csr::create(key, &subject, &[]).expect("a request");
        pem("CERTIFICATE REQUEST", &der)
    }

    #[test]
    fn a_proof_is_of_one_key_for_one_certificate_and_one_reason() {
        let (key, _) = PrivateKey::generate(KeySpec::EcP256).expect("a key");
        let (other, _) = PrivateKey::generate(KeySpec::EcP256).expect("a key");
        let certificate = certificate(&key);
        let serial = certificate.serial();
        let reason = RevocationReason::Superseded;
        let good = format!("CN=revoke:{serial}:superseded");

        assert!(check(&proof(&key, &good), &certificate, reason).is_ok());
        let number = format!("CN=revoke:{serial}:4");
        assert!(check(&proof(&key, &number), &certificate, reason).is_ok());
        assert!(check(&proof(&other, &good), &certificate, reason).is_err());
        let whole = proof(&key, &good);
        assert!(check(&whole, &certificate, RevocationReason::KeyCompromise).is_err());
        for subject in [
            format!("CN=revoke:{serial}"),
            format!("CN=revoke:{serial}:unspecified"),
            format!("CN=revoke:{}:superseded", serial.to_string().to_uppercase()),
            format!("CN=revoke:0{serial}:superseded"),
            format!("CN=revoke:{serial}:superseded,O=Example"),
            format!("O=revoke:{serial}:superseded"),
        ] {
            let refused = check(&proof(&key, &subject), &certificate, reason);
            assert!(refused.is_err(), "{subject}");
        }
        assert!(check("", &certificate, reason).is_err());
        assert!(check(&whole[..whole.len() / 2], &certificate, reason).is_err());
    }

    #[test]
    fn owners_give_five_reasons() {
        let allowed = RevocationReason::ALL.iter();
        let allowed = allowed.filter(|(reason, _, _)| check_reason(*reason).is_ok());
        assert_eq!(allowed.count(), 5);
        assert!(check_reason(RevocationReason::CaCompromise).is_err());
    }
}
