//! Who may submit under a profile, and who decides.

use common::identity::{Caller, Denied, Group};
use serde::{Deserialize, Serialize};

use super::acl::Acl;

/// Who may submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Anyone.
    None,
    /// An agent of the CA.
    Agent,
    /// A registration authority, or an agent.
    RegistrationAgent,
    /// One of our own services.
    Service,
    /// Whoever holds a certificate of ours.
    ClientCertificate,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// An agent, each time.
    Agent,
    /// An agent, except that what our own services (Subsystem Group) ask for is issued at once.
    AgentOrService,
    /// Nobody: the profile itself.
    Automatic,
}

impl Approval {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::AgentOrService => "agent_or_service",
            Self::Automatic => "automatic",
        }
    }

    /// The approval with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Agent, Self::AgentOrService, Self::Automatic]
            .into_iter()
            .find(|approval| approval.name() == name)
    }
}

/// Each authentication with our word for it and the authenticator instance of Dogtag.
const KNOWN: [(Authentication, &str, &str); 5] = [
    (Authentication::None, "none", ""),
    (Authentication::Agent, "agent", "AgentCertAuth"),
    (
        Authentication::RegistrationAgent,
        "registration_agent",
        "raCertAuth",
    ),
    (Authentication::Service, "service", "TokenAuth"),
    (
        Authentication::ClientCertificate,
        "client_certificate",
        "SSLclientCertAuth",
    ),
];

/// In front of an authenticator of Dogtag's that is called like one of our words.
const FOREIGN: &str = "dogtag:";

/// Dogtag's name of an authentication; one that we do not have has the same name in both notations.
pub(super) fn dogtag_name(ours: &str) -> String {
    let found = KNOWN.iter().find(|(_, word, _)| *word == ours);
    let name = found.map_or(ours, |(_, _, instance)| instance);
    name.strip_prefix(FOREIGN).unwrap_or(name).to_owned()
}

/// Our name of one of Dogtag's authenticator instances.
pub(super) fn our_name(dogtag: &str) -> String {
    let found = KNOWN.iter().find(|(_, _, instance)| *instance == dogtag);
    let collides = KNOWN.iter().any(|(_, word, _)| *word == dogtag);
    match found {
        Some((_, word, _)) => (*word).to_owned(),
        None if collides => format!("{FOREIGN}{dogtag}"),
        None => dogtag.to_owned(),
    }
}

/// Why some of Dogtag's authenticators are not here.
const ABSENT: [(&str, &str); 9] = [
    ("SessionAuthentication", "sessions are not there yet"),
    ("UserDirEnrollment", "it needs an LDAP directory"),
    ("PinDirEnrollment", "it needs an LDAP directory"),
    ("UidPwdGroupDirAuth", "it needs an LDAP directory"),
    ("UserPwdDirAuth", "it needs an LDAP directory"),
    ("CMCAuth", "CMC is not there yet"),
    ("CMCUserSignedAuth", "CMC is not there yet"),
    ("CMCAuthForEST", "CMC and EST are not there yet"),
    ("flatFileAuth", "SCEP is not there yet"),
];

impl Authentication {
    /// Reads either name.
    pub(super) fn by_name(name: &str) -> Result<Self, String> {
        let found = KNOWN
            .iter()
            .find(|(_, word, instance)| *word == name || *instance == name);
        let absent = ABSENT.iter().find(|(known, _)| *known == name);
        match (found, absent) {
            (Some((authentication, _, _)), _) => Ok(*authentication),
            (None, Some((name, why))) => Err(format!("the authenticator {name}: {why}")),
            (None, None) => Err(format!("the authenticator {name} is not known")),
        }
    }

    /// Our word.
    pub fn name(self) -> &'static str {
        let found = KNOWN.iter().find(|(known, _, _)| *known == self);
        found.map_or("none", |(_, word, _)| word)
    }

    /// Whether `caller` may submit under the profile `id`.
    pub fn admit(self, caller: &Caller, id: &str, acl: Option<&Acl>) -> Result<(), Denied> {
        if caller.is_system() {
            return Ok(());
        }
        let groups: &[Group] = match self {
            Self::None => &[],
            Self::Agent => &[Group::CertificateManagerAgents],
            Self::RegistrationAgent => &[
                Group::RegistrationManagerAgents,
                Group::CertificateManagerAgents,
            ],
            Self::Service => &[Group::SubsystemGroup],
            Self::ClientCertificate => {
                return match caller.certificate() {
                    Some(_) => permitted(caller, id, acl),
                    None => Err(Denied::Unauthenticated(format!(
                        "profile {id} needs a client certificate of this CA"
                    ))),
                };
            }
        };
        let named = || {
            let names: Vec<_> = groups.iter().map(|group| group.name()).collect();
            names.join(" or ")
        };
        let needs_somebody = !groups.is_empty() || acl.is_some();
        if needs_somebody && !caller.is_authenticated() {
            return Err(Denied::Unauthenticated(format!(
                "profile {id} needs the client certificate of a member of {}",
                match groups.is_empty() {
                    true => "the groups in its access rule".to_owned(),
                    false => named(),
                }
            )));
        }
        if !groups.is_empty() && !groups.iter().any(|group| caller.is_in(*group)) {
            return Err(Denied::Forbidden {
                actor: caller.actor().to_owned(),
                groups: named(),
            });
        }
        permitted(caller, id, acl)
    }
}

fn permitted(caller: &Caller, id: &str, acl: Option<&Acl>) -> Result<(), Denied> {
    match acl.is_none_or(|acl| acl.permits(caller)) {
        true => Ok(()),
        false => Err(Denied::Forbidden {
            actor: caller.actor().to_owned(),
            groups: format!("what the access rule of profile {id} names"),
        }),
    }
}
