//! Notes about a member, and the events and goals that shops and sites reported.

use serde_json::{Value, json};

use crate::activity::{email_id, member};
use crate::audience::Audience;
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::{Note, contact_id, hex, mix};
use crate::problem::Problem;
use crate::render::Answer;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/lists/{list_id}/members/{subscriber_hash}/notes", notes),
    Endpoint::whole(
        "/lists/{list_id}/members/{subscriber_hash}/notes/{note_id}",
        one_note,
    ),
    Endpoint::paged("/lists/{list_id}/members/{subscriber_hash}/events", events),
    Endpoint::whole("/lists/{list_id}/members/{subscriber_hash}/goals", goals),
];

fn notes_of(audience: &Audience, slot: u32) -> Vec<Note> {
    let member = audience.member(slot);
    member.map_or_else(Vec::new, |member| audience.profile(member).notes)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/notes`.
fn notes(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (audience, slot) = member(asked)?;
    let mut notes = notes_of(audience, slot);
    asked.sort(
        &mut notes,
        &["created_at", "updated_at", "note_id"],
        |note, by| {
            if by == "note_id" {
                note.id
            } else {
                note.created_at
            }
        },
    )?;
    let rows = asked
        .all("notes", &notes, |note| {
            note_json(asked, audience, slot, note)
        })
        .with("email_id", email_id(audience, slot).into())
        .with("list_id", audience.id.clone().into());
    asked.answer(rows)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/notes/{note_id}`.
fn one_note(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (audience, slot) = member(asked)?;
    let id = asked.ids.number(2);
    let mut notes = notes_of(audience, slot).into_iter();
    asked.one_of(notes.find(|note| Some(note.id) == id), |note| {
        note_json(asked, audience, slot, &note)
    })
}

fn note_json(asked: &Asked<'_>, audience: &Audience, slot: u32, note: &Note) -> Value {
    let who = email_id(audience, slot);
    let contact = contact_id(asked.context.settings.seed, audience.web_id(slot));
    let path = format!("lists/{}/members/{who}/notes/{}", audience.id, note.id);
    json!({
        "id": note.id,
        "created_at": timestamp::text(note.created_at),
        "created_by": "Freddie",
        "updated_at": timestamp::text(note.created_at),
        "note": note.text,
        "list_id": audience.id,
        "email_id": who,
        "contact_id": hex(&contact),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// How many things of a kind an engaged member has.
fn count(audience: &Audience, slot: u32, kind: u64, most: u64) -> usize {
    if !audience.generator.is_engaged() {
        return 0;
    }
    let drawn = mix(audience.web_id(slot) ^ (kind << 40));
    usize::try_from(drawn % (most + 1)).unwrap_or(0)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/events`: newest first, of any shape that a site sent.
fn events(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (audience, slot) = member(asked)?;
    let rows = asked.rows("events", count(audience, slot, 1, 4), |position| {
        let ago = u32::try_from(position).unwrap_or(0) * 3600;
        let at = timestamp::text(audience.created_at.saturating_sub(ago));
        Some(match position % 3 {
            0 => json!({
                "occurred_at": at, "name": "purchased_item",
                "properties": {"item": "\"Tee\" №1", "price": "9.99", "select": "", "a b/c": "x"},
            }),
            1 => json!({"occurred_at": at, "name": "browsed", "properties": {}}),
            _ => json!({"occurred_at": at, "name": "besuch_ü"}),
        })
    });
    asked.answer(rows)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/goals`: the last 50.
fn goals(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (audience, slot) = member(asked)?;
    let rows = asked
        .rows("goals", count(audience, slot, 2, 2), |position| {
            let at = if position == 0 {
                audience.created_at
            } else {
                0
            };
            Some(json!({
                "goal_id": slot * 10 + u32::try_from(position).unwrap_or(0) + 1,
                "event": "https://shop.test/thanks?\"1\"",
                "last_visited_at": timestamp::text(at),
                "data": if position == 0 { "[{\"key\":\"value\"}]" } else { "" },
            }))
        })
        .with("list_id", audience.id.clone().into())
        .with("email_id", email_id(audience, slot).into());
    asked.answer(rows.unpaged())
}
