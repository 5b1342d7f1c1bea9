//! Account exports, and the login host.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use loopback::Simulator as _;
use mailchimp_simulator::AccountSpec;
use serde_json::{Value, json};

use crate::api::{Answer, Api, KEY, full, whole};

fn start(api: &Api) -> Answer {
    api.post(
        "/account-exports",
        &json!({"include_stages": ["audiences", "campaigns"]}),
    )
}

fn fetch(api: &Api, url: &str, authorization: Option<&str>) -> Response<Bytes> {
    let mut request = Request::get(url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    whole(api.simulator.handle(request.body(Bytes::new()).unwrap()))
}

#[test]
fn one_export_runs_at_a_time_and_one_starts_a_day() {
    let api = Api::with(|settings| settings.batch_step = Duration::from_secs(60));
    api.simulator.fill(AccountSpec::full());
    let made = start(&api);
    assert_eq!(made.status, 200);
    assert_eq!(
        (&made.body["finished"], &made.body["download_url"]),
        (&json!(""), &json!(""))
    );
    assert_eq!(start(&api).title(), "Account Export in Progress");
    api.pass(240);
    let done = api.read("/account-exports/1");
    assert_eq!(done["finished"], "2026-03-01T12:04:00+00:00");
    assert_eq!(start(&api).title(), "Too Many Account Exports");
    api.pass(86_400);
    assert_eq!(start(&api).status, 200);
    assert_eq!(api.read("/account-exports")["total_items"], 2);
    api.pass(90 * 86_400);
    assert_eq!(api.read("/account-exports")["total_items"], 0);
}

#[test]
fn stages_that_do_not_exist_are_refused() {
    let api = full();
    for stages in [json!([]), json!(["members"])] {
        let refused = api.post("/account-exports", &json!({"include_stages": stages}));
        assert_eq!(refused.status, 400);
    }
}

#[test]
fn an_export_is_a_zip_of_what_was_asked_for() {
    let api = full();
    start(&api);
    let export = api.read("/account-exports/1");
    let url = export["download_url"].as_str().unwrap();
    let response = fetch(&api, url, None);
    assert_eq!(response.status(), 200);
    assert_eq!(export["size_in_bytes"], response.body().len());
    let files = unpack(response.body());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"audiences/f0e1d2c3b4/subscribed_members.csv"));
    assert!(!names.iter().any(|name| name.contains("archived")));
    let subscribed = api.read("/lists/f0e1d2c3b4")["stats"]["member_count"]
        .as_u64()
        .unwrap();
    assert_eq!(files[0].1.lines().count() as u64, subscribed + 1);
    assert_eq!(fetch(&api, url, Some("Bearer x")).status(), 400);
    assert_eq!(
        fetch(&api, "/account-export-files/9.zip", None).status(),
        404
    );
}

/// Name and content of each file, by the directory at the end of the archive.
fn unpack(archive: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize, bytes: usize| {
        let part = &archive[at..at + bytes];
        part.iter()
            .rev()
            .fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let end = archive.len() - 22;
    assert_eq!(archive[end..end + 4], *b"PK\x05\x06");
    let mut at = number(end + 16, 4);
    let count = number(end + 10, 2);
    let mut files = Vec::new();
    for _ in 0..count {
        assert_eq!(archive[at..at + 4], *b"PK\x01\x02");
        let (sum, size, name) = (number(at + 16, 4), number(at + 20, 4), number(at + 28, 2));
        let start = number(at + 42, 4);
        let content = start + 30 + name;
        let mut read = flate2::CrcReader::new(&archive[content..content + size]);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(read.crc().sum() as usize, sum);
        let name_at = at + 46;
        files.push((
            String::from_utf8_lossy(&archive[name_at..name_at + name]).into_owned(),
            text,
        ));
        at = name_at + name;
    }
    files
}

#[test]
fn the_login_host_says_200_to_any_token_and_tells_only_a_good_one_apart() {
    let api = full();
    let ask = |token: &str| -> (u16, Value) {
        let response = fetch(&api, "/oauth2/metadata", Some(&format!("OAuth {token}")));
        let body = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), body)
    };
    let (status, good) = ask(KEY);
    assert_eq!((status, &good["dc"]), (200, &json!("us6")));
    assert!(good["api_endpoint"].is_string() && good.get("error").is_none());
    let (status, dead) = ask("revoked");
    assert_eq!((status, dead), (200, json!({"error": "invalid_token"})));
}
