//! Classic automations: workflows of two e-mails, who waits for them and who was taken out.

use serde_json::{Value, json};

use crate::definitions::ten_hex;
use crate::endpoint::{Asked, Endpoint};
use crate::generate::{address_hash, write_address};
use crate::links::link;
use crate::member::{hex, mix, parse_hex};
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::Entry;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/automations", list),
    Endpoint::whole("/automations/{workflow_id}", get),
    Endpoint::whole("/automations/{workflow_id}/emails", emails),
    Endpoint::whole(
        "/automations/{workflow_id}/emails/{workflow_email_id}",
        one_email,
    ),
    Endpoint::whole(
        "/automations/{workflow_id}/emails/{workflow_email_id}/queue",
        queue,
    ),
    Endpoint::whole(
        "/automations/{workflow_id}/emails/{workflow_email_id}/queue/{subscriber_hash}",
        one_queued,
    ),
    Endpoint::whole("/automations/{workflow_id}/removed-subscribers", removed),
    Endpoint::whole(
        "/automations/{workflow_id}/removed-subscribers/{subscriber_hash}",
        one_removed,
    ),
];

/// E-mails of each workflow.
const EMAILS: usize = 2;

fn id(entry: Entry) -> String {
    ten_hex(mix(0xa0 << 40 | u64::from(entry.number)))
}

fn email_id(entry: Entry, position: usize) -> String {
    ten_hex(mix(0xae << 40
        | u64::from(entry.number) << 8
        | position as u64))
}

fn status(entry: Entry) -> &'static str {
    ["sending", "save", "paused"][entry.number as usize % 3]
}

/// Zero for a workflow that never ran.
fn started_at(entry: Entry) -> u32 {
    if status(entry) == "save" {
        0
    } else {
        entry.created_at + 600
    }
}

fn find(asked: &Asked<'_>) -> Result<Entry, Problem> {
    let mut all = asked.account.automations.iter();
    all.find(|&entry| id(entry) == asked.id(0))
        .ok_or_else(Problem::not_found)
}

fn email(asked: &Asked<'_>, entry: Entry) -> Result<usize, Problem> {
    (0..EMAILS)
        .find(|&position| email_id(entry, position) == asked.id(1))
        .ok_or_else(Problem::not_found)
}

/// `GET /automations`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found: Vec<Entry> = asked
        .account
        .automations
        .iter()
        .filter(|&entry| {
            asked.within("create_time", entry.created_at)
                && asked.within("start_time", started_at(entry))
                && asked.is("status", status(entry))
        })
        .collect();
    asked.answer(asked.all("automations", &found, |&entry| workflow_json(asked, entry)))
}

/// `GET /automations/{workflow_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one(workflow_json(asked, find(asked)?))
}

fn recipients(asked: &Asked<'_>) -> Value {
    let list = asked.account.audiences.first();
    json!({
        "list_id": list.map_or("", |list| &list.id),
        "list_is_active": list.is_some(),
        "list_name": list.map_or("", |list| &list.name),
        "segment_opts": null,
    })
}

fn tracking() -> Value {
    json!({
        "opens": true, "html_clicks": true, "text_clicks": false, "goal_tracking": false,
        "ecomm360": false, "google_analytics": "", "clicktale": "",
    })
}

fn trigger(entry: Entry) -> Value {
    let kind = ["welcomeSeries", "abandonedCart", "api"][entry.number as usize % 3];
    json!({
        "workflow_type": kind,
        "workflow_title": format!("\"{kind}\""),
        "runtime": {"days": ["monday", "friday"], "hours": {"type": "send_asap"}},
        "workflow_emails_count": EMAILS,
    })
}

fn summary(entry: Entry) -> Value {
    if status(entry) == "save" {
        return Value::Null;
    }
    json!({
        "opens": 3, "unique_opens": 2, "open_rate": 0.2, "clicks": 1, "subscriber_clicks": 1,
        "click_rate": 0.1,
    })
}

fn workflow_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let path = format!("automations/{}", id(entry));
    let mut recipients = recipients(asked);
    recipients["store_id"] = "".into();
    json!({
        "id": id(entry),
        "create_time": timestamp::text(entry.created_at),
        "start_time": timestamp::text(started_at(entry)),
        "status": status(entry),
        "emails_sent": if started_at(entry) > 0 { 10 } else { 0 },
        "recipients": recipients,
        "settings": {
            "title": format!("Séries \"{}\"", entry.number), "from_name": "Freddie",
            "reply_to": "owner@mail.test", "use_conversation": false, "to_name": "",
            "authenticate": true, "auto_footer": false, "inline_css": false,
        },
        "tracking": tracking(),
        "trigger_settings": trigger(entry),
        "report_summary": summary(entry),
        "_links": [
            link(asked.context, "self", &path, "GET"),
            link(asked.context, "emails", &format!("{path}/emails"), "GET"),
        ],
    })
}

/// `GET /automations/{workflow_id}/emails`.
fn emails(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked)?;
    let rows = asked.rows("emails", EMAILS, |position| {
        Some(email_json(asked, entry, position))
    });
    asked.answer(rows.unpaged())
}

/// `GET /automations/{workflow_id}/emails/{workflow_email_id}`.
fn one_email(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked)?;
    asked.one(email_json(asked, entry, email(asked, entry)?))
}

fn email_json(asked: &Asked<'_>, entry: Entry, position: usize) -> Value {
    let path = format!(
        "automations/{}/emails/{}",
        id(entry),
        email_id(entry, position)
    );
    let mut recipients = recipients(asked);
    recipients["segment_text"] = "".into();
    recipients["recipient_count"] = 0.into();
    json!({
        "id": email_id(entry, position),
        "web_id": 7_000_000 + entry.number * 10 + u32::try_from(position).unwrap_or(0),
        "workflow_id": id(entry),
        "position": position + 1,
        "delay": {
            "amount": position, "type": "day", "direction": "after", "action": "signup",
            "action_description": "subscribers join the \"audience\"", "full_description": "",
        },
        "create_time": timestamp::text(entry.created_at),
        "start_time": timestamp::text(started_at(entry)),
        "archive_url": format!("http://eepurl.test/{}", email_id(entry, position)),
        "status": status(entry),
        "emails_sent": if started_at(entry) > 0 { 5 } else { 0 },
        "send_time": "",
        "content_type": "template",
        "needs_block_refresh": false,
        "has_logo_merge_tag": false,
        "recipients": recipients,
        "settings": {
            "subject_line": format!("Willkommen, *|FNAME|* 🐒 {position}"), "preview_text": "",
            "title": "", "from_name": "Freddie", "reply_to": "owner@mail.test",
            "authenticate": true, "auto_footer": false, "inline_css": false, "auto_tweet": false,
            "fb_comments": false, "template_id": 0, "drag_and_drop": true,
        },
        "tracking": tracking(),
        "trigger_settings": trigger(entry),
        "report_summary": summary(entry),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// `GET /automations/{workflow_id}/emails/{workflow_email_id}/queue`.
fn queue(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked)?;
    let position = email(asked, entry)?;
    let queued: Vec<u32> = (0..asked.account.queued).collect();
    let rows = asked
        .all("queue", &queued, |&number| {
            queued_json(asked, entry, position, number)
        })
        .with("workflow_id", id(entry).into())
        .with("email_id", email_id(entry, position).into());
    asked.answer(rows.unpaged())
}

/// The number of the person whose id stands at a position of the path.
fn person(asked: &Asked<'_>, at: usize) -> Option<u32> {
    let wanted = parse_hex(asked.id(at))?;
    (0..asked.account.queued).find(|&number| address_hash(number) == wanted)
}

/// `GET /automations/{workflow_id}/emails/{workflow_email_id}/queue/{subscriber_hash}`.
fn one_queued(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked)?;
    let position = email(asked, entry)?;
    asked.one_of(person(asked, 2), |number| {
        queued_json(asked, entry, position, number)
    })
}

fn queued_json(asked: &Asked<'_>, entry: Entry, position: usize, number: u32) -> Value {
    let mut value = person_json(asked, entry, number);
    value["email_id"] = email_id(entry, position).into();
    let next = if number == 0 {
        0
    } else {
        entry.created_at + 86_400
    };
    value["next_send"] = timestamp::text(next).into();
    value
}

/// `GET /automations/{workflow_id}/removed-subscribers`.
fn removed(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked)?;
    let found: Vec<u32> = (0..asked.account.queued).collect();
    let rows = asked
        .all("subscribers", &found, |&number| {
            person_json(asked, entry, number)
        })
        .with("workflow_id", id(entry).into());
    asked.answer(rows.unpaged())
}

/// `GET /automations/{workflow_id}/removed-subscribers/{subscriber_hash}`.
fn one_removed(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked)?;
    asked.one_of(person(asked, 1), |number| person_json(asked, entry, number))
}

fn person_json(asked: &Asked<'_>, entry: Entry, number: u32) -> Value {
    let mut address = String::new();
    write_address(&mut address, number);
    let list = asked.account.audiences.first();
    json!({
        "id": hex(&address_hash(number)),
        "workflow_id": id(entry),
        "list_id": list.map_or("", |list| &list.id),
        "email_address": address,
        "_links": [link(asked.context, "parent", &format!("automations/{}", id(entry)), "GET")],
    })
}
