//! What members did.

use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// A kind of event in a member's activity.
    ActivityAction {
        /// A complaint.
        Abuse = "abuse",
        /// A bounce.
        Bounce = "bounce",
        /// A click.
        Click = "click",
        /// An open.
        Open = "open",
        /// A campaign was sent.
        Sent = "sent",
        /// An opt-out.
        Unsub = "unsub",
        /// A purchase.
        Ecomm = "ecomm",
    }
}

record! {
    /// An event of a member's recent activity. Events have no id.
    Activity {
        /// What happened.
        action: ActivityAction,
        /// When.
        timestamp: Timestamp,
        /// The address clicked on.
        url: String,
        /// Kind of campaign, or of bounce.
        #[serde(rename = "type")]
        kind: String,
        /// The campaign.
        campaign_id: String,
        /// Its title.
        title: String,
        /// The campaign it belongs to.
        parent_campaign: String,
    }
}

open_enum! {
    /// A filter of the activity feed, which is also the kind of its items.
    FeedKind {
        /// A bounce.
        Bounce = "bounce",
        /// A click.
        Click = "click",
        /// A reply.
        Conversation = "conversation",
        /// A sign-up in a shop.
        EcommerceSignup = "ecommerce_signup",
        /// An event of the account's own.
        Event = "event",
        /// A visit to a web site.
        WebEngagement = "web_engagement",
        /// A sign-up elsewhere.
        GenericSignup = "generic_signup",
        /// A sign-up on a landing page.
        LandingPageSignup = "landing_page_signup",
        /// A marketing permission.
        MarketingPermission = "marketing_permission",
        /// A note.
        Note = "note",
        /// An open.
        Open = "open",
        /// An order.
        Order = "order",
        /// A postcard.
        PostcardSent = "postcard_sent",
        /// A campaign was sent.
        Sent = "sent",
        /// A sign-up.
        Signup = "signup",
        /// A sign-up on a page held for the account.
        SquatterSignup = "squatter_signup",
        /// An opt-out.
        Unsub = "unsub",
        /// A sign-up on a web site.
        WebsiteSignup = "website_signup",
        /// An answer to a survey.
        SurveyResponse = "survey_response",
        /// A text message.
        SmsBulkSent = "sms_bulk_sent",
        /// A thread of the inbox.
        InboxThread = "inbox_thread",
        /// A payment link.
        QboPaymentLink = "qbo_payment_link",
        /// A transcript of a video call.
        VideoCallTranscripts = "video_call_transcripts",
    }
}

record! {
    /// An item of a member's activity feed. Members of single kinds are in `extra`.
    FeedItem {
        /// What happened.
        activity_type: FeedKind,
        /// When.
        created_at_timestamp: Timestamp,
        /// The campaign.
        campaign_id: String,
        /// Its title.
        campaign_title: String,
    }
}
