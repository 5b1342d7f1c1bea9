//! Sub-reports that count: by link, place, domain, product and referrer.

use serde_json::{Value, json};

use super::campaign;
use crate::campaigns::engagement::Action;
use crate::campaigns::{Campaign, Kind, share};
use crate::endpoint::Asked;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::timestamp;

/// `GET /reports/{campaign_id}/click-details`: a row for each link, clicked or not.
pub(super) fn links(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let links = if campaign.is_sent() {
        campaign.engagement.links
    } else {
        0
    };
    let mut found: Vec<u8> = (0..links).collect();
    let totals = campaign.totals();
    asked.sort(
        &mut found,
        &["total_clicks", "unique_clicks"],
        |&link, by| {
            totals.links.get(usize::from(link)).map(|link| {
                if by == "total_clicks" {
                    link.clicks
                } else {
                    link.clickers
                }
            })
        },
    )?;
    let rows = asked.all("urls_clicked", &found, |&link| {
        link_json(asked, campaign, link)
    });
    asked.answer(rows.with("campaign_id", campaign.id.clone().into()))
}

/// `GET /reports/{campaign_id}/click-details/{link_id}`.
pub(super) fn one_link(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    asked.one_of(campaign.link_of(asked.id(1)), |link| {
        link_json(asked, campaign, link)
    })
}

fn link_json(asked: &Asked<'_>, campaign: &Campaign, number: u8) -> Value {
    let totals = campaign.totals();
    let found = totals.links.get(usize::from(number));
    let found = found.cloned().unwrap_or_default();
    let id = campaign.link_id(number);
    let path = format!("reports/{}/click-details/{id}", campaign.id);
    let mut value = json!({
        "id": id,
        "url": campaign.url(number),
        "total_clicks": found.clicks,
        "click_percentage": share(found.clicks, totals.clicks),
        "unique_clicks": found.clickers,
        "unique_click_percentage": share(found.clickers, totals.unique_clicks),
        "last_click": timestamp::text(found.last_click),
        "campaign_id": campaign.id,
        "_links": [
            link(asked.context, "self", &path, "GET"),
            link(asked.context, "members", &format!("{path}/members"), "GET"),
        ],
    });
    if campaign.kind == Kind::AbSplit {
        value["ab_split"] = json!({
            "a": {
                "total_clicks_a": found.clicks, "click_percentage_a": 1,
                "unique_clicks_a": found.clickers, "unique_click_percentage_a": 1,
            },
            "b": {
                "total_clicks_b": 0, "click_percentage_b": 0, "unique_clicks_b": 0,
                "unique_click_percentage_b": 0,
            },
        });
    }
    value
}

/// Country, region and its name. The last is where nobody knows.
const PLACES: [(&str, &str, &str); 4] = [
    ("GB", "ENG", "England"),
    ("US", "GA", "Georgia"),
    ("FR", "", ""),
    ("", "", ""),
];

/// `GET /reports/{campaign_id}/locations`.
pub(super) fn locations(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let mut opens = [(0_u32, 0_u32); PLACES.len()];
    let mut events = Vec::new();
    for &opener in campaign.openers() {
        campaign.events(opener, &mut events);
        let drawn = campaign.engagement.recipient(opener).drawn;
        let Some(place) = opens.get_mut((drawn >> 32 & 3) as usize) else {
            continue;
        };
        for event in &events {
            if let Action::Open { proxy } = event.action {
                place.0 += 1;
                place.1 += u32::from(!proxy);
            }
        }
    }
    let found: Vec<_> = PLACES
        .iter()
        .zip(opens)
        .filter(|(_, (opens, _))| *opens > 0)
        .collect();
    let rows = asked.all("locations", &found, |((country, region, name), opens)| {
        json!({
            "country_code": country, "region": region, "region_name": name,
            "opens": opens.0, "proxy_excluded_opens": opens.1,
        })
    });
    asked.answer(rows.with("campaign_id", campaign.id.clone().into()))
}

/// `GET /reports/{campaign_id}/domain-performance`. All recipients are at one domain; the rest is of others.
pub(super) fn domains(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let totals = campaign.totals();
    let sent = campaign.recipients();
    let delivered = sent.saturating_sub(totals.bounces());
    let percent = |part| share(part, sent) * 100.0;
    let own = json!({
        "domain": "mail.test",
        "emails_sent": sent,
        "bounces": totals.bounces(),
        "opens": totals.unique_opens,
        "clicks": totals.clickers,
        "unsubs": totals.unsubscribed,
        "delivered": delivered,
        "emails_pct": if sent > 0 { 100 } else { 0 },
        "bounces_pct": percent(totals.bounces()),
        "opens_pct": percent(totals.unique_opens),
        "clicks_pct": percent(totals.clickers),
        "unsubs_pct": percent(totals.unsubscribed),
    });
    let other = json!({
        "domain": "Other", "emails_sent": 0, "bounces": 0, "opens": 0, "clicks": 0, "unsubs": 0,
        "delivered": 0, "emails_pct": 0, "bounces_pct": 0, "opens_pct": 0, "clicks_pct": 0,
        "unsubs_pct": 0,
    });
    let domains = if campaign.is_sent() {
        vec![own, other]
    } else {
        Vec::new()
    };
    let rows = asked
        .all("domains", &domains, Value::clone)
        .with("total_sent", sent.into())
        .with("campaign_id", campaign.id.clone().into());
    asked.answer(rows.unpaged())
}

/// `GET /reports/{campaign_id}/advice`.
pub(super) fn advice(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let advice = [
        json!({
            "type": "negative",
            "message": "Your bounce rate is <strong>\"high\"</strong>, at 10% &mdash; look at it.",
        }),
        json!({"type": "neutral", "message": ""}),
    ];
    let advice = if campaign.is_sent() { &advice[..] } else { &[] };
    let rows = asked
        .all("advice", advice, Value::clone)
        .with("campaign_id", campaign.id.clone().into());
    asked.answer(rows.unpaged())
}

/// `GET /reports/{campaign_id}/eepurl`.
pub(super) fn eepurl(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let at = timestamp::text(campaign.send_time());
    let referrers = [json!({
        "referrer": "https://news.test/?q=\"chimp\"", "clicks": 3, "first_click": at,
        "last_click": at,
    })];
    let referrers = if campaign.is_sent() {
        &referrers[..]
    } else {
        &[]
    };
    let rows = asked
        .all("referrers", referrers, Value::clone)
        .with(
            "twitter",
            json!({
                "tweets": 0, "first_tweet": "", "last_tweet": "", "retweets": 0, "statuses": [],
            }),
        )
        .with(
            "clicks",
            json!({
                "clicks": 3, "first_click": at, "last_click": "",
                "locations": [{"country": "GB", "region": ""}],
            }),
        )
        .with(
            "eepurl",
            format!("http://eepurl.test/{}", campaign.id).into(),
        )
        .with("campaign_id", campaign.id.clone().into());
    asked.answer(rows.unpaged())
}

/// `GET /reports/{campaign_id}/ecommerce-product-activity`.
pub(super) fn products(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let count = if campaign.is_sent() { 3 } else { 0 };
    let mut found: Vec<u32> = (0..count).collect();
    asked.sort(
        &mut found,
        &["title", "total_revenue", "total_purchased"],
        |&product, by| {
            if by == "title" {
                product
            } else {
                purchased(campaign, product)
            }
        },
    )?;
    asked.answer(asked.all("products", &found, |&product| {
        let purchased = purchased(campaign, product);
        json!({
            "title": format!("Product {product} \"size 10\""),
            "sku": if product == 2 { String::new() } else { format!("SKU-{product}") },
            "image_url": "",
            "total_revenue": f64::from(purchased) * 9.99,
            "total_purchased": purchased,
            "currency_code": "USD",
            "recommendation_total": 0,
            "recommendation_purchased": 0,
            "_links": [link(asked.context, "parent", &format!("reports/{}", campaign.id), "GET")],
        })
    }))
}

fn purchased(campaign: &Campaign, product: u32) -> u32 {
    (campaign.number + 1) * (product * 2 + 1) % 5
}
