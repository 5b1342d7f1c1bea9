//! The beta audiences: the same people as contacts, paged by a cursor.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::audience::Audience;
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::{Member, Profile, contact_id, hex};
use crate::problem::Problem;
use crate::render::{Answer, Rows};
use crate::spec::Status;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/audiences", list),
    Endpoint::whole("/audiences/{audience_id}", get),
    Endpoint::paged("/audiences/{audience_id}/contacts", contacts),
    Endpoint::whole("/audiences/{audience_id}/contacts/{contact_id}", contact),
];

/// `GET /audiences`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let rows = asked.all("audiences", &asked.account.audiences, |audience| {
        audience_json(asked, audience)
    });
    asked.answer(rows)
}

/// `GET /audiences/{audience_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one(audience_json(asked, asked.audience(0)?))
}

fn audience_json(asked: &Asked<'_>, audience: &Audience) -> Value {
    let path = format!("audiences/{}", audience.id);
    json!({
        "id": audience.id,
        "name": audience.name,
        "stats": {"total_contacts": audience.len()},
        "enabled_channels": ["Email"],
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// `GET /audiences/{audience_id}/contacts`: archived ones are there. The cursor names the last contact of a page, so that
/// changes between pages neither hide nor repeat one; the last page has an empty one.
fn contacts(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let audience = asked.audience(0)?;
    let query = &asked.call.query;
    let count = query.paging(asked.context.settings.page_clamp)?.count;
    let after = match query.get("cursor").filter(|cursor| !cursor.is_empty()) {
        None => 0,
        Some(cursor) => read_cursor(cursor).ok_or_else(|| {
            Problem::invalid_resource(
                "The resource submitted could not be validated.",
                &[("cursor", "This value is not a valid cursor.")],
            )
        })?,
    };
    let within = |name: &str, at: u32| {
        let since = query.time(&format!("{name}_since"));
        let before = query.time(&format!("{name}_before"));
        let at = i64::from(at);
        since.is_none_or(|since| at > since) && before.is_none_or(|before| at <= before)
    };
    let mut scratch = Profile::default();
    let mut found: Vec<u32> = audience
        .members()
        .filter(|(slot, _)| *slot >= after)
        .filter(|(_, member)| {
            let profile = audience.profile_in(member, &mut scratch);
            within("created", created_at(member, profile)) && within("updated", member.last_changed)
        })
        .map(|(slot, _)| slot)
        .take(count.saturating_add(1))
        .collect();
    let more = found.len() > count;
    found.truncate(count);
    let next = found.last().filter(|_| more).map(|&last| cursor(last + 1));
    // Paged already: `offset` is no longer known here.
    Rows::new("contacts", found.len(), |position| {
        contact_json(asked, audience, *found.get(position)?)
    })
    .with("next_cursor", next.unwrap_or_default().into())
    .with("_links", asked.own_links())
    .without_total()
    .unpaged()
    .answer(asked.context, asked.call)
}

fn cursor(slot: u32) -> String {
    URL_SAFE_NO_PAD.encode(format!("contact:{slot}"))
}

fn read_cursor(text: &str) -> Option<u32> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("contact:")?.parse().ok()
}

/// `GET /audiences/{audience_id}/contacts/{contact_id}`.
fn contact(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let audience = asked.audience(0)?;
    let slot = audience.find(asked.id(1));
    asked.one_of(
        slot.and_then(|slot| contact_json(asked, audience, slot)),
        |json| json,
    )
}

fn created_at(member: &Member, profile: &Profile) -> u32 {
    match profile.timestamp_signup {
        0 => member.last_changed,
        at => at.min(member.last_changed),
    }
}

/// The language without a region, English when nobody knows.
fn language(known: &str) -> &str {
    match known.split('_').next() {
        None | Some("") => "en",
        Some(language) => language,
    }
}

fn contact_json(asked: &Asked<'_>, audience: &Audience, slot: u32) -> Option<Value> {
    let member = audience.member(slot)?;
    let mut scratch = Profile::default();
    let profile = audience.profile_in(member, &mut scratch);
    let id = hex(&contact_id(
        asked.context.settings.seed,
        audience.web_id(slot),
    ))
    .to_uppercase();
    let (status, consent) = match member.status {
        Status::Subscribed => ("subscribed", "confirmed"),
        Status::Pending => ("pending", "unknown"),
        Status::Unsubscribed | Status::Cleaned => ("unsubscribed", "denied"),
        Status::Transactional | Status::Archived => ("nonsubscribed", "unknown"),
    };
    let mut fields = String::new();
    crate::member_row::merge_fields(&mut fields, audience, profile);
    let tags = profile
        .tags
        .iter()
        .filter_map(|tag| Some(audience.definitions.segment(tag.segment)?.name.as_str()));
    Some(json!({
        "audience_id": audience.id,
        "language": language(&profile.language),
        "status": if member.status == Status::Archived { "archived" } else { "active" },
        "email_channel": {
            "email": profile.email,
            "hashed_email": hex(&Md5::digest(profile.email.to_lowercase().as_bytes())),
            "effective_subscription_status": {"value": status},
            "marketing_consent": {"status": consent, "source": {"name": "Import"}},
            "source": {"name": profile.source},
        },
        "sms_channel": null,
        "merge_fields": serde_json::from_str::<Value>(&fields).unwrap_or_default(),
        "tags": tags.collect::<Vec<_>>(),
        "source": {"name": profile.source},
        "created_at": timestamp::text(created_at(member, profile)),
        "last_updated_at": timestamp::text(member.last_changed),
        "_links": [
            link(asked.context, "self", &format!("audiences/{}/contacts/{id}", audience.id), "GET"),
        ],
        "id": id,
    }))
}
