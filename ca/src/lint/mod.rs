//! What every certificate must satisfy, whatever its profile says. Each rule has a name, a source and
//! a test; `docs/LINT.md` lists them.

mod constraints;
mod extensions;
mod frame;
mod keys;
mod names;
#[cfg(test)]
mod tests;

use common::api::Violation;
use common::clock::Timestamp;
use common::crypto::{PublicKey, RequestSignatures};
use common::x509::{Certificate, extension};
use der::Decode;
use der::oid::AssociatedOid;
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::BasicConstraints;

use crate::blocklist::Blocklists;
use crate::config::LintConfig;
use crate::issuer::Issuer;

/// The rules, with what an operator may say about them.
#[derive(Debug)]
pub struct Rules {
    config: LintConfig,
    blocklists: Blocklists,
}

impl Rules {
    /// The rules under `config`; `Err` names the list that cannot be read.
    pub fn new(config: &LintConfig) -> Result<Self, String> {
        Ok(Self {
            config: config.clone(),
            blocklists: Blocklists::load(config)?,
        })
    }

    /// Which proofs of possession are accepted.
    pub fn request_signatures(&self) -> RequestSignatures {
        self.config.request_signatures
    }

    /// All violations, none when the certificate may be signed.
    pub fn certificate(
        &self,
        tbs: &TbsCertificate,
        key: &PublicKey,
        issuer: &Issuer,
        now: Timestamp,
    ) -> Vec<Violation> {
        let candidate = Candidate::new(tbs, key, issuer, now);
        let mut findings = Findings::default();
        frame::check(&candidate, self.config.validity_days_max, &mut findings);
        names::check(&candidate, &mut findings);
        extensions::check(&candidate, &mut findings);
        keys::check(&candidate, self, &mut findings);
        constraints::check(&candidate, &mut findings);
        findings.0
    }
}

/// A certificate to be, as the rules see it.
struct Candidate<'a> {
    tbs: &'a TbsCertificate,
    extensions: &'a [Extension],
    key: &'a PublicKey,
    issuer: &'a Issuer,
    now: Timestamp,
    is_ca: bool,
    /// The issuer's own name and key: a root.
    self_signed: bool,
}

impl<'a> Candidate<'a> {
    fn new(
        tbs: &'a TbsCertificate,
        key: &'a PublicKey,
        issuer: &'a Issuer,
        now: Timestamp,
    ) -> Self {
        let extensions = tbs.extensions.as_deref().unwrap_or_default();
        let is_ca = extension::find::<BasicConstraints>(extensions)
            .is_some_and(|constraints| constraints.ca);
        let same_key = key == issuer.certificate.public_key();
        Self {
            tbs,
            extensions,
            key,
            issuer,
            now,
            is_ca,
            self_signed: is_ca && same_key && tbs.subject == tbs.issuer,
        }
    }

    fn find<T: Decode<'a> + AssociatedOid>(&self) -> Option<T> {
        extension::find(self.extensions)
    }

    /// The issuing authority's certificate and those above it.
    fn authorities(&self) -> impl Iterator<Item = &'a Certificate> {
        let above = match self.self_signed {
            true => None,
            false => Some(self.issuer.full_chain()),
        };
        above.into_iter().flatten()
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    /// A violation of `rule`, unless it `holds`.
    fn ensure(&mut self, holds: bool, rule: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Violation::policy("lint", rule, message()));
        }
    }

    /// The violation that an `Err` explains.
    fn take(&mut self, rule: &str, result: Result<(), String>) {
        if let Err(message) = result {
            self.0.push(Violation::policy("lint", rule, message));
        }
    }
}
