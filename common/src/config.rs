//! Settings: each is a key in `chancery.toml`, a flag and an environment variable.
//!
//! `kra.legacy_wrapping` = `--kra-legacy-wrapping` = `CHANCERY_KRA_LEGACY_WRAPPING`; a flag wins over
//! the environment, the environment over the file, the file over the default.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use clap::{Arg, ArgMatches};

/// One setting, as documented to people.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// `section.name` in the file.
    pub key: &'static str,
    /// The word for its value in `--help`.
    pub value: &'static str,
    /// What it is for, with its default.
    pub help: &'static str,
}

impl Setting {
    /// `--section-name`.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// `CHANCERY_SECTION_NAME`.
    pub fn variable(&self) -> String {
        format!("CHANCERY_{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// The value of an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Command line arguments for `settings`.
pub fn arguments(settings: &[Setting]) -> Vec<Arg> {
    let argument = |setting: &Setting| {
        let help = format!("{} [env: {}]", setting.help, setting.variable());
        Arg::new(setting.key)
            .long(setting.flag())
            .value_name(setting.value)
            .allow_negative_numbers(true)
            .help(help)
            .help_heading("Settings (each also a key in chancery.toml)")
    };
    settings.iter().map(argument).collect()
}

/// The values in force, each with where it came from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, (String, String)>,
}

impl Settings {
    /// Collects `settings` from flags, environment and the file at `path`, which need not exist.
    ///
    /// # Errors
    /// One sentence that names the file and the key.
    pub fn load(settings: &[Setting], flags: &ArgMatches, path: &Path) -> Result<Self, String> {
        let file = read(settings, path)?;
        let mut values = BTreeMap::new();
        for setting in settings {
            let flag = flags
                .try_get_one::<String>(setting.key)
                .ok()
                .flatten()
                .cloned();
            let found = flag
                .map(|value| (value, format!("--{}", setting.flag())))
                .or_else(|| environment(&setting.variable()).map(|v| (v, setting.variable())))
                .or_else(|| {
                    let origin = format!("{}: {}", path.display(), setting.key);
                    file.get(setting.key).map(|v| (v.clone(), origin))
                });
            if let Some(found) = found {
                values.insert(setting.key, found);
            }
        }
        Ok(Self { values })
    }

    /// The value of `key` as a `T`, `None` when nobody set it.
    ///
    /// # Errors
    /// One sentence that names where the value came from.
    pub fn get<T>(&self, key: &'static str) -> Result<Option<T>, String>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some((value, origin)) = self.values.get(key) else {
            return Ok(None);
        };
        let parsed = value
            .parse()
            .map_err(|e: T::Err| format!("{origin}: `{value}`: {e}"))?;
        Ok(Some(parsed))
    }

    /// Like [`Self::get`] with a default.
    pub fn get_or<T>(&self, key: &'static str, default: T) -> Result<T, String>
    where
        T: FromStr,
        T::Err: Display,
    {
        Ok(self.get(key)?.unwrap_or(default))
    }
}

/// All keys of the file, flattened to `section.name`.
fn read(settings: &[Setting], path: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let table: toml::Table =
        toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))?;
    let mut flat = BTreeMap::new();
    flatten("", &table, &mut flat);
    for key in flat.keys() {
        if !settings.iter().any(|setting| setting.key == key) {
            return Err(format!("{}: unknown key `{key}`", path.display()));
        }
    }
    Ok(flat)
}

fn flatten(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, flat),
            toml::Value::String(text) => {
                flat.insert(key, text.clone());
            }
            toml::Value::Array(items) => {
                let text = |item: &toml::Value| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                };
                flat.insert(key, items.iter().map(text).collect::<Vec<_>>().join(","));
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => {
                flat.insert(key, value.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: [Setting; 2] = [
        Setting {
            key: "https",
            value: "ADDRESS",
            help: "",
        },
        Setting {
            key: "kra.legacy_wrapping",
            value: "BOOL",
            help: "",
        },
    ];

    fn load(flags: &[&str], file: &str) -> Result<Settings, String> {
        let folder =
            std::env::temp_dir().join(format!("chancery-config-{}", crate::entropy::uuid()));
        std::fs::create_dir(&folder).expect("the temporary folder is writable");
        let path = folder.join("chancery.toml");
        std::fs::write(&path, file).expect("the temporary folder is writable");
        let command = clap::Command::new("test").args(arguments(&SETTINGS));
        let matches = command.get_matches_from([&["test"], flags].concat());
        let settings = Settings::load(&SETTINGS, &matches, &path);
        std::fs::remove_dir_all(&folder).expect("the temporary folder is writable");
        settings
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = "[kra]\nlegacy_wrapping = true\n";
        let from_file = load(&[], file).expect("loads");
        assert_eq!(from_file.get("kra.legacy_wrapping"), Ok(Some(true)));
        let from_flag = load(&["--kra-legacy-wrapping", "false"], file).expect("loads");
        assert_eq!(from_flag.get("kra.legacy_wrapping"), Ok(Some(false)));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named() {
        let error = load(&[], "[kra]\nlegacy = true\n").expect_err("refused");
        assert!(error.ends_with("unknown key `kra.legacy`"), "{error}");
        let settings = load(&["--https", "nowhere"], "").expect("loads");
        let error = settings
            .get::<std::net::SocketAddr>("https")
            .expect_err("refused");
        assert!(error.starts_with("--https: `nowhere`"), "{error}");
    }
}
