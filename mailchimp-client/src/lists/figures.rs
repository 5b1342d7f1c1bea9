//! Figures of an audience over time, and its complaints.

use serde_json::Number;

use crate::endpoint::list_request;
use crate::field::{JsonObject, Timestamp};
use crate::open_enum::{SortDir, open_enum};
use crate::record::record;

open_enum! {
    /// What the growth history can be sorted by.
    GrowthSort {
        /// The month.
        Month = "month",
    }
}

list_request! {
    /// Order and page of [`crate::ListHandle::growth_history`].
    ListGrowthHistory {
        /// Order. Without it the order is not documented.
        sort_field: GrowthSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

record! {
    /// An audience in one month.
    GrowthMonth {
        /// The audience.
        list_id: String,
        /// The month, as `YYYY-MM`.
        month: String,
        /// Retired in 2020; always 0.
        existing: u64,
        /// Retired in 2020; always 0.
        imports: u64,
        /// Documented as retired.
        optins: u64,
        /// Subscribed members at the end of the month.
        subscribed: u64,
        /// Opt-outs in the month.
        unsubscribed: u64,
        /// Members who confirmed again in the month.
        reconfirm: u64,
        /// Members cleaned in the month.
        cleaned: u64,
        /// Members who have yet to confirm.
        pending: u64,
        /// Members deleted in the month.
        deleted: u64,
        /// Members who get receipts only.
        transactional: u64,
    }
}

record! {
    /// What happened in an audience on one day. Days go back 180 at most.
    ListDay {
        /// The day, as `YYYY-MM-DD`.
        day: String,
        /// Mails sent.
        emails_sent: u64,
        /// People who opened.
        unique_opens: u64,
        /// Clicks.
        recipient_clicks: u64,
        /// Lasting failures.
        hard_bounce: u64,
        /// Passing failures.
        soft_bounce: u64,
        /// Sign-ups.
        subs: u64,
        /// Opt-outs.
        unsubs: u64,
        /// Members added otherwise, as by import or API.
        other_adds: u64,
        /// Members removed otherwise, as by deletion.
        other_removes: u64,
    }
}

record! {
    /// A mail program and how many subscribers use it.
    ListClient {
        /// Name of the program.
        client: String,
        /// How many subscribers.
        members: u64,
    }
}

record! {
    /// A country and how many subscribers live there.
    ListLocation {
        /// Name of the country.
        country: String,
        /// ISO 3166 code of the country.
        cc: String,
        /// Share of the subscribers, in percent.
        percent: Number,
        /// How many subscribers.
        total: u64,
    }
}

record! {
    /// A complaint about a campaign.
    AbuseReport {
        /// Id of the complaint.
        id: u64,
        /// The campaign.
        campaign_id: String,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled; in reports of a campaign only.
        list_is_active: bool,
        /// MD5 of the lower-cased address.
        email_id: String,
        /// The address.
        email_address: String,
        /// Merge tag to value.
        merge_fields: JsonObject,
        /// Whether the member is marked as very important.
        vip: bool,
        /// When.
        date: Timestamp,
    }
}
