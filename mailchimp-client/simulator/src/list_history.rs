//! What an audience has been through, and where its members are: growth, activity by day, places, clients, forms.

use serde_json::{Value, json};

use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::listing::Class;
use crate::member::mix;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::below;
use crate::spec::Status;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/lists/{list_id}/growth-history", growth),
    Endpoint::whole("/lists/{list_id}/growth-history/{month}", one_month),
    Endpoint::paged("/lists/{list_id}/activity", activity),
    Endpoint::whole("/lists/{list_id}/clients", clients),
    Endpoint::whole("/lists/{list_id}/locations", locations),
    Endpoint::whole("/lists/{list_id}/signup-forms", signup_forms),
];

/// Months of growth that are known.
const MONTHS: u32 = 24;

/// Days of activity that are known.
const DAYS: u32 = 180;

/// The months until now as `YYYY-MM`, newest first.
fn months(asked: &Asked<'_>) -> Vec<String> {
    let mut days = asked.context.second() / 86_400;
    let mut months = Vec::new();
    while months.len() < MONTHS as usize {
        let mut date = String::new();
        timestamp::write_date(&mut date, days);
        let day: u32 = date.get(8..).and_then(|day| day.parse().ok()).unwrap_or(1);
        date.truncate(7);
        months.push(date);
        days = days.saturating_sub(day);
    }
    months
}

/// `GET /lists/{list_id}/growth-history`.
fn growth(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let list = &asked.audience(0)?.id;
    let mut months = months(asked);
    asked.sort(&mut months, &["month"], |month, _| month.clone())?;
    let rows = asked.all("history", &months, |month| month_json(asked, month));
    asked.answer(rows.with("list_id", list.as_str().into()))
}

/// `GET /lists/{list_id}/growth-history/{month}`.
fn one_month(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.audience(0)?;
    let found = months(asked).into_iter().find(|month| month == asked.id(1));
    asked.one_of(found, |month| month_json(asked, &month))
}

/// `existing`, `imports` and `optins` were retired in 2020 and are zero.
fn month_json(asked: &Asked<'_>, month: &str) -> Value {
    let list = asked.id(0);
    let drawn = scatter(&[list, month]);
    let count = |purpose: u64, most: u32| below(mix(drawn ^ purpose), most);
    json!({
        "list_id": list,
        "month": month,
        "existing": 0,
        "imports": 0,
        "optins": 0,
        "subscribed": count(1, 900),
        "unsubscribed": count(2, 90),
        "reconfirm": 0,
        "cleaned": count(3, 20),
        "pending": count(4, 9),
        "deleted": count(5, 9),
        "transactional": count(6, 30),
        "_links": [
            link(asked.context, "self", &format!("lists/{list}/growth-history/{month}"), "GET"),
        ],
    })
}

/// A number that depends on all of these words.
fn scatter(words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes());
    bytes.fold(0, |drawn, byte| mix(drawn ^ u64::from(byte)))
}

/// `GET /lists/{list_id}/activity`: a row for each of the last days, newest first.
fn activity(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let list = &asked.audience(0)?.id;
    let today = asked.context.second() / 86_400;
    let rows = asked.rows("activity", DAYS as usize, |position| {
        let ago = u32::try_from(position).unwrap_or(0);
        let mut day = String::new();
        timestamp::write_date(&mut day, today.saturating_sub(ago));
        let drawn = scatter(&[list, &day]);
        let count = |purpose: u64, most: u32| below(mix(drawn ^ purpose), most);
        Some(json!({
            "day": day,
            "emails_sent": count(1, 500),
            "unique_opens": count(2, 200),
            "recipient_clicks": count(3, 90),
            "hard_bounce": count(4, 3),
            "soft_bounce": count(5, 3),
            "subs": count(6, 20),
            "unsubs": count(7, 5),
            "other_adds": count(8, 3),
            "other_removes": 0,
            "_links": [],
        }))
    });
    asked.answer(rows.with("list_id", list.as_str().into()))
}

/// `GET /lists/{list_id}/clients`: the programs that members read with.
fn clients(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let audience = asked.audience(0)?;
    let members = audience.listing.count(Class::Of(Status::Subscribed));
    let clients = [
        ("Gmail", members - members / 3),
        ("Apple Mail \"iOS\"", members / 3),
        ("", 0),
    ];
    let rows = asked
        .all(
            "clients",
            &clients,
            |(client, members)| json!({"client": client, "members": members}),
        )
        .with("list_id", audience.id.as_str().into());
    asked.answer(rows.unpaged())
}

/// `GET /lists/{list_id}/locations`: the most frequent countries, in percent.
fn locations(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let audience = asked.audience(0)?;
    let members = audience.listing.count(Class::Of(Status::Subscribed));
    let countries = [
        ("UK", "GB", 57.5, members - members / 3),
        ("USA", "US", 42.5, members / 3),
        ("", "", 0.0, 0),
    ];
    let rows = asked
        .all("locations", &countries, |(country, code, percent, total)| {
            json!({"country": country, "cc": code, "percent": percent, "total": total})
        })
        .with("list_id", audience.id.as_str().into());
    asked.answer(rows.unpaged())
}

/// `GET /lists/{list_id}/signup-forms`.
fn signup_forms(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let audience = asked.audience(0)?;
    let forms = [json!({
        "header": {
            "image_url": "", "text": "<h1>\"Jöin\" us</h1>", "image_width": "", "image_height": "",
            "image_alt": "", "image_link": "", "image_align": "none", "image_border_width": "",
            "image_border_style": "none", "image_border_color": "", "image_target": null,
        },
        "contents": [{"section": "signup_message", "value": "<p>Hello, \"you\"</p>"}],
        "styles": [{
            "selector": "page_background",
            "options": [{"property": "background-color", "value": "#e2e2e2"}],
        }],
        "signup_form_url": format!("https://signup.test/subscribe?u=8d3a&id={}", audience.id),
        "list_id": audience.id,
        "_links": [],
    })];
    let rows = asked
        .all("signup_forms", &forms, Value::clone)
        .with("list_id", audience.id.as_str().into());
    asked.answer(rows.unpaged())
}
