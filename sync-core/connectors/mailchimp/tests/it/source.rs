//! The source's smaller promises.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use mailchimp_client::Client;
use mailchimp_simulator::{AudienceSpec, DateHeader, Fault, Rule, Spread, Status, StatusMix};
use sync_core::{AsJson, Cursor, ErrorKind, Key, Keyed, Position, Source, SystemClock};
use sync_mailchimp::{AudienceSettings, AudienceSource, RecentCheck, StatusFilter};

use crate::api::{Api, Delivered, LIST, drain, noon};

fn shop(members: u32) -> AudienceSpec {
    let mut spec = AudienceSpec::new(LIST, members);
    spec.statuses = StatusMix::SHOP;
    spec
}

#[tokio::test(start_paused = true)]
async fn check_says_who_is_to_blame() {
    let api = Api::new(|_| {});
    let source = api.source(AudienceSettings::default());
    let kind = async || source.check().await.expect_err("it fails").kind();
    assert_eq!(kind().await, ErrorKind::Missing);
    api.simulator.add_audience(shop(1));
    source.check().await.expect("the audience exists");
    api.simulator.faults().add(Rule::new(Fault::Status429));
    assert_eq!(kind().await, ErrorKind::Unavailable);
    api.simulator.faults().clear();
    api.simulator.faults().add(Rule::new(Fault::Garbage));
    assert_eq!(kind().await, ErrorKind::Invalid);
}

#[test]
fn a_list_id_that_is_none_is_refused() {
    let client = Client::builder("0123-us6").build().expect("a client");
    for id in ["", "a/b", ".."] {
        let made = AudienceSource::new(
            client.clone(),
            id,
            AudienceSettings::default(),
            Arc::new(SystemClock),
        );
        assert_eq!(made.expect_err(id).kind(), ErrorKind::Config);
    }
}

#[tokio::test(start_paused = true)]
async fn fetch_agrees_with_read_and_is_sure_only_of_what_the_api_denies() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(shop(40));
    let source = api.source(AudienceSettings::default());
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    let members = audience.members();
    audience
        .delete_permanently(&members[5].id)
        .expect("a member");
    let keys: Vec<Key> = members
        .iter()
        .map(|member| Key::new(member.contact_id.clone()))
        .collect();
    let fetched = source.fetch(&keys).await.expect("fetching works");
    assert_eq!(fetched.len(), keys.len());
    for (at, (key, row)) in keys.iter().zip(fetched).enumerate() {
        match row {
            None => assert_eq!(at, 5),
            Some(row) => {
                assert_eq!(row.key(), *key);
                assert_eq!(row, delivered.rows[key.as_str()]);
            }
        }
    }
    assert!(api.simulator.stats().max_in_flight <= 10);

    api.simulator
        .faults()
        .add(Rule::new(Fault::Status5xxHtml(404)));
    let error = source
        .fetch(&keys[..1])
        .await
        .expect_err("a page of a firewall is no proof");
    assert_ne!(error.kind(), ErrorKind::Missing);
}

#[tokio::test(start_paused = true)]
async fn keys_are_those_of_everyone_archived_ones_included() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(shop(3_000));
    let source = api.source(AudienceSettings::default());
    let reader = source.keys().expect("keys").expect("the source can tell");
    let mut keys: Vec<String> = drain(reader)
        .await
        .into_iter()
        .map(|key| key.as_str().to_owned())
        .collect();
    let mut expected: Vec<String> = audience
        .members()
        .into_iter()
        .map(|member| member.contact_id)
        .collect();
    keys.sort_unstable();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let bytes_per_key = api.simulator.stats().bytes / 3_000;
    assert!(bytes_per_key < 250, "{bytes_per_key}");
}

#[tokio::test(start_paused = true)]
async fn only_the_fields_asked_for_are_fetched() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(shop(5));
    let settings = AudienceSettings {
        fields: vec!["members.status".to_owned()],
        ..Default::default()
    };
    let source = api.source(settings);
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    assert_eq!(delivered.rows.len(), 5);
    for row in delivered.rows.values() {
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&row.as_json()).expect("an object");
        let mut names: Vec<&str> = json.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["contact_id", "id", "last_changed", "status"]);
    }
    let keys: Vec<Key> = delivered.rows.values().map(Keyed::key).collect();
    for row in source
        .fetch(&keys)
        .await
        .expect("fetching works")
        .into_iter()
        .flatten()
    {
        assert_eq!(row, delivered.rows[row.key().as_str()]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_opt_out_pass_gives_the_unsubscribed_and_nobody_else() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(shop(2_000));
    let settings = AudienceSettings {
        status: StatusFilter::Unsubscribed,
        ..Default::default()
    };
    let source = api.source(settings);
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    assert_eq!(delivered.rows.len(), audience.count(Status::Unsubscribed));
    assert!(source.keys().expect("keys").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_opt_out_pass_gives_who_opted_out_just_now_or_ahead_of_the_clock() {
    for skew in [0, -90] {
        let behind = TimeDelta::seconds(skew);
        let api = Api::new(|settings| settings.date_header = DateHeader::Skewed(behind));
        let audience = api.simulator.add_audience(shop(2_000));
        let source = api.source(AudienceSettings {
            status: StatusFilter::Unsubscribed,
            ..Default::default()
        });
        tokio::time::advance(Duration::from_secs(60)).await;
        let mut delivered = Delivered::default();
        delivered.read(&source).await;

        tokio::time::advance(Duration::from_secs(3600)).await;
        let subscribed = |position| {
            let mut members = audience.members();
            members.retain(|member| member.status == Status::Subscribed);
            members.swap_remove(position).contact_id
        };
        let (now, ahead) = (subscribed(0), subscribed(1));
        let later = (api.clock)() + TimeDelta::hours(1);
        audience.unsubscribe(&now).expect("a member");
        audience.at(later).unsubscribe(&ahead).expect("a member");
        for _ in 0..2 {
            delivered.rows.clear();
            delivered.read(&source).await;
            assert!(delivered.rows.contains_key(&now), "{skew}");
            assert!(delivered.rows.contains_key(&ahead), "{skew}");
            let complete = (api.clock)() + behind - TimeDelta::seconds(2);
            let until = delivered.complete_until();
            assert!(
                until <= Some(complete),
                "{until:?}: others may opt out before a stamp in the future"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_load_can_leave_out_the_oldest() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(AudienceSpec::new(LIST, 3_000));
    let source = api.source(AudienceSettings {
        start_offset: 1_200,
        ..Default::default()
    });
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    assert_eq!(delivered.rows.len(), 1_800);
    let mut members = audience.members();
    members.sort_by_key(|member| member.last_changed);
    assert!(
        members[1_200..]
            .iter()
            .all(|member| delivered.rows.contains_key(&member.contact_id))
    );
}

#[tokio::test(start_paused = true)]
async fn a_position_set_by_hand_reads_what_changed_since() {
    let api = Api::new(|_| {});
    let mut spec = AudienceSpec::new(LIST, 1_000);
    spec.spread = Spread::Even {
        from: noon() - TimeDelta::seconds(10_000),
        to: noon(),
    };
    let audience = api.simulator.add_audience(spec);
    tokio::time::advance(Duration::from_secs(60)).await;
    let source = api.source(AudienceSettings {
        lookback_seconds: 0,
        ..Default::default()
    });
    let since = noon() - TimeDelta::seconds(3_000);
    let mut delivered = Delivered::default();
    let mut reader = source.read(Position::Since(since)).expect("a position");
    while let Some(batch) = reader.next_batch().await.expect("reading works") {
        delivered.take(batch);
    }
    let expected = audience
        .members()
        .iter()
        .filter(|member| member.last_changed > since)
        .count();
    assert_eq!(delivered.rows.len(), expected);
}

#[tokio::test(start_paused = true)]
async fn cursors_of_others_are_refused_by_name() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(shop(10));
    let source = api.source(AudienceSettings::default());
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    let good = delivered.cursor.expect("a cursor");
    let changed = |field: &str, value: serde_json::Value| {
        let mut cursor = good.clone();
        cursor.state[field] = value;
        cursor
    };
    let cursors = [
        changed("version", 2.into()),
        changed("version", "1".into()),
        changed("list_id", "other".into()),
        changed("status", "unsubscribed".into()),
        changed(
            "open",
            serde_json::json!([{"sweep": "x", "since": 1, "before": 2}]),
        ),
        changed("until", serde_json::Value::Null),
        Cursor {
            state: serde_json::Value::Null,
            complete_until: None,
        },
    ];
    for cursor in cursors {
        let state = cursor.state.clone();
        let error = source
            .read(Position::Cursor(cursor))
            .err()
            .expect("refused");
        assert_eq!(error.kind(), ErrorKind::State, "{state}");
    }
    assert!(source.read(Position::Cursor(good)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_read_stops_asking() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(shop(20_000));
    let source = api.source(AudienceSettings {
        items_per_request: 100,
        ..Default::default()
    });
    let mut reader = source.read(Position::Start).expect("a position");
    reader.next_batch().await.expect("reading works");
    drop(reader);
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::task::yield_now().await;
    let asked = api.member_requests();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(api.member_requests(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_holds_the_reader_back() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(shop(20_000));
    let source = api.source(AudienceSettings {
        items_per_request: 100,
        ..Default::default()
    });
    let mut reader = source.read(Position::Start).expect("a position");
    reader.next_batch().await.expect("reading works");
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Ten pages wait, ten answers more, and the one that was taken.
    assert!(api.member_requests() <= 25, "{}", api.member_requests());
    assert!(reader.next_batch().await.expect("reading works").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_was_handed_over_serves_once_and_not_for_long() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(AudienceSpec::new(LIST, 10));
    let recent = RecentCheck::default();
    let first = api
        .source(AudienceSettings::default())
        .leaves_check_in(recent.clone());
    let second = api
        .source(AudienceSettings::default())
        .takes_check_from(recent);
    let checks = || api.simulator.stats().of("GET /lists/{list_id}");
    first.check().await.expect("it exists");
    second.check().await.expect("it was just seen");
    assert_eq!(checks(), 1);
    // It serves once: what looks for removals must ask again.
    second.check().await.expect("it exists");
    assert_eq!(checks(), 2);
    first.check().await.expect("it exists");
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    second.check().await.expect("it exists");
    assert_eq!(checks(), 4);
}

#[tokio::test(start_paused = true)]
async fn without_the_servers_time_a_clock_that_is_behind_hides_nobody() {
    let api = Api::new(|settings| settings.date_header = DateHeader::Missing);
    let audience = api.simulator.add_audience(AudienceSpec {
        spread: Spread::OneSecond(noon() - TimeDelta::minutes(10)),
        ..AudienceSpec::new(LIST, 40)
    });
    let behind = Arc::new(|| noon() - TimeDelta::hours(1));
    let source = AudienceSource::new(
        api.client.clone(),
        LIST,
        AudienceSettings::default(),
        behind,
    )
    .expect("the settings are right");
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    delivered.assert_same(&audience);
}
