//! Reading the status journal.

use common::db::sequence;
use tokio::sync::watch;

use super::Authority;
use crate::Error;
use crate::store::journal::{self, Entry};

impl Authority {
    /// Entries after `position`, oldest first. Everything committed before the call is there.
    pub fn journal_after(&self, position: i64) -> Result<Vec<Entry>, Error> {
        self.number_journal()?;
        self.database.read(|c| {
            let entries = journal::after(c, position)?;
            // A reader that knows more than we do read another journal: ours is from a backup.
            if entries.is_empty() && position > sequence::last(c, "journal")? {
                let message = "the journal ends before this cursor; read it from the start";
                return Err(Error::field("after", "cursor", message));
            }
            Ok(entries)
        })
    }

    /// Gives committed entries their positions. Nothing to do on SQLite.
    pub fn number_journal(&self) -> Result<(), Error> {
        if self.is_shared() {
            self.database.write("number journal", |c| {
                journal::number(c)?;
                Ok::<_, Error>(sequence::number(c, "audit")?)
            })?;
        }
        Ok(())
    }

    /// Whether other instances may write to the same database.
    pub fn is_shared(&self) -> bool {
        self.database.is_shared()
    }

    /// Hears of commits from now on.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.listen()
    }
}
