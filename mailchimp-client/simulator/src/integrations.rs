//! What else is connected to an account: domains, sites, apps, ads, batch webhooks, and its chatter. A few of each.

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
    Endpoint::whole("/verified-domains", |asked| all(asked, &DOMAINS)),
    Endpoint::whole("/verified-domains/{domain_name}", |asked| {
        one(asked, &DOMAINS)
    }),
    Endpoint::paged("/connected-sites", |asked| all(asked, &SITES)),
    Endpoint::whole("/connected-sites/{connected_site_id}", |asked| {
        one(asked, &SITES)
    }),
    Endpoint::paged("/authorized-apps", |asked| all(asked, &APPS)),
    Endpoint::whole("/authorized-apps/{app_id}", |asked| one(asked, &APPS)),
    Endpoint::paged("/batch-webhooks", |asked| all(asked, &BATCH_WEBHOOKS)),
    Endpoint::whole("/batch-webhooks/{batch_webhook_id}", |asked| {
        one(asked, &BATCH_WEBHOOKS)
    }),
    Endpoint::paged("/facebook-ads", |asked| all(asked, &ADS)),
    Endpoint::whole("/facebook-ads/{outreach_id}", |asked| one(asked, &ADS)),
    Endpoint::paged("/reporting/facebook-ads", |asked| all(asked, &AD_REPORTS)),
    Endpoint::whole("/reporting/facebook-ads/{outreach_id}", |asked| {
        one(asked, &AD_REPORTS)
    }),
    Endpoint::paged(
        "/reporting/facebook-ads/{outreach_id}/ecommerce-product-activity",
        ad_products,
    ),
    Endpoint::paged("/activity-feed/chimp-chatter", |asked| all(asked, &CHATTER)),
];

/// A collection of things that all look alike.
struct Kind {
    key: &'static str,
    paged: bool,
    /// The key that paths name them by; none when they have no path.
    id: &'static str,
    json: fn(&Asked<'_>, Entry) -> Value,
}

const DOMAINS: Kind = Kind {
    key: "domains",
    paged: false,
    id: "domain",
    json: domain,
};
const SITES: Kind = Kind {
    key: "sites",
    paged: true,
    id: "foreign_id",
    json: site,
};
const APPS: Kind = Kind {
    key: "apps",
    paged: true,
    id: "id",
    json: app,
};
const BATCH_WEBHOOKS: Kind = Kind {
    key: "webhooks",
    paged: true,
    id: "id",
    json: batch_webhook,
};
const ADS: Kind = Kind {
    key: "facebook_ads",
    paged: true,
    id: "id",
    json: ad,
};
const AD_REPORTS: Kind = Kind {
    key: "facebook_ads",
    paged: true,
    id: "id",
    json: ad_report,
};
const CHATTER: Kind = Kind {
    key: "chimp_chatter",
    paged: true,
    id: "",
    json: chatter,
};

fn all(asked: &Asked<'_>, kind: &Kind) -> Result<Answer, Problem> {
    let found: Vec<Entry> = asked.account.integrations.iter().collect();
    let rows = asked.all(kind.key, &found, |&entry| (kind.json)(asked, entry));
    asked.answer(if kind.paged { rows } else { rows.unpaged() })
}

fn one(asked: &Asked<'_>, kind: &Kind) -> Result<Answer, Problem> {
    let rows = asked.account.integrations.iter();
    let mut rows = rows.map(|entry| (kind.json)(asked, entry));
    let found = rows.find(|row| match &row[kind.id] {
        Value::String(id) => id == asked.id(0),
        id => id.as_u64().is_some_and(|id| asked.id(0).parse() == Ok(id)),
    });
    asked.one_of(found, |row| row)
}

/// `GET /reporting/facebook-ads/{outreach_id}/ecommerce-product-activity`.
fn ad_products(asked: &Asked<'_>) -> Result<Answer, Problem> {
    one(asked, &AD_REPORTS)?;
    let products = [json!({
        "title": "Tea \"no. 1\"", "sku": "", "image_url": "", "total_revenue": 9.99,
        "total_purchased": 1, "currency_code": "USD", "recommendation_total": 0,
        "recommendation_purchased": 0, "_links": [],
    })];
    asked.answer(asked.all("products", &products, Value::clone))
}

fn own(asked: &Asked<'_>, path: &str) -> Value {
    Value::from(vec![link(asked.context, "self", path, "GET")])
}

fn domain(_: &Asked<'_>, entry: Entry) -> Value {
    let verified = entry.number == 0;
    json!({
        "domain": if verified { "shop.test".to_owned() } else { format!("läden-{}.test", entry.number) },
        "verified": verified,
        "authenticated": false,
        "verification_email": if verified { "owner@shop.test" } else { "" },
        "verification_sent": timestamp::text(if verified { entry.created_at } else { 0 }),
        "status": if verified { "VERIFIED" } else { "VERIFICATION_IN_PROGRESS" },
        "is_free_email_provider": false,
    })
}

fn site(asked: &Asked<'_>, entry: Entry) -> Value {
    let id = format!("site-{}", entry.number);
    json!({
        "store_id": "",
        "platform": "custom \"cms\"",
        "domain": format!("www{}.shop.test", entry.number),
        "site_script": {
            "url": "https://chimpstatic.test/mcjs.js",
            "fragment": "<script id=\"mcjs\">!function(c,h){c.x='1'}(document);</script>",
        },
        "created_at": timestamp::text(entry.created_at),
        "updated_at": timestamp::text(entry.updated_at),
        "_links": own(asked, &format!("connected-sites/{id}")),
        "foreign_id": id,
    })
}

fn app(asked: &Asked<'_>, entry: Entry) -> Value {
    let id = 100 + entry.number;
    json!({
        "id": id,
        "name": format!("App \"{}\" ✓", entry.number),
        "description": "",
        "users": if entry.number == 0 { json!(["freddie"]) } else { json!([]) },
        "_links": own(asked, &format!("authorized-apps/{id}")),
    })
}

fn batch_webhook(asked: &Asked<'_>, entry: Entry) -> Value {
    let id = ten_hex(mix(0xbb << 40 | u64::from(entry.number)));
    json!({
        "url": format!("https://hooks.test/batches?n={}", entry.number),
        "enabled": entry.number == 0,
        "_links": own(asked, &format!("batch-webhooks/{id}")),
        "id": id,
    })
}

fn chatter(asked: &Asked<'_>, entry: Entry) -> Value {
    let list = asked.account.audiences.first();
    json!({
        "title": "New \"subscriber\"",
        "message": "<strong>Ada</strong> joined 🎉",
        "type": if entry.number == 0 { "lists:new-subscriber" } else { "lists:imports" },
        "update_time": timestamp::text(entry.created_at),
        "url": "",
        "list_id": list.map_or("", |list| &list.id),
        "campaign_id": "",
    })
}

fn ad(asked: &Asked<'_>, entry: Entry) -> Value {
    let id = ten_hex(mix(0xfb << 40 | u64::from(entry.number)));
    let list = asked.account.audiences.first();
    let path = format!("facebook-ads/{id}");
    json!({
        "id": id,
        "web_id": 6_000_000 + entry.number,
        "name": format!("Ad \"{}\"", entry.number),
        "type": "facebook",
        "status": if entry.number == 0 { "active" } else { "draft" },
        "show_report": true,
        "create_time": timestamp::text(entry.created_at),
        "start_time": timestamp::text(if entry.number == 0 { entry.created_at + 60 } else { 0 }),
        "updated_at": timestamp::text(entry.updated_at),
        "canceled_at": "",
        "published_time": "",
        "has_segment": false,
        "report_summary": null,
        "recipients": {
            "list_id": list.map_or("", |list| &list.id), "list_is_active": list.is_some(),
            "list_name": list.map_or("", |list| &list.name), "segment_text": "",
            "recipient_count": 0,
        },
        "thumbnail": "",
        "email_source_name": "",
        "paused_at": "",
        "end_time": "",
        "needs_attention": false,
        "was_canceled_by_facebook": false,
        "is_connected": true,
        "has_audience": true,
        "has_content": true,
        "channel": {
            "fb_placement_feed": true, "fb_placement_audience": false, "ig_placement_feed": false,
        },
        "budget": {"duration": 7, "total_amount": 35.5, "currency_code": "USD"},
        "content": {
            "title": "\"Tea\"", "link_url": "https://shop.test/", "message": "🍵", "description": "",
            "image_url": "", "call_to_action": "SHOP_NOW", "attachments": [],
        },
        "_links": own(asked, &path),
    })
}

fn ad_report(asked: &Asked<'_>, entry: Entry) -> Value {
    let mut value = ad(asked, entry);
    if let Some(value) = value.as_object_mut() {
        value.retain(|name, _| {
            !["content", "is_connected", "has_audience", "has_content"].contains(&name.as_str())
        });
    }
    value["report_summary"] = json!({
        "reach": 100, "impressions": 200, "clicks": 5, "click_rate": 2.5, "unique_clicks": 4,
        "first_time_buyers": 0, "ecommerce": {"total_revenue": 0, "currency_code": "USD"},
        "total_products_sold": 0, "total_orders": 0,
        "average_order_amount": {"amount": 0, "currency_code": "USD"},
        "cost_per_click": {"amount": 0.12, "currency_code": "USD"},
        "average_daily_budget": {"amount": 5.07, "currency_code": "USD"}, "likes": 1,
        "comments": 0, "shares": 0, "has_extended_ad_duration": false, "return_on_investment": 0,
    });
    value["audience_activity"] = json!({
        "clicks": [{"date": "2025-06-01", "clicks": 5}], "impressions": [], "revenue": [],
    });
    value
}
