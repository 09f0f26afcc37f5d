//! Dogtag's notation of profiles: `key=value` lines, comments with `#`.
//!
//! Nothing is lost on the way in and out: same keys, same values, same order, known or not.

use std::collections::BTreeMap;

use super::authentication::{self, Approval};
use super::text::{Item, Parameters, Plugin, PolicyText, RequestedNames, Text};

/// Keys of ours that Dogtag does not have; it ignores them.
const APPROVAL: &str = "chancery.approval";
const NAMES: &str = "chancery.subjectAltNames";
const REQUEST_DAYS: &str = "chancery.requestDays";

impl Text {
    /// Reads Dogtag's notation. `id` is used where the text has no `profileId`. `Err` says what is
    /// wrong in which line.
    pub fn from_cfg(cfg: &str, id: Option<&str>) -> Result<Self, String> {
        let mut keys = Keys::read(cfg)?;
        let order = keys.order.clone();
        let mut text = scalars(&mut keys, id)?;
        text.inputs = items(&mut keys, "input");
        text.outputs = items(&mut keys, "output");
        text.updaters = items(&mut keys, "updater");
        policies(&mut keys, &mut text);
        text.other = Parameters(keys.rest());
        let text = text.tidy()?;
        let usual = text.pairs();
        match usual.iter().map(|(key, _)| key).eq(&order) {
            true => Ok(text),
            false => Ok(Self {
                cfg_order: order,
                ..text
            }),
        }
    }

    /// Writes Dogtag's notation. Reading it gives the same text again.
    pub fn to_cfg(&self) -> String {
        let mut pairs = self.pairs();
        if !self.cfg_order.is_empty() {
            let place = |key: &String| self.cfg_order.iter().position(|known| known == key);
            pairs.retain(|(key, _)| place(key).is_some() || !is_ours_to_add(key));
            pairs.sort_by_key(|(key, _)| place(key).unwrap_or(usize::MAX));
        }
        let mut out = String::new();
        for (key, value) in pairs {
            out.push_str(&key);
            out.push('=');
            out.push_str(&value);
            out.push('\n');
        }
        out
    }

    /// All keys and values in the usual order, which is that of Dogtag's own files.
    fn pairs(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                out.push((key.to_owned(), value));
            }
        };
        let truth = |value: Option<bool>| value.map(|value| value.to_string());
        add("profileId", Some(self.id.clone()));
        add("classId", self.class.clone());
        add("desc", self.description.clone());
        add("visible", truth(self.visible));
        add("enable", truth(self.enabled));
        add("enableBy", self.enabled_by.clone());
        add("renewal", truth(self.renewal));
        add("xmlOutput", truth(self.xml_output));
        let instance = self.authentication.as_deref();
        add(
            "auth.instance_id",
            instance.map(authentication::dogtag_name),
        );
        add("auth.class_id", self.authentication_class.clone());
        add(
            "auth.explicitApprovalRequired",
            truth(self.explicit_approval),
        );
        add("authz.acl", self.acl.clone());
        add("name", self.name.clone());
        add(APPROVAL, self.approval.map(|a| a.name().to_owned()));
        add(NAMES, self.subject_alt_names.map(|n| n.name().to_owned()));
        add(REQUEST_DAYS, self.request_days.map(|n| n.to_string()));
        for (kind, list) in [
            ("input", &self.inputs),
            ("output", &self.outputs),
            ("updater", &self.updaters),
        ] {
            item_pairs(&mut out, kind, list);
        }
        self.policy_pairs(&mut out);
        out.extend(self.other.0.iter().cloned());
        out
    }

    fn policy_pairs(&self, out: &mut Vec<(String, String)>) {
        let sets = self.sets();
        if sets.is_empty() {
            return;
        }
        out.push(("policyset.list".into(), sets.join(",")));
        for set in sets {
            let policies = self.policies.iter();
            let policies: Vec<_> = policies.filter(|p| self.set_of(p) == set).collect();
            let ids: Vec<_> = policies.iter().map(|policy| policy.id.as_str()).collect();
            out.push((format!("policyset.{set}.list"), ids.join(",")));
            for policy in policies {
                let stem = format!("policyset.{set}.{}", policy.id);
                plugin_pairs(out, &format!("{stem}.constraint"), &policy.constraint);
                plugin_pairs(out, &format!("{stem}.default"), &policy.default);
            }
        }
    }
}

/// Keys that a text without them does not get by being written.
fn is_ours_to_add(key: &str) -> bool {
    key == "profileId"
}

/// The lines of a file, taken out one by one as they are understood.
struct Keys {
    order: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Keys {
    fn read(cfg: &str) -> Result<Self, String> {
        let mut order = Vec::new();
        let mut values = BTreeMap::new();
        for (index, line) in cfg.lines().enumerate() {
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let number = index + 1;
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| format!("line {number} is not key=value"))?;
            let key = key.trim().to_owned();
            if key.is_empty() || value.contains('\0') {
                return Err(format!("line {number} is not key=value"));
            }
            order.push(key.clone());
            if values.insert(key.clone(), value.to_owned()).is_some() {
                return Err(format!("line {number}: {key} stands twice"));
            }
        }
        Ok(Self { order, values })
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.values.remove(key)
    }

    /// Takes a value that `read` understands; leaves any other where it is, to be kept verbatim.
    fn take_as<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = read(self.values.get(key)?)?;
        self.values.remove(key);
        Some(found)
    }

    fn truth(&mut self, key: &str) -> Option<bool> {
        self.take_as(key, |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// Takes all keys below `stem.`, in the order of the file.
    fn take_below(&mut self, stem: &str) -> Vec<(String, String)> {
        let names: Vec<(String, String)> = self
            .order
            .iter()
            .filter_map(|key| Some((key.clone(), key.strip_prefix(stem)?.to_owned())))
            .collect();
        names
            .into_iter()
            .filter_map(|(key, name)| Some((name, self.values.remove(&key)?)))
            .collect()
    }

    /// What nobody took, in the order of the file.
    fn rest(mut self) -> Vec<(String, String)> {
        let order = std::mem::take(&mut self.order);
        order
            .into_iter()
            .filter_map(|key| Some((key.clone(), self.values.remove(&key)?)))
            .collect()
    }
}

fn scalars(keys: &mut Keys, id: Option<&str>) -> Result<Text, String> {
    let own = keys.take("profileId");
    if let (Some(own), Some(id)) = (&own, id)
        && own != id
    {
        return Err(format!("profileId is {own}, not {id}"));
    }
    let id = own.or_else(|| id.map(str::to_owned));
    let authentication = keys.take("auth.instance_id");
    Ok(Text {
        id: id.ok_or("profileId is missing")?,
        class: keys.take("classId"),
        name: keys.take("name"),
        description: keys.take("desc"),
        enabled: keys.truth("enable"),
        enabled_by: keys.take("enableBy"),
        visible: keys.truth("visible"),
        renewal: keys.truth("renewal"),
        xml_output: keys.truth("xmlOutput"),
        authentication: authentication.as_deref().map(authentication::our_name),
        authentication_class: keys.take("auth.class_id"),
        explicit_approval: keys.truth("auth.explicitApprovalRequired"),
        approval: keys.take_as(APPROVAL, Approval::by_name),
        acl: keys.take("authz.acl"),
        subject_alt_names: keys.take_as(NAMES, RequestedNames::by_name),
        request_days: keys.take_as(REQUEST_DAYS, |text| {
            text.parse().ok().filter(|n: &u32| n.to_string() == text)
        }),
        ..Text::default()
    })
}

/// The ids of a list, when writing them gives the same list again.
fn ids(list: &str) -> Option<Vec<String>> {
    let ids: Vec<String> = list.split(',').map(str::to_owned).collect();
    let sound = |(index, id): (usize, &String)| {
        let plain = !id.is_empty() && id.trim() == id && !id.contains('.');
        plain && !ids[..index].contains(id)
    };
    ids.iter().enumerate().all(sound).then_some(ids)
}

fn items(keys: &mut Keys, kind: &str) -> Vec<Item> {
    let list = format!("{kind}.list");
    let Some(ids) = keys.values.get(&list).and_then(|list| ids(list)) else {
        return Vec::new();
    };
    let whole = |id: &String| keys.values.contains_key(&format!("{kind}.{id}.class_id"));
    if !ids.iter().all(whole) {
        return Vec::new();
    }
    keys.take(&list);
    ids.into_iter()
        .map(|id| Item {
            class: keys
                .take(&format!("{kind}.{id}.class_id"))
                .unwrap_or_default(),
            name: keys.take(&format!("{kind}.{id}.name")),
            parameters: Parameters(keys.take_below(&format!("{kind}.{id}.params."))),
            id,
        })
        .collect()
}

fn item_pairs(out: &mut Vec<(String, String)>, kind: &str, items: &[Item]) {
    if items.is_empty() {
        return;
    }
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    out.push((format!("{kind}.list"), ids.join(",")));
    for item in items {
        let stem = format!("{kind}.{}", item.id);
        out.push((format!("{stem}.class_id"), item.class.clone()));
        if let Some(name) = &item.name {
            out.push((format!("{stem}.name"), name.clone()));
        }
        for (name, value) in &item.parameters.0 {
            out.push((format!("{stem}.params.{name}"), value.clone()));
        }
    }
}

/// Takes the policies when all sets in the list are whole; leaves them verbatim otherwise.
fn policies(keys: &mut Keys, text: &mut Text) {
    let Some(sets) = keys.values.get("policyset.list").and_then(|list| ids(list)) else {
        return;
    };
    let mut lists = Vec::new();
    for set in &sets {
        let list = keys.values.get(&format!("policyset.{set}.list"));
        let Some(ids) = list.and_then(|list| ids(list)) else {
            return;
        };
        let whole = |id: &String| {
            ["default", "constraint"].iter().all(|part| {
                let class = format!("policyset.{set}.{id}.{part}.class_id");
                keys.values.contains_key(&class)
            })
        };
        if !ids.iter().all(whole) {
            return;
        }
        lists.push(ids);
    }
    keys.take("policyset.list");
    for (index, (set, ids)) in sets.into_iter().zip(lists).enumerate() {
        keys.take(&format!("policyset.{set}.list"));
        for id in ids {
            let stem = format!("policyset.{set}.{id}");
            text.policies.push(PolicyText {
                set: (index > 0).then(|| set.clone()),
                constraint: plugin(keys, &format!("{stem}.constraint")),
                default: plugin(keys, &format!("{stem}.default")),
                id,
            });
        }
        if index == 0 {
            text.policy_set = Some(set);
        }
    }
}

fn plugin(keys: &mut Keys, stem: &str) -> Plugin {
    Plugin {
        class: keys.take(&format!("{stem}.class_id")).unwrap_or_default(),
        title: keys.take(&format!("{stem}.name")),
        parameters: Parameters(keys.take_below(&format!("{stem}.params."))),
    }
}

fn plugin_pairs(out: &mut Vec<(String, String)>, stem: &str, plugin: &Plugin) {
    out.push((format!("{stem}.class_id"), plugin.class.clone()));
    if let Some(title) = &plugin.title {
        out.push((format!("{stem}.name"), title.clone()));
    }
    for (name, value) in &plugin.parameters.0 {
        out.push((format!("{stem}.params.{name}"), value.clone()));
    }
}
