//! `/campaigns`: mailings, from draft to sent.

mod campaign;
mod content;
mod variants;

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::error::Result;
use crate::fetched::Fetched;
use crate::open_enum::{SortDir, open_enum};
use crate::paging::PageRequest;
use crate::path::Path;
use crate::query::Query;

pub use campaign::{
    Campaign, CampaignContentType, CampaignKind, CampaignRecipients, CampaignSettings,
    CampaignStatus, CampaignTracking, CapsuleTracking, DeliveryState, DeliveryStatus,
    ReportSummary, ResendEligibility, ResendShortcut, ResendShortcutUsage, ResentCampaign,
    SalesforceTracking, SegmentOpts, SocialCard, SummaryEcommerce,
};
pub use content::{CampaignContent, CampaignFeedback, FeedbackSource, VariateContent};
pub use variants::{
    AbSplitOpts, RssDailySend, RssFrequency, RssOpts, RssSchedule, VariateCombination,
    VariateSettings, WinnerCriteria,
};

/// The campaigns of an account; made by [`Client::campaigns`].
#[derive(Debug, Clone)]
pub struct Campaigns {
    client: Client,
}

impl Campaigns {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/campaigns",
        "campaigns": Campaign, ListCampaigns,
        /// One page of campaigns, of every status unless one is asked for.
        page list,
        /// All campaigns that match.
        ///
        /// There is no filter by time of change: status, counters and `send_time` change later,
        /// and a deleted campaign leaves no trace. Only a full read sees that.
        stream stream,
    }

    /// One campaign.
    pub async fn get(&self, campaign_id: &str, request: &GetCampaign) -> Result<Fetched<Campaign>> {
        let mut query = Query::new();
        query.selection(&request.fields, &request.exclude_fields)?;
        query.flag(
            "include_resend_shortcut_eligibility",
            request.include_resend_shortcut_eligibility,
        );
        query.flag(
            "include_resend_shortcut_usage",
            request.include_resend_shortcut_usage,
        );
        let path = Path::new("/campaigns/{campaign_id}", &[campaign_id])?;
        self.client.get(&path, &query).await
    }

    object! {
        "/campaigns/{campaign_id}/content" (campaign_id: &str): CampaignContent,
        /// The text of a campaign.
        content
    }

    collection! {
        "/campaigns/{campaign_id}/feedback" (campaign_id: &str),
        "feedback": CampaignFeedback, PageRequest,
        /// What colleagues wrote about a campaign. Pages are not documented here.
        page feedback,
        /// All that colleagues wrote about a campaign.
        stream feedback_stream,
    }

    object! {
        "/campaigns/{campaign_id}/feedback/{feedback_id}" (campaign_id: &str, feedback_id: u64):
            CampaignFeedback,
        /// One piece of feedback.
        feedback_entry
    }
}

open_enum! {
    /// What campaigns can be sorted by.
    CampaignSort {
        /// Time of creation.
        CreateTime = "create_time",
        /// Time of sending.
        SendTime = "send_time",
    }
}

list_request! {
    /// Filters, order and page of [`Campaigns::list`].
    ///
    /// `since_*` leaves out its own second and `before_*` includes it, as seen on the live API.
    ListCampaigns {
        /// Only this kind.
        kind as "type": CampaignKind,
        /// Only this status. The filter knows `save`, `paused`, `schedule`, `sending` and `sent`
        /// alone, while records have more.
        status: CampaignStatus,
        /// Sent in this second or before.
        before_send_time: DateTime<Utc>,
        /// Sent after this second.
        since_send_time: DateTime<Utc>,
        /// Created in this second or before.
        before_create_time: DateTime<Utc>,
        /// Created after this second.
        since_create_time: DateTime<Utc>,
        /// Only campaigns to this audience.
        list_id: String,
        /// Only campaigns in this folder.
        folder_id: String,
        /// Only campaigns sent to this member, by subscriber hash.
        member_id: String,
        /// Order. Without it the order is not documented.
        sort_field: CampaignSort,
        /// Direction of the order.
        sort_dir: SortDir,
        /// Adds [`Campaign::resend_shortcut_eligibility`].
        include_resend_shortcut_eligibility: bool,
    }
}

/// What [`Campaigns::get`] sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetCampaign {
    /// Members of the answer to send, without a prefix.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Adds [`Campaign::resend_shortcut_eligibility`].
    pub include_resend_shortcut_eligibility: Option<bool>,
    /// Adds [`Campaign::resend_shortcut_usage`].
    pub include_resend_shortcut_usage: Option<bool>,
}
