//! To whom a campaign went, and who left because of it.

use crate::field::{JsonObject, Timestamp};
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// What became of one mail.
    SendStatus {
        /// Sent.
        Sent = "sent",
        /// Failed for good.
        Hard = "hard",
        /// Failed for now.
        Soft = "soft",
    }
}

open_enum! {
    /// The part of an `absplit` campaign.
    AbSplitGroup {
        /// Half A.
        A = "a",
        /// Half B.
        B = "b",
        /// Got the version that won.
        Winner = "winner",
    }
}

record! {
    /// A recipient of a campaign.
    SentTo {
        /// MD5 of the lower-cased address.
        email_id: String,
        /// The address.
        email_address: String,
        /// Merge tag to value.
        merge_fields: JsonObject,
        /// Whether the recipient is marked as very important.
        vip: bool,
        /// What became of the mail.
        status: SendStatus,
        /// Opens.
        open_count: u64,
        /// When the last open was; blank until there is one.
        last_open: Timestamp,
        /// The part of an `absplit` campaign; blank in others.
        absplit_group: AbSplitGroup,
        /// Hours from GMT, in a campaign sent by time zone.
        gmt_offset: i64,
        /// The campaign.
        campaign_id: String,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
    }
}

record! {
    /// An opt-out through a campaign.
    Unsubscribe {
        /// MD5 of the lower-cased address.
        email_id: String,
        /// The address.
        email_address: String,
        /// Merge tag to value.
        merge_fields: JsonObject,
        /// Whether the recipient is marked as very important.
        vip: bool,
        /// When, in whole seconds.
        timestamp: Timestamp,
        /// Why, in the words of a form.
        reason: String,
        /// The campaign.
        campaign_id: String,
        /// The audience.
        list_id: String,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
    }
}
