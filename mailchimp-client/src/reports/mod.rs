//! `/reports`: what became of the campaigns that were sent.
//!
//! Figures move for months after a campaign was sent, so the time of sending says nothing about
//! whether a report is up to date.

mod activity;
mod clicks;
mod figures;
mod recipients;
mod report;

use chrono::{DateTime, Utc};

use crate::campaigns::CampaignKind;
use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::error::Result;
use crate::fetched::Fetched;
use crate::lists::AbuseReport;
use crate::members::segment;
use crate::open_enum::{SortDir, open_enum};
use crate::paging::PageRequest;
use crate::path::Path;
use crate::query::{FieldSelection, Query};

pub use activity::{
    BounceKind, EmailActivity, EmailEvent, EmailEventAction, OpenDetail, OpenEvent,
};
pub use clicks::{ClickMember, ClickedLink, LinkAbSplit, LinkHalfA, LinkHalfB};
pub use figures::{
    Advice, AdviceKind, DomainPerformance, EepurlClicks, EepurlPlace, EepurlReferrer, EepurlReport,
    EepurlTweet, EepurlTwitter, ProductActivity, ReportLocation,
};
pub use recipients::{AbSplitGroup, SendStatus, SentTo, Unsubscribe};
pub use report::{
    FacebookLikes, Report, ReportAbHalf, ReportAbSplit, ReportBounces, ReportClicks,
    ReportEcommerce, ReportForwards, ReportIndustryStats, ReportListStats, ReportOpens,
    ShareReport, TimeseriesPoint, TimewarpGroup,
};

/// The reports of an account; made by [`Client::reports`].
#[derive(Debug, Clone)]
pub struct Reports {
    client: Client,
}

impl Reports {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/reports",
        "reports": Report, ListReports,
        /// One page of reports: one of each campaign that was sent. Drafts have none.
        page list,
        /// All reports that match.
        stream stream,
    }
}

list_request! {
    /// Filters and page of [`Reports::list`]. There is no order to ask for.
    ListReports {
        /// Only campaigns of this kind.
        kind as "type": CampaignKind,
        /// Sent in this second or before.
        before_send_time: DateTime<Utc>,
        /// Sent after this second.
        since_send_time: DateTime<Utc>,
    }
}

/// The report of one campaign; made by [`Client::report`].
///
/// Where a method takes a `key`, that is the subscriber hash or the address of a member. An
/// address is sent as its hash.
#[derive(Debug, Clone)]
pub struct ReportHandle {
    client: Client,
    campaign_id: String,
}

impl ReportHandle {
    pub(crate) fn new(client: Client, campaign_id: String) -> Self {
        Self {
            client,
            campaign_id,
        }
    }

    object! {
        "/reports/{campaign_id}" [self.campaign_id]: Report,
        /// The report itself.
        get
    }

    collection! {
        "/reports/{campaign_id}/sub-reports" [self.campaign_id],
        "reports": Report, PageRequest,
        /// Reports of the campaigns made from this one, as by a feed. Pages are not documented
        /// here.
        page sub_reports,
        /// All reports of the campaigns made from this one.
        stream sub_reports_stream,
    }

    collection! {
        "/reports/{campaign_id}/email-activity" [self.campaign_id],
        "emails": EmailActivity, ListEmailActivity,
        /// One page of what recipients did: one row each, with their opens, clicks and first
        /// bounce.
        ///
        /// A campaign that was not sent has an empty page. There are no opt-outs in here, and at
        /// most 1,000 opens and 1,000 clicks of one recipient.
        page email_activity,
        /// What all recipients did. The order is not documented, so a walk that broke off has to
        /// begin anew.
        stream email_activity_stream,
    }

    /// What one recipient did. `since` leaves out its own second.
    pub async fn email_activity_of(
        &self,
        key: &str,
        since: Option<DateTime<Utc>>,
        request: &FieldSelection,
    ) -> Result<Fetched<EmailActivity>> {
        const ONE: &str = "/reports/{campaign_id}/email-activity/{subscriber_hash}";
        let mut query = request.query()?;
        query.time("since", since);
        self.member(ONE, key, &query).await
    }

    collection! {
        "/reports/{campaign_id}/open-details" [self.campaign_id],
        "members": OpenDetail, ListOpenDetails,
        /// One page of the recipients who opened the campaign, with each open. The envelope has
        /// `total_opens` and `total_proxy_excluded_opens`.
        page open_details,
        /// All recipients who opened the campaign.
        stream open_details_stream,
    }

    /// The opens of one recipient.
    pub async fn open_details_of(
        &self,
        key: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<OpenDetail>> {
        const ONE: &str = "/reports/{campaign_id}/open-details/{subscriber_hash}";
        self.member(ONE, key, &request.query()?).await
    }

    collection! {
        "/reports/{campaign_id}/click-details" [self.campaign_id],
        "urls_clicked": ClickedLink, ListClickDetails,
        /// One page of the links of the campaign, with their clicks.
        page click_details,
        /// All links of the campaign.
        stream click_details_stream,
    }

    object! {
        "/reports/{campaign_id}/click-details/{link_id}" [self.campaign_id] (link_id: &str):
            ClickedLink,
        /// One link.
        link
    }

    collection! {
        "/reports/{campaign_id}/click-details/{link_id}/members"
            [self.campaign_id] (link_id: &str),
        "members": ClickMember, PageRequest,
        /// One page of the recipients who clicked on a link.
        page link_members,
        /// All recipients who clicked on a link.
        stream link_members_stream,
    }

    /// One recipient who clicked on a link.
    pub async fn link_member(
        &self,
        link_id: &str,
        key: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<ClickMember>> {
        const ONE: &str =
            "/reports/{campaign_id}/click-details/{link_id}/members/{subscriber_hash}";
        let path = Path::new(ONE, &[&self.campaign_id, link_id, &segment(key)])?;
        self.client.get(&path, &request.query()?).await
    }

    collection! {
        "/reports/{campaign_id}/sent-to" [self.campaign_id],
        "sent_to": SentTo, PageRequest,
        /// One page of the recipients.
        page sent_to,
        /// All recipients.
        stream sent_to_stream,
    }

    /// One recipient.
    pub async fn sent_to_member(
        &self,
        key: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<SentTo>> {
        const ONE: &str = "/reports/{campaign_id}/sent-to/{subscriber_hash}";
        self.member(ONE, key, &request.query()?).await
    }

    collection! {
        "/reports/{campaign_id}/unsubscribed" [self.campaign_id],
        "unsubscribes": Unsubscribe, PageRequest,
        /// One page of those who opted out through this campaign.
        page unsubscribed,
        /// All who opted out through this campaign.
        stream unsubscribed_stream,
    }

    /// The opt-out of one recipient.
    pub async fn unsubscribed_member(
        &self,
        key: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<Unsubscribe>> {
        const ONE: &str = "/reports/{campaign_id}/unsubscribed/{subscriber_hash}";
        self.member(ONE, key, &request.query()?).await
    }

    collection! {
        "/reports/{campaign_id}/abuse-reports" [self.campaign_id],
        "abuse_reports": AbuseReport, PageRequest,
        /// Complaints about the campaign. Pages are not documented here.
        page abuse_reports,
        /// All complaints about the campaign.
        stream abuse_reports_stream,
    }

    object! {
        "/reports/{campaign_id}/abuse-reports/{report_id}"
            [self.campaign_id] (report_id: u64): AbuseReport,
        /// One complaint.
        abuse_report
    }

    collection! {
        "/reports/{campaign_id}/locations" [self.campaign_id],
        "locations": ReportLocation, PageRequest,
        /// One page of the regions the campaign was opened in.
        page locations,
        /// All regions the campaign was opened in.
        stream locations_stream,
    }

    collection! {
        "/reports/{campaign_id}/domain-performance" [self.campaign_id],
        "domains": DomainPerformance, PageRequest,
        /// The five mail domains with the most recipients. The envelope has `total_sent`. Pages
        /// are not documented here.
        page domain_performance,
    }

    collection! {
        "/reports/{campaign_id}/advice" [self.campaign_id],
        "advice": Advice, PageRequest,
        /// What Mailchimp advises. Pages are not documented here.
        page advice,
    }

    object! {
        "/reports/{campaign_id}/eepurl" [self.campaign_id]: EepurlReport,
        /// What became of the campaign's short address on Twitter and elsewhere.
        eepurl
    }

    collection! {
        "/reports/{campaign_id}/ecommerce-product-activity" [self.campaign_id],
        "products": ProductActivity, ListProductActivity,
        /// One page of the products bought through the campaign.
        page product_activity,
        /// All products bought through the campaign.
        stream product_activity_stream,
    }

    async fn member<T: serde::de::DeserializeOwned>(
        &self,
        template: &'static str,
        key: &str,
        query: &Query,
    ) -> Result<Fetched<T>> {
        let path = Path::new(template, &[&self.campaign_id, &segment(key)])?;
        self.client.get(&path, query).await
    }
}

list_request! {
    /// Filters and page of [`ReportHandle::email_activity`]. There is no order to ask for.
    ListEmailActivity {
        /// Only events after this second.
        ///
        /// This takes events out of the rows, and never rows out of the page: a recipient without
        /// such events comes with an empty `activity`, so the cost is that of all recipients.
        /// [`ReportOpens::last_open`] and [`ReportClicks::last_click`] tell beforehand whether
        /// there is anything to fetch, except bounces, which move neither.
        since: DateTime<Utc>,
    }
}

open_enum! {
    /// What open details can be sorted by.
    OpenDetailSort {
        /// Number of opens.
        OpensCount = "opens_count",
    }
}

list_request! {
    /// Filters, order and page of [`ReportHandle::open_details`].
    ListOpenDetails {
        /// Only opens after this second.
        since: DateTime<Utc>,
        /// Order. Without it the order is not documented.
        sort_field: OpenDetailSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

open_enum! {
    /// What click details can be sorted by.
    ClickDetailSort {
        /// Clicks.
        TotalClicks = "total_clicks",
        /// People who clicked.
        UniqueClicks = "unique_clicks",
    }
}

list_request! {
    /// Order and page of [`ReportHandle::click_details`].
    ListClickDetails {
        /// Order. Without it the order is not documented.
        sort_field: ClickDetailSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

open_enum! {
    /// What product activity can be sorted by.
    ProductActivitySort {
        /// Title of the product.
        Title = "title",
        /// Revenue.
        TotalRevenue = "total_revenue",
        /// Pieces sold.
        TotalPurchased = "total_purchased",
    }
}

list_request! {
    /// Order and page of [`ReportHandle::product_activity`]. The direction cannot be chosen.
    ListProductActivity {
        /// Order. Without it the order is not documented.
        sort_field: ProductActivitySort,
    }
}
