//! The architecture, read from the sources: who may name what, and who may need whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates of the product. `tests` may name everything.
const CRATES: [&str; 6] = ["ca", "cli", "client", "common", "kra", "ocsp"];

/// Words that belong to some places only. A place is a folder when it ends in a slash, else a file;
/// `*` stands for every crate.
struct Rule {
    words: &'static [&'static str],
    places: &'static [&'static str],
}

/// Queries are written in the stores and run by `common::db`.
const QUERIES: Rule = Rule {
    words: &["diesel"],
    places: &["*/src/store/", "common/src/db/", "ca/src/error.rs"],
};

/// HTTP ends in the outermost ring; the programs start it.
const HTTP: Rule = Rule {
    words: &["actix_web", "actix_http", "actix_rt", "actix_tls"],
    places: &["*/src/http/", "*/src/main.rs", "cli/src/up.rs"],
};

/// Time comes in through one door. Measuring a duration is free.
const TIME: Rule = Rule {
    words: &["SystemTime::now", "now_utc", "now_local", "clock_gettime"],
    places: &["common/src/clock.rs"],
};

/// So does chance. The engine's signatures take its generator, and nothing else does.
const CHANCE: Rule = Rule {
    words: &[
        "rand::",
        "SystemRandom",
        "OsRng",
        "getrandom",
        "thread_rng",
        "new_v4",
        "RandomState",
        "/dev/urandom",
    ],
    places: &["common/src/entropy.rs", "common/src/crypto/private_key.rs"],
};

/// SHA-1 names things and, under a switch, verifies old requests; nothing else may know of it.
const SHA_1: Rule = Rule {
    words: &["SHA1_FOR_LEGACY_USE_ONLY", "_SHA1_"],
    places: &[
        "common/src/crypto/mod.rs",
        "common/src/crypto/public_key.rs",
        "ocsp/src/issuer.rs",
    ],
};

/// And the environment.
const ENVIRONMENT: Rule = Rule {
    words: &["env::var", "env::set_var", "env::remove_var"],
    places: &["common/src/config.rs"],
};

/// What people read goes through the command line's output or the process's; services only log.
const CONSOLE: Rule = Rule {
    words: &["print!(", "println!("],
    places: &["cli/src/", "common/src/process.rs"],
};

#[test]
fn diesel_stays_in_the_stores() {
    QUERIES.holds();
}

#[test]
fn actix_stays_in_the_outermost_ring() {
    HTTP.holds();
}

#[test]
fn time_comes_in_through_the_clock() {
    TIME.holds();
}

#[test]
fn sha_1_is_named_where_it_verifies_and_nowhere_where_we_sign() {
    SHA_1.holds();
}

#[test]
fn chance_comes_in_through_the_entropy() {
    CHANCE.holds();
}

#[test]
fn the_environment_comes_in_through_the_settings() {
    ENVIRONMENT.holds();
}

#[test]
fn services_print_nothing() {
    CONSOLE.holds();
}

/// Requests, certificates to be, profiles, questions: pure, so that every test of theirs is short.
#[test]
fn nouns_do_no_work_on_the_world() {
    const NOUNS: [&str; 8] = [
        "ca/src/crl.rs",
        "ca/src/issue.rs",
        "ca/src/lint/",
        "ca/src/profile/",
        "ca/src/request.rs",
        "common/src/x509/",
        "ocsp/src/question.rs",
        "ocsp/src/statuses.rs",
    ];
    const WORLD: [&str; 6] = [
        "Clock",
        "Connection",
        "Database",
        "std::fs",
        "std::process",
        "std::thread",
    ];
    let mut found = Vec::new();
    for noun in NOUNS {
        let uses = uses(&WORLD);
        let files = sources();
        assert!(
            files.keys().any(|file| lies_in(file, noun)),
            "{noun} is gone"
        );
        found.extend(uses.into_iter().filter(|used| lies_in(&used.file, noun)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn crates_need_only_what_lies_below_them() {
    let below: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("common", &[][..]),
        ("client", &["common"][..]),
        // Services meet over REST.
        ("ca", &["client", "common"][..]),
        ("kra", &["client", "common"][..]),
        ("ocsp", &["client", "common"][..]),
        // `up` runs all three in one process.
        ("cli", &["ca", "client", "common", "kra", "ocsp"][..]),
    ]);
    assert!(below.keys().eq(&CRATES), "a crate without a rule");
    for (name, allowed) in below {
        let manifest = read(&Path::new(name).join("Cargo.toml"));
        let needed: BTreeSet<&str> = dependencies(&manifest).collect();
        let ours = needed.into_iter().filter(|one| CRATES.contains(one));
        let above: Vec<_> = ours.filter(|one| !allowed.contains(one)).collect();
        assert!(above.is_empty(), "{name} must not need {above:?}");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} does without the lints of the workspace"
        );
    }
    let manifest = read(Path::new("Cargo.toml"));
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = "))
        .expect("a workspace has members");
    let mut members: Vec<_> = members.split('"').skip(1).step_by(2).collect();
    members.sort_unstable();
    assert_eq!(members, [&CRATES[..], &["tests"][..]].concat());
}

#[test]
fn crates_that_we_do_without_are_not_locked() {
    let lock = read(Path::new("Cargo.lock"));
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    let names: Vec<_> = names.map(|name| name.trim_matches('"')).collect();
    assert!(
        names.contains(&"aws-lc-rs"),
        "the lock file is read wrongly"
    );
    for (name, why) in [
        ("rsa", "RUSTSEC-2023-0071: RSA runs in aws-lc-rs only"),
        ("openssl-sys", "aws-lc-rs is the one engine"),
        ("native-tls", "rustls is the one TLS"),
        ("pq-sys", "PostgreSQL is spoken without libpq"),
        ("h2", "RUSTSEC-2026-0258 has no fix in its old line"),
        ("sharks", "RUSTSEC-2024-0398"),
        ("rustls-pemfile", "RUSTSEC-2025-0134"),
    ] {
        assert!(!names.contains(&name), "{name} is in Cargo.lock; {why}");
    }
    for family in ["der", "spki", "x509-cert", "diesel", "rustls", "aws-lc-sys"] {
        let copies = names.iter().filter(|name| **name == family).count();
        // The second ones are those of `ml-dsa`, by which only the tests judge.
        let allowed = 1 + usize::from(["der", "spki"].contains(&family));
        assert_eq!(
            copies, allowed,
            "copies of {family}: their types do not mix"
        );
    }
    for member in CRATES {
        let manifest = read(&Path::new(member).join("Cargo.toml"));
        assert!(
            !manifest.contains("ml-dsa"),
            "{member} needs the tests' judge"
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Cut in two, so that this file is clean, too.
    let words = [
        ("to", "do!"),
        ("unimple", "mented!"),
        ("#[ig", "nore"),
        ("FIX", "ME"),
        ("TO", "DO"),
        ("db", "g!("),
    ]
    .map(|(one, other)| format!("{one}{other}"));
    let mut found = Vec::new();
    for folder in CRATES.iter().chain(&["tests", "migrations", ".ci"]) {
        for file in files(Path::new(folder), &["rs", "toml", "sql", "sh", "java"]) {
            for (number, line) in (1..).zip(read(&file).lines()) {
                if words.iter().any(|word| line.contains(word)) {
                    found.push(format!("{}:{number}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_profile_is_shipped() {
    let shipped = read(Path::new("ca/src/profile/shipped.rs"));
    let shipped: BTreeSet<_> = shipped
        .lines()
        .filter_map(|line| line.trim().strip_prefix("include_str!(\"../../profiles/"))
        .map(|rest| rest.trim_end_matches("\"),").to_owned())
        .collect();
    let written: BTreeSet<_> = files(Path::new("ca/profiles"), &["toml"])
        .map(|file| {
            let name = file.file_name().expect("a file").to_string_lossy();
            let id = format!("id = \"{}\"", name.trim_end_matches(".toml"));
            assert_eq!(read(&file).lines().next(), Some(&*id), "{name}");
            name.into_owned()
        })
        .collect();
    assert!(!written.is_empty());
    assert_eq!(shipped, written);
}

#[test]
fn every_migration_goes_up_and_down_on_both_engines() {
    let steps = |folder: &str| -> BTreeSet<String> {
        let files = files(Path::new(folder), &["sql"]);
        let name = |file: PathBuf| {
            let step = file.strip_prefix(folder).expect("it lies there");
            step.to_string_lossy().into_owned()
        };
        files.map(name).collect()
    };
    for service in ["ca", "kra", "ocsp"] {
        let sqlite = steps(&format!("migrations/{service}/sqlite"));
        assert!(!sqlite.is_empty());
        assert_eq!(sqlite, steps(&format!("migrations/{service}/postgres")));
        for step in &sqlite {
            let back = step.replace("up.sql", "down.sql");
            assert!(sqlite.contains(&back), "{service}: {step} has no way back");
            let forth = step.replace("down.sql", "up.sql");
            assert!(sqlite.contains(&forth), "{service}: {step} is of no use");
        }
    }
}

#[test]
fn the_rules_see_code_and_not_words_about_it() {
    let source = "//! About diesel.\nuse diesel::prelude::*; // actix\nlet url = \"http://actix\";";
    let seen = |word: &str| lines_with(source, &[word]);
    assert_eq!(seen("diesel"), [(2, "use diesel::prelude::*;")]);
    assert_eq!(seen("actix"), [(3, "let url = \"http://actix\";")]);
    assert!(lies_in("ca/src/store/journal.rs", "*/src/store/"));
    assert!(!lies_in("ca/src/http/store/journal.rs", "*/src/store/"));
    assert!(!lies_in("ca/src/error.rs.bak", "ca/src/error.rs"));
    let manifest = "[package]\nname = \"ca\"\n[dependencies]\ncommon.workspace = true\n\
                    kra = { path = \"../kra\" }\n[dev-dependencies.ocsp]\npath = \"../ocsp\"\n";
    let needed: Vec<_> = dependencies(manifest).collect();
    assert_eq!(needed, ["common", "kra", "ocsp"]);
}

impl Rule {
    /// The words stand in these places, in each of them, and nowhere else.
    #[track_caller]
    fn holds(&self) {
        let uses = uses(self.words);
        let outside: Vec<_> = uses
            .iter()
            .filter(|used| !self.places.iter().any(|place| lies_in(&used.file, place)))
            .collect();
        assert!(
            outside.is_empty(),
            "only for {:?}: {outside:#?}",
            self.places
        );
        for place in self.places {
            assert!(
                uses.iter().any(|used| lies_in(&used.file, place)),
                "{place} no longer needs its exception for {:?}",
                self.words
            );
        }
    }
}

/// A line of code that names a word.
#[derive(Debug)]
struct Use {
    file: String,
    #[expect(dead_code, reason = "for people")]
    line: (usize, String),
}

fn uses(words: &[&str]) -> Vec<Use> {
    let mut uses = Vec::new();
    for (file, source) in sources() {
        for (number, line) in lines_with(&source, words) {
            uses.push(Use {
                file: file.clone(),
                line: (number, line.to_owned()),
            });
        }
    }
    uses
}

/// The lines with one of the words, numbered from 1, without what is said in comments.
fn lines_with<'a>(source: &'a str, words: &[&str]) -> Vec<(usize, &'a str)> {
    let code = source.lines().map(|line| {
        let end = line.match_indices("//").find(|(at, _)| {
            let before = &line[..*at];
            before.is_empty() || before.ends_with(' ')
        });
        line[..end.map_or(line.len(), |(at, _)| at)].trim()
    });
    (1..)
        .zip(code)
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .collect()
}

fn lies_in(file: &str, place: &str) -> bool {
    let (file, place) = match place.strip_prefix("*/") {
        Some(place) => (file.split_once('/').map_or("", |(_, rest)| rest), place),
        None => (file, place),
    };
    match place.ends_with('/') {
        true => file.starts_with(place),
        false => file == place,
    }
}

/// The sources of the product by path.
fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for name in CRATES {
        for file in files(&Path::new(name).join("src"), &["rs"]) {
            sources.insert(file.to_string_lossy().into_owned(), read(&file));
        }
    }
    assert!(sources.len() > 50, "the sources are somewhere else");
    sources
}

/// The names of the crates that a manifest asks for, whatever for.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut in_list = false;
    manifest.lines().filter_map(move |line| {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_list = section.ends_with("dependencies");
            let one = section.split_once("dependencies.");
            return one.map(|(_, name)| name);
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        (in_list && !name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

/// The files below a folder with one of these endings, by path from the root.
fn files(folder: &Path, endings: &[&str]) -> impl Iterator<Item = PathBuf> {
    let mut files = Vec::new();
    collect(folder, endings, &mut files);
    files.sort();
    files.into_iter()
}

fn collect(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).expect("the folder is there") {
        let entry = entry.expect("the folder can be read");
        let path = folder.join(entry.file_name());
        let is_folder = entry.file_type().expect("it has a type").is_dir();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        if is_folder && entry.file_name() != "target" {
            collect(&path, endings, files);
        } else if !is_folder && endings.contains(&&*ending) {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|failure| panic!("{}: {failure}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
