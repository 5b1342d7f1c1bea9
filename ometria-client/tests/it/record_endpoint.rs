use std::sync::Arc;
use std::time::Duration;

use ometria_client::{
    AuthorizationSpelling, Error, RecordClient, RecordFields, RecordRow, RetryPolicy,
};
use ometria_simulator::{
    Fault, FaultRule, KeyHeader, OmetriaSimulator, ReplyVariant, Settings, When,
};
use serde_json::{Value, json};

use crate::transports::{KEY, Script, Simulated, answer, key, record_builder};

fn rows(count: usize) -> Vec<RecordRow> {
    (0..count)
        .map(|i| RecordRow {
            id: i.to_string(),
            firstname: "Ann".into(),
            lastname: String::new(),
            email: format!("{i}@x.example"),
            status: "cleaned".into(),
        })
        .collect()
}

fn simulator(change: impl FnOnce(&mut Settings)) -> OmetriaSimulator {
    let mut settings = Settings::new(KEY, Arc::new(|| "2024-05-01T12:00:00Z".parse().unwrap()));
    change(&mut settings);
    OmetriaSimulator::new(settings)
}

/// A client whose base URL has no path, as the simulator expects.
fn client(simulator: &OmetriaSimulator) -> RecordClient {
    record_builder(Arc::new(Simulated(simulator.clone())))
        .base_url("https://records.example.com".parse().unwrap())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn rows_are_sent_as_a_bare_array_with_the_raw_key() {
    let reply = r#"{"status": "Ok", "response": 1}"#;
    for (spelling, header) in [
        (AuthorizationSpelling::Authorization, "authorization"),
        (AuthorizationSpelling::Authorisation, "authorisation"),
    ] {
        let script = Script::new([answer(201, reply)]);
        let client = record_builder(script.clone())
            .header(spelling)
            .build()
            .unwrap();
        let receipt = client.send(&rows(1)).await.unwrap();
        assert_eq!(
            (receipt.taken, receipt.status, receipt.attempts),
            (1, 201, 1)
        );
        let request = script.last();
        assert_eq!(request.uri(), "https://records.example.com/api/record");
        assert_eq!(request.headers()[header], KEY);
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(
            body,
            json!([{"id": "0", "firstname": "Ann", "lastname": "",
            "email": "0@x.example", "status": "cleaned"}])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_is_dropped_for_four_fields() {
    let script = Script::new([answer(201, r#"{"status": "OK", "content": 1}"#)]);
    let client = record_builder(script.clone())
        .fields(RecordFields::Four)
        .build()
        .unwrap();
    client.send(&rows(1)).await.unwrap();
    let body: Value = serde_json::from_slice(script.last().body()).unwrap();
    assert_eq!(body[0].as_object().unwrap().len(), 4);
    assert!(body[0].get("status").is_none());
}

#[tokio::test(start_paused = true)]
async fn both_variants_of_the_endpoint_take_rows_and_empty_calls() {
    for variant in [ReplyVariant::A, ReplyVariant::B] {
        let simulator = simulator(|settings| settings.record.variant = variant);
        let client = client(&simulator);
        assert_eq!(client.send(&[]).await.unwrap().taken, 0);
        assert_eq!(client.send(&rows(500)).await.unwrap().taken, 500);
        assert_eq!(simulator.row_count(), 500);
        assert_eq!(simulator.stats().nonconforming, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn more_rows_than_the_cap_are_not_sent() {
    let simulator = simulator(|_| {});
    let error = client(&simulator).send(&rows(501)).await.unwrap_err();
    assert!(matches!(
        error,
        Error::TooManyRows {
            rows: 501,
            cap: 500
        }
    ));
    assert_eq!(simulator.stats().total_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_short_count_fails_the_call() {
    let simulator = simulator(|_| {});
    simulator.inject(FaultRule::new(Fault::CountShort(2), When::Nth(1)));
    let client = client(&simulator);
    let error = client.send(&rows(9)).await.unwrap_err();
    assert!(matches!(
        error,
        Error::CountMismatch {
            sent: 9,
            taken: Some(7)
        }
    ));
    assert_eq!(client.send(&rows(9)).await.unwrap().taken, 9);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_unauthorized_and_final() {
    for status in [401, 403] {
        let simulator = simulator(|settings| {
            settings.record_key = "another".into();
            settings.record.unauthorized_status = status;
            settings.record.key_header = KeyHeader::EitherSpelling;
        });
        let error = client(&simulator).send(&rows(1)).await.unwrap_err();
        assert!(error.is_unauthorized());
        assert_eq!(simulator.stats().total_requests(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_repeated_and_a_lost_reply_does_no_harm() {
    let simulator = simulator(|_| {});
    for (nth, fault) in [
        Fault::status(429),
        Fault::html(502),
        Fault::Reset,
        Fault::Hang,
        Fault::ReplyLost,
    ]
    .into_iter()
    .enumerate()
    {
        simulator.inject(FaultRule::new(fault, When::Nth(nth as u64 + 1)));
    }
    let receipt = client(&simulator).send(&rows(3)).await.unwrap();
    assert_eq!(receipt.attempts, 6);
    assert_eq!(simulator.row_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_bounded_over_all_clones() {
    let simulator = simulator(|settings| settings.latency = Duration::from_millis(200));
    let flying = Arc::new(Flying::default());
    let transport = Counted {
        inner: Simulated(simulator.clone()),
        flying: flying.clone(),
    };
    let client = record_builder(Arc::new(transport))
        .base_url("https://records.example.com".parse().unwrap())
        .max_in_flight(3)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send(&rows(2)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(flying.most.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn there_is_no_default_address_and_no_plain_http_to_elsewhere() {
    assert!(matches!(
        RecordClient::builder(key()).build(),
        Err(Error::Configuration(_))
    ));
    let plain = "http://records.example.com".parse().unwrap();
    let built = RecordClient::builder(key()).base_url(plain).build();
    assert!(matches!(built, Err(Error::Configuration(_))));
}

#[derive(Debug, Default)]
struct Flying {
    now: std::sync::atomic::AtomicUsize,
    most: std::sync::atomic::AtomicUsize,
}

/// Counts requests between their start and their end.
#[derive(Debug)]
struct Counted {
    inner: Simulated,
    flying: Arc<Flying>,
}

#[async_trait::async_trait]
impl ometria_client::Transport for Counted {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, ometria_client::TransportError> {
        use std::sync::atomic::Ordering::Relaxed;
        let now = self.flying.now.fetch_add(1, Relaxed) + 1;
        self.flying.most.fetch_max(now, Relaxed);
        let result = self.inner.send(request).await;
        self.flying.now.fetch_sub(1, Relaxed);
        result
    }
}
