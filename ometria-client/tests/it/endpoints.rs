//! Each endpoint over real HTTP: what is sent, and what is made of the documented answer.

use chrono::{DateTime, NaiveDate, Utc};
use ometria_client::{
    Client, Contact, ListProfiles, ListUnsubscribes, NewDataDeletion, PageRequest, Record,
    UnsubscribeType,
};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::transports::{KEY, key};

fn client(server: &MockServer) -> Client {
    let url = format!("{}/v2", server.uri()).parse().unwrap();
    Client::builder(key()).base_url(url).build().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn serve(server: &MockServer, mock: wiremock::MockBuilder, status: u16, body: &Value) {
    mock.and(header("X-Ometria-Auth", KEY))
        .and(header("Accept", "application/json"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .expect(1)
        .mount(server)
        .await;
}

#[tokio::test]
async fn push() {
    let server = MockServer::start().await;
    let sent = json!([{"@type": "contact", "@collection": "c", "@merge": true, "id": "1"}]);
    let mock = Mock::given(method("POST"))
        .and(path("/v2/push"))
        .and(header("Content-Type", "application/json"))
        .and(body_json(&sent));
    let body = json!({"status": "OK", "request_id": "r", "accepted": 1, "rejected": 0});
    serve(&server, mock, 202, &body).await;
    let records = vec![Record::from(Contact::new("c", "1"))];
    let receipt = client(&server).push_records(records).await.unwrap();
    assert!(receipt.confirms(1));
    assert_eq!(
        (receipt.meta.status, receipt.request_id.as_deref()),
        (202, Some("r"))
    );
}

#[tokio::test]
async fn push_errors() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET")).and(path("/v2/push/_errors"));
    let body = json!([{"error_message": "not a valid value", "error_path": "root > lastname"}]);
    serve(&server, mock, 200, &body).await;
    let errors = client(&server).push_errors().await.unwrap();
    assert_eq!(errors[0].known_message(), Some("not a valid value"));
}

#[tokio::test]
async fn paths_without_a_type() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET"))
        .and(path("/v2/lists/3/changes"))
        .and(query_param("mode", "all"));
    serve(&server, mock, 200, &json!({"x": 1})).await;
    let query = [("mode", "all".to_owned())];
    let body = client(&server)
        .get_raw(&["lists", "3", "changes"], &query)
        .await
        .unwrap();
    assert_eq!(&body[..], br#"{"x":1}"#);
}

#[tokio::test]
async fn profiles() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET"))
        .and(path("/v2/profiles"))
        .and(query_param("limit", "250"))
        .and(query_param("offset", "500"))
        .and(query_param("updateSince", "2024-01-02"));
    serve(
        &server,
        mock,
        200,
        &json!([{"id": "a-b-c", "email": "a@x.example", "x": 1}]),
    )
    .await;
    let query = ListProfiles {
        page: PageRequest {
            limit: 250,
            offset: 500,
        },
        updated_since: NaiveDate::from_ymd_opt(2024, 1, 2),
    };
    let page = client(&server).profiles(&query).await.unwrap();
    assert_eq!((page.offset, page.items.len()), (500, 1));
    assert_eq!(
        (page.items[0].id(), page.items[0].email()),
        (Some("a-b-c"), Some("a@x.example"))
    );
    assert_eq!(page.items[0].raw()["x"], 1);
}

#[tokio::test]
async fn profile() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET")).and(path("/v2/profiles/a%2Fb"));
    serve(
        &server,
        mock,
        200,
        &json!({"id": "a/b", "customer_id": "7"}),
    )
    .await;
    let client = client(&server);
    let profile = client.profile("a/b").await.unwrap().unwrap();
    assert_eq!(profile.customer_id(), Some("7"));
    assert!(client.profile("other").await.unwrap().is_none());
    assert!(client.profile("..").await.is_err());
}

#[tokio::test]
async fn profile_by_email() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET"))
        .and(path("/v2/profiles"))
        .and(query_param("email", "a+b@x.example"))
        .and(query_param_is_missing("limit"));
    serve(&server, mock, 200, &json!([{"id": "1"}])).await;
    let profile = client(&server)
        .profile_by_email("a+b@x.example")
        .await
        .unwrap();
    assert_eq!(profile.unwrap().id(), Some("1"));
}

#[tokio::test]
async fn unsubscribes() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET"))
        .and(path("/v2/unsubscribes"))
        .and(query_param("since", "2024-01-02T03:04:05"))
        .and(query_param("before", "2024-01-03T00:00:00"))
        .and(query_param("type", "stopword_unsubscribe_TF"));
    let row = json!({"profile_id": "1", "email_address": "a@x.example", "type": "new_way",
        "timestamp": "2024-01-02T04:00:00", "reason": null});
    serve(&server, mock, 200, &json!([row])).await;
    let query = ListUnsubscribes {
        since: Some(time("2024-01-02T03:04:05.9Z")),
        before: Some(time("2024-01-03T00:00:00Z")),
        unsubscribe_type: Some(UnsubscribeType::StopwordTollFree),
        page: PageRequest::default(),
    };
    let page = client(&server).unsubscribes(&query).await.unwrap();
    let row = &page.items[0];
    assert_eq!(
        row.unsubscribe_type(),
        Some(UnsubscribeType::Other("new_way".into()))
    );
    assert_eq!(row.timestamp(), Some(time("2024-01-02T04:00:00Z")));
    assert_eq!(row.email_address(), Some("a@x.example"));
}

#[tokio::test]
async fn contact_collections() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET")).and(path("/v2/contacts"));
    serve(
        &server,
        mock,
        200,
        &json!([{"collection": "mailchimp:a1", "count": 12}]),
    )
    .await;
    let page = client(&server)
        .contact_collections(PageRequest::default())
        .await
        .unwrap();
    assert_eq!(
        (page.items[0].name(), page.items[0].count()),
        (Some("mailchimp:a1"), Some(12))
    );
}

#[tokio::test]
async fn listings() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET"))
        .and(path("/v2/contacts/mailchimp:a1"))
        .and(query_param("limit", "2"));
    serve(&server, mock, 200, &json!([{"id": "1"}, {"id": "2"}])).await;
    let page = PageRequest {
        limit: 2,
        offset: 0,
    };
    let page = client(&server)
        .listings("mailchimp:a1", page)
        .await
        .unwrap();
    assert_eq!(page.items[1].id(), Some("2"));
}

#[tokio::test]
async fn listing() {
    let server = MockServer::start().await;
    let mock = Mock::given(method("GET")).and(path("/v2/contacts/c/1%202"));
    let body = json!({"id": "1 2", "collection": "c", "profile_id": "p",
        "dt_object_updated": "2024-01-02T03:04:05Z"});
    serve(&server, mock, 200, &body).await;
    let client = client(&server);
    let listing = client.listing("c", "1 2").await.unwrap().unwrap();
    assert_eq!(
        (listing.collection(), listing.profile_id()),
        (Some("c"), Some("p"))
    );
    assert_eq!(listing.updated_at(), Some(time("2024-01-02T03:04:05Z")));
    assert!(client.listing("c", "9").await.unwrap().is_none());
}

#[tokio::test]
async fn data_deletion_requests() {
    let row = json!({"id": "1", "action": "anonymise", "summary": null,
        "timestamp_created": "2017-02-02 10:18:12.833949+00", "timestamp_completed": null});
    let server = MockServer::start().await;
    let list = Mock::given(method("GET")).and(path("/v2/data-deletion-requests"));
    serve(&server, list, 200, &json!([row])).await;
    let page = client(&server)
        .data_deletion_requests(PageRequest::default())
        .await
        .unwrap();
    assert_eq!(page.items[0].action(), Some("anonymise"));

    let server = MockServer::start().await;
    let one = Mock::given(method("GET")).and(path("/v2/data-deletion-requests/1"));
    serve(&server, one, 200, &row).await;
    let found = client(&server)
        .data_deletion_request("1")
        .await
        .unwrap()
        .unwrap();
    assert!(found.created_at().is_some());
    assert_eq!((found.completed_at(), found.summary()), (None, None));

    let server = MockServer::start().await;
    let create = Mock::given(method("POST"))
        .and(path("/v2/data-deletion-requests"))
        .and(body_json(
            json!({"email": "a@x.example", "comment": "asked by mail"}),
        ));
    serve(&server, create, 200, &row).await;
    let new = NewDataDeletion {
        email: " a@x.example".into(),
        comment: Some("asked by mail".into()),
    };
    let made = client(&server)
        .create_data_deletion_request(&new)
        .await
        .unwrap();
    assert_eq!(made.id(), Some("1"));
}
