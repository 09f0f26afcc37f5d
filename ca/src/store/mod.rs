//! The CA's database: one file per noun, every query written once for both engines.

pub mod authorities;
pub mod certificates;
pub mod crls;
pub mod idempotency;
pub mod imports;
pub mod jobs;
pub mod journal;
pub mod profiles;
pub mod pruning;
pub mod publications;
pub mod requests;
pub mod revocations;
pub mod schema;
pub mod statistics;
pub mod statuses;

use common::db::{Database, Error, Location, Schema};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/ca/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/ca/postgres");

/// Opens the CA's database and brings its tables up to date.
pub fn open(location: &Location) -> Result<Database, Error> {
    let schema = Schema {
        sqlite: SQLITE,
        postgres: POSTGRES,
    };
    Database::open(location, schema)
}
