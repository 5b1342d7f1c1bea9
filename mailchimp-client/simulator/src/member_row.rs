//! One member as JSON text, written straight into the page: the hot path of the whole simulator.

use std::fmt::Write as _;

use serde_json::Value;

use crate::audience::Audience;
use crate::fields::View;
use crate::links;
use crate::member::{Body, Location};
use crate::member::{Member, Profile, contact_id, unique_email_id, write_hex};
use crate::render::{write_str, write_value};
use crate::simulator::Context;
use crate::spec::Status;
use crate::timestamp;

/// Tags that a member row shows at most; `tags_count` has the true number.
const TAGS_SHOWN: usize = 50;

/// Which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Member,
    /// Rows of a segment's member list lack identity, source, SMS and tags.
    SegmentMember,
}

/// Writes rows of one answer.
pub(crate) struct RowWriter<'a> {
    context: &'a Context<'a>,
    audience: &'a Audience,
    /// The wanted keys in the order they are written.
    plan: Vec<(Key, View<'a>)>,
    shape: Shape,
    needs_profile: bool,
    /// Holds one generated member at a time.
    scratch: Profile,
    /// Holds a value of which only a part is wanted.
    part: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    EmailAddress,
    UniqueEmailId,
    ContactId,
    FullName,
    WebId,
    EmailType,
    Status,
    UnsubscribeReason,
    OneToOne,
    SmsPhone,
    SmsStatus,
    SmsUpdated,
    MergeFields,
    Interests,
    Stats,
    IpSignup,
    TimestampSignup,
    IpOpt,
    TimestampOpt,
    Rating,
    LastChanged,
    Language,
    Vip,
    EmailClient,
    Location,
    Permissions,
    LastNote,
    Source,
    TagsCount,
    Tags,
    ListId,
    Links,
}

macro_rules! key {
    ($key:ident, $name:literal, $in_segments:literal) => {
        (Key::$key, $name, concat!('"', $name, "\":"), $in_segments)
    };
}

/// Key, name, name as it is written, and whether rows of a segment have it.
const KEYS: [(Key, &str, &str, bool); 33] = [
    key!(Id, "id", true),
    key!(EmailAddress, "email_address", true),
    key!(UniqueEmailId, "unique_email_id", true),
    key!(ContactId, "contact_id", false),
    key!(FullName, "full_name", true),
    key!(WebId, "web_id", false),
    key!(EmailType, "email_type", true),
    key!(Status, "status", true),
    key!(UnsubscribeReason, "unsubscribe_reason", false),
    key!(OneToOne, "consents_to_one_to_one_messaging", false),
    key!(SmsPhone, "sms_phone_number", false),
    key!(SmsStatus, "sms_subscription_status", false),
    key!(SmsUpdated, "sms_subscription_last_updated", false),
    key!(MergeFields, "merge_fields", true),
    key!(Interests, "interests", true),
    key!(Stats, "stats", true),
    key!(IpSignup, "ip_signup", true),
    key!(TimestampSignup, "timestamp_signup", true),
    key!(IpOpt, "ip_opt", true),
    key!(TimestampOpt, "timestamp_opt", true),
    key!(Rating, "member_rating", true),
    key!(LastChanged, "last_changed", true),
    key!(Language, "language", true),
    key!(Vip, "vip", true),
    key!(EmailClient, "email_client", true),
    key!(Location, "location", true),
    key!(Permissions, "marketing_permissions", false),
    key!(LastNote, "last_note", true),
    key!(Source, "source", false),
    key!(TagsCount, "tags_count", false),
    key!(Tags, "tags", false),
    key!(ListId, "list_id", true),
    key!(Links, "_links", true),
];

impl<'a> RowWriter<'a> {
    /// Writes what `view` wants of each row.
    pub(crate) fn new(
        context: &'a Context<'a>,
        audience: &'a Audience,
        view: View<'a>,
        shape: Shape,
    ) -> Self {
        let plan: Vec<(Key, View<'a>)> = KEYS
            .into_iter()
            .filter(|&(_, _, _, in_segments)| in_segments || shape == Shape::Member)
            .map(|(key, name, _, _)| (key, view.child(name)))
            .filter(|(_, view)| !matches!(view, View::Nothing))
            .collect();
        let needs_profile = plan.iter().any(|(key, _)| {
            !matches!(
                key,
                Key::Id
                    | Key::UniqueEmailId
                    | Key::ContactId
                    | Key::WebId
                    | Key::Status
                    | Key::TimestampOpt
                    | Key::LastChanged
                    | Key::ListId
            )
        });
        let scratch = Profile::default();
        Self {
            context,
            audience,
            plan,
            shape,
            needs_profile,
            scratch,
            part: String::new(),
        }
    }

    /// Appends one row.
    pub(crate) fn write(&mut self, out: &mut String, slot: u32, member: &Member) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut part = std::mem::take(&mut self.part);
        let profile = match &member.body {
            Body::Own(profile) => profile,
            Body::Generated(number) => {
                if self.needs_profile {
                    self.audience
                        .generator
                        .fill(*number, member.status, &mut scratch);
                }
                &scratch
            }
        };
        out.push('{');
        let mut separator = "";
        for &(key, view) in &self.plan {
            let start = out.len();
            out.push_str(separator);
            out.push_str(KEYS[key as usize].2);
            let written = if matches!(view, View::All) {
                self.value(out, key, slot, member, profile)
            } else {
                part.clear();
                self.value(&mut part, key, slot, member, profile) && write_part(out, &part, view)
            };
            if written {
                separator = ",";
            } else {
                out.truncate(start);
            }
        }
        out.push('}');
        self.scratch = scratch;
        self.part = part;
    }

    /// Appends one value; `false` when this member has no such key.
    fn value(
        &self,
        out: &mut String,
        key: Key,
        slot: u32,
        member: &Member,
        profile: &Profile,
    ) -> bool {
        let definitions = &self.audience.definitions;
        match key {
            Key::Id => quoted_hex(out, &member.hash),
            Key::EmailAddress => write_str(out, &profile.email),
            Key::UniqueEmailId => quoted_hex(out, &unique_email_id(&member.hash)),
            Key::ContactId => {
                let web_id = self.audience.web_id(slot);
                quoted_hex(out, &contact_id(self.context.settings.seed, web_id));
            }
            Key::FullName => full_name(out, self.audience, profile),
            Key::WebId => number(out, self.audience.web_id(slot)),
            Key::EmailType => out.push_str(if profile.text_only {
                r#""text""#
            } else {
                r#""html""#
            }),
            Key::Status => write_str(out, member.status.as_str()),
            Key::UnsubscribeReason => {
                if member.status != Status::Unsubscribed {
                    return false;
                }
                write_str(out, &profile.unsubscribe_reason);
            }
            Key::OneToOne => out.push_str("true"),
            Key::SmsPhone | Key::SmsStatus | Key::SmsUpdated | Key::EmailClient => {
                out.push_str(r#""""#);
            }
            Key::MergeFields => merge_fields(out, self.audience, profile),
            Key::Interests => {
                if definitions.interests().next().is_none() {
                    return false;
                }
                interests(out, self.audience, profile);
            }
            Key::Stats => {
                out.push_str(r#"{"avg_open_rate":0,"avg_click_rate":0"#);
                let sells = self.audience.sells && self.shape == Shape::Member;
                if sells && slot.is_multiple_of(3) {
                    out.push_str(
                        r#","ecommerce_data":{"total_revenue":12.5,"number_of_orders":1,"currency_code":"USD"}"#,
                    );
                }
                out.push('}');
            }
            Key::IpSignup => write_str(out, &profile.ip_signup),
            Key::TimestampSignup => quoted_time(out, profile.timestamp_signup),
            Key::IpOpt => write_str(out, &profile.ip_opt),
            Key::TimestampOpt => quoted_time(out, member.timestamp_opt),
            Key::Rating => number(out, u64::from(profile.rating)),
            Key::LastChanged => quoted_time(out, member.last_changed),
            Key::Language => write_str(out, &profile.language),
            Key::Vip => out.push_str(if profile.vip { "true" } else { "false" }),
            Key::Location => location(out, profile.location, self.shape),
            Key::Permissions => {
                if !definitions.marketing_permissions {
                    return false;
                }
                permissions(out, profile);
            }
            Key::LastNote => {
                let Some(note) = profile.notes.last() else {
                    return false;
                };
                let note = serde_json::json!({
                    "note_id": note.id,
                    "created_at": timestamp::text(note.created_at),
                    "created_by": "Freddie",
                    "note": note.text,
                });
                out.push_str(&note.to_string());
            }
            Key::Source => write_str(out, profile.source),
            Key::TagsCount => number(out, profile.tags.len() as u64),
            Key::Tags => tags(out, self.audience, profile),
            Key::ListId => write_str(out, &self.audience.id),
            Key::Links => {
                let mut hash = String::with_capacity(32);
                write_hex(&mut hash, &member.hash);
                links::write_member(out, self.context.origin, &self.audience.id, &hash);
            }
        }
        true
    }
}

/// Appends the wanted part of a rendered value; `false` when nothing of it is wanted.
fn write_part(out: &mut String, rendered: &str, view: View<'_>) -> bool {
    let value: Value = serde_json::from_str(rendered).unwrap_or_default();
    let Some(value) = view.prune(value) else {
        return false;
    };
    out.push_str(&value.to_string());
    true
}

fn quoted_hex(out: &mut String, bytes: &[u8]) {
    out.push('"');
    write_hex(out, bytes);
    out.push('"');
}

fn quoted_time(out: &mut String, seconds: u32) {
    out.push('"');
    timestamp::write(out, seconds);
    out.push('"');
}

fn number(out: &mut String, number: u64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

/// Appends first and last name, `""` without either.
fn full_name(out: &mut String, audience: &Audience, profile: &Profile) {
    let part = |tag: &str| {
        let field = audience.definitions.merge_field(tag)?;
        profile
            .merge_value(field.merge_id)?
            .as_str()
            .filter(|name| !name.is_empty())
    };
    match (part("FNAME"), part("LNAME")) {
        (Some(first), Some(last)) => write_str(out, &[first, " ", last].concat()),
        (first, last) => write_str(out, first.or(last).unwrap_or("")),
    }
}

/// Appends the values of all merge fields by tag.
pub(crate) fn merge_fields(out: &mut String, audience: &Audience, profile: &Profile) {
    out.push('{');
    for (position, field) in audience.definitions.merge_fields.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_str(out, &field.spec.tag);
        out.push(':');
        match profile.merge_value(field.merge_id) {
            None => out.push_str(r#""""#),
            Some(value) => write_value(out, value),
        }
    }
    out.push('}');
}

fn interests(out: &mut String, audience: &Audience, profile: &Profile) {
    out.push('{');
    for (position, interest) in audience.definitions.interests().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_str(out, &interest.id);
        let chosen = profile.interests.binary_search(&interest.number).is_ok();
        out.push_str(if chosen { ":true" } else { ":false" });
    }
    out.push('}');
}

fn location(out: &mut String, location: Option<Location>, shape: Shape) {
    let Some(known) = location else {
        out.push_str(
            r#"{"latitude":0,"longitude":0,"gmtoff":0,"dstoff":0,"country_code":"","timezone":"""#,
        );
        out.push_str(if shape == Shape::Member {
            r#","region":""}"#
        } else {
            "}"
        });
        return;
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"latitude":{},"longitude":{},"gmtoff":{},"dstoff":{},"country_code":"{}","timezone":"{}""#,
        known.latitude,
        known.longitude,
        known.gmtoff,
        known.gmtoff,
        known.country_code,
        known.timezone,
    );
    if shape == Shape::Member {
        let _ = write!(out, r#","region":"{}""#, known.region);
    }
    out.push('}');
}

fn permissions(out: &mut String, profile: &Profile) {
    let permission = serde_json::json!([{
        "marketing_permission_id": "5f2a7c90be",
        "text": "Email",
        "enabled": profile.marketing_permission,
    }]);
    out.push_str(&permission.to_string());
}

fn tags(out: &mut String, audience: &Audience, profile: &Profile) {
    out.push('[');
    for (position, held) in profile.tags.iter().take(TAGS_SHOWN).enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(r#"{"id":"#);
        number(out, u64::from(held.segment));
        out.push_str(r#","name":"#);
        let name = audience
            .definitions
            .segment(held.segment)
            .map_or("", |tag| tag.name.as_str());
        write_str(out, name);
        out.push('}');
    }
    out.push(']');
}
