//! Each endpoint over a socket, with the JSON its documentation shows.

mod audiences;
mod batches;
mod campaigns;
mod definitions;
mod ecommerce;
mod library;
mod members;
mod paths;
mod reports;
mod surveys;

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use mailchimp_client::{
    Client, Error, FieldSelection, GetList, ListLists, ListMembers, ListSort, PageRequest, Path,
    Query, SortDir,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, body_json, header_exists, method, path, query_param};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use crate::script::key;

const ADDRESS: &str = "Urist.McVankab@corp.invalid";

async fn server() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let base = format!("{}/3.0/", server.uri()).parse().unwrap();
    let client = Client::builder(key()).base_url(base).build().unwrap();
    (server, client)
}

fn on(verb: &str, at: &str) -> MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("/3.0{at}")))
        .and(basic_auth("key", key()))
        .and(header_exists("user-agent"))
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// A 204 as Mailchimp sends it: of JSON, it says, and empty.
fn no_content() -> ResponseTemplate {
    ResponseTemplate::new(204).insert_header("content-type", "application/json; charset=utf-8")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn page(offset: u64) -> PageRequest {
    PageRequest {
        count: Some(5),
        offset: Some(offset),
        ..PageRequest::default()
    }
}

fn everything() -> FieldSelection {
    FieldSelection::default()
}

/// Reads documented JSON, to which a member is added that no documentation has, and proves that
/// nothing else is unknown and that writing gives all of it back.
fn read<T: Serialize + DeserializeOwned + Debug>(documented: &Value) -> T {
    let mut json = documented.clone();
    json["brand_new"] = json!({ "x": [1, null] });
    let value: T = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), json);
    let shown = format!("{value:?}");
    assert!(shown.ends_with("extra: JsonObject(1 members) }"), "{shown}");
    assert!(!shown.contains("Unexpected"), "{shown}");
    value
}

#[tokio::test]
async fn account_and_ping() {
    let (server, client) = server().await;
    on("GET", "/")
        .and(query_param("fields", "account_id,role"))
        .respond_with(ok(
            json!({ "account_id": "8d3a3db4d97663a9074efcc16", "role": "owner" }),
        ))
        .mount(&server)
        .await;
    on("GET", "/ping")
        .respond_with(ok(json!({ "health_status": "Everything's Chimpy!" })))
        .mount(&server)
        .await;
    let selection = FieldSelection {
        fields: vec!["account_id".into(), "role".into()],
        ..everything()
    };
    let account = client.account(&selection).await.unwrap();
    assert_eq!(account.value.role.as_str(), Some("owner"));
    assert!(account.meta.server_time.is_some());
    let ping = client.ping().await.unwrap().into_value();
    assert_eq!(ping.health_status.as_str(), Some("Everything's Chimpy!"));
}

#[tokio::test]
async fn lists() {
    let (server, client) = server().await;
    on("GET", "/lists")
        .and(query_param("count", "5"))
        .and(query_param("offset", "10"))
        .and(query_param("exclude_fields", "lists._links,_links"))
        .and(query_param("before_date_created", "2026-01-02T03:04:05Z"))
        .and(query_param("since_date_created", "2025-01-02T03:04:05Z"))
        .and(query_param(
            "before_campaign_last_sent",
            "2026-01-02T03:04:05Z",
        ))
        .and(query_param(
            "since_campaign_last_sent",
            "2025-01-02T03:04:05Z",
        ))
        .and(query_param("email", ADDRESS))
        .and(query_param("sort_field", "date_created"))
        .and(query_param("sort_dir", "DESC"))
        .and(query_param("has_ecommerce_store", "false"))
        .and(query_param("include_total_contacts", "true"))
        .respond_with(ok(json!({
            "lists": [{ "id": "57afe96172", "name": "Freddie's", "stats": {
                "member_count": 203, "open_rate": 38.5, "campaign_last_sent": "" } }],
            "total_items": 1,
            "constraints": { "may_create": true, "max_instances": 1 }
        })))
        .mount(&server)
        .await;
    let request = ListLists {
        count: Some(5),
        offset: Some(10),
        exclude_fields: vec!["lists._links".into(), "_links".into()],
        before_date_created: Some(time("2026-01-02T03:04:05.999Z")),
        since_date_created: Some(time("2025-01-02T03:04:05.5Z")),
        before_campaign_last_sent: Some(time("2026-01-02T03:04:05Z")),
        since_campaign_last_sent: Some(time("2025-01-02T05:04:05+02:00")),
        email: Some(ADDRESS.into()),
        sort_field: Some(ListSort::DateCreated),
        sort_dir: Some(SortDir::Descending),
        has_ecommerce_store: Some(false),
        include_total_contacts: Some(true),
        ..ListLists::default()
    };
    assert!(!format!("{request:?}").contains("Urist"));
    let lists = client.lists().list(&request).await.unwrap().into_value();
    let stats = lists.items[0].stats.value().unwrap();
    assert_eq!(stats.member_count.value(), Some(&203));
    assert!(stats.campaign_last_sent.is_empty());
    assert_eq!(lists.extra.get("constraints").unwrap()["max_instances"], 1);
}

#[tokio::test]
async fn one_list() {
    let (server, client) = server().await;
    on("GET", "/lists/57afe96172")
        .and(query_param("include_total_contacts", "true"))
        .respond_with(ok(
            json!({ "id": "57afe96172", "stats": { "total_contacts": 210 } }),
        ))
        .mount(&server)
        .await;
    let request = GetList {
        include_total_contacts: Some(true),
        ..GetList::default()
    };
    let list = client
        .list("57afe96172")
        .get(&request)
        .await
        .unwrap()
        .into_value();
    assert_eq!(
        list.stats.value().unwrap().total_contacts.value(),
        Some(&210)
    );
}

#[tokio::test]
async fn anything_else_is_reached_by_path() {
    let (server, client) = server().await;
    on("GET", "/reports/42694e9e57/sent-to")
        .and(query_param("count", "2"))
        .respond_with(ok(
            json!({ "sent_to": [{ "email_id": "x" }], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("POST", "/lists/a/segments")
        .and(body_json(json!({ "name": "gold", "static_segment": [] })))
        .respond_with(ok(json!({ "id": 7 })))
        .mount(&server)
        .await;
    on("POST", "/campaigns/c/actions/pause")
        .respond_with(no_content())
        .mount(&server)
        .await;
    let path = Path::new("/reports/{campaign_id}/sent-to", &["42694e9e57"]).unwrap();
    let query = Query::new().with("count", "2");
    let rows = client.get_rows(&path, "sent_to", &query).await.unwrap();
    assert_eq!(rows.rows, [r#"{"email_id":"x"}"#]);
    let value: Value = client.get(&path, &query).await.unwrap().into_value();
    assert_eq!(value["total_items"], 1);
    let path = Path::new("/lists/{list_id}/segments", &["a"]).unwrap();
    let body = json!({ "name": "gold", "static_segment": [] });
    let made: Value = client
        .post(&path, &Query::new(), &body)
        .await
        .unwrap()
        .into_value();
    assert_eq!(made["id"], 7);
    let path = Path::new("/campaigns/{campaign_id}/actions/pause", &["c"]).unwrap();
    let answer = client
        .post_bytes(&path, &Query::new(), &json!({}))
        .await
        .unwrap();
    assert!(answer.value.is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_credential() {
    let (server, client) = server().await;
    on("GET", "/ping")
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/3.0/elsewhere"))
        .mount(&server)
        .await;
    let error = client.ping().await.unwrap_err();
    assert_eq!(error.status(), Some(302));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn compressed_answers_are_asked_for_and_counted_after_unpacking() {
    use std::io::Write;
    let body = format!(r#"{{"members":[{{"x":"{}"}}]}}"#, "y".repeat(1 << 20));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 10_000);
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_raw(packed, "application/json");
    Mock::given(header_exists("accept-encoding"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let base: url::Url = server.uri().parse().unwrap();
    let builder = Client::builder(key()).base_url(base);
    let members = builder.clone().build().unwrap().list("a").members();
    let page = members.list_raw(&ListMembers::default()).await.unwrap();
    assert_eq!(page.meta.bytes, body.len() as u64);
    let members = builder
        .body_limit(1 << 20)
        .build()
        .unwrap()
        .list("a")
        .members();
    let error = members.list_raw(&ListMembers::default()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error}");
}

#[tokio::test]
async fn requests_without_a_body_say_so() {
    let (server, client) = server().await;
    on("GET", "/ping")
        .respond_with(ok(json!({})))
        .mount(&server)
        .await;
    on("POST", "/lists/a/members/k/actions/delete-permanent")
        .respond_with(no_content())
        .mount(&server)
        .await;
    client.ping().await.unwrap();
    client
        .list("a")
        .members()
        .delete_permanently("k")
        .await
        .unwrap();
    let requests = server.received_requests().await.unwrap();
    for absent in ["content-length", "transfer-encoding", "content-type"] {
        assert!(!requests[0].headers.contains_key(absent), "{absent}");
    }
    // A POST without any length is refused by some proxies.
    assert_eq!(requests[1].headers["content-length"], "0");
}
