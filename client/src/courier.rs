//! Carrying things to places that others run.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use common::x509::Certificate;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};

use crate::endpoint::Error;

/// How long a delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Delivers to URLs that an operator set: http or https, no redirects, ten seconds, and nothing on
/// the link itself, where clouds answer with secrets.
#[derive(Clone, Debug)]
pub struct Courier(Agent);

impl Courier {
    /// A courier that trusts servers below `anchors`.
    pub fn new(anchors: &[Certificate]) -> Self {
        let roots: Vec<_> = anchors
            .iter()
            .map(|anchor| ureq::tls::Certificate::from_der(anchor.der()).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(common::http::tls::provider())
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.new_agent())
    }

    /// Puts a file at `url`.
    pub fn put(&self, url: &str, media_type: &str, body: &[u8]) -> Result<(), Error> {
        check(url)?;
        let sent = self
            .0
            .put(url)
            .header("Content-Type", media_type)
            .send(body);
        let unreachable = |why: String| Error::Unreachable {
            url: url.into(),
            why,
        };
        let answer = sent.map_err(|e| unreachable(e.to_string()))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(unreachable(format!("HTTP status {}", answer.status()))),
        }
    }
}

/// Refuses what is no place to deliver to.
fn check(url: &str) -> Result<(), Error> {
    let refused = |why: &str| Error::Unreachable {
        url: url.into(),
        why: why.into(),
    };
    let uri: Uri = url.parse().map_err(|_| refused("this is no URL"))?;
    let port = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(refused("only http and https are used")),
    };
    let host = uri.host().ok_or_else(|| refused("there is no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = (host, uri.port_u16().unwrap_or(port)).to_socket_addrs();
    let found: Vec<SocketAddr> = found.map_err(|e| refused(&e.to_string()))?.collect();
    match found.iter().any(|address| is_link_local(address.ip())) {
        true => Err(refused("link-local addresses are not used")),
        false => Ok(()),
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.is_link_local(),
            None => address.segments()[0] & 0xffc0 == 0xfe80,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_to_deliver_to_is_refused() {
        for url in [
            "ftp://example.org/",
            "/etc/passwd",
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.1.1]/",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
        assert!(check("http://127.0.0.1:9/").is_ok());
        assert!(check("https://[::1]/x").is_ok());
    }
}
