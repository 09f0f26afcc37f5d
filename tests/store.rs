//! The stores on both engines: each fact holds for SQLite and for a real PostgreSQL.

mod authority;
mod certificates;
mod crls;
mod database;
mod housekeeping;
mod idempotency;
mod jobs;
mod journal;
mod migrations;
mod profiles;
mod requests;
mod responder;
mod schema;
mod statuses;
mod users;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use ca::Authority;
use ca::authority::{Issuers, Profiles, SystemRequest};
use ca::config::Config;
use ca::create::{HOST, SIGNING};
use ca::issue::Linted;
use ca::issuer::{Issuer, Places};
use ca::lint::Rules;
use ca::profile::Profile;
use ca::store::authorities::{self, Record};
use ca::store::certificates::{Origin, Unfinished, intend, record};
use common::api::ca::Changes;
use common::clock::{Clock, Timestamp};
use common::config::Settings;
use common::crypto::{KeyEncryptionKey, KeySpec, PrivateKey, Secret};
use common::db::users::{self as accounts, NewUser};
use common::db::{self, Connection, Database, Location};
use common::entropy;
use common::identity::{Caller, Evidence, Group, PeerCertificate, Rule};
use common::keystore::{self, KeyStore};
use common::on;
use common::x509::{AlternativeName, Certificate, Csr, SerialNumber};
use diesel::connection::SimpleConnection;
use diesel::{QueryableByName, RunQueryDsl};
use tests::foreign::{Postgres, Scratch};

/// Makes two tests of each fact, `sqlite::fact` and `postgres::fact`, on an empty database each.
macro_rules! on_both_engines {
    ($($fact:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $fact() {
                super::$fact(&crate::store::Store::sqlite());
            })*
        }
        mod postgres {
            $(#[test]
            fn $fact() {
                super::$fact(&crate::store::Store::postgres());
            })*
        }
    };
}
use on_both_engines;

/// An empty database on one of the engines.
pub(crate) struct Store {
    location: Location,
    _folder: Option<Scratch>,
}

impl Store {
    /// A file of its own.
    pub(crate) fn sqlite() -> Self {
        let folder = Scratch::new("store");
        Self {
            location: Location::Sqlite(folder.file("store.db")),
            _folder: Some(folder),
        }
    }

    /// A database of its own on the one server of all tests.
    fn postgres() -> Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = SERVER.get_or_init(Postgres::start);
        let name = format!("store_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.create_database(&name);
        Self {
            location: Location::Postgres(server.url(&name)),
            _folder: None,
        }
    }

    /// Opens it as a CA does.
    fn ca(&self) -> Database {
        ca::store::open(&self.location).expect("the database opens")
    }
}

/// The moment when the CA of these tests came to be.
const START: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// `seconds` after [`START`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    START.plus_seconds(seconds)
}

/// All intents without a certificate.
fn unfinished(connection: &mut Connection) -> Result<Vec<Unfinished>, ca::Error> {
    ca::store::certificates::unfinished(connection, Timestamp::from_micros(i64::MAX))
}

/// A serial number that is easy to tell from others.
fn serial(number: u16) -> SerialNumber {
    let mut bytes = [0x40; 16];
    bytes[14..].copy_from_slice(&number.to_be_bytes());
    SerialNumber::from_bytes(&bytes).expect("it is short enough")
}

/// Key and certificate of the one CA that issues in these tests.
struct House {
    key: Secret,
    certificate: Certificate,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let folder = Scratch::new("house");
    let kek = KeyEncryptionKey::generate();
    let config = config();
    let clock = Clock::fixed(START);
    let authority = ca::create::create(folder.path(), &kek, &config, places(), clock)
        .expect("a CA can be made in an empty folder");
    let keys = KeyStore {
        folder: folder.path(),
        kek: &kek,
    };
    let (_, key) = keys.key(SIGNING).expect("the CA's key is in its store");
    House {
        key,
        certificate: authority.host().certificate.clone(),
    }
});

pub(crate) fn config() -> Config {
    Config {
        subject: Some("CN=Store Test CA,O=Example".into()),
        ..Config::new(&Settings::default()).expect("the defaults are sound")
    }
}

fn places() -> Places {
    Places::new("http://pki.example", "http://pki.example")
}

/// The issuer that lends its key to every authority of these tests.
fn issuer() -> Issuer {
    Issuer {
        id: HOST.into(),
        certificate: HOUSE.certificate.clone(),
        chain: Vec::new(),
        key: Arc::new(PrivateKey::from_pkcs8(&HOUSE.key).expect("the key is sound")),
        urls: places().of(HOST),
    }
}

fn issuers() -> Issuers {
    Issuers::new(issuer(), KeyEncryptionKey::generate(), places())
}

/// An authority in a database, to hang things on.
fn add_authority(c: &mut Connection, id: &str) -> Result<(), ca::Error> {
    let record = Record {
        id: id.into(),
        subject: format!("CN={id}"),
        ..Record::of_host(HOUSE.certificate.clone(), START)
    };
    authorities::insert(c, &record)
}

/// A new CA in an empty database.
fn authority(store: &Store, clock: &Clock) -> Authority {
    authority_with(store, &config(), clock)
}

/// A new CA with other settings.
pub(crate) fn authority_with(store: &Store, config: &Config, clock: &Clock) -> Authority {
    write(&store.ca(), |c| {
        let host = Record::of_host(HOUSE.certificate.clone(), START);
        authorities::insert(c, &host)?;
        Ok(db::users::add_groups(c)?)
    });
    instance_with(store, config, clock)
}

/// One more process over the database of [`authority`].
fn instance(store: &Store, clock: &Clock) -> Authority {
    instance_with(store, &config(), clock)
}

fn instance_with(store: &Store, config: &Config, clock: &Clock) -> Authority {
    let profiles = Profiles::open(store.ca(), START).expect("the database can be read");
    Authority::new(store.ca(), issuers(), profiles, config, clock.clone())
        .expect("the database can be read")
}

/// Somebody without a credential.
pub(crate) fn anonymous(authority: &Authority) -> Caller {
    admit(authority, None, Rule::Anyone)
}

/// A new agent of the CA, with a certificate and everything.
pub(crate) fn agent(authority: &Authority, id: &str) -> Caller {
    let request = SystemRequest {
        profile: "caUserCert",
        csr: csr(&format!("CN={id}"), &[]),
    };
    let certificate = authority.issue_for_system(request).expect("it is issued");
    let user = NewUser {
        id: id.into(),
        name: id.into(),
        groups: vec![Group::CertificateManagerAgents],
        certificate: certificate.clone(),
    };
    write(authority.database(), move |c| {
        Ok(accounts::add(c, &user, at(0))?)
    });
    let agents = Rule::Members(&[Group::CertificateManagerAgents]);
    let caller = admit(authority, Some(certificate), agents);
    assert_eq!(caller.user(), Some(id));
    caller
}

fn admit(authority: &Authority, certificate: Option<Certificate>, rule: Rule) -> Caller {
    let certificate = certificate.map(|certificate| PeerCertificate {
        certificate: Arc::new(certificate),
        trusted: Ok(()),
    });
    let evidence = Evidence {
        certificate,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        request_id: entropy::uuid(),
    };
    authority.admit(evidence, rule).expect("the caller may")
}

/// A certification request for a new key, DER.
pub(crate) fn csr(subject: &str, names: &[&str]) -> Vec<u8> {
    let (key, _) = PrivateKey::generate(KeySpec::EcP256).expect("keys can be made");
    let names: Vec<AlternativeName> = names
        .iter()
        .map(|name| name.parse().expect("a name"))
        .collect();
    keystore::request(&key, subject, &names).expect("requests can be made")
}

/// What [`issuer`] would sign for a new key as of `now`, with the validity of `caServerCert`.
fn linted(subject: &str, names: &[&str], now: Timestamp) -> Linted {
    let csr = Csr::from_der(csr(subject, names)).expect("our own request is sound");
    let profile = shipped_profile("caServerCert");
    let issuer = issuer();
    let draft = profile.draft(&csr, &issuer, &Changes::default(), now);
    draft
        .and_then(|draft| {
            draft.lint(
                &issuer,
                &Rules::new(&config().lint).expect("there are no lists"),
                now,
            )
        })
        .expect("the profile accepts it")
}

/// A profile as it is shipped.
fn shipped_profile(id: &str) -> Profile {
    let texts = ca::profile::shipped().expect("the shipped profiles are sound");
    let text = texts.into_iter().find(|text| text.id == id);
    Profile::new(text.expect("it is shipped")).expect("it is ready for use")
}

/// Somebody who asked for a certificate of `profile`.
fn origin(profile: &str) -> Origin {
    Origin {
        request: None,
        profile: profile.into(),
        profile_version: "0123456789abcdef".into(),
        approved_by: "agent1".into(),
    }
}

/// Intends, signs and records a certificate.
fn issue(database: &Database, linted: &Linted, origin: &Origin, now: Timestamp) -> Certificate {
    let (linted, origin) = (linted.clone(), origin.clone());
    write(database, move |c| {
        let signed = intend(c, &linted, &origin, now)?.sign(&issuer())?;
        assert!(record(c, &signed)?);
        Ok(signed.certificate().clone())
    })
}

/// Runs a transaction of the CA that has to succeed.
#[track_caller]
pub(crate) fn write<T: Send + 'static>(
    database: &Database,
    body: impl FnMut(&mut Connection) -> Result<T, ca::Error> + Send + 'static,
) -> T {
    database
        .write("test", body)
        .expect("the transaction succeeds")
}

/// Runs queries of the CA that have to succeed.
#[track_caller]
pub(crate) fn read<T>(
    database: &Database,
    body: impl FnMut(&mut Connection) -> Result<T, ca::Error>,
) -> T {
    database.read(body).expect("the queries succeed")
}

/// Runs SQL that gives nothing back.
pub(crate) fn execute(connection: &mut Connection, sql: &str) -> Result<(), ca::Error> {
    Ok(on!(connection, |c| c.batch_execute(sql))?)
}

/// The one column `text` of what `sql` gives back.
pub(crate) fn texts(connection: &mut Connection, sql: &str) -> Result<Vec<String>, ca::Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        text: String,
    }
    let rows: Vec<Row> = on!(connection, |c| diesel::sql_query(sql).load(c))?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}

/// Everything in the database: the rows of each table as text, in the order of their text.
fn contents(database: &Database) -> BTreeMap<String, Vec<String>> {
    let mut contents = BTreeMap::new();
    for (table, columns) in schema::tables(database) {
        let columns: Vec<String> = columns
            .iter()
            .map(|column| {
                let text = match (column.kind, database.is_shared()) {
                    ("blob", true) => format!("encode({}, 'hex')", column.name),
                    ("blob", false) => format!("lower(hex({}))", column.name),
                    _ => format!("CAST({} AS TEXT)", column.name),
                };
                format!("'{}=' || COALESCE({text}, 'NULL')", column.name)
            })
            .collect();
        let columns = columns.join(" || ' ' || ");
        let sql = format!("SELECT {columns} AS text FROM {table} ORDER BY 1");
        contents.insert(table, read(database, |c| texts(c, &sql)));
    }
    contents
}

/// The lines of tables that are in `after` and not in `before`, and the other way round: `+` and `-`
/// before the name of the table.
fn changes(
    before: &BTreeMap<String, Vec<String>>,
    after: &BTreeMap<String, Vec<String>>,
) -> Vec<(String, String)> {
    let mut changes = Vec::new();
    for (sign, one, other) in [('-', before, after), ('+', after, before)] {
        for (table, rows) in one {
            for row in rows.iter().filter(|row| !other[table].contains(row)) {
                changes.push((format!("{sign}{table}"), row.clone()));
            }
        }
    }
    changes
}
