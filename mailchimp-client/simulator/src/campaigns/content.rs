//! What a campaign says, what its authors said about it, and whether it may be sent.

use serde_json::{Value, json};

use super::{Campaign, Kind};
use crate::endpoint::Asked;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::timestamp;

fn campaign<'a>(asked: &Asked<'a>) -> Result<&'a Campaign, Problem> {
    let found = asked.account.campaigns.get(asked.id(0));
    found.ok_or_else(Problem::not_found)
}

/// `GET /campaigns/{campaign_id}/content`.
pub(super) fn content(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let text = format!(
        "Hello *|FNAME|*,\n\n“news” no. {} — see {}\n\n\t© Freddie’s Jokes\n",
        campaign.number,
        campaign.url(0)
    );
    let mut value = json!({
        "plain_text": text,
        "_links": [link(asked.context, "self", &asked.call.path.join("/"), "GET")],
    });
    if campaign.kind != Kind::Plaintext {
        let html = html(campaign);
        value["archive_html"] = html.replace("*|FNAME|*", "<<First Name>>").into();
        value["html"] = html.into();
    }
    if campaign.kind == Kind::Variate {
        value["variate_contents"] = json!([
            {"content_label": "A", "plain_text": text, "html": "<p>A</p>"},
            {"content_label": "B \"b\"", "plain_text": "", "html": ""},
        ]);
    }
    asked.one(value)
}

fn html(campaign: &Campaign) -> String {
    use std::fmt::Write as _;
    let mut html = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{}</title>\n<style>a:hover \
         {{ color: '#f00'; }}</style></head>\n<body style=\"font-family:'Helvetica Neue'\">\n<h1>\
         Hello *|FNAME|* 🐒 &amp; friends</h1>\n",
        campaign.title()
    );
    for link in 0..campaign.engagement.links {
        let url = campaign.url(link).replace('"', "%22");
        // Writing to a string cannot fail.
        let _ = writeln!(html, "<p><a href=\"{url}\">Read \"more\"</a> \\ 100%</p>");
    }
    html.push_str("</body></html>\n");
    html
}

/// `GET /campaigns/{campaign_id}/feedback`: two remarks on every campaign but each third.
pub(super) fn feedback(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let rows = asked.rows("feedback", feedback_count(campaign), |position| {
        feedback_json(asked, campaign, position)
    });
    let rows = rows.with("campaign_id", campaign.id.clone().into());
    asked.answer(rows.unpaged())
}

/// `GET /campaigns/{campaign_id}/feedback/{feedback_id}`.
pub(super) fn one_feedback(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let id = asked.ids.number(1);
    let position =
        (0..feedback_count(campaign)).find(|&position| Some(feedback_id(campaign, position)) == id);
    let value = position.and_then(|position| feedback_json(asked, campaign, position));
    asked.one_of(value, |value| value)
}

fn feedback_count(campaign: &Campaign) -> usize {
    if campaign.number % 3 == 2 { 0 } else { 2 }
}

fn feedback_id(campaign: &Campaign, position: usize) -> u32 {
    campaign.number * 10 + u32::try_from(position).unwrap_or(0) + 1
}

fn feedback_json(asked: &Asked<'_>, campaign: &Campaign, position: usize) -> Option<Value> {
    let at = campaign.created_at + [60, 120].get(position)?;
    let id = feedback_id(campaign, position);
    let path = format!("campaigns/{}/feedback/{id}", campaign.id);
    Some(json!({
        "feedback_id": id,
        "parent_id": if position == 0 { 0 } else { id - 1 },
        "block_id": 0,
        "message": if position == 0 { "Could we say \"tea\" here? 🍵" } else { "" },
        "is_complete": position == 0,
        "created_by": "freddie",
        "created_at": timestamp::text(at),
        "updated_at": timestamp::text(if position == 0 { at } else { 0 }),
        "source": if position == 0 { "web" } else { "api" },
        "campaign_id": campaign.id,
        "_links": [link(asked.context, "self", &path, "GET")],
    }))
}

/// `GET /campaigns/{campaign_id}/send-checklist`.
pub(super) fn checklist(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let subject = if campaign.is_sent() {
        "success"
    } else {
        "error"
    };
    asked.one(json!({
        "is_ready": campaign.is_sent(),
        "items": [
            {"type": "success", "id": 501, "heading": "List", "details": ""},
            {"type": subject, "id": 502, "heading": "Subject Line", "details": "\"\""},
        ],
        "_links": asked.own_links(),
    }))
}
