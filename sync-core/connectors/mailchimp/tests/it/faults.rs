//! The API fails in its documented ways and in worse ones.

use std::time::Duration;

use chrono::TimeDelta;
use mailchimp_simulator::{AudienceSpec, Fault, LargePages, Rule, Spread, StatusMix};
use sync_core::{ErrorKind, Position, Source};
use sync_mailchimp::AudienceSettings;

use crate::api::{Api, Delivered, LIST, noon};

const MEMBERS: &str = "GET /lists/{list_id}/members";

fn spec(members: u32) -> AudienceSpec {
    let mut spec = AudienceSpec::new(LIST, members);
    let (from, to) = (noon() - TimeDelta::days(100), noon() - TimeDelta::days(1));
    spec.spread = Spread::Bursts { count: 7, from, to };
    spec.statuses = StatusMix::SHOP;
    spec.merge_fields.clear();
    spec
}

#[tokio::test(start_paused = true)]
async fn each_fault_that_strikes_now_and_then_costs_nobody() {
    let faults = [
        Fault::Status429,
        Fault::Status403Html,
        Fault::Status5xxHtml(502),
        Fault::Status5xxJson,
        Fault::CutBody,
        Fault::Reset,
        Fault::Hang,
        Fault::Garbage,
        Fault::EmptyBody,
        Fault::WrongTotal(5),
        Fault::WrongTotal(-5),
        Fault::Unsorted,
        Fault::EmptyPage,
        Fault::Slow(Duration::from_secs(30)),
        Fault::ReplyLost,
    ];
    for fault in faults {
        let api = Api::new(|settings| settings.seed = 5);
        let audience = api.simulator.add_audience(spec(4_000));
        api.simulator
            .faults()
            .add(Rule::new(fault).on(MEMBERS).chance(0.15));
        let source = api.source(AudienceSettings {
            items_per_request: 100,
            ..Default::default()
        });
        let mut delivered = Delivered::default();
        delivered.read(&source).await;
        api.simulator.faults().clear();
        tokio::time::advance(Duration::from_secs(3600)).await;
        delivered.failures.clear();
        delivered.read(&source).await;
        assert!(
            delivered.failures.is_empty(),
            "{fault:?}: {:?}",
            delivered.failures
        );
        delivered.assert_same(&audience);
    }
}

#[tokio::test(start_paused = true)]
async fn pages_the_server_cannot_finish_are_asked_for_in_halves() {
    for fault in [
        Fault::GatewayTimeout,
        Fault::Status5xxHtml(504),
        Fault::Hang,
        Fault::CutBody,
    ] {
        let api = Api::new(|_| {});
        let audience = api.simulator.add_audience(spec(3_000));
        api.simulator.faults().large_pages(Some(LargePages {
            more_than: 300,
            fault,
        }));
        let mut delivered = Delivered::default();
        delivered
            .read(&api.source(AudienceSettings::default()))
            .await;
        assert!(
            delivered.failures.is_empty(),
            "{fault:?}: {:?}",
            delivered.failures
        );
        delivered.assert_same(&audience);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_fails_is_named_left_open_and_read_by_the_next_run() {
    let api = Api::new(|_| {});
    let mut spec = spec(2_000);
    let (from, to) = (noon() - TimeDelta::days(100), noon() - TimeDelta::days(1));
    spec.spread = Spread::Even { from, to };
    let audience = api.simulator.add_audience(spec);
    let broken = Rule::new(Fault::Unsorted)
        .on(MEMBERS)
        .when(|request| request.parameter("status") == Some("archived"));
    api.simulator.faults().add(broken);
    let source = api.source(AudienceSettings::default());
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    let [failure] = &delivered.failures[..] else {
        panic!("{:?}", delivered.failures)
    };
    assert!(
        failure.part.starts_with("archived members"),
        "{}",
        failure.part
    );
    assert_eq!(failure.error.kind(), ErrorKind::Invalid);
    assert_eq!(
        delivered
            .cursor
            .clone()
            .and_then(|cursor| cursor.complete_until),
        None
    );

    api.simulator.faults().clear();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let before = delivered.count;
    delivered.read(&source).await;
    delivered.assert_same(&audience);
    assert!(
        delivered.count - before < 200,
        "only what was open is read again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_api_that_answers_nothing_but_errors_ends_the_run_with_failures() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(spec(100));
    let source = api.source(AudienceSettings::default());
    source.check().await.expect("the audience exists");
    api.simulator
        .faults()
        .add(Rule::new(Fault::Status5xxHtml(503)).on(MEMBERS));
    let mut delivered = Delivered::default();
    delivered.read(&source).await;
    assert!(delivered.failures.len() >= 2, "{:?}", delivered.failures);
    for failure in &delivered.failures {
        assert_eq!(
            failure.error.kind(),
            ErrorKind::Unavailable,
            "{}",
            failure.error.chain()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_audience_that_is_deleted_meanwhile_ends_the_read_with_its_name() {
    let api = Api::new(|_| {});
    api.simulator.add_audience(spec(100));
    let source = api.source(AudienceSettings::default());
    source.check().await.expect("the audience exists");
    api.simulator.delete_audience(LIST);
    let mut reader = source.read(Position::Start).expect("a position");
    let error = reader
        .next_batch()
        .await
        .expect_err("there is no such audience");
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(error.to_string().contains(LIST), "{error}");
}
