//! Conversations: deprecated, two messages each.

use serde_json::{Value, json};

use crate::definitions::ten_hex;
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::mix;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::Entry;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/conversations", list),
    Endpoint::whole("/conversations/{conversation_id}", get),
    Endpoint::whole("/conversations/{conversation_id}/messages", messages),
    Endpoint::whole(
        "/conversations/{conversation_id}/messages/{message_id}",
        one_message,
    ),
];

fn id(entry: Entry) -> String {
    ten_hex(mix(0xc0 << 40 | u64::from(entry.number)))
}

fn message_id(entry: Entry, position: usize) -> String {
    (entry.number * 10 + u32::try_from(position).unwrap_or(0) + 1).to_string()
}

fn list_of(asked: &Asked<'_>) -> String {
    let first = asked.account.audiences.first();
    first
        .map(|audience| audience.id.clone())
        .unwrap_or_default()
}

fn campaign_of(asked: &Asked<'_>, entry: Entry) -> String {
    let campaigns = &asked.account.campaigns.held;
    let at = (entry.number as usize).checked_rem(campaigns.len());
    let found = at.and_then(|at| campaigns.get(at));
    found
        .map(|campaign| campaign.id.clone())
        .unwrap_or_default()
}

/// Only the newer of two messages may be unread.
fn is_read(entry: Entry, position: usize) -> bool {
    position == 0 || entry.number.is_multiple_of(2)
}

/// `GET /conversations`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let unread = asked.call.query.get("has_unread_messages");
    let found: Vec<Entry> = asked
        .account
        .conversations
        .iter()
        .filter(|&entry| {
            asked.is("list_id", &list_of(asked))
                && asked.is("campaign_id", &campaign_of(asked, entry))
                && unread.is_none_or(|unread| (unread == "true") != is_read(entry, 1))
        })
        .collect();
    asked.answer(asked.all("conversations", &found, |&entry| {
        conversation_json(asked, entry)
    }))
}

fn find(asked: &Asked<'_>) -> Option<Entry> {
    let mut all = asked.account.conversations.iter();
    all.find(|&entry| id(entry) == asked.id(0))
}

/// `GET /conversations/{conversation_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(find(asked), |entry| conversation_json(asked, entry))
}

fn conversation_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let mut last = message_json(asked, entry, 1);
    if let Some(last) = last.as_object_mut() {
        last.retain(|name, _| {
            !["id", "conversation_id", "list_id", "_links"].contains(&name.as_str())
        });
    }
    let path = format!("conversations/{}", id(entry));
    json!({
        "id": id(entry),
        "message_count": 2,
        "campaign_id": campaign_of(asked, entry),
        "list_id": list_of(asked),
        "unread_messages": u32::from(!is_read(entry, 1)),
        "from_label": "Ada \"the first\" 🐒",
        "from_email": "ada@mail.test",
        "subject": "Re: “news”",
        "last_message": last,
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// `GET /conversations/{conversation_id}/messages`.
fn messages(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked).ok_or_else(Problem::not_found)?;
    let read = asked.call.query.get("is_read");
    let found: Vec<usize> = [0, 1]
        .into_iter()
        .filter(|&position| {
            asked.within("timestamp", at(entry, position))
                && read.is_none_or(|read| (read == "true") == is_read(entry, position))
        })
        .collect();
    let rows = asked
        .all("conversation_messages", &found, |&position| {
            message_json(asked, entry, position)
        })
        .with("conversation_id", id(entry).into());
    asked.answer(rows.unpaged())
}

/// `GET /conversations/{conversation_id}/messages/{message_id}`.
fn one_message(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked).ok_or_else(Problem::not_found)?;
    let mut positions = [0, 1].into_iter();
    let found = positions.find(|&position| message_id(entry, position) == asked.id(1));
    asked.one_of(found, |position| message_json(asked, entry, position))
}

fn at(entry: Entry, position: usize) -> u32 {
    entry.created_at + u32::try_from(position).unwrap_or(0) * 60
}

fn message_json(asked: &Asked<'_>, entry: Entry, position: usize) -> Value {
    let message = message_id(entry, position);
    let path = format!("conversations/{}/messages/{message}", id(entry));
    json!({
        "id": message,
        "conversation_id": id(entry),
        // A number by the specification, although lists have other ids.
        "list_id": 10_001,
        "from_label": if position == 0 { "Ada" } else { "" },
        "from_email": "ada@mail.test",
        "subject": "Re: “news”",
        "message": "<p>\"Hi\",\n I'd like…</p>",
        "read": is_read(entry, position),
        "timestamp": timestamp::text(at(entry, position)),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}
