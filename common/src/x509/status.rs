//! The status of a certificate and the reasons to revoke it.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;

/// What the CA says about a certificate. Expiry is not a status: it is validity and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Neither held nor revoked.
    Valid,
    /// Suspended: the only state that can be released.
    OnHold {
        /// Since when.
        since: Timestamp,
    },
    /// For good.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: RevocationReason,
        /// When the key became unsafe, if known.
        invalidity_date: Option<Timestamp>,
    },
}

impl Status {
    /// The name in the API and in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::OnHold { .. } => "on_hold",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// The name, with time taken into account.
    pub fn name_at(
        &self,
        now: Timestamp,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> &'static str {
        match self {
            Self::Revoked { .. } | Self::OnHold { .. } => self.name(),
            Self::Valid if now < not_before => "not_yet_valid",
            Self::Valid if now.seconds() > not_after.seconds() => "expired",
            Self::Valid => self.name(),
        }
    }
}

/// A status as columns of a table: its code, the CRLReason code, the invalidity date in microseconds.
pub type StatusColumns = (i16, Option<i16>, Option<i64>);

impl Status {
    /// Code of [`Status::Valid`] in tables.
    pub const VALID: i16 = 0;
    /// Code of [`Status::OnHold`] in tables.
    pub const ON_HOLD: i16 = 1;
    /// Code of [`Status::Revoked`] in tables.
    pub const REVOKED: i16 = 2;

    /// The columns of a status, beside the moment of the change.
    pub fn columns(&self) -> StatusColumns {
        match self {
            Self::Valid => (Self::VALID, None, None),
            Self::OnHold { .. } => (Self::ON_HOLD, None, None),
            Self::Revoked {
                reason,
                invalidity_date,
                ..
            } => {
                let invalidity = invalidity_date.map(Timestamp::micros);
                (Self::REVOKED, Some(i16::from(reason.code())), invalidity)
            }
        }
    }

    /// The status of columns that [`Self::columns`] made; `None` for damaged ones.
    pub fn from_columns((code, reason, invalidity): StatusColumns, at: Timestamp) -> Option<Self> {
        match code {
            Self::VALID => Some(Self::Valid),
            Self::ON_HOLD => Some(Self::OnHold { since: at }),
            Self::REVOKED => Some(Self::Revoked {
                at,
                reason: RevocationReason::from_code(u8::try_from(reason?).ok()?)?,
                invalidity_date: invalidity.map(Timestamp::from_micros),
            }),
            _ => None,
        }
    }
}

/// RFC 5280 §5.3.1 without `certificateHold` (a state of ours) and `removeFromCRL` (an entry of
/// delta CRLs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// No reason given; encoded as absence.
    Unspecified,
    /// The private key may be in wrong hands.
    KeyCompromise,
    /// The CA's private key may be in wrong hands.
    CaCompromise,
    /// The subject's name or other facts changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// A right that it states was withdrawn.
    PrivilegeWithdrawn,
    /// An attribute authority's key may be in wrong hands.
    AaCompromise,
}

impl RevocationReason {
    /// All reasons with their API name and CRLReason code.
    pub const ALL: [(Self, &'static str, u8); 8] = [
        (Self::Unspecified, "unspecified", 0),
        (Self::KeyCompromise, "key_compromise", 1),
        (Self::CaCompromise, "ca_compromise", 2),
        (Self::AffiliationChanged, "affiliation_changed", 3),
        (Self::Superseded, "superseded", 4),
        (Self::CessationOfOperation, "cessation_of_operation", 5),
        (Self::PrivilegeWithdrawn, "privilege_withdrawn", 9),
        (Self::AaCompromise, "aa_compromise", 10),
    ];

    /// The CRLReason code.
    pub fn code(self) -> u8 {
        Self::ALL
            .iter()
            .find(|(reason, _, _)| *reason == self)
            .map_or(0, |(_, _, code)| *code)
    }

    /// The reason with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, _, known)| *known == code);
        found.map(|(reason, _, _)| *reason)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(reason, _, _)| reason == self);
        f.write_str(found.map_or("unspecified", |(_, name, _)| name))
    }
}

impl FromStr for RevocationReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name, _)| *name == text);
        found.map(|(reason, _, _)| *reason).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, name, _)| *name).collect();
            format!("the reason is one of {}", names.join(", "))
        })
    }
}
