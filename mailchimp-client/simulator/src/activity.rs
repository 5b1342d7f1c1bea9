//! What a member did with campaigns.

use serde_json::{Value, json};

use crate::audience::Audience;
use crate::campaigns::engagement::Action;
use crate::endpoint::{Asked, Endpoint};
use crate::member::{contact_id, hex};
use crate::problem::Problem;
use crate::render::{Answer, Rows};
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::whole(
        "/lists/{list_id}/members/{subscriber_hash}/activity",
        activity,
    ),
    Endpoint::paged(
        "/lists/{list_id}/members/{subscriber_hash}/activity-feed",
        feed,
    ),
];

/// Something that a test recorded: an open, or a click when there is a URL.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    campaign_id: String,
    url: Option<String>,
    at: u32,
}

impl Activity {
    pub(crate) fn new(campaign_id: &str, url: Option<&str>, at: u32) -> Self {
        Self {
            campaign_id: campaign_id.to_owned(),
            url: url.map(str::to_owned),
            at,
        }
    }
}

/// One event, whoever knows of it.
struct Found {
    action: &'static str,
    at: u32,
    campaign_id: String,
    title: String,
    url: Option<String>,
    /// Of a bounce.
    kind: Option<&'static str>,
}

/// What was recorded of a member and what the campaigns know, newest first.
fn of(asked: &Asked<'_>, audience: &Audience, slot: u32) -> Vec<Found> {
    let recorded = audience.activity.get(&slot).into_iter().flatten();
    let mut found: Vec<Found> = recorded
        .map(|event| Found {
            action: if event.url.is_some() { "click" } else { "open" },
            at: event.at,
            campaign_id: event.campaign_id.clone(),
            title: String::new(),
            url: event.url.clone(),
            kind: None,
        })
        .collect();
    let address = audience
        .member(slot)
        .map(|member| audience.profile(member).email)
        .unwrap_or_default();
    let mut events = Vec::new();
    for campaign in asked.account.campaigns.sent_to(&audience.id) {
        let Some(recipient) = campaign.recipient_of(&address) else {
            continue;
        };
        campaign.events(recipient, &mut events);
        found.extend(events.iter().map(|event| {
            let (action, url, kind) = match event.action {
                Action::Open { .. } => ("open", None, None),
                Action::Click { link } => ("click", Some(campaign.url(link)), None),
                Action::Bounce { hard: true } => ("bounce", None, Some("hard")),
                Action::Bounce { hard: false } => ("bounce", None, Some("soft")),
            };
            Found {
                action,
                at: event.at,
                campaign_id: campaign.id.clone(),
                title: campaign.title(),
                url,
                kind,
            }
        }));
    }
    found.sort_by_key(|event| event.at);
    found.reverse();
    found
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/activity`: the last 50 events.
fn activity(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (audience, slot) = member(asked)?;
    let wanted = asked.call.query.get("action");
    let events: Vec<Value> = of(asked, audience, slot)
        .into_iter()
        .filter(|event| chosen(wanted, event.action))
        .take(50)
        .map(|event| {
            let mut row = json!({
                "action": event.action,
                "timestamp": timestamp::text(event.at),
                "campaign_id": event.campaign_id,
                "title": event.title,
            });
            if let Some(url) = event.url {
                row["url"] = url.into();
            }
            if let Some(kind) = event.kind {
                row["type"] = kind.into();
            }
            row
        })
        .collect();
    let contact = contact_id(asked.context.settings.seed, audience.web_id(slot));
    let rows = envelope(asked, audience, slot, &events)
        .with("contact_id", hex(&contact).into())
        .unpaged();
    asked.answer(rows)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/activity-feed`: pages of events, without a total.
fn feed(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (audience, slot) = member(asked)?;
    let wanted = asked.call.query.get("activity_filters");
    let events: Vec<Value> = of(asked, audience, slot)
        .into_iter()
        .filter(|event| chosen(wanted, event.action))
        .map(|event| {
            let mut row = json!({
                "activity_type": event.action,
                "created_at_timestamp": timestamp::text(event.at),
                "campaign_id": event.campaign_id,
                "campaign_title": event.title,
            });
            if let Some(url) = event.url {
                row["link_clicked"] = url.into();
            }
            row
        })
        .collect();
    asked.answer(envelope(asked, audience, slot, &events).without_total())
}

/// The member in the path.
pub(crate) fn member<'a>(asked: &Asked<'a>) -> Result<(&'a Audience, u32), Problem> {
    let audience = asked.audience(0)?;
    let slot = audience.find(asked.id(1)).ok_or_else(Problem::not_found)?;
    Ok((audience, slot))
}

/// Whether an action is among those that a comma list asks for.
fn chosen(wanted: Option<&str>, action: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.split(',').any(|word| word == action))
}

fn envelope<'r>(
    asked: &Asked<'_>,
    audience: &Audience,
    slot: u32,
    events: &'r [Value],
) -> Rows<'r> {
    asked
        .all("activity", events, Value::clone)
        .with("email_id", email_id(audience, slot).into())
        .with("list_id", audience.id.clone().into())
}

/// The id of the member in a slot.
pub(crate) fn email_id(audience: &Audience, slot: u32) -> String {
    let member = audience.member(slot);
    member.map(|member| hex(&member.hash)).unwrap_or_default()
}
