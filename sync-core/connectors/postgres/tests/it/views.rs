//! Views on small data, with figures that can be counted by hand.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::{FieldType, Stream};

use crate::records::{deliver, record, removal, stream};
use crate::server::Place;

/// What a view shows, a JSON array for each row.
async fn rows(place: &Place, view: &str, columns: &str) -> Vec<Value> {
    // By the first two columns.
    let order: Vec<&str> = columns.split(", ").take(2).collect();
    let order = order.join(", ");
    let sql = format!("SELECT json_agg(json_build_array({columns}) ORDER BY {order}) FROM {{}}");
    let rows = place.ask(view, &sql).await;
    rows.map_or(Vec::new(), |rows| serde_json::from_str(&rows).unwrap())
}

async fn fill(place: &Place, stream: Stream, records: &[Value]) {
    let stream = Arc::new(stream);
    let records = records
        .iter()
        .enumerate()
        .map(|(n, data)| record(&stream, &n.to_string(), data));
    deliver(&mut place.sink(), records.collect()).await;
}

async fn create(place: &Place) -> Vec<String> {
    place.warehouse().create_views().await.unwrap()
}

fn member(n: u32, status: &str) -> Value {
    json!({
        "account_id": "acc", "list_id": "l1", "id": format!("hash{n}"), "contact_id": format!("c{n}"),
        "email_address": format!("{n}@example.com"), "status": status, "vip": n == 1,
        "merge_fields": {"FNAME": format!("First{n}"), "LNAME": format!("Last{n}")},
        "stats": {"avg_open_rate": 0.5, "avg_click_rate": 0.25},
        "tags_count": 2, "tags": [{"id": 1, "name": "vip"}, {"id": 2, "name": "new"}],
        "last_changed": "2026-11-20T10:00:00+00:00",
    })
}

fn members() -> Stream {
    Stream::new("members")
        .with("last_changed", FieldType::Timestamp)
        .with("tags", FieldType::Json)
}

fn event(email: u32, campaign: &str, action: &str, minute: u32) -> Value {
    json!({
        "account_id": "acc", "campaign_id": campaign, "list_id": "l1",
        "email_id": format!("hash{email}"), "email_address": format!("{email}@example.com"),
        "action": action, "type": if action == "bounce" { "hard" } else { "" },
        "timestamp": format!("2026-11-21T10:{minute:02}:00+00:00"),
    })
}

fn events() -> Stream {
    Stream::new("email_activity").with("timestamp", FieldType::Timestamp)
}

#[tokio::test]
async fn contacts_have_names_rates_tags_and_activity() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let two = [member(1, "subscribed"), member(2, "unsubscribed")];
    fill(&place, members(), &two).await;
    assert_eq!(create(&place).await, ["contact"]);
    let columns = "email_address, first_name, last_name, status, is_vip, open_rate, click_rate, tags, opens, \
                   last_activity_at, list_name";
    assert_eq!(
        rows(&place, "contact", columns).await,
        [
            json!([
                "1@example.com",
                "First1",
                "Last1",
                "subscribed",
                true,
                0.5,
                0.25,
                "vip, new",
                null,
                null,
                null
            ]),
            json!([
                "2@example.com",
                "First2",
                "Last2",
                "unsubscribed",
                false,
                0.5,
                0.25,
                "vip, new",
                null,
                null,
                null
            ]),
        ]
    );

    // Tables that the view can use have come.
    let happened = [
        event(1, "k1", "open", 1),
        event(1, "k1", "open", 5),
        event(1, "k2", "click", 3),
        event(2, "k1", "bounce", 0),
    ];
    fill(&place, events(), &happened).await;
    let list = json!({"account_id": "acc", "id": "l1", "name": "Everybody"});
    fill(&place, Stream::new("lists"), &[list]).await;
    assert_eq!(create(&place).await, ["contact", "engagement"]);
    let columns = "email_address, opens, clicks, last_opened_at, last_clicked_at, last_activity_at, list_name";
    let (opened, clicked) = ("2026-11-21T10:05:00+00:00", "2026-11-21T10:03:00+00:00");
    assert_eq!(
        rows(&place, "contact", columns).await,
        [
            json!(["1@example.com", 2, 1, opened, clicked, opened, "Everybody"]),
            json!(["2@example.com", 0, 0, null, null, null, "Everybody"]),
        ]
    );
}

#[tokio::test]
async fn removed_records_are_in_no_view() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let two = [member(1, "subscribed"), member(2, "subscribed")];
    fill(&place, members(), &two).await;
    deliver(&mut place.sink(), vec![removal(&members().into(), "0")]).await;
    create(&place).await;
    assert_eq!(
        rows(&place, "contact", "email_address").await,
        [json!(["2@example.com"])]
    );
}

#[tokio::test]
async fn campaigns_have_the_figures_of_their_reports() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let campaign = |id: &str, send_time: &str| {
        json!({
            "account_id": "acc", "id": id, "send_time": send_time,
            "settings": {"title": id, "subject_line": "Hello"},
            "recipients": {"list_id": "l1", "list_name": "Everybody"},
            "report_summary": {"opens": 7, "open_rate": 0.1},
        })
    };
    let two = [
        campaign("k1", "2026-11-20T08:00:00+00:00"),
        campaign("k2", ""),
    ];
    let campaigns = Stream::new("campaigns").with("send_time", FieldType::Timestamp);
    fill(&place, campaigns, &two).await;
    let report = json!({
        "account_id": "acc", "id": "k1", "emails_sent": 200, "unsubscribed": 4, "abuse_reports": 1,
        "bounces": {"hard_bounces": 6, "soft_bounces": 3, "syntax_errors": 1},
        "opens": {"opens_total": 90, "unique_opens": 60, "open_rate": 0.3157, "last_open": ""},
        "clicks": {"clicks_total": 20, "unique_subscriber_clicks": 15, "click_rate": 0.0789},
    });
    fill(&place, Stream::new("reports"), &[report]).await;
    assert_eq!(create(&place).await, ["campaign"]);
    let columns = "campaign_id, subject_line, list_name, sent_at, sent, delivered, opens, unique_opens, open_rate, \
                   unique_clicks, click_rate, hard_bounces, bounce_rate, unsubscribes, unsubscribe_rate";
    let at = "2026-11-20T08:00:00+00:00";
    assert_eq!(
        rows(&place, "campaign", columns).await,
        [
            json!([
                "k1",
                "Hello",
                "Everybody",
                at,
                200,
                190,
                90,
                60,
                0.3157,
                15,
                0.0789,
                6,
                0.05,
                4,
                0.02
            ]),
            json!([
                "k2",
                "Hello",
                "Everybody",
                null,
                null,
                null,
                7,
                null,
                0.1,
                null,
                null,
                null,
                null,
                null,
                null
            ]),
        ]
    );
}

#[tokio::test]
async fn engagement_counts_what_a_member_did_with_a_campaign() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let happened = [
        event(1, "k1", "open", 1),
        event(1, "k1", "open", 4),
        event(1, "k1", "click", 2),
        event(1, "k2", "open", 9),
        event(2, "k1", "bounce", 0),
    ];
    fill(&place, events(), &happened).await;
    create(&place).await;
    let columns = "campaign_id, email_id, sent, opened, opens, first_opened_at, clicked, clicks, bounced, bounce_type";
    let active = [
        json!([
            "k1",
            "hash1",
            true,
            true,
            2,
            "2026-11-21T10:01:00+00:00",
            true,
            1,
            false,
            null
        ]),
        json!(["k1", "hash2", true, false, 0, null, false, 0, true, "hard"]),
        json!([
            "k2",
            "hash1",
            true,
            true,
            1,
            "2026-11-21T10:09:00+00:00",
            false,
            0,
            false,
            null
        ]),
    ];
    assert_eq!(rows(&place, "engagement", columns).await, active);

    let sent = |email: u32| json!({"account_id": "acc", "campaign_id": "k2", "list_id": "l1", "email_id": format!("hash{email}")});
    fill(&place, Stream::new("sent_to"), &[sent(1), sent(2)]).await;
    create(&place).await;
    let [first, second, third] = active;
    let quiet = json!(["k2", "hash2", true, false, 0, null, false, 0, false, null]);
    assert_eq!(
        rows(&place, "engagement", columns).await,
        [first, second, third, quiet]
    );
}

#[tokio::test]
async fn audiences_grow_by_day_and_by_month() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let day = |day: &str, subs: u32, unsubs: u32| {
        json!({
            "account_id": "acc", "list_id": "l1", "day": day, "subs": subs, "unsubs": unsubs,
            "other_adds": 1, "other_removes": 2,
        })
    };
    let month = |month: &str, subscribed: u32| {
        json!({
            "account_id": "acc", "list_id": "l1", "month": month, "subscribed": subscribed,
            "unsubscribed": 5, "cleaned": 2, "deleted": 1,
        })
    };
    let columns = "period, starts_on, joined, unsubscribed, otherwise_left, net, subscribed_at_end";
    let months = [month("2026-10", 120), month("2026-09", 100)];
    fill(&place, Stream::new("growth_history"), &months).await;
    create(&place).await;
    let by_month = [
        json!(["month", "2026-09-01", null, 5, 3, null, 100]),
        json!(["month", "2026-10-01", 28, 5, 3, 20, 120]),
    ];
    assert_eq!(rows(&place, "audience_growth", columns).await, by_month);

    let days = [day("2026-11-20", 10, 3), day("2026-11-21", 0, 5)];
    let stream = Stream::new("list_activity").with("day", FieldType::Date);
    fill(&place, stream, &days).await;
    create(&place).await;
    let [first, second] = by_month;
    assert_eq!(
        rows(&place, "audience_growth", columns).await,
        [
            json!(["day", "2026-11-20", 11, 3, 2, 6, null]),
            json!(["day", "2026-11-21", 1, 5, 2, -6, null]),
            first,
            second,
        ]
    );
}

#[tokio::test]
async fn views_are_remade_only_when_something_changed() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    assert!(create(&place).await.is_empty());
    fill(&place, members(), &[member(1, "subscribed")]).await;
    create(&place).await;
    // The transaction that wrote the view last.
    let version = "SELECT max(xmin::text) FROM pg_rewrite WHERE ev_class = '{}'::regclass";
    let before = place.ask("contact", version).await;
    create(&place).await;
    let after = place.ask("contact", version).await;
    assert_eq!(before, after, "what is up to date is left alone");
    fill(
        &place,
        Stream::new("members"),
        &[json!({"full_name": "Ada"})],
    )
    .await;
    assert_eq!(rows(&place, "contact", "full_name").await, [json!([null])]);
    create(&place).await;
    assert_eq!(rows(&place, "contact", "full_name").await, [json!(["Ada"])]);
}

#[tokio::test]
async fn columns_become_wider_below_views_that_others_use() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = stream("members");
    let mut sink = place.sink();
    let typed = json!({
        "id": 1, "member_rating": 4, "vip": true, "last_changed": "2026-11-21T10:00:00+00:00",
        "timestamp_opt": "2026-11-20", "stats": {"avg_open_rate": 0.5}, "tags_count": 7, "tags": [{"name": "x"}],
    });
    deliver(&mut sink, vec![record(&members, "a", &typed)]).await;
    create(&place).await;
    let schema = &place.settings.schema;
    let reader = format!("reader_{}", schema.replace(' ', "_"));
    let others = format!(
        "CREATE VIEW \"{schema}\".ratings AS SELECT email_id, rating FROM {{}}; \
         CREATE ROLE {reader}; GRANT SELECT ON {{}} TO {reader}"
    );
    place.run("contact", &others).await;

    let odd = json!({
        "id": "b", "member_rating": "good", "vip": "perhaps", "last_changed": "long ago",
        "timestamp_opt": "2026-02-30", "stats": {"avg_open_rate": "1e999"}, "tags_count": 7.5, "tags": "none",
    });
    deliver(&mut sink, vec![record(&members, "b", &odd)]).await;
    let columns =
        "email_id, rating, is_vip, last_changed_at, opted_in_at, open_rate, tag_count, tags";
    assert_eq!(
        rows(&place, "contact", columns).await,
        [
            json!([
                "1",
                4,
                true,
                "2026-11-21T10:00:00+00:00",
                "2026-11-20T00:00:00+00:00",
                0.5,
                7,
                "x"
            ]),
            json!(["b", null, null, null, null, null, 8, null]),
        ],
        "what cannot be read as the view's type is null"
    );
    assert_eq!(
        rows(&place, "ratings", "email_id, rating").await,
        [json!(["1", 4]), json!(["b", null])]
    );
    let grant = format!("SELECT has_table_privilege('{reader}', '{{}}', 'SELECT')");
    assert_eq!(place.ask("contact", &grant).await.as_deref(), Some("true"));
}

#[tokio::test]
async fn nobody_gets_a_view_that_was_not_asked_for() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = stream("members");
    let mut sink = place.sink();
    for id in [json!(1), json!(1.5), json!("text")] {
        deliver(&mut sink, vec![record(&members, "a", &json!({"id": id}))]).await;
    }
    let views = format!(
        "SELECT count(*) FROM pg_views WHERE schemaname = '{}'",
        place.settings.schema
    );
    assert_eq!(place.ask("", &views).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_view_of_somebody_else_stays() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    fill(&place, members(), &[member(1, "subscribed")]).await;
    place
        .run("contact", "CREATE VIEW {} AS SELECT 'mine' AS whose")
        .await;
    assert!(create(&place).await.is_empty());
    assert_eq!(rows(&place, "contact", "whose").await, [json!(["mine"])]);
}

#[tokio::test]
async fn views_that_several_make_at_once_are_made_once() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    fill(&place, members(), &[member(1, "subscribed")]).await;
    let made = (0..5).map(|_| create(&place));
    for views in futures::future::join_all(made).await {
        assert_eq!(views, ["contact"]);
    }
}
