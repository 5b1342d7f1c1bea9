//! Members as the API gives them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Number, Value};

use crate::field::{JsonObject, Timestamp};
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// A member's subscription status.
    MemberStatus {
        /// Receives mail.
        Subscribed = "subscribed",
        /// Has opted out.
        Unsubscribed = "unsubscribed",
        /// Undeliverable: the address bounced or complained.
        Cleaned = "cleaned",
        /// Has yet to confirm a double opt-in.
        Pending = "pending",
        /// Never opted in; may get receipts.
        Transactional = "transactional",
        /// Archived. Hides the status the member had before.
        Archived = "archived",
    }
}

open_enum! {
    /// Status of an SMS subscription.
    SmsStatus {
        /// Receives messages.
        Subscribed = "subscribed",
        /// Has opted out.
        Unsubscribed = "unsubscribed",
        /// Never opted in.
        Nonsubscribed = "nonsubscribed",
        /// Has yet to confirm.
        Pending = "pending",
    }
}

open_enum! {
    /// The kind of mail a member asked for.
    EmailType {
        /// HTML.
        Html = "html",
        /// Plain text.
        Text = "text",
    }
}

record! {
    /// A member of an audience.
    ///
    /// Rows of segment members are a smaller shape of the same: `contact_id`, `web_id`, `tags`,
    /// `source`, the SMS members and `location.region` are absent there.
    Member {
        /// MD5 of the lower-cased address: changes with it, and repeats in other audiences.
        id: String,
        /// The address.
        email_address: String,
        /// Identifies the address in all audiences; changes with it.
        unique_email_id: String,
        /// Identifies the person in this audience, also when the address changes. 32 hex digits.
        contact_id: String,
        /// Built from the name fields; blank without them.
        full_name: String,
        /// Id in the web application; stays when the address changes.
        web_id: u64,
        /// Kind of mail.
        email_type: EmailType,
        /// Subscription status.
        status: MemberStatus,
        /// Why the member unsubscribed. Absent unless unsubscribed.
        unsubscribe_reason: String,
        /// Whether the member consents to one-to-one messages.
        consents_to_one_to_one_messaging: bool,
        /// Telephone number for SMS; blank when there is none.
        sms_phone_number: String,
        /// Status of the SMS subscription; blank when there is none.
        sms_subscription_status: SmsStatus,
        /// When that changed; blank when there is none.
        sms_subscription_last_updated: Timestamp,
        /// Merge tag to value. Holds every tag of the audience; see [`MergeValue`].
        merge_fields: JsonObject,
        /// Interest id to membership. Absent when the audience has no groups.
        interests: BTreeMap<String, bool>,
        /// Engagement of the member.
        stats: MemberStats,
        /// Where the member signed up from; often blank.
        ip_signup: String,
        /// When the member signed up; blank when added by import or API.
        timestamp_signup: Timestamp,
        /// Where the member confirmed from; often blank.
        ip_opt: String,
        /// When the member confirmed, or was added by API; can be blank.
        timestamp_opt: Timestamp,
        /// One to five stars.
        member_rating: u64,
        /// When the member last changed, in whole seconds. Tags move it too.
        last_changed: Timestamp,
        /// Language code; blank when unknown.
        language: String,
        /// Whether the member is marked as very important.
        vip: bool,
        /// Mail program; blank when unknown.
        email_client: String,
        /// Where the member is; see [`Location::is_known`].
        location: Location,
        /// Marketing permissions. Absent unless the audience has its GDPR fields on.
        marketing_permissions: Vec<MarketingPermission>,
        /// Latest note. Absent without notes.
        last_note: Note,
        /// How the member came in, such as `API - Generic` or `Import`.
        source: String,
        /// How many tags the member has: [`Member::tags`] holds no more than 50 of them.
        tags_count: u64,
        /// The first 50 tags.
        tags: Vec<Tag>,
        /// The audience.
        list_id: String,
    }
}

impl Member {
    /// The value of a merge tag.
    pub fn merge_value(&self, tag: &str) -> MergeValue<'_> {
        match self.merge_fields.value().and_then(|values| values.get(tag)) {
            None => MergeValue::Absent,
            Some(Value::Null) => MergeValue::Blank,
            Some(Value::String(text)) if text.is_empty() => MergeValue::Blank,
            Some(Value::String(text)) => MergeValue::Text(text),
            Some(Value::Number(number)) => MergeValue::Number(number),
            Some(other) => MergeValue::Json(other),
        }
    }

    /// Whether there are tags that this record does not list.
    pub fn has_more_tags(&self) -> bool {
        let listed = self.tags.value().map_or(0, Vec::len) as u64;
        self.tags_count.value().is_some_and(|count| *count > listed)
    }
}

/// The value of a merge tag. What is blank is the empty string, whatever the type of the field.
///
/// `Debug` names the kind and never shows the value.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MergeValue<'a> {
    /// The audience has no such tag, or the record was fetched without it.
    Absent,
    /// Nothing is set.
    Blank,
    /// Text; also of dates (`YYYY-MM-DD`), birthdays (`MM/DD`), choices and telephone numbers.
    Text(&'a str),
    /// A number.
    Number(&'a Number),
    /// Anything else: an address is an object of `addr1, addr2, city, state, zip, country`.
    Json(&'a Value),
}

impl fmt::Debug for MergeValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Blank => "Blank",
            Self::Text(_) => "Text(..)",
            Self::Number(_) => "Number(..)",
            Self::Json(_) => "Json(..)",
        })
    }
}

record! {
    /// Engagement of a member.
    MemberStats {
        /// Average open rate. The scale is not documented.
        avg_open_rate: Number,
        /// Average click rate. The scale is not documented.
        avg_click_rate: Number,
        /// Shop figures. Absent unless a store is connected.
        ecommerce_data: EcommerceData,
    }
}

record! {
    /// Shop figures of a member.
    EcommerceData {
        /// Revenue in `currency_code`.
        total_revenue: Number,
        /// Number of orders.
        number_of_orders: u64,
        /// ISO 4217 code.
        currency_code: String,
    }
}

record! {
    /// Where a member is, as far as Mailchimp guessed.
    Location {
        /// Degrees north.
        latitude: Number,
        /// Degrees east.
        longitude: Number,
        /// Hours from GMT.
        gmtoff: i64,
        /// Hours from GMT in summer.
        dstoff: i64,
        /// Country code.
        country_code: String,
        /// Time zone name.
        timezone: String,
        /// Region.
        region: String,
    }
}

impl Location {
    /// Whether anything is known: an unknown place is sent as 0° 0° with blank texts.
    pub fn is_known(&self) -> bool {
        let off_zero = |degrees: &crate::Field<Number>| {
            degrees
                .value()
                .and_then(Number::as_f64)
                .is_some_and(|degrees| degrees != 0.0)
        };
        off_zero(&self.latitude)
            || off_zero(&self.longitude)
            || self.country_code.value().is_some()
            || self.timezone.value().is_some()
            || self.region.value().is_some()
    }
}

record! {
    /// A permission under the GDPR fields of an audience.
    MarketingPermission {
        /// Id of the permission.
        marketing_permission_id: String,
        /// Its text.
        text: String,
        /// Whether the member gave it.
        enabled: bool,
    }
}

record! {
    /// A note about a member.
    Note {
        /// Id of the note.
        note_id: u64,
        /// When it was written.
        created_at: Timestamp,
        /// By whom.
        created_by: String,
        /// Its text.
        note: String,
    }
}

record! {
    /// A tag. Tags are static segments and have the segment's id.
    Tag {
        /// Id of the tag.
        id: u64,
        /// Name of the tag.
        name: String,
        /// When the member got it; only in a member's own list of tags.
        date_added: Timestamp,
    }
}
