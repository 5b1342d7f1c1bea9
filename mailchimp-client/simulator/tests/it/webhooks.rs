//! Webhooks as resources.

use serde_json::json;

use crate::api::{Api, LIST};

fn hooks() -> String {
    format!("/lists/{LIST}/webhooks")
}

#[test]
fn a_webhook_is_made_read_changed_and_deleted() {
    let api = Api::new();
    api.audience(0);
    let body = json!({
        "url": "https://hooks.test/in?key=1",
        "events": {"subscribe": true, "unsubscribe": true, "upemail": true},
        "sources": {"user": true, "admin": true, "api": false},
    });
    let made = api.post(&hooks(), &body);
    assert_eq!(made.status, 200);
    let path = format!("{}/{}", hooks(), made.body["id"].as_str().unwrap());
    let read = api.read(&path);
    assert_eq!(read["url"], "https://hooks.test/in?key=1");
    assert_eq!(read["events"]["upemail"], true);
    assert_eq!(read["events"]["campaign"], false);
    assert_eq!(
        read["sources"],
        json!({"user": true, "admin": true, "api": false})
    );
    let changed = api
        .patch(&path, &json!({"events": {"campaign": true}}))
        .body;
    assert_eq!(
        (
            &changed["events"]["campaign"],
            &changed["events"]["upemail"]
        ),
        (&json!(true), &json!(true))
    );
    assert_eq!(api.read(&hooks())["total_items"], 1);
    assert_eq!(api.delete(&path).status, 204);
    assert_eq!(api.delete(&path).status, 404);
}

#[test]
fn the_signing_secret_is_shown_once() {
    let api = Api::new();
    api.audience(0);
    let made = api
        .post(&hooks(), &json!({"url": "https://hooks.test/in"}))
        .body;
    assert_eq!(made["signing_secret"].as_str().map(str::len), Some(32));
    assert_eq!(made["signing_enabled"], true);
    let read = api.read(&format!("{}/{}", hooks(), made["id"].as_str().unwrap()));
    assert!(read.get("signing_secret").is_none());
}

#[test]
fn one_url_has_one_webhook_whatever_its_parameters() {
    let api = Api::new();
    api.audience(0);
    assert_eq!(
        api.post(&hooks(), &json!({"url": "https://hooks.test/in?a=1"}))
            .status,
        200
    );
    let second = api.post(&hooks(), &json!({"url": "https://hooks.test/in?a=2"}));
    assert_eq!(
        (second.status, &second.body["errors"][0]["field"]),
        (400, &json!("url"))
    );
    assert_eq!(api.post(&hooks(), &json!({"url": "nonsense"})).status, 400);
    assert_eq!(api.read(&hooks())["total_items"], 1);
}
