//! Every status that we know, in memory.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use common::clock::Timestamp;
use common::x509::{RevocationReason, SerialNumber, Status};

/// What is known of one certificate, in few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its status.
    pub status: Status,
    /// The end of the certificate.
    pub not_after: Timestamp,
}

/// Statuses by serial number, of one authority.
#[derive(Debug, Default)]
pub struct Statuses(RwLock<HashMap<SerialNumber, Known>>);

impl Statuses {
    /// The status of a certificate; `None` when it was never issued, as far as we know.
    pub fn find(&self, serial: &SerialNumber) -> Option<Known> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(serial)
            .copied()
    }

    /// Takes changes over, in their order.
    pub fn apply(&self, changes: impl IntoIterator<Item = (SerialNumber, Known)>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(changes);
    }

    /// How many certificates are known.
    pub fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A status from its words in the journal.
pub fn read_status(name: &str, at: Timestamp, reason: Option<&str>) -> Option<Status> {
    match name {
        "valid" => Some(Status::Valid),
        "on_hold" => Some(Status::OnHold { since: at }),
        "revoked" => Some(Status::Revoked {
            at,
            reason: reason
                .map_or(Ok(RevocationReason::Unspecified), str::parse)
                .ok()?,
            invalidity_date: None,
        }),
        _ => None,
    }
}
