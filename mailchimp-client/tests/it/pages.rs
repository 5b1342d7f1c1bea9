//! Collections: pages, rows, and walks over them.

use std::collections::BTreeSet;
use std::pin::pin;

use futures::TryStreamExt;
use mailchimp_client::{
    Client, Error, ListContacts, ListMembers, ListSegmentMembers, PageRequest, Path, Query, RawPage,
};
use serde_json::{Value, json};

use crate::script::{Chunk, Reply, Script, Seen};

/// Serves `total` members by offset, claiming `claimed` of them.
fn audience(total: u64, claimed: u64) -> Script {
    Script::new(move |_, seen| page(seen, total, claimed))
}

fn page(seen: &Seen, total: u64, claimed: u64) -> Reply {
    let number = |name, default| {
        seen.query(name)
            .map_or(default, |text| text.parse().unwrap())
    };
    let (count, offset): (u64, u64) = (number("count", 10), number("offset", 0));
    let rows: Vec<Value> = (offset..total.min(offset + count.min(1000)))
        .map(|id| json!({ "id": id.to_string(), "contact_id": "x" }))
        .collect();
    let body = json!({ "members": rows, "list_id": "a", "total_items": claimed });
    Reply::json(200, body.to_string())
}

async fn walk(client: &Client, request: &ListMembers) -> Result<Vec<String>, Error> {
    let members = client.list("a").members().stream(request)?;
    members
        .map_ok(|member| member.id.into_value().unwrap())
        .try_collect()
        .await
}

#[tokio::test]
async fn a_walk_gives_every_item_once_and_ends_on_a_short_page() {
    for (total, pages) in [(0, 1), (1, 1), (999, 1), (1000, 2), (1001, 2), (2500, 3)] {
        let script = audience(total, total);
        let ids = walk(&script.client(), &ListMembers::default())
            .await
            .unwrap();
        assert_eq!(ids.len() as u64, total);
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len() as u64, total);
        assert_eq!(script.seen().len(), pages, "{total}");
        assert!(
            script
                .seen()
                .iter()
                .all(|seen| seen.query("count") == Some("1000"))
        );
    }
}

#[tokio::test]
async fn a_walk_does_not_believe_total_items() {
    let script = audience(25, 3);
    let request = ListMembers {
        count: Some(10),
        ..ListMembers::default()
    };
    assert_eq!(walk(&script.client(), &request).await.unwrap().len(), 25);
}

#[tokio::test]
async fn a_walk_asks_for_no_more_than_the_server_is_sure_to_give() {
    let script = audience(3000, 3000);
    let request = ListMembers {
        count: Some(5000),
        offset: Some(100),
        ..ListMembers::default()
    };
    assert_eq!(walk(&script.client(), &request).await.unwrap().len(), 2900);
}

#[tokio::test]
async fn a_walk_over_a_server_that_ignores_the_offset_ends_in_an_error() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"members":[{"id":"a"},{"id":"b"}],"total_items":2}"#,
        )
    });
    let request = ListMembers {
        count: Some(2),
        ..ListMembers::default()
    };
    let error = walk(&script.client(), &request).await.unwrap_err();
    assert!(matches!(error, Error::EndlessPages(_)), "{error}");
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test]
async fn a_walk_fetches_no_page_before_it_is_asked_for() {
    let script = audience(5000, 5000);
    let members = script
        .client()
        .list("a")
        .members()
        .stream(&ListMembers::default())
        .unwrap();
    let mut members = pin!(members);
    assert!(script.seen().is_empty());
    members.try_next().await.unwrap();
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn any_collection_can_be_walked_as_rows() {
    let script = audience(25, 25);
    let path = Path::new("/lists/{list_id}/members", &["a"]).unwrap();
    let query = Query::new().with("status", "archived");
    let pages: Vec<_> = script
        .client()
        .row_pages(path, "members", query, 10)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        pages.iter().map(|page| page.rows.len()).collect::<Vec<_>>(),
        [10, 10, 5]
    );
    assert!(
        script
            .seen()
            .iter()
            .all(|seen| seen.query("status") == Some("archived"))
    );
}

#[tokio::test]
async fn raw_rows_are_the_servers_bytes_without_a_copy() {
    let body = bytes::Bytes::from_static(
        b" {\"total_items\" : 7, \"members\": [ {\"id\": \"a\" , \"n\":1.0} ,\n{}], \"x\":[{}]} ",
    );
    let sent = body.clone();
    let script = Script::new(move |_, _| Reply::json(200, sent.clone()));
    let members = script.client().list("a").members();
    let page = members.list_raw(&ListMembers::default()).await.unwrap();
    assert_eq!(page.rows, ["{\"id\": \"a\" , \"n\":1.0}", "{}"]);
    assert_eq!(page.total_items, Some(7));
    assert_eq!(page.meta.bytes, body.len() as u64);
    let inside = body.as_ptr_range();
    assert!(page.rows.iter().all(|row| inside.contains(&row.as_ptr())));
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let script = Script::new(|_, _| Reply::Answer {
        status: 200,
        headers: vec![("content-length", "4000000000".into())],
        chunks: vec![
            Chunk::Data("{\"mem".into()),
            Chunk::Data("bers\":[{\"id\":".into()),
            Chunk::Data("\"a\"}]}".into()),
        ],
    });
    let members = script.client().list("a").members();
    let page = members.list_raw(&ListMembers::default()).await.unwrap();
    assert_eq!(page.rows, ["{\"id\":\"a\"}"]);
    assert_eq!(page.total_items, None);
}

#[tokio::test]
async fn the_answer_tells_time_and_id() {
    let script = Script::new(|_, _| {
        Reply::json(200, r#"{"members":[]}"#)
            .header("date", "Sat, 21 Nov 2026 07:37:44 GMT")
            .header("x-request-id", "995c5cb0")
    });
    let members = script.client().list("a").members();
    let meta = members
        .list_raw(&ListMembers::default())
        .await
        .unwrap()
        .meta;
    assert_eq!(
        meta.server_time.unwrap().to_rfc3339(),
        "2026-11-21T07:37:44+00:00"
    );
    assert_eq!(
        (meta.request_id.as_deref(), meta.status),
        (Some("995c5cb0"), 200)
    );
}

#[tokio::test]
async fn what_is_no_collection_is_a_decode_error() {
    for body in [
        "{}",
        "[]",
        "null",
        "7",
        "",
        r#"{"members":null}"#,
        r#"{"members":{}}"#,
        r#"{"members":[1]}"#,
        r#"{"members":[null]}"#,
        r#"{"members":[[]]}"#,
        r#"{"members":[{}]}x"#,
        r#"{"members":[{}"#,
        r#"{"segments":[]}"#,
    ] {
        let script = Script::new(move |_, _| Reply::json(200, body));
        let members = script.client().list("a").members();
        let error = members.list_raw(&ListMembers::default()).await.unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_page_without_its_items_says_which_are_missing() {
    for body in ["{}", r#"{"members":null}"#, r#"{"segments":[]}"#] {
        let script = Script::new(move |_, _| Reply::json(200, body));
        let members = script.client().list("a").members();
        let error = members.list_raw(&ListMembers::default()).await.unwrap_err();
        assert!(
            error.to_string().ends_with("no array of items at members"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_total_that_is_no_number_is_no_total() {
    for total in ["null", "\"\"", "-1", "{}", "1e99"] {
        let script = Script::new(move |_, _| {
            Reply::json(200, format!(r#"{{"members":[],"total_items":{total}}}"#))
        });
        let segments = script.client().list("a").segments();
        let page = segments
            .members_raw(4, &ListSegmentMembers::default())
            .await
            .unwrap();
        assert_eq!(page.total_items, None, "{total}");
    }
}

#[tokio::test]
async fn a_typed_page_keeps_what_else_the_envelope_holds() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"members":[{"id":"a","new":{"x":1}}],"list_id":"b","new":[2]}"#,
        )
    });
    let members = script.client().list("b").members();
    let page = members.list(&ListMembers::default()).await.unwrap().value;
    assert_eq!(page.items[0].id.as_str(), Some("a"));
    assert_eq!(page.items[0].extra.get("new"), Some(&json!({ "x": 1 })));
    assert_eq!(page.extra.get("new"), Some(&json!([2])));
    assert_eq!(page.extra.get("list_id"), Some(&json!("b")));
}

#[tokio::test]
async fn a_raw_page_keeps_what_else_the_envelope_holds() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"files":[{"id":1}], "total_file_size": 1.5e3,"_links":[{"rel":"self"}],
                "total_items":1,"campaign_id":"c","odd":null}"#,
        )
    });
    let path = Path::new("/file-manager/files", &[]).unwrap();
    let page = script
        .client()
        .get_rows(&path, "files", &Query::new())
        .await
        .unwrap();
    let names: Vec<_> = page.extra.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["total_file_size", "_links", "campaign_id", "odd"]);
    assert_eq!(page.extra[0].1, "1.5e3");
    assert_eq!(page.envelope::<f64>("total_file_size"), Some(1500.0));
    assert_eq!(page.envelope::<String>("campaign_id").as_deref(), Some("c"));
    assert_eq!(page.envelope::<u64>("campaign_id"), None);
    assert_eq!(page.envelope::<String>("list_id"), None);
    assert_eq!(page.next_cursor(), None);
    assert!(!format!("{page:?}").contains("1.5e3"));
}

#[tokio::test]
async fn an_endpoint_that_does_not_page_gives_what_it_has_once() {
    for (rows, requests) in [(3, 1), (1500, 2)] {
        let script = Script::new(move |_, _| {
            let rows: Vec<Value> = (0..rows)
                .map(|id| json!({ "id": id.to_string() }))
                .collect();
            Reply::json(
                200,
                json!({ "queue": rows, "total_items": rows.len() }).to_string(),
            )
        });
        let queue = script
            .client()
            .automations()
            .queue_stream("w", "e", &PageRequest::default());
        let all: Vec<_> = queue.unwrap().try_collect().await.unwrap();
        assert_eq!((all.len(), script.seen().len()), (rows, requests));
    }
}

/// Serves 25 contacts by cursor, ending as the closure does.
fn contacts(last: Value) -> Script {
    Script::new(move |_, seen| {
        let begin: usize = seen
            .query("cursor")
            .map_or(0, |cursor| cursor.parse().unwrap());
        let count: usize = seen.query("count").unwrap().parse().unwrap();
        let end = (begin + count).min(25);
        let rows: Vec<Value> = (begin..end)
            .map(|id| json!({ "id": id.to_string() }))
            .collect();
        let mut body = json!({ "contacts": rows });
        if end < 25 {
            body["next_cursor"] = json!(end.to_string());
        } else if last != json!("absent") {
            body["next_cursor"] = last.clone();
        }
        Reply::json(200, body.to_string())
    })
}

fn contacts_path() -> Path {
    Path::new("/audiences/{audience_id}/contacts", &["a"]).unwrap()
}

async fn cursor_walk(script: &Script, cursor: Option<String>) -> Result<Vec<RawPage>, Error> {
    script
        .client()
        .cursor_pages(contacts_path(), "contacts", Query::new(), 10, cursor)
        .try_collect()
        .await
}

#[tokio::test]
async fn a_walk_by_cursor_ends_with_the_page_that_names_no_next() {
    for last in [json!("absent"), json!(null), json!("")] {
        let script = contacts(last);
        let pages = cursor_walk(&script, None).await.unwrap();
        let sizes: Vec<_> = pages.iter().map(|page| page.rows.len()).collect();
        assert_eq!(sizes, [10, 10, 5]);
        assert_eq!(pages[0].next_cursor().as_deref(), Some("10"));
        assert_eq!(pages[2].next_cursor(), None);
        assert_eq!(script.seen()[0].query("cursor"), None);
        assert!(
            script
                .seen()
                .iter()
                .all(|seen| seen.query("offset").is_none())
        );
    }
}

#[tokio::test]
async fn a_walk_by_cursor_goes_on_where_an_earlier_one_ended() {
    let script = contacts(json!(null));
    let pages = cursor_walk(&script, Some("20".into())).await.unwrap();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].rows[0], r#"{"id":"20"}"#);
}

#[tokio::test]
async fn a_walk_by_cursor_ends_with_an_empty_page_that_names_itself() {
    let script = Script::new(|number, _| match number {
        0 => Reply::json(200, r#"{"contacts":[{"id":"a"}],"next_cursor":"a"}"#),
        _ => Reply::json(200, r#"{"contacts":[],"next_cursor":"a"}"#),
    });
    let pages = cursor_walk(&script, None).await.unwrap();
    assert_eq!((pages.len(), pages[1].rows.len()), (2, 0));
}

#[tokio::test]
async fn a_cursor_that_stands_still_is_an_error() {
    let script =
        Script::new(|_, _| Reply::json(200, r#"{"contacts":[{"id":"a"}],"next_cursor":"same"}"#));
    let error = cursor_walk(&script, None).await.unwrap_err();
    assert!(matches!(error, Error::EndlessPages(_)), "{error}");
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test]
async fn fields_without_the_next_cursor_are_refused_before_they_end_a_walk() {
    let script = contacts(json!(null));
    let request = ListContacts {
        count: Some(10),
        fields: vec!["contacts.id".into()],
        ..ListContacts::default()
    };
    let contacts = |request: &ListContacts| {
        script
            .client()
            .audiences()
            .contacts_stream("a", request)
            .unwrap()
    };
    let error = contacts(&request)
        .try_collect::<Vec<_>>()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert!(script.seen().is_empty());
    let request = ListContacts {
        fields: vec!["contacts.id".into(), "next_cursor".into()],
        ..request
    };
    let all: Vec<_> = contacts(&request).try_collect().await.unwrap();
    let ids: Vec<_> = all
        .iter()
        .filter_map(|contact| contact.id.as_str())
        .collect();
    assert_eq!(ids, (0..25).map(|id| id.to_string()).collect::<Vec<_>>());
}
