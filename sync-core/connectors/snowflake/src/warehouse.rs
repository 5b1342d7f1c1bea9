//! The warehouse: where the tables are, and who writes and reads there.

use std::fmt;
use std::sync::Arc;

use sync_core::{Clock, Result};

use crate::connector::Connector;
use crate::error::translate;
use crate::readback::SnowflakeReadback;
use crate::schema::{Schema, Turns};
use crate::settings::{Credential, SnowflakeSettings};
use crate::sink::SnowflakeSink;
use crate::transport::RetryPolicy;
use crate::views;

/// One schema of a database at Snowflake. Clones are the same. Each sink has a session of its own, made when it is needed.
#[derive(Clone)]
pub struct SnowflakeWarehouse {
    connector: Arc<Connector>,
    turns: Turns,
}

impl SnowflakeWarehouse {
    /// The schema that these settings name. Makes no request.
    ///
    /// The clock tells when a login with a key pair was signed; Snowflake bears a minute or so between it and its own.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config) if a setting is wrong, or the private key cannot be read.
    pub fn new(
        settings: SnowflakeSettings,
        credential: Credential,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Self::with_retry(settings, credential, clock, RetryPolicy::default())
    }

    /// The same, with failed requests repeated in another way than by default.
    ///
    /// # Errors
    /// As [`SnowflakeWarehouse::new`].
    pub fn with_retry(
        settings: SnowflakeSettings,
        credential: Credential,
        clock: Arc<dyn Clock>,
        retry: RetryPolicy,
    ) -> Result<Self> {
        Ok(Self {
            connector: Arc::new(Connector::new(settings, credential, clock, retry)?),
            turns: Turns::default(),
        })
    }

    /// Where it is.
    pub fn settings(&self) -> &SnowflakeSettings {
        &self.connector.settings
    }

    /// A sink into this schema. Any number of them may write at once, to the same tables, too, as long as they come from
    /// clones of one warehouse: they take turns at each table.
    pub fn sink(&self) -> SnowflakeSink {
        SnowflakeSink::new(self.connector.clone(), self.turns.clone())
    }

    /// Reads back what is stored. It sees what was flushed, also while sinks write.
    pub fn readback(&self) -> SnowflakeReadback {
        SnowflakeReadback::new(self.connector.clone())
    }

    /// Makes the views `CONTACT`, `CAMPAIGN`, `ENGAGEMENT` and `AUDIENCE_GROWTH`, those that there are tables for, and names
    /// those that are there afterwards.
    ///
    /// A view shows the columns that there are when it is made: call this again after a run. A view that is up to date is
    /// left as it is; one of the same name that somebody else made, too.
    ///
    /// # Errors
    /// As those of a flush.
    pub async fn create_views(&self) -> Result<Vec<String>> {
        let schema = Schema::new(self.connector.clone());
        let made = views::create(&schema).await;
        made.map_err(|error| translate("make views", error))
    }
}

impl fmt::Debug for SnowflakeWarehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the user: a login name may be an address.
        f.debug_struct("SnowflakeWarehouse")
            .field("account", &self.settings().account)
            .field("database", &self.settings().database)
            .field("schema", &self.settings().schema)
            .finish_non_exhaustive()
    }
}
