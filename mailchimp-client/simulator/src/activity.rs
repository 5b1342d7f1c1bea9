//! What a member did with campaigns.

use serde_json::{Value, json};

use crate::audience::Audience;
use crate::links;
use crate::member::{contact_id, hex};
use crate::problem::Problem;
use crate::query::Call;
use crate::render::{Answer, Rows};
use crate::simulator::Context;
use crate::timestamp;

/// An open, or a click when there is a URL.
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

/// Newest first.
fn of(audience: &Audience, slot: u32) -> impl Iterator<Item = &Activity> {
    audience.activity.get(&slot).into_iter().flatten().rev()
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/activity`: the last 50 events.
pub(crate) fn activity(
    context: &Context<'_>,
    audience: &Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let slot = audience.find(key).ok_or_else(Problem::not_found)?;
    let wanted = call.query.get("action");
    let events: Vec<Value> = of(audience, slot)
        .map(|event| {
            let mut row = json!({
                "action": if event.url.is_some() { "click" } else { "open" },
                "timestamp": timestamp::text(event.at),
                "campaign_id": event.campaign_id,
                "title": "",
            });
            if let Some(url) = &event.url {
                row["url"] = url.as_str().into();
            }
            row
        })
        .filter(|row| {
            wanted.is_none_or(|wanted| wanted.split(',').any(|word| row["action"] == word))
        })
        .take(50)
        .collect();
    let web_id = audience.web_id(slot);
    let contact = hex(&contact_id(context.settings.seed, web_id));
    envelope(context, audience, slot, &events)
        .with("contact_id", contact.into())
        .unpaged()
        .answer(context, call)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/activity-feed`: pages of events, without a total.
pub(crate) fn feed(
    context: &Context<'_>,
    audience: &Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let slot = audience.find(key).ok_or_else(Problem::not_found)?;
    let wanted = call.query.get("activity_filters");
    let events: Vec<Value> = of(audience, slot)
        .map(|event| {
            let mut row = json!({
                "activity_type": if event.url.is_some() { "click" } else { "open" },
                "created_at_timestamp": timestamp::text(event.at),
                "campaign_id": event.campaign_id,
                "campaign_title": "",
            });
            if let Some(url) = &event.url {
                row["link_clicked"] = url.as_str().into();
            }
            row
        })
        .filter(|row| {
            wanted.is_none_or(|wanted| wanted.split(',').any(|word| row["activity_type"] == word))
        })
        .collect();
    envelope(context, audience, slot, &events)
        .without_total()
        .answer(context, call)
}

fn envelope<'a>(
    context: &Context<'_>,
    audience: &Audience,
    slot: u32,
    events: &'a [Value],
) -> Rows<'a> {
    let id = audience
        .member(slot)
        .map(|member| hex(&member.hash))
        .unwrap_or_default();
    let path = format!("lists/{}/members/{id}/activity", audience.id);
    Rows::new("activity", events.len(), |position| {
        events.get(position).cloned()
    })
    .with("email_id", id.into())
    .with("list_id", audience.id.clone().into())
    .with("_links", links::own(context, &path))
}
