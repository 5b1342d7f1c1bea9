//! How streams are read.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};

/// Settings of a [`StreamSource`](super::StreamSource).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSettings {
    /// Days before the newest record that each run reads again, where the API filters by the time a record was made: what a
    /// campaign's figures do in this time shows in every run. Default 30.
    pub lookback_days: u32,
    /// Days between two reads of everything, whatever filters and gates say. Figures that move later than the look-back show
    /// with these. Default 7, at least 1.
    pub full_read_days: u32,
    /// Parents, such as campaigns, that are read at once. Requests in flight are limited by the client. Default 16.
    pub parents_at_once: usize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            lookback_days: 30,
            full_read_days: 7,
            parents_at_once: 16,
        }
    }
}

impl StreamSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the field and what it may be.
    pub fn validate(&self) -> Result<()> {
        let invalid = |field: &'static str, message: &'static str| {
            Err(Error::new(ErrorKind::Config, "check settings", message).with("field", field))
        };
        if self.lookback_days > 3650 {
            return invalid("lookback_days", "must be at most 3650");
        }
        if !(1..=3650).contains(&self.full_read_days) {
            return invalid("full_read_days", "must be 1 to 3650");
        }
        if !(1..=64).contains(&self.parents_at_once) {
            return invalid("parents_at_once", "must be 1 to 64");
        }
        Ok(())
    }

    pub(super) fn lookback(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.lookback_days))
    }

    pub(super) fn full_read(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.full_read_days))
    }
}
