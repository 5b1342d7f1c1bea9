//! Views on small data, with figures that can be counted by hand.

use rusqlite::Connection;
use serde_json::{Value, json};
use sync_core::{FieldType, Sink, Stream};

use crate::bench::{Bench, record};

/// What a query gives, a JSON array for each row.
fn rows(connection: &Connection, sql: &str) -> Vec<Value> {
    let mut statement = connection.prepare(sql).expect("a query");
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|place| {
                Ok(match row.get_ref(place)? {
                    rusqlite::types::ValueRef::Integer(value) => json!(value),
                    rusqlite::types::ValueRef::Real(value) => json!(value),
                    rusqlite::types::ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                    _ => Value::Null,
                })
            })
            .collect::<rusqlite::Result<Value>>()
    });
    rows.expect("rows")
        .collect::<rusqlite::Result<_>>()
        .expect("rows")
}

async fn fill(bench: &Bench, stream: Stream, records: &[Value]) {
    let stream = std::sync::Arc::new(stream);
    let mut sink = bench.warehouse.sink();
    let records = records
        .iter()
        .enumerate()
        .map(|(n, data)| record(&stream, &n.to_string(), data))
        .collect();
    sink.write(records).await.expect("write");
    sink.flush().await.expect("flush");
}

fn member(n: u32, status: &str) -> Value {
    json!({
        "account_id": "acc", "list_id": "l1", "id": format!("hash{n}"), "contact_id": format!("c{n}"),
        "email_address": format!("{n}@example.com"), "full_name": format!("First{n} Last{n}"),
        "status": status, "merge_fields": {"FNAME": format!("First{n}"), "LNAME": format!("Last{n}")},
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
    let bench = Bench::new();
    fill(
        &bench,
        members(),
        &[member(1, "subscribed"), member(2, "unsubscribed")],
    )
    .await;
    assert_eq!(
        bench.warehouse.create_views().await.expect("views"),
        ["contact"]
    );
    let sql = "SELECT email_address, first_name, last_name, status, open_rate, click_rate, tags,
               opens, last_activity_at, list_name FROM contact ORDER BY 1";
    let look = bench.look();
    assert_eq!(
        rows(&look, sql),
        [
            json!([
                "1@example.com",
                "First1",
                "Last1",
                "subscribed",
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
    fill(
        &bench,
        events(),
        &[
            event(1, "k1", "open", 1),
            event(1, "k1", "open", 5),
            event(1, "k2", "click", 3),
            event(2, "k1", "bounce", 0),
        ],
    )
    .await;
    fill(
        &bench,
        Stream::new("lists"),
        &[json!({"account_id": "acc", "id": "l1", "name": "Everybody"})],
    )
    .await;
    let made = bench.warehouse.create_views().await.expect("views");
    assert_eq!(made, ["contact", "engagement"]);
    let sql = "SELECT email_address, opens, clicks, last_opened_at, last_clicked_at, last_activity_at, list_name
               FROM contact ORDER BY 1";
    assert_eq!(
        rows(&look, sql),
        [
            json!([
                "1@example.com",
                2,
                1,
                "2026-11-21T10:05:00Z",
                "2026-11-21T10:03:00Z",
                "2026-11-21T10:05:00Z",
                "Everybody"
            ]),
            json!(["2@example.com", 0, 0, null, null, null, "Everybody"]),
        ]
    );
}

#[tokio::test]
async fn removed_records_are_in_no_view() {
    let bench = Bench::new();
    fill(
        &bench,
        members(),
        &[member(1, "subscribed"), member(2, "subscribed")],
    )
    .await;
    let mut sink = bench.warehouse.sink();
    let mut gone = record(&members().into(), "0", &json!({}));
    gone.removed = true;
    sink.write(vec![gone]).await.expect("write");
    sink.flush().await.expect("flush");
    bench.warehouse.create_views().await.expect("views");
    assert_eq!(
        rows(&bench.look(), "SELECT email_address FROM contact"),
        [json!(["2@example.com"])]
    );
}

#[tokio::test]
async fn campaigns_have_the_figures_of_their_reports() {
    let bench = Bench::new();
    let campaign = |id: &str, status: &str, send_time: &str| {
        json!({
            "account_id": "acc", "id": id, "status": status, "send_time": send_time,
            "settings": {"title": id, "subject_line": "Hello"},
            "recipients": {"list_id": "l1", "list_name": "Everybody"},
            "report_summary": {"opens": 7, "open_rate": 0.1},
        })
    };
    let campaigns = Stream::new("campaigns").with("send_time", FieldType::Timestamp);
    fill(
        &bench,
        campaigns,
        &[
            campaign("k1", "sent", "2026-11-20T08:00:00+00:00"),
            campaign("k2", "save", ""),
        ],
    )
    .await;
    let report = json!({
        "account_id": "acc", "id": "k1", "emails_sent": 200, "unsubscribed": 4, "abuse_reports": 1,
        "bounces": {"hard_bounces": 6, "soft_bounces": 3, "syntax_errors": 1},
        "opens": {"opens_total": 90, "unique_opens": 60, "open_rate": 0.3157, "last_open": ""},
        "clicks": {"clicks_total": 20, "unique_subscriber_clicks": 15, "click_rate": 0.0789},
    });
    fill(&bench, Stream::new("reports"), &[report]).await;
    bench.warehouse.create_views().await.expect("views");
    let sql = "SELECT campaign_id, subject_line, list_name, sent_at, sent, delivered, opens, unique_opens, open_rate,
               unique_clicks, click_rate, hard_bounces, bounce_rate, unsubscribes, unsubscribe_rate
               FROM campaign ORDER BY 1";
    assert_eq!(
        rows(&bench.look(), sql),
        [
            json!([
                "k1",
                "Hello",
                "Everybody",
                "2026-11-20T08:00:00Z",
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
    let bench = Bench::new();
    fill(
        &bench,
        events(),
        &[
            event(1, "k1", "open", 1),
            event(1, "k1", "open", 4),
            event(1, "k1", "click", 2),
            event(1, "k2", "open", 9),
            event(2, "k1", "bounce", 0),
        ],
    )
    .await;
    bench.warehouse.create_views().await.expect("views");
    let sql = "SELECT campaign_id, email_id, sent, opened, opens, first_opened_at, clicked, clicks, bounced, bounce_type
               FROM engagement ORDER BY 1, 2";
    let look = bench.look();
    let active = [
        json!([
            "k1",
            "hash1",
            1,
            1,
            2,
            "2026-11-21T10:01:00Z",
            1,
            1,
            0,
            null
        ]),
        json!(["k1", "hash2", 1, 0, 0, null, 0, 0, 1, "hard"]),
        json!([
            "k2",
            "hash1",
            1,
            1,
            1,
            "2026-11-21T10:09:00Z",
            0,
            0,
            0,
            null
        ]),
    ];
    assert_eq!(rows(&look, sql), active);

    let sent = |email: u32| json!({"account_id": "acc", "campaign_id": "k2", "list_id": "l1", "email_id": format!("hash{email}")});
    fill(&bench, Stream::new("sent_to"), &[sent(1), sent(2)]).await;
    bench.warehouse.create_views().await.expect("views");
    let [first, second, third] = active;
    let quiet = json!(["k2", "hash2", 1, 0, 0, null, 0, 0, 0, null]);
    assert_eq!(rows(&look, sql), [first, second, third, quiet]);
}

#[tokio::test]
async fn audiences_grow_by_day_and_by_month() {
    let bench = Bench::new();
    let day = |day: &str, subs: u32, unsubs: u32| {
        json!({
            "account_id": "acc", "list_id": "l1", "day": day, "subs": subs, "unsubs": unsubs,
            "other_adds": 1, "other_removes": 2,
        })
    };
    fill(
        &bench,
        Stream::new("list_activity").with("day", FieldType::Date),
        &[day("2026-11-20", 10, 3), day("2026-11-21", 0, 5)],
    )
    .await;
    bench.warehouse.create_views().await.expect("views");
    let sql =
        "SELECT period, starts_on, joined, unsubscribed, otherwise_left, net, subscribed_at_end
               FROM audience_growth ORDER BY 1, 2";
    let days = [
        json!(["day", "2026-11-20", 11, 3, 2, 6, null]),
        json!(["day", "2026-11-21", 1, 5, 2, -6, null]),
    ];
    let look = bench.look();
    assert_eq!(rows(&look, sql), days);

    let month = |month: &str, subscribed: u32| {
        json!({
            "account_id": "acc", "list_id": "l1", "month": month, "subscribed": subscribed,
            "unsubscribed": 5, "cleaned": 2, "deleted": 1,
        })
    };
    fill(
        &bench,
        Stream::new("growth_history"),
        &[month("2026-10", 120), month("2026-09", 100)],
    )
    .await;
    bench.warehouse.create_views().await.expect("views");
    let [first, second] = days;
    assert_eq!(
        rows(&look, sql),
        [
            first,
            second,
            json!(["month", "2026-09-01", null, 5, 3, null, 100]),
            json!(["month", "2026-10-01", 28, 5, 3, 20, 120]),
        ]
    );
}

#[tokio::test]
async fn views_are_remade_only_when_something_changed() {
    let bench = Bench::new();
    assert!(
        bench
            .warehouse
            .create_views()
            .await
            .expect("views")
            .is_empty()
    );
    fill(&bench, Stream::new("members"), &[json!({"id": "hash1"})]).await;
    bench.warehouse.create_views().await.expect("views");
    let look = bench.look();
    let version = || rows(&look, "PRAGMA schema_version");
    let sql = "SELECT email_id, status FROM contact";
    assert_eq!(rows(&look, sql), [json!(["hash1", null])]);
    let before = version();
    bench.warehouse.create_views().await.expect("views");
    assert_eq!(version(), before, "what is up to date is left alone");

    // A column has come, and one was widened: that makes the table anew below the view.
    fill(
        &bench,
        Stream::new("members"),
        &[json!({"id": 1.5, "status": "cleaned"})],
    )
    .await;
    fill(
        &bench,
        Stream::new("members"),
        &[json!({"id": "x", "status": "cleaned"})],
    )
    .await;
    bench.warehouse.create_views().await.expect("views");
    assert_eq!(rows(&look, sql), [json!(["x", "cleaned"])]);

    look.execute_batch("DROP TABLE members").expect("drop");
    assert!(
        bench
            .warehouse
            .create_views()
            .await
            .expect("views")
            .is_empty()
    );
    assert!(look.prepare(sql).is_err(), "a view of nothing is gone");
}

#[tokio::test]
async fn a_view_of_somebody_else_stays() {
    let bench = Bench::new();
    fill(&bench, members(), &[member(1, "subscribed")]).await;
    let look = bench.look();
    look.execute_batch("CREATE VIEW contact AS SELECT 'mine' AS whose")
        .expect("a view");
    assert!(
        bench
            .warehouse
            .create_views()
            .await
            .expect("views")
            .is_empty()
    );
    assert_eq!(rows(&look, "SELECT whose FROM contact"), [json!(["mine"])]);
}
