//! `/landing-pages`: pages made with Mailchimp.

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::field::Timestamp;
use crate::open_enum::{SortDir, open_enum};
use crate::record::record;

/// The landing pages of an account; made by [`Client::landing_pages`].
#[derive(Debug, Clone)]
pub struct LandingPages {
    client: Client,
}

impl LandingPages {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/landing-pages",
        "landing_pages": LandingPage, ListLandingPages,
        /// One page of landing pages. `offset` is not documented here.
        page list,
        /// All landing pages.
        stream stream,
    }

    object! {
        "/landing-pages/{page_id}" (page_id: &str): LandingPage,
        /// One landing page.
        get
    }

    object! {
        "/landing-pages/{page_id}/content" (page_id: &str): LandingPageContent,
        /// What stands on a landing page.
        content
    }
}

open_enum! {
    /// What landing pages can be sorted by.
    LandingPageSort {
        /// Time of creation.
        CreatedAt = "created_at",
        /// Time of the last change.
        UpdatedAt = "updated_at",
    }
}

list_request! {
    /// Order and page of [`LandingPages::list`].
    ListLandingPages {
        /// Order. Without it the order is not documented.
        sort_field: LandingPageSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

open_enum! {
    /// Whether a landing page can be seen.
    LandingPageStatus {
        /// It can.
        Published = "published",
        /// It could.
        Unpublished = "unpublished",
        /// It never could.
        Draft = "draft",
    }
}

record! {
    /// A landing page.
    LandingPage {
        /// Id of the page.
        id: String,
        /// Name, seen by the account alone.
        name: String,
        /// Title, seen by visitors.
        title: String,
        /// Description.
        description: String,
        /// Its template.
        template_id: u64,
        /// Whether it can be seen.
        status: LandingPageStatus,
        /// The audience of its form.
        list_id: String,
        /// Its store.
        store_id: String,
        /// Id in the web application.
        web_id: u64,
        /// Where it was made.
        created_by_source: String,
        /// Where it is.
        url: String,
        /// When it was made.
        created_at: Timestamp,
        /// When it was published; blank when it never was.
        published_at: Timestamp,
        /// When that ended; blank when it did not.
        unpublished_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
        /// What is tracked.
        tracking: LandingPageTracking,
    }
}

record! {
    /// What a landing page tracks.
    LandingPageTracking {
        /// Whether visits are counted.
        track_with_mailchimp: bool,
        /// Whether data of visitors are used in a restricted way only.
        enable_restricted_data_processing: bool,
    }
}

record! {
    /// What stands on a landing page.
    LandingPageContent {
        /// HTML.
        html: String,
        /// The same as JSON in a text.
        json: String,
    }
}
