//! Landing pages, what they say, and what came of them.

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
    Endpoint::paged("/landing-pages", list),
    Endpoint::whole("/landing-pages/{page_id}", get),
    Endpoint::whole("/landing-pages/{page_id}/content", content),
    Endpoint::paged("/reporting/landing-pages", reports),
    Endpoint::whole("/reporting/landing-pages/{outreach_id}", report),
];

const SALT: u64 = 0x1a9d << 32;

/// The id of a landing page.
pub(crate) fn id(number: u32) -> String {
    ten_hex(mix(SALT | u64::from(number)))
}

fn find(asked: &Asked<'_>) -> Option<Entry> {
    let mut all = asked.account.landing_pages.iter();
    all.find(|entry| id(entry.number) == asked.id(0))
}

fn status(entry: Entry) -> &'static str {
    ["published", "draft", "unpublished", "published"][entry.number as usize % 4]
}

/// `GET /landing-pages`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut found: Vec<Entry> = asked.account.landing_pages.iter().collect();
    asked.sort(&mut found, &["created_at", "updated_at"], |entry, by| {
        if by == "created_at" {
            entry.created_at
        } else {
            entry.updated_at
        }
    })?;
    asked.answer(asked.all("landing_pages", &found, |&entry| page_json(asked, entry)))
}

/// `GET /landing-pages/{page_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(find(asked), |entry| page_json(asked, entry))
}

/// `GET /landing-pages/{page_id}/content`.
fn content(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(find(asked), |entry| {
        json!({
            "html": format!("<html><body title='\"'>Revision {} 🐒</body></html>", entry.revision),
            "json": "{\"sections\": [{\"text\": \"Ünïcode\"}]}",
            "_links": [link(asked.context, "self", &asked.call.path.join("/"), "GET")],
        })
    })
}

/// When it was published and taken back; zero for never.
fn published(entry: Entry) -> (u32, u32) {
    match status(entry) {
        "published" => (entry.created_at + 60, 0),
        "unpublished" => (entry.created_at + 60, entry.created_at + 3600),
        _ => (0, 0),
    }
}

fn page_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let id = id(entry.number);
    let path = format!("landing-pages/{id}");
    let (published_at, unpublished_at) = published(entry);
    let list = asked.account.audiences.first();
    json!({
        "id": id,
        "name": format!("Page {} \"Früh\"", entry.number),
        "title": if entry.number == 1 { String::new() } else { format!("<b>{}</b>", entry.number) },
        "description": "",
        "template_id": if entry.number == 1 { 0 } else { 5001 },
        "status": status(entry),
        "list_id": list.map_or("", |list| &list.id),
        "store_id": "",
        "web_id": 9_000_000 + entry.number,
        "created_by_source": "Mailchimp",
        "url": if published_at > 0 { format!("https://mailchi.test/{id}") } else { String::new() },
        "created_at": timestamp::text(entry.created_at),
        "published_at": timestamp::text(published_at),
        "unpublished_at": timestamp::text(unpublished_at),
        "updated_at": timestamp::text(entry.updated_at),
        "tracking": {"track_with_mailchimp": true, "enable_restricted_data_processing": false},
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// Drafts have no report.
fn reported(asked: &Asked<'_>) -> Vec<Entry> {
    let all = asked.account.landing_pages.iter();
    all.filter(|&entry| status(entry) != "draft").collect()
}

/// `GET /reporting/landing-pages`.
fn reports(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found = reported(asked);
    asked.answer(asked.all("landing_pages", &found, |&entry| report_json(asked, entry)))
}

/// `GET /reporting/landing-pages/{outreach_id}`.
fn report(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut found = reported(asked).into_iter();
    let found = found.find(|entry| id(entry.number) == asked.id(0));
    asked.one_of(found, |entry| report_json(asked, entry))
}

fn report_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let page = page_json(asked, entry);
    let visits = entry.number * 7 + entry.revision;
    let days = json!([
        {"date": "2025-06-01T00:00:00+00:00", "val": visits},
        {"date": "2025-06-02T00:00:00+00:00", "val": 0},
    ]);
    let stats = json!({"clicks": days, "visits": days, "unique_visits": []});
    json!({
        "id": page["id"],
        "name": page["name"],
        "title": page["title"],
        "url": page["url"],
        "published_at": page["published_at"],
        "unpublished_at": page["unpublished_at"],
        "status": page["status"],
        "list_id": page["list_id"],
        "visits": visits,
        "unique_visits": visits / 2,
        "subscribes": visits / 3,
        "clicks": visits,
        // Percent.
        "conversion_rate": 33.3,
        "timeseries": {"daily_stats": stats, "weekly_stats": {}},
        "ecommerce": if entry.number == 0 {
            Value::Null
        } else {
            json!({
                "total_revenue": 12.5, "currency_code": "USD", "total_orders": 1,
                "average_order_revenue": 12.5,
            })
        },
        "web_id": page["web_id"],
        "list_name": asked.account.audiences.first().map_or("", |list| &list.name),
        "signup_tags": [{"tag_id": 10_001, "tag_name": "VIP 2; --"}],
        "_links": [
            link(asked.context, "self", &format!("reporting/landing-pages/{}", id(entry.number)), "GET"),
        ],
    })
}
