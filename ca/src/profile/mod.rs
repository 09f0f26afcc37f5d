//! Profiles: what a certificate of a kind looks like, who may ask, and who decides.
//!
//! A profile is an ordered list of policies, each a *default* that fills in and a *constraint* that
//! checks. Class and parameter names are Dogtag's. [`Text`] is what a file says, [`Profile`] what is
//! ready for use, and [`Entry`] one on record.

mod acl;
mod authentication;
mod cfg;
mod composition;
mod constraint;
mod default;
mod entry;
mod fixed;
mod general_name;
mod input;
mod pattern;
mod plugin;
mod shipped;
mod signing;
mod text;

use std::collections::BTreeMap;

use common::api::{self, Violation};
use common::clock::Timestamp;
use common::crypto::sha256;
use common::identity::{Caller, Denied};
use common::x509::Csr;

use acl::Acl;
use composition::Composition;
use constraint::{Circumstances, Constraint};
use default::Default;
use input::Input;

pub use authentication::{Approval, Authentication};
pub use composition::{Ask, Original};
pub use constraint::{Relative, Relatives};
pub use entry::{Entry, Standing};
pub use input::{REQUEST, REQUEST_TYPE, SERIAL_TO_RENEW};
pub use shipped::shipped;
pub use text::{Item, Plugin, RequestedNames, Text};

use crate::issue::Draft;
use crate::issuer::Issuer;

/// A profile ready for use.
#[derive(Debug)]
pub struct Profile {
    text: Text,
    version: String,
    authentication: Authentication,
    acl: Option<Acl>,
    approval: Approval,
    inputs: Vec<Input>,
    sets: Vec<PolicySet>,
}

/// The policies of one certificate.
#[derive(Debug)]
pub struct PolicySet {
    id: String,
    names: RequestedNames,
    policies: Vec<Policy>,
}

#[derive(Debug)]
struct Policy {
    id: String,
    default: Default,
    constraint: Constraint,
    /// The constraint in words.
    checks: String,
}

/// A draft that the defaults filled in; the constraints have not seen it yet.
#[derive(Debug)]
pub struct Composed<'a> {
    ask: Ask<'a>,
    draft: Draft,
    violations: Vec<Violation>,
    filled: Vec<Vec<String>>,
}

impl Composed<'_> {
    /// The draft so far.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }
}

/// What came of the policies of a profile.
#[derive(Debug)]
pub struct Judged {
    /// The draft; not to be issued when there are violations.
    pub draft: Draft,
    /// All refusals at once, so that the requester need not guess one by one.
    pub violations: Vec<Violation>,
    /// What each policy did, when that was asked for.
    pub policies: Vec<api::ca::PolicyResult>,
}

/// The version of a text: SHA-256 of its substance, hex.
pub fn version(text: &Text) -> String {
    common::x509::hex(&sha256(text.substance().as_bytes()))
}

impl Profile {
    /// Makes a text ready for use; `Err` names everything that keeps it from being used.
    pub fn new(text: Text) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let mut note = |result: Result<(), String>| wrong.extend(result.err());
        let older = text.authentication_class.as_deref();
        let older = older.filter(|class| !class.is_empty());
        let authentication = text.authentication.as_deref().or(older).unwrap_or("none");
        let authentication = Authentication::by_name(authentication).unwrap_or_else(|e| {
            note(Err(e));
            Authentication::None
        });
        let acl = Acl::read(text.acl.as_deref().unwrap_or_default()).unwrap_or_else(|e| {
            note(Err(e));
            None
        });
        note(known_class(&text));
        note(understood(&text));
        let mut inputs = Vec::new();
        for item in &text.inputs {
            match Input::new(item) {
                Ok(input) => inputs.push(input),
                Err(e) => note(Err(e)),
            }
        }
        for output in &text.outputs {
            note(output_known(&output.class));
        }
        for updater in &text.updaters {
            note(Err(format!("the updater {} is not known", updater.class)));
        }
        let (sets, mut refused) = policy_sets(&text);
        wrong.append(&mut refused);
        if sets.is_empty() && text.renewal != Some(true) {
            wrong.push("the profile has no policies".into());
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let asked_for = text.explicit_approval == Some(true);
        let by_itself = authentication != Authentication::None && !asked_for;
        let derived = match by_itself {
            true => Approval::Automatic,
            false => Approval::Agent,
        };
        Ok(Self {
            version: version(&text),
            approval: text.approval.unwrap_or(derived),
            authentication,
            acl,
            inputs,
            sets,
            text,
        })
    }

    /// The id in paths.
    pub fn id(&self) -> &str {
        &self.text.id
    }

    /// SHA-256 of its substance, hex: what requests and certificates remember.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its text.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Who may submit.
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// Who decides.
    pub fn approval(&self) -> Approval {
        self.approval
    }

    /// Whether it renews certificates of other profiles.
    pub fn renews(&self) -> bool {
        self.text.renewal == Some(true)
    }

    /// Whether `caller` may submit.
    pub fn admit(&self, caller: &Caller) -> Result<(), Denied> {
        self.authentication
            .admit(caller, self.id(), self.acl.as_ref())
    }

    /// Checks what a client sent in `inputs`.
    pub fn check_inputs(&self, sent: &BTreeMap<String, String>) -> Vec<Violation> {
        input::check(&self.inputs, sent)
    }

    /// Its sets of policies: one certificate each.
    pub fn sets(&self) -> &[PolicySet] {
        &self.sets
    }

    /// The set with this id; the first one for `None`.
    pub fn set(&self, id: Option<&str>) -> Option<&PolicySet> {
        match id {
            Some(id) => self.sets.iter().find(|set| set.id == id),
            None => self.sets.first(),
        }
    }

    /// The draft for `csr` alone, without inputs and without a look at the records; for what the CA
    /// asks of itself.
    pub fn draft(
        &self,
        csr: &Csr,
        issuer: &Issuer,
        changes: &api::ca::Changes,
        now: Timestamp,
    ) -> Result<Draft, Vec<Violation>> {
        let nothing = BTreeMap::new();
        let ask = Ask {
            csr,
            issuer,
            inputs: &nothing,
            token: &nothing,
            requestor: None,
            original: None,
            changes,
            now,
        };
        let none = || {
            vec![Violation::policy(
                "profile",
                "policies",
                "it has no policies",
            )]
        };
        let set = self.set(None).ok_or_else(none)?;
        let judged = set.judge(set.compose(ask, false)?, &Relatives::default());
        match judged.violations.is_empty() {
            true => Ok(judged.draft),
            false => Err(judged.violations),
        }
    }
}

impl PolicySet {
    /// Its name within the profile.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether [`Self::judge`] wants to know what else is on record.
    pub fn looks_for_relatives(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.constraint.looks_for_relatives())
    }

    /// The agent to whom the profile gives requests.
    pub fn assignee(&self) -> Option<&str> {
        self.policies
            .iter()
            .find_map(|policy| policy.default.assignee())
    }

    /// Lets every default fill in. With `explain`, remembers what each of them did.
    pub fn compose<'a>(&self, ask: Ask<'a>, explain: bool) -> Result<Composed<'a>, Vec<Violation>> {
        let mut composition = Composition::new(ask)?;
        let mut violations = Vec::new();
        let mut filled = Vec::new();
        for policy in &self.policies {
            let before = explain.then(|| (composition.draft.clone(), composition.validity));
            if let Err(message) = policy.default.fill(&mut composition) {
                let rule = policy.default.name();
                violations.push(Violation::policy(&policy.id, rule, message));
            }
            if let Some((draft, validity)) = before {
                filled.push(policy.filled(&draft, validity, &composition));
            }
        }
        let draft = composition.finish(self.names, &mut violations);
        Ok(Composed {
            ask,
            draft,
            violations,
            filled,
        })
    }

    /// Lets every constraint check.
    pub fn judge(&self, composed: Composed<'_>, relatives: &Relatives) -> Judged {
        let Composed {
            ask,
            draft,
            mut violations,
            filled,
        } = composed;
        let circumstances = Circumstances {
            now: ask.now,
            ca_ends: ask.issuer.certificate.not_after(),
            signing_algorithm: signing::name(draft.algorithm),
            original: ask.original,
            authenticated_subject: ask.token.get("subject").map(String::as_str),
            relatives,
            realm: self
                .policies
                .iter()
                .find_map(|policy| policy.default.realm()),
        };
        for policy in &self.policies {
            if let Err(message) = policy.constraint.check(&draft, &circumstances) {
                let rule = policy.constraint.name();
                violations.push(Violation::policy(&policy.id, rule, message));
            }
        }
        let policies = self.policies.iter().zip(filled);
        let policies = policies.map(|(policy, filled)| policy.result(filled, &violations));
        let mut policies: Vec<_> = policies.collect();
        if let (RequestedNames::Replace, Some(last)) = (self.names, policies.last_mut()) {
            let asked = ask.csr.alternative_names().iter();
            let left = asked.filter(|name| !draft.names.contains(name));
            last.filled
                .extend(left.map(|name| format!("{name} of the request is replaced")));
        }
        Judged {
            policies,
            draft,
            violations,
        }
    }
}

impl Policy {
    fn filled(
        &self,
        before: &Draft,
        validity: Option<(Timestamp, Timestamp)>,
        after: &Composition<'_>,
    ) -> Vec<String> {
        let mut words = composition::difference(before, &after.draft);
        if let Some((from, to)) = after.validity.filter(|_| after.validity != validity) {
            words.push(format!(
                "validity from {} to {}",
                from.whole_seconds(),
                to.whole_seconds()
            ));
        }
        if matches!(self.default, Default::UserKey) {
            words.push(format!(
                "key {} of the request",
                after.draft.public_key.kind()
            ));
        }
        words
    }

    fn result(&self, filled: Vec<String>, violations: &[Violation]) -> api::ca::PolicyResult {
        let refused: Vec<_> = violations
            .iter()
            .filter(|violation| violation.is_of_policy(&self.id))
            .map(|violation| violation.message.clone())
            .collect();
        api::ca::PolicyResult {
            id: self.id.clone(),
            filled,
            checked: self.checks.clone(),
            refused: (!refused.is_empty()).then(|| refused.join("; ")),
        }
    }
}

/// Dogtag's classes of profiles. They differ in what its pages fill in for new profiles.
fn known_class(text: &Text) -> Result<(), String> {
    match text.class.as_deref() {
        None
        | Some(
            "caEnrollImpl"
            | "caCACertEnrollImpl"
            | "caServerCertEnrollImpl"
            | "caUserCertEnrollImpl",
        ) => Ok(()),
        Some(other) => Err(format!("the profile class {other} is not known")),
    }
}

/// Keys that we know but whose values we could not read stand among the others.
fn understood(text: &Text) -> Result<(), String> {
    const OURS: [&str; 10] = [
        "visible",
        "renewal",
        "auth.explicitApprovalRequired",
        "chancery.approval",
        "chancery.subjectAltNames",
        "chancery.requestDays",
        "input.list",
        "output.list",
        "updater.list",
        "policyset.list",
    ];
    let unread =
        |(key, value): &&(String, String)| OURS.contains(&key.as_str()) && !value.trim().is_empty();
    match text.other.0.iter().find(unread) {
        Some((key, value)) => Err(format!("{key} = `{value}` cannot be read")),
        None => Ok(()),
    }
}

fn output_known(class: &str) -> Result<(), String> {
    match class {
        "certOutputImpl" | "pkcs7OutputImpl" => Ok(()),
        "pkcs12OutputImpl" => {
            Err("the output pkcs12OutputImpl: keys generated by the KRA are not there yet".into())
        }
        "nsNKeyOutputImpl" => Err("the output nsNKeyOutputImpl: it needs smart cards".into()),
        other => Err(format!("the output {other} is not known")),
    }
}

/// A constraint with its parameters.
fn in_words(plugin: &Plugin) -> String {
    let parameters = plugin.parameters.0.iter();
    let stated = parameters.filter(|(_, value)| !value.is_empty() && value != "-");
    let stated: Vec<_> = stated
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    match (plugin.class.as_str(), stated.is_empty()) {
        ("noConstraintImpl", _) => "nothing".to_owned(),
        (class, true) => class.to_owned(),
        (class, false) => format!("{class}: {}", stated.join(", ")),
    }
}

fn policy_sets(text: &Text) -> (Vec<PolicySet>, Vec<String>) {
    let mut wrong = Vec::new();
    let mut sets = Vec::new();
    for id in text.sets() {
        let mut policies = Vec::new();
        for policy in text.policies.iter().filter(|p| text.set_of(p) == id) {
            let mut note = |e: String| wrong.push(format!("policy {}: {e}", policy.id));
            let default = Default::new(&policy.default).map_err(&mut note);
            let constraint = Constraint::new(&policy.constraint).map_err(&mut note);
            if let (Ok(default), Ok(constraint)) = (default, constraint) {
                policies.push(Policy {
                    id: policy.id.clone(),
                    default,
                    constraint,
                    checks: in_words(&policy.constraint),
                });
            }
        }
        let replaces = policies
            .iter()
            .any(|policy| policy.default.replaces_names());
        let takes = policies
            .iter()
            .any(|policy| matches!(policy.default, Default::UserAlternativeNames));
        let usual = match (takes, replaces) {
            (false, true) => RequestedNames::Replace,
            (true, _) => RequestedNames::Take,
            (false, false) => RequestedNames::Refuse,
        };
        sets.push(PolicySet {
            id: id.to_owned(),
            names: text.subject_alt_names.unwrap_or(usual),
            policies,
        });
    }
    (sets, wrong)
}
