//! The schema that is written to.

use std::fmt;
use std::sync::Arc;

use sync_core::Result;

use crate::link::Link;
use crate::readback::PostgresReadback;
use crate::session::Connector;
use crate::settings::PostgresSettings;
use crate::sink::PostgresSink;
use crate::views::CreateViews;

/// One schema of a database. Clones are the same. It has no connection of its own: each sink has one.
#[derive(Clone)]
pub struct PostgresWarehouse {
    connector: Arc<Connector>,
}

impl PostgresWarehouse {
    /// The schema that these settings name. Does not connect.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config) if the settings cannot work, or the file of certificates cannot be
    /// read.
    pub fn new(settings: PostgresSettings) -> Result<Self> {
        Ok(Self {
            connector: Arc::new(Connector::new(settings)?),
        })
    }

    /// Where it is.
    pub fn settings(&self) -> &PostgresSettings {
        self.connector.settings()
    }

    /// A sink into this schema. Any number of them may write at once, to the same tables, too.
    pub fn sink(&self) -> PostgresSink {
        PostgresSink::new(self.connector.clone())
    }

    /// Reads back what is stored. It sees what was flushed, also while sinks write.
    pub fn readback(&self) -> PostgresReadback {
        PostgresReadback::new(self.connector.clone())
    }

    /// Makes the views for analytics, for those tables that are there, and says which there are now.
    ///
    /// A view shows the columns that there are when it is made: call this again after a run. A view that is up to date is
    /// left as it is; one of the same name that somebody else made, too.
    ///
    /// # Errors
    /// As those of a flush.
    pub async fn create_views(&self) -> Result<Vec<String>> {
        Link::new(self.connector.clone())
            .perform(&CreateViews)
            .await
    }
}

/// Shows the settings; no password.
impl fmt::Debug for PostgresWarehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresWarehouse")
            .field("settings", self.settings())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_it_shows_the_password() {
        let url = "postgres://ada:hunter2@localhost/analytics";
        let warehouse = PostgresWarehouse::new(PostgresSettings::from_url(url).unwrap()).unwrap();
        let (sink, readback) = (warehouse.sink(), warehouse.readback());
        let shown = format!("{warehouse:?} {sink:?} {readback:?}");
        assert!(
            shown.contains("analytics") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
