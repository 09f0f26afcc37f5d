//! The data folder of a KRA.

use std::path::Path;

use common::crypto::KeyEncryptionKey;
use common::db::{Database, Location, users};

use crate::store;
use crate::vault::Vault;

/// The file of the KRA's database in its folder.
pub const DATABASE: &str = "kra.db";

/// Makes database and storage key in an empty `folder`. The transport key with its certificate is
/// put beside them by whoever has a CA at hand.
pub fn create(folder: &Path, kek: &KeyEncryptionKey) -> Result<Database, String> {
    let location = Location::Sqlite(folder.join(DATABASE));
    let database = store::open(&location).map_err(|e| e.to_string())?;
    database
        .write("create KRA", users::add_groups)
        .map_err(|e| e.to_string())?;
    Vault::create(folder, kek)?;
    Ok(database)
}

/// Opens the KRA's database in `folder`.
pub fn open_database(folder: &Path) -> Result<Database, String> {
    let location = Location::existing(folder.join(DATABASE))?;
    store::open(&location).map_err(|e| e.to_string())
}
