//! `/lists`: Mailchimp's name for audiences.

mod figures;
mod forms;
mod interests;
mod list;
mod merge_fields;
mod segments;
mod webhooks;

use chrono::{DateTime, Utc};
use futures::Stream;

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::error::Result;
use crate::fetched::Fetched;
use crate::field::JsonObject;
use crate::members::{Members, Tag};
use crate::open_enum::{SortDir, open_enum};
use crate::paging::{Collection, Page, PageRequest, Selection};
use crate::path::Path;
use crate::query::Query;

pub use figures::{
    AbuseReport, GrowthMonth, GrowthSort, ListClient, ListDay, ListGrowthHistory, ListLocation,
};
pub use forms::{SignupForm, SignupFormHeader, SignupFormOption, SignupFormStyle, SignupFormText};
pub use interests::{
    Interest, InterestCategories, InterestCategory, InterestCategoryType, ListInterestCategories,
};
pub use list::{CampaignDefaults, List, ListContact, ListStats, ListVisibility};
pub use merge_fields::{
    ListMergeFields, MergeField, MergeFieldOptions, MergeFieldType, MergeFields,
};
pub use segments::{
    GetSegment, ListSegmentMembers, ListSegments, Segment, SegmentInclude, SegmentOptions,
    SegmentType, Segments,
};
pub use webhooks::{Webhook, WebhookEvents, WebhookSources, WebhookWrite, Webhooks};

/// The audiences of an account; made by [`Client::lists`].
#[derive(Debug, Clone)]
pub struct Lists {
    client: Client,
}

impl Lists {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/lists",
        "lists": List, ListLists,
        /// One page of audiences.
        page list,
        /// All audiences that match.
        stream stream,
    }
}

open_enum! {
    /// What audiences can be sorted by.
    ListSort {
        /// Time of creation.
        DateCreated = "date_created",
    }
}

list_request! {
    /// Filters, order and page of [`Lists::list`].
    ListLists {
        /// Created in this second or before.
        before_date_created: DateTime<Utc>,
        /// Created after this second.
        since_date_created: DateTime<Utc>,
        /// Last campaign sent in this second or before.
        before_campaign_last_sent: DateTime<Utc>,
        /// Last campaign sent after this second.
        since_campaign_last_sent: DateTime<Utc>,
        /// Only audiences that have this address as a subscriber.
        email: String,
        /// Order. Without it the order is not documented.
        sort_field: ListSort,
        /// Direction of the order.
        sort_dir: SortDir,
        /// Only audiences with (or without) an active store.
        has_ecommerce_store: bool,
        /// Adds `stats.total_contacts`, an approximation.
        include_total_contacts: bool,
    }
}

/// One audience; made by [`Client::list`].
#[derive(Debug, Clone)]
pub struct ListHandle {
    client: Client,
    list_id: String,
}

impl ListHandle {
    pub(crate) fn new(client: Client, list_id: String) -> Self {
        Self { client, list_id }
    }

    /// The audience itself.
    pub async fn get(&self, request: &GetList) -> Result<Fetched<List>> {
        let mut query = Query::new();
        query.selection(&request.fields, &request.exclude_fields)?;
        query.flag("include_total_contacts", request.include_total_contacts);
        self.client
            .get(&Path::new("/lists/{list_id}", &[&self.list_id])?, &query)
            .await
    }

    /// Its members.
    pub fn members(&self) -> Members {
        Members::new(self.client.clone(), self.list_id.clone())
    }

    /// What it stores about its members.
    pub fn merge_fields(&self) -> MergeFields {
        MergeFields::new(self.client.clone(), self.list_id.clone())
    }

    /// Its groups.
    pub fn interest_categories(&self) -> InterestCategories {
        InterestCategories::new(self.client.clone(), self.list_id.clone())
    }

    /// Its segments.
    pub fn segments(&self) -> Segments {
        Segments::new(self.client.clone(), self.list_id.clone())
    }

    /// Its webhooks.
    pub fn webhooks(&self) -> Webhooks {
        Webhooks::new(self.client.clone(), self.list_id.clone())
    }

    collection! {
        "/lists/{list_id}/growth-history" [self.list_id],
        "history": GrowthMonth, ListGrowthHistory,
        /// One page of its growth, month by month.
        page growth_history,
        /// All of its growth.
        stream growth_history_stream,
    }

    object! {
        "/lists/{list_id}/growth-history/{month}" [self.list_id] (month: &str): GrowthMonth,
        /// Its growth in one month, as `YYYY-MM`.
        growth_in
    }

    collection! {
        "/lists/{list_id}/activity" [self.list_id],
        "activity": ListDay, PageRequest,
        /// One page of what happened in it, day by day, up to 180 days back.
        page activity,
        /// All days up to 180 days back.
        stream activity_stream,
    }

    collection! {
        "/lists/{list_id}/abuse-reports" [self.list_id],
        "abuse_reports": AbuseReport, PageRequest,
        /// One page of its complaints.
        page abuse_reports,
        /// All its complaints.
        stream abuse_reports_stream,
    }

    object! {
        "/lists/{list_id}/abuse-reports/{report_id}" [self.list_id] (report_id: u64): AbuseReport,
        /// One complaint.
        abuse_report
    }

    collection! {
        "/lists/{list_id}/clients" [self.list_id],
        "clients": ListClient, PageRequest,
        /// The mail programs most used by its subscribers. Pages are not documented here.
        page clients,
    }

    collection! {
        "/lists/{list_id}/locations" [self.list_id],
        "locations": ListLocation, PageRequest,
        /// The countries most of its subscribers live in. Pages are not documented here.
        page locations,
    }

    collection! {
        "/lists/{list_id}/signup-forms" [self.list_id],
        "signup_forms": SignupForm, PageRequest,
        /// Its sign-up forms. Pages are not documented here.
        page signup_forms,
    }

    object! {
        "/lists/{list_id}/surveys" [self.list_id]: JsonObject,
        /// Its surveys. The answer is not documented, so it comes as it is; reports of surveys
        /// are: see [`crate::Reporting::surveys`].
        surveys
    }

    object! {
        "/lists/{list_id}/surveys/{survey_id}" [self.list_id] (survey_id: &str): JsonObject,
        /// One survey. The answer is not documented, so it comes as it is.
        survey
    }

    /// One page of its tags. `name` is the beginning of their names, in any case; all without it.
    ///
    /// The page is not documented for this endpoint, but honoured by the live API.
    pub async fn search_tags(
        &self,
        name: Option<&str>,
        page: &PageRequest,
    ) -> Result<Fetched<Page<Tag>>> {
        self.tags()?.page(tag_selection(name, page)?).await
    }

    /// All tags whose names begin with `name`, in any case; all without it.
    pub fn tag_stream(
        &self,
        name: Option<&str>,
        page: &PageRequest,
    ) -> Result<impl Stream<Item = Result<Tag>> + Send + 'static + use<>> {
        Ok(self.tags()?.stream(tag_selection(name, page)?))
    }

    fn tags(&self) -> Result<Collection> {
        let path = Path::new("/lists/{list_id}/tag-search", &[&self.list_id])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "tags",
        })
    }
}

fn tag_selection(name: Option<&str>, page: &PageRequest) -> Result<Selection> {
    let mut selection = page.selection()?;
    selection.filters.text("name", name);
    Ok(selection)
}

/// What [`ListHandle::get`] sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetList {
    /// Members of the answer to send, without a prefix.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Adds `stats.total_contacts`, an approximation.
    pub include_total_contacts: Option<bool>,
}
