//! `/account-exports`: everything an account holds, as a zip.
//!
//! One export at a time and one in 24 hours, otherwise the answer is 400 (`Account Export in
//! Progress`, `Too Many Account Exports`). It takes minutes to days. See
//! <https://mailchimp.com/developer/marketing/api/account-exports/>.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::client::Client;
use crate::endpoint::{collection, object};
use crate::error::{Error, Result};
use crate::fetched::Fetched;
use crate::field::{Timestamp, seconds};
use crate::open_enum::open_enum;
use crate::paging::PageRequest;
use crate::path::Path;
use crate::query::Query;
use crate::record::record;

/// The exports of an account; made by [`Client::account_exports`].
#[derive(Debug, Clone)]
pub struct AccountExports {
    client: Client,
}

impl AccountExports {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Begins an export. Not repeated once it may have been sent: a second one is refused.
    pub async fn create(&self, export: &NewExport) -> Result<Fetched<AccountExport>> {
        if export.include_stages.is_empty() {
            return Err(Error::request("include_stages", "are empty"));
        }
        let path = Path::new("/account-exports", &[])?;
        self.client.post(&path, &Query::new(), export).await
    }

    collection! {
        "/account-exports",
        "exports": AccountExport, PageRequest,
        /// One page of the exports of the last 90 days.
        page list,
        /// All exports of the last 90 days.
        stream stream,
    }

    object! {
        "/account-exports/{export_id}" (export_id: u64): AccountExport,
        /// One export. It is finished once [`AccountExport::finished`] has a value.
        get
    }
}

/// What to export.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
pub struct NewExport {
    /// Which parts; at least one.
    pub include_stages: Vec<ExportStage>,
    /// Only what came after this second. Default: everything.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub since_timestamp: Option<DateTime<Utc>>,
}

impl fmt::Debug for NewExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewExport")
            .field("include_stages", &self.include_stages)
            .field("since_timestamp", &self.since_timestamp)
            .finish()
    }
}

open_enum! {
    /// A part of an account.
    ExportStage {
        /// A CSV of members for each status; archived members are not documented to be there.
        Audiences = "audiences",
        /// Campaigns, as a CSV and their texts.
        Campaigns = "campaigns",
        /// Events.
        Events = "events",
        /// Stored files.
        GalleryFiles = "gallery_files",
        /// Reports.
        Reports = "reports",
        /// Templates, with their HTML.
        Templates = "templates",
    }
}

record! {
    /// An export.
    AccountExport {
        /// Id of the export.
        export_id: u64,
        /// When it began.
        started: Timestamp,
        /// When it was done; blank, `null` or absent before.
        finished: Timestamp,
        /// Size of what is in it, in bytes and before compression: not the size of the zip.
        size_in_bytes: u64,
        /// Signed link to the zip, for anyone who has it, valid for 90 days; blank before it is
        /// there. Another host than the API's: see [`Client::download`].
        download_url: String,
    }
}
