use std::time::Duration;

use bytes::Bytes;
use http::Request;
use loopback::{Outcome, Simulator};
use ometria_simulator::{ErrorShape, Rejected, Rejection};
use serde_json::{Value, json};

use crate::account::{Account, contact, post};

#[test]
fn an_accepted_push_answers_with_counts_and_a_request_id() {
    let account = Account::new();
    let answer = account.push(&json!([contact("1", &json!({})), contact("2", &json!({}))]));
    assert_eq!(answer.status, 202);
    let body = answer.json();
    assert_eq!(
        (&body["status"], &body["accepted"], &body["rejected"]),
        (&json!("OK"), &json!(2), &json!(0))
    );
    assert_eq!(body["request_id"].as_str().unwrap().len(), 36);
    assert_eq!(account.simulator.pushed(), 2);
    assert_eq!(account.simulator.listing_count(), 2);
}

#[test]
fn the_statuses_of_success_and_refusal_are_switches() {
    let account = Account::with(|settings| {
        settings.success_status = 200;
        settings.refuse_status = 422;
    });
    assert_eq!(account.push(&json!([])).status, 200);
    assert_eq!(account.push(&json!({})).status, 422);
}

#[test]
fn a_missing_or_wrong_key_is_forbidden() {
    let account = Account::new();
    for request in [
        Request::post("/v2/push")
            .body(Bytes::from_static(b"[]"))
            .unwrap(),
        post("/v2/push", "X-Ometria-Auth", "other", "[]".to_owned()),
        post("/v2/push", "Authorization", "test-key", "[]".to_owned()),
    ] {
        let Outcome::Response(response) = account.simulator.handle(request).outcome else {
            panic!("no answer")
        };
        assert_eq!(response.status(), 403);
    }
}

#[test]
fn a_call_that_breaks_a_limit_is_refused_whole() {
    let account = Account::new();
    let many: Vec<Value> = (0..101)
        .map(|i| contact(&i.to_string(), &json!({})))
        .collect();
    let mixed = json!([contact("1", &json!({})), {"@type": "product", "id": "2"}]);
    for bad in [
        Value::from(many),
        mixed,
        contact("1", &json!({})),
        json!("text"),
    ] {
        assert_eq!(account.push(&bad).status, 400, "{bad}");
    }
    assert_eq!(account.simulator.pushed(), 0);
    assert_eq!(account.simulator.listing_count(), 0);
}

#[test]
fn elements_that_are_no_records_are_errors_of_their_own() {
    let account = Account::new();
    account.push(&json!([1, null, contact("1", &json!({}))]));
    assert_eq!(account.simulator.stats().rejected_late, 2);
    assert_eq!(account.simulator.listing_count(), 1);
}

#[test]
fn merging_keeps_what_is_not_sent_and_replacing_does_not() {
    let account = Account::new();
    account.push_contact("1", &json!({"email": "a@b.example", "firstname": "Ann"}));
    account.push_contact("1", &json!({"lastname": "Lee"}));
    let fields = account.simulator.listing("shop", "1").unwrap().fields;
    assert_eq!(
        (&fields["firstname"], &fields["lastname"]),
        (&json!("Ann"), &json!("Lee"))
    );

    account.push_contact("1", &json!({"@merge": false, "email": "a@b.example"}));
    let fields = account.simulator.listing("shop", "1").unwrap().fields;
    assert!(!fields.contains_key("firstname"));
    assert_eq!(account.simulator.listing_count(), 1);
}

#[test]
fn a_bad_record_is_accepted_and_shows_up_in_the_errors() {
    for (shape, message) in [
        (ErrorShape::Short, "/0/error_message"),
        (ErrorShape::Long, "/0/message/error_message"),
    ] {
        let account = Account::with(|settings| settings.error_shape = shape);
        let bad = contact("1", &json!({"marketing_optin": "yes"}));
        let body = account.push(&json!([bad, contact("2", &json!({}))])).json();
        assert_eq!(
            (&body["accepted"], &body["rejected"]),
            (&json!(2), &json!(0))
        );
        assert!(account.simulator.listing("shop", "1").is_none());
        assert!(account.simulator.listing("shop", "2").is_some());
        let errors = account.get("/v2/push/_errors").json();
        assert_eq!(errors.pointer(message), Some(&json!("not a valid value")));
        if shape == ErrorShape::Long {
            assert_eq!(errors[0]["request_id"], body["request_id"]);
            assert_eq!(errors[0]["record_id"], "1");
        }
    }
}

#[test]
fn a_record_over_60_kb_is_rejected_with_the_documented_message() {
    let account = Account::new();
    let large = contact("1", &json!({"note": "x".repeat(60_000)}));
    let body = account
        .push(&json!([large, contact("2", &json!({}))]))
        .json();
    assert_eq!(
        (&body["accepted"], &body["rejected"]),
        (&json!(1), &json!(1))
    );
    let errors = account.get("/v2/push/_errors").json();
    assert_eq!(
        errors[0]["error_message"],
        "Payload invalid: Record is too large"
    );
}

#[test]
fn only_the_latest_100_errors_are_kept() {
    let account = Account::with(|settings| settings.error_shape = ErrorShape::Long);
    for i in 0..130 {
        account.push_contact(&i.to_string(), &json!({"gender": "?"}));
    }
    let errors = account.get("/v2/push/_errors").json();
    assert_eq!(errors.as_array().unwrap().len(), 100);
    assert_eq!(
        (&errors[0]["record_id"], &errors[99]["record_id"]),
        (&json!("129"), &json!("30"))
    );
}

#[test]
fn named_records_are_rejected_at_once_or_late() {
    let account = Account::with(|settings| settings.list_rejected_items = true);
    account
        .simulator
        .reject(Rejected::Ids(vec!["1".into()]), Rejection::AtOnce);
    account
        .simulator
        .reject(Rejected::Ids(vec!["2".into()]), Rejection::Late);
    let records: Vec<Value> = ["1", "2", "3"]
        .iter()
        .map(|id| contact(id, &json!({})))
        .collect();
    let body = account.push(&records.into()).json();
    assert_eq!(
        (&body["accepted"], &body["rejected"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(body["rejected_items"][0]["id"], "1");
    assert_eq!(account.simulator.listing_count(), 1);
    let stats = account.simulator.stats();
    assert_eq!(
        (stats.accepted, stats.rejected, stats.rejected_late),
        (2, 1, 1)
    );

    account.simulator.heal();
    account.push_contact("1", &json!({}));
    assert_eq!(account.simulator.listing_count(), 2);
}

#[test]
fn every_nth_record_is_rejected() {
    let account = Account::new();
    account
        .simulator
        .reject(Rejected::Every(3), Rejection::AtOnce);
    let records: Vec<Value> = (0..10)
        .map(|i| contact(&i.to_string(), &json!({})))
        .collect();
    assert_eq!(account.push(&records.into()).json()["rejected"], 3);
}

#[test]
fn a_rate_limit_counts_pushes_within_any_second() {
    let account = Account::with(|settings| settings.push_rate = Some(2));
    assert_eq!(account.push(&json!([])).status, 202);
    account.clock.advance(Duration::from_millis(600));
    assert_eq!(account.push(&json!([])).status, 202);
    assert_eq!(account.push(&json!([])).status, 429);
    account.clock.advance(Duration::from_millis(400));
    assert_eq!(account.push(&json!([])).status, 202);
    assert_eq!(account.push(&json!([])).status, 429);
}

#[test]
fn a_slow_queue_delays_reads_and_a_full_one_answers_429() {
    let account = Account::with(|settings| {
        settings.drain_rate = Some(10);
        settings.backlog_limit = 25;
    });
    let records: Vec<Value> = (0..20)
        .map(|i| contact(&i.to_string(), &json!({})))
        .collect();
    let records = Value::from(records);
    let answer = account.push(&records);
    assert_eq!(answer.status, 202);
    assert_eq!(answer.headers["x-queuesize-limit"], "25");
    assert_eq!(answer.headers["x-queuesize-remaining"], "5");
    assert_eq!(account.simulator.listing_count(), 0);
    assert_eq!(account.get("/v2/contacts/shop/0").status, 404);

    let refused = account.push(&records);
    assert_eq!(
        (refused.status, &refused.headers["x-queuesize-remaining"]),
        (429, &"5".parse().unwrap())
    );

    // Half a second at a time, in steps that leave part of a record over.
    for _ in 0..10 {
        account.clock.advance(Duration::from_millis(55));
        account.simulator.waiting();
    }
    assert_eq!(account.simulator.listing_count(), 5);
    assert_eq!(account.get("/v2/contacts/shop/0").status, 200);
    account.clock.advance(Duration::from_secs(2));
    assert_eq!(account.simulator.waiting(), 0);
    assert_eq!(account.push(&records).status, 202);
}

#[test]
fn queue_headers_can_be_absent() {
    let account = Account::with(|settings| settings.queue_headers = false);
    assert!(
        !account
            .push(&json!([]))
            .headers
            .contains_key("x-queuesize-limit")
    );
}

#[test]
fn other_records_are_stored_by_type_and_id() {
    let account = Account::new();
    account.push(&json!([{"@type": "product", "id": "9", "is_in_stock": false}]));
    assert_eq!(
        account.simulator.object("product", "9").unwrap()["is_in_stock"],
        false
    );
    assert!(account.simulator.object("order", "9").is_none());
}

#[test]
fn campaigns_start_once_and_only_if_claim_and_time_come_together() {
    let account = Account::new();
    let time = "2024-05-01T00:00:00Z";
    account.push_contact("1", &json!({"marketing_optin": "EXPLICITLY_OPTEDIN"}));
    account.push_contact("1", &json!({"timestamp_subscribed": time}));
    assert_eq!(account.simulator.stats().subscribe_events, 0);
    let both = json!({"marketing_optin": "EXPLICITLY_OPTEDIN", "timestamp_subscribed": time});
    account.push_contact("1", &both);
    account.push_contact("1", &both);
    assert_eq!(account.simulator.stats().subscribe_events, 1);
    assert_eq!(account.simulator.stats().unsubscribe_events, 0);
}

#[test]
fn segments_are_joined_and_left() {
    let account = Account::new();
    account.push_contact(
        "1",
        &json!({"email": "a@b.example", "@add_to_lists": [7, 8]}),
    );
    assert_eq!(
        account.simulator.segment(7),
        [("shop".to_owned(), "1".to_owned())]
    );
    account.push_contact("1", &json!({"@remove_from_lists": [7]}));
    assert!(account.simulator.segment(7).is_empty());
    let profile = account.get("/v2/profiles?email=a@b.example").json();
    assert_eq!(profile[0]["lists"][0]["id"], 8);
}
