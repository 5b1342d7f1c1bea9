//! Who is let in, and how many at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use loopback::Simulator;
use mailchimp_simulator::When;
use serde_json::json;

use crate::api::{Answer, Api, KEY, LIST, whole};

fn ask(api: &Api, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/3.0{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(whole(
        api.simulator.handle(request.body(Bytes::new()).unwrap()),
    ))
}

#[test]
fn every_documented_way_to_give_the_key_works() {
    let api = Api::new();
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    for header in [
        format!("Bearer {KEY}"),
        format!("OAuth {KEY}"),
        basic(format!("anystring:{KEY}")),
        basic(format!(":{KEY}")),
    ] {
        let headers = [("authorization", header.as_str())];
        assert_eq!(
            ask(&api, &Method::GET, "/ping", &headers).status,
            200,
            "{header}"
        );
    }
    assert_eq!(
        ask(&api, &Method::GET, &format!("/ping?apikey={KEY}"), &[]).status,
        200
    );
}

#[test]
fn a_wrong_missing_or_contradicting_key_is_refused() {
    let api = Api::new();
    let right = format!("Bearer {KEY}");
    let missing = ask(&api, &Method::GET, "/ping", &[]);
    assert_eq!((missing.status, missing.title()), (401, "API Key Missing"));
    for (path, header) in [
        ("/ping".to_owned(), "Bearer wrong-us6"),
        ("/ping".to_owned(), "Basic %%%"),
        ("/ping".to_owned(), KEY),
        ("/ping?apikey=wrong".to_owned(), right.as_str()),
    ] {
        let answer = ask(&api, &Method::GET, &path, &[("authorization", header)]);
        assert_eq!(
            (answer.status, answer.title()),
            (401, "API Key Invalid"),
            "{path} {header}"
        );
    }
    let posted = ask(&api, &Method::POST, &format!("/batches?apikey={KEY}"), &[]);
    assert_eq!(
        posted.title(),
        "API Key Missing",
        "the parameter is for GETs"
    );
}

#[test]
fn the_eleventh_request_at_once_is_refused_until_one_is_done() {
    let api = Api::new();
    api.audience(1);
    let path = format!("/lists/{LIST}/members");
    let mut running: Vec<_> = (0..10)
        .map(|_| api.handle(&Method::GET, &path, ""))
        .collect();
    let refused = api.get(&path);
    assert_eq!(
        (refused.status, refused.body["status"].as_u64()),
        (429, Some(429))
    );
    let stats = api.simulator.stats();
    assert_eq!(
        (stats.in_flight, stats.max_in_flight, stats.throttled),
        (10, 10, 1)
    );
    running.pop();
    assert_eq!(api.get(&path).status, 200);
    drop(running);
    assert_eq!(api.simulator.stats().in_flight, 0);
}

#[test]
fn requests_at_the_same_time_lose_nothing() {
    let api = Api::new();
    let audience = api.audience(100);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let api = &api;
            scope.spawn(move || {
                for round in 0..50 {
                    let address = format!("t{thread}r{round}@mail.test");
                    let body = json!({"email_address": address, "status": "subscribed"});
                    assert_eq!(
                        api.post(&format!("/lists/{LIST}/members"), &body).status,
                        200
                    );
                    let listed = format!("/lists/{LIST}/members?sort_field=last_changed&count=1");
                    assert!(api.read(&listed)["total_items"].as_u64() > Some(100));
                }
            });
        }
    });
    assert_eq!((audience.len(), api.addresses("").len()), (500, 500));
    let stats = api.simulator.stats();
    assert_eq!((stats.total(), stats.in_flight), (801, 0));
    assert!((1..=8).contains(&stats.max_in_flight));
}

#[test]
fn a_request_without_a_good_key_takes_no_connection() {
    let api = Api::with(|settings| settings.connections = 1);
    let request = Request::get("/3.0/ping").body(Bytes::new()).unwrap();
    let reply = api.simulator.handle(request);
    assert!(reply.slot.is_none());
    assert_eq!(api.get("/ping").status, 200);
}

#[test]
fn errors_can_be_triggered_by_name() {
    let api = Api::new();
    let key = format!("Bearer {KEY}");
    let triggered = |name: &str| {
        let headers = [("authorization", key.as_str()), ("x-trigger-error", name)];
        ask(&api, &Method::GET, "/ping", &headers).status
    };
    for (name, status) in [
        ("APIKeyMissing", 401),
        ("Forbidden", 403),
        ("UserDisabled", 403),
        ("ResourceNotFound", 404),
        ("MethodNotAllowed", 405),
        ("TooManyRequests", 429),
        ("InternalServerError", 500),
    ] {
        assert_eq!(triggered(name), status, "{name}");
    }
    assert_eq!(triggered("NoSuchError"), 200);
}

#[test]
fn a_method_is_overridden_on_posts_only() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("a@mail.test").unwrap();
    let key = format!("Bearer {KEY}");
    let headers = [
        ("authorization", key.as_str()),
        ("x-http-method-override", "DELETE"),
    ];
    let path = format!("/lists/{LIST}/members/{id}");
    assert_eq!(ask(&api, &Method::GET, &path, &headers).status, 422);
    assert_eq!(ask(&api, &Method::POST, &path, &headers).status, 204);
    assert_eq!(audience.member(&id).unwrap()["status"], "archived");
}

#[test]
fn no_debug_output_holds_the_key() {
    let mut seen = BTreeSet::new();
    let api = Api::with(|settings| {
        seen.insert(format!("{settings:?}"));
    });
    seen.insert(format!("{:?}", api.simulator));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&requests);
    api.simulator.on_request(When::Before, move |request, _| {
        noted.lock().unwrap().push(format!("{request:?}"));
    });
    ask(
        &api,
        &Method::GET,
        &format!("/ping?apikey={KEY}&offset=5"),
        &[],
    );
    let requests = requests.lock().unwrap().clone();
    assert!(requests[0].contains("offset"));
    seen.extend(requests);
    seen.insert(format!("{:?}", api.audience(1)));
    assert!(seen.iter().all(|text| !text.contains(KEY)), "{seen:?}");
}
