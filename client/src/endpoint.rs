use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use common::api::Problem;
use common::http::tls::{TlsIdentity, provider};
use common::x509::Certificate;
use common::x509::certificate::chain_from_pem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::tls::{ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Largest answer that we read into memory, bytes.
const ANSWER_MAX: u64 = 256 * 1024 * 1024;

/// A certificate chain with its private key, to prove who calls.
pub type Credential = TlsIdentity;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused, and said why.
    #[error("{}", describe(.0))]
    Refused(Box<Problem>),
    /// The service was not reached, or broke off.
    #[error("{url}: {why}")]
    Unreachable {
        /// What was called.
        url: String,
        /// What the network said.
        why: String,
    },
    /// The answer is not what the interface promises.
    #[error("{url}: unexpected answer: {why}")]
    Unexpected {
        /// What was called.
        url: String,
        /// What is odd.
        why: String,
    },
    /// The credential or trust anchor is of no use.
    #[error("{0}")]
    Credential(String),
}

impl Error {
    /// The problem, when the service refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Unreachable { .. } | Self::Unexpected { .. } | Self::Credential(_) => None,
        }
    }
}

fn describe(problem: &Problem) -> String {
    let mut text = problem
        .detail
        .clone()
        .unwrap_or_else(|| problem.title.clone());
    for violation in problem.violations.iter().skip(1) {
        text.push_str(&format!("\n{}", violation.message));
    }
    format!("{text} ({}, {})", problem.status, problem.kind)
}

/// A service: its base URL, whom we trust, and who we are.
#[derive(Clone, Debug)]
pub struct Endpoint {
    base: String,
    anchors: Arc<Vec<Certificate>>,
    /// Shared by all clones, so that a new credential reaches every one.
    agent: Arc<ArcSwap<Agent>>,
    timeout: Duration,
}

/// An answer with its entity tag.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    /// The body.
    pub value: T,
    /// `ETag`, to be sent back as `If-Match`.
    pub etag: Option<String>,
}

impl Endpoint {
    /// A service at `base` (`https://ca.example:8443`) whose TLS certificate is below `anchors`.
    ///
    /// # Errors
    /// When the credential's key is not usable.
    pub fn new(
        base: &str,
        anchors: &[Certificate],
        credential: Option<&Credential>,
    ) -> Result<Self, Error> {
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            anchors: Arc::new(anchors.to_vec()),
            agent: Arc::new(ArcSwap::from_pointee(agent(anchors, credential)?)),
            timeout: Duration::from_secs(60),
        })
    }

    /// Proves itself with another credential from the next call on, in all clones.
    ///
    /// # Errors
    /// When the credential's key is not usable.
    pub fn replace_credential(&self, credential: &Credential) -> Result<(), Error> {
        let agent = agent(&self.anchors, Some(credential))?;
        self.agent.store(Arc::new(agent));
        Ok(())
    }

    /// The same service with another limit on the time of a whole call.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Reads trust anchor and credential from PEM files: `credential` holds a certificate chain and
    /// an unencrypted PKCS#8 key.
    pub fn from_pem(base: &str, anchors: &str, credential: Option<&str>) -> Result<Self, Error> {
        let anchors = chain_from_pem(anchors).map_err(Error::Credential)?;
        let credential = credential.map(credential_from_pem).transpose()?;
        Self::new(base, &anchors, credential.as_ref())
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GET of a JSON body.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Tagged<T>, Error> {
        let url = self.url(path);
        let response = self
            .timed(self.agent.load().get(&url))
            .header("Accept", "application/json")
            .call();
        json(&url, response)
    }

    /// GET of other bytes.
    pub fn get_bytes(&self, path: &str, accept: &str) -> Result<Vec<u8>, Error> {
        let url = self.url(path);
        let response = self
            .timed(self.agent.load().get(&url))
            .header("Accept", accept)
            .call();
        Ok(bytes(&url, response)?.value)
    }

    /// POST of a JSON body.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Tagged<T>, Error> {
        let url = self.url(path);
        json(
            &url,
            self.timed(self.agent.load().post(&url)).send_json(body),
        )
    }

    /// POST of other bytes.
    pub fn post_bytes(&self, path: &str, media_type: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let url = self.url(path);
        let response = self
            .timed(self.agent.load().post(&url))
            .header("Content-Type", media_type)
            .send(body);
        Ok(bytes(&url, response)?.value)
    }

    /// PUT of a JSON body, bound to what was seen when `if_match` is there.
    pub fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        if_match: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Tagged<T>, Error> {
        let url = self.url(path);
        let mut request = self.timed(self.agent.load().put(&url));
        if let Some(tag) = if_match {
            request = request.header("If-Match", tag);
        }
        json(&url, request.send_json(body))
    }

    /// PUT of other bytes, bound to what was seen.
    pub fn put_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        if_match: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Tagged<T>, Error> {
        let url = self.url(path);
        let request = self
            .timed(self.agent.load().put(&url))
            .header("If-Match", if_match)
            .header("Content-Type", media_type);
        json(&url, request.send(body))
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        let url = self.url(path);
        let response = self.timed(self.agent.load().delete(&url)).call();
        bytes(&url, response).map(drop)
    }

    fn timed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        request.config().timeout_global(Some(self.timeout)).build()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn agent(anchors: &[Certificate], credential: Option<&Credential>) -> Result<Agent, Error> {
    let roots: Vec<_> = anchors.iter().map(certificate).collect();
    let client = credential.map(client_certificate).transpose()?;
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider())
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(client)
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .timeout_connect(Some(Duration::from_secs(5)))
        .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.new_agent())
}

fn certificate(certificate: &Certificate) -> ureq::tls::Certificate<'static> {
    ureq::tls::Certificate::from_der(certificate.der()).to_owned()
}

fn client_certificate(credential: &Credential) -> Result<ClientCert, Error> {
    // The HTTP client would only find out later, and panic.
    common::http::tls::check(credential).map_err(Error::Credential)?;
    let chain: Vec<_> = credential.chain.iter().map(certificate).collect();
    let pem = common::x509::pem("PRIVATE KEY", credential.key.expose());
    let key = PrivateKey::from_pem(pem.as_bytes()).map_err(|e| Error::Credential(e.to_string()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Reads a certificate chain and an unencrypted PKCS#8 key from one PEM text.
pub fn credential_from_pem(pem: &str) -> Result<Credential, Error> {
    let wrong = |why: &str| Error::Credential(format!("the credential {why}"));
    let chain = chain_from_pem(pem).map_err(|e| wrong(&e))?;
    let start = pem
        .find("-----BEGIN PRIVATE KEY-----")
        .ok_or_else(|| wrong("has no PRIVATE KEY"))?;
    let end_line = "-----END PRIVATE KEY-----";
    let length = pem[start..]
        .find(end_line)
        .ok_or_else(|| wrong("is cut off"))?
        + end_line.len();
    let key = common::x509::der_from(&pem.as_bytes()[start..start + length], &["PRIVATE KEY"]);
    let key = key.ok_or_else(|| wrong("has an unreadable PRIVATE KEY"))?;
    match chain.is_empty() {
        true => Err(wrong("has no CERTIFICATE")),
        false => Ok(Credential {
            chain,
            key: common::crypto::Secret::new(key),
        }),
    }
}

type Response = Result<ureq::http::Response<Body>, ureq::Error>;

fn bytes(url: &str, response: Response) -> Result<Tagged<Vec<u8>>, Error> {
    let unreachable = |e: ureq::Error| Error::Unreachable {
        url: url.into(),
        why: e.to_string(),
    };
    let mut response = response.map_err(unreachable)?;
    let status = response.status();
    let etag = response
        .headers()
        .get("etag")
        .and_then(|tag| tag.to_str().ok())
        .map(str::to_owned);
    let body = response
        .body_mut()
        .with_config()
        .limit(ANSWER_MAX)
        .read_to_vec();
    let body = body.map_err(unreachable)?;
    if status.is_success() {
        return Ok(Tagged { value: body, etag });
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(Error::Refused(Box::new(problem))),
        Err(_) => Err(Error::Unexpected {
            url: url.into(),
            why: format!("HTTP status {status}"),
        }),
    }
}

fn json<T: DeserializeOwned>(url: &str, response: Response) -> Result<Tagged<T>, Error> {
    let answer = bytes(url, response)?;
    let value = serde_json::from_slice(&answer.value).map_err(|e| Error::Unexpected {
        url: url.into(),
        why: e.to_string(),
    })?;
    Ok(Tagged {
        value,
        etag: answer.etag,
    })
}
