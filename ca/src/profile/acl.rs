//! The access rule of a profile (`authz.acl`), in Dogtag's language: `group="A" || user="b"`.

use common::identity::{Caller, Group};
use regex::Regex;

/// Alternatives, each a list of terms that must all hold.
#[derive(Debug)]
pub struct Acl(Vec<Vec<Term>>);

#[derive(Debug)]
struct Term {
    equal: bool,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A member of the group; one that we do not have has no members.
    Group(Option<Group>),
    User(String),
    /// The address of the caller, as text.
    Address(Regex),
}

impl Acl {
    /// Reads a rule; `None` for an empty one.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let alternative = |text: &str| text.split("&&").map(term).collect::<Result<_, _>>();
        let alternatives: Vec<_> = text
            .split("||")
            .map(alternative)
            .collect::<Result<_, String>>()?;
        Ok(Some(Self(alternatives)))
    }

    /// Whether the rule lets the caller in.
    pub fn permits(&self, caller: &Caller) -> bool {
        self.0
            .iter()
            .any(|terms| terms.iter().all(|term| term.holds(caller)))
    }
}

impl Term {
    fn holds(&self, caller: &Caller) -> bool {
        let found = match &self.what {
            What::Group(group) => group.is_some_and(|group| caller.is_in(group)),
            What::User(user) => caller.actor() == user,
            What::Address(pattern) => pattern.is_match(&caller.source()),
        };
        found == self.equal
    }
}

fn term(text: &str) -> Result<Term, String> {
    let wrong = || format!("the access rule's `{}` is not name=\"value\"", text.trim());
    let (left, right) = text.split_once('=').ok_or_else(wrong)?;
    let (name, equal) = match left.trim().strip_suffix('!') {
        Some(name) => (name.trim(), false),
        None => (left.trim(), true),
    };
    let value = right.trim();
    let value = value
        .strip_prefix('"')
        .map_or(Some(value), |rest| rest.strip_suffix('"'))
        .ok_or_else(wrong)?;
    let what = match name {
        "group" => What::Group(Group::by_name(value)),
        "user" => What::User(value.to_owned()),
        "ipaddress" => {
            let whole = format!("^(?:{value})$");
            What::Address(Regex::new(&whole).map_err(|e| e.to_string())?)
        }
        "user_origreq" => {
            return Err("user_origreq needs a directory's users, which are not here".into());
        }
        other => return Err(format!("the access rule's `{other}` is not known")),
    };
    Ok(Term { equal, what })
}
