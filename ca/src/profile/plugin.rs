//! Reading the parameters of a class.

use std::str::FromStr;

use const_oid::ObjectIdentifier;

use super::text::Plugin;

impl Plugin {
    /// A parameter that has to be there.
    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        self.filled(name)
            .ok_or_else(|| format!("{} needs the parameter {name}", self.class))
    }

    /// A parameter that is there and not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        let value = self.parameters.get(name).map(str::trim);
        value.filter(|value| !value.is_empty())
    }

    /// A truth value; absent is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        self.flag_or(name, false)
    }

    /// A truth value with another default.
    pub(super) fn flag_or(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.filled(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(format!(
                "{}: {name} is true or false, not `{other}`",
                self.class
            )),
        }
    }

    /// `true`, `false`, or `-` and absence for "either".
    pub(super) fn wanted(&self, name: &str) -> Result<Option<bool>, String> {
        match self.filled(name) {
            None | Some("-") => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(format!(
                "{}: {name} is true, false or -, not `{other}`",
                self.class
            )),
        }
    }

    /// A number; `default` when absent.
    pub(super) fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        self.filled(name).map_or(Ok(default), |text| {
            text.parse()
                .map_err(|_| format!("{}: {name} is a number, not `{text}`", self.class))
        })
    }

    /// An object identifier.
    pub(super) fn oid(&self, name: &str) -> Result<ObjectIdentifier, String> {
        let text = self.text(name)?;
        text.parse()
            .map_err(|_| format!("{}: {name} is no object identifier: `{text}`", self.class))
    }

    /// The enabled slots of `name_0`, `name_1` … as many as `count` says (all that are there when it
    /// says nothing).
    pub(super) fn slots(
        &self,
        count: &str,
        enable: &str,
        present: &str,
    ) -> Result<Vec<usize>, String> {
        let there = (0..100).filter(|n| self.parameters.get(&format!("{present}{n}")).is_some());
        let all = there.max().map_or(0, |last| last + 1);
        let count: usize = self.number(count, all)?;
        if count > 100 {
            return Err(format!("{}: at most 100 of {present}", self.class));
        }
        let mut slots = Vec::new();
        for slot in 0..count {
            let switched = self.filled(&format!("{enable}{slot}"));
            let there = self.parameters.get(&format!("{present}{slot}")).is_some();
            if switched == Some("true") || (switched.is_none() && there) {
                slots.push(slot);
            }
        }
        Ok(slots)
    }

    /// A parameter of a slot; empty when absent.
    pub(super) fn slot(&self, name: &str, slot: usize) -> &str {
        self.filled(&format!("{name}{slot}")).unwrap_or_default()
    }
}
