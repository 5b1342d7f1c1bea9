//! The text of a campaign, and what colleagues think of it.

use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

record! {
    /// The text of a campaign.
    CampaignContent {
        /// The texts of a `variate` campaign.
        variate_contents: Vec<VariateContent>,
        /// Plain text.
        plain_text: String,
        /// HTML as written.
        html: String,
        /// HTML of the public copy.
        archive_html: String,
    }
}

record! {
    /// One text of a `variate` campaign.
    VariateContent {
        /// Its description.
        content_label: String,
        /// Plain text.
        plain_text: String,
        /// HTML.
        html: String,
    }
}

open_enum! {
    /// Where feedback was given.
    FeedbackSource {
        /// This API.
        Api = "api",
        /// A mail.
        Email = "email",
        /// A text message.
        Sms = "sms",
        /// The web application.
        Web = "web",
        /// The application for iOS.
        Ios = "ios",
        /// The application for Android.
        Android = "android",
    }
}

record! {
    /// What a colleague wrote about a campaign.
    CampaignFeedback {
        /// Id of the feedback.
        feedback_id: u64,
        /// The feedback it answers.
        parent_id: u64,
        /// The block it is about.
        block_id: i64,
        /// What was written.
        message: String,
        /// Whether it is dealt with.
        is_complete: bool,
        /// Who wrote it.
        created_by: String,
        /// When.
        created_at: Timestamp,
        /// When it was changed.
        updated_at: Timestamp,
        /// Where it was given.
        source: FeedbackSource,
        /// The campaign.
        campaign_id: String,
    }
}
