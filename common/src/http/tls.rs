//! TLS: our certificate, and client certificates that are looked at, not demanded.

use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::clock::Clock;
use crate::crypto::Secret;
use crate::identity::PeerCertificate;
use crate::x509::Certificate;

/// The crypto engine for TLS.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    let provider = PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    provider.clone()
}

/// A certificate chain, leaf first, with its private key.
#[derive(Debug)]
pub struct TlsIdentity {
    /// Leaf first.
    pub chain: Vec<Certificate>,
    /// PKCS#8.
    pub key: Secret,
}

/// Our side of TLS, and whom we trust on the other.
#[derive(Clone, Debug)]
pub struct Tls {
    own: Arc<OwnCertificate>,
    anchors: Arc<dyn ClientCertVerifier>,
    clock: Clock,
}

#[derive(Debug)]
struct OwnCertificate(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Serves `identity` and trusts client certificates below `anchors`.
    pub fn new(
        identity: &TlsIdentity,
        anchors: &[Certificate],
        clock: Clock,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for anchor in anchors {
            let der = CertificateDer::from(anchor.der().to_vec());
            roots
                .add(der)
                .map_err(|e| format!("the trust anchor is not usable: {e}"))?;
        }
        let anchors = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|e| format!("the trust anchor is not usable: {e}"))?;
        Ok(Self {
            own: Arc::new(OwnCertificate(ArcSwap::from_pointee(certified(identity)?))),
            anchors,
            clock,
        })
    }

    /// Uses another certificate from the next connection on.
    pub fn replace(&self, identity: &TlsIdentity) -> Result<(), String> {
        self.own.0.store(Arc::new(certified(identity)?));
        Ok(())
    }

    /// The configuration of a listener.
    pub fn server_config(&self) -> Result<ServerConfig, String> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_client_cert_verifier(Arc::new(AskForCertificate(self.anchors.clone())))
            .with_cert_resolver(self.own.clone());
        Ok(config)
    }

    /// The client certificate of a connection that was just accepted.
    ///
    /// # Panics
    /// When the connection is not one of the TLS listener's: every caller would silently be
    /// anonymous.
    pub fn peer(&self, connection: &dyn std::any::Any) -> Option<PeerCertificate> {
        let stream = connection
            .downcast_ref::<TlsStream<TcpStream>>()
            .expect("connections of the TLS listener are TLS streams");
        let chain = stream.get_ref().1.peer_certificates()?;
        let (leaf, intermediates) = chain.split_first()?;
        let certificate = Certificate::from_der(leaf).ok()?;
        let seconds = u64::try_from(self.clock.now().seconds()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let trusted = self.anchors.verify_client_cert(leaf, intermediates, now);
        Some(PeerCertificate {
            certificate: Arc::new(certificate),
            trusted: trusted.map(|_| ()).map_err(|e| explain(&e)),
        })
    }
}

fn explain(error: &rustls::Error) -> String {
    use rustls::CertificateError as E;
    let rustls::Error::InvalidCertificate(error) = error else {
        return "is not acceptable".into();
    };
    if matches!(error, E::Expired | E::ExpiredContext { .. }) {
        "has expired".into()
    } else if matches!(error, E::NotValidYet | E::NotValidYetContext { .. }) {
        "is not yet valid".into()
    } else if matches!(error, E::UnknownIssuer) {
        "is not from a CA that we trust".into()
    } else if matches!(error, E::InvalidPurpose | E::InvalidPurposeContext { .. }) {
        "is not for TLS clients".into()
    } else {
        "is not acceptable".into()
    }
}

/// Whether the key is readable and belongs to the certificate.
pub fn check(identity: &TlsIdentity) -> Result<(), String> {
    let key = certified(identity)?;
    key.keys_match()
        .map_err(|_| "the certificate is not of the key beside it".into())
}

fn certified(identity: &TlsIdentity) -> Result<CertifiedKey, String> {
    let chain = identity
        .chain
        .iter()
        .map(|c| CertificateDer::from(c.der().to_vec()))
        .collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.expose().to_vec()));
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|e| format!("the TLS key is not usable: {e}"))
}

/// Asks for a client certificate and checks only that the client holds its key. Whether we trust it
/// is decided afterwards, so that the answer can say what is wrong instead of breaking off.
#[derive(Debug)]
struct AskForCertificate(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AskForCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
