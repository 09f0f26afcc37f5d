//! Profiles: create, change, delete, enable, disable, stop.

use std::sync::Arc;

use common::api::Violation;
use common::api::ca::ProfileDecision;
use common::audit::Event;
use common::clock::Timestamp;
use common::db::audit;
use common::http::conditional::IfMatch;
use common::identity::{Caller, Denied, Group};

use super::{Authority, Profiles};
use crate::Error;
use crate::profile::{Entry, Standing, Text};
use crate::store::profiles;

impl Authority {
    /// All profiles.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The text that a profile had in one of its versions.
    pub fn profile_version(&self, id: &str, version: &str) -> Result<Text, Error> {
        let found = self.database.read(|c| profiles::version(c, id, version))?;
        found.ok_or(Error::NotFound("version of the profile"))
    }

    /// Adds a profile, disabled. Classes that we do not have are kept; they keep it from being enabled.
    pub fn create_profile(&self, caller: &Caller, text: Text) -> Result<Arc<Entry>, Error> {
        let now = self.clock.now();
        let id = text.id.clone();
        let entry = Entry::new(text, Standing::Disabled, now);
        let event = Event::by(caller, now, "CONFIG_CERT_PROFILE", format!("profile/{id}"))
            .with("operation", "create")
            .with("version", entry.version.clone());
        let by = caller.actor().to_owned();
        let row = entry.clone();
        let added = self.database.write("create profile", move |c| {
            let added = profiles::insert(c, &row, &by, now)?;
            if added {
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(added)
        })?;
        match added {
            true => self.changed(&id),
            false => Err(Error::ProfileExists(id)),
        }
    }

    /// Replaces the text of a disabled profile. Requests that were made under the old one can no
    /// longer be approved.
    pub fn change_profile(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
        text: Text,
    ) -> Result<Arc<Entry>, Error> {
        let before = self.disabled(id, if_match, "changed")?;
        if text.id != id {
            let message = format!("the text is of profile {}, not of {id}", text.id);
            return Err(Error::field("id", "immutable", message));
        }
        let entry = Entry::new(text, Standing::Disabled, self.later_than(&before));
        let event = Event::by(
            caller,
            entry.changed,
            "CONFIG_CERT_PROFILE",
            format!("profile/{id}"),
        )
        .with("operation", "change")
        .with("from", before.version.clone())
        .with("version", entry.version.clone());
        self.replace(caller, &before, entry, event)
    }

    /// Removes a disabled profile. What it said stays on record, since certificates refer to it.
    pub fn delete_profile(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
    ) -> Result<(), Error> {
        let before = self.disabled(id, if_match, "deleted")?;
        let now = self.clock.now();
        let event = Event::by(caller, now, "CONFIG_CERT_PROFILE", format!("profile/{id}"))
            .with("operation", "delete")
            .with("version", before.version.clone());
        let name = id.to_owned();
        let stamp = before.changed;
        let deleted = self.database.write("delete profile", move |c| {
            let deleted = profiles::delete(c, &name, stamp)?;
            if deleted {
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(deleted)
        })?;
        self.profiles.reload()?;
        match deleted {
            true => Ok(()),
            false => Err(self.profile_moved_on(id)),
        }
    }

    /// Enables, disables or stops a profile.
    pub fn decide_profile(
        &self,
        caller: &Caller,
        id: &str,
        if_match: &IfMatch,
        decision: ProfileDecision,
    ) -> Result<Arc<Entry>, Error> {
        let before = self.profiles.find(id).ok_or(Error::NotFound("profile"))?;
        if_match
            .check(&before.etag())
            .map_err(Error::Precondition)?;
        let (standing, note) = match decision {
            ProfileDecision::Enabled { note } => (Standing::Enabled, note),
            ProfileDecision::Disabled { note } => (Standing::Disabled, note),
            ProfileDecision::Stopped { note } => {
                let by = caller.actor().to_owned();
                let kept = note.clone();
                (Standing::Stopped { by, note: kept }, note)
            }
        };
        may_decide(caller, &before.standing, &standing)?;
        if before.standing.name() == standing.name() {
            let message = format!("profile {id} is {} already", standing.name());
            return Err(Error::ProfileStanding(message));
        }
        if let (Standing::Enabled, Err(wrong)) = (&standing, &before.profile) {
            let violation = |why: &String| Violation::field("profile", "not-ready", why.clone());
            return Err(Error::NotAcceptable(wrong.iter().map(violation).collect()));
        }
        let mut text = before.text.clone();
        let enabled = standing == Standing::Enabled;
        text.enabled = text.enabled.map(|_| enabled);
        text.enabled_by = text.enabled_by.map(|by| {
            if enabled {
                caller.actor().to_owned()
            } else {
                by
            }
        });
        let entry = Entry::new(text, standing, self.later_than(&before));
        let mut event = Event::by(
            caller,
            entry.changed,
            "CERT_PROFILE_APPROVAL",
            format!("profile/{id}"),
        )
        .with("from", before.standing.name())
        .with("to", entry.standing.name())
        .with("version", entry.version.clone());
        if let Some(note) = note {
            event = event.with("note", note);
        }
        self.replace(caller, &before, entry, event)
    }

    fn disabled(&self, id: &str, if_match: &IfMatch, what: &str) -> Result<Arc<Entry>, Error> {
        let entry = self.profiles.find(id).ok_or(Error::NotFound("profile"))?;
        match what {
            "changed" => if_match.require(&entry.etag(), true),
            _ => if_match.check(&entry.etag()),
        }
        .map_err(Error::Precondition)?;
        match entry.standing {
            Standing::Disabled => Ok(entry),
            Standing::Enabled | Standing::Stopped { .. } => Err(Error::ProfileStanding(format!(
                "profile {id} is {}; it is {what} only while disabled",
                entry.standing.name()
            ))),
        }
    }

    /// Two changes in one microsecond would carry the same tag.
    fn later_than(&self, before: &Entry) -> Timestamp {
        let next = Timestamp::from_micros(before.changed.micros() + 1);
        self.clock.now().max(next)
    }

    fn replace(
        &self,
        caller: &Caller,
        before: &Entry,
        entry: Entry,
        event: Event,
    ) -> Result<Arc<Entry>, Error> {
        let id = entry.text.id.clone();
        let by = caller.actor().to_owned();
        let stamp = before.changed;
        let replaced = self.database.write("change profile", move |c| {
            let replaced = profiles::update(c, &entry, stamp, &by)?;
            if replaced {
                audit::append(c, &event)?;
            }
            Ok::<_, Error>(replaced)
        })?;
        match replaced {
            true => self.changed(&id),
            false => {
                self.profiles.reload()?;
                Err(self.profile_moved_on(&id))
            }
        }
    }

    fn changed(&self, id: &str) -> Result<Arc<Entry>, Error> {
        self.profiles.reload()?;
        self.profiles.find(id).ok_or(Error::NotFound("profile"))
    }

    /// What to say when another change came between.
    fn profile_moved_on(&self, id: &str) -> Error {
        Error::ProfileStanding(format!(
            "profile {id} was changed by somebody else just now"
        ))
    }
}

/// Agents enable and disable; administrators stop, and lift the stop.
fn may_decide(caller: &Caller, from: &Standing, to: &Standing) -> Result<(), Error> {
    let stops = matches!(from, Standing::Stopped { .. }) || matches!(to, Standing::Stopped { .. });
    let group = match stops {
        true => Group::Administrators,
        false => Group::CertificateManagerAgents,
    };
    match caller.is_in(group) {
        true => Ok(()),
        false => Err(Denied::Forbidden {
            actor: caller.actor().to_owned(),
            groups: group.name().into(),
        }
        .into()),
    }
}
