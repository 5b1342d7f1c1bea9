//! Batches from submission to results.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use loopback::Simulator as _;
use serde_json::{Value, json};

use crate::api::{Api, LIST, whole};

fn submit(api: &Api, operations: &Value) -> String {
    let answer = api.post("/batches", &json!({"operations": operations}));
    assert_eq!(
        (answer.status, &answer.body["status"]),
        (200, &json!("pending"))
    );
    answer.body["id"].as_str().unwrap().to_owned()
}

fn status(api: &Api, id: &str) -> Value {
    api.read(&format!("/batches/{id}"))["status"].clone()
}

/// Fetches a result link, without the credential unless given one.
fn fetch(api: &Api, url: &str, authorization: Option<&str>) -> Response<Bytes> {
    let mut request = Request::get(url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    whole(api.simulator.handle(request.body(Bytes::new()).unwrap()))
}

/// Name and content of every entry.
fn entries(archive: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let read = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        (name, content)
    });
    read.collect()
}

pub(crate) fn results(api: &Api, id: &str) -> Vec<Value> {
    let url = api.read(&format!("/batches/{id}"))["response_body_url"].clone();
    let response = fetch(api, url.as_str().unwrap(), None);
    assert_eq!(response.status(), 200);
    entries(response.body())
        .iter()
        .filter(|(_, content)| !content.is_empty())
        .flat_map(|(_, content)| serde_json::from_str::<Vec<Value>>(content).unwrap())
        .collect()
}

fn ping() -> Value {
    json!([{"method": "GET", "path": "/ping", "operation_id": "p"}])
}

#[test]
fn a_batch_goes_through_its_states() {
    let api = Api::with(|settings| settings.batch_step = Duration::from_secs(10));
    let id = submit(&api, &ping());
    let pending = api.read(&format!("/batches/{id}"));
    assert_eq!(pending["total_operations"], 0);
    assert_eq!(
        (&pending["completed_at"], &pending["response_body_url"]),
        (&json!(""), &json!(""))
    );
    for expected in ["preprocessing", "started", "finalizing", "finished"] {
        api.pass(10);
        assert_eq!(status(&api, &id), expected);
    }
    let finished = api.read(&format!("/batches/{id}"));
    assert_eq!(finished["completed_at"], "2026-03-01T12:00:40+00:00");
    assert_eq!(
        (
            &finished["total_operations"],
            &finished["finished_operations"]
        ),
        (&json!(1), &json!(1))
    );
}

#[test]
fn one_batch_runs_at_a_time() {
    let api = Api::with(|settings| settings.batch_step = Duration::from_secs(10));
    let (first, second) = (submit(&api, &ping()), submit(&api, &ping()));
    api.pass(35);
    assert_eq!(
        (status(&api, &first), status(&api, &second)),
        ("finalizing".into(), "pending".into())
    );
    api.pass(10);
    assert_eq!(
        (status(&api, &first), status(&api, &second)),
        ("finished".into(), "pending".into())
    );
    api.pass(35);
    assert_eq!(status(&api, &second), "finished");
    assert_eq!(api.read("/batches")["total_items"], 2);
}

#[test]
fn operations_change_the_account_and_results_are_json_in_json() {
    let api = Api::new();
    let audience = api.audience(0);
    let member = json!({"email_address": "ann@mail.test", "status": "subscribed"});
    let id = submit(
        &api,
        &json!([
            {"method": "POST", "path": format!("/lists/{LIST}/members"), "body": member.to_string(), "operation_id": "add"},
            {"method": "GET", "path": "lists/none", "operation_id": "miss"},
            {"method": "GET", "path": "/batches", "operation_id": "nested"},
        ]),
    );
    let batch = api.read(&format!("/batches/{id}"));
    assert_eq!(batch["status"], "finished");
    assert_eq!(
        (&batch["finished_operations"], &batch["errored_operations"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(audience.len(), 1);
    let results = results(&api, &id);
    let seen: Vec<_> = results
        .iter()
        .map(|result| {
            (
                result["operation_id"].as_str().unwrap(),
                &result["status_code"],
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("add", &json!(200)),
            ("miss", &json!(404)),
            ("nested", &json!(400))
        ]
    );
    let response: Value = serde_json::from_str(results[0]["response"].as_str().unwrap()).unwrap();
    assert_eq!(response["email_address"], "ann@mail.test");
}

#[test]
fn a_get_without_a_count_pages_through_everything() {
    let api = Api::new();
    api.audience(2500);
    let path = format!("/lists/{LIST}/members");
    let all = submit(
        &api,
        &json!([{"method": "GET", "path": path, "params": {"fields": "members.id"}}]),
    );
    let few = submit(
        &api,
        &json!([{"method": "GET", "path": path, "params": {"count": 5}}]),
    );
    let rows = |id: &str| -> Vec<usize> {
        results(&api, id)
            .iter()
            .map(|result| {
                serde_json::from_str::<Value>(result["response"].as_str().unwrap()).unwrap()
            })
            .map(|page| page["members"].as_array().unwrap().len())
            .collect()
    };
    assert_eq!(rows(&all), [1000, 1000, 500]);
    assert_eq!(api.read(&format!("/batches/{all}"))["total_operations"], 3);
    assert_eq!(rows(&few), [5]);
}

#[test]
fn the_archive_has_a_directory_several_files_and_an_empty_one() {
    let api = Api::new();
    let operations: Vec<Value> = (0..250)
        .map(|number| json!({"method": "GET", "path": "/ping", "operation_id": number.to_string()}))
        .collect();
    let id = submit(&api, &operations.into());
    let url = api.read(&format!("/batches/{id}"))["response_body_url"].clone();
    let entries = entries(fetch(&api, url.as_str().unwrap(), None).body());
    assert!(entries[0].0.ends_with('/'));
    assert_eq!(
        entries
            .iter()
            .filter(|(_, content)| content.starts_with('['))
            .count(),
        3
    );
    assert!(
        entries
            .iter()
            .any(|(name, content)| !name.ends_with('/') && content.is_empty())
    );
    assert_eq!(results(&api, &id).len(), 250);
}

#[test]
fn a_result_link_lives_ten_minutes_and_refuses_a_credential() {
    let api = Api::new();
    let id = submit(&api, &ping());
    let link = || {
        let url = api.read(&format!("/batches/{id}"))["response_body_url"].clone();
        url.as_str().unwrap().to_owned()
    };
    let old = link();
    assert_eq!(fetch(&api, &old, Some("Bearer x")).status(), 400);
    assert_eq!(
        fetch(&api, &old.replace("Expires=1", "Expires=2"), None).status(),
        403
    );
    api.pass(600);
    assert_eq!(fetch(&api, &old, None).status(), 200);
    api.pass(1);
    assert_eq!(fetch(&api, &old, None).status(), 403);
    assert_eq!(
        fetch(&api, &link(), None).status(),
        200,
        "a new look brings a new link"
    );
    api.pass(7 * 86_400);
    assert_eq!(api.get(&format!("/batches/{id}")).status, 404);
}

#[test]
fn the_origin_of_links_can_be_set() {
    let api = Api::with(|settings| settings.public_origin = Some("http://127.0.0.1:9".to_owned()));
    let id = submit(&api, &ping());
    let url = api.read(&format!("/batches/{id}"))["response_body_url"].clone();
    assert!(
        url.as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:9/batch-results/"),
        "{url}"
    );
}

#[test]
fn a_stopped_batch_is_gone_and_frees_the_account() {
    let api = Api::with(|settings| settings.batch_step = Duration::from_secs(10));
    let (first, second) = (submit(&api, &ping()), submit(&api, &ping()));
    api.pass(25);
    assert_eq!(api.delete(&format!("/batches/{first}")).status, 204);
    assert_eq!(api.get(&format!("/batches/{first}")).status, 404);
    api.pass(20);
    assert_eq!(status(&api, &second), "finished");
}

#[test]
fn what_is_no_operation_is_refused() {
    let api = Api::new();
    for operations in [
        json!([]),
        json!([{"method": "HEAD", "path": "/ping"}]),
        json!([{"method": "POST", "path": "/lists", "body": {"not": "a string"}}]),
    ] {
        assert_eq!(
            api.post("/batches", &json!({"operations": operations}))
                .status,
            400
        );
    }
}

#[test]
fn the_five_hundred_and_first_pending_batch_is_refused() {
    let api = Api::with(|settings| settings.batch_step = Duration::from_secs(1000));
    for _ in 0..500 {
        submit(&api, &ping());
    }
    assert_eq!(
        api.post("/batches", &json!({"operations": ping()})).status,
        429
    );
}

#[test]
fn results_stay_what_they_were_when_the_batch_ran() {
    let api = crate::api::full();
    let campaign = api.simulator.sent_campaigns()[0].clone();
    let path = format!("/reports/{campaign}/email-activity");
    let id = submit(
        &api,
        &json!([{"method": "GET", "path": path, "operation_id": "a"}]),
    );
    let before = results(&api, &id);
    api.simulator.campaign(&campaign).delete().unwrap();
    assert_eq!(results(&api, &id), before);
    let response = before[0]["response"].as_str().unwrap();
    let response: Value = serde_json::from_str(response).unwrap();
    assert_eq!(
        response["emails"].as_array().unwrap().len(),
        40,
        "it pages by itself"
    );
}
