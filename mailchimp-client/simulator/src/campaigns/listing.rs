//! `/campaigns`: the list, one of it, and the search.

use serde_json::{Value, json};

use super::{Campaign, Kind, share};
use crate::account::Account;
use crate::endpoint::Asked;
use crate::folders;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::simulator::Context;
use crate::timestamp;

const CONTENT_TYPES: [&str; 4] = ["template", "html", "multichannel", "url"];

/// `GET /campaigns`. A status or type that does not exist finds nothing, and that is not an error.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let query = &asked.call.query;
    let member = query.get("member_id");
    let mut found: Vec<&Campaign> = asked
        .account
        .campaigns
        .held
        .iter()
        .filter(|campaign| {
            asked.within("create_time", campaign.created_at)
                && asked.within("send_time", campaign.send_time())
                && asked.is("status", campaign.status)
                && asked.is("type", campaign.kind.as_str())
                && asked.is("list_id", &campaign.list)
                && asked.is("folder_id", &folder(campaign))
        })
        .filter(|campaign| member.is_none_or(|id| went_to(asked.account, campaign, id)))
        .collect();
    asked.sort(&mut found, &["create_time", "send_time"], |campaign, by| {
        if by == "send_time" {
            campaign.send_time()
        } else {
            campaign.created_at
        }
    })?;
    asked.answer(asked.all("campaigns", &found, |campaign| {
        campaign_json(asked.account, asked.context, campaign)
    }))
}

/// `GET /campaigns/{campaign_id}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(asked.account.campaigns.get(asked.id(0)), |campaign| {
        campaign_json(asked.account, asked.context, campaign)
    })
}

/// `GET /search-campaigns`: by words in the title.
pub(super) fn search(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let wanted = asked.call.query.get("query").unwrap_or("").to_lowercase();
    if wanted.is_empty() {
        return Err(Problem::bad_request("The query parameter is required."));
    }
    let found: Vec<&Campaign> = asked
        .account
        .campaigns
        .held
        .iter()
        .filter(|campaign| campaign.title().to_lowercase().contains(&wanted))
        .collect();
    let rows = asked.all("results", &found, |campaign| {
        json!({
            "campaign": campaign_json(asked.account, asked.context, campaign),
            "snippet": format!("<em>{wanted}</em>"),
        })
    });
    asked.answer(rows.unpaged())
}

/// Whether a campaign was sent to the member with this id.
fn went_to(account: &Account, campaign: &Campaign, id: &str) -> bool {
    let address = account.audience(&campaign.list).and_then(|audience| {
        let member = audience.member(audience.find(id)?)?;
        Some(audience.profile(member).email)
    });
    address.is_some_and(|address| campaign.recipient_of(&address).is_some())
}

/// Every other campaign lies in a folder, the others in none.
fn folder(campaign: &Campaign) -> String {
    match campaign.number.checked_rem(campaign.folders) {
        Some(folder) if campaign.number.is_multiple_of(2) => {
            folders::id(folders::CAMPAIGNS, folder)
        }
        _ => String::new(),
    }
}

fn campaign_json(account: &Account, context: &Context<'_>, campaign: &Campaign) -> Value {
    let audience = account.audience(&campaign.list);
    let path = format!("campaigns/{}", campaign.id);
    let sent = campaign.is_sent();
    let rate = share(campaign.number % 7, 7);
    let mut value = json!({
        "id": campaign.id,
        "web_id": campaign.web_id(),
        "parent_campaign_id": "",
        "type": campaign.kind.as_str(),
        "create_time": timestamp::text(campaign.created_at),
        "archive_url": format!("http://eepurl.test/{}", campaign.id),
        "long_archive_url": if sent {
            format!("https://mailchi.test/{}/news", campaign.id)
        } else {
            String::new()
        },
        "status": campaign.status,
        "emails_sent": campaign.recipients(),
        "send_time": timestamp::text(campaign.send_time()),
        "content_type": CONTENT_TYPES[campaign.number as usize % 4],
        "needs_block_refresh": false,
        "resendable": campaign.kind == Kind::Regular,
        "recipients": {
            "list_id": campaign.list,
            "list_is_active": audience.is_some(),
            "list_name": audience.map_or("", |audience| &audience.name),
            "segment_text": "",
            "recipient_count": campaign.recipients(),
        },
        "settings": settings(campaign),
        "tracking": {
            "opens": true, "html_clicks": true, "text_clicks": false, "goal_tracking": false,
            "ecomm360": false, "google_analytics": "", "clicktale": "",
        },
        "delivery_status": delivery_status(campaign),
        "resend_shortcut_eligibility": null,
        "_links": [
            link(context, "self", &path, "GET"),
            link(context, "content", &format!("{path}/content"), "GET"),
        ],
    });
    if campaign.number % 3 == 1 {
        value["recipients"]["segment_text"] = "<p class=\"ngs\">Contacts that match any</p>".into();
        value["recipients"]["segment_opts"] = json!({
            "saved_segment_id": 10_001, "match": "any", "conditions": [
                {"condition_type": "TextMerge", "field": "FNAME", "op": "is", "value": "Ada"},
            ],
        });
    }
    match campaign.kind {
        Kind::Variate => value["variate_settings"] = variate_settings(campaign),
        Kind::Rss => value["rss_opts"] = rss_options(campaign),
        Kind::AbSplit => {
            value["ab_split_opts"] = json!({
                "split_test": "subject", "pick_winner": "opens", "wait_units": "hours",
                "wait_time": 4, "split_size": 50, "from_name_a": "", "from_name_b": "",
                "reply_email_a": "", "reply_email_b": "", "subject_a": campaign.subject(),
                "subject_b": "B", "send_time_a": "", "send_time_b": "", "send_time_winner": "",
            });
        }
        Kind::Regular | Kind::Plaintext => {}
    }
    if campaign.number.is_multiple_of(4) {
        value["social_card"] = json!({"image_url": "", "description": "News", "title": "News"});
    }
    if sent {
        let totals = campaign.totals();
        let delivered = campaign.recipients() - totals.bounces();
        value["report_summary"] = json!({
            "opens": totals.opens,
            "unique_opens": totals.unique_opens,
            "open_rate": share(totals.unique_opens, delivered),
            "clicks": totals.clicks,
            "subscriber_clicks": totals.clickers,
            "click_rate": share(totals.clickers, delivered),
            "ecommerce": {
                "total_orders": campaign.number % 3, "total_spent": rate * 100.0,
                "total_revenue": rate * 80.0,
            },
        });
    }
    value
}

fn settings(campaign: &Campaign) -> Value {
    let mut settings = json!({
        "subject_line": campaign.subject(),
        "preview_text": "",
        "title": campaign.title(),
        "from_name": "Freddie",
        "reply_to": "owner@mail.test",
        "use_conversation": false,
        "to_name": "*|FNAME|*",
        "folder_id": folder(campaign),
        "authenticate": true,
        "auto_footer": false,
        "inline_css": false,
        "auto_tweet": false,
        "fb_comments": true,
        "timewarp": false,
        "template_id": if campaign.number.is_multiple_of(2) { 0 } else { 5001 },
        "drag_and_drop": true,
    });
    if !campaign.is_sent() {
        // A draft may have neither.
        settings["subject_line"] = "".into();
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("from_name");
        }
    }
    settings
}

/// Whether it went out, the same in campaigns and reports.
pub(crate) fn delivery_status(campaign: &Campaign) -> Value {
    if campaign.number.is_multiple_of(2) {
        return json!({"enabled": false});
    }
    json!({
        "enabled": true,
        "can_cancel": false,
        "status": if campaign.is_sent() { "delivered" } else { "delivering" },
        "emails_sent": campaign.recipients(),
        "emails_canceled": 0,
    })
}

fn variate_settings(campaign: &Campaign) -> Value {
    let combination = |number: u32| {
        json!({
            "id": format!("{}{number}", campaign.id), "subject_line": number, "send_time": 0,
            "from_name": 0, "reply_to": 0, "content_description": 0,
            "recipients": campaign.recipients() / 2,
        })
    };
    json!({
        "winning_combination_id": "", "winning_campaign_id": "", "winner_criteria": "opens",
        "wait_time": 240, "test_size": 100,
        "subject_lines": [campaign.subject(), "A \"second\" line"],
        "send_times": [""], "from_names": ["Freddie"], "reply_to_addresses": ["owner@mail.test"],
        "contents": [""], "combinations": [combination(0), combination(1)],
    })
}

fn rss_options(campaign: &Campaign) -> Value {
    json!({
        "feed_url": "https://shop.test/feed.xml", "frequency": "weekly",
        "schedule": {
            "hour": 9,
            "daily_send": {
                "sunday": false, "monday": true, "tuesday": true, "wednesday": true,
                "thursday": true, "friday": true, "saturday": false,
            },
            "weekly_send_day": "monday", "monthly_send_date": 0,
        },
        "last_sent": timestamp::text(campaign.send_time()),
        "constrain_rss_img": false,
    })
}
