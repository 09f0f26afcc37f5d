//! Taking over a CA that another program ran, with everything that it issued and revoked.

use common::audit::Event;
use common::clock::Timestamp;
use common::db::audit;
use common::entropy;
use common::identity::Caller;
use common::pfx::Content;
use common::x509::{
    Certificate, RevocationReason, SerialNumber, Status, extension, timestamp, tlv,
};
use const_oid::db::rfc5280::{ID_CE_CRL_NUMBER, ID_CE_INVALIDITY_DATE};
use der::Decode;
use der::asn1::GeneralizedTime;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::ext::pkix::{CrlNumber, CrlReason};
use x509_cert::time::Time;

use super::Authority;
use crate::store::authorities::{self, Record, Standing};
use crate::store::imports;
use crate::{Error, chain};

/// Certificates of one commit.
const BATCH: usize = 500;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The authority.
    pub authority: String,
    /// Certificates put on record now.
    pub certificates: usize,
    /// Revocations and holds put on record now.
    pub revocations: usize,
    /// Certificates that another CA issued, left out.
    pub foreign: usize,
}

impl Authority {
    /// Takes over the CA in `content`, or goes on with what an earlier call began: its key and
    /// certificate as an authority of ours, `certificates` that it issued, and what its last `crl`
    /// says. Nothing is done twice.
    pub fn import(
        &self,
        content: Content,
        certificates: Vec<Certificate>,
        crl: Option<&[u8]>,
    ) -> Result<Imported, Error> {
        let own = content.chain.first().cloned();
        let own = own.ok_or_else(|| Error::Internal("a CA has a certificate".into()))?;
        let crl = crl.map(|der| read_crl(der, &own)).transpose()?;
        let id = self.take_in(&content, &own)?;
        let mut imported = Imported {
            authority: id.clone(),
            ..Imported::default()
        };
        let (ours, foreign): (Vec<_>, Vec<_>) = certificates.into_iter().partition(|certificate| {
            certificate.issuer() == own.subject()
                && certificate.verify_signed_by(own.public_key()).is_ok()
        });
        imported.foreign = foreign.len();
        for batch in ours.chunks(BATCH) {
            let (id, batch, now) = (id.clone(), batch.to_vec(), self.clock.now());
            imported.certificates += self.database.write("import certificates", move |c| {
                let mut count = 0;
                for certificate in &batch {
                    count += usize::from(imports::certificate(c, &id, certificate, now)?);
                }
                Ok::<_, Error>(count)
            })?;
        }
        if let Some(crl) = crl {
            imported.revocations = self.take_over(&id, crl, own.not_after())?;
        }
        let event = Event::by(
            &Caller::system(),
            self.clock.now(),
            "AUTHORITY_CONFIG",
            format!("authority/{id}"),
        )
        .with("operation", "import")
        .with("certificates", imported.certificates.to_string())
        .with("revocations", imported.revocations.to_string());
        self.database.write("import authority", move |c| {
            Ok::<_, Error>(audit::append(c, &event)?)
        })?;
        // Its CRL is made at the next start, which knows the places that it names.
        self.read_authorities()?;
        Ok(imported)
    }

    /// The authority with this key and certificate, new or known.
    fn take_in(&self, content: &Content, own: &Certificate) -> Result<String, Error> {
        let known = self.database.read(authorities::all)?;
        let same = |record: &&Record| {
            let certificate = record.certificate.as_ref();
            certificate.is_some_and(|certificate| certificate.der() == own.der())
        };
        if let Some(record) = known.iter().find(same) {
            return Ok(record.id.clone());
        }
        chain::check(&content.chain, self.clock.now())
            .map_err(|why| Error::field("pkcs12", "chain", why))?;
        let now = self.clock.now();
        let above = &content.chain[1..];
        let record = Record {
            id: entropy::uuid().to_string(),
            subject: own.subject().to_string(),
            description: Some("imported".into()),
            standing: Standing::Enabled,
            serial: None,
            outside_chain: (!above.is_empty())
                .then(|| above.iter().map(Certificate::pem).collect()),
            sealed_key: Some(self.issuers.seal(&content.pkcs8)?),
            ..Record::of_host(own.clone(), now)
        };
        let id = record.id.clone();
        self.database.write("import authority", move |c| {
            match authorities::is_taken(c, &record)? {
                false => authorities::insert(c, &record),
                true => {
                    let why = format!("there is an authority {} already", record.subject);
                    Err(Error::AuthorityConflict(why))
                }
            }
        })?;
        Ok(id)
    }

    fn take_over(&self, id: &str, crl: Revocations, end: Timestamp) -> Result<usize, Error> {
        let id = id.to_owned();
        self.database.write("import CRL", move |c| {
            imports::crl_number(c, &id, crl.number)?;
            let mut count = 0;
            for (serial, status, at) in &crl.entries {
                let stated = (*status, *at);
                count += usize::from(imports::revocation(c, &id, serial, stated, end)?);
            }
            Ok::<_, Error>(count)
        })
    }
}

/// What a CRL says.
#[derive(Clone, Debug)]
struct Revocations {
    number: i64,
    entries: Vec<(SerialNumber, Status, Timestamp)>,
}

fn read_crl(der: &[u8], own: &Certificate) -> Result<Revocations, Error> {
    let refuse = |rule: &str, message: &str| Error::field("crl", rule, message);
    let list = CertificateList::from_der(der).map_err(|e| refuse("syntax", &e.to_string()))?;
    let signed = tlv::signed_part(der).ok_or_else(|| refuse("syntax", "it is cut off"))?;
    let signature = list.signature.as_bytes().unwrap_or_default();
    own.public_key()
        .verify(&list.signature_algorithm, signed, signature)
        .map_err(|_| refuse("signature", "the CRL is not by the CA's key"))?;
    let extensions = list.tbs_cert_list.crl_extensions.unwrap_or_default();
    let number = match extensions.iter().find(|e| e.extn_id == ID_CE_CRL_NUMBER) {
        None => 0,
        Some(found) => {
            let number = CrlNumber::from_der(found.extn_value.as_bytes())?;
            let digits = number.0.as_bytes();
            let fits = digits.len() < 8;
            let number = digits.iter().fold(0, |sum, d| sum << 8 | i64::from(*d));
            fits.then_some(number)
                .ok_or_else(|| refuse("number", "the CRL number has more than seven octets"))?
        }
    };
    let revoked = list.tbs_cert_list.revoked_certificates.unwrap_or_default();
    let entries = revoked.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Revocations { number, entries })
}

fn entry(revoked: &RevokedCert) -> Result<(SerialNumber, Status, Timestamp), Error> {
    let extensions = revoked.crl_entry_extensions.as_deref().unwrap_or_default();
    let at = timestamp(&revoked.revocation_date);
    let code = extension::find::<CrlReason>(extensions).map_or(0, |reason| reason as u8);
    let invalidity = extensions
        .iter()
        .find(|e| e.extn_id == ID_CE_INVALIDITY_DATE);
    let invalidity = invalidity
        .map(|found| GeneralizedTime::from_der(found.extn_value.as_bytes()))
        .transpose()?;
    let invalidity = invalidity.map(|date| timestamp(&Time::GeneralTime(date)));
    let status = match code {
        6 => Status::OnHold { since: at },
        code => Status::Revoked {
            at,
            reason: RevocationReason::from_code(code).unwrap_or(RevocationReason::Unspecified),
            invalidity_date: invalidity,
        },
    };
    Ok(((&revoked.serial_number).into(), status, at))
}
