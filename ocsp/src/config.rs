//! The responder's settings.

use std::time::Duration;

use common::config::{Setting, Settings};

/// Every setting of the responder.
pub const SETTINGS: [Setting; 2] = [
    Setting {
        key: "ocsp.validity_minutes",
        value: "MINUTES",
        help: "Time from thisUpdate to nextUpdate of an answer [default: 60]",
    },
    Setting {
        key: "ocsp.stale_after_seconds",
        value: "SECONDS",
        help: "Without news from the CA for so long the answer is tryLater [default: 60]",
    },
];

/// Validated settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// From thisUpdate to nextUpdate.
    pub validity_minutes: i64,
    /// Longest silence of the CA that is trusted.
    pub stale_after: Duration,
}

impl Config {
    /// Reads and checks the values in force.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let validity_minutes = settings.get_or("ocsp.validity_minutes", 60)?;
        let stale_after_seconds = settings.get_or("ocsp.stale_after_seconds", 60)?;
        if !(2..=7 * 24 * 60).contains(&validity_minutes) {
            return Err("ocsp.validity_minutes: must be from 2 to 10080".into());
        }
        if !(20..=86_400).contains(&stale_after_seconds) {
            return Err("ocsp.stale_after_seconds: must be from 20 to 86400".into());
        }
        Ok(Self {
            validity_minutes,
            stale_after: Duration::from_secs(stale_after_seconds),
        })
    }
}
