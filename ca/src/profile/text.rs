//! The text of a profile: what its file says, whole and in order. Nothing here knows what a class
//! means, so text of classes that we do not have is kept as it came.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::authentication::Approval;

/// The text of a profile. Serde reads TOML and JSON; [`super::cfg`] reads Dogtag's notation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The id in paths.
    pub id: String,
    /// Dogtag's profile class.
    #[serde(default)]
    pub class: Option<String>,
    /// Name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What the file says about being enabled. What holds is the status of the row.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Who enabled it.
    #[serde(default)]
    pub enabled_by: Option<String>,
    /// Whether everybody sees it.
    #[serde(default)]
    pub visible: Option<bool>,
    /// Whether it renews: then the profile of the original request composes the certificate.
    #[serde(default)]
    pub renewal: Option<bool>,
    /// Dogtag's switch for its pages; means nothing here.
    #[serde(default)]
    pub xml_output: Option<bool>,
    /// Who may submit, in our words; an authenticator of Dogtag's in its own.
    #[serde(default)]
    pub authentication: Option<String>,
    /// Dogtag's older name for the same.
    #[serde(default)]
    pub authentication_class: Option<String>,
    /// Whether an agent decides though the requester is authenticated.
    #[serde(default)]
    pub explicit_approval: Option<bool>,
    /// Who decides, where that does not follow from the authentication.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Who may submit among the authenticated, in Dogtag's access control language.
    #[serde(default)]
    pub acl: Option<String>,
    /// What becomes of alternative names in requests.
    #[serde(default)]
    pub subject_alt_names: Option<RequestedNames>,
    /// Days after which a request that nobody decided is canceled.
    #[serde(default)]
    pub request_days: Option<u32>,
    /// What a client sends.
    #[serde(default)]
    pub inputs: Vec<Item>,
    /// What comes back.
    #[serde(default)]
    pub outputs: Vec<Item>,
    /// What happens after issuance.
    #[serde(default)]
    pub updaters: Vec<Item>,
    /// The set of policies that do not name one.
    #[serde(default)]
    pub policy_set: Option<String>,
    /// What is filled in and checked, in order.
    #[serde(default)]
    pub policies: Vec<PolicyText>,
    /// Keys of Dogtag's notation that mean nothing to us, verbatim.
    #[serde(default)]
    pub other: Parameters,
    /// The order of the keys in Dogtag's notation, where it is not the usual one.
    #[serde(default)]
    pub cfg_order: Vec<String>,
    /// What the interface adds when it shows a profile, so that it can be sent back as it is.
    #[serde(default, rename = "version")]
    pub(super) _version: IgnoredAny,
    #[serde(default, rename = "status")]
    pub(super) _status: IgnoredAny,
    #[serde(default, rename = "stopped")]
    pub(super) _stopped: IgnoredAny,
    #[serde(default, rename = "problems")]
    pub(super) _problems: IgnoredAny,
}

/// What becomes of the alternative names that a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedNames {
    /// They go into the certificate.
    Take,
    /// A request that brings names which the profile would not give is refused.
    Refuse,
    /// The profile's own names stand in their place; the dry run and the history say so.
    Replace,
}

impl RequestedNames {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Refuse => "refuse",
            Self::Replace => "replace",
        }
    }

    /// The rule with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Take, Self::Refuse, Self::Replace]
            .into_iter()
            .find(|rule| rule.name() == name)
    }
}

/// An input, output or updater.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `i1`; empty for "by position".
    pub id: String,
    /// `certReqInputImpl`.
    pub class: String,
    /// Name for people.
    pub name: Option<String>,
    /// The rest.
    pub parameters: Parameters,
}

/// The text of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// The set that it belongs to, where it is not the profile's `policy_set`.
    #[serde(default)]
    pub set: Option<String>,
    /// Its name within the set.
    pub id: String,
    /// What fills in.
    pub default: Plugin,
    /// What checks.
    pub constraint: Plugin,
}

/// A class with its parameters, all text as in Dogtag's notation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// `validityDefaultImpl`.
    pub class: String,
    /// Name for people; a parameter may be called `name`, so this is called `title`.
    pub title: Option<String>,
    /// Parameters by Dogtag's names.
    pub parameters: Parameters,
}

/// Names and values in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<(String, String)>);

impl Parameters {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(index).1)
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
            pairs.push((name, map.next_value::<Scalar>()?.0));
        }
        Ok(Parameters(pairs))
    }
}

/// A parameter: text, or a number or truth value that is written as text would be.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text, a number or a truth value")]
        enum Value {
            Text(String),
            Number(i64),
            Truth(bool),
        }
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Text(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
        }))
    }
}

impl<'de> Deserialize<'de> for Plugin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut parameters = Parameters::deserialize(deserializer)?;
        Ok(Self {
            class: parameters
                .take("class")
                .ok_or_else(|| D::Error::missing_field("class"))?,
            title: parameters.take("title"),
            parameters,
        })
    }
}

impl Serialize for Plugin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let class = ("class", &self.class);
        let title = self.title.as_ref().map(|title| ("title", title));
        let rest = self.parameters.0.iter().map(|(k, v)| (k.as_str(), v));
        serializer.collect_map([class].into_iter().chain(title).chain(rest))
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemForm)
    }
}

/// An item is a class alone or a table. A client may send back the table that it was shown, with
/// the attributes in it, which follow from the class.
struct ItemForm;

impl<'de> Visitor<'de> for ItemForm {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a class or a table with a class")
    }

    fn visit_str<E: serde::de::Error>(self, class: &str) -> Result<Item, E> {
        Ok(Item {
            id: String::new(),
            class: class.to_owned(),
            name: None,
            parameters: Parameters::default(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "attributes" => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => pairs.push((key, map.next_value::<Scalar>()?.0)),
            }
        }
        let mut parameters = Parameters(pairs);
        Ok(Item {
            id: parameters.take("id").unwrap_or_default(),
            class: parameters
                .take("class")
                .ok_or_else(|| A::Error::missing_field("class"))?,
            name: parameters.take("name"),
            parameters,
        })
    }
}

impl Text {
    /// Reads our own notation; `Err` says what is wrong with it, with line and column.
    pub fn from_toml(toml: &str) -> Result<Self, String> {
        let text: Self = toml::from_str(toml).map_err(|e| e.to_string())?;
        text.tidy()
    }

    /// Gives items without an id the usual one, and checks what any notation must keep to.
    pub fn tidy(mut self) -> Result<Self, String> {
        for (letter, items) in [
            ("i", &mut self.inputs),
            ("o", &mut self.outputs),
            ("u", &mut self.updaters),
        ] {
            for (index, item) in items.iter_mut().enumerate() {
                if item.id.is_empty() {
                    item.id = format!("{letter}{}", index + 1);
                }
            }
        }
        let letter = self.id.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest = self
            .id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !letter || !rest || self.id.len() > 128 {
            return Err(format!(
                "the id `{}` is not a letter and up to 127 letters, digits, dots, dashes and underscores",
                self.id
            ));
        }
        for (index, policy) in self.policies.iter().enumerate() {
            let set = self.set_of(policy);
            let twice = self.policies[..index]
                .iter()
                .any(|other| other.id == policy.id && self.set_of(other) == set);
            if twice {
                return Err(format!("policy {} stands twice in {set}", policy.id));
            }
            for name in [policy.id.as_str(), set] {
                if name.is_empty() || name.contains(['.', ',', '=', '\n', '#']) {
                    return Err(format!("`{name}` cannot be the name of a policy or a set"));
                }
            }
        }
        Ok(self)
    }

    /// The set of a policy.
    pub fn set_of<'a>(&'a self, policy: &'a PolicyText) -> &'a str {
        let own = policy.set.as_deref().or(self.policy_set.as_deref());
        own.unwrap_or("policies")
    }

    /// The names of the sets in order; one certificate each.
    pub fn sets(&self) -> Vec<&str> {
        let mut sets = Vec::new();
        for policy in &self.policies {
            let set = self.set_of(policy);
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }

    /// Our own notation. Reading it gives the same text again.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                out.push_str(&format!("{key} = {value}\n"));
            }
        };
        let quote = |text: &Option<String>| text.as_deref().map(quoted);
        let truth = |value: Option<bool>| value.map(|value| value.to_string());
        line("id", Some(quoted(&self.id)));
        line("class", quote(&self.class));
        line("name", quote(&self.name));
        line("description", quote(&self.description));
        line("enabled", truth(self.enabled));
        line("enabled_by", quote(&self.enabled_by));
        line("visible", truth(self.visible));
        line("renewal", truth(self.renewal));
        line("xml_output", truth(self.xml_output));
        line("authentication", quote(&self.authentication));
        line("authentication_class", quote(&self.authentication_class));
        line("explicit_approval", truth(self.explicit_approval));
        line("approval", self.approval.map(|a| quoted(a.name())));
        line("acl", quote(&self.acl));
        line(
            "subject_alt_names",
            self.subject_alt_names.map(|rule| quoted(rule.name())),
        );
        line("request_days", self.request_days.map(|n| n.to_string()));
        line("policy_set", quote(&self.policy_set));
        for (key, letter, items) in [
            ("inputs", "i", &self.inputs),
            ("outputs", "o", &self.outputs),
            ("updaters", "u", &self.updaters),
        ] {
            line(key, (!items.is_empty()).then(|| items_toml(letter, items)));
        }
        if !self.cfg_order.is_empty() {
            let keys: Vec<_> = self.cfg_order.iter().map(|key| quoted(key)).collect();
            line("cfg_order", Some(format!("[{}]", keys.join(", "))));
        }
        for policy in &self.policies {
            out.push_str("\n[[policies]]\n");
            if let Some(set) = &policy.set {
                out.push_str(&format!("set = {}\n", quoted(set)));
            }
            out.push_str(&format!(
                "id = {}\ndefault = {}\nconstraint = {}\n",
                quoted(&policy.id),
                plugin_toml(&policy.default),
                plugin_toml(&policy.constraint)
            ));
        }
        if !self.other.0.is_empty() {
            out.push_str("\n[other]\n");
            for (key, value) in &self.other.0 {
                out.push_str(&format!("{} = {}\n", bare(key), quoted(value)));
            }
        }
        out
    }

    /// What makes a version: the text without what enabling and disabling change.
    pub fn substance(&self) -> String {
        let mut text = self.clone();
        text.enabled = None;
        text.enabled_by = None;
        text.cfg_order.clear();
        text.other.take("lastModified");
        text.to_toml()
    }
}

fn items_toml(letter: &str, items: &[Item]) -> String {
    let numbered = items.iter().enumerate();
    let one = |(index, item): (usize, &Item)| {
        let usual = item.id == format!("{letter}{}", index + 1);
        if usual && item.name.is_none() && item.parameters.0.is_empty() {
            return quoted(&item.class);
        }
        let id = (!usual).then(|| format!("id = {}, ", quoted(&item.id)));
        let name = item.name.as_deref();
        let name = name.map(|name| format!(", name = {}", quoted(name)));
        format!(
            "{{ {}class = {}{}{} }}",
            id.unwrap_or_default(),
            quoted(&item.class),
            name.unwrap_or_default(),
            parameters_toml(&item.parameters)
        )
    };
    format!("[{}]", numbered.map(one).collect::<Vec<_>>().join(", "))
}

fn plugin_toml(plugin: &Plugin) -> String {
    let title = plugin.title.as_deref();
    let title = title.map(|title| format!(", title = {}", quoted(title)));
    format!(
        "{{ class = {}{}{} }}",
        quoted(&plugin.class),
        title.unwrap_or_default(),
        parameters_toml(&plugin.parameters)
    )
}

fn parameters_toml(parameters: &Parameters) -> String {
    let one = |(name, value): &(String, String)| format!(", {} = {}", bare(name), quoted(value));
    parameters.0.iter().map(one).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key as it may stand bare, or quoted.
fn bare(key: &str) -> String {
    let plain = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match plain && !key.is_empty() {
        true => key.to_owned(),
        false => quoted(key),
    }
}
