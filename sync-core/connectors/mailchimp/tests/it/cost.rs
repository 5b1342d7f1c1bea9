//! What a read costs, in requests and in virtual time.

use std::time::Duration;

use chrono::TimeDelta;
use mailchimp_simulator::{AudienceSpec, Spread, StatusMix};
use sync_core::Source;
use sync_mailchimp::AudienceSettings;
use tokio::time::Instant;

use crate::api::{Api, Delivered, LIST, noon};

/// Latency of the simulated API.
const LATENCY: Duration = Duration::from_millis(200);

const MEMBERS: u32 = 150_000;

/// Reads everything: at most 1.10 requests for each page; at most 1.05 times as long as ten busy connections take, and
/// five latencies to find out what there is to do. For a million members that is 1.10 times as long.
async fn assert_cheap(spread: Spread) {
    let api = Api::new(|settings| settings.latency = LATENCY);
    let mut spec = AudienceSpec::new(LIST, MEMBERS);
    spec.spread = spread;
    spec.merge_fields.clear();
    api.simulator.add_audience(spec);
    let source = api.source(AudienceSettings::default());
    source.check().await.expect("the audience exists");
    let begun = Instant::now();
    let mut delivered = Delivered::default();
    delivered.read(&source).await;

    let pages = u64::from(MEMBERS).div_ceil(1000);
    let requests = api.member_requests();
    let rounds = begun.elapsed().as_secs_f64() / LATENCY.as_secs_f64();
    let cost = format!("{requests} requests and {rounds} rounds for {pages} pages");
    assert_eq!(delivered.rows.len(), MEMBERS as usize);
    assert!(
        delivered.count <= delivered.rows.len() * 101 / 100,
        "{} rows",
        delivered.count
    );
    assert!(requests * 100 <= pages * 110, "{cost}");
    assert!(rounds <= pages as f64 / 10.0 * 1.05 + 5.0, "{cost}");
    assert!(api.simulator.stats().max_in_flight <= 10);
    assert_eq!(api.simulator.stats().throttled, 0);
}

fn year() -> (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>) {
    (noon() - TimeDelta::days(380), noon() - TimeDelta::days(15))
}

#[tokio::test(start_paused = true)]
async fn members_spread_evenly_over_a_year_are_read_near_the_ideal_time() {
    let (from, to) = year();
    assert_cheap(Spread::Even { from, to }).await;
}

#[tokio::test(start_paused = true)]
async fn members_in_ten_bursts_are_read_near_the_ideal_time() {
    let (from, to) = year();
    assert_cheap(Spread::Bursts {
        count: 10,
        from,
        to,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn members_in_one_second_are_read_near_the_ideal_time() {
    assert_cheap(Spread::OneSecond(year().0)).await;
}

#[tokio::test(start_paused = true)]
async fn an_hourly_run_without_changes_takes_three_requests() {
    let api = Api::new(|_| {});
    let mut spec = AudienceSpec::new(LIST, 2_000);
    spec.statuses = StatusMix::SHOP;
    api.simulator.add_audience(spec);
    let source = api.source(AudienceSettings::default());
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    let first = delivered.count;
    api.simulator.reset_stats();

    tokio::time::advance(Duration::from_secs(3600)).await;
    source.check().await.expect("the audience exists");
    delivered.read(&source).await;

    assert_eq!(api.simulator.stats().total(), 3);
    assert_eq!(delivered.count, first, "nothing is delivered again");
    let complete = delivered
        .cursor
        .expect("a cursor")
        .complete_until
        .expect("complete");
    assert!(complete > noon() + TimeDelta::seconds(3590), "{complete}");
}

#[tokio::test(start_paused = true)]
async fn an_hourly_run_reads_little_more_than_what_changed() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(AudienceSpec::new(LIST, 5_000));
    let source = api.source(AudienceSettings::default());
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    let first = delivered.count;
    tokio::time::advance(Duration::from_secs(1800)).await;
    for member in audience.members().iter().take(70) {
        audience.unsubscribe(&member.id).expect("a member");
    }
    audience
        .archive(&audience.members()[100].id)
        .expect("a member");
    tokio::time::advance(Duration::from_secs(1800)).await;
    delivered.read(&source).await;
    assert_eq!(delivered.count, first + 71);
    delivered.assert_same(&audience);
}
