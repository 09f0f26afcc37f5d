//! The KRA's database.

use common::db::{Database, Error, Location, Schema};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/kra/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/kra/postgres");

/// Opens the KRA's database and brings its tables up to date.
pub fn open(location: &Location) -> Result<Database, Error> {
    let schema = Schema {
        sqlite: SQLITE,
        postgres: POSTGRES,
    };
    Database::open(location, schema)
}
