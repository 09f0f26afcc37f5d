//! The first start: a new authority with its key, certificate and first CRL.

use std::path::Path;
use std::sync::Arc;

use common::api::ca::Changes;
use common::clock::{Clock, Timestamp};
use common::crypto::{KeyEncryptionKey, PrivateKey};
use common::db::{Location, users};
use common::keystore::KeyStore;
use common::x509::{self, Certificate, Csr, SerialNumber, csr, name};
use const_oid::db::rfc5280::{ID_CE_CRL_DISTRIBUTION_POINTS, ID_PE_AUTHORITY_INFO_ACCESS};
use der::Encode;
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::name::Name;
use x509_cert::time::Validity;

use crate::authority::{Issuers, Profiles};
use crate::config::Config;
use crate::issue::{Draft, assemble};
use crate::issuer::{Issuer, Places};
use crate::lint::Rules;
use crate::store;
use crate::store::authorities::{self, Record};
use crate::{Authority, Error};

/// The name of the first authority.
pub const HOST: &str = "host";

/// The file of the CA's database in its folder.
pub const DATABASE: &str = "ca.db";

/// The CA key's name in its key store.
pub const SIGNING: &str = "signing";

/// Makes a CA in an empty `folder`.
pub fn create(
    folder: &Path,
    kek: &KeyEncryptionKey,
    config: &Config,
    places: Places,
    clock: Clock,
) -> Result<Authority, String> {
    let text = |e: Error| e.to_string();
    let location = Location::Sqlite(folder.join(DATABASE));
    let database = store::open(&location).map_err(|e| e.to_string())?;
    let keys = KeyStore { folder, kek };
    let key = keys.generate(SIGNING, config.key)?;
    let subject = config.subject.clone().unwrap_or_else(|| {
        let number = common::x509::hex(&common::entropy::bytes::<4>());
        format!("CN=Chancery CA {number}")
    });
    let subject = name::parse(&subject)?;
    let request = csr::create(&key, &subject, &[]).map_err(|e| e.to_string())?;
    let csr = Csr::from_der(request).map_err(|e| e.to_string())?;

    let now = clock.now();
    let profiles = Profiles::open(database.clone(), now).map_err(text)?;
    let profile = profiles.find("caCACert");
    let profile = profile.and_then(|entry| entry.enabled().cloned());
    let profile = profile.ok_or("the profile caCACert is missing")?;
    let issuer = Issuer {
        id: HOST.into(),
        certificate: seed(&key, csr.subject(), now)?,
        chain: Vec::new(),
        key: Arc::new(key),
        urls: places.of(HOST),
    };
    let refused = |violations: Vec<common::api::Violation>| {
        violations
            .first()
            .map_or_else(String::new, |violation| violation.message.clone())
    };
    let draft = profile
        .draft(&csr, &issuer, &Changes::default(), now)
        .map_err(refused)?;
    let linted = root(draft)
        .lint(&issuer, &Rules::new(&config.lint)?, now)
        .map_err(refused)?;
    let serial = linted.serial().clone();
    let issuers = Issuers::new(issuer, kek.clone(), places);
    let authority =
        Authority::new(database, issuers, profiles, config, clock.clone()).map_err(text)?;
    authority
        .issue_own(linted, profile.version())
        .map_err(text)?;
    let own = authority.certificate(&serial).map_err(text)?.certificate;
    let stored = own;
    authority
        .database()
        .write("create authority", move |c| {
            authorities::insert(c, &Record::of_host(stored.clone(), now))?;
            Ok::<_, Error>(users::add_groups(c)?)
        })
        .map_err(text)?;
    authority.read_authorities().map_err(text)?;
    Ok(authority)
}

/// Opens the CA that [`create`] made in `folder`.
pub fn open(
    folder: &Path,
    kek: &KeyEncryptionKey,
    config: &Config,
    places: Places,
    clock: Clock,
) -> Result<Authority, String> {
    let location = Location::existing(folder.join(DATABASE))?;
    let database = store::open(&location).map_err(|e| e.to_string())?;
    let certificate = database
        .read(|c| authorities::certificate(c, HOST))
        .map_err(|e| e.to_string())?;
    let (key, _) = KeyStore { folder, kek }.key(SIGNING)?;
    if key.public_key() != certificate.public_key() {
        return Err(format!(
            "{}: the CA's key is not the one in its certificate",
            folder.display()
        ));
    }
    let issuer = Issuer {
        id: HOST.into(),
        certificate,
        chain: Vec::new(),
        key: Arc::new(key),
        urls: places.of(HOST),
    };
    let issuers = Issuers::new(issuer, kek.clone(), places);
    let profiles = Profiles::open(database.clone(), clock.now()).map_err(|e| e.to_string())?;
    Authority::new(database, issuers, profiles, config, clock).map_err(|e| e.to_string())
}

/// The issuer that a root has before it has a certificate: its own name and key, for ever.
pub(crate) fn seed(
    key: &PrivateKey,
    subject: &Name,
    now: Timestamp,
) -> Result<Certificate, String> {
    let wrong = |e: der::Error| e.to_string();
    let tbs = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::random().to_x509(),
        signature: key.algorithm().identifier(),
        issuer: subject.clone(),
        validity: Validity {
            not_before: x509::time(now),
            not_after: x509::time(now.plus_days(365 * 100)),
        },
        subject: subject.clone(),
        subject_public_key_info: key.public_key().info().clone(),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: None,
    };
    // Never signed: it only lends its name, key and dates to the draft of the real one.
    let der = assemble(
        &tbs.to_der().map_err(wrong)?,
        &key.algorithm().identifier(),
        &[0],
    )
    .map_err(wrong)?;
    Certificate::from_der(&der)
}

/// A root says nothing about where to check it: its trust does not come from a list.
pub(crate) fn root(mut draft: Draft) -> Draft {
    let places = [ID_PE_AUTHORITY_INFO_ACCESS, ID_CE_CRL_DISTRIBUTION_POINTS];
    draft
        .extensions
        .retain(|extension| !places.contains(&extension.extn_id));
    draft
}
