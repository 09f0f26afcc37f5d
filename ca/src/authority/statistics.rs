//! Statistics: for people who ask, and as gauges.

use std::collections::BTreeMap;

use common::api::ca::{CertificateCount, DayCount, Expiring, RequestCount, Statistics};
use common::clock::Timestamp;
use common::x509::Status;

use super::Authority;
use crate::Error;
use crate::job::Outcome;
use crate::store::statistics;

/// Days that are told one by one.
const DAYS: i64 = 30;

/// Spans in which certificates end, days.
const SPANS: [u32; 3] = [1, 7, 30];

impl Authority {
    /// Numbers about what is on record now.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let now = self.clock.now();
        let today = Timestamp::from_seconds(now.seconds() / 86_400 * 86_400);
        let since = today.plus_days(1 - DAYS);
        self.database.read(|c| {
            let mut counts = BTreeMap::new();
            for (profile, status, has_ended, count) in statistics::certificates(c, now)? {
                *counts
                    .entry((profile, name(status, has_ended)))
                    .or_insert(0) += count;
            }
            let mut expiring = Vec::new();
            for days in SPANS {
                let until = now.plus_days(i64::from(days));
                let count = natural(statistics::expiring(c, now, until)?);
                expiring.push(Expiring { days, count });
            }
            Ok(Statistics {
                at: now,
                certificates: counts
                    .into_iter()
                    .map(|((profile, status), count)| CertificateCount {
                        profile,
                        status: status.into(),
                        count: natural(count),
                    })
                    .collect(),
                requests: statistics::requests(c)?
                    .into_iter()
                    .map(|(status, count)| RequestCount {
                        status,
                        count: natural(count),
                    })
                    .collect(),
                issued: by_day(statistics::issued(c, since)?),
                revoked: by_day(statistics::revoked(c, since)?),
                expiring,
            })
        })
    }

    /// Timed work: the same as gauges for Prometheus.
    pub fn measure(&self) -> Result<Outcome, Error> {
        let found = self.statistics()?;
        for one in &found.certificates {
            let labels = [
                ("profile", one.profile.clone()),
                ("status", one.status.clone()),
            ];
            metrics::gauge!("ca_certificates", &labels).set(number(one.count));
        }
        for one in &found.requests {
            let labels = [("status", one.status.clone())];
            metrics::gauge!("ca_requests", &labels).set(number(one.count));
        }
        for one in &found.expiring {
            let labels = [("days", one.days.to_string())];
            metrics::gauge!("ca_certificates_expiring", &labels).set(number(one.count));
        }
        let count: u64 = found.certificates.iter().map(|one| one.count).sum();
        Ok(Outcome::done(
            usize::try_from(count).unwrap_or(usize::MAX),
            format!("{count} certificates counted"),
        ))
    }
}

/// Expiry is no status of ours, but what people want to know; revocation outlasts it.
fn name(status: i16, has_ended: bool) -> &'static str {
    match (status, has_ended) {
        (Status::REVOKED, _) => "revoked",
        (Status::ON_HOLD, _) => "on_hold",
        (_, true) => "expired",
        (_, false) => "valid",
    }
}

fn natural(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// Gauges are floating-point numbers.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn by_day(days: Vec<(i64, i64)>) -> Vec<DayCount> {
    let day = |number: i64| Timestamp::from_seconds(number * 86_400).to_string();
    days.into_iter()
        .map(|(number, count)| DayCount {
            day: day(number).split('T').next().unwrap_or_default().to_owned(),
            count: natural(count),
        })
        .collect()
}
