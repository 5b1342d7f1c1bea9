//! Audiences as the API gives them.

use serde_json::Number;

use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// Whether an audience is public. No longer used by Mailchimp.
    ListVisibility {
        /// Public.
        Public = "pub",
        /// Private.
        Private = "prv",
    }
}

record! {
    /// An audience.
    List {
        /// Id of the audience.
        id: String,
        /// Id in the web application.
        web_id: u64,
        /// Name.
        name: String,
        /// Postal address in the footers of campaigns.
        contact: ListContact,
        /// Reminder why people get mail.
        permission_reminder: String,
        /// Whether campaigns show the archive bar.
        use_archive_bar: bool,
        /// Defaults of new campaigns.
        campaign_defaults: CampaignDefaults,
        /// Address told about subscribers; a boolean `false` in some answers.
        notify_on_subscribe: String,
        /// Address told about opt-outs; a boolean `false` in some answers.
        notify_on_unsubscribe: String,
        /// When the audience was made.
        date_created: Timestamp,
        /// Zero to five stars.
        list_rating: u64,
        /// Whether members choose the kind of mail.
        email_type_option: bool,
        /// Short address of the sign-up form.
        subscribe_url_short: String,
        /// Full address of the sign-up form.
        subscribe_url_long: String,
        /// Address that turns mail into campaigns.
        beamer_address: String,
        /// Visibility.
        visibility: ListVisibility,
        /// Whether subscribers confirm by mail.
        double_optin: bool,
        /// Whether there is a welcome automation.
        has_welcome: bool,
        /// Whether the GDPR fields are on.
        marketing_permissions: bool,
        /// Installed modules.
        modules: Vec<String>,
        /// Figures, at least five minutes old.
        stats: ListStats,
    }
}

record! {
    /// Postal address of an audience.
    ListContact {
        /// Company.
        company: String,
        /// First line.
        address1: String,
        /// Second line.
        address2: String,
        /// City.
        city: String,
        /// State.
        state: String,
        /// Postal code.
        zip: String,
        /// ISO 3166 country code.
        country: String,
        /// Telephone number.
        phone: String,
    }
}

record! {
    /// Defaults of new campaigns.
    CampaignDefaults {
        /// Sender's name.
        from_name: String,
        /// Sender's address.
        from_email: String,
        /// Subject.
        subject: String,
        /// Language.
        language: String,
    }
}

record! {
    /// Figures of an audience. Several are absent until Mailchimp has computed them.
    ListStats {
        /// Active members.
        member_count: u64,
        /// Contacts of all kinds, approximately; only when asked for.
        total_contacts: u64,
        /// Members who opted out.
        unsubscribe_count: u64,
        /// Cleaned members.
        cleaned_count: u64,
        /// Active members since the last campaign. Can be negative.
        member_count_since_send: i64,
        /// Opt-outs since the last campaign.
        unsubscribe_count_since_send: i64,
        /// Cleaned since the last campaign.
        cleaned_count_since_send: i64,
        /// Campaigns in any status.
        campaign_count: u64,
        /// When the last campaign was sent; blank when none was.
        campaign_last_sent: Timestamp,
        /// Merge fields, without the address.
        merge_field_count: u64,
        /// Subscribers a month.
        avg_sub_rate: Number,
        /// Opt-outs a month.
        avg_unsub_rate: Number,
        /// Subscribers a month to keep growing.
        target_sub_rate: Number,
        /// Open rate in percent, 0 to 100.
        open_rate: Number,
        /// Click rate in percent, 0 to 100.
        click_rate: Number,
        /// When someone last subscribed.
        last_sub_date: Timestamp,
        /// When someone last opted out.
        last_unsub_date: Timestamp,
    }
}
