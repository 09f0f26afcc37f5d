//! What we issue, drawn at random, under the eyes of a foreign judge; and keys that the operator knows.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::thread;

use common::crypto::{KeySpec, PrivateKey};
use common::keystore;
use common::x509::{AlternativeName, Csr, pem};
use serde_json::json;
use tests::foreign::{path, pkilint_certificates};
use tests::world::{Answer, World, text};

/// How many certificates the story is about.
const COUNT: usize = 500;

/// The same draws for the same seed.
struct Draws(u64);

impl Draws {
    /// From 0 up to `limit`, which is small.
    fn below(&mut self, limit: usize) -> usize {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Keys of every kind; those of RSA take long to make and serve several requests.
struct Keys(BTreeMap<&'static str, PrivateKey>);

impl Keys {
    fn of(&mut self, draws: &mut Draws) -> (&'static str, &PrivateKey) {
        let (name, spec) = *draws.one(&KeySpec::ALL);
        let make = || PrivateKey::generate(spec).expect("keys can be made").0;
        let is_new = !matches!(spec, KeySpec::Rsa(_) | KeySpec::RsaPss(_));
        if is_new || !self.0.contains_key(name) {
            self.0.insert(name, make());
        }
        (name, &self.0[name])
    }
}

/// Subject and alternative names that fit what the profile is for.
fn names(profile: &str, draws: &mut Draws) -> (String, Vec<AlternativeName>) {
    let number = draws.below(1_000_000);
    let organization = *draws.one(&["Example", "Grüße & Söhne", "Ünïcode\\, Inc.", "例え"]);
    let place = *draws.one(&[",C=DE", ",L=Paris,C=FR", ",ST=Utah,C=US", ""]);
    let is = |words: &[&str]| words.iter().any(|word| profile.contains(word));
    let mut names = Vec::new();
    let common_name = if is(&["CACert"]) {
        format!("Authority {number}")
    } else if is(&["User", "SMIME", "Admin"]) {
        names.push(format!("email:person{number}@mail.example"));
        format!("Person {number}")
    } else {
        let host = format!("host{number}.example");
        names.push(format!("dns:{host}"));
        // No `*`: pkilint judges by RFC 5280 alone, which knows none.
        let more = [
            vec![],
            vec![format!("dns:www.sub{number}.example")],
            vec!["dns:xn--mnchen-3ya.example".to_owned()],
            vec![
                format!("ip:192.0.2.{}", number % 256),
                "ip:2001:db8::1".to_owned(),
            ],
        ];
        names.extend(draws.one(&more).iter().cloned());
        host
    };
    let subject = match is(&["acme"]) {
        true => format!("CN={common_name}"),
        false => format!("CN={common_name},O={organization}{place}"),
    };
    let parsed = names.iter().map(|name| name.parse().expect("a name"));
    (subject, parsed.collect())
}

/// The rules by which the answer refuses.
fn broken(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let violations = json["violations"].as_array().cloned().unwrap_or_default();
    let rules = violations.iter().map(|violation| text(&violation["rule"]));
    rules.map(str::to_owned).collect()
}

/// The profiles that anyone or an agent can enrol under with a request of their own.
fn profiles(world: &World) -> Vec<String> {
    let list = world
        .get("/pki/profiles?limit=100")
        .as_user("agent1")
        .send();
    let list = list.with_status(200).json();
    let entries = list["entries"].as_array().expect("a list has entries");
    let enabled = entries.iter().filter(|profile| profile["enabled"] == true);
    let ids = enabled.map(|profile| text(&profile["id"]).to_owned());
    let takes_requests = |id: &String| {
        let profile = world
            .get(&format!("/pki/profile/{id}"))
            .as_user("agent1")
            .send();
        profile.with_status(200).text().contains("certReqInputImpl")
    };
    ids.filter(takes_requests).collect()
}

#[test]
fn five_hundred_certificates_drawn_at_random_are_clean() {
    let world = World::up();
    let profiles = profiles(&world);
    let seed = std::process::id().into();
    eprintln!("seed {seed}");
    let mut draws = Draws(0x9e37_79b9_7f4a_7c15 ^ seed);
    let mut keys = Keys(BTreeMap::new());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut files = Vec::new();
    while files.len() < COUNT {
        let profile = draws.one(&profiles).clone();
        let (kind, key) = keys.of(&mut draws);
        let (subject, names) = names(&profile, &mut draws);
        let ask = |names: &[AlternativeName]| {
            let csr = keystore::request(key, &subject, names).expect("requests can be made");
            let asked = json!({
                "csr": pem("CERTIFICATE REQUEST", &csr),
                // What some profiles take for the address.
                "requestor": {"email": "person@mail.example"},
            });
            world
                .post(&format!("/pki/request/{profile}"))
                .as_user("agent1")
                .json(&asked.to_string())
                .send()
        };
        let mut answer = ask(&names);
        // Some profiles take no names from requests, and say so.
        if broken(&answer)
            .iter()
            .any(|rule| rule == "subject-alt-name")
        {
            answer = ask(&[]);
        }
        // None takes every kind of key.
        if broken(&answer).iter().any(|rule| rule == "key") {
            continue;
        }
        assert_eq!(
            answer.status,
            201,
            "{profile} {kind} {subject}: {}",
            answer.text()
        );
        let request = answer.json();
        let serial = match text(&request["status"]) {
            "complete" => text(&request["certificate"]["id"]).to_owned(),
            _ => world.approve(text(&request["id"]), "agent2"),
        };
        files.push(world.save_certificate(&serial));
        *seen.entry(profile).or_default() += 1;
        *seen.entry(kind.to_owned()).or_default() += 1;
    }
    let drawn = |name: &str| seen.contains_key(name);
    for profile in &profiles {
        assert!(
            drawn(profile),
            "nothing was drawn under {profile}: {seen:?}"
        );
    }
    for (kind, _) in KeySpec::ALL {
        assert!(drawn(kind), "no key of kind {kind} was drawn: {seen:?}");
    }
    judge(&files, seed);
}

/// Two judges at a time.
fn judge(files: &[PathBuf], seed: u64) {
    let (one, other) = files.split_at(files.len() / 2);
    let said = thread::scope(|scope| {
        let first = scope.spawn(|| pkilint_certificates(one));
        let second = pkilint_certificates(other);
        first.join().expect("the judge speaks") + &second
    });
    assert_eq!(said, "", "seed {seed}");
}

#[test]
fn a_key_that_the_operator_denies_gets_no_certificate_from_then_on() {
    let folder = tests::foreign::Scratch::new("denied");
    let list = folder.file("denied-keys");
    fs::write(&list, "# none yet\n").expect("the scratch folder is writable");
    let world = World::up_with(&["--ca-denied-keys", path(&list)]);
    let (key, _) = PrivateKey::generate(KeySpec::EcP256).expect("keys can be made");
    let names = ["dns:host.example".parse().expect("a name")];
    let der = keystore::request(&key, "CN=host.example", &names).expect("made");
    world.issue(&der);
    let csr = Csr::parse(&der).expect("our own request is sound");
    let mut text = fs::read_to_string(&list).expect("it is text");
    let hash = common::x509::hex(&csr.public_key().spki_sha256());
    writeln!(text, "{hash} ").expect("text can be longer");
    fs::write(&list, text).expect("the scratch folder is writable");

    let refused = world
        .post("/pki/request/caServerCert")
        .body("application/pkcs10", &der)
        .send();
    let violation = json!({
        "policy": "lint",
        "rule": "denied-key",
        "message": "this key is on the operator's list of denied keys",
    });
    assert_eq!(
        refused.with_status(422).json()["violations"],
        json!([violation])
    );
}
