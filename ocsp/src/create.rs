//! The data folder of a responder.

use std::path::Path;
use std::sync::Arc;

use client::Endpoint;
use common::clock::Clock;
use common::crypto::KeyEncryptionKey;
use common::db::{Database, Location, users};
use common::x509::Certificate;

use crate::config::Config;
use crate::feed::Feed;
use crate::responder::Responder;
use crate::roster::Roster;

use crate::store;

/// The file of the responder's database in its folder.
pub const DATABASE: &str = "ocsp.db";

/// Makes the database in an empty `folder`.
pub fn create(folder: &Path) -> Result<Database, String> {
    let database =
        store::open(&Location::Sqlite(folder.join(DATABASE))).map_err(|e| e.to_string())?;
    database
        .write("create responder", users::add_groups)
        .map_err(|e| e.to_string())?;
    Ok(database)
}

/// Opens the responder in `folder`, with `ca` to follow; `host` is the certificate of its first
/// authority.
pub fn open(
    folder: &Path,
    kek: KeyEncryptionKey,
    config: Config,
    host: Certificate,
    ca: Endpoint,
    clock: Clock,
) -> Result<Responder, String> {
    let location = Location::existing(folder.join(DATABASE))?;
    let database = store::open(&location).map_err(|e| e.to_string())?;
    let subject = "CN=Chancery OCSP responder".to_owned();
    let feed = Feed::open(ca.clone(), database, clock.clone())?;
    let roster = Roster::open(folder.to_owned(), kek, host, ca, subject, clock.clone())?;
    Ok(Responder::new(
        Arc::new(roster),
        Arc::new(feed),
        config,
        clock,
    ))
}
