//! What goes wrong on purpose.

use std::time::Duration;

use http::Method;
use loopback::Outcome;
use mailchimp_simulator::{Fault, LargePages, Rule};
use serde_json::json;

use crate::api::{Answer, Api, LIST, full, rows, whole};

fn page(count: u32) -> String {
    format!("/lists/{LIST}/members?count={count}&sort_field=last_changed")
}

/// An account of 20 members, whose next request meets a fault.
fn struck(fault: Fault) -> Api {
    let api = Api::new();
    api.audience(20);
    api.simulator.faults().nth(1, fault);
    api
}

#[test]
fn a_fault_strikes_the_request_it_is_meant_for_and_no_other() {
    let api = Api::new();
    api.audience(1);
    api.simulator.faults().nth(3, Fault::Status5xxJson);
    let statuses: Vec<u16> = (0..5).map(|_| api.get("/ping").status).collect();
    assert_eq!(statuses, [200, 200, 500, 200, 200]);
}

#[test]
fn rules_strike_by_operation_condition_and_count() {
    let api = Api::new();
    api.audience(1);
    let rule = Rule::new(Fault::Status429)
        .on("GET /lists/{list_id}/members")
        .when(|request| request.parameter("offset") == Some("7"))
        .skip(1)
        .times(2);
    api.simulator.faults().add(rule);
    let at_seven = format!("/lists/{LIST}/members?offset=7");
    assert_eq!(api.get("/ping").status, 200);
    assert_eq!(api.get(&page(1)).status, 200);
    let statuses: Vec<u16> = (0..4).map(|_| api.get(&at_seven).status).collect();
    assert_eq!(statuses, [200, 429, 429, 200]);
    api.simulator.faults().add(Rule::new(Fault::Status429));
    assert_eq!(api.get("/ping").status, 429);
    api.simulator.faults().clear();
    assert_eq!(api.get("/ping").status, 200);
}

#[test]
fn random_faults_are_as_frequent_as_asked_and_the_same_for_the_same_seed() {
    let run = |seed: u64| -> Vec<u16> {
        let api = Api::with(|settings| settings.seed = seed);
        api.simulator
            .faults()
            .add(Rule::new(Fault::Status429).chance(0.2));
        (0..2000).map(|_| api.get("/ping").status).collect()
    };
    let first = run(1);
    let struck = first.iter().filter(|status| **status == 429).count();
    assert!((300..500).contains(&struck), "{struck} of 2000");
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
}

#[test]
fn answers_of_a_front_are_not_problems() {
    for (fault, status, has_body) in [
        (Fault::Status403Html, 403, true),
        (Fault::Status5xxHtml(502), 502, true),
        (Fault::Status429Empty, 429, false),
    ] {
        let response = whole(struck(fault).handle(&Method::GET, "/ping", ""));
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "text/html");
        assert_eq!(!response.body().is_empty(), has_body);
        assert!(!response.headers().contains_key("x-request-id"));
    }
    let throttled = struck(Fault::Status429).get("/ping");
    assert_eq!(
        (throttled.status, throttled.body["status"].as_u64()),
        (429, Some(429))
    );
}

#[test]
fn broken_bodies_are_broken_under_a_good_status() {
    let garbage = whole(struck(Fault::Garbage).handle(&Method::GET, &page(5), ""));
    assert_eq!(garbage.status(), 200);
    assert!(serde_json::from_slice::<serde_json::Value>(garbage.body()).is_err());
    let empty = whole(struck(Fault::EmptyBody).handle(&Method::GET, &page(5), ""));
    assert_eq!((empty.status().as_u16(), empty.body().len()), (200, 0));
}

#[test]
fn a_cut_body_is_half_of_the_true_one() {
    let api = struck(Fault::CutBody);
    let Outcome::CutBody { response, sent } = api.handle(&Method::GET, &page(20), "").outcome
    else {
        panic!("not cut");
    };
    assert_eq!(sent, response.body().len() / 2);
    assert_eq!(
        Answer::of(response).body["members"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
}

#[test]
fn a_hanging_request_holds_its_connection_for_two_minutes() {
    let reply = struck(Fault::Hang).handle(&Method::GET, "/ping", "");
    assert!(matches!(reply.outcome, Outcome::Hang) && reply.slot.is_some());
    assert_eq!(reply.after, Duration::from_secs(120));
    let reply = struck(Fault::GatewayTimeout).handle(&Method::GET, "/ping", "");
    assert_eq!(reply.after, Duration::from_secs(120));
    assert_eq!(whole(reply).status(), 504);
}

#[test]
fn a_slow_answer_is_late_and_right() {
    let reply = struck(Fault::Slow(Duration::from_secs(7))).handle(&Method::GET, "/ping", "");
    assert_eq!(
        (reply.after, whole(reply).status().as_u16()),
        (Duration::from_secs(7), 200)
    );
}

#[test]
fn a_reset_request_is_not_carried_out_and_one_with_a_lost_reply_is() {
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed"}).to_string();
    for (fault, members) in [(Fault::Reset, 20), (Fault::ReplyLost, 21)] {
        let api = struck(fault);
        let reply = api.handle(&Method::POST, &format!("/lists/{LIST}/members"), &body);
        assert!(matches!(reply.outcome, Outcome::Reset));
        assert_eq!(api.simulator.audience(LIST).len(), members, "{fault:?}");
    }
}

#[test]
fn collections_can_lie() {
    let api = struck(Fault::WrongTotal(-3));
    assert_eq!(api.read(&page(5))["total_items"], 17);
    assert_eq!(api.read(&page(5))["total_items"], 20);
    let api = struck(Fault::EmptyPage);
    let body = api.read(&page(5));
    assert_eq!(
        (&body["members"], &body["total_items"]),
        (&json!([]), &json!(20))
    );
    let api = struck(Fault::Unsorted);
    let shuffled = api.column(&page(20), "members", "web_id");
    let sorted = api.column(&page(20), "members", "web_id");
    assert_ne!(shuffled, sorted);
    assert!(sorted.iter().all(|id| shuffled.contains(id)));
}

#[test]
fn large_pages_can_fail_whatever_is_tried() {
    let api = Api::new();
    api.audience(20);
    let large = LargePages {
        more_than: 500,
        fault: Fault::Status5xxHtml(504),
    };
    api.simulator.faults().large_pages(Some(large));
    let statuses = |count| {
        whole(api.handle(&Method::GET, &page(count), ""))
            .status()
            .as_u16()
    };
    assert_eq!(
        [statuses(1000), statuses(501), statuses(500), statuses(1000)],
        [504, 504, 200, 504]
    );
    assert_eq!(api.get(&format!("/lists/{LIST}")).status, 200, "not a page");
    api.simulator.faults().large_pages(None);
    assert_eq!(statuses(1000), 200);
}

#[test]
fn a_rule_strikes_one_stream_by_its_path() {
    let api = full();
    let rule = Rule::new(Fault::Forbidden).below("/ecommerce/");
    api.simulator.faults().add(rule);
    let refused = api.get("/ecommerce/stores");
    assert_eq!((refused.status, refused.title()), (403, "Forbidden"));
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json; charset=utf-8")
    );
    assert_eq!(api.get("/ecommerce/orders").status, 403);
    assert_eq!(api.get("/campaigns").status, 200);
    let rule = Rule::new(Fault::NotFound).below("/campaigns").times(1);
    api.simulator.faults().add(rule);
    let statuses = [api.get("/campaigns").status, api.get("/campaigns").status];
    assert_eq!(statuses, [404, 200]);
}

#[test]
fn a_key_can_be_missing_or_null_in_rows() {
    let api = full();
    let campaign = api.simulator.sent_campaigns()[0].clone();
    let path = format!("/reports/{campaign}/email-activity");
    api.simulator.faults().add(
        Rule::new(Fault::Without("activity"))
            .below("/reports/")
            .times(1),
    );
    let body = api.read(&path);
    assert_eq!(body["total_items"], 40);
    let emails = body["emails"].as_array().unwrap();
    assert!(emails.len() == 10 && emails.iter().all(|row| row.get("activity").is_none()));
    api.simulator.faults().add(
        Rule::new(Fault::Null("merge_fields"))
            .below("/lists")
            .times(2),
    );
    let members = rows(&api, "/lists/f0e1d2c3b4/members", "members");
    assert!(
        members
            .iter()
            .all(|row| row["merge_fields"].is_null() && row["id"].is_string())
    );
    let id = members[0]["id"].as_str().unwrap();
    assert!(api.read(&format!("/lists/f0e1d2c3b4/members/{id}"))["merge_fields"].is_null());
}

#[test]
fn operations_of_a_batch_fail_when_a_rule_says_so() {
    let api = full();
    let rule = Rule::new(Fault::Forbidden).below("/reports").in_batches();
    api.simulator.faults().add(rule);
    assert_eq!(api.get("/reports").status, 200, "not outside batches");
    let made = api.post(
        "/batches",
        &json!({"operations": [
            {"method": "GET", "path": "/reports", "operation_id": "r"},
            {"method": "GET", "path": "/campaigns", "operation_id": "c"},
        ]}),
    );
    let id = made.body["id"].as_str().unwrap().to_owned();
    let batch = api.read(&format!("/batches/{id}"));
    assert_eq!(
        (&batch["status"], &batch["errored_operations"]),
        (&json!("finished"), &json!(1))
    );
    let results = crate::batches::results(&api, &id);
    let status = |id: &str| {
        let result = results.iter().find(|result| result["operation_id"] == id);
        result.unwrap()["status_code"].clone()
    };
    assert_eq!((status("r"), status("c")), (json!(403), json!(200)));
}

#[test]
fn an_archive_can_be_cut_short() {
    let api = full();
    let made = api.post(
        "/batches",
        &json!({"operations": [{"method": "GET", "path": "/campaigns"}]}),
    );
    let id = made.body["id"].as_str().unwrap();
    let url = api.read(&format!("/batches/{id}"))["response_body_url"].clone();
    let fetch = || {
        let request = http::Request::get(url.as_str().unwrap());
        let request = request.body(bytes::Bytes::new()).unwrap();
        loopback::Simulator::handle(&api.simulator, request)
    };
    let all = whole(fetch());
    let rule = |fault| Rule::new(fault).below("/batch-results/").times(1);
    api.simulator.faults().add(rule(Fault::Truncated));
    let half = whole(fetch());
    assert_eq!(
        (half.status(), half.body().len()),
        (all.status(), all.body().len() / 2)
    );
    api.simulator.faults().add(rule(Fault::CutBody));
    assert!(matches!(fetch().outcome, Outcome::CutBody { .. }));
}
