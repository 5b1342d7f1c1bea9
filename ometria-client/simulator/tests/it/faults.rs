use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use loopback::{Outcome, Simulator};
use ometria_simulator::{ErrorBody, Fault, FaultRule, When};
use serde_json::json;

use crate::account::{Account, KEY, contact, post};

fn one_push() -> Request<Bytes> {
    let body = json!([contact("1", &json!({}))]).to_string();
    post("/v2/push", "X-Ometria-Auth", KEY, body)
}

#[test]
fn a_fault_before_the_work_leaves_nothing_behind_and_one_after_it_does() {
    let status = Fault::Status {
        status: 503,
        body: ErrorBody::Html,
        retry_after: Some(7),
    };
    for (fault, done) in [
        (status, 0),
        (Fault::QueueFull, 0),
        (Fault::Reset, 0),
        (Fault::Hang, 0),
        (Fault::ReplyLost, 1),
        (Fault::CutBody { sent: 3 }, 1),
        (Fault::Slow(Duration::from_secs(3)), 1),
    ] {
        let account = Account::new();
        account
            .simulator
            .inject(FaultRule::new(fault.clone(), When::Nth(1)));
        let reply = account.reply(one_push());
        assert_eq!(account.simulator.listing_count(), done, "{fault:?}");
        match (&fault, &reply.outcome) {
            (Fault::Status { .. }, Outcome::Response(response)) => {
                assert_eq!(response.status(), 503);
                assert_eq!(response.headers()["retry-after"], "7");
                assert!(response.body().starts_with(b"<html>"));
            }
            (Fault::QueueFull, Outcome::Response(response)) => {
                assert_eq!(response.status(), 429);
                assert_eq!(response.headers()["x-queuesize-remaining"], "0");
            }
            (Fault::Reset | Fault::ReplyLost, Outcome::Reset)
            | (Fault::Hang, Outcome::Hang)
            | (Fault::CutBody { .. }, Outcome::CutBody { sent: 3, .. }) => {}
            (Fault::Slow(_), Outcome::Response(_)) => {
                assert_eq!(reply.after, Duration::from_secs(3));
            }
            other => panic!("unexpected {other:?}"),
        }
        let Outcome::Response(next) = account.reply(one_push()).outcome else {
            panic!("still ill")
        };
        assert_eq!(next.status(), 202);
    }
}

fn struck(account: &Account, requests: usize) -> Vec<usize> {
    (1..=requests)
        .filter(|_| matches!(account.reply(one_push()).outcome, Outcome::Reset))
        .collect()
}

#[test]
fn faults_strike_when_they_should() {
    let only_large: When = When::If(Arc::new(|request| request.body().len() > 10));
    for (when, expected) in [
        (When::Always, vec![1, 2, 3, 4, 5, 6]),
        (When::Nth(3), vec![3]),
        (When::First(2), vec![1, 2]),
        (When::Every(3), vec![3, 6]),
        (When::Every(0), vec![]),
        (When::Randomly(0.0), vec![]),
        (When::Randomly(1.0), vec![1, 2, 3, 4, 5, 6]),
        (only_large, vec![1, 2, 3, 4, 5, 6]),
    ] {
        let account = Account::new();
        account
            .simulator
            .inject(FaultRule::new(Fault::Reset, when).on("/push"));
        account.get("/v2/push/_errors");
        assert_eq!(struck(&account, 6), expected);
    }
}

#[test]
fn random_faults_follow_the_seed() {
    let run = |seed| {
        let account = Account::with(|settings| settings.seed = seed);
        account
            .simulator
            .inject(FaultRule::new(Fault::Reset, When::Randomly(0.3)));
        struck(&account, 200)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert!((30..90).contains(&run(1).len()));
}

#[test]
fn requests_answers_and_flights_are_counted() {
    let account = Account::with(|settings| settings.latency = Duration::from_millis(5));
    let first = account.reply(one_push());
    let second = account.simulator.handle(one_push());
    assert_eq!(second.after, Duration::from_millis(5));
    drop((first, second));
    account.get("/v2/contacts/shop");
    account.get("/v2/contacts/other");
    let stats = account.simulator.stats();
    assert_eq!(
        (
            stats.requests["/push"],
            stats.requests["/contacts/{collection}"]
        ),
        (2, 2)
    );
    assert_eq!((stats.answers[&202], stats.answers[&404]), (2, 1));
    assert_eq!((stats.total_requests(), stats.max_in_flight), (4, 2));
}

#[test]
fn clones_are_the_same_account() {
    let account = Account::new();
    let other = account.simulator.clone();
    other.handle(one_push());
    assert_eq!(account.simulator.listing_count(), 1);
}
