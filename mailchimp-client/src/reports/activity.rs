//! What recipients of a campaign did, event by event.

use crate::field::{JsonObject, Timestamp};
use crate::open_enum::open_enum;
use crate::record::record;

record! {
    /// What one recipient of a campaign did.
    EmailActivity {
        /// The campaign.
        campaign_id: String,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
        /// MD5 of the lower-cased address.
        email_id: String,
        /// The address.
        email_address: String,
        /// Events; empty when there are none, or none after `since`.
        activity: Vec<EmailEvent>,
    }
}

open_enum! {
    /// What a recipient did.
    EmailEventAction {
        /// Opened the mail, or a machine did.
        Open = "open",
        /// Clicked on a link.
        Click = "click",
        /// Did not get the mail. Only the first bounce is told.
        Bounce = "bounce",
    }
}

open_enum! {
    /// The kind of a bounce.
    BounceKind {
        /// Lasting.
        Hard = "hard",
        /// Passing.
        Soft = "soft",
    }
}

record! {
    /// An event. It has no id, and two clicks in one second differ by their links at most.
    EmailEvent {
        /// What happened.
        action: EmailEventAction,
        /// The kind of a bounce; absent otherwise.
        #[serde(rename = "type")]
        kind: BounceKind,
        /// When, in whole seconds.
        timestamp: Timestamp,
        /// The link clicked on; absent otherwise.
        url: String,
        /// From where; absent of bounces.
        ip: String,
    }
}

record! {
    /// The opens of one recipient.
    OpenDetail {
        /// The campaign.
        campaign_id: String,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
        /// Status of the recipient now; `deleted` when it is gone.
        contact_status: String,
        /// MD5 of the lower-cased address.
        email_id: String,
        /// The address.
        email_address: String,
        /// Merge tag to value.
        merge_fields: JsonObject,
        /// Whether the recipient is marked as very important.
        vip: bool,
        /// Opens.
        opens_count: u64,
        /// Opens, without those of machines.
        proxy_excluded_opens_count: u64,
        /// Each open.
        opens: Vec<OpenEvent>,
    }
}

record! {
    /// One open.
    OpenEvent {
        /// When, in whole seconds.
        timestamp: Timestamp,
        /// Whether a machine loaded the pictures, which happens seconds after sending and also
        /// for mails that bounce later.
        is_proxy_open: bool,
    }
}
