//! A new installation: keys, certificates, users and credentials of CA, KRA and responder.

use std::path::{Path, PathBuf};
use std::thread;

use ca::authority::SystemRequest;
use ca::issuer::Places;
use ca::{Authority, Config};
use common::clock::{Clock, Timestamp};
use common::crypto::{KeyEncryptionKey, KeySource, KeySpec, PrivateKey, RsaSize, Secret};
use common::db::users::NewUser;
use common::db::{Database, Error as DatabaseError, users};
use common::identity::Group;
use common::keystore::{KeyStore, request};
use common::pkcs12;
use common::x509::{AlternativeName, Certificate, hex, pem};
use common::{entropy, folder};

/// Where the pieces of an installation go.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Folder of the CA.
    pub(crate) ca: PathBuf,
    /// Folder of the KRA.
    pub(crate) kra: PathBuf,
    /// Folder of the responder.
    pub(crate) ocsp: PathBuf,
    /// Folders that get a TLS certificate for these names.
    pub(crate) tls: Vec<(PathBuf, Vec<String>)>,
    /// Folder of the people's credentials.
    pub(crate) credentials: PathBuf,
    /// Every file in which the trust anchor belongs.
    pub(crate) anchors: Vec<PathBuf>,
}

/// The key-encryption keys of the three services: one shared, or one each.
#[derive(Debug)]
pub(crate) enum Keks {
    /// All on one machine.
    Shared(KeyEncryptionKey),
    /// Each on its own.
    Separate(Box<[KeyEncryptionKey; 3]>),
}

impl Keks {
    /// A key that is made now and saved in `path`, or the one that the operator provides.
    pub(crate) fn make(
        source: &KeySource,
        default: &Path,
        path: &Path,
    ) -> Result<KeyEncryptionKey, String> {
        if *source != KeySource::File(default.to_owned()) {
            return KeyEncryptionKey::load(source);
        }
        let kek = KeyEncryptionKey::generate();
        kek.save(path)
            .map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(kek)
    }

    fn ca(&self) -> &KeyEncryptionKey {
        match self {
            Self::Shared(kek) => kek,
            Self::Separate(keks) => &keks[0],
        }
    }

    fn kra(&self) -> &KeyEncryptionKey {
        match self {
            Self::Shared(kek) => kek,
            Self::Separate(keks) => &keks[1],
        }
    }

    fn ocsp(&self) -> &KeyEncryptionKey {
        match self {
            Self::Shared(kek) => kek,
            Self::Separate(keks) => &keks[2],
        }
    }

    fn of(&self, folder: &Path, layout: &Layout) -> &KeyEncryptionKey {
        match folder {
            f if f == layout.kra => self.kra(),
            f if f == layout.ocsp => self.ocsp(),
            _ => self.ca(),
        }
    }
}

/// Id, name, and groups in CA, KRA and responder.
type Person = (&'static str, &'static str, Groups, Groups, Groups);
type Groups = &'static [Group];

/// The people who get a credential, with their groups in CA, KRA and responder.
const PEOPLE: [Person; 6] = [
    (
        "admin",
        "Administrator",
        ADMINISTRATORS,
        ADMINISTRATORS,
        ADMINISTRATORS,
    ),
    ("agent1", "Agent 1", CA_AGENTS, KRA_AGENTS, OCSP_AGENTS),
    ("agent2", "Agent 2", CA_AGENTS, KRA_AGENTS, OCSP_AGENTS),
    ("agent3", "Agent 3", CA_AGENTS, KRA_AGENTS, OCSP_AGENTS),
    ("auditor", "Auditor", AUDITORS, AUDITORS, AUDITORS),
    ("token", "Token system", &[], &[Group::TokenSystems], &[]),
];

const ADMINISTRATORS: &[Group] = &[Group::Administrators];
const AUDITORS: &[Group] = &[Group::Auditors];
const CA_AGENTS: &[Group] = &[Group::CertificateManagerAgents];
const KRA_AGENTS: &[Group] = &[Group::DataRecoveryManagerAgents];
const OCSP_AGENTS: &[Group] = &[Group::OcspManagerAgents];
const SERVICES: &[Group] = &[Group::SubsystemGroup];

/// Makes everything in the empty folders of `layout`.
pub(crate) fn install(
    layout: &Layout,
    keks: &Keks,
    config: &Config,
    places: Places,
) -> Result<(), String> {
    for path in [&layout.ca, &layout.kra, &layout.ocsp, &layout.credentials] {
        folder::create_private(path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    // The RSA key takes longer than all the rest together.
    let transport = thread::spawn(|| PrivateKey::generate(KeySpec::Rsa(RsaSize::Bits3072)));
    let clock = Clock::System;
    let authority = ca::create::create(&layout.ca, keks.ca(), config, places, clock.clone())?;
    let root = authority.host().certificate.clone();
    for path in &layout.anchors {
        write(path, root.pem().as_bytes(), false)?;
    }
    for (path, names) in &layout.tls {
        let kek = keks.of(path, layout);
        tls_certificate(&authority, &KeyStore { folder: path, kek }, names)?;
    }
    let kra = kra::create::create(&layout.kra, keks.kra())?;
    let ocsp = ocsp::create::create(&layout.ocsp)?;
    let databases = [authority.database().clone(), kra, ocsp];
    let now = clock.now();
    services(&authority, layout, keks, &databases, now)?;
    for (id, name, ca, kra, ocsp) in PEOPLE {
        let certificate = credential(&authority, &layout.credentials, id, name, &root)?;
        for (database, groups) in databases.iter().zip([ca, kra, ocsp]) {
            if !groups.is_empty() {
                add_user(database, id, name, groups, &certificate, now)?;
            }
        }
    }
    let (key, pkcs8) = transport
        .join()
        .map_err(|_| "the transport key could not be made")?
        .map_err(|e| e.to_string())?;
    let certificate = issue(
        &authority,
        "caTransportCert",
        &key,
        "CN=Chancery KRA transport",
        &[],
    )?;
    let store = KeyStore {
        folder: &layout.kra,
        kek: keks.kra(),
    };
    store.save_key(kra::transport::TRANSPORT, &pkcs8)?;
    store.save_chain(kra::transport::TRANSPORT, &[&certificate])?;
    authority
        .make_crl(&common::identity::Caller::system(), ca::create::HOST)
        .map_err(|e| e.to_string())?;
    Ok(())
}

fn tls_certificate(
    authority: &Authority,
    store: &KeyStore<'_>,
    names: &[String],
) -> Result<(), String> {
    let key = store.generate("tls", KeySpec::EcP256)?;
    let names: Vec<AlternativeName> = names
        .iter()
        .map(|name| alternative_name(name))
        .collect::<Result<_, _>>()?;
    let certificate = issue(authority, "caServerCert", &key, "CN=Chancery", &names)?;
    store.save_chain("tls", &[&certificate])
}

fn alternative_name(name: &str) -> Result<AlternativeName, String> {
    match name.parse() {
        Ok(address) => Ok(AlternativeName::Ip(address)),
        Err(_) => format!("dns:{name}").parse(),
    }
}

/// Each service gets a certificate to prove itself with, and a user row at the two others.
fn services(
    authority: &Authority,
    layout: &Layout,
    keks: &Keks,
    databases: &[Database; 3],
    now: Timestamp,
) -> Result<(), String> {
    let services = [
        ("ca", "Certificate authority", &layout.ca, keks.ca()),
        ("kra", "Key recovery authority", &layout.kra, keks.kra()),
        ("ocsp", "OCSP responder", &layout.ocsp, keks.ocsp()),
    ];
    for (index, (id, name, path, kek)) in services.into_iter().enumerate() {
        let store = KeyStore { folder: path, kek };
        let key = store.generate("subsystem", KeySpec::EcP256)?;
        let subject = format!("CN={name},OU=Subsystem");
        let certificate = issue(authority, "caSubsystemCert", &key, &subject, &[])?;
        store.save_chain("subsystem", &[&certificate])?;
        for (other, database) in databases.iter().enumerate() {
            if other != index {
                add_user(database, id, name, SERVICES, &certificate, now)?;
            }
        }
    }
    Ok(())
}

/// Makes a person's key and certificate, as PEM and PKCS#12.
fn credential(
    authority: &Authority,
    folder: &Path,
    id: &str,
    name: &str,
    root: &Certificate,
) -> Result<Certificate, String> {
    let (key, pkcs8) = PrivateKey::generate(KeySpec::EcP256).map_err(|e| e.to_string())?;
    let certificate = issue(authority, "caUserCert", &key, &format!("CN={name}"), &[])?;
    let text = Secret::new(
        format!(
            "{}{}",
            certificate.pem(),
            pem("PRIVATE KEY", pkcs8.expose())
        )
        .into_bytes(),
    );
    write(&folder.join(format!("{id}.pem")), text.expose(), true)?;
    let password = Secret::new(hex(&entropy::bytes::<16>()).into_bytes());
    let password_text = std::str::from_utf8(password.expose()).map_err(|e| e.to_string())?;
    let chain = [&certificate, root];
    let p12 = pkcs12::encode(id, &pkcs8, &chain, password_text, pkcs12::ROUNDS_GENERATED)
        .map_err(|e| e.to_string())?;
    write(&folder.join(format!("{id}.p12")), p12.expose(), true)?;
    write(
        &folder.join(format!("{id}.p12.password")),
        password.expose(),
        true,
    )?;
    Ok(certificate)
}

fn issue(
    authority: &Authority,
    profile: &'static str,
    key: &PrivateKey,
    subject: &str,
    names: &[AlternativeName],
) -> Result<Certificate, String> {
    let csr = request(key, subject, names)?;
    authority
        .issue_for_system(SystemRequest { profile, csr })
        .map_err(|e| e.to_string())
}

fn add_user(
    database: &Database,
    id: &str,
    name: &str,
    groups: &[Group],
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), String> {
    let user = NewUser {
        id: id.to_owned(),
        name: name.to_owned(),
        groups: groups.to_vec(),
        certificate: certificate.clone(),
    };
    let added = database.write("add user", move |c| users::add(c, &user, now));
    added.map_err(|e: DatabaseError| e.to_string())
}

/// Writes a new file, secret or for everybody.
pub(crate) fn write(path: &Path, bytes: &[u8], secret: bool) -> Result<(), String> {
    let written = match secret {
        true => folder::write_secret(path, bytes),
        false => folder::write_public(path, bytes),
    };
    written.map_err(|e| format!("{}: {e}", path.display()))
}
