//! The policy: what we say to a question.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use common::clock::Clock;
use common::x509::{SerialNumber, Status};

use crate::answer::{self, Answer, Refusal, Single};
use crate::config::Config;
use crate::feed::Feed;
use crate::question::{CertId, HashAlgorithm, Question};
use crate::roster::{Roster, Served};
use crate::signer::HOST;

/// Answers kept; beyond that all are forgotten and made anew.
const CACHE_MAX: usize = 100_000;

/// Everything that an answer depends on.
#[derive(Debug)]
pub struct Responder {
    roster: Arc<Roster>,
    feed: Arc<Feed>,
    config: Config,
    clock: Clock,
    cache: RwLock<HashMap<Key, Cached>>,
}

/// An authority, how it was named, and a certificate of it.
type Key = (String, HashAlgorithm, SerialNumber);

/// A signed answer and the status that it states.
#[derive(Clone, Debug)]
struct Cached {
    status: Status,
    answer: Answer,
}

impl Responder {
    /// A responder for the certificates of the authorities in `roster`.
    pub fn new(roster: Arc<Roster>, feed: Arc<Feed>, config: Config, clock: Clock) -> Self {
        Self {
            roster,
            feed,
            config,
            clock,
            cache: RwLock::default(),
        }
    }

    /// What follows the CA's journal.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Whom we answer for.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// A ready answer, when there is one: for a question about one certificate without a nonce.
    /// Cheap enough for an async worker.
    pub fn ready_answer(&self, question: &Question<'_>) -> Option<Answer> {
        let [id] = question.certificates.as_slice() else {
            return None;
        };
        if question.nonce.is_some() || self.is_stale() {
            return None;
        }
        let authority = self.roster.find(id)?.issuer.authority.clone();
        let key = (
            authority,
            id.algorithm?,
            SerialNumber::from_bytes(id.serial)?,
        );
        let status = self.feed.statuses().find(&key.0, &key.2)?.status;
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let cached = cache.get(&key).filter(|cached| cached.status == status)?;
        // An answer is replaced at half of its time, so that nobody gets one about to end.
        let half = self.config.validity_minutes * 30;
        let fresh = self.clock.now() < cached.answer.this_update.plus_seconds(half);
        fresh.then(|| cached.answer.clone())
    }

    /// Finds out and signs. Blocks: for a signature, and for news from the CA when a certificate is
    /// not known yet.
    pub fn answer(&self, question: &Question<'_>) -> Result<Answer, Refusal> {
        // Who asks us about another CA gets no opinion, not even on the rest (RFC 6960 §2.3).
        let served = self.served(question).ok_or(Refusal::Unauthorized)?;
        if self.is_stale() {
            return Err(Refusal::TryLater);
        }
        let authority = &served.issuer.authority;
        let statuses = self.statuses(authority, &question.certificates)?;
        let delegate = served.signer.current().ok_or(Refusal::TryLater)?;
        let singles: Vec<_> = question
            .certificates
            .iter()
            .zip(&statuses)
            .map(|(id, status)| Single {
                cert_id: id.der,
                status: *status,
            })
            .collect();
        let now = self.clock.now().whole_seconds();
        let next_update = now.plus_seconds(self.config.validity_minutes * 60);
        let next_update = next_update.min(delegate.certificate.not_after());
        let answer = answer::sign(&delegate, &singles, question.nonce, now, next_update);
        let answer = answer.map_err(|error| {
            tracing::error!(%error, "an OCSP answer could not be signed");
            Refusal::TryLater
        })?;
        self.keep(authority, question, &statuses, &answer);
        Ok(answer)
    }

    /// The authority that all certificates of a question are of: one delegate signs for one. An
    /// authority that we do not know may be new.
    fn served(&self, question: &Question<'_>) -> Option<Arc<Served>> {
        let first = question.certificates.first()?;
        let served = self.roster.find(first).or_else(|| {
            self.roster.refresh();
            self.roster.find(first)
        })?;
        let issuer = &served.issuer;
        let same = question
            .certificates
            .iter()
            .all(|id| issuer.is_named_by(id));
        same.then_some(served)
    }

    /// The statuses of all certificates. What is not known is asked of the CA before it is called
    /// unknown: the question may be younger than our newest journal entry.
    fn statuses(
        &self,
        authority: &str,
        ids: &[CertId<'_>],
    ) -> Result<Vec<Option<Status>>, Refusal> {
        let look =
            || -> Vec<Option<Status>> { ids.iter().map(|id| self.status(authority, id)).collect() };
        let found = look();
        if found.iter().all(Option::is_some) {
            return Ok(found);
        }
        match self.feed.refresh() {
            true => Ok(look()),
            false => Err(Refusal::TryLater),
        }
    }

    fn status(&self, authority: &str, id: &CertId<'_>) -> Option<Status> {
        // A negative or oversized number was never issued.
        let serial = SerialNumber::from_bytes(id.serial).filter(|_| id.serial[0] < 0x80)?;
        Some(self.feed.statuses().find(authority, &serial)?.status)
    }

    fn is_stale(&self) -> bool {
        self.feed.silence() > self.config.stale_after
    }

    fn keep(
        &self,
        authority: &str,
        question: &Question<'_>,
        statuses: &[Option<Status>],
        answer: &Answer,
    ) {
        let ([id], [Some(status)], None) =
            (question.certificates.as_slice(), statuses, question.nonce)
        else {
            return;
        };
        let (Some(algorithm), Some(serial)) = (id.algorithm, SerialNumber::from_bytes(id.serial))
        else {
            return;
        };
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        let cached = Cached {
            status: *status,
            answer: answer.clone(),
        };
        cache.insert((authority.to_owned(), algorithm, serial), cached);
    }

    /// What keeps us from answering.
    pub fn readiness(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.is_stale() {
            missing.push("the CA's status journal is out of reach".into());
        }
        for served in self.roster.all() {
            let of = match served.issuer.authority.as_str() {
                HOST => String::new(),
                id => format!(" for authority {id}"),
            };
            let has_ended = served.issuer.certificate.not_after() < self.clock.now();
            if served.signer.current().is_none() && !has_ended {
                missing.push(format!("there is no OCSP signing certificate{of}"));
            }
        }
        missing
    }
}
