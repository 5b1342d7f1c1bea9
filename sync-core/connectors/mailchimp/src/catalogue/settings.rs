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
    /// Hours between two reads of a stream of which nothing tells whether it changed and that costs a call for each of many
    /// parents: `segment_members`. 0 reads it in every run. Default 24.
    pub periodic_hours: u32,
    /// Parents, such as campaigns, that are read at once. Requests in flight are limited by the client. Default 16.
    pub parents_at_once: usize,
    /// How the stream `email_activity` is read. Default [`ActivityBy::Auto`].
    pub email_activity_by: ActivityBy,
    /// With [`ActivityBy::Auto`], how many small campaigns must be due for batches to be sent. Default 1000.
    pub batch_from: usize,
    /// Campaigns in one batch. While it runs, batches of whoever else uses the account wait. Default 500, at most 1000.
    pub batch_operations: usize,
}

/// How the activity of campaigns is asked for. [`batches`](crate::batches) says what each costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityBy {
    /// By batches when many campaigns are due whose recipients fit into one page; others, and fewer, by pages.
    #[default]
    Auto,
    /// By pages.
    Pages,
    /// By batches, and by pages what follows the first thousand recipients of a campaign.
    Batches,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            lookback_days: 30,
            full_read_days: 7,
            periodic_hours: 24,
            parents_at_once: 16,
            email_activity_by: ActivityBy::Auto,
            batch_from: 1000,
            batch_operations: 500,
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
        if self.periodic_hours > 24 * 3650 {
            return invalid("periodic_hours", "must be at most 87600");
        }
        if !(1..=64).contains(&self.parents_at_once) {
            return invalid("parents_at_once", "must be 1 to 64");
        }
        if self.batch_from == 0 {
            return invalid("batch_from", "must be at least 1");
        }
        if !(1..=1000).contains(&self.batch_operations) {
            return invalid("batch_operations", "must be 1 to 1000");
        }
        Ok(())
    }

    pub(super) fn lookback(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.lookback_days))
    }

    pub(super) fn full_read(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.full_read_days))
    }

    pub(super) fn period(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.periodic_hours))
    }
}
