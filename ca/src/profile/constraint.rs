//! Constraints: what a draft must satisfy. Class names and parameters as in Dogtag.

use common::clock::Timestamp;
use common::crypto::{Curve, KeyKind, MlDsa};
use common::x509::extension;
use const_oid::ObjectIdentifier;
use der::flagset::FlagSet;
use regex::Regex;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::Plugin;
use super::default::{KEY_USAGE_PARAMETERS, range, usages};
use crate::issue::Draft;

/// What a constraint checks.
#[derive(Debug)]
pub(super) enum Constraint {
    None,
    SubjectName(Regex),
    Key(Vec<AllowedKey>),
    Validity {
        seconds_max: i64,
        not_before_grace: i64,
    },
    KeyUsage(Vec<(KeyUsages, bool)>),
    ExtendedKeyUsage(Vec<ObjectIdentifier>),
    BasicConstraints {
        ca: bool,
    },
}

/// A kind of key that `keyConstraintImpl` lets through.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AllowedKey {
    Rsa { bits_min: u32 },
    Ec(Curve),
    Ed25519,
    MlDsa(MlDsa),
}

impl Constraint {
    pub(super) fn new(plugin: &Plugin) -> Result<Self, String> {
        Ok(match plugin.class.as_str() {
            "noConstraintImpl" | "signingAlgConstraintImpl" => Self::None,
            "subjectNameConstraintImpl" => {
                // The whole name has to match, as in Dogtag.
                let pattern = format!("^(?:{})$", plugin.text("pattern")?);
                Self::SubjectName(Regex::new(&pattern).map_err(|e| e.to_string())?)
            }
            "keyConstraintImpl" => Self::Key(keys(plugin)?),
            "validityConstraintImpl" => Self::Validity {
                seconds_max: range(plugin)?,
                not_before_grace: plugin
                    .text("notBeforeGracePeriod")
                    .unwrap_or("0")
                    .parse()
                    .map_err(|_| "notBeforeGracePeriod is a number of seconds")?,
            },
            "keyUsageExtConstraintImpl" => {
                let mut wanted = Vec::new();
                for (parameter, usage) in KEY_USAGE_PARAMETERS {
                    match plugin.parameters.get(parameter).map_or("-", String::as_str) {
                        "-" => {}
                        "true" => wanted.push((usage, true)),
                        "false" => wanted.push((usage, false)),
                        other => {
                            return Err(format!("{parameter} is true, false or -, not `{other}`"));
                        }
                    }
                }
                Self::KeyUsage(wanted)
            }
            "extendedKeyUsageExtConstraintImpl" => Self::ExtendedKeyUsage(usages(plugin)?),
            "basicConstraintsExtConstraintImpl" => Self::BasicConstraints {
                ca: plugin.flag("basicConstraintsIsCA")?,
            },
            other => return Err(format!("the constraint {other} is not known")),
        })
    }

    /// The rule's name in violations.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SubjectName(_) => "subject-name",
            Self::Key(_) => "key",
            Self::Validity { .. } => "validity",
            Self::KeyUsage(_) => "key-usage",
            Self::ExtendedKeyUsage(_) => "extended-key-usage",
            Self::BasicConstraints { .. } => "basic-constraints",
        }
    }

    pub(super) fn check(&self, draft: &Draft, now: Timestamp) -> Result<(), String> {
        match self {
            Self::None => Ok(()),
            Self::SubjectName(pattern) => {
                let subject = draft.subject.to_string();
                let refused = || {
                    format!(
                        "the subject `{subject}` does not match {}",
                        pattern.as_str()
                    )
                };
                ensure(pattern.is_match(&subject), refused)
            }
            Self::Key(allowed) => {
                let kind = draft.public_key.kind();
                let refused = || format!("keys of kind {kind} are not allowed");
                ensure(allowed.iter().any(|allowed| allowed.admits(kind)), refused)
            }
            Self::Validity {
                seconds_max,
                not_before_grace,
            } => {
                let seconds = draft.not_after.seconds() - draft.not_before.seconds() + 1;
                ensure(seconds <= *seconds_max, || {
                    format!(
                        "the validity of {seconds} seconds is longer than the {seconds_max} allowed"
                    )
                })?;
                ensure(
                    draft.not_before.seconds() <= now.seconds() + not_before_grace,
                    || "not_before lies in the future".into(),
                )
            }
            Self::KeyUsage(wanted) => {
                let usage = extension::find::<KeyUsage>(&draft.extensions);
                let usage = usage.map_or(FlagSet::default(), |usage| usage.0);
                let differs = wanted
                    .iter()
                    .find(|(bit, wanted)| usage.contains(*bit) != *wanted);
                ensure(differs.is_none(), || {
                    "the key usage is not the one that the profile asks for".into()
                })
            }
            Self::ExtendedKeyUsage(allowed) => {
                let usages = extension::find::<ExtendedKeyUsage>(&draft.extensions);
                let usages = usages.map_or(Vec::new(), |usages| usages.0);
                ensure(usages.iter().all(|usage| allowed.contains(usage)), || {
                    "the extended key usage is not allowed".into()
                })
            }
            Self::BasicConstraints { ca } => {
                let constraints = extension::find::<BasicConstraints>(&draft.extensions);
                let is_ca = constraints.is_some_and(|constraints| constraints.ca);
                ensure(is_ca == *ca, || {
                    "basic constraints are not the ones that the profile asks for".into()
                })
            }
        }
    }
}

impl AllowedKey {
    fn admits(&self, kind: KeyKind) -> bool {
        match (self, kind) {
            (Self::Rsa { bits_min }, KeyKind::Rsa(bits) | KeyKind::RsaPss(bits)) => {
                bits >= *bits_min
            }
            (Self::Ec(allowed), KeyKind::Ec(curve)) => *allowed == curve,
            (Self::Ed25519, KeyKind::Ed25519) => true,
            (Self::MlDsa(allowed), KeyKind::MlDsa(set)) => *allowed == set,
            _ => false,
        }
    }
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(message()),
    }
}

/// `keyParameters`: RSA sizes (the smallest is the floor), curve names, `Ed25519`, `ML-DSA-65`.
fn keys(plugin: &Plugin) -> Result<Vec<AllowedKey>, String> {
    let mut allowed = Vec::new();
    let mut bits_min: Option<u32> = None;
    for parameter in plugin.text("keyParameters")?.split(',').map(str::trim) {
        match parameter {
            "nistp256" => allowed.push(AllowedKey::Ec(Curve::P256)),
            "nistp384" => allowed.push(AllowedKey::Ec(Curve::P384)),
            "nistp521" => allowed.push(AllowedKey::Ec(Curve::P521)),
            "Ed25519" => allowed.push(AllowedKey::Ed25519),
            "ML-DSA-44" => allowed.push(AllowedKey::MlDsa(MlDsa::Set44)),
            "ML-DSA-65" => allowed.push(AllowedKey::MlDsa(MlDsa::Set65)),
            "ML-DSA-87" => allowed.push(AllowedKey::MlDsa(MlDsa::Set87)),
            size => {
                let bits = size
                    .parse()
                    .map_err(|_| format!("`{size}` is no key parameter"))?;
                bits_min = Some(bits_min.map_or(bits, |min| min.min(bits)));
            }
        }
    }
    allowed.extend(bits_min.map(|bits_min| AllowedKey::Rsa { bits_min }));
    Ok(allowed)
}
