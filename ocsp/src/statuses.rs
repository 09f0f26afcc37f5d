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

/// Statuses by authority and serial number.
#[derive(Debug, Default)]
pub struct Statuses(RwLock<HashMap<String, HashMap<SerialNumber, Known>>>);

impl Statuses {
    /// The status of a certificate; `None` when it was never issued, as far as we know.
    pub fn find(&self, authority: &str, serial: &SerialNumber) -> Option<Known> {
        let statuses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        statuses.get(authority)?.get(serial).copied()
    }

    /// The status of a certificate of whatever authority of ours.
    pub fn find_any(&self, serial: &SerialNumber) -> Option<Known> {
        let statuses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        statuses
            .values()
            .find_map(|known| known.get(serial))
            .copied()
    }

    /// Takes changes over, in their order.
    pub fn apply<'a>(&self, changes: impl IntoIterator<Item = (&'a str, SerialNumber, Known)>) {
        let mut statuses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (authority, serial, known) in changes {
            match statuses.get_mut(authority) {
                Some(of_authority) => {
                    of_authority.insert(serial, known);
                }
                None => {
                    statuses.insert(authority.to_owned(), HashMap::from([(serial, known)]));
                }
            }
        }
    }

    /// How many certificates are known.
    pub fn count(&self) -> usize {
        let statuses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        statuses.values().map(HashMap::len).sum()
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
