//! Reports as the API gives them.

use serde_json::Number;

use crate::campaigns::{CampaignKind, DeliveryStatus};
use crate::field::Timestamp;
use crate::record::record;

record! {
    /// The report of a campaign.
    Report {
        /// Id of the campaign.
        id: String,
        /// Title of the campaign.
        campaign_title: String,
        /// Kind of the campaign.
        #[serde(rename = "type")]
        kind: CampaignKind,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
        /// Name of the audience.
        list_name: String,
        /// Subject.
        subject_line: String,
        /// Text shown after the subject.
        preview_text: String,
        /// Mails sent.
        emails_sent: u64,
        /// Complaints.
        abuse_reports: u64,
        /// Opt-outs, as a count: [`crate::ReportHandle::unsubscribed`] has them with their times.
        unsubscribed: u64,
        /// When the campaign was sent.
        send_time: Timestamp,
        /// When its feed was last sent; blank or absent without one.
        rss_last_send: Timestamp,
        /// Bounces, as counts.
        bounces: ReportBounces,
        /// Forwards.
        forwards: ReportForwards,
        /// Opens.
        opens: ReportOpens,
        /// Clicks.
        clicks: ReportClicks,
        /// Likes on Facebook.
        facebook_likes: FacebookLikes,
        /// Averages of the account's industry.
        industry_stats: ReportIndustryStats,
        /// Averages of the audience, in percent.
        list_stats: ReportListStats,
        /// The halves of an `absplit` campaign.
        ab_split: ReportAbSplit,
        /// Figures of each time zone the campaign was sent in.
        timewarp: Vec<TimewarpGroup>,
        /// The first 24 hours.
        timeseries: Vec<TimeseriesPoint>,
        /// Where the report can be seen by others.
        share_report: ShareReport,
        /// Purchases.
        ecommerce: ReportEcommerce,
        /// How far the delivery has come.
        delivery_status: DeliveryStatus,
    }
}

record! {
    /// Bounces of a campaign, which have no time here.
    ReportBounces {
        /// Lasting failures.
        hard_bounces: u64,
        /// Passing failures.
        soft_bounces: u64,
        /// Addresses that are none.
        syntax_errors: u64,
    }
}

record! {
    /// Forwards of a campaign.
    ReportForwards {
        /// Forwards.
        forwards_count: u64,
        /// Opens of forwarded mails.
        forwards_opens: u64,
    }
}

record! {
    /// Opens of a campaign.
    ReportOpens {
        /// Opens.
        opens_total: u64,
        /// Opens, without those of machines that load pictures for their users.
        proxy_excluded_opens: u64,
        /// People who opened.
        unique_opens: u64,
        /// People who opened, without machines.
        proxy_excluded_unique_opens: u64,
        /// `unique_opens` to delivered mails, 0 to 1.
        open_rate: Number,
        /// The same without machines.
        proxy_excluded_open_rate: Number,
        /// When the last open was; blank until there is one. Moves exactly with the activity, as
        /// seen on the live API: while it stands still there is no new open to fetch.
        last_open: Timestamp,
    }
}

record! {
    /// Clicks of a campaign.
    ReportClicks {
        /// Clicks.
        clicks_total: u64,
        /// Pairs of a person and a link.
        unique_clicks: u64,
        /// People who clicked.
        unique_subscriber_clicks: u64,
        /// Unique clicks to delivered mails, 0 to 1.
        click_rate: Number,
        /// When the last click was; blank until there is one. Moves exactly with the activity,
        /// as seen on the live API.
        last_click: Timestamp,
    }
}

record! {
    /// Likes of a campaign on Facebook.
    FacebookLikes {
        /// Recipients who liked it.
        recipient_likes: u64,
        /// People who liked it.
        unique_likes: u64,
        /// Likes.
        facebook_likes: u64,
    }
}

record! {
    /// Averages of an industry. The scale is not documented.
    ReportIndustryStats {
        /// Name of the industry.
        #[serde(rename = "type")]
        kind: String,
        /// Open rate.
        open_rate: Number,
        /// Click rate.
        click_rate: Number,
        /// Bounce rate.
        bounce_rate: Number,
        /// Share of mails not opened.
        unopen_rate: Number,
        /// Opt-out rate.
        unsub_rate: Number,
        /// Rate of complaints.
        abuse_rate: Number,
    }
}

record! {
    /// Averages of an audience. Its rates are percentages, 0 to 100, while those of
    /// [`ReportOpens`] and [`ReportClicks`] are fractions.
    ReportListStats {
        /// Subscribers a month.
        sub_rate: Number,
        /// Opt-outs a month.
        unsub_rate: Number,
        /// Open rate in percent.
        open_rate: Number,
        /// Open rate in percent, without machines.
        proxy_excluded_open_rate: Number,
        /// Click rate in percent.
        click_rate: Number,
    }
}

record! {
    /// The halves of an `absplit` campaign.
    ReportAbSplit {
        /// Half A.
        a: ReportAbHalf,
        /// Half B.
        b: ReportAbHalf,
    }
}

record! {
    /// Figures of one half.
    ReportAbHalf {
        /// Bounces.
        bounces: u64,
        /// Complaints.
        abuse_reports: u64,
        /// Opt-outs.
        unsubs: u64,
        /// Clicks.
        recipient_clicks: u64,
        /// Forwards.
        forwards: u64,
        /// Opens of forwarded mails.
        forwards_opens: u64,
        /// Opens.
        opens: u64,
        /// When the last open was; blank until there is one.
        last_open: Timestamp,
        /// People who opened.
        unique_opens: u64,
    }
}

record! {
    /// Figures of the recipients in one time zone.
    TimewarpGroup {
        /// Hours from GMT.
        gmt_offset: i64,
        /// Opens.
        opens: u64,
        /// When the last open was; blank until there is one.
        last_open: Timestamp,
        /// People who opened.
        unique_opens: u64,
        /// Clicks.
        clicks: u64,
        /// When the last click was; blank until there is one.
        last_click: Timestamp,
        /// People who clicked.
        unique_clicks: u64,
        /// Bounces.
        bounces: u64,
    }
}

record! {
    /// Figures of one hour.
    TimeseriesPoint {
        /// Beginning of the hour.
        timestamp: Timestamp,
        /// Mails sent.
        emails_sent: u64,
        /// People who opened.
        unique_opens: u64,
        /// People who opened, without machines.
        proxy_excluded_unique_opens: u64,
        /// Clicks.
        recipients_clicks: u64,
    }
}

record! {
    /// Where a report can be seen by others.
    ShareReport {
        /// Its address.
        share_url: String,
        /// What opens it; blank when nothing is needed.
        share_password: String,
    }
}

record! {
    /// Purchases that came of a campaign.
    ReportEcommerce {
        /// Orders.
        total_orders: u64,
        /// Sum of all orders, with taxes and shipping.
        total_spent: Number,
        /// The same without taxes and shipping.
        total_revenue: Number,
        /// ISO 4217 code.
        currency_code: String,
    }
}
