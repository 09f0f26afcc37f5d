//! The authorities that issue here: a registry that every reader sees whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use common::x509::Certificate;

use super::Authority;
use super::crls::Publication;
use crate::Error;
use crate::create::HOST;
use crate::issuer::Issuer;

/// An authority with what is published for it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Certificate, key and URLs.
    pub issuer: Arc<Issuer>,
    /// Its CRL. Stays the same when the certificate changes.
    pub(super) crls: Arc<Publication>,
}

/// All authorities by id. A change replaces the whole map; who reads meanwhile keeps the old one.
#[derive(Debug)]
pub(super) struct Issuers(ArcSwap<BTreeMap<String, Arc<Member>>>);

impl Issuers {
    pub(super) fn new(members: impl IntoIterator<Item = Member>) -> Self {
        let members = members.into_iter();
        let members = members.map(|member| (member.issuer.id.clone(), Arc::new(member)));
        Self(ArcSwap::from_pointee(members.collect()))
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Member>> {
        self.0.load().get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Member>> {
        self.0.load().values().cloned().collect()
    }

    /// Puts an authority in the place of the one with the same id.
    pub(super) fn put(&self, member: Member) {
        let member = Arc::new(member);
        self.0.rcu(|members| {
            let mut members = BTreeMap::clone(members);
            members.insert(member.issuer.id.clone(), Arc::clone(&member));
            members
        });
    }
}

impl Authority {
    /// The first authority.
    pub fn host(&self) -> Arc<Issuer> {
        let host = self.issuers.find(HOST);
        Arc::clone(&host.expect("the first authority is never removed").issuer)
    }

    /// The authority with this id.
    pub fn issuer(&self, id: &str) -> Result<Arc<Issuer>, Error> {
        Ok(Arc::clone(&self.member(id)?.issuer))
    }

    /// All authorities, by id.
    pub fn issuers(&self) -> Vec<Arc<Issuer>> {
        let members = self.issuers.all();
        members.iter().map(|m| Arc::clone(&m.issuer)).collect()
    }

    /// The authority that shall issue: the one asked for, the first one when none is.
    pub(super) fn issuing(&self, id: Option<&str>) -> Result<Arc<Issuer>, Error> {
        let id = id.unwrap_or(HOST);
        self.issuer(id).map_err(|_| {
            let message = format!("there is no authority `{id}`");
            Error::field("authority", "unknown", message)
        })
    }

    pub(super) fn member(&self, id: &str) -> Result<Arc<Member>, Error> {
        self.issuers.find(id).ok_or(Error::NotFound("authority"))
    }

    /// Uses another certificate of the same key from now on.
    pub(crate) fn replace_certificate(&self, id: &str, certificate: Certificate) {
        if let Some(member) = self.issuers.find(id) {
            let issuer = Arc::new(Issuer {
                certificate,
                ..Issuer::clone(&member.issuer)
            });
            self.issuers.put(Member {
                issuer,
                crls: Arc::clone(&member.crls),
            });
        }
    }
}
