//! Campaigns as the API gives them.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::variants::{AbSplitOpts, RssOpts, VariateSettings};
use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// The kind of a campaign.
    CampaignKind {
        /// HTML with a plain-text part.
        Regular = "regular",
        /// Plain text alone.
        Plaintext = "plaintext",
        /// An A/B test of the old kind.
        AbSplit = "absplit",
        /// Made from a feed, again and again.
        Rss = "rss",
        /// A test of several combinations.
        Variate = "variate",
    }
}

open_enum! {
    /// How far a campaign has come.
    CampaignStatus {
        /// A draft.
        Save = "save",
        /// Halted.
        Paused = "paused",
        /// Will be sent at a set time.
        Schedule = "schedule",
        /// Going out.
        Sending = "sending",
        /// Gone out.
        Sent = "sent",
        /// Stopped while it went out.
        Canceled = "canceled",
        /// Being stopped.
        Canceling = "canceling",
        /// Archived.
        Archived = "archived",
    }
}

open_enum! {
    /// Where the text of a campaign comes from.
    CampaignContentType {
        /// A template.
        Template = "template",
        /// Its own HTML.
        Html = "html",
        /// A web page.
        Url = "url",
        /// The editor for several channels.
        Multichannel = "multichannel",
    }
}

record! {
    /// A campaign.
    Campaign {
        /// Id of the campaign, and of its report.
        id: String,
        /// Id in the web application.
        web_id: u64,
        /// The campaign this one was made from, for instance one sent by a feed.
        parent_campaign_id: String,
        /// Kind.
        #[serde(rename = "type")]
        kind: CampaignKind,
        /// When it was made.
        create_time: Timestamp,
        /// Short address of its public copy.
        archive_url: String,
        /// Full address of its public copy.
        long_archive_url: String,
        /// How far it has come.
        status: CampaignStatus,
        /// Mails sent.
        emails_sent: u64,
        /// When it was sent, or will be; blank in drafts.
        send_time: Timestamp,
        /// Where its text comes from.
        content_type: CampaignContentType,
        /// Whether some of its blocks are out of date.
        needs_block_refresh: bool,
        /// Whether it can be sent again to those who did not open it.
        resendable: bool,
        /// To whom.
        recipients: CampaignRecipients,
        /// Subject, sender and the like.
        settings: CampaignSettings,
        /// The combinations of a `variate` campaign.
        variate_settings: VariateSettings,
        /// What is tracked.
        tracking: CampaignTracking,
        /// The feed of an `rss` campaign.
        rss_opts: RssOpts,
        /// The halves of an `absplit` campaign.
        ab_split_opts: AbSplitOpts,
        /// How it looks when shared.
        social_card: SocialCard,
        /// Figures of a sent campaign; its rates are fractions of one.
        report_summary: ReportSummary,
        /// How far the delivery has come.
        delivery_status: DeliveryStatus,
        /// By name of the shortcut, `to_non_openers` for one, whether it can be used. Only when
        /// asked for.
        resend_shortcut_eligibility: BTreeMap<String, ResendEligibility>,
        /// What was sent by shortcut. Only when asked for.
        resend_shortcut_usage: ResendShortcutUsage,
    }
}

record! {
    /// To whom a campaign, or a mail of an automation, goes.
    CampaignRecipients {
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
        /// Name of the audience.
        list_name: String,
        /// The segment in words, as HTML.
        segment_text: String,
        /// How many people.
        recipient_count: u64,
        /// The segment.
        segment_opts: SegmentOpts,
        /// The store of an automation that watches one.
        store_id: String,
    }
}

record! {
    /// The segment a campaign goes to.
    SegmentOpts {
        /// Id of a saved segment.
        saved_segment_id: u64,
        /// Id of a segment Mailchimp keeps ready.
        prebuilt_segment_id: String,
        /// Whether `any` or `all` conditions must hold.
        #[serde(rename = "match")]
        match_kind: String,
        /// Conditions, of many shapes.
        conditions: Vec<Value>,
    }
}

record! {
    /// Subject, sender and the like of a campaign, of an automation, or of one of its mails.
    CampaignSettings {
        /// Subject.
        subject_line: String,
        /// Text shown after the subject.
        preview_text: String,
        /// Title, seen by the account alone.
        title: String,
        /// Sender's name.
        from_name: String,
        /// Address for replies.
        reply_to: String,
        /// Whether replies are collected as conversations.
        use_conversation: bool,
        /// Recipient's name, with merge tags.
        to_name: String,
        /// Its folder; blank without one.
        folder_id: String,
        /// Whether the mail is signed.
        authenticate: bool,
        /// Whether Mailchimp adds a footer.
        auto_footer: bool,
        /// Whether styles are moved into the elements.
        inline_css: bool,
        /// Whether it is announced on Twitter.
        auto_tweet: bool,
        /// Facebook pages it is announced on.
        auto_fb_post: Vec<String>,
        /// Whether it can be commented on with Facebook.
        fb_comments: bool,
        /// Whether it is sent at the same hour of each time zone.
        timewarp: bool,
        /// Its template; 0 without one.
        template_id: u64,
        /// Whether the template is made by dragging blocks.
        drag_and_drop: bool,
    }
}

record! {
    /// What a campaign or an automation tracks.
    CampaignTracking {
        /// Opens.
        opens: bool,
        /// Clicks in the HTML part.
        html_clicks: bool,
        /// Clicks in the plain-text part.
        text_clicks: bool,
        /// Goals; retired.
        goal_tracking: bool,
        /// Purchases.
        ecomm360: bool,
        /// Name of the campaign in Google Analytics.
        google_analytics: String,
        /// Name of the campaign in `ClickTale`.
        clicktale: String,
        /// Salesforce; retired.
        salesforce: SalesforceTracking,
        /// Capsule; retired.
        capsule: CapsuleTracking,
    }
}

record! {
    /// What is written to Salesforce.
    SalesforceTracking {
        /// The campaign.
        campaign: bool,
        /// Notes about contacts.
        notes: bool,
    }
}

record! {
    /// What is written to Capsule.
    CapsuleTracking {
        /// Notes about contacts.
        notes: bool,
    }
}

record! {
    /// How a campaign looks when shared.
    SocialCard {
        /// Address of a picture.
        image_url: String,
        /// Description.
        description: String,
        /// Title.
        title: String,
    }
}

record! {
    /// Figures of a campaign or of an automation. Rates are fractions of one.
    ReportSummary {
        /// Opens.
        opens: u64,
        /// People who opened.
        unique_opens: u64,
        /// `unique_opens` to delivered mails, 0 to 1.
        open_rate: Number,
        /// Clicks.
        clicks: u64,
        /// People who clicked.
        subscriber_clicks: u64,
        /// Unique clicks to delivered mails, 0 to 1.
        click_rate: Number,
        /// Purchases.
        ecommerce: SummaryEcommerce,
    }
}

record! {
    /// Purchases that came of a campaign.
    SummaryEcommerce {
        /// Orders.
        total_orders: u64,
        /// Sum of all orders, with taxes and shipping.
        total_spent: Number,
        /// The same without taxes and shipping.
        total_revenue: Number,
    }
}

open_enum! {
    /// How far a delivery has come.
    DeliveryState {
        /// Going out.
        Delivering = "delivering",
        /// Gone out.
        Delivered = "delivered",
        /// Being stopped.
        Canceling = "canceling",
        /// Stopped.
        Canceled = "canceled",
    }
}

record! {
    /// How far the delivery of a campaign has come.
    DeliveryStatus {
        /// Whether Mailchimp follows the delivery.
        enabled: bool,
        /// Whether it can be stopped.
        can_cancel: bool,
        /// How far it has come.
        status: DeliveryState,
        /// Mails sent.
        emails_sent: u64,
        /// Mails held back.
        emails_canceled: u64,
    }
}

record! {
    /// Whether a campaign can be sent again by shortcut.
    ResendEligibility {
        /// Whether it can.
        is_eligible: bool,
        /// Why not.
        reason: String,
    }
}

open_enum! {
    /// To whom a campaign was sent again.
    ResendShortcut {
        /// Those who did not open it.
        NonOpeners = "non_openers",
        /// Those who came later.
        NewSubscribers = "new_subscribers",
        /// Those who did not click.
        NonClickers = "non_clickers",
        /// Those who did not buy.
        NonPurchasers = "non_purchasers",
    }
}

record! {
    /// What was sent by shortcut.
    ResendShortcutUsage {
        /// Campaigns made from this one.
        shortcut_campaigns: Vec<ResentCampaign>,
        /// The campaign this one was made from.
        original_campaign: ResentCampaign,
    }
}

record! {
    /// The other end of a shortcut.
    ResentCampaign {
        /// Id of the campaign.
        id: String,
        /// Id in the web application.
        web_id: u64,
        /// Title; of the original only.
        title: String,
        /// To whom.
        shortcut_type: ResendShortcut,
        /// When it was sent.
        send_time: Timestamp,
        /// How far it has come.
        status: CampaignStatus,
    }
}
