//! Reports: what came of a campaign, as a whole, by recipient and by everything else.

mod abuse;
mod breakdown;
mod people;
mod recipients;

use serde_json::{Value, json};

use crate::account::Account;
use crate::campaigns::{Campaign, Kind, Totals, delivery_status, share};
use crate::definitions::ten_hex;
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::mix;
use crate::problem::Problem;
use crate::render::Answer;
use crate::simulator::Context;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/reports", list),
    Endpoint::whole("/reports/{campaign_id}", get),
    Endpoint::paged(
        "/reports/{campaign_id}/email-activity",
        recipients::activity,
    ),
    Endpoint::whole(
        "/reports/{campaign_id}/email-activity/{subscriber_hash}",
        recipients::one_activity,
    ),
    Endpoint::paged("/reports/{campaign_id}/sent-to", recipients::sent_to),
    Endpoint::whole(
        "/reports/{campaign_id}/sent-to/{subscriber_hash}",
        recipients::one_sent_to,
    ),
    Endpoint::paged("/reports/{campaign_id}/open-details", recipients::opens),
    Endpoint::whole(
        "/reports/{campaign_id}/open-details/{subscriber_hash}",
        recipients::one_opens,
    ),
    Endpoint::paged(
        "/reports/{campaign_id}/unsubscribed",
        recipients::unsubscribed,
    ),
    Endpoint::whole(
        "/reports/{campaign_id}/unsubscribed/{subscriber_hash}",
        recipients::one_unsubscribed,
    ),
    Endpoint::paged("/reports/{campaign_id}/click-details", breakdown::links),
    Endpoint::whole(
        "/reports/{campaign_id}/click-details/{link_id}",
        breakdown::one_link,
    ),
    Endpoint::paged(
        "/reports/{campaign_id}/click-details/{link_id}/members",
        recipients::clickers,
    ),
    Endpoint::whole(
        "/reports/{campaign_id}/click-details/{link_id}/members/{subscriber_hash}",
        recipients::one_clicker,
    ),
    Endpoint::paged("/reports/{campaign_id}/locations", breakdown::locations),
    Endpoint::whole(
        "/reports/{campaign_id}/domain-performance",
        breakdown::domains,
    ),
    Endpoint::whole("/reports/{campaign_id}/abuse-reports", abuse::in_campaign),
    Endpoint::whole(
        "/reports/{campaign_id}/abuse-reports/{report_id}",
        abuse::one_in_campaign,
    ),
    Endpoint::paged("/lists/{list_id}/abuse-reports", abuse::in_list),
    Endpoint::whole(
        "/lists/{list_id}/abuse-reports/{report_id}",
        abuse::one_in_list,
    ),
    Endpoint::whole("/reports/{campaign_id}/advice", breakdown::advice),
    Endpoint::whole("/reports/{campaign_id}/eepurl", breakdown::eepurl),
    Endpoint::whole("/reports/{campaign_id}/sub-reports", sub_reports),
    Endpoint::paged(
        "/reports/{campaign_id}/ecommerce-product-activity",
        breakdown::products,
    ),
];

/// The campaign in the path. One that was not sent has sub-reports, all of them empty.
fn campaign<'a>(asked: &Asked<'a>) -> Result<&'a Campaign, Problem> {
    let found = asked.account.campaigns.get(asked.id(0));
    found.ok_or_else(Problem::not_found)
}

/// `GET /reports`: one for each campaign that was sent.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found: Vec<&Campaign> = asked
        .account
        .campaigns
        .held
        .iter()
        .filter(|campaign| {
            campaign.is_sent()
                && asked.within("send_time", campaign.send_time())
                && asked.is("type", campaign.kind.as_str())
        })
        .collect();
    asked.answer(asked.all("reports", &found, |campaign| {
        report_json(asked.account, asked.context, campaign)
    }))
}

/// `GET /reports/{campaign_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found = asked.account.campaigns.get(asked.id(0));
    asked.one_of(found.filter(|found| found.is_sent()), |campaign| {
        report_json(asked.account, asked.context, campaign)
    })
}

/// `GET /reports/{campaign_id}/sub-reports`: of campaigns that are sent in parts, such as RSS.
fn sub_reports(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let campaign = campaign(asked)?;
    let parts = u64::from(matches!(campaign.kind, Kind::Rss | Kind::Variate) && campaign.is_sent());
    let parts: Vec<u64> = (0..parts * 2).collect();
    let rows = asked.all("reports", &parts, |part| {
        let mut report = report_json(asked.account, asked.context, campaign);
        report["id"] = ten_hex(mix(campaign.engagement.seed ^ !part)).into();
        report
    });
    let rows = rows.with("campaign_id", campaign.id.clone().into());
    asked.answer(rows.unpaged())
}

fn report_json(account: &Account, context: &Context<'_>, campaign: &Campaign) -> Value {
    let totals = campaign.totals();
    let audience = account.audience(&campaign.list);
    let path = format!("reports/{}", campaign.id);
    let delivered = campaign.recipients().saturating_sub(totals.bounces());
    let mut report = json!({
        "id": campaign.id,
        "campaign_title": campaign.title(),
        "type": campaign.kind.as_str(),
        "list_id": campaign.list,
        "list_is_active": audience.is_some(),
        "list_name": audience.map_or("", |audience| &audience.name),
        "subject_line": campaign.subject(),
        "preview_text": "",
        "emails_sent": campaign.recipients(),
        "abuse_reports": totals.complained(),
        "unsubscribed": totals.unsubscribed,
        "send_time": timestamp::text(campaign.send_time()),
        "bounces": {
            "hard_bounces": totals.hard_bounces, "soft_bounces": totals.soft_bounces,
            "syntax_errors": 0,
        },
        "forwards": {"forwards_count": campaign.drift, "forwards_opens": campaign.drift / 2},
        "opens": {
            "opens_total": totals.opens,
            "proxy_excluded_opens": totals.real_opens,
            "unique_opens": totals.unique_opens,
            "proxy_excluded_unique_opens": totals.unique_real_opens,
            "open_rate": share(totals.unique_opens, delivered),
            "proxy_excluded_open_rate": share(totals.unique_real_opens, delivered),
            "last_open": timestamp::text(totals.last_open),
        },
        "clicks": {
            "clicks_total": totals.clicks,
            "unique_clicks": totals.unique_clicks,
            "unique_subscriber_clicks": totals.clickers,
            "click_rate": share(totals.clickers, delivered),
            "last_click": timestamp::text(totals.last_click),
        },
        "facebook_likes": {
            "recipient_likes": 0, "unique_likes": 0, "facebook_likes": campaign.drift,
        },
        "industry_stats": {
            "type": "E-Commerce and Retail", "open_rate": 0.17, "click_rate": 0.023,
            "bounce_rate": 0.005, "unopen_rate": 0.82, "unsub_rate": 0.002, "abuse_rate": 0.0001,
        },
        // Percentages, unlike the rates above.
        "list_stats": {
            "sub_rate": 10, "unsub_rate": 1.5, "open_rate": 40.25,
            "proxy_excluded_open_rate": 30.5, "click_rate": 20,
        },
        "timewarp": null,
        "timeseries": timeseries(campaign, totals),
        "share_report": {"share_url": "", "share_password": ""},
        "ecommerce": {
            "total_orders": campaign.number % 3, "total_spent": f64::from(campaign.number % 3) * 25.5,
            "total_revenue": f64::from(campaign.number % 3) * 20.5, "currency_code": "USD",
        },
        "delivery_status": delivery_status(campaign),
        "_links": [
            link(context, "self", &path, "GET"),
            link(context, "email-activity", &format!("{path}/email-activity"), "GET"),
        ],
    });
    match campaign.kind {
        Kind::Rss => report["rss_last_send"] = timestamp::text(campaign.send_time()).into(),
        Kind::AbSplit => report["ab_split"] = halves(totals),
        _ => {}
    }
    report
}

fn halves(totals: &Totals) -> Value {
    let half = |all: u32, second: bool| if second { all - all / 2 } else { all / 2 };
    let group = |second: bool| {
        json!({
            "bounces": half(totals.bounces(), second),
            "abuse_reports": half(totals.complained(), second),
            "unsubs": half(totals.unsubscribed, second),
            "recipient_clicks": half(totals.clickers, second),
            "forwards": 0,
            "forwards_opens": 0,
            "opens": half(totals.opens, second),
            "last_open": timestamp::text(if second { totals.last_open } else { 0 }),
            "unique_opens": half(totals.unique_opens, second),
        })
    };
    json!({"a": group(false), "b": group(true)})
}

/// The first two hours.
fn timeseries(campaign: &Campaign, totals: &Totals) -> Value {
    let hour = |at: u32, first: bool| {
        let part = |all: u32| if first { all / 2 } else { all - all / 2 };
        json!({
            "timestamp": timestamp::text(at),
            "emails_sent": if first { campaign.recipients() } else { 0 },
            "unique_opens": part(totals.unique_opens),
            "proxy_excluded_unique_opens": part(totals.unique_real_opens),
            "recipients_clicks": part(totals.clickers),
        })
    };
    let sent = campaign.send_time() / 3600 * 3600;
    json!([hour(sent, true), hour(sent + 3600, false)])
}
