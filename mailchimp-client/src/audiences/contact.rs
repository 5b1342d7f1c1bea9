//! Contacts as the beta surface gives them.

use crate::field::{JsonObject, Timestamp};
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// Whether a contact is archived.
    ContactStatus {
        /// It is not.
        Active = "active",
        /// It is.
        Archived = "archived",
    }
}

record! {
    /// A contact, beta.
    Contact {
        /// Id of the contact: 32 hex digits, in capitals in the documentation's examples, while
        /// [`crate::Member::contact_id`] is in small letters.
        id: String,
        /// The audience.
        audience_id: String,
        /// Language code.
        language: String,
        /// Whether it is archived.
        status: ContactStatus,
        /// Its mail; absent or `null` without an address.
        email_channel: EmailChannel,
        /// Its text messages; absent or `null` without a number.
        sms_channel: SmsChannel,
        /// Merge tag to value.
        merge_fields: JsonObject,
        /// Names of its tags.
        tags: Vec<String>,
        /// How it came in.
        source: ChannelSource,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        last_updated_at: Timestamp,
    }
}

record! {
    /// The mail of a contact.
    EmailChannel {
        /// The address.
        email: String,
        /// MD5 of the address.
        hashed_email: String,
        /// Whether it may get mail, computed by Mailchimp.
        effective_subscription_status: EffectiveStatus,
        /// What the person consented to.
        marketing_consent: ChannelConsent,
        /// How the address came in.
        source: ChannelSource,
    }
}

record! {
    /// The text messages of a contact.
    SmsChannel {
        /// The number.
        sms_phone: String,
        /// SHA-256 of the number.
        hashed_sms_phone: String,
        /// Whether it may get messages, computed by Mailchimp.
        effective_subscription_status: EffectiveStatus,
        /// What the person consented to.
        marketing_consent: ChannelConsent,
        /// How the number came in.
        source: ChannelSource,
    }
}

open_enum! {
    /// Whether a contact may be written to.
    ChannelStatus {
        /// It may.
        Subscribed = "subscribed",
        /// It opted out.
        Unsubscribed = "unsubscribed",
        /// It never opted in.
        Nonsubscribed = "nonsubscribed",
        /// It has yet to confirm.
        Pending = "pending",
    }
}

record! {
    /// Whether a contact may be written to.
    EffectiveStatus {
        /// Whether it may.
        value: ChannelStatus,
    }
}

open_enum! {
    /// What a person consented to.
    ConsentStatus {
        /// To mailings.
        Consented = "consented",
        /// To none.
        Denied = "denied",
        /// To mailings, and confirmed it.
        Confirmed = "confirmed",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

record! {
    /// What a person consented to.
    ChannelConsent {
        /// What it is.
        status: ConsentStatus,
        /// How it came in.
        source: ChannelSource,
    }
}

record! {
    /// How something came in.
    ChannelSource {
        /// Name of the way.
        name: String,
    }
}
