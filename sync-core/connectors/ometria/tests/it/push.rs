//! The push sink against the simulated account, in virtual time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ometria_client::RetryPolicy;
use ometria_simulator::{
    Claim, ErrorShape, Fault, FaultRule, OmetriaSimulator, Rejected, Rejection, When,
};
use sync_core::{ErrorKind, Report, Retry, Sink};
use sync_ometria::{Delivery, OmetriaSink, PushSettings};

use crate::account::{self, Heard};
use crate::deliveries::{self, delivery, versions};

fn many(count: usize, status: &str) -> Vec<Delivery> {
    (0..count)
        .map(|n| delivery(&format!("{status}-{n}"), status))
        .collect()
}

fn sink(simulator: &OmetriaSimulator, hooks: &Heard) -> OmetriaSink {
    let settings = PushSettings::default();
    OmetriaSink::new(
        account::client(simulator),
        &settings,
        Arc::new(hooks.clone()),
    )
    .unwrap()
}

fn keys(report: &Report) -> BTreeSet<&str> {
    report
        .rejected
        .iter()
        .map(|rejection| rejection.key.as_str())
        .collect()
}

fn claim(simulator: &OmetriaSimulator, id: &str) -> Option<Claim> {
    simulator
        .listing("list", id)
        .and_then(|listing| listing.claim)
}

fn firstname(simulator: &OmetriaSimulator, id: &str) -> Option<String> {
    let listing = simulator.listing("list", id)?;
    Some(listing.fields.get("firstname")?.as_str()?.to_owned())
}

fn pushes(simulator: &OmetriaSimulator) -> u64 {
    simulator
        .stats()
        .requests
        .get("/push")
        .copied()
        .unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_in_full_batches_within_the_bound() {
    let mut settings = account::settings();
    settings.latency = Duration::from_secs(3);
    let simulator = OmetriaSimulator::new(settings);
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    for page in many(2_500, "subscribed").chunks(500) {
        assert_eq!(sink.write(page.to_vec()).await.unwrap(), Report::default());
    }
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(simulator.listing_count(), 2_500);
    assert_eq!(pushes(&simulator), 25);
    assert_eq!(simulator.stats().max_in_flight, 8);
    assert_eq!(heard.count("Posted { records: 100, opt_outs: 0 }"), 25);
}

#[tokio::test(start_paused = true)]
async fn write_returns_before_the_answers_and_waits_when_too_much_is_under_way() {
    let mut settings = account::settings();
    settings.latency = Duration::from_secs(10);
    let simulator = OmetriaSimulator::new(settings);
    let mut sink = sink(&simulator, &Heard::default());
    let begun = tokio::time::Instant::now();
    sink.write(many(800, "subscribed")).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // Eight pushes are under way and two batches may wait: the next one has to wait for an answer.
    sink.write(many(300, "unsubscribed")).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(10));
    sink.flush().await.unwrap();
    assert_eq!(simulator.listing_count(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn opt_outs_leave_before_opt_ins_and_alone() {
    let simulator = OmetriaSimulator::new(account::settings());
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    let mut records = many(350, "subscribed");
    records.extend(many(130, "unsubscribed"));
    records.extend(many(20, "cleaned"));
    sink.write(records).await.unwrap();
    sink.flush().await.unwrap();
    let posted: Vec<String> = heard
        .all()
        .into_iter()
        .filter(|event| event.starts_with("Posted"))
        .collect();
    assert_eq!(
        posted,
        [
            "Posted { records: 100, opt_outs: 100 }",
            "Posted { records: 100, opt_outs: 0 }",
            "Posted { records: 100, opt_outs: 0 }",
            "Posted { records: 100, opt_outs: 0 }",
            // Calls are what is scarce, so the rest of either kind waits for the flush.
            "Posted { records: 50, opt_outs: 50 }",
            "Posted { records: 50, opt_outs: 0 }",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_flush_asks_ometria_nothing() {
    let simulator = OmetriaSimulator::new(account::settings());
    let mut sink = sink(&simulator, &Heard::default());
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(simulator.stats().total_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn check_is_one_read_and_tells_a_wrong_key() {
    let simulator = OmetriaSimulator::new(account::settings());
    sink(&simulator, &Heard::default()).check().await.unwrap();
    assert_eq!(simulator.stats().total_requests(), 1);
    let mut other = account::settings();
    other.api_key = "another".to_owned();
    let error = sink(&OmetriaSimulator::new(other), &Heard::default())
        .check()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Denied, Retry::Never)
    );
}

#[tokio::test(start_paused = true)]
async fn every_status_of_an_answer_has_a_kind() {
    for (status, kind) in [
        (301, ErrorKind::Config),
        (401, ErrorKind::Denied),
        (403, ErrorKind::Denied),
        (404, ErrorKind::Missing),
        (410, ErrorKind::Invalid),
        (429, ErrorKind::Unavailable),
        (500, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
    ] {
        let simulator = OmetriaSimulator::new(account::settings());
        simulator.inject(FaultRule::new(Fault::html(status), When::Always));
        let error = sink(&simulator, &Heard::default())
            .check()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        let retried = matches!(status, 429 | 500 | 503);
        assert_eq!(error.retry() == Retry::Exhausted, retried, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_replaces_the_one_that_waits_and_keeps_its_opt_out() {
    let simulator = OmetriaSimulator::new(account::settings());
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    sink.write(versions("p", &["unsubscribed", "pending"]))
        .await
        .unwrap();
    sink.write(versions("q", &["subscribed", "archived"]))
        .await
        .unwrap();
    sink.flush().await.unwrap();
    assert_eq!(simulator.stats().pushed, 2);
    assert_eq!(heard.count("Replaced"), 2);
    assert_eq!(claim(&simulator, "p"), Some(Claim::OptedOut));
    assert_eq!(firstname(&simulator, "p").as_deref(), Some("version 2"));
    assert_eq!(claim(&simulator, "q"), Some(Claim::NotSpecified));
}

#[tokio::test(start_paused = true)]
async fn two_versions_of_a_listing_are_never_under_way_together() {
    let mut settings = account::settings();
    settings.latency = Duration::from_secs(5);
    let simulator = OmetriaSimulator::new(settings);
    // The first push is slow: were the second one sent meanwhile, it would be overtaken.
    simulator
        .inject(FaultRule::new(Fault::Slow(Duration::from_secs(20)), When::Nth(1)).on("/push"));
    let mut sink = OmetriaSink::new(
        account::client(&simulator),
        &PushSettings {
            records_per_push: 1,
            ..PushSettings::default()
        },
        Arc::new(()),
    )
    .unwrap();
    for version in versions("p", &["subscribed", "unsubscribed", "subscribed"]) {
        sink.write(vec![version]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    sink.flush().await.unwrap();
    // The second version was replaced by the third while it waited for the first.
    assert_eq!(simulator.stats().pushed, 2);
    assert_eq!(simulator.stats().max_in_flight, 1);
    assert_eq!(firstname(&simulator, "p").as_deref(), Some("version 3"));
}

#[tokio::test(start_paused = true)]
async fn records_refused_at_once_are_found_and_named_and_the_others_arrive() {
    let simulator = OmetriaSimulator::new(account::settings());
    let bad = [
        "subscribed-0",
        "subscribed-57",
        "subscribed-99",
        "subscribed-140",
    ];
    simulator.reject(
        Rejected::Ids(bad.iter().map(|&id| id.to_owned()).collect()),
        Rejection::AtOnce,
    );
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    let mut report = sink.write(many(150, "subscribed")).await.unwrap();
    report.rejected.extend(sink.flush().await.unwrap().rejected);
    assert_eq!(keys(&report), BTreeSet::from(bad));
    assert_eq!(report.rejected.len(), bad.len());
    assert_eq!(simulator.listing_count(), 146);
    assert!(heard.count("Halved") > 0);
    assert!(pushes(&simulator) < 60, "{} pushes", pushes(&simulator));
}

#[tokio::test(start_paused = true)]
async fn a_batch_refused_as_a_whole_is_not_taken_apart() {
    let simulator = OmetriaSimulator::new(account::settings());
    simulator.reject(Rejected::Every(1), Rejection::AtOnce);
    let mut sink = sink(&simulator, &Heard::default());
    sink.write(many(30, "subscribed")).await.unwrap();
    let report = sink.flush().await.unwrap();
    assert_eq!(report.rejected.len(), 30);
    assert_eq!(pushes(&simulator), 1);
}

#[tokio::test(start_paused = true)]
async fn one_record_that_makes_the_call_fail_is_named_and_many_fail_the_run() {
    let is_about = |id: &'static str| {
        When::If(Arc::new(move |request| {
            String::from_utf8_lossy(request.body()).contains(&format!("\"{id}\""))
        }))
    };
    let simulator = OmetriaSimulator::new(account::settings());
    simulator.inject(FaultRule::new(Fault::status(400), is_about("subscribed-7")).on("/push"));
    let mut sink1 = sink(&simulator, &Heard::default());
    sink1.write(many(100, "subscribed")).await.unwrap();
    let report = sink1.flush().await.unwrap();
    assert_eq!(keys(&report), BTreeSet::from(["subscribed-7"]));
    assert_eq!(simulator.listing_count(), 99);

    let simulator = OmetriaSimulator::new(account::settings());
    simulator.inject(FaultRule::new(Fault::status(400), When::Always).on("/push"));
    let mut sink2 = sink(&simulator, &Heard::default());
    let written = sink2.write(many(2_000, "subscribed")).await;
    let error = match written {
        Err(error) => error,
        Ok(_) => sink2.flush().await.unwrap_err(),
    };
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(pushes(&simulator) < 1_000, "{} pushes", pushes(&simulator));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_breaks_a_limit_is_named_without_a_call() {
    let simulator = OmetriaSimulator::new(account::settings());
    let mut sink = sink(&simulator, &Heard::default());
    sink.write(vec![
        deliveries::oversized("big"),
        delivery("small", "subscribed"),
    ])
    .await
    .unwrap();
    let report = sink.flush().await.unwrap();
    assert_eq!(keys(&report), BTreeSet::from(["big"]));
    assert!(report.rejected[0].reason.contains("bytes"), "{report:?}");
    assert_eq!(simulator.listing_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_found_after_the_push_names_its_record() {
    let mut settings = account::settings();
    settings.error_shape = ErrorShape::Long;
    let simulator = OmetriaSimulator::new(settings);
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    // An old error of the same record is none of ours.
    simulator.reject(Rejected::Ids(vec!["subscribed-3".into()]), Rejection::Late);
    account::push_now(&simulator, many(4, "subscribed")[3].record());
    sink.check().await.unwrap();
    simulator.heal();
    sink.write(many(5, "subscribed")).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());

    simulator.reject(
        Rejected::Ids(vec!["unsubscribed-2".into()]),
        Rejection::Late,
    );
    sink.write(many(5, "unsubscribed")).await.unwrap();
    let report = sink.flush().await.unwrap();
    assert_eq!(keys(&report), BTreeSet::from(["unsubscribed-2"]));
    assert!(
        report.rejected[0].reason.contains("after accepting"),
        "{report:?}"
    );
    assert!(!format!("{report:?}").contains("example.com"));

    // Told once.
    simulator.heal();
    sink.write(many(5, "cleaned")).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(heard.count("ErrorsWithoutRecord"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_found_after_the_flush_is_told_by_the_next_look() {
    let now = Arc::new(std::sync::Mutex::new(chrono::DateTime::UNIX_EPOCH));
    let shown = now.clone();
    let mut settings = account::settings();
    settings.now = Arc::new(move || *shown.lock().unwrap());
    settings.error_shape = ErrorShape::Long;
    settings.drain_rate = Some(1);
    let simulator = OmetriaSimulator::new(settings);
    simulator.reject(Rejected::Ids(vec!["subscribed-2".into()]), Rejection::Late);
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    sink.write(many(5, "subscribed")).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    *now.lock().unwrap() += chrono::TimeDelta::minutes(1);
    for _ in 0..2 {
        sink.check().await.unwrap();
        assert_eq!(heard.count("RefusedTooLate { key: \"subscribed-2\" }"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn more_late_errors_than_the_list_holds_are_told() {
    for (errors, overflows) in [(99, 0), (100, 1), (150, 1)] {
        let mut settings = account::settings();
        settings.error_shape = ErrorShape::Long;
        let simulator = OmetriaSimulator::new(settings);
        let refused = (0..errors).map(|n| format!("subscribed-{n}"));
        simulator.reject(Rejected::Ids(refused.collect()), Rejection::Late);
        let heard = Heard::default();
        let mut sink = sink(&simulator, &heard);
        sink.check().await.unwrap();
        sink.write(many(200, "subscribed")).await.unwrap();
        let report = sink.flush().await.unwrap();
        assert_eq!(report.rejected.len(), errors.min(100));
        assert_eq!(heard.count("ErrorListOverflowed"), overflows, "{errors}");
        // What stands in the list is no news the next time.
        sink.write(many(1, "unsubscribed")).await.unwrap();
        sink.flush().await.unwrap();
        assert_eq!(heard.count("ErrorListOverflowed"), overflows, "{errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_names_no_record_is_counted_once() {
    let simulator = OmetriaSimulator::new(account::settings());
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    sink.check().await.unwrap();
    simulator.reject(Rejected::Ids(vec!["subscribed-2".into()]), Rejection::Late);
    sink.write(many(5, "subscribed")).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(heard.count("ErrorsWithoutRecord { errors: 1 }"), 1);
    sink.write(many(5, "unsubscribed")).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(heard.count("ErrorsWithoutRecord"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_and_a_failing_server_lose_nothing() {
    for fault in [
        Fault::ReplyLost,
        Fault::Reset,
        Fault::html(502),
        Fault::CutBody { sent: 5 },
    ] {
        let simulator = OmetriaSimulator::new(account::settings());
        simulator.inject(FaultRule::new(fault.clone(), When::Every(2)).on("/push"));
        let mut sink = sink(&simulator, &Heard::default());
        sink.write(many(350, "subscribed")).await.unwrap();
        assert_eq!(sink.flush().await.unwrap(), Report::default(), "{fault:?}");
        assert_eq!(simulator.listing_count(), 350, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_down_fails_the_flush_and_the_sink_starts_over() {
    let simulator = OmetriaSimulator::new(account::settings());
    simulator.inject(FaultRule::new(Fault::html(503), When::Always).on("/push"));
    let retry = RetryPolicy::default().max_attempts(2);
    let client = account::client_with(&simulator, retry);
    let mut sink = OmetriaSink::new(client, &PushSettings::default(), Arc::new(())).unwrap();
    sink.write(many(10, "subscribed")).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::Exhausted)
    );
    sink.abort().await;
    simulator.heal();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(simulator.listing_count(), 0, "what was aborted came back");
    sink.write(many(10, "subscribed")).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(simulator.listing_count(), 10);
}

#[tokio::test(start_paused = true)]
async fn abort_breaks_off_what_is_under_way() {
    let simulator = OmetriaSimulator::new(account::settings());
    simulator.inject(FaultRule::new(Fault::Hang, When::Always).on("/push"));
    let mut sink = sink(&simulator, &Heard::default());
    let begun = tokio::time::Instant::now();
    sink.write(many(200, "subscribed")).await.unwrap();
    sink.abort().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    simulator.heal();
    sink.write(many(3, "subscribed")).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(simulator.listing_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn notices_are_told_once_the_record_is_taken() {
    let simulator = OmetriaSimulator::new(account::settings());
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    sink.write(versions("p", &["a-new-word"])).await.unwrap();
    assert_eq!(heard.count("Noticed"), 0);
    sink.flush().await.unwrap();
    assert_eq!(
        heard.count("Noticed { key: \"p\", notice: UnknownStatus }"),
        1
    );
}

#[test]
fn a_delivery_never_shows_whom_it_is_about() {
    let shown = format!("{:?}", delivery("p", "subscribed"));
    assert!(
        !shown.contains("example.com") && !shown.contains("version"),
        "{shown}"
    );
    assert!(shown.contains("OptIn"), "{shown}");
}
