//! The record sink against the simulated endpoint.

use std::sync::Arc;

use chrono::DateTime;
use ometria_simulator::{Fault, FaultRule, OmetriaSimulator, When};
use sync_core::{Action, Change, ErrorKind, ImportId, Key, LedgerView, Mapping, Report, Sink};
use sync_ometria::{RecordDelivery, RecordMapping, RecordSettings, RecordSink, Status, Subscriber};

use crate::account::{self, Heard};

pub(crate) fn row(id: &str, name: &str) -> RecordDelivery {
    let time = DateTime::UNIX_EPOCH;
    let email = format!("{id}@example.com");
    let mut member = Subscriber::new(Key::new(id), id, email, Status::Unsubscribed, time);
    member.firstname = Some(name.to_owned());
    let entries = std::collections::HashMap::new();
    let mapping = RecordMapping::new(ImportId::new("a").scope());
    match mapping
        .prepare(Change::Present(member), &LedgerView::new(&entries))
        .action
    {
        Action::Send(mut rows) => rows.remove(0),
        other => panic!("{other:?}"),
    }
}

fn rows(count: usize) -> Vec<RecordDelivery> {
    (0..count).map(|n| row(&format!("row-{n}"), "x")).collect()
}

fn sink(simulator: &OmetriaSimulator, hooks: &Heard) -> RecordSink {
    let client = account::record_client(simulator);
    RecordSink::new(client, &RecordSettings::default(), Arc::new(hooks.clone())).unwrap()
}

fn calls(simulator: &OmetriaSimulator) -> u64 {
    simulator
        .stats()
        .requests
        .get("/record")
        .copied()
        .unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn rows_arrive_in_full_calls_and_the_newest_version_stays() {
    let mut settings = account::settings();
    settings.latency = std::time::Duration::from_secs(1);
    let simulator = OmetriaSimulator::new(settings);
    let mut sink = sink(&simulator, &Heard::default());
    sink.write(rows(2_200)).await.unwrap();
    sink.write(vec![row("row-3", "newest")]).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(simulator.row_count(), 2_200);
    assert!(simulator.stats().max_in_flight <= 4);
    assert_eq!(calls(&simulator), 5);
    let row = simulator.row("row-3").unwrap();
    assert_eq!(
        (&row["firstname"], &row["status"]),
        (&"newest".into(), &"unsubscribed".into())
    );
}

#[tokio::test(start_paused = true)]
async fn check_sends_no_row_and_tells_a_wrong_key() {
    let simulator = OmetriaSimulator::new(account::settings());
    sink(&simulator, &Heard::default()).check().await.unwrap();
    assert_eq!(simulator.row_count(), 0);
    let mut other = account::settings();
    other.record_key = "another".to_owned();
    let error = sink(&OmetriaSimulator::new(other), &Heard::default())
        .check()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_count_is_asked_again_in_halves() {
    let simulator = OmetriaSimulator::new(account::settings());
    simulator.inject(FaultRule::new(Fault::CountShort(1), When::Nth(1)).on("/record"));
    let heard = Heard::default();
    let mut sink = sink(&simulator, &heard);
    sink.write(rows(100)).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(heard.count("Halved { records: 100 }"), 1);
    assert_eq!(simulator.row_count(), 100);
    assert_eq!(calls(&simulator), 3);
}

#[tokio::test(start_paused = true)]
async fn a_row_the_endpoint_does_not_take_is_named() {
    let simulator = OmetriaSimulator::new(account::settings());
    let is_bad = When::If(Arc::new(|request: &loopback::Request| {
        String::from_utf8_lossy(request.body()).contains("\"row-42\"")
    }));
    simulator.inject(FaultRule::new(Fault::CountShort(1), is_bad).on("/record"));
    let mut sink = sink(&simulator, &Heard::default());
    sink.write(rows(100)).await.unwrap();
    let report = sink.flush().await.unwrap();
    let named: Vec<&str> = report.rejected.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(named, ["row-42"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_loses_nothing_and_an_outage_fails_the_flush() {
    let simulator = OmetriaSimulator::new(account::settings());
    simulator.inject(FaultRule::new(Fault::ReplyLost, When::Nth(1)).on("/record"));
    let mut sink = sink(&simulator, &Heard::default());
    sink.write(rows(10)).await.unwrap();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
    assert_eq!(simulator.row_count(), 10);

    simulator.inject(FaultRule::new(Fault::html(503), When::Always).on("/record"));
    sink.write(rows(10)).await.unwrap();
    assert_eq!(
        sink.flush().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    sink.abort().await;
    simulator.heal();
    assert_eq!(sink.flush().await.unwrap(), Report::default());
}

#[test]
fn more_rows_in_a_call_than_the_client_sends_is_a_wrong_setting() {
    let simulator = OmetriaSimulator::new(account::settings());
    for (settings, field) in [
        (
            RecordSettings {
                rows_per_call: 501,
                ..RecordSettings::default()
            },
            "rows_per_call",
        ),
        (
            RecordSettings {
                rows_per_call: 0,
                ..RecordSettings::default()
            },
            "rows_per_call",
        ),
        (
            RecordSettings {
                in_flight: 0,
                ..RecordSettings::default()
            },
            "in_flight",
        ),
    ] {
        let client = account::record_client(&simulator);
        let error = RecordSink::new(client, &settings, Arc::new(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.context().any(|pair| pair == ("field", field)),
            "{error}"
        );
    }
}
