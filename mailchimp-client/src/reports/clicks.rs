//! Links of a campaign and who clicked on them.

use serde_json::Number;

use crate::field::{JsonObject, Timestamp};
use crate::record::record;

record! {
    /// A link of a campaign.
    ClickedLink {
        /// Id of the link in this campaign.
        id: String,
        /// Where it leads.
        url: String,
        /// Clicks.
        total_clicks: u64,
        /// Share of all clicks of the campaign. The scale is not documented.
        click_percentage: Number,
        /// People who clicked.
        unique_clicks: u64,
        /// Their share. The scale is not documented.
        unique_click_percentage: Number,
        /// When the last click was; blank until there is one.
        last_click: Timestamp,
        /// The halves of an `absplit` campaign.
        ab_split: LinkAbSplit,
        /// The campaign.
        campaign_id: String,
    }
}

record! {
    /// A link in the halves of an `absplit` campaign.
    LinkAbSplit {
        /// Half A.
        a: LinkHalfA,
        /// Half B.
        b: LinkHalfB,
    }
}

record! {
    /// A link in half A.
    LinkHalfA {
        /// Clicks.
        total_clicks_a: u64,
        /// Share of all clicks of the half.
        click_percentage_a: Number,
        /// People who clicked.
        unique_clicks_a: u64,
        /// Their share.
        unique_click_percentage_a: Number,
    }
}

record! {
    /// A link in half B.
    LinkHalfB {
        /// Clicks.
        total_clicks_b: u64,
        /// Share of all clicks of the half.
        click_percentage_b: Number,
        /// People who clicked.
        unique_clicks_b: u64,
        /// Their share.
        unique_click_percentage_b: Number,
    }
}

record! {
    /// A recipient who clicked on a link.
    ClickMember {
        /// MD5 of the lower-cased address.
        email_id: String,
        /// The address.
        email_address: String,
        /// Merge tag to value.
        merge_fields: JsonObject,
        /// Whether the recipient is marked as very important.
        vip: bool,
        /// Clicks on this link.
        clicks: u64,
        /// The campaign.
        campaign_id: String,
        /// The link.
        url_id: String,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
        /// Status of the recipient now; `deleted` when it is gone.
        contact_status: String,
    }
}
