//! One diesel code base over SQLite and PostgreSQL.
//!
//! Verbs and queries are synchronous. [`Database::read`] and [`Database::write`] are the only ways to
//! a [`Connection`]; a query is written once inside [`on!`](crate::on) and type-checked for both
//! engines. On SQLite one writer thread commits many waiting transactions in one fsync.

pub mod audit;
mod pool;
pub mod schema;
pub mod sequence;
pub mod users;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel::{Connection as _, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use pool::Pool;
use writer::Writer;

/// PostgreSQL without libpq, behind diesel's blocking interface.
pub type PostgresConnection = AsyncConnectionWrapper<AsyncPgConnection>;

/// A connection to either engine. Use it through [`on!`](crate::on).
pub enum Connection {
    /// Embedded.
    Sqlite(Box<SqliteConnection>),
    /// A server.
    Postgres(Box<PostgresConnection>),
}

/// Runs the same query text on whichever engine the connection is of.
#[macro_export]
macro_rules! on {
    ($connection:expr, |$c:ident| $body:expr) => {
        match $connection {
            $crate::db::Connection::Sqlite($c) => {
                let $c = &mut **$c;
                $body
            }
            $crate::db::Connection::Postgres($c) => {
                let $c = &mut **$c;
                $body
            }
        }
    };
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// `postgres://user@host/database`.
    Postgres(String),
}

impl Location {
    /// A database file that must be there: one that is gone is not to be begun anew.
    pub fn existing(path: PathBuf) -> Result<Self, String> {
        match path.exists() {
            true => Ok(Self::Sqlite(path)),
            false => Err(format!("the database {} is missing", path.display())),
        }
    }
}

/// The migrations of one service, one folder per engine.
pub struct Schema {
    /// For SQLite.
    pub sqlite: EmbeddedMigrations,
    /// For PostgreSQL.
    pub postgres: EmbeddedMigrations,
}

/// What can go wrong below the queries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error("the database refused a statement: {0}")]
    Query(#[from] QueryError),
    /// No connection.
    #[error("the database cannot be opened: {0}")]
    Connect(String),
    /// The transaction was not made durable.
    #[error("the database could not commit: {0}")]
    Commit(String),
    /// More writers are waiting than the queue holds.
    #[error("too many writes are waiting")]
    Busy,
    /// A newer version of the software has changed the tables.
    #[error("the database was written by a newer version (it has the unknown migration {0})")]
    Newer(String),
    /// The tables could not be brought up to date.
    #[error("the database cannot be migrated: {0}")]
    Migration(String),
}

impl Error {
    /// Whether the server closed the connection, as it does when it stops.
    fn is_disconnection(&self) -> bool {
        let Self::Query(QueryError::DatabaseError(kind, info)) = self else {
            return false;
        };
        let closed = ["terminating connection", "connection closed"];
        matches!(kind, DatabaseErrorKind::ClosedConnection)
            || closed.iter().any(|text| info.message().contains(text))
    }

    /// Whether the same transaction may succeed when run again.
    fn is_passing(&self) -> bool {
        if matches!(self, Self::Connect(_)) {
            return true;
        }
        let Self::Query(QueryError::DatabaseError(kind, info)) = self else {
            return false;
        };
        matches!(kind, DatabaseErrorKind::SerializationFailure)
            || info.message().contains("deadlock detected")
    }
}

/// An error of a service that may stem from the database, so that transactions know when to retry.
pub trait Failure: From<Error> + Send + 'static {
    /// The database's error, if it was one.
    fn database(&self) -> Option<&Error>;
}

impl Failure for Error {
    fn database(&self) -> Option<&Error> {
        Some(self)
    }
}

/// A service's database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    readers: Arc<Pool>,
    writer: Option<Arc<Writer>>,
}

/// Times that a transaction is run again after a serialization failure.
const RETRIES_MAX: usize = 10;

impl Database {
    /// Opens the database and brings its tables up to date.
    pub fn open(location: &Location, schema: Schema) -> Result<Self, Error> {
        match location {
            Location::Sqlite(path) => {
                let mut writing = connect_sqlite(path, false)?;
                migrate(&mut writing, schema.sqlite)?;
                let path = path.clone();
                let connect = move || {
                    let connection = connect_sqlite(&path, true)?;
                    Ok(Connection::Sqlite(Box::new(connection)))
                };
                Ok(Self {
                    readers: Arc::new(Pool::new(8, Box::new(connect))),
                    writer: Some(Arc::new(Writer::start(writing))),
                })
            }
            Location::Postgres(url) => {
                let mut migrating = connect_postgres(url)?;
                // Instances that start together migrate one after the other; the lock goes with the
                // connection.
                migrating
                    .batch_execute("SELECT pg_advisory_lock(hashtext('chancery migrations'))")?;
                migrate(&mut migrating, schema.postgres)?;
                drop(migrating);
                let url = url.clone();
                let connect = move || Ok(Connection::Postgres(Box::new(connect_postgres(&url)?)));
                Ok(Self {
                    readers: Arc::new(Pool::new(16, Box::new(connect))),
                    writer: None,
                })
            }
        }
    }

    /// Whether other processes may write to the same database: a server's, not a file's.
    pub fn is_shared(&self) -> bool {
        self.writer.is_none()
    }

    /// Runs queries that change nothing. `body` runs again when its connection turns out to be dead.
    pub fn read<T, E: Failure>(
        &self,
        mut body: impl FnMut(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempt = 0;
        loop {
            let mut lease = self.readers.lease()?;
            let result = body(lease.connection());
            let Err(error) = &result else {
                lease.keep();
                return result;
            };
            attempt += 1;
            let dead = error.database().is_some_and(Error::is_disconnection);
            if !dead || attempt > RETRIES_MAX {
                // Most errors are findings ("no such request"); a connection in doubt is closed.
                if error.database().is_none() {
                    lease.keep();
                }
                return result;
            }
            drop(lease);
            self.readers.forget_idle();
        }
    }

    /// Runs `body` in a transaction and returns after the commit is durable. An `Err` rolls back.
    /// `name` says in logs and metrics what the transaction was for. `body` may run more than once.
    pub fn write<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnMut(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer.write(name, body),
            None => self.write_with_retries(name, body),
        }
    }

    fn write_with_retries<T, E: Failure>(
        &self,
        name: &'static str,
        mut body: impl FnMut(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempt = 0;
        loop {
            let mut lease = self.readers.lease()?;
            let result = transaction(lease.connection(), &mut body);
            if result.is_ok() {
                lease.keep();
                return result;
            }
            attempt += 1;
            let passing = result
                .as_ref()
                .is_err_and(|e| e.database().is_some_and(Error::is_passing));
            if !passing || attempt > RETRIES_MAX {
                return result;
            }
            if matches!(
                result.as_ref().err().and_then(E::database),
                Some(Error::Connect(_))
            ) {
                self.readers.forget_idle();
            }
            metrics::counter!("database_retries_total", "transaction" => name).increment(1);
        }
    }
}

fn transaction<T, E: Failure>(
    connection: &mut Connection,
    body: &mut impl FnMut(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    // Nothing was done on a connection that died while it lay idle, so another one may be tried.
    connection
        .execute("BEGIN")
        .map_err(|e| Error::Connect(e.to_string()))?;
    match body(connection) {
        Ok(value) => {
            // A COMMIT after a failed statement would roll back without a word; a query before it fails.
            connection.execute("SELECT 1; COMMIT")?;
            Ok(value)
        }
        Err(error) => {
            // A connection that cannot even roll back is dropped, which rolls back on the server.
            let _ = connection.execute("ROLLBACK");
            Err(error)
        }
    }
}

impl Connection {
    /// Runs SQL that has no parameters and no rows.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), Error> {
        on!(self, |c| c.batch_execute(sql)).map_err(Error::Query)
    }
}

fn connect_sqlite(path: &std::path::Path, read_only: bool) -> Result<SqliteConnection, Error> {
    let connect = |e: diesel::ConnectionError| Error::Connect(e.to_string());
    let text = path
        .to_str()
        .ok_or_else(|| Error::Connect("the path is not UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(text).map_err(connect)?;
    connection.batch_execute(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = ON; PRAGMA cache_size = -4096; PRAGMA trusted_schema = OFF;",
    )?;
    if read_only {
        connection.batch_execute("PRAGMA query_only = ON; PRAGMA cache_size = -1024;")?;
    }
    Ok(connection)
}

fn connect_postgres(url: &str) -> Result<PostgresConnection, Error> {
    // The error of a failed connection may quote the URL; its password is not for logs.
    let connect = |e: diesel::ConnectionError| Error::Connect(e.to_string().replace(url, "…"));
    PostgresConnection::establish(url).map_err(connect)
}

fn migrate<C>(connection: &mut C, migrations: EmbeddedMigrations) -> Result<(), Error>
where
    C: MigrationHarness<C::Backend> + diesel::Connection,
    EmbeddedMigrations: diesel::migration::MigrationSource<C::Backend>,
{
    use diesel::migration::MigrationSource;
    let wrong = |e: Box<dyn std::error::Error + Send + Sync>| Error::Migration(e.to_string());
    let known: Vec<String> = MigrationSource::<C::Backend>::migrations(&migrations)
        .map_err(wrong)?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    for applied in connection.applied_migrations().map_err(wrong)? {
        if !known.contains(&applied.to_string()) {
            return Err(Error::Newer(applied.to_string()));
        }
    }
    connection
        .run_pending_migrations(migrations)
        .map_err(wrong)?;
    Ok(())
}
