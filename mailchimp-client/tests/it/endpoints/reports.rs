//! Reports and what is below them.

use futures::TryStreamExt;
use mailchimp_client::{
    AbSplitGroup, AbuseReport, AdviceKind, BounceKind, ClickDetailSort, ClickMember, ClickedLink,
    DomainPerformance, EepurlReport, EmailActivity, EmailEventAction, ListClickDetails,
    ListEmailActivity, ListOpenDetails, ListProductActivity, ListReports, OpenDetail,
    OpenDetailSort, ProductActivity, ProductActivitySort, Report, ReportLocation, SendStatus,
    SentTo, SortDir, Unsubscribe, subscriber_hash,
};
use serde_json::{Value, json};
use wiremock::matchers::query_param;

use super::{ADDRESS, everything, ok, on, page, read, server, time};

/// A report of a campaign nobody has opened yet.
fn report() -> Value {
    json!({
        "id": "42694e9e57", "campaign_title": "July", "type": "regular", "list_id": "57afe96172",
        "list_is_active": true, "list_name": "Freddie's Jokes", "subject_line": "Hi",
        "preview_text": "", "emails_sent": 203, "abuse_reports": 0, "unsubscribed": 1,
        "send_time": "2026-07-01T08:00:00+00:00", "rss_last_send": "",
        "bounces": { "hard_bounces": 1, "soft_bounces": 2, "syntax_errors": 0 },
        "forwards": { "forwards_count": 0, "forwards_opens": 0 },
        "opens": { "opens_total": 0, "proxy_excluded_opens": 0, "unique_opens": 0,
            "proxy_excluded_unique_opens": 0, "open_rate": 0, "proxy_excluded_open_rate": 0,
            "last_open": "" },
        "clicks": { "clicks_total": 0, "unique_clicks": 0, "unique_subscriber_clicks": 0,
            "click_rate": 0, "last_click": "" },
        "facebook_likes": { "recipient_likes": 0, "unique_likes": 0, "facebook_likes": 0 },
        "industry_stats": { "type": "Games", "open_rate": 0.17, "click_rate": 0.02,
            "bounce_rate": 0.01, "unopen_rate": 0.8, "unsub_rate": 0.003, "abuse_rate": 0.0001 },
        "list_stats": { "sub_rate": 10, "unsub_rate": 20, "open_rate": 38.5,
            "proxy_excluded_open_rate": 30.25, "click_rate": 2.5 },
        "timeseries": [{ "timestamp": "2026-07-01T08:00:00+00:00", "emails_sent": 203,
            "unique_opens": 0, "proxy_excluded_unique_opens": 0, "recipients_clicks": 0 }],
        "share_report": { "share_url": "https://example.net/r", "share_password": "" },
        "ecommerce": { "total_orders": 0, "total_spent": 0, "total_revenue": 0,
            "currency_code": "USD" },
        "delivery_status": { "enabled": false }
    })
}

#[test]
fn before_the_first_event_its_time_is_blank() {
    let quiet: Report = read(&report());
    assert!(quiet.opens.value().unwrap().last_open.is_empty());
    assert!(quiet.clicks.value().unwrap().last_click.is_empty());
    assert!(quiet.rss_last_send.is_empty());
    let rate = quiet
        .list_stats
        .value()
        .unwrap()
        .open_rate
        .value()
        .unwrap()
        .as_f64();
    assert_eq!(rate, Some(38.5));
    let mut json = report();
    json["opens"]["last_open"] = json!("2026-07-02T09:10:11+00:00");
    let opened: Report = read(&json);
    let last = opened.opens.value().unwrap().last_open.value().unwrap();
    assert_eq!(last.0, time("2026-07-02T09:10:11Z"));
}

#[test]
fn a_report_can_have_halves_and_time_zones() {
    let half = json!({ "bounces": 0, "abuse_reports": 0, "unsubs": 1, "recipient_clicks": 2,
        "forwards": 0, "forwards_opens": 0, "opens": 3, "last_open": "", "unique_opens": 3 });
    let mut json = report();
    json["ab_split"] = json!({ "a": half, "b": half });
    json["timewarp"] = json!([{ "gmt_offset": -4, "opens": 1, "last_open": "", "unique_opens": 1,
        "clicks": 0, "last_click": "", "unique_clicks": 0, "bounces": 0 }]);
    let report: Report = read(&json);
    let halves = report.ab_split.value().unwrap();
    assert_eq!(halves.b.value().unwrap().opens.value(), Some(&3));
    assert_eq!(
        report.timewarp.value().unwrap()[0].gmt_offset.value(),
        Some(&-4)
    );
}

#[tokio::test]
async fn reports_with_every_filter() {
    let (server, client) = server().await;
    on("GET", "/reports")
        .and(query_param("type", "regular"))
        .and(query_param("before_send_time", "2026-01-01T00:00:02Z"))
        .and(query_param("since_send_time", "2026-01-01T00:00:01Z"))
        .respond_with(ok(json!({ "reports": [report()], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/reports/42694e9e57")
        .respond_with(ok(report()))
        .mount(&server)
        .await;
    on("GET", "/reports/42694e9e57/sub-reports")
        .respond_with(ok(
            json!({ "reports": [report()], "campaign_id": "42694e9e57", "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    let request = ListReports {
        kind: Some("regular".into()),
        before_send_time: Some(time("2026-01-01T00:00:02Z")),
        since_send_time: Some(time("2026-01-01T00:00:01Z")),
        ..ListReports::default()
    };
    let listed = client
        .reports()
        .list(&request)
        .await
        .unwrap()
        .into_value()
        .items;
    let all: Vec<_> = client
        .reports()
        .stream(&request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, listed);
    let handle = client.report("42694e9e57");
    assert_eq!(handle.get(&everything()).await.unwrap().value, listed[0]);
    let below = handle.sub_reports(&page(0)).await.unwrap().into_value();
    assert_eq!(below.items, listed);
}

#[tokio::test]
async fn email_activity_has_a_row_for_every_recipient() {
    let (server, client) = server().await;
    let busy = json!({ "campaign_id": "c", "list_id": "a", "list_is_active": true,
        "email_id": "k", "email_address": ADDRESS, "activity": [
            { "action": "open", "timestamp": "2026-07-01T08:00:01+00:00", "ip": "192.0.2.1" },
            { "action": "click", "timestamp": "2026-07-01T08:00:02+00:00", "ip": "192.0.2.1",
              "url": "https://example.net/" },
            { "action": "bounce", "type": "hard", "timestamp": "2026-07-01T08:00:03+00:00" }] });
    let quiet = json!({ "campaign_id": "c", "email_id": "q", "activity": [] });
    on("GET", "/reports/c/email-activity")
        .and(query_param("since", "2026-07-01T08:00:00Z"))
        .and(query_param("count", "5"))
        .respond_with(ok(
            json!({ "emails": [busy, quiet], "campaign_id": "c", "total_items": 2 }),
        ))
        .mount(&server)
        .await;
    let one = format!("/reports/c/email-activity/{}", subscriber_hash(ADDRESS));
    on("GET", &one)
        .and(query_param("since", "2026-07-01T08:00:00Z"))
        .respond_with(ok(busy.clone()))
        .mount(&server)
        .await;
    let since = Some(time("2026-07-01T08:00:00.7Z"));
    let request = ListEmailActivity {
        count: Some(5),
        since,
        ..ListEmailActivity::default()
    };
    let handle = client.report("c");
    let rows = handle.email_activity(&request).await.unwrap().into_value();
    assert_eq!(rows.extra.get("campaign_id"), Some(&json!("c")));
    assert!(rows.items[1].activity.value().unwrap().is_empty());
    let events = rows.items[0].activity.value().unwrap();
    let actions: Vec<_> = events
        .iter()
        .filter_map(|event| event.action.value())
        .collect();
    let expected = [
        EmailEventAction::Open,
        EmailEventAction::Click,
        EmailEventAction::Bounce,
    ];
    assert_eq!(actions, expected.iter().collect::<Vec<_>>());
    assert_eq!(events[2].kind.value(), Some(&BounceKind::Hard));
    assert!(events[2].ip.is_absent() && events[0].url.is_absent());
    let of = handle
        .email_activity_of(ADDRESS, since, &everything())
        .await
        .unwrap()
        .value;
    assert_eq!(of, rows.items[0]);
    read::<EmailActivity>(&busy);
    let all: Vec<_> = handle
        .email_activity_stream(&request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, rows.items);
}

#[tokio::test]
async fn opens_tell_people_from_machines() {
    let (server, client) = server().await;
    let row = json!({ "campaign_id": "c", "list_id": "a", "list_is_active": true,
        "contact_status": "deleted", "email_id": "k", "email_address": ADDRESS,
        "merge_fields": { "FNAME": "" }, "vip": false, "opens_count": 2,
        "proxy_excluded_opens_count": 1, "opens": [
            { "timestamp": "2026-07-01T08:00:01+00:00", "is_proxy_open": true },
            { "timestamp": "2026-07-01T09:00:01+00:00", "is_proxy_open": false }] });
    on("GET", "/reports/c/open-details")
        .and(query_param("since", "2026-07-01T08:00:00Z"))
        .and(query_param("sort_field", "opens_count"))
        .and(query_param("sort_dir", "ASC"))
        .respond_with(ok(
            json!({ "members": [row], "campaign_id": "c", "total_opens": 2,
            "total_proxy_excluded_opens": 1, "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    let request = ListOpenDetails {
        since: Some(time("2026-07-01T08:00:00Z")),
        sort_field: Some(OpenDetailSort::OpensCount),
        sort_dir: Some(SortDir::Ascending),
        ..ListOpenDetails::default()
    };
    let opened = client
        .report("c")
        .open_details(&request)
        .await
        .unwrap()
        .into_value();
    assert_eq!(opened.extra.get("total_opens"), Some(&json!(2)));
    assert_eq!(
        opened.extra.get("total_proxy_excluded_opens"),
        Some(&json!(1))
    );
    let opens = opened.items[0].opens.value().unwrap();
    assert_eq!(opens[0].is_proxy_open.value(), Some(&true));
    assert_eq!(opened.items[0].contact_status.as_str(), Some("deleted"));
    let row: OpenDetail = read(&row);
    assert!(!format!("{row:?}").contains("Urist"));
}

#[tokio::test]
async fn clicks_by_link_and_by_recipient() {
    let (server, client) = server().await;
    let link = json!({ "id": "l", "url": "https://example.net/", "total_clicks": 3,
        "click_percentage": 0.5, "unique_clicks": 2, "unique_click_percentage": 0.4,
        "last_click": "", "ab_split": {
            "a": { "total_clicks_a": 1, "click_percentage_a": 0.1, "unique_clicks_a": 1,
                "unique_click_percentage_a": 0.1 },
            "b": { "total_clicks_b": 2, "click_percentage_b": 0.2, "unique_clicks_b": 1,
                "unique_click_percentage_b": 0.1 } },
        "campaign_id": "c" });
    let member = json!({ "email_id": "k", "email_address": ADDRESS, "merge_fields": {},
        "vip": true, "clicks": 3, "campaign_id": "c", "url_id": "l", "list_id": "a",
        "list_is_active": true, "contact_status": "subscribed" });
    on("GET", "/reports/c/click-details")
        .and(query_param("sort_field", "unique_clicks"))
        .and(query_param("sort_dir", "DESC"))
        .respond_with(ok(json!({ "urls_clicked": [link], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/reports/c/click-details/l/members")
        .and(query_param("offset", "5"))
        .respond_with(ok(json!({ "members": [member], "total_items": 6 })))
        .mount(&server)
        .await;
    let one = format!(
        "/reports/c/click-details/l/members/{}",
        subscriber_hash(ADDRESS)
    );
    on("GET", &one)
        .respond_with(ok(member.clone()))
        .mount(&server)
        .await;
    let request = ListClickDetails {
        sort_field: Some(ClickDetailSort::UniqueClicks),
        sort_dir: Some(SortDir::Descending),
        ..ListClickDetails::default()
    };
    let report = client.report("c");
    let links = report.click_details(&request).await.unwrap().into_value();
    assert!(links.items[0].last_click.is_empty());
    let half = links.items[0].ab_split.value().unwrap().b.value().unwrap();
    assert_eq!(half.total_clicks_b.value(), Some(&2));
    let members = report
        .link_members("l", &page(5))
        .await
        .unwrap()
        .into_value();
    assert_eq!(members.items[0].clicks.value(), Some(&3));
    let one = report
        .link_member("l", ADDRESS, &everything())
        .await
        .unwrap()
        .value;
    assert_eq!(one, members.items[0]);
    read::<ClickedLink>(&link);
    read::<ClickMember>(&member);
}

#[tokio::test]
async fn recipients_and_those_who_left() {
    let (server, client) = server().await;
    let sent = json!({ "email_id": "k", "email_address": ADDRESS, "merge_fields": {},
        "vip": false, "status": "hard", "open_count": 0, "last_open": "", "absplit_group": "",
        "gmt_offset": -5, "campaign_id": "c", "list_id": "a", "list_is_active": true });
    let left = json!({ "email_id": "k", "email_address": ADDRESS, "merge_fields": {},
        "vip": false, "timestamp": "2026-07-01T08:00:00+00:00", "reason": "None given",
        "campaign_id": "c", "list_id": "a", "list_is_active": true });
    let abuse = json!({ "id": 42, "campaign_id": "c", "list_id": "a", "list_is_active": true,
        "email_id": "k", "email_address": ADDRESS, "merge_fields": {}, "vip": false,
        "date": "2026-07-01T08:00:00+00:00" });
    for (at, key, row) in [
        ("sent-to", "sent_to", &sent),
        ("unsubscribed", "unsubscribes", &left),
        ("abuse-reports", "abuse_reports", &abuse),
    ] {
        on("GET", &format!("/reports/c/{at}"))
            .and(query_param("count", "5"))
            .respond_with(ok(
                json!({ key: [row], "campaign_id": "c", "total_items": 1 }),
            ))
            .mount(&server)
            .await;
    }
    let report = client.report("c");
    let recipients = report.sent_to(&page(0)).await.unwrap().into_value();
    assert_eq!(recipients.items[0].status.value(), Some(&SendStatus::Hard));
    assert!(recipients.items[0].absplit_group.is_empty());
    let gone = report.unsubscribed(&page(0)).await.unwrap().into_value();
    assert_eq!(gone.items[0].reason.as_str(), Some("None given"));
    let complaints = report.abuse_reports(&page(0)).await.unwrap().into_value();
    assert_eq!(complaints.items[0].id.value(), Some(&42));
    read::<SentTo>(&sent);
    read::<Unsubscribe>(&left);
    read::<AbuseReport>(&abuse);
    let mut winner = sent;
    winner["absplit_group"] = json!("winner");
    let winner: SentTo = read(&winner);
    assert_eq!(winner.absplit_group.value(), Some(&AbSplitGroup::Winner));
}

#[tokio::test]
async fn places_domains_advice_products_and_the_short_address() {
    let (server, client) = server().await;
    let place = json!({ "country_code": "US", "region": "", "region_name": "", "opens": 3,
        "proxy_excluded_opens": 2 });
    let domain = json!({ "domain": "example.net", "emails_sent": 100, "bounces": 1, "opens": 50,
        "clicks": 5, "unsubs": 0, "delivered": 99, "emails_pct": 49.3, "bounces_pct": 1,
        "opens_pct": 50.5, "clicks_pct": 5.1, "unsubs_pct": 0 });
    let product = json!({ "title": "Hat", "sku": "", "image_url": "", "total_revenue": 12.5,
        "total_purchased": 2, "currency_code": "USD", "recommendation_total": 4,
        "recommendation_purchased": 1 });
    let eepurl = json!({
        "twitter": { "tweets": 1, "first_tweet": "2026-07-01T08:00:00+00:00", "last_tweet": "",
            "retweets": 0, "statuses": [{ "status": "Hi", "screen_name": "f", "status_id": "1",
                "datetime": "2026-07-01T08:00:00+00:00", "is_retweet": false }] },
        "clicks": { "clicks": 1, "first_click": "2026-07-01T08:00:00+00:00",
            "last_click": "2026-07-01T08:00:00+00:00",
            "locations": [{ "country": "US", "region": "GA" }] },
        "referrers": [{ "referrer": "", "clicks": 1,
            "first_click": "2026-07-01T08:00:00+00:00",
            "last_click": "2026-07-01T08:00:00+00:00" }],
        "eepurl": "http://eepurl.com/x", "campaign_id": "c", "total_items": 1 });
    for (at, key, row) in [
        ("locations", "locations", place.clone()),
        ("domain-performance", "domains", domain.clone()),
        (
            "advice",
            "advice",
            json!({ "type": "positive", "message": "<b>Good</b>" }),
        ),
    ] {
        on("GET", &format!("/reports/c/{at}"))
            .respond_with(ok(
                json!({ key: [row], "total_sent": 203, "total_items": 1 }),
            ))
            .mount(&server)
            .await;
    }
    on("GET", "/reports/c/ecommerce-product-activity")
        .and(query_param("sort_field", "total_revenue"))
        .respond_with(ok(json!({ "products": [product], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/reports/c/eepurl")
        .respond_with(ok(eepurl.clone()))
        .mount(&server)
        .await;
    let report = client.report("c");
    let places = report.locations(&page(0)).await.unwrap().into_value();
    assert!(places.items[0].region.is_empty());
    let domains = report
        .domain_performance(&page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(domains.extra.get("total_sent"), Some(&json!(203)));
    assert_eq!(domains.items[0].delivered.value(), Some(&99));
    let advice = report.advice(&page(0)).await.unwrap().into_value();
    assert_eq!(advice.items[0].kind.value(), Some(&AdviceKind::Positive));
    let request = ListProductActivity {
        sort_field: Some(ProductActivitySort::TotalRevenue),
        ..ListProductActivity::default()
    };
    let products = report
        .product_activity(&request)
        .await
        .unwrap()
        .into_value();
    assert!(products.items[0].sku.is_empty());
    let short = report.eepurl(&everything()).await.unwrap().into_value();
    assert!(short.twitter.value().unwrap().last_tweet.is_empty());
    assert!(short.referrers.value().unwrap()[0].referrer.is_empty());
    read::<ReportLocation>(&place);
    read::<DomainPerformance>(&domain);
    read::<ProductActivity>(&product);
    read::<EepurlReport>(&eepurl);
}
