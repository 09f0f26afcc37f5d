use std::sync::{Arc, LazyLock};

use common::clock::Timestamp;
use common::config::Settings;
use common::crypto::{KeySpec, PrivateKey, PublicKey, RequestSignatures};
use common::x509::{self, Certificate, SerialNumber, extension, name};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280 as ce, rfc5912, rfc6960};
use der::asn1::{BitString, Ia5String, OctetString, SetOfVec, UintRef};
use der::flagset::FlagSet;
use der::{Any, Encode, Tag};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    NameConstraints, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::time::{Time, Validity};

use super::Rules;
use crate::blocklist::testing::File;
use crate::config::{Config, LintConfig};
use crate::issue::assemble;
use crate::issuer::{Issuer, Places};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

static ROOT_KEY: LazyLock<Arc<PrivateKey>> = LazyLock::new(|| key(KeySpec::EcP256));

fn key(spec: KeySpec) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(spec).expect("keys can be made").0)
}

fn config() -> LintConfig {
    let config = Config::new(&Settings::default()).expect("the defaults are sound");
    config.lint
}

/// A certificate to be, with all that it needs, to be spoilt by a test.
struct Draft {
    tbs: TbsCertificate,
    key: PublicKey,
    issuer: Issuer,
    config: LintConfig,
}

fn usage(bits: impl Into<FlagSet<KeyUsages>>) -> Extension {
    extension::new(true, &KeyUsage(bits.into())).expect("encodes")
}

fn basic(ca: bool, path_len_constraint: Option<u8>) -> Extension {
    let constraints = BasicConstraints {
        ca,
        path_len_constraint,
    };
    extension::new(true, &constraints).expect("encodes")
}

fn purposes(purposes: &[ObjectIdentifier]) -> Extension {
    extension::new(false, &ExtendedKeyUsage(purposes.to_vec())).expect("encodes")
}

fn dns(name: &str) -> GeneralName {
    GeneralName::DnsName(Ia5String::new(name).expect("ASCII"))
}

fn alternative(names: &[GeneralName]) -> Extension {
    extension::new(false, &SubjectAltName(names.to_vec())).expect("encodes")
}

/// What nobody but a test signs.
fn unsigned(
    subject: &Name,
    key: &PublicKey,
    extensions: Vec<Extension>,
    days: i64,
) -> TbsCertificate {
    TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::random().to_x509(),
        signature: ROOT_KEY.algorithm().identifier(),
        issuer: name::parse("CN=Root").expect("a name"),
        validity: Validity {
            not_before: x509::time(NOW),
            not_after: x509::time(NOW.plus_days(days).plus_seconds(-1)),
        },
        subject: subject.clone(),
        subject_public_key_info: key.info().clone(),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    }
}

fn authority(subject: &str, key: &PublicKey, extensions: Vec<Extension>) -> Certificate {
    let subject = name::parse(subject).expect("a name");
    let tbs = unsigned(&subject, key, extensions, 3_650);
    let algorithm = ROOT_KEY.algorithm().identifier();
    let der = assemble(&tbs.to_der().expect("encodes"), &algorithm, &[0]).expect("encodes");
    Certificate::from_der(&der).expect("it was just made")
}

/// An issuer whose certificate has the further `extensions`.
fn issuer(path_len: Option<u8>, extensions: &[Extension]) -> Issuer {
    let all = [&[basic(true, path_len)], extensions].concat();
    Issuer {
        id: "host".into(),
        certificate: authority("CN=Root", ROOT_KEY.public_key(), all),
        chain: Vec::new(),
        key: ROOT_KEY.clone(),
        urls: Places::new("http://a.example", "http://a.example").of("host"),
    }
}

impl Draft {
    fn leaf() -> Self {
        Self::leaf_of(key(KeySpec::EcP256).public_key().clone())
    }

    fn leaf_of(key: PublicKey) -> Self {
        let extensions = vec![
            basic(false, None),
            usage(KeyUsages::DigitalSignature),
            purposes(&[ce::ID_KP_SERVER_AUTH]),
            alternative(&[dns("host.example")]),
        ];
        Self::new("CN=host.example", key, extensions, 397)
    }

    fn ca() -> Self {
        let extensions = vec![
            basic(true, None),
            usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign),
        ];
        let key = key(KeySpec::EcP256).public_key().clone();
        Self::new("CN=Sub", key, extensions, 3_650)
    }

    fn new(subject: &str, key: PublicKey, mut extensions: Vec<Extension>, days: i64) -> Self {
        let octets = |bytes: &[u8]| OctetString::new(bytes).expect("octets");
        let own = SubjectKeyIdentifier(octets(&key.key_identifier()));
        let authority = AuthorityKeyIdentifier {
            key_identifier: Some(octets(&ROOT_KEY.public_key().key_identifier())),
            ..AuthorityKeyIdentifier::default()
        };
        extensions.push(extension::new(false, &own).expect("encodes"));
        extensions.push(extension::new(false, &authority).expect("encodes"));
        let subject = name::parse(subject).expect("a name");
        Self {
            tbs: unsigned(&subject, &key, extensions, days),
            key,
            issuer: issuer(None, &[]),
            config: config(),
        }
    }

    fn with_subject(mut self, subject: Name) -> Self {
        self.tbs.subject = subject;
        self
    }

    /// Puts an extension in the place of the one of its kind.
    fn with(mut self, extension: Extension) -> Self {
        let extensions = self.tbs.extensions.get_or_insert_default();
        extensions.retain(|other| other.extn_id != extension.extn_id);
        extensions.push(extension);
        self
    }

    fn without(mut self, oid: ObjectIdentifier) -> Self {
        let extensions = self.tbs.extensions.get_or_insert_default();
        extensions.retain(|other| other.extn_id != oid);
        self
    }

    fn below(mut self, issuer: Issuer) -> Self {
        self.issuer = issuer;
        self
    }

    fn valid(mut self, from: Timestamp, to: Timestamp) -> Self {
        self.tbs.validity.not_before = x509::time(from);
        self.tbs.validity.not_after = x509::time(to);
        self
    }

    /// The rules that it breaks.
    fn broken(&self) -> Vec<String> {
        let rules = Rules::new(&self.config).expect("the lists can be read");
        let found = rules.certificate(&self.tbs, &self.key, &self.issuer, NOW);
        let mut rules: Vec<_> = found.into_iter().map(|violation| violation.rule).collect();
        rules.dedup();
        rules
    }
}

#[track_caller]
fn breaks(draft: &Draft, rules: &[&str]) {
    assert_eq!(draft.broken(), rules);
}

#[test]
fn sound_certificates_break_no_rule() {
    breaks(&Draft::leaf(), &[]);
    breaks(&Draft::ca(), &[]);
    for (_, spec) in KeySpec::ALL {
        breaks(&Draft::leaf_of(key(spec).public_key().clone()), &[]);
    }
}

#[test]
fn serial_numbers_are_long_and_positive() {
    let serial = |bytes: &[u8]| {
        let mut draft = Draft::leaf();
        draft.tbs.serial_number =
            x509_cert::serial_number::SerialNumber::new(bytes).expect("a number");
        draft
    };
    breaks(&serial(&[1; 15]), &["serial-length"]);
    breaks(&serial(&[1; 16]), &[]);
    breaks(&serial(&[0; 16]), &["serial-length", "serial-positive"]);
    let mut draft = Draft::leaf();
    draft.tbs.version = Version::V1;
    breaks(&draft, &["version"]);
}

#[test]
fn times_are_inclusive_and_within_the_caps() {
    let end = |days: i64, seconds: i64| NOW.plus_days(days).plus_seconds(seconds);
    let draft = |from, to| Draft::leaf().valid(from, to);
    breaks(&draft(NOW, end(-1, 0)), &["validity-order"]);
    breaks(&draft(end(-2, 0), end(1, 0)), &[]);
    breaks(&draft(end(-2, -1), end(1, 0)), &["backdating"]);
    breaks(&draft(end(366, 0), end(367, 0)), &[]);
    breaks(&draft(end(366, 1), end(367, 0)), &["predating"]);
    // The last second counts.
    let mut short = draft(NOW, end(10, -1));
    short.config.validity_days_max = 10;
    breaks(&short, &[]);
    let mut long = draft(NOW, end(10, 0));
    long.config.validity_days_max = 10;
    breaks(&long, &["validity-length"]);
    let beyond = Draft::ca().valid(NOW, end(14_610, 0));
    breaks(&beyond, &["validity-length", "validity-nesting"]);
    breaks(&draft(NOW, end(3_650, 0)), &["validity-nesting"]);

    let mut wrong_form = Draft::leaf();
    let moment = der::DateTime::new(2026, 1, 1, 0, 0, 0).expect("a date");
    let early = der::asn1::GeneralizedTime::from_date_time(moment);
    wrong_form.tbs.validity.not_before = Time::GeneralTime(early);
    breaks(&wrong_form, &["backdating", "time-form"]);
}

#[test]
fn key_identifiers_are_those_of_the_keys() {
    let other = SubjectKeyIdentifier(OctetString::new([1; 20]).expect("octets"));
    let other = extension::new(false, &other).expect("encodes");
    breaks(&Draft::leaf().with(other), &["subject-key-identifier"]);
    let leaf = Draft::leaf();
    let sha1 = SubjectKeyIdentifier(OctetString::new(leaf.key.sha1()).expect("octets"));
    let sha1 = extension::new(false, &sha1).expect("encodes");
    breaks(&leaf.with(sha1), &[]);
    breaks(
        &Draft::leaf().without(ce::ID_CE_SUBJECT_KEY_IDENTIFIER),
        &[],
    );
    let anonymous = Draft::ca().without(ce::ID_CE_SUBJECT_KEY_IDENTIFIER);
    breaks(&anonymous, &["subject-key-identifier"]);
    let none = Draft::leaf().without(ce::ID_CE_AUTHORITY_KEY_IDENTIFIER);
    breaks(&none, &["authority-key-identifier"]);
}

#[test]
fn the_subject_names_somebody_in_the_right_form() {
    let nobody = Draft::leaf().without(ce::ID_CE_SUBJECT_ALT_NAME);
    breaks(&nobody.with_subject(Name::default()), &["subject"]);
    breaks(
        &Draft::ca().with_subject(Name::default()),
        &["subject", "ca-subject"],
    );
    let attribute = |oid: &str, tag: Tag, value: &[u8]| AttributeTypeAndValue {
        oid: oid.parse().expect("an identifier"),
        value: Any::new(tag, value).expect("a value"),
    };
    let subject = |attributes: Vec<AttributeTypeAndValue>| {
        let set = SetOfVec::try_from(attributes).expect("a set");
        let name: Name = RdnSequence(vec![RelativeDistinguishedName(set)]);
        Draft::leaf().with_subject(name)
    };
    let (cn, country, email) = ("2.5.4.3", "2.5.4.6", "1.2.840.113549.1.9.1");
    for (oid, tag, value, rules) in [
        (cn, Tag::Utf8String, &b"Gr\xc3\xbc\xc3\x9fe"[..], &[][..]),
        (cn, Tag::PrintableString, b"host", &[]),
        (cn, Tag::TeletexString, b"host", &["name-type"]),
        (cn, Tag::PrintableString, b"a@b", &["name-type"]),
        (cn, Tag::Utf8String, b"", &["name-text"]),
        (cn, Tag::Utf8String, b"  ", &["name-text"]),
        (cn, Tag::Utf8String, b"a\0b", &["name-text"]),
        (cn, Tag::Utf8String, &[b'a'; 64], &[]),
        (cn, Tag::Utf8String, &[b'a'; 65], &["name-length"]),
        ("2.5.4.7", Tag::Utf8String, &[b'a'; 129], &["name-length"]),
        (country, Tag::PrintableString, b"DE", &[]),
        (country, Tag::Utf8String, b"DE", &["name-type"]),
        (country, Tag::PrintableString, b"D1", &["name-country"]),
        (country, Tag::PrintableString, b"D", &["name-country"]),
        ("2.5.4.5", Tag::Utf8String, b"7", &["name-type"]),
        (
            email,
            Tag::Utf8String,
            b"a@b.example",
            &["subject-email", "name-type"],
        ),
        (email, Tag::Ia5String, b"a@b.example", &["subject-email"]),
    ] {
        let mut broken = subject(vec![attribute(oid, tag, value)]).broken();
        broken.sort_by_key(|rule| rules.iter().position(|known| known == rule));
        assert_eq!(broken, rules, "{oid} {tag} {value:?}");
    }
    let twice = vec![
        attribute(cn, Tag::Utf8String, b"one"),
        attribute(cn, Tag::Utf8String, b"two"),
    ];
    breaks(&subject(twice), &["name-repeated"]);
}

#[test]
fn alternative_names_are_well_formed() {
    let ascii = |text: &str| Ia5String::new(text).expect("ASCII");
    let email = |text: &str| GeneralName::Rfc822Name(ascii(text));
    let uri = |text: &str| GeneralName::UniformResourceIdentifier(ascii(text));
    let ip = |octets: &[u8]| GeneralName::IpAddress(OctetString::new(octets).expect("octets"));
    let edi = GeneralName::EdiPartyName(x509_cert::ext::pkix::name::EdiPartyName {
        name_assigner: None,
        party_name: x509_cert::ext::pkix::name::DirectoryString::Utf8String("a".into()),
    });
    let long = format!("{}.example", "a".repeat(64));
    for (name, rules) in [
        (dns("*.host.example"), &[][..]),
        (dns("xn--mnchen-3ya.example"), &[]),
        (dns(""), &["dns-syntax"]),
        (dns("a..example"), &["dns-syntax"]),
        (dns(".example"), &["dns-syntax"]),
        (dns("a_b.example"), &["dns-syntax"]),
        (dns("-a.example"), &["dns-syntax"]),
        (dns(&long), &["dns-syntax"]),
        (dns("*.com"), &["dns-syntax"]),
        (dns("a.*.example"), &["dns-syntax"]),
        (dns("192.0.2.1"), &["dns-syntax"]),
        (dns("xn--a.example"), &["dns-idn"]),
        (dns("ab--c.example"), &["dns-idn"]),
        (email("ada@mail.example"), &[]),
        (email("ada"), &["email-syntax"]),
        (email("ada@xn--a.example"), &["dns-idn"]),
        (uri("https://a.example/x"), &[]),
        (uri("nothing"), &["uri-syntax"]),
        (uri("https:///x"), &["uri-syntax"]),
        (ip(&[192, 0, 2, 1]), &[]),
        (ip(&[192, 0, 2]), &["ip-syntax"]),
        (edi, &["name-form"]),
    ] {
        let draft = Draft::leaf().with(alternative(std::slice::from_ref(&name)));
        assert_eq!(draft.broken(), rules, "{name:?}");
    }
    let twice = alternative(&[dns("a.example"), dns("a.example")]);
    breaks(&Draft::leaf().with(twice), &["name-repeated"]);
    breaks(
        &Draft::leaf().with(alternative(&[])),
        &["alternative-names"],
    );
}

#[test]
fn extensions_are_readable_once_and_critical_where_they_must_be() {
    let raw = |oid, critical, der: &[u8]| extension::raw(oid, critical, der.to_vec());
    let garbage = raw(ce::ID_CE_CERTIFICATE_POLICIES, false, &[5, 0]).expect("encodes");
    breaks(&Draft::leaf().with(garbage), &["extension-syntax"]);
    let unknown: ObjectIdentifier = "1.2.3.4".parse().expect("an identifier");
    let cut_off = raw(unknown, false, &[0x30, 5]).expect("encodes");
    breaks(&Draft::leaf().with(cut_off), &["extension-syntax"]);

    let mut twice = Draft::leaf();
    let extensions = twice.tbs.extensions.as_mut().expect("it has some");
    extensions.push(extensions[0].clone());
    breaks(&twice, &["duplicate-extension"]);

    let nameless = Draft::leaf().with_subject(Name::default());
    breaks(&nameless, &["critical"]);
    let mut critical = Draft::leaf();
    let extensions = critical.tbs.extensions.as_mut().expect("it has some");
    for extension in extensions {
        extension.critical = true;
    }
    breaks(&critical, &["critical"]);
    let stamps = Draft::leaf().with(purposes(&[ce::ID_KP_TIME_STAMPING]));
    breaks(&stamps, &["critical"]);
}

#[test]
fn a_ca_is_one_in_every_respect() {
    let draft = Draft::leaf().with(usage(KeyUsages::KeyCertSign | KeyUsages::DigitalSignature));
    breaks(&draft, &["ca-key-usage"]);
    let draft = Draft::ca().with(usage(KeyUsages::CRLSign));
    breaks(&draft, &["ca-key-usage"]);
    let constraints = BasicConstraints {
        ca: true,
        path_len_constraint: None,
    };
    let weak = extension::new(false, &constraints).expect("encodes");
    breaks(&Draft::ca().with(weak), &["ca-critical"]);
    let names = NameConstraints {
        permitted_subtrees: Some(vec![subtree(dns("example"))]),
        excluded_subtrees: None,
    };
    let names = extension::new(true, &names).expect("encodes");
    breaks(&Draft::leaf().with(names), &["ca-only"]);
}

#[test]
fn path_lengths_shrink_from_ca_to_ca() {
    breaks(&Draft::leaf().with(basic(false, Some(0))), &["path-length"]);
    let ca = |own, above| Draft::ca().with(basic(true, own)).below(issuer(above, &[]));
    breaks(&ca(None, Some(0)), &["path-length"]);
    breaks(&ca(None, Some(1)), &[]);
    breaks(&ca(Some(0), Some(1)), &[]);
    breaks(&ca(Some(1), Some(1)), &["path-length"]);
    breaks(&Draft::leaf().below(issuer(Some(0), &[])), &[]);
    // The root above the issuer counts, too.
    let mut deep = ca(None, None);
    let middle = authority("CN=Middle", ROOT_KEY.public_key(), vec![basic(true, None)]);
    let root = authority("CN=Root", ROOT_KEY.public_key(), vec![basic(true, Some(1))]);
    deep.issuer.certificate = middle;
    deep.issuer.chain = vec![root];
    breaks(&deep, &["path-length"]);
}

#[test]
fn purposes_are_distinct_and_fit_the_key_usage() {
    let server = ce::ID_KP_SERVER_AUTH;
    breaks(&Draft::leaf().with(purposes(&[])), &["extended-key-usage"]);
    breaks(
        &Draft::leaf().with(purposes(&[server, server])),
        &["extended-key-usage"],
    );
    let mut stamps = purposes(&[ce::ID_KP_TIME_STAMPING, server]);
    stamps.critical = true;
    breaks(&Draft::leaf().with(stamps), &["extended-key-usage"]);
    let code = Draft::leaf().with(purposes(&[ce::ID_KP_CODE_SIGNING]));
    breaks(
        &code.with(usage(KeyUsages::KeyAgreement)),
        &["extended-key-usage"],
    );
}

#[test]
fn only_responders_sign_ocsp_answers() {
    let nocheck = extension::raw(rfc6960::ID_PKIX_OCSP_NOCHECK, false, vec![5, 0]);
    let nocheck = nocheck.expect("encodes");
    let signs = purposes(&[ce::ID_KP_OCSP_SIGNING]);
    breaks(&Draft::leaf().with(signs.clone()), &["ocsp-nocheck"]);
    breaks(&Draft::leaf().with(nocheck.clone()), &["ocsp-nocheck"]);
    breaks(
        &Draft::leaf().with(signs.clone()).with(nocheck.clone()),
        &[],
    );
    breaks(&Draft::ca().with(signs).with(nocheck), &["ocsp-signing-ca"]);
}

#[test]
fn policies_and_places_are_in_order() {
    let raw = |oid, critical, der: Vec<u8>| extension::raw(oid, critical, der).expect("encodes");
    let none = raw(ce::ID_CE_CERTIFICATE_POLICIES, false, vec![0x30, 0]);
    breaks(&Draft::leaf().with(none), &["policies"]);
    let empty = raw(ce::ID_CE_POLICY_CONSTRAINTS, true, vec![0x30, 0]);
    breaks(&Draft::ca().with(empty), &["policies"]);
    let access = x509_cert::ext::pkix::AuthorityInfoAccessSyntax(vec![
        x509_cert::ext::pkix::AccessDescription {
            access_method: ce::ID_AD_OCSP,
            access_location: GeneralName::UniformResourceIdentifier(
                Ia5String::new("ocsp.example").expect("ASCII"),
            ),
        },
    ]);
    let access = extension::new(false, &access).expect("encodes");
    breaks(&Draft::leaf().with(access), &["uri-syntax"]);
}

#[test]
fn keys_are_used_for_what_they_can_do() {
    let draft = |spec, bits: FlagSet<KeyUsages>| {
        Draft::leaf_of(key(spec).public_key().clone()).with(usage(bits))
    };
    let (encipher, agree) = (KeyUsages::KeyEncipherment, KeyUsages::KeyAgreement);
    let sign: FlagSet<_> = KeyUsages::DigitalSignature.into();
    let rsa = KeySpec::Rsa(common::crypto::RsaSize::Bits2048);
    let ml_dsa = KeySpec::MlDsa(common::crypto::MlDsa::Set44);
    for (spec, bits, rules) in [
        (rsa, sign | encipher, &[][..]),
        (rsa, sign | agree, &["key-usage"]),
        (KeySpec::EcP256, sign | agree, &[]),
        (KeySpec::EcP256, sign | agree | KeyUsages::EncipherOnly, &[]),
        (
            KeySpec::EcP256,
            sign | KeyUsages::EncipherOnly,
            &["key-usage"],
        ),
        (KeySpec::EcP256, sign | encipher, &["key-usage"]),
        (KeySpec::Ed25519, sign | agree, &["key-usage"]),
        (ml_dsa, sign | encipher, &["key-usage"]),
        (ml_dsa, sign | agree, &["key-usage"]),
    ] {
        assert_eq!(draft(spec, bits).broken(), rules, "{spec} {bits:?}");
    }
    let none = Draft::leaf().without(ce::ID_CE_KEY_USAGE);
    breaks(&none, &["key-usage"]);
}

/// An RSA key of this modulus, hex, and exponent.
fn rsa(modulus: &str, exponent: &[u8]) -> PublicKey {
    let modulus = x509::from_hex(modulus).expect("hex");
    let raw = pkcs1_public(&modulus, exponent);
    let info = SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned {
            oid: rfc5912::RSA_ENCRYPTION,
            parameters: Some(Any::null()),
        },
        subject_public_key: BitString::from_bytes(&raw).expect("octets"),
    };
    PublicKey::new(info).expect("a readable key")
}

fn pkcs1_public(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let number = |bytes| {
        UintRef::new(bytes)
            .and_then(|n| n.to_der())
            .expect("encodes")
    };
    let mut out = Vec::new();
    x509::tlv::push(
        &mut out,
        0x30,
        &[number(modulus), number(exponent)].concat(),
    );
    out
}

/// Moduli and the rules that refuse them; see the file itself.
fn vectors() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("../../../common/src/crypto/weakness_vectors.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
}

#[test]
fn weak_keys_are_refused_for_their_weakness() {
    for (rule, modulus) in vectors() {
        let broken = Draft::leaf_of(rsa(modulus, &[1, 0, 1])).broken();
        match rule {
            "fine" => assert_eq!(broken, Vec::<String>::new()),
            rule => assert_eq!(broken, [rule]),
        }
    }
    let (_, sound) = vectors()
        .find(|(rule, _)| *rule == "fine")
        .expect("there are some");
    for exponent in [&[3][..], &[17], &[0xff, 0xff]] {
        breaks(&Draft::leaf_of(rsa(sound, exponent)), &["rsa-exponent"]);
    }
    let mut short = sound[..256].to_owned();
    short.replace_range(255.., "b");
    let short = || Draft::leaf_of(rsa(&short, &[1, 0, 1]));
    assert!(short().broken().contains(&"key-size".to_owned()));
    let mut lenient = short();
    lenient.config.request_signatures = RequestSignatures::Legacy;
    assert!(!lenient.broken().contains(&"key-size".to_owned()));
}

#[test]
fn denied_keys_are_refused_and_the_list_may_change() {
    let mut draft = Draft::leaf();
    let hash = x509::hex(&draft.key.spki_sha256());
    let list = File::new("# nothing yet\n\n");
    draft.config.denied_keys = Some(list.path.clone());
    let rules = Rules::new(&draft.config).expect("the list can be read");
    let broken = || {
        let found = rules.certificate(&draft.tbs, &draft.key, &draft.issuer, NOW);
        found.into_iter().map(|v| v.rule).collect::<Vec<_>>()
    };
    assert_eq!(broken(), Vec::<String>::new());
    list.write(&format!("# lost in a train\n{}\n", hash.to_uppercase()));
    assert_eq!(broken(), ["denied-key"]);
    // What cannot be read changes nothing.
    list.write("nonsense\n");
    assert_eq!(broken(), ["denied-key"]);
    list.write("");
    assert_eq!(broken(), Vec::<String>::new());
    list.write("nonsense\n");
    let error = Rules::new(&draft.config).expect_err("a start needs a good list");
    assert!(
        error.ends_with("list, line 1: not a hash in hex"),
        "{error}"
    );
}

#[test]
fn keys_on_debians_lists_are_refused() {
    let (_, sound) = vectors()
        .find(|(rule, _)| *rule == "fine")
        .expect("there are some");
    let mut draft = Draft::leaf_of(rsa(sound, &[1, 0, 1]));
    let printed = format!("Modulus={}\n", sound.to_uppercase());
    let digest = x509::hex(&common::crypto::sha1(printed.as_bytes()));
    for (text, rules) in [
        ("# a list\n00000000000000000000\n".to_owned(), &[][..]),
        (
            format!("# RSA-2048\n{}\n", &digest[20..]),
            &["weak-key-list"],
        ),
        (format!("{digest}\n"), &["weak-key-list"]),
    ] {
        let list = File::new(&text);
        draft.config.weak_keys = Some(list.path.clone());
        breaks(&draft, rules);
        // A folder is as good as a file.
        draft.config.weak_keys = list.path.parent().map(Into::into);
        breaks(&draft, rules);
    }
    let ec = Draft::leaf();
    breaks(&ec, &[]);
}

#[test]
fn keys_and_names_of_authorities_are_theirs() {
    let leaf = Draft::leaf_of(ROOT_KEY.public_key().clone());
    breaks(&leaf, &["authority-key"]);
    let root = name::parse("CN=Root").expect("a name");
    breaks(&Draft::leaf().with_subject(root), &["authority-name"]);
}

fn subtree(base: GeneralName) -> GeneralSubtree {
    GeneralSubtree {
        base,
        minimum: 0,
        maximum: None,
    }
}

fn constrained(permitted: &[GeneralName], excluded: &[GeneralName]) -> Issuer {
    let trees = |names: &[GeneralName]| {
        let trees: Vec<_> = names.iter().cloned().map(subtree).collect();
        (!trees.is_empty()).then_some(trees)
    };
    let constraints = NameConstraints {
        permitted_subtrees: trees(permitted),
        excluded_subtrees: trees(excluded),
    };
    issuer(
        None,
        &[extension::new(true, &constraints).expect("encodes")],
    )
}

/// A base, a name inside and a name outside.
fn constrained_names() -> Vec<[GeneralName; 3]> {
    let ascii = |text: &str| Ia5String::new(text).expect("ASCII");
    let email = |text: &str| GeneralName::Rfc822Name(ascii(text));
    let uri = |text: &str| GeneralName::UniformResourceIdentifier(ascii(text));
    let ip = |octets: &[u8]| GeneralName::IpAddress(OctetString::new(octets).expect("octets"));
    let directory = |text: &str| GeneralName::DirectoryName(name::parse(text).expect("a name"));
    vec![
        (dns("a.example"), dns("a.example"), dns("b.example")),
        (dns("a.example"), dns("X.A.example"), dns("ba.example")),
        (dns(".a.example"), dns("x.a.example"), dns("example")),
        (
            email("a.example"),
            email("ada@a.example"),
            email("ada@x.a.example"),
        ),
        (
            email(".a.example"),
            email("ada@x.a.example"),
            email("ada@a.example"),
        ),
        (
            email("ada@a.example"),
            email("ada@A.example"),
            email("bob@a.example"),
        ),
        (
            uri("a.example"),
            uri("https://u@a.example:8/x"),
            uri("https://x.a.example/"),
        ),
        (
            uri(".a.example"),
            uri("https://x.a.example/"),
            uri("https://a.example/"),
        ),
        (
            uri("a.example"),
            uri("https://a.example"),
            uri("urn:a.example"),
        ),
        (
            uri("a.example"),
            uri("https://a.example"),
            uri("https://192.0.2.1/"),
        ),
        (
            ip(&[192, 0, 2, 0, 255, 255, 255, 0]),
            ip(&[192, 0, 2, 9]),
            ip(&[192, 0, 3, 9]),
        ),
        (
            directory("O=Example"),
            directory("CN=a,O=example"),
            directory("CN=a,O=Other"),
        ),
        (
            directory("O=Ex ample"),
            directory("CN=a,O=EX  AMPLE"),
            directory("CN=a"),
        ),
    ]
    .into_iter()
    .map(|(base, inside, outside)| [base, inside, outside])
    .collect()
}

#[test]
fn name_constraints_bind_every_kind_of_name() {
    for [base, inside, outside] in constrained_names() {
        let holds = |names: &[GeneralName], issuer: &Issuer| {
            // An empty subject, so that only the alternative names count.
            let mut names = alternative(names);
            names.critical = true;
            let draft = Draft::leaf().with(names).with_subject(Name::default());
            let broken = draft.below(issuer.clone()).broken();
            assert!(
                broken.iter().all(|rule| rule == "name-constraints"),
                "{broken:?}"
            );
            broken.is_empty()
        };
        let permitted = constrained(std::slice::from_ref(&base), &[]);
        assert!(
            holds(std::slice::from_ref(&inside), &permitted),
            "{base:?} {inside:?}"
        );
        assert!(
            !holds(std::slice::from_ref(&outside), &permitted),
            "{base:?} {outside:?}"
        );
        assert!(
            !holds(&[inside.clone(), outside.clone()], &permitted),
            "{base:?}"
        );
        let excluded = constrained(&[], std::slice::from_ref(&base));
        assert!(
            !holds(std::slice::from_ref(&inside), &excluded),
            "{base:?} {inside:?}"
        );
    }
    let net = [192, 0, 2, 0, 255, 255, 255, 0];
    let net = GeneralName::IpAddress(OctetString::new(net).expect("octets"));
    // Constraints of one form say nothing about another.
    breaks(&Draft::leaf().below(constrained(&[net], &[])), &[]);
}

#[test]
fn name_constraints_bind_subjects_and_those_of_every_authority_above() {
    let directory = name::parse("O=Example").expect("a name");
    let issuer = constrained(&[GeneralName::DirectoryName(directory)], &[]);
    let outside = Draft::leaf().below(issuer.clone());
    breaks(&outside, &["name-constraints"]);
    let inside = name::parse("CN=host.example,O=Example").expect("a name");
    breaks(&outside.with_subject(inside), &[]);

    // A common name that programs may take for a host.
    let hosts = constrained(&[dns("other.example")], &[]);
    let only_common_name = Draft::leaf().without(ce::ID_CE_SUBJECT_ALT_NAME);
    breaks(
        &only_common_name.below(hosts.clone()),
        &["name-constraints"],
    );

    let mut deep = Draft::leaf();
    deep.issuer.chain = vec![hosts.certificate];
    breaks(&deep, &["name-constraints"]);
}

#[test]
fn every_rule_is_in_the_documentation() {
    let documentation = include_str!("../../../docs/LINT.md");
    let sources = [
        include_str!("constraints.rs"),
        include_str!("extensions.rs"),
        include_str!("keys.rs"),
        include_str!("names.rs"),
        include_str!("frame.rs"),
    ];
    let mut rules = Vec::new();
    for line in documentation.lines() {
        if let Some((rule, _)) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once('`'))
        {
            let quoted = format!("\"{rule}\"");
            assert!(
                sources.iter().any(|source| source.contains(&quoted)),
                "{rule} is gone"
            );
            rules.push(rule);
        }
    }
    let tests = include_str!("tests.rs");
    for rule in &rules {
        let quoted = tests.contains(&format!("\"{rule}\""));
        let tested = quoted || vectors().any(|(refused_by, _)| refused_by == *rule);
        assert!(tested, "{rule} has no test");
    }
    // Whatever looks like a rule's name stands in the table.
    for source in sources {
        let names = source.split('"').skip(1).step_by(2);
        let is_rule = |text: &&str| {
            text.len() > 3
                && text.contains('-')
                && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        for name in names.filter(is_rule) {
            assert!(rules.contains(&name), "{name} is not in LINT.md");
        }
    }
}
