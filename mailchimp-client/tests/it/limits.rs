//! How many requests run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use mailchimp_client::{Client, RetryPolicy};
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use crate::script::{Reply, Script};

fn slow(latency: Duration) -> Script {
    Script::new(|_, _| Reply::json(200, "{}")).latency(latency)
}

fn hanging() -> Script {
    Script::new(|_, _| Reply::Hang)
}

async fn ping_all(client: &Client, times: usize) {
    for answer in join_all((0..times).map(|_| client.ping())).await {
        answer.unwrap();
    }
}

/// Lets every task that can run do so.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_ten_requests_run_at_once_over_all_clones() {
    let script = slow(Duration::from_millis(200));
    let client = script.client();
    let clones = [
        client.clone(),
        client.with_retry(RetryPolicy::never()),
        client.clone(),
    ];
    let began = Instant::now();
    join_all(clones.iter().map(|clone| ping_all(clone, 20))).await;
    assert_eq!(script.most_running(), 10);
    assert_eq!(script.seen().len(), 60);
    // All ten places are used: six rounds.
    assert!(
        began.elapsed() < Duration::from_millis(6 * 200 + 20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((client.in_flight(), client.limit()), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_lower_ceiling_is_kept() {
    let script = slow(Duration::from_millis(10));
    let client = script.builder().max_concurrency(3).build().unwrap();
    ping_all(&client, 30).await;
    assert_eq!(script.most_running(), 3);
    assert_eq!(client.limit(), 3);
}

#[tokio::test(start_paused = true)]
async fn throttling_lowers_the_limit_once_a_round_trip_and_success_raises_it() {
    let throttles = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&throttles);
    let script = Script::new(move |_, _| {
        if flag.load(Ordering::SeqCst) {
            Reply::html(429)
        } else {
            Reply::json(200, "{}")
        }
    })
    .latency(Duration::from_millis(100));
    let client = script
        .builder()
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    // Ten answers to requests that left together are one piece of news.
    join_all((0..10).map(|_| client.ping())).await;
    assert_eq!(client.limit(), 7);
    let mut limits = vec![7];
    for _ in 0..40 {
        client.ping().await.unwrap_err();
        limits.push(client.limit());
    }
    assert!(limits.is_sorted_by(|a, b| a >= b), "{limits:?}");
    // It never falls to zero, where nothing could raise it again.
    assert_eq!(limits.last(), Some(&1));
    throttles.store(false, Ordering::SeqCst);
    let mut limits = vec![1];
    for _ in 0..80 {
        client.ping().await.unwrap();
        limits.push(client.limit());
    }
    assert!(limits.is_sorted(), "{limits:?}");
    assert_eq!(limits.last(), Some(&10));
}

#[tokio::test(start_paused = true)]
async fn a_firewalls_403_lowers_the_limit_and_a_refusal_does_not() {
    for (reply, limit) in [
        ((|| Reply::html(403)) as fn() -> Reply, 7),
        (|| Reply::problem(403, "Forbidden", ""), 10),
        (|| Reply::html(500), 10),
    ] {
        let script = Script::new(move |_, _| reply());
        let client = script
            .builder()
            .retry(RetryPolicy::never())
            .build()
            .unwrap();
        client.ping().await.unwrap_err();
        assert_eq!(client.limit(), limit);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_timed_out_keeps_its_place_until_the_server_gave_up() {
    let script = hanging();
    let client = script
        .builder()
        .timeout(Duration::from_secs(30))
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let began = Instant::now();
    join_all((0..10).map(|_| client.ping())).await;
    assert!(began.elapsed() < Duration::from_secs(31));
    assert_eq!((client.in_flight(), script.running()), (10, 0));
    client.ping().await.unwrap_err();
    let eleventh = script.seen()[10].at - began;
    assert!(eleventh >= Duration::from_secs(120), "{eleventh:?}");
    assert!(eleventh < Duration::from_secs(121), "{eleventh:?}");
}

/// Drops so many requests after a second.
async fn give_up_on_25(client: &Client) {
    let requests = join_all((0..25).map(|_| client.ping()));
    let given_up = timeout(Duration::from_secs(1), requests);
    given_up.await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_keeps_its_place_until_its_answer_comes() {
    let script = slow(Duration::from_secs(3));
    let client = script.builder().build().unwrap();
    let began = Instant::now();
    give_up_on_25(&client).await;
    assert_eq!((client.in_flight(), script.running()), (10, 10));
    client.ping().await.unwrap();
    let next = script.seen()[10].at - began;
    assert_eq!(next, Duration::from_secs(3), "as soon as a place is free");
    assert_eq!(script.most_running(), 10);
    assert_eq!((client.in_flight(), script.running()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_without_an_answer_keeps_its_place_for_the_grace_period() {
    let script = hanging();
    let client = script
        .builder()
        .abandoned_grace(Duration::from_secs(10))
        .build()
        .unwrap();
    let began = Instant::now();
    give_up_on_25(&client).await;
    assert_eq!((client.in_flight(), script.running()), (10, 10));
    // Those that were still waiting had sent nothing and hold nothing.
    assert_eq!(script.seen().len(), 10);
    let waiting = timeout(Duration::from_secs(60), client.ping());
    waiting.await.unwrap_err();
    assert_eq!(script.seen()[10].at - began, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn waiters_wake_when_a_request_is_dropped_while_they_wait() {
    let script = hanging();
    let client = script
        .builder()
        .max_concurrency(1)
        .abandoned_grace(Duration::from_secs(5))
        .build()
        .unwrap();
    let holder = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    settle().await;
    let waiter = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    settle().await;
    let began = Instant::now();
    holder.abort();
    sleep(Duration::from_secs(6)).await;
    assert_eq!(script.seen().len(), 2);
    assert!(script.seen()[1].at - began <= Duration::from_secs(5));
    waiter.abort();
}

#[tokio::test(start_paused = true)]
async fn a_short_job_is_not_starved_by_a_long_one() {
    let script = slow(Duration::from_millis(100));
    let client = script.builder().max_concurrency(2).build().unwrap();
    let long: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                loop {
                    client.ping().await.unwrap();
                }
            })
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    client.ping().await.unwrap();
    // Eight callers may stand before it in the queue, two at a time.
    assert!(
        began.elapsed() <= Duration::from_millis(5 * 100 + 10),
        "{:?}",
        began.elapsed()
    );
    for job in long {
        job.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gave_up_does_not_block_the_queue() {
    let script = slow(Duration::from_millis(100));
    let client = script.builder().max_concurrency(1).build().unwrap();
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    settle().await;
    timeout(Duration::from_millis(50), client.ping())
        .await
        .unwrap_err();
    client.ping().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(script.seen().len(), 2);
    assert_eq!(client.in_flight(), 0);
}

/// A server that counts as Mailchimp does: a request holds its place for a time of its own,
/// whether or not the client still waits.
fn counting_server(durations: Vec<u64>) -> (Script, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let ends = Arc::new(std::sync::Mutex::new(Vec::<Instant>::new()));
    let seen_most = Arc::clone(&most);
    let script = Script::new(move |number, seen| {
        let mut ends = ends.lock().unwrap();
        ends.retain(|end| *end > seen.at);
        ends.push(seen.at + Duration::from_secs(durations[number % durations.len()]));
        seen_most.fetch_max(ends.len(), Ordering::SeqCst);
        Reply::Hang
    });
    (script, most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is dropped and whenever, the server never sees more than ten requests at once,
    /// as long as it ends them within its 120 seconds.
    #[test]
    fn the_server_never_counts_more_than_ten(
        durations in prop::collection::vec(1_u64..=120, 1..20),
        callers in prop::collection::vec((0_u64..200, 1_u64..150), 1..60),
        timeout_seconds in 1_u64..=120,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (script, most) = counting_server(durations);
            let client = script
                .builder()
                .timeout(Duration::from_secs(timeout_seconds))
                .retry(RetryPolicy::default())
                .build()
                .unwrap();
            let calls = callers.into_iter().map(|(start, patience)| {
                let client = client.clone();
                async move {
                    sleep(Duration::from_secs(start)).await;
                    let _ = timeout(Duration::from_secs(patience), client.ping()).await;
                }
            });
            join_all(calls).await;
            assert!(client.in_flight() <= 10);
            assert!(most.load(Ordering::SeqCst) <= 10);
            sleep(Duration::from_secs(121)).await;
            assert_eq!(client.in_flight(), 0);
        });
    }
}
