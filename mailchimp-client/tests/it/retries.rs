//! What is repeated, when, and how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mailchimp_client::{
    Error, FieldSelection, MemberWrite, Path, Query, RetryPolicy, TagWrite, TransportErrorKind,
};
use serde_json::json;

use crate::script::{Chunk, Notes, Reply, Script};

const OK: fn() -> Reply = || Reply::json(200, "{}");

#[tokio::test(start_paused = true)]
async fn reading_is_repeated_after_every_passing_failure() {
    let failures: [fn() -> Reply; 9] = [
        || Reply::problem(429, "Too Many Requests", ""),
        || Reply::html(403),
        || Reply::html(502),
        || Reply::problem(500, "Internal Server Error", ""),
        || Reply::Fail(TransportErrorKind::Connect),
        || Reply::Fail(TransportErrorKind::Reset),
        || Reply::Hang,
        || Reply::Answer {
            status: 200,
            headers: vec![],
            chunks: vec![Chunk::Data("{".into()), Chunk::Break],
        },
        || Reply::Answer {
            status: 200,
            headers: vec![],
            chunks: vec![Chunk::Data("{".into()), Chunk::Stall],
        },
    ];
    for failure in failures {
        let script = Script::replies(vec![failure, failure, OK]);
        script.client().ping().await.unwrap();
        assert_eq!(script.seen().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn final_answers_are_not_repeated() {
    let finals: [fn() -> Reply; 6] = [
        || Reply::problem(400, "Bad Request", ""),
        || Reply::problem(401, "API Key Invalid", ""),
        || Reply::problem(403, "Forbidden", ""),
        || Reply::problem(404, "Resource Not Found", ""),
        || Reply::problem(405, "Method Not Allowed", ""),
        || Reply::Answer {
            status: 302,
            headers: vec![],
            chunks: vec![],
        },
    ];
    for answer in finals {
        let script = Script::replies(vec![answer, OK]);
        let error = script.client().ping().await.unwrap_err();
        assert!(!error.retries_spent());
        assert_eq!(script.seen().len(), 1, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_is_repeated_only_when_it_had_no_effect() {
    type Case = (fn() -> Reply, usize, bool);
    let table: [Case; 6] = [
        (|| Reply::problem(429, "Too Many Requests", ""), 2, false),
        (|| Reply::Fail(TransportErrorKind::Connect), 2, false),
        (|| Reply::Fail(TransportErrorKind::Reset), 1, true),
        (|| Reply::Fail(TransportErrorKind::Timeout), 1, true),
        (|| Reply::html(502), 1, true),
        (|| Reply::html(403), 1, false),
    ];
    for (failure, requests, may_have_been_sent) in table {
        let script = Script::replies(vec![failure, OK]);
        let path = Path::new("/automations", &[]).unwrap();
        let client = script.client();
        let result = client
            .post::<_, serde_json::Value>(&path, &Query::new(), &json!({}))
            .await;
        assert_eq!(script.seen().len(), requests);
        match result {
            Ok(_) => assert_eq!(requests, 2),
            Err(error) => assert_eq!(error.may_have_been_sent(), may_have_been_sent, "{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_say_what_shall_be_are_repeated() {
    let script = Script::replies(vec![|| Reply::Fail(TransportErrorKind::Reset), OK]);
    let members = script.client().list("a").members();
    members.upsert("k", &MemberWrite::default()).await.unwrap();
    let script = Script::replies(vec![|| Reply::html(502), OK]);
    let members = script.client().list("a").members();
    let tag = TagWrite {
        name: "vip".into(),
        active: true,
    };
    members.set_tags("k", &[tag], false).await.unwrap();
    let bodies: Vec<_> = script.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test(start_paused = true)]
async fn retries_are_bounded_by_count_and_the_error_says_so() {
    let script = Script::replies(vec![|| Reply::html(503)]);
    let error = script.client().ping().await.unwrap_err();
    assert_eq!(script.seen().len(), 6);
    assert!(error.retries_spent());
    assert!(
        error.to_string().ends_with("answered 503, retries spent"),
        "{error}"
    );
    assert!(matches!(error, Error::Api(api) if api.attempts == 6));
}

#[tokio::test(start_paused = true)]
async fn retries_are_bounded_by_elapsed_time() {
    let script = Script::replies(vec![|| Reply::Hang]);
    let began = tokio::time::Instant::now();
    let error = script.client().ping().await.unwrap_err();
    assert!(error.retries_spent() && error.is_timeout_or_server());
    // Tries of 120 s with waits of at least 15 s: a third one would begin in the first 5 minutes.
    assert_eq!(script.seen().len(), 3);
    assert!(began.elapsed() <= Duration::from_secs(300 + 120));
}

#[tokio::test(start_paused = true)]
async fn waits_grow_within_their_bounds() {
    let script = Script::replies(vec![|| Reply::html(503)]);
    script.client().ping().await.unwrap_err();
    let mut ceiling = Duration::from_millis(500);
    for gap in script.gaps() {
        // Timers have millisecond steps.
        assert!(
            gap <= ceiling + Duration::from_millis(1),
            "{gap:?} > {ceiling:?}"
        );
        ceiling *= 2;
    }
}

#[tokio::test(start_paused = true)]
async fn waits_differ_between_clients() {
    let mut all = Vec::new();
    for seed in 0..8 {
        let script = Script::replies(vec![|| Reply::html(503)]);
        let client = script.builder().jitter_seed(seed).build().unwrap();
        client.ping().await.unwrap_err();
        all.push(script.gaps());
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_followed_by_a_long_wait() {
    let script = Script::replies(vec![|| Reply::Hang, OK]);
    script.client().ping().await.unwrap();
    assert!(
        script.gaps()[0] >= Duration::from_secs(120 + 15),
        "{:?}",
        script.gaps()
    );
}

#[tokio::test(start_paused = true)]
async fn the_servers_delay_takes_the_place_of_ours() {
    let script = Script::replies(vec![
        || Reply::html(429).header("retry-after", "7"),
        || {
            Reply::html(503)
                .header("date", "Sat, 21 Nov 2026 07:00:00 GMT")
                .header("retry-after", "Sat, 21 Nov 2026 07:00:20 GMT")
        },
        || Reply::html(429).header("retry-after", "86400"),
        OK,
    ]);
    script.client().ping().await.unwrap();
    let seconds: Vec<u64> = script.gaps().iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [7, 20, 120]);
}

#[tokio::test(start_paused = true)]
async fn a_clone_with_another_policy_shares_the_rest() {
    let script = Script::replies(vec![|| Reply::html(503)]);
    let client = script.client();
    let impatient = client.with_retry(RetryPolicy::never());
    impatient.ping().await.unwrap_err();
    assert_eq!(script.seen().len(), 1);
    client.ping().await.unwrap_err();
    assert_eq!(script.seen().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn when_everything_fails_requests_are_tried_once() {
    let is_down = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&is_down);
    let script = Script::new(move |_, _| {
        if flag.load(Ordering::SeqCst) {
            Reply::html(503)
        } else {
            Reply::json(200, "{}")
        }
    });
    let short = Duration::from_millis(1);
    let policy = RetryPolicy::default().backoff(short, short);
    let client = script.builder().retry(policy).build().unwrap();
    let tries = async || {
        let before = script.seen().len();
        assert!(client.ping().await.unwrap_err().retries_spent());
        script.seen().len() - before
    };
    assert_eq!(tries().await, 6);
    for _ in 0..60 {
        tries().await;
    }
    assert_eq!(tries().await, 1);
    // Successes earn retries.
    is_down.store(false, Ordering::SeqCst);
    for _ in 0..5 {
        client.ping().await.unwrap();
    }
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(tries().await, 2);
    assert_eq!(tries().await, 1);
    // So does time: an hour later a new run has all of its own again.
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(tries().await, 6);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_been_sent_stays_so_whatever_later_tries_say() {
    let later: [fn() -> Reply; 3] = [
        || Reply::Fail(TransportErrorKind::Connect),
        || {
            Reply::problem(
                405,
                "Method Not Allowed",
                "This list member cannot be removed.",
            )
        },
        || Reply::html(429),
    ];
    for later in later {
        let lost: fn() -> Reply = || Reply::Fail(TransportErrorKind::Reset);
        let script = Script::replies(vec![lost, later]);
        let members = script.client().list("a").members();
        assert!(members.archive("k").await.unwrap_err().may_have_been_sent());
        let script = Script::replies(vec![later]);
        let members = script.client().list("a").members();
        assert!(!members.archive("k").await.unwrap_err().may_have_been_sent());
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_hear_of_every_try_by_template() {
    let script = Script::replies(vec![|| Reply::html(503), || Reply::Hang, OK]);
    let notes = Arc::new(Notes::default());
    let client = script.builder().hooks(notes.clone()).build().unwrap();
    let members = client.list("57afe96172").members();
    members
        .get("ann@corp.invalid", &FieldSelection::default())
        .await
        .unwrap();
    let heard = notes.requests.lock().unwrap().clone();
    let call = "GET /lists/{list_id}/members/{subscriber_hash}";
    assert_eq!(
        heard,
        [
            format!("{call} #1 Status(503) 26 bytes"),
            format!("{call} #2 Failed(Timeout) 0 bytes"),
            format!("{call} #3 Status(200) 2 bytes"),
        ]
    );
    assert_eq!(notes.retries.lock().unwrap().len(), 2);
}
