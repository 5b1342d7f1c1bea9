use std::sync::Arc;
use std::time::Duration;

use ometria_client::{
    Client, Contact, Error, NewDataDeletion, Outcome, PushReceipt, Record, RetryPolicy,
    TransportErrorKind,
};
use tokio::time::Instant;

use crate::transports::{Act, Heard, Script, answer, answer_with, builder, client};

const OK: &str = r#"{"status":"OK","request_id":"r","accepted":1,"rejected":0}"#;

async fn push(client: &Client) -> Result<PushReceipt, Error> {
    client
        .push_records(vec![Record::from(Contact::new("c", "1"))])
        .await
}

#[tokio::test(start_paused = true)]
async fn throttling_server_errors_and_broken_connections_are_repeated() {
    for failure in [
        answer(429, ""),
        answer(500, ""),
        answer(503, "<html>"),
        Act::Fail(TransportErrorKind::Connect),
        Act::Fail(TransportErrorKind::Interrupted),
        Act::Hang,
    ] {
        let script = Script::new([failure.clone(), failure, answer(202, OK)]);
        let receipt = push(&client(script.clone())).await.unwrap();
        assert_eq!((receipt.meta.attempts, script.requests()), (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_final() {
    for status in [301, 400, 401, 403, 404, 409, 413, 422] {
        let script = Script::new([answer(status, ""), answer(202, OK)]);
        let error = push(&client(script.clone())).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!((script.requests(), error.retries_spent()), (1, false));
        assert_eq!(error.is_unauthorized(), matches!(status, 401 | 403));
    }
    for kind in [
        TransportErrorKind::BodyTooLarge,
        TransportErrorKind::Unsendable,
    ] {
        let script = Script::new([Act::Fail(kind)]);
        let error = push(&client(script.clone())).await.unwrap_err();
        assert_eq!((script.requests(), error.retries_spent()), (1, false));
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_the_error_says_that_they_are_spent() {
    for failure in [
        answer(503, ""),
        Act::Fail(TransportErrorKind::Interrupted),
        Act::Hang,
    ] {
        let script = Script::new([failure]);
        let client = builder(script.clone())
            .retry(RetryPolicy::default().max_attempts(3))
            .build()
            .unwrap();
        let error = push(&client).await.unwrap_err();
        assert_eq!((script.requests(), error.attempts()), (3, 3));
        assert!(error.retries_spent() && error.is_temporary());
    }
}

#[tokio::test(start_paused = true)]
async fn elapsed_time_is_bounded() {
    let script = Script::new([Act::Hang]);
    let policy = RetryPolicy::default()
        .max_attempts(1_000)
        .max_elapsed(Duration::from_secs(100));
    let client = builder(script.clone())
        .retry(policy)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let begin = Instant::now();
    let error = push(&client).await.unwrap_err();
    assert!(matches!(
        error,
        Error::TimedOut {
            retries_spent: true,
            ..
        }
    ));
    // No attempt starts after 100 s, and the last one takes 30 s.
    assert!(begin.elapsed() <= Duration::from_secs(130));
    assert!(script.requests() >= 2);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_rate_limit_spends_no_patience() {
    let script = Script::new([answer(202, OK)]);
    let policy = RetryPolicy::default().max_elapsed(Duration::from_secs(1));
    let client = builder(script.clone())
        .retry(policy)
        .push_rate(1)
        .build()
        .unwrap();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { push(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_servers_delay_wins_over_the_backoff() {
    let script = Script::new([answer_with(429, ("Retry-After", "17"), ""), answer(202, OK)]);
    let begin = Instant::now();
    push(&client(script.clone())).await.unwrap();
    let waited = begin.elapsed();
    assert!(
        waited >= Duration::from_secs(17) && waited < Duration::from_secs(18),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delay_beyond_our_patience_is_not_waited_for() {
    let script = Script::new([
        answer_with(429, ("Retry-After", "3600"), ""),
        answer(202, OK),
    ]);
    let begin = Instant::now();
    let error = push(&client(script)).await.unwrap_err();
    assert!(error.is_throttled() && error.retries_spent());
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn no_delay_is_too_large_to_be_understood() {
    for seconds in ["18446744073709551615", "99999999999999999999", "-1", "soon"] {
        let throttled = answer_with(429, ("Retry-After", seconds), "");
        for patience in [Duration::from_secs(300), Duration::MAX] {
            let script = Script::new([throttled.clone(), answer(202, OK)]);
            let policy = RetryPolicy::default().max_elapsed(patience);
            let client = builder(script.clone()).retry(policy).build().unwrap();
            let result = push(&client).await;
            assert!(result.is_ok() || result.unwrap_err().is_throttled());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_waits_longer_than_a_crossed_rate() {
    for (remaining, full) in [("40", true), ("49000", false)] {
        let throttled = answer_with(429, ("X-QueueSize-Remaining", remaining), "");
        let script = Script::new([throttled, answer(202, OK)]);
        let begin = Instant::now();
        push(&client(script)).await.unwrap();
        assert_eq!(
            begin.elapsed() >= Duration::from_secs(15),
            full,
            "{remaining}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_callers_429_slows_every_caller_of_the_account() {
    let script = Script::new([answer_with(429, ("Retry-After", "10"), ""), answer(202, OK)]);
    let client = client(script.clone());
    let first = tokio::spawn({
        let client = client.clone();
        async move { push(&client).await }
    });
    while script.requests() == 0 {
        tokio::task::yield_now().await;
    }
    push(&client).await.unwrap();
    first.await.unwrap().unwrap();
    let times = script.times();
    assert_eq!(times.len(), 3);
    assert!(times[1] - times[0] >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_failing_server_is_not_asked_eight_times_for_every_call() {
    let script = Script::new([answer(503, "")]);
    let client = builder(script.clone()).push_rate(10_000).build().unwrap();
    for _ in 0..200 {
        assert!(push(&client).await.unwrap_err().retries_spent());
    }
    let requests = script.requests();
    assert!(requests <= 200 + 100, "{requests} requests for 200 calls");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_upsert_is_repeated_only_if_the_server_cannot_have_acted() {
    let new = NewDataDeletion {
        email: "a@x.example".into(),
        comment: None,
    };
    for (failure, repeated) in [
        (answer(429, ""), true),
        (Act::Fail(TransportErrorKind::Connect), true),
        (answer(500, ""), false),
        (Act::Fail(TransportErrorKind::Interrupted), false),
        (Act::Hang, false),
    ] {
        let script = Script::new([failure, answer(200, r#"{"id":"1"}"#)]);
        let result = client(script.clone())
            .create_data_deletion_request(&new)
            .await;
        assert_eq!(
            (result.is_ok(), script.requests()),
            (repeated, 1 + usize::from(repeated))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_hear_every_attempt() {
    let script = Script::new([
        answer_with(429, ("X-QueueSize-Remaining", "7"), ""),
        Act::Hang,
        Act::Fail(TransportErrorKind::Connect),
        answer(502, ""),
        answer(202, OK),
    ]);
    let heard = Arc::new(Heard::default());
    let client = builder(script)
        .hooks(heard.clone())
        .timeout(Duration::from_secs(9))
        .build()
        .unwrap();
    push(&client).await.unwrap();
    let events = heard.events();
    let outcomes: Vec<_> = events
        .iter()
        .map(|event| (event.attempt, event.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [
            (1, Outcome::Throttled),
            (2, Outcome::TimedOut),
            (3, Outcome::Transport),
            (4, Outcome::ServerError),
            (5, Outcome::Success),
        ]
    );
    assert!(
        events
            .iter()
            .all(|event| event.endpoint == "POST /push" && event.records == 1)
    );
    assert_eq!(
        (events[0].status, events[0].queue_remaining),
        (Some(429), Some(7))
    );
    assert_eq!(
        (events[1].status, events[1].elapsed),
        (None, Duration::from_secs(9))
    );
    assert!(events[..4].iter().all(|event| event.retry_in.is_some()));
    assert_eq!(events[4].retry_in, None);
}
