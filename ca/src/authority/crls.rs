//! CRLs: full, delta and in parts; made after a change, on demand and on schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use common::audit::Event;
use common::clock::Timestamp;
use common::db::{Database, audit};
use common::identity::Caller;

use super::Authority;
use crate::Error;
use crate::crl::{Base, Crl, Draft, Heading, Scope};
use crate::issuer::Issuer;
use crate::job::{Outcome, State};
use crate::store::statuses::Selection;
use crate::store::{authorities, crls, jobs, statuses};

/// The kind of the jobs that make CRLs, on threads of their own.
const CRL: &str = "crl";

/// Entries read at a time.
const BATCH: i64 = 10_000;

/// A change counts as made since a full CRL when it was made this long before: its moment is taken
/// before it is committed.
const COMMIT_SECONDS: i64 = 600;

/// What is published for one authority.
#[derive(Debug)]
pub(super) struct Publication {
    slots: Mutex<BTreeMap<Scope, Arc<Slot>>>,
}

/// The CRLs of one scope.
#[derive(Debug, Default)]
struct Slot {
    /// The CRL in force.
    current: ArcSwapOption<Crl>,
    /// Held while a CRL is made; when the making of the last one began.
    making: Mutex<Option<Instant>>,
}

impl Publication {
    /// With the newest CRLs on record, and a place for each that a certificate names.
    pub(super) fn open(database: &Database, authority: &str) -> Result<Self, Error> {
        let slots = database.read(|c| {
            let mut scopes = crls::scopes(c, authority)?;
            scopes.extend(crls::urls(c, authority)?.iter().map(|(scope, _)| scope));
            let slot = |scope: Scope| {
                let slot = Slot {
                    current: ArcSwapOption::from_pointee(crls::newest(c, authority, scope)?),
                    making: Mutex::default(),
                };
                Ok((scope, Arc::new(slot)))
            };
            scopes.into_iter().map(slot).collect::<Result<_, Error>>()
        })?;
        Ok(Self {
            slots: Mutex::new(slots),
        })
    }

    fn find(&self, scope: Scope) -> Option<Arc<Slot>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(&scope).map(Arc::clone)
    }

    fn slot(&self, scope: Scope) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(scope).or_default())
    }

    fn shards(&self) -> Vec<Scope> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let shards = slots.keys().filter(|scope| scope.shard().is_some());
        shards.copied().collect()
    }
}

impl Slot {
    /// Puts a CRL in force unless a newer one is.
    fn put(&self, crl: &Arc<Crl>) {
        self.current.rcu(|current| match current {
            Some(current) if current.number > crl.number => Some(Arc::clone(current)),
            _ => Some(Arc::clone(crl)),
        });
    }
}

/// Wakes the threads that make CRLs: one for full ones, which may take long, and one for the rest.
#[derive(Debug, Default)]
pub struct Wake {
    full: Asked,
    others: Asked,
}

/// What was asked for: authorities, with the part that has changed, or all of them.
#[derive(Debug, Default)]
struct Asked {
    changes: Mutex<BTreeSet<(String, Option<Scope>)>>,
    signal: Condvar,
}

impl Asked {
    fn ask(&self, authority: &str, scope: Option<Scope>) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.insert((authority.to_owned(), scope));
        self.signal.notify_all();
    }

    fn wait(&self, timeout: Duration) -> BTreeSet<(String, Option<Scope>)> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut changes, _) = self
            .signal
            .wait_timeout_while(changes, timeout, |changes| changes.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changes)
    }
}

impl Wake {
    /// Any certificate of the authority may have changed.
    pub fn wake(&self, authority: &str) {
        self.full.ask(authority, None);
        self.others.ask(authority, None);
    }

    /// A certificate of this part has changed.
    pub fn wake_for(&self, authority: &str, shard: Option<i16>) {
        self.full.ask(authority, None);
        self.others.ask(authority, Some(Scope::Delta));
        if let Some(number) = shard {
            self.others.ask(authority, Some(Scope::Shard(number)));
        }
    }

    fn of(&self, full: bool) -> &Asked {
        match full {
            true => &self.full,
            false => &self.others,
        }
    }
}

impl Authority {
    /// The full CRL of an authority that is in force.
    pub fn current_crl(&self, authority: &str) -> Option<Arc<Crl>> {
        self.current_crl_of(authority, Scope::Full)
    }

    /// The CRL of an authority's scope that is in force.
    pub fn current_crl_of(&self, authority: &str, scope: Scope) -> Option<Arc<Crl>> {
        let slot = self.member(authority).ok()?.crls.find(scope)?;
        slot.current.load_full()
    }

    /// Whether the authority has CRLs of this scope, be there one in force or not.
    pub fn has_crl_scope(&self, authority: &str, scope: Scope) -> Result<bool, Error> {
        Ok(self.scopes(authority)?.contains(&scope))
    }

    /// All scopes that an authority has CRLs of: those of today's settings, and the parts that
    /// certificates of other days name.
    pub(super) fn scopes(&self, authority: &str) -> Result<BTreeSet<Scope>, Error> {
        let member = self.member(authority)?;
        let mut scopes = BTreeSet::from([Scope::Full]);
        if self.crl_config.delta {
            scopes.insert(Scope::Delta);
        }
        let shards = member.issuer.urls.shards;
        if shards > 1 {
            scopes.extend((0..shards).map(Scope::Shard));
        }
        scopes.extend(member.crls.shards());
        Ok(scopes)
    }

    /// What wakes the builders.
    pub fn crl_wake(&self) -> &Wake {
        &self.crl_wake
    }

    /// Makes the CRLs of an authority that are missing or have ended, or that certificates will name
    /// by another URL than before.
    pub fn make_missing_crls(&self, caller: &Caller, authority: &str) -> Result<(), Error> {
        let now = self.clock.now();
        let issuer = self.issuer(authority)?;
        let known = self.database.read(|c| crls::urls(c, authority))?;
        for scope in self.scopes(authority)? {
            let current = self.current_crl_of(authority, scope);
            let is_known = known.contains(&(scope, issuer.urls.of(scope)));
            let in_force = current.is_some_and(|crl| crl.next_update > now);
            if !in_force || !(is_known || scope == Scope::Delta) {
                self.make_crl_of(caller, authority, scope)?;
            }
        }
        Ok(())
    }

    /// Makes a new full CRL now.
    pub fn make_crl(&self, caller: &Caller, authority: &str) -> Result<Arc<Crl>, Error> {
        let crl = self.make_crl_of(caller, authority, Scope::Full)?;
        for scope in self.scopes(authority)? {
            if self.current_crl_of(authority, scope).is_none() {
                self.crl_wake.others.ask(authority, Some(scope));
            }
        }
        Ok(crl)
    }

    /// Makes a new CRL of a scope now; when the last one was made within the same second, a moment
    /// later, since time must neither stand still nor run ahead between two of them.
    pub fn make_crl_of(
        &self,
        caller: &Caller,
        authority: &str,
        scope: Scope,
    ) -> Result<Arc<Crl>, Error> {
        let member = self.member(authority)?;
        let slot = member.crls.slot(scope);
        // Measured by the clock that nobody sets.
        let asked = Instant::now();
        let mut began = slot.making.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = slot.current.load_full();
        // One that was begun while we waited says all that ours would.
        if let Some(crl) = previous
            .as_ref()
            .filter(|_| began.is_some_and(|began| began > asked))
        {
            return Ok(Arc::clone(crl));
        }
        let not_before = previous.as_ref().map_or(Timestamp::from_micros(0), |crl| {
            crl.this_update.plus_seconds(1)
        });
        std::thread::sleep(
            not_before
                .since(self.clock.now())
                .min(Duration::from_secs(1)),
        );
        let begin = Instant::now();
        let heading = self.heading(&member.issuer, scope, not_before)?;
        let draft = self.list(&member.issuer, &heading, previous.as_deref())?;
        let crl = draft.sign(&member.issuer, heading)?;
        self.record_crl(caller, &crl)?;
        let crl = Arc::new(crl);
        slot.put(&crl);
        *began = Some(begin);
        Ok(crl)
    }

    /// Takes a number and says what the CRL is for.
    fn heading(
        &self,
        issuer: &Issuer,
        scope: Scope,
        not_before: Timestamp,
    ) -> Result<Heading, Error> {
        let full = self.current_crl(&issuer.id);
        if scope == Scope::Delta && full.is_none() {
            return Err(Error::NotFound("full CRL that a delta could add to"));
        }
        let (id, url, now) = (issuer.id.clone(), issuer.urls.of(scope), self.clock.now());
        let (number, urls) = self.database.write("reserve CRL number", move |c| {
            if scope != Scope::Delta {
                crls::remember_url(c, &id, scope, &url, now)?;
            }
            let number = authorities::next_crl_number(c, &id)?;
            Ok::<_, Error>((number, crls::urls(c, &id)?))
        })?;
        let this_update = now.whole_seconds().max(not_before);
        let own = Base {
            number,
            at: this_update,
        };
        let base = full.as_ref().and_then(|full| full.base);
        // Every full CRL of the schedule is a base; those after changes are not, so that a delta
        // adds to what clients may still have.
        let is_fresh = |base: &Base| base.at.plus_seconds(self.crl_config.interval()) > this_update;
        let base = match scope {
            Scope::Delta => base.or(full.map(|full| Base {
                number: full.number,
                at: full.this_update,
            })),
            Scope::Full if self.crl_config.delta => Some(base.filter(is_fresh).unwrap_or(own)),
            Scope::Full | Scope::Shard(_) => None,
        };
        let has_delta = scope == Scope::Full && self.crl_config.delta;
        // A part is for the certificates that name it; a full CRL for those of every part, too.
        let urls = urls
            .into_iter()
            .filter(|(known, _)| scope.shard().is_none() || *known == scope);
        Ok(Heading {
            scope,
            number,
            base,
            urls: urls.map(|(_, url)| url).collect(),
            freshest: has_delta.then(|| issuer.urls.delta.clone()),
            this_update,
            next_update: this_update.plus_seconds(self.crl_config.validity_hours * 3_600),
        })
    }

    /// Reads what the CRL lists, some thousands at a time.
    fn list(
        &self,
        issuer: &Issuer,
        heading: &Heading,
        previous: Option<&Crl>,
    ) -> Result<Draft, Error> {
        let delta_of = heading.base.filter(|_| heading.scope == Scope::Delta);
        // An entry leaves after its certificate ended and one more CRL said so (RFC 5280 §3.3).
        let last = match delta_of {
            Some(base) => Some(base.at),
            None => previous.map(|crl| crl.this_update),
        };
        let selection = Selection {
            authority: &issuer.id,
            shard: heading.scope.shard(),
            ends_since: last.unwrap_or(Timestamp::from_micros(0)),
            changed_since: delta_of.map(|base| base.at.plus_seconds(-COMMIT_SECONDS)),
        };
        let expected = previous.map_or(0, |crl| crl.entries);
        let mut draft = Draft::new(usize::try_from(expected + expected / 16).unwrap_or(0));
        let mut after = None;
        loop {
            let batch = self
                .database
                .read(|c| statuses::listed(c, &selection, after.as_ref(), BATCH))?;
            for known in &batch {
                draft.add(known)?;
            }
            let is_last = i64::try_from(batch.len()).is_ok_and(|read| read < BATCH);
            after = batch.into_iter().next_back().map(|known| known.serial);
            if is_last || after.is_none() {
                return Ok(draft);
            }
        }
    }

    /// Puts a CRL on record, a large one piece by piece, so that nobody waits long for it.
    fn record_crl(&self, caller: &Caller, crl: &Crl) -> Result<(), Error> {
        let mut pieces: Vec<&[u8]> = crl.der.chunks(crls::PIECE).collect();
        let last = pieces.pop().unwrap_or_default().to_vec();
        let bare = crl.without_der();
        let count = pieces.len();
        for (part, piece) in pieces.into_iter().enumerate() {
            let (row, piece) = (bare.clone(), piece.to_vec());
            self.database.write("record piece of CRL", move |c| {
                crls::insert_piece(c, &row, part, &piece)
            })?;
        }
        let (event, object) = match crl.scope {
            Scope::Full => ("FULL_CRL_GENERATION", format!("crl/{}", crl.authority)),
            Scope::Delta => ("DELTA_CRL_GENERATION", format!("crl/{}", crl.authority)),
            Scope::Shard(number) => {
                let object = format!("crl/{}/{number}", crl.authority);
                ("FULL_CRL_GENERATION", object)
            }
        };
        let event = Event::by(caller, self.clock.now(), event, object)
            .with("number", crl.number.to_string())
            .with("entries", crl.entries.to_string());
        let outcome = Outcome::done(
            usize::try_from(crl.entries).unwrap_or(usize::MAX),
            format!("number {} with {} entries", crl.number, crl.entries),
        );
        let job = job_id(&crl.authority, crl.scope);
        let (now, next) = (self.clock.now(), self.next_crl(crl));
        let is_large = crl.der.len() > crls::PIECE;
        self.database.write("record CRL", move |c| {
            crls::insert_piece(c, &bare, count, &last)?;
            crls::insert(c, &bare, is_large)?;
            jobs::register(c, &job, CRL, next, now)?;
            jobs::finish(c, &job, State::Scheduled, &outcome, (now, Some(next)))?;
            Ok::<_, Error>(audit::append(c, &event)?)
        })
    }

    /// Whether a change of status makes a new CRL of this scope at once.
    fn follows_changes(&self, authority: &str, scope: Scope) -> bool {
        let current = self.current_crl_of(authority, scope);
        let entries = current.map_or(0, |crl| crl.entries);
        self.crl_config.on_revocation && entries <= self.crl_config.on_revocation_max
    }

    /// When a change that is committed now will be in the CRL of the certificate, at the latest.
    pub fn visible_in_crl(&self, authority: &str, shard: Option<i16>) -> Timestamp {
        let scope = shard.map_or(Scope::Full, Scope::Shard);
        match self.current_crl_of(authority, scope) {
            Some(crl) if !self.follows_changes(authority, scope) => self.next_crl(&crl),
            _ => self.clock.now().plus_seconds(2).whole_seconds(),
        }
    }

    /// Makes CRLs for ever, full ones or the others: after changes, at most one a second of each
    /// scope, and on schedule.
    pub fn make_crls(&self, full: bool) {
        let system = Caller::system();
        loop {
            let now = self.clock.now();
            let all = self.scopes_to_make(full);
            let due = all
                .iter()
                .filter_map(|(issuer, scope)| self.crl_due(issuer, *scope, now));
            let due = due.min().unwrap_or(now.plus_seconds(60));
            let wait = due
                .since(now)
                .clamp(Duration::from_millis(10), Duration::from_secs(60));
            let changes = self.crl_wake.of(full).wait(wait);
            let now = self.clock.now();
            for (issuer, scope) in self.scopes_to_make(full) {
                let id = issuer.id.clone();
                let changed =
                    changes.contains(&(id.clone(), None)) || changes.contains(&(id, Some(scope)));
                let changed = changed && self.follows_changes(&issuer.id, scope);
                let due = self.crl_due(&issuer, scope, now);
                if !changed && due.is_none_or(|due| due > now) {
                    continue;
                }
                if let Err(error) = self.make_crl_of(&system, &issuer.id, scope) {
                    self.note_failure(job_id(&issuer.id, scope), CRL, error);
                    std::thread::sleep(Duration::from_secs(1));
                    self.crl_wake.of(full).ask(&issuer.id, Some(scope));
                }
            }
        }
    }

    fn scopes_to_make(&self, full: bool) -> Vec<(Arc<Issuer>, Scope)> {
        let issuers = self.issuers().into_iter();
        let scopes = issuers.flat_map(|issuer| {
            let scopes = self.scopes(&issuer.id).unwrap_or_default().into_iter();
            scopes.map(move |scope| (Arc::clone(&issuer), scope))
        });
        scopes
            .filter(|(_, scope)| (*scope == Scope::Full) == full)
            .collect()
    }

    /// When an authority's next CRL has to be made by schedule; never after its own end.
    fn crl_due(&self, issuer: &Issuer, scope: Scope, now: Timestamp) -> Option<Timestamp> {
        let current = self.current_crl_of(&issuer.id, scope);
        let due = current.map_or(now, |crl| self.next_crl(&crl));
        (due <= issuer.certificate.not_after()).then_some(due)
    }

    /// When the schedule wants the CRL after this one: before this one ends, so that both overlap.
    fn next_crl(&self, crl: &Crl) -> Timestamp {
        crl.this_update.plus_seconds(self.crl_config.interval())
    }
}

/// The id of the job that makes the CRLs of an authority; all parts share one.
fn job_id(authority: &str, scope: Scope) -> String {
    match scope {
        Scope::Full => format!("{CRL}-{authority}"),
        Scope::Delta => format!("{CRL}-{authority}-delta"),
        Scope::Shard(_) => format!("{CRL}-{authority}-parts"),
    }
}
