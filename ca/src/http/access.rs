//! Operation × role: who may call what. The only place that says so.

use common::identity::{Group, Rule};

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    ListProfiles,
    ShowProfile,
    EditProfile,
    DecideProfile,
    SubmitRequest,
    ListRequests,
    ShowRequest,
    DecideRequest,
    ShowCertificate,
    ListCertificates,
    ChangeStatus,
    ShowCrl,
    MakeCrl,
    ShowAuthority,
    ManageAuthority,
    RevokeMany,
    ShowStatistics,
    ListJobs,
    ShowJob,
    FollowJournal,
}

const AGENTS: &[Group] = &[Group::CertificateManagerAgents];
const ADMINISTRATORS: &[Group] = &[Group::Administrators];
const AGENTS_AND_ADMINISTRATORS: &[Group] =
    &[Group::CertificateManagerAgents, Group::Administrators];
const PEOPLE: &[Group] = &[
    Group::CertificateManagerAgents,
    Group::Administrators,
    Group::Auditors,
];
const SERVICES: &[Group] = &[Group::SubsystemGroup];

impl Operation {
    /// Who may.
    pub fn rule(self) -> Rule {
        match self {
            Self::ListProfiles
            | Self::ShowProfile
            // Profiles themselves say who may submit under them.
            | Self::SubmitRequest
            // Knowing the unguessable id is the right to look.
            | Self::ShowRequest
            | Self::ShowCertificate
            | Self::ShowCrl
            | Self::ShowAuthority
            // Agents; administrators for CA certificates; who holds the key: the verb checks.
            | Self::ChangeStatus => Rule::Anyone,
            Self::ListCertificates => Rule::User,
            Self::ListRequests | Self::DecideRequest | Self::MakeCrl => Rule::Members(AGENTS),
            Self::ShowStatistics => Rule::Members(PEOPLE),
            Self::RevokeMany | Self::ListJobs | Self::ShowJob => Rule::Members(ADMINISTRATORS),
            Self::ManageAuthority => Rule::Members(ADMINISTRATORS),
            Self::EditProfile => Rule::Members(ADMINISTRATORS),
            // Agents enable and disable; administrators stop, which the verb checks.
            Self::DecideProfile => Rule::Members(AGENTS_AND_ADMINISTRATORS),
            Self::FollowJournal => Rule::Members(SERVICES),
        }
    }
}
