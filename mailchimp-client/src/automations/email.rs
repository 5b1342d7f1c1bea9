//! The mails of an automation, and who gets them.

use super::automation::{AutomationStatus, AutomationTrigger};
use crate::campaigns::{
    CampaignRecipients, CampaignSettings, CampaignTracking, ReportSummary, SocialCard,
};
use crate::field::Timestamp;
use crate::record::record;

record! {
    /// A mail of an automation.
    AutomationEmail {
        /// Id of the mail.
        id: String,
        /// Id in the web application.
        web_id: u64,
        /// The automation.
        workflow_id: String,
        /// Its place among the mails.
        position: u64,
        /// How long it waits, and for what.
        delay: AutomationDelay,
        /// When it was made.
        create_time: Timestamp,
        /// When it was started; blank when it never was.
        start_time: Timestamp,
        /// Address of its public copy.
        archive_url: String,
        /// Whether it is at work.
        status: AutomationStatus,
        /// Mails sent.
        emails_sent: u64,
        /// When it was last sent; blank when it never was.
        send_time: Timestamp,
        /// Where its text comes from: `template`, `drag_and_drop`, `html` or `url`.
        content_type: String,
        /// Whether some of its blocks are out of date.
        needs_block_refresh: bool,
        /// Whether it shows the account's logo by merge tag.
        has_logo_merge_tag: bool,
        /// For whom.
        recipients: CampaignRecipients,
        /// Subject, sender and the like.
        settings: CampaignSettings,
        /// What is tracked.
        tracking: CampaignTracking,
        /// How it looks when shared.
        social_card: SocialCard,
        /// What starts the automation.
        trigger_settings: AutomationTrigger,
        /// Figures; their rates are fractions of one.
        report_summary: ReportSummary,
    }
}

record! {
    /// How long a mail waits, and for what.
    AutomationDelay {
        /// How many units of `type`.
        amount: u64,
        /// Unit: `now`, `hour`, `day` or `week`.
        #[serde(rename = "type")]
        kind: String,
        /// Whether it is sent `before` or `after` the action.
        direction: String,
        /// The action, such as `signup` or `previous_campaign_opened`.
        action: String,
        /// The action in words.
        action_description: String,
        /// The whole in words.
        full_description: String,
    }
}

record! {
    /// Who will get a mail.
    QueuedSubscriber {
        /// MD5 of the lower-cased address.
        id: String,
        /// The automation.
        workflow_id: String,
        /// The mail.
        email_id: String,
        /// The audience.
        list_id: String,
        /// The address.
        email_address: String,
        /// When it will be sent.
        next_send: Timestamp,
    }
}

record! {
    /// Who was taken out of an automation.
    RemovedSubscriber {
        /// MD5 of the lower-cased address.
        id: String,
        /// The automation.
        workflow_id: String,
        /// The audience.
        list_id: String,
        /// The address.
        email_address: String,
    }
}
