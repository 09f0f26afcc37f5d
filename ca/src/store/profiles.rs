//! Profiles and their versions.

use common::clock::Timestamp;
use common::db::Connection;
use common::on;
use diesel::prelude::*;

use super::schema::{profile_versions, profiles};
use crate::Error;
use crate::profile::{Entry, Standing, Text};

#[derive(Insertable, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = profiles, treat_none_as_null = true)]
struct Row {
    id: String,
    version: String,
    standing: String,
    stopped_by: Option<String>,
    stopped_note: Option<String>,
    text: String,
    changed_at: i64,
}

/// Whether a profile of this id is on record, or was.
pub fn was_there(connection: &mut Connection, id: &str) -> Result<bool, Error> {
    let query = profile_versions::table.filter(profile_versions::profile.eq(id));
    let count: i64 = on!(connection, |c| query.count().get_result(c))?;
    Ok(count > 0)
}

/// Adds a profile; `false` when the id is taken.
pub fn insert(
    connection: &mut Connection,
    entry: &Entry,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = Row::from(entry);
    let added = on!(connection, |c| diesel::insert_into(profiles::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    if added == 1 {
        remember(connection, entry, by, now)?;
    }
    Ok(added == 1)
}

/// Writes a changed profile if nobody changed it since `before`; `false` means that somebody did.
pub fn update(
    connection: &mut Connection,
    entry: &Entry,
    before: Timestamp,
    by: &str,
) -> Result<bool, Error> {
    let row = Row::from(entry);
    let same = profiles::table
        .find(row.id.clone())
        .filter(profiles::changed_at.eq(before.micros()));
    let changed = on!(connection, |c| diesel::update(same).set(row).execute(c))?;
    if changed == 1 {
        remember(connection, entry, by, entry.changed)?;
    }
    Ok(changed == 1)
}

/// Removes a profile if nobody changed it since `before`. Its versions stay.
pub fn delete(connection: &mut Connection, id: &str, before: Timestamp) -> Result<bool, Error> {
    let same = profiles::table
        .find(id)
        .filter(profiles::changed_at.eq(before.micros()));
    let deleted = on!(connection, |c| diesel::delete(same).execute(c))?;
    Ok(deleted == 1)
}

/// The profile with this id.
pub fn find(connection: &mut Connection, id: &str) -> Result<Option<Entry>, Error> {
    let row: Option<Row> = on!(connection, |c| profiles::table
        .find(id)
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.map(Entry::try_from).transpose()
}

/// Every id with the moment of its last change.
pub fn stamps(connection: &mut Connection) -> Result<Vec<(String, Timestamp)>, Error> {
    let rows: Vec<(String, i64)> = on!(connection, |c| profiles::table
        .select((profiles::id, profiles::changed_at))
        .load(c))?;
    let stamp = |(id, changed)| (id, Timestamp::from_micros(changed));
    Ok(rows.into_iter().map(stamp).collect())
}

/// The text of a version of a profile, whole as it was recorded first.
pub fn version(
    connection: &mut Connection,
    profile: &str,
    version: &str,
) -> Result<Option<Text>, Error> {
    let text: Option<String> = on!(connection, |c| profile_versions::table
        .find((profile, version))
        .select(profile_versions::text)
        .first(c)
        .optional())?;
    text.map(|text| Text::from_toml(&text).map_err(Error::Internal))
        .transpose()
}

fn remember(
    connection: &mut Connection,
    entry: &Entry,
    by: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let row = (
        profile_versions::profile.eq(&entry.text.id),
        profile_versions::version.eq(&entry.version),
        profile_versions::text.eq(entry.text.to_toml()),
        profile_versions::created_at.eq(now.micros()),
        profile_versions::created_by.eq(by),
    );
    on!(connection, |c| diesel::insert_into(profile_versions::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

impl From<&Entry> for Row {
    fn from(entry: &Entry) -> Self {
        let (stopped_by, stopped_note) = match &entry.standing {
            Standing::Stopped { by, note } => (Some(by.clone()), note.clone()),
            Standing::Disabled | Standing::Enabled => (None, None),
        };
        Self {
            id: entry.text.id.clone(),
            version: entry.version.clone(),
            standing: entry.standing.name().into(),
            stopped_by,
            stopped_note,
            text: entry.text.to_toml(),
            changed_at: entry.changed.micros(),
        }
    }
}

impl TryFrom<Row> for Entry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let corrupt = |why: String| Error::Internal(format!("profile {}: {why}", row.id));
        let standing = match (row.standing.as_str(), row.stopped_by) {
            ("disabled", _) => Standing::Disabled,
            ("enabled", _) => Standing::Enabled,
            ("stopped", Some(by)) => Standing::Stopped {
                by,
                note: row.stopped_note,
            },
            _ => return Err(corrupt("damaged status on record".into())),
        };
        let text = Text::from_toml(&row.text).map_err(corrupt)?;
        Ok(Self::new(
            text,
            standing,
            Timestamp::from_micros(row.changed_at),
        ))
    }
}
