//! `chancery statistics`.

use clap::Args;
use common::api::ca::{DayCount, Statistics};

use crate::error::Error;
use crate::output::{self, Listing};
use crate::service::Service;

/// Numbers about certificates and requests.
#[derive(Debug, Args)]
pub(crate) struct Numbers {}

impl Numbers {
    /// Shows them.
    pub(crate) fn run(&self, service: &Service) -> Result<(), Error> {
        output::show(service.json, &service.endpoint()?.statistics()?, listing)
    }
}

fn listing(found: &Statistics) -> Listing {
    let certificates = found.certificates.iter();
    let certificates =
        certificates.map(|one| format!("{} {} {}", one.count, one.status, one.profile));
    let requests = found.requests.iter();
    let requests = requests.map(|one| format!("{} {}", one.count, one.status));
    let expiring = found.expiring.iter();
    let expiring = expiring.map(|one| format!("{} within {} days", one.count, one.days));
    let days = |days: &[DayCount]| {
        let line = |one: &DayCount| format!("{} {}", one.day, one.count);
        days.iter().map(line).collect::<Vec<_>>()
    };
    Listing::default()
        .line("counted", found.at)
        .all("certificates", certificates)
        .all("requests", requests)
        .all("expiring", expiring)
        .all("issued", days(&found.issued))
        .all("revoked", days(&found.revoked))
}
