//! Views on small data, with figures that can be counted by hand.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::{FieldType, Stream};

use crate::fake::{self, Fake, deliver, record, removal, shown};
use crate::gateway::Gateway;

/// What a view shows, in the order of the first two columns.
async fn rows(fake: &Fake, view: &str, columns: &str) -> Vec<String> {
    let list: Vec<&str> = columns.split(", ").collect();
    let texts: Vec<String> = list
        .iter()
        .map(|column| format!("{column}::VARCHAR"))
        .collect();
    let order = &list[..list.len().min(2)];
    let sql = format!(
        "SELECT {} FROM {view} ORDER BY {}",
        texts.join(", "),
        order.join(", ")
    );
    shown(&fake.query(&sql).await)
}

async fn fill(fake: &Fake, stream: Stream, records: &[Value]) {
    let stream = Arc::new(stream);
    let records = records
        .iter()
        .enumerate()
        .map(|(n, data)| record(&stream, &n.to_string(), data));
    deliver(&mut fake.sink(), records.collect()).await;
}

async fn create(fake: &Fake) -> Vec<String> {
    let warehouse = fake::warehouse(&fake.settings());
    warehouse.create_views().await.unwrap()
}

fn member(n: u32, status: &str) -> Value {
    json!({
        "account_id": "acc", "list_id": "l1", "id": format!("hash{n}"), "email_address": format!("{n}@example.com"),
        "status": status, "vip": n == 1, "merge_fields": {"FNAME": format!("First{n}")},
        "stats": {"avg_open_rate": 0.5}, "tags": [{"id": 1, "name": "vip"}, {"id": 2, "name": "new"}],
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
    let Some(fake) = Fake::find() else { return };
    assert!(create(&fake).await.is_empty(), "nothing to show");
    let three = [
        member(1, "subscribed"),
        member(2, "unsubscribed"),
        member(3, "subscribed"),
    ];
    fill(&fake, members(), &three).await;
    deliver(&mut fake.sink(), vec![removal(&members().into(), "2")]).await;
    assert_eq!(create(&fake).await, ["CONTACT"]);
    let columns = "email_address, first_name, last_name, status, is_vip, open_rate, tags, opens, last_activity_at, list_name";
    assert_eq!(
        rows(&fake, "contact", columns).await,
        [
            "1@example.com | First1 | ∅ | subscribed | true | 0.5 | vip, new | ∅ | ∅ | ∅",
            "2@example.com | First2 | ∅ | unsubscribed | false | 0.5 | vip, new | ∅ | ∅ | ∅",
        ],
        "a removed member is no contact"
    );

    // Tables that the view can use have come.
    let happened = [
        event(1, "k1", "open", 1),
        event(1, "k1", "open", 5),
        event(1, "k2", "click", 3),
        event(2, "k1", "bounce", 0),
    ];
    fill(&fake, events(), &happened).await;
    let list = json!({"account_id": "acc", "id": "l1", "name": "Everybody"});
    fill(&fake, Stream::new("lists"), &[list]).await;
    assert_eq!(create(&fake).await, ["CONTACT", "ENGAGEMENT"]);
    let columns = "email_address, opens, clicks, last_opened_at, last_clicked_at, last_activity_at, list_name";
    let (opened, clicked) = ("2026-11-21 10:05:00+00", "2026-11-21 10:03:00+00");
    assert_eq!(
        rows(&fake, "contact", columns).await,
        [
            format!("1@example.com | 2 | 1 | {opened} | {clicked} | {opened} | Everybody"),
            "2@example.com | 0 | 0 | ∅ | ∅ | ∅ | Everybody".to_owned(),
        ]
    );
}

#[tokio::test]
async fn campaigns_have_the_figures_of_their_reports() {
    let Some(fake) = Fake::find() else { return };
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
    fill(&fake, campaigns, &two).await;
    let report = json!({
        "account_id": "acc", "id": "k1", "emails_sent": 200, "unsubscribed": 4, "abuse_reports": 1,
        "bounces": {"hard_bounces": 6, "soft_bounces": 3, "syntax_errors": 1},
        "opens": {"opens_total": 90, "unique_opens": 60, "open_rate": 0.3157, "last_open": ""},
        "clicks": {"clicks_total": 20, "unique_subscriber_clicks": 15, "click_rate": 0.0789},
    });
    fill(&fake, Stream::new("reports"), &[report]).await;
    assert_eq!(create(&fake).await, ["CAMPAIGN"]);
    let columns = "campaign_id, subject_line, list_name, sent_at, sent, delivered, opens, unique_opens, open_rate, \
                   unique_clicks, hard_bounces, bounce_rate, unsubscribes, unsubscribe_rate";
    assert_eq!(
        rows(&fake, "campaign", columns).await,
        [
            "k1 | Hello | Everybody | 2026-11-20 08:00:00+00 | 200 | 190 | 90 | 60 | 0.3157 | 15 | 6 | 0.05 | 4 | 0.02",
            "k2 | Hello | Everybody | ∅ | ∅ | ∅ | 7 | ∅ | 0.1 | ∅ | ∅ | ∅ | ∅ | ∅",
        ]
    );
}

#[tokio::test]
async fn engagement_counts_what_a_member_did_with_a_campaign() {
    let Some(fake) = Fake::find() else { return };
    let happened = [
        event(1, "k1", "open", 1),
        event(1, "k1", "open", 4),
        event(1, "k1", "click", 2),
        event(2, "k1", "bounce", 0),
    ];
    fill(&fake, events(), &happened).await;
    let sent = |email: u32| json!({"account_id": "acc", "campaign_id": "k2", "list_id": "l1", "email_id": format!("hash{email}")});
    fill(&fake, Stream::new("sent_to"), &[sent(2)]).await;
    create(&fake).await;
    let columns = "campaign_id, email_id, sent, opened, opens, first_opened_at, clicked, clicks, bounced, bounce_type";
    assert_eq!(
        rows(&fake, "engagement", columns).await,
        [
            "k1 | hash1 | true | true | 2 | 2026-11-21 10:01:00+00 | true | 1 | false | ∅",
            "k1 | hash2 | true | false | 0 | ∅ | false | 0 | true | hard",
            "k2 | hash2 | true | false | 0 | ∅ | false | 0 | false | ∅",
        ]
    );
}

#[tokio::test]
async fn audiences_grow_by_day_and_by_month() {
    let Some(fake) = Fake::find() else { return };
    let month = |month: &str, subscribed: u32| {
        json!({
            "account_id": "acc", "list_id": "l1", "month": month, "subscribed": subscribed,
            "unsubscribed": 5, "cleaned": 2, "deleted": 1,
        })
    };
    let columns = "period, starts_on, joined, unsubscribed, otherwise_left, net, subscribed_at_end";
    let months = [month("2026-10", 120), month("2026-09", 100)];
    fill(&fake, Stream::new("growth_history"), &months).await;
    create(&fake).await;
    let by_month = [
        "month | 2026-09-01 | ∅ | 5 | 3 | ∅ | 100",
        "month | 2026-10-01 | 28 | 5 | 3 | 20 | 120",
    ];
    assert_eq!(rows(&fake, "audience_growth", columns).await, by_month);

    let day = json!({
        "account_id": "acc", "list_id": "l1", "day": "2026-11-20", "subs": 10, "unsubs": 3,
        "other_adds": 1, "other_removes": 2,
    });
    let stream = Stream::new("list_activity").with("day", FieldType::Date);
    fill(&fake, stream, &[day]).await;
    create(&fake).await;
    assert_eq!(
        rows(&fake, "audience_growth", columns).await,
        [
            "day | 2026-11-20 | 11 | 3 | 2 | 6 | ∅",
            by_month[0],
            by_month[1]
        ]
    );
}

#[tokio::test]
async fn a_view_is_made_again_only_when_columns_have_come() {
    let Some(fake) = Fake::find() else { return };
    fill(&fake, members(), &[member(1, "subscribed")]).await;
    create(&fake).await;
    let gateway = Gateway::start(&fake, None).await;
    let mut settings = fake.settings();
    settings.url = gateway.url().parse().ok();
    let warehouse = fake::warehouse(&settings);
    let made = async || {
        warehouse.create_views().await.unwrap();
        let statements = gateway.statements();
        statements
            .iter()
            .filter(|one| one.starts_with("CREATE"))
            .count()
    };
    assert_eq!(made().await, 0, "what is up to date is left alone");
    fill(&fake, members(), &[json!({"full_name": "Ada"})]).await;
    assert_eq!(made().await, 1);
    assert_eq!(rows(&fake, "contact", "full_name").await, ["Ada"]);
}

#[tokio::test]
async fn a_view_or_table_of_somebody_else_stays() {
    let Some(fake) = Fake::find() else { return };
    fill(&fake, members(), &[member(1, "subscribed")]).await;
    fill(&fake, Stream::new("campaigns"), &[json!({"id": "k1"})]).await;
    fake.query("CREATE VIEW CONTACT AS SELECT 'mine' AS whose")
        .await;
    fake.query("CREATE TABLE CAMPAIGN (whose VARCHAR)").await;
    assert!(create(&fake).await.is_empty());
    assert_eq!(rows(&fake, "contact", "whose").await, ["mine"]);
}

/// Whatever type a column has come to, a view shows it or null, and never fails.
#[tokio::test]
async fn a_view_reads_columns_of_every_type() {
    let Some(fake) = Fake::find() else { return };
    for (value, shown) in [
        (json!(4), "4 | 4.0 | ∅ | true"),
        (json!(2.25), "2 | 2.25 | ∅ | true"),
        (json!("5"), "5 | 5.0 | ∅ | ∅"),
        (json!("many"), "∅ | ∅ | ∅ | ∅"),
        (json!("true"), "∅ | ∅ | ∅ | true"),
        (json!(true), "1 | 1.0 | ∅ | true"),
        (json!([{"name": "x"}]), "∅ | ∅ | ∅ | ∅"),
        (
            json!("2026-11-21T10:00:00Z"),
            "∅ | ∅ | 2026-11-21 10:00:00+00 | ∅",
        ),
    ] {
        let fake = fake.another();
        let data = json!({
            "member_rating": value, "vip": value, "tags": value, "timestamp_opt": value,
            "stats": {"avg_open_rate": value},
        });
        fill(&fake, Stream::new("members"), &[data]).await;
        create(&fake).await;
        let columns = "rating, open_rate, opted_in_at, is_vip";
        assert_eq!(rows(&fake, "contact", columns).await, [shown], "{value}");
    }
}
