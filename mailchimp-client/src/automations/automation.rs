//! Automations as the API gives them.

use crate::campaigns::{CampaignRecipients, CampaignSettings, CampaignTracking, ReportSummary};
use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// Whether an automation, or a mail of one, is at work.
    AutomationStatus {
        /// A draft.
        Save = "save",
        /// Halted.
        Paused = "paused",
        /// At work.
        Sending = "sending",
    }
}

record! {
    /// A classic automation.
    Automation {
        /// Id of the automation.
        id: String,
        /// When it was made.
        create_time: Timestamp,
        /// When it was started; blank when it never was.
        start_time: Timestamp,
        /// Whether it is at work.
        status: AutomationStatus,
        /// Mails sent.
        emails_sent: u64,
        /// For whom.
        recipients: CampaignRecipients,
        /// Title, sender and the like.
        settings: CampaignSettings,
        /// What is tracked.
        tracking: CampaignTracking,
        /// What starts it.
        trigger_settings: AutomationTrigger,
        /// Figures; their rates are fractions of one.
        report_summary: ReportSummary,
    }
}

record! {
    /// What starts an automation.
    AutomationTrigger {
        /// Kind of the automation, such as `abandonedCart` or `welcomeSeries`.
        workflow_type: String,
        /// That kind in words.
        workflow_title: String,
        /// When it may send.
        runtime: AutomationRuntime,
        /// How many mails it has.
        workflow_emails_count: u64,
    }
}

record! {
    /// When an automation may send.
    AutomationRuntime {
        /// Days of the week, in English and lower case.
        days: Vec<String>,
        /// Hours of the day.
        hours: AutomationHours,
    }
}

record! {
    /// Hours at which an automation may send.
    AutomationHours {
        /// `send_asap`, `send_between` or `send_at`.
        #[serde(rename = "type")]
        kind: String,
    }
}
