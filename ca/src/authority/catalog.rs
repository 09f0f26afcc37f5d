//! The profiles on record, kept at hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use common::clock::Timestamp;
use common::db::Database;

use crate::Error;
use crate::profile::{Entry, Standing, shipped};
use crate::store::profiles;

/// All profiles by id, as of the last look at the database.
#[derive(Debug)]
pub struct Profiles {
    database: Database,
    entries: ArcSwap<BTreeMap<String, Arc<Entry>>>,
    /// Held from looking at the database to keeping what was seen, so that an older look never takes
    /// the place of a newer one.
    looking: Mutex<()>,
}

impl Profiles {
    /// The profiles in `database`, to which the shipped ones are added when they never were there.
    pub fn open(database: Database, now: Timestamp) -> Result<Self, Error> {
        let shipped = shipped().map_err(Error::Internal)?;
        database.write("add shipped profiles", move |c| {
            for text in &shipped {
                if !profiles::was_there(c, &text.id)? {
                    let standing = match text.enabled {
                        Some(true) => Standing::Enabled,
                        Some(false) | None => Standing::Disabled,
                    };
                    let entry = Entry::new(text.clone(), standing, now);
                    profiles::insert(c, &entry, "system", now)?;
                }
            }
            Ok::<_, Error>(())
        })?;
        let profiles = Self {
            database,
            entries: ArcSwap::default(),
            looking: Mutex::default(),
        };
        profiles.reload()?;
        Ok(profiles)
    }

    /// Looks at the database again. Only what changed is read anew.
    pub fn reload(&self) -> Result<(), Error> {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.entries.load_full();
        let stamps = self.database.read(profiles::stamps)?;
        let mut entries = BTreeMap::new();
        for (id, changed) in stamps {
            let same = known.get(&id).filter(|entry| entry.changed == changed);
            let entry = match same {
                Some(entry) => entry.clone(),
                None => match self.database.read(|c| profiles::find(c, &id))? {
                    Some(entry) => Arc::new(entry),
                    None => continue,
                },
            };
            entries.insert(id, entry);
        }
        self.entries.store(Arc::new(entries));
        Ok(())
    }

    /// The profile with this id.
    pub fn find(&self, id: &str) -> Option<Arc<Entry>> {
        self.entries.load().get(id).cloned()
    }

    /// All, by id.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.load().values().cloned().collect()
    }
}
