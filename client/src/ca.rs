//! The certificate authority's operations.

use common::api::ca::{
    Authority, AuthorityChange, Certificate, CertificateStatus, CertificateSummary, Chain,
    Decision, DryRun, Job, Journal, NewAuthority, OutsideCertificate, Profile, ProfileDecision,
    ProfileSummary, Renewal, Request, Revocations, RevokeMany, Statistics, StatusChange,
    SubmitRequest,
};
use common::api::{Info, Page};

use crate::endpoint::{Endpoint, Error, Tagged};

/// Filters of the certificate list, as they stand in the query.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    /// Name and value, in the words of the interface.
    pub terms: Vec<(String, String)>,
}

impl Endpoint {
    /// `GET /pki/info`.
    pub fn info(&self) -> Result<Info, Error> {
        Ok(self.get("/pki/info")?.value)
    }

    /// `GET /pki/profiles`, all pages.
    pub fn profiles(&self) -> Result<Vec<ProfileSummary>, Error> {
        self.all("/pki/profiles", &[])
    }

    /// `GET /pki/profile/{id}`.
    pub fn profile(&self, id: &str) -> Result<Profile, Error> {
        Ok(self.get(&format!("/pki/profile/{}", escape(id)))?.value)
    }

    /// `GET /pki/profile/{id}?format=…`: the text in one of the file notations.
    pub fn profile_text(&self, id: &str, format: &str) -> Result<Vec<u8>, Error> {
        let path = format!("/pki/profile/{}?format={format}", escape(id));
        self.get_bytes(&path, "*/*")
    }

    /// `POST /pki/profiles` of a text; `id` for one that has none.
    pub fn create_profile(
        &self,
        id: Option<&str>,
        media_type: &str,
        text: &[u8],
    ) -> Result<Profile, Error> {
        let path = match id {
            Some(id) => format!("/pki/profiles?id={}", escape(id)),
            None => "/pki/profiles".to_owned(),
        };
        let answer = self.post_bytes(&path, media_type, text)?;
        serde_json::from_slice(&answer).map_err(|e| Error::Unexpected {
            url: path,
            why: e.to_string(),
        })
    }

    /// `PUT /pki/profile/{id}` of a text in the place of the one that is there now.
    pub fn change_profile(
        &self,
        id: &str,
        media_type: &str,
        text: &[u8],
    ) -> Result<Profile, Error> {
        let path = format!("/pki/profile/{}", escape(id));
        let before: Tagged<Profile> = self.get(&path)?;
        let tag = before.etag.unwrap_or_default();
        Ok(self.put_bytes(&path, &tag, media_type, text)?.value)
    }

    /// `PUT /pki/profile/{id}/status`.
    pub fn decide_profile(&self, id: &str, decision: &ProfileDecision) -> Result<Profile, Error> {
        let path = format!("/pki/profile/{}/status", escape(id));
        Ok(self.put(&path, None, decision)?.value)
    }

    /// `DELETE /pki/profile/{id}`.
    pub fn delete_profile(&self, id: &str) -> Result<(), Error> {
        self.delete(&format!("/pki/profile/{}", escape(id)))
    }

    /// `POST /pki/request/{profile}?dry_run=true`.
    pub fn dry_run(&self, profile: &str, request: &SubmitRequest) -> Result<DryRun, Error> {
        let path = format!("/pki/request/{}?dry_run=true", escape(profile));
        Ok(self.post(&path, request)?.value)
    }

    /// `POST /pki/request/{profile}`.
    pub fn submit(&self, profile: &str, request: &SubmitRequest) -> Result<Request, Error> {
        Ok(self
            .post(&format!("/pki/request/{}", escape(profile)), request)?
            .value)
    }

    /// `GET /pki/requests`: one page of at most `limit`.
    pub fn requests(
        &self,
        terms: &[(String, String)],
        limit: usize,
    ) -> Result<Page<Request>, Error> {
        Ok(self
            .get(&format!("/pki/requests?limit={limit}{}", query(terms)))?
            .value)
    }

    /// `GET /pki/request/{id}` with its tag.
    pub fn request(&self, id: &str) -> Result<Tagged<Request>, Error> {
        self.get(&format!("/pki/request/{}", escape(id)))
    }

    /// `PUT /pki/request/{id}/status`, bound to the tag of what was reviewed.
    pub fn decide(&self, id: &str, etag: &str, decision: &Decision) -> Result<Request, Error> {
        let path = format!("/pki/request/{}/status", escape(id));
        Ok(self.put(&path, Some(etag), decision)?.value)
    }

    /// `GET /pki/certificate/{serial}`.
    pub fn certificate(&self, serial: &str) -> Result<Certificate, Error> {
        Ok(self
            .get(&format!("/pki/certificate/{}", escape(serial)))?
            .value)
    }

    /// `GET /pki/certificates`: one page of at most `limit`.
    pub fn certificates(
        &self,
        filter: &CertificateFilter,
        limit: usize,
    ) -> Result<Page<CertificateSummary>, Error> {
        let path = format!("/pki/certificates?limit={limit}{}", query(&filter.terms));
        Ok(self.get(&path)?.value)
    }

    /// `GET /pki/certificate/{serial}/status`.
    pub fn certificate_status(&self, serial: &str) -> Result<CertificateStatus, Error> {
        Ok(self
            .get(&format!("/pki/certificate/{}/status", escape(serial)))?
            .value)
    }

    /// `PUT /pki/certificate/{serial}/status`.
    pub fn change_status(
        &self,
        serial: &str,
        change: &StatusChange,
    ) -> Result<CertificateStatus, Error> {
        let path = format!("/pki/certificate/{}/status", escape(serial));
        Ok(self.put(&path, None, change)?.value)
    }

    /// `GET /pki/crl` in another representation than JSON.
    pub fn crl(&self, authority: &str, accept: &str) -> Result<Vec<u8>, Error> {
        self.get_bytes(&format!("/pki/crl?authority={}", escape(authority)), accept)
    }

    /// Asks for a certificate that is issued at once; gives it with the intermediates above it.
    pub fn issue(
        &self,
        profile: &str,
        csr: &[u8],
    ) -> Result<Vec<common::x509::Certificate>, String> {
        let request = SubmitRequest {
            csr: Some(common::x509::pem("CERTIFICATE REQUEST", csr)),
            ..SubmitRequest::default()
        };
        let submitted = self.submit(profile, &request).map_err(|e| e.to_string())?;
        let link = submitted
            .certificate
            .ok_or("the CA lets the request wait for an agent")?;
        let issued = self.certificate(&link.id).map_err(|e| e.to_string())?;
        let above = self
            .authority_chain(&issued.authority)
            .map_err(|e| e.to_string())?;
        let mut chain = vec![common::x509::Certificate::from_pem(&issued.pem)?];
        for pem in &above.certificates {
            let certificate = common::x509::Certificate::from_pem(pem)?;
            // Those that trust a root have it.
            if certificate
                .verify_signed_by(certificate.public_key())
                .is_err()
            {
                chain.push(certificate);
            }
        }
        Ok(chain)
    }

    /// `GET /pki/authorities`, all pages; with those that were deleted and not forgotten yet when
    /// `deleted`.
    pub fn authorities(&self, deleted: bool) -> Result<Vec<Authority>, Error> {
        let terms = [("deleted".to_owned(), deleted.to_string())];
        self.all("/pki/authorities", &terms)
    }

    /// `GET /pki/authority/{id}`.
    pub fn authority(&self, id: &str) -> Result<Authority, Error> {
        Ok(self.get(&authority(id, ""))?.value)
    }

    /// `POST /pki/authorities`.
    pub fn create_authority(&self, wanted: &NewAuthority) -> Result<Authority, Error> {
        Ok(self.post("/pki/authorities", wanted)?.value)
    }

    /// `PUT /pki/authority/{id}/certificate`.
    pub fn complete_authority(
        &self,
        id: &str,
        certificates: Vec<String>,
    ) -> Result<Authority, Error> {
        let body = OutsideCertificate { certificates };
        Ok(self.put(&authority(id, "/certificate"), None, &body)?.value)
    }

    /// `PUT /pki/authority/{id}/status`.
    pub fn change_authority(&self, id: &str, change: &AuthorityChange) -> Result<Authority, Error> {
        Ok(self.put(&authority(id, "/status"), None, change)?.value)
    }

    /// `POST /pki/authority/{id}/renewal`.
    pub fn renew_authority(&self, id: &str, renewal: &Renewal) -> Result<Authority, Error> {
        Ok(self.post(&authority(id, "/renewal"), renewal)?.value)
    }

    /// `DELETE /pki/authority/{id}`.
    pub fn delete_authority(&self, id: &str) -> Result<(), Error> {
        self.delete(&authority(id, ""))
    }

    /// `GET /pki/authority/{id}/chain`.
    pub fn authority_chain(&self, authority: &str) -> Result<Chain, Error> {
        Ok(self
            .get(&format!("/pki/authority/{}/chain", escape(authority)))?
            .value)
    }

    /// `GET /pki/statistics`.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        Ok(self.get("/pki/statistics")?.value)
    }

    /// `POST /pki/revocations`.
    pub fn revoke_many(&self, order: &RevokeMany) -> Result<Revocations, Error> {
        Ok(self.post("/pki/revocations", order)?.value)
    }

    /// `GET /pki/jobs`, all pages.
    pub fn jobs(&self) -> Result<Vec<Job>, Error> {
        self.all("/pki/jobs", &[])
    }

    /// `GET /pki/job/{id}`.
    pub fn job(&self, id: &str) -> Result<Job, Error> {
        Ok(self.get(&format!("/pki/job/{}", escape(id)))?.value)
    }

    /// `GET /pki/status-journal`: what came after `cursor`, waiting at most `wait` seconds for it.
    pub fn status_journal(&self, cursor: Option<&str>, wait: u32) -> Result<Journal, Error> {
        let after = cursor.map_or_else(String::new, |cursor| format!("&after={}", escape(cursor)));
        Ok(self
            .get(&format!("/pki/status-journal?wait={wait}{after}"))?
            .value)
    }

    fn all<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        terms: &[(String, String)],
    ) -> Result<Vec<T>, Error> {
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let mut terms = terms.to_vec();
            terms.extend(after.map(|after| ("after".to_owned(), after)));
            let page: Page<T> = self
                .get(&format!("{path}?limit=1000{}", query(&terms)))?
                .value;
            entries.extend(page.entries);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(entries),
            }
        }
    }
}

fn authority(id: &str, rest: &str) -> String {
    format!("/pki/authority/{}{rest}", escape(id))
}

fn query(terms: &[(String, String)]) -> String {
    let term = |(name, value): &(String, String)| format!("&{}={}", escape(name), escape(value));
    terms.iter().map(term).collect()
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
