//! Bodies from a server that is broken or hostile.

use futures::TryStreamExt;
use mailchimp_client::{
    Contact, Error, FieldSelection, GetList, JsonObject, List, ListContacts, ListMembers, Member,
    Order, Page, Report, Result, Timestamp,
};
use proptest::prelude::*;

use crate::script::{Chunk, Reply, Script};

fn client_of(body: Vec<u8>) -> mailchimp_client::Client {
    let script = Script::new(move |_, _| Reply::json(200, body.clone()));
    script.client()
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_stops_at_the_limit() {
    let script = Script::new(|_, _| Reply::Answer {
        status: 200,
        headers: vec![],
        chunks: vec![Chunk::Endless(vec![b' '; 1000].into())],
    });
    let client = script.builder().body_limit(1_000_000).build().unwrap();
    let error = client.ping().await.unwrap_err();
    assert!(matches!(&error, Error::TooLarge(too_large) if too_large.limit == 1_000_000));
    assert_eq!(script.seen().len(), 1);
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let script = Script::new(|_, _| Reply::json(200, "{}"));
    let limited = |bytes| script.builder().body_limit(bytes).build().unwrap();
    limited(2).ping().await.unwrap();
    assert!(matches!(limited(1).ping().await, Err(Error::TooLarge(_))));
}

#[tokio::test]
async fn deep_nesting_is_an_error_and_never_a_crash() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let bodies = [
            deep.clone(),
            format!(r#"{{"id":{deep}}}"#),
            format!(r#"{{"unknown":{deep}}}"#),
            format!(r#"{{"merge_fields":{{"A":{deep}}}}}"#),
            format!(r#"{{"members":{deep}}}"#),
            open.repeat(100_000),
        ];
        for body in bodies {
            let client = client_of(body.into_bytes());
            let members = client.list("a").members();
            assert!(members.get("k", &FieldSelection::default()).await.is_err());
            assert!(members.list(&ListMembers::default()).await.is_err());
            assert!(members.list_raw(&ListMembers::default()).await.is_err());
        }
        // Inside a row, and beside the rows, depth is no business of the page's.
        let body = format!(r#"{{"members":[{{"a":{deep}}}],"x":{deep},"total_items":{deep}}}"#);
        let client = client_of(body.into_bytes());
        let members = client.list("a").members();
        let page = members.list_raw(&ListMembers::default()).await.unwrap();
        assert_eq!((page.rows.len(), page.total_items), (1, None));
        assert!(serde_json::from_slice::<Member>(&page.rows[0]).is_err());
        assert!(members.list(&ListMembers::default()).await.is_err());
    }
}

/// Every way this crate reads an answer.
fn read_in_every_way(body: &[u8]) {
    let client = client_of(body.to_vec());
    let list = client.list("a");
    let members = list.members();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let _: Result<_> = members.get("k", &FieldSelection::default()).await;
        let _: Result<_> = members.list_raw(&ListMembers::default()).await;
        let page: Result<mailchimp_client::Fetched<Page<Member>>> =
            members.list(&ListMembers::default()).await;
        if let Ok(page) = page {
            for member in page.value.items {
                let _ = (member.has_more_tags(), member.merge_value("FNAME"));
            }
        }
        let _: Result<_> = list.get(&GetList::default()).await;
        let _: Result<_> = client.batches().get("b", &FieldSelection::default()).await;
        let _: Result<_> = client.report("c").get(&FieldSelection::default()).await;
        let contacts = client
            .audiences()
            .contacts_stream("a", &ListContacts::default());
        let _: Result<Vec<Contact>> = contacts.unwrap().try_collect().await;
    });
}

/// JSON of any shape, with the names and words that mean something here.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let name = prop::sample::select(vec![
        "members",
        "total_items",
        "id",
        "status",
        "last_changed",
        "merge_fields",
        "tags",
        "location",
        "stats",
        "interests",
        "web_id",
        "contacts",
        "next_cursor",
        "opens",
        "send_time",
        "lines",
        "customer",
        "errors",
        "title",
        "detail",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
        Just("".into()),
        Just("subscribed".into()),
        Just("2026-06-30T12:00:00+00:00".into()),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|pairs| {
                pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn random_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_in_every_way(&bytes);
    }

    #[test]
    fn any_json_is_read_without_panic(value in any_json()) {
        read_in_every_way(value.to_string().as_bytes());
    }

    #[test]
    fn a_page_cut_anywhere_is_read_without_panic(value in any_json(), cut in 0.0_f64..1.0) {
        let body = serde_json::json!({ "members": [value], "total_items": 1 }).to_string();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let cut = (body.len() as f64 * cut) as usize;
        read_in_every_way(&body.as_bytes()[..cut]);
    }

    #[test]
    fn any_object_survives_being_read_as_a_record(value in any_json()) {
        prop_assume!(value.is_object());
        // Through text, as numbers at the edge of their range are rounded there.
        let text = value.to_string();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let member: Member = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_value(&member).unwrap(), value.clone());
        let list: List = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_value(&list).unwrap(), value.clone());
        let report: Report = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_value(&report).unwrap(), value.clone());
        let order: Order = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_value(&order).unwrap(), value.clone());
        let object: JsonObject = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_value(&object).unwrap(), value);
    }

    #[test]
    fn any_error_body_is_read_without_panic(value in any_json(), status in 400_u16..600) {
        let body = value.to_string();
        let script = Script::new(move |_, _| Reply::json(status, body.clone()));
        let client =
            script.builder().retry(mailchimp_client::RetryPolicy::never()).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let error = runtime.block_on(client.ping()).unwrap_err();
        prop_assert_eq!(error.status(), Some(status));
    }

    #[test]
    fn any_text_is_read_as_a_time_without_panic(text in "\\PC{0,40}") {
        let _ = Timestamp::parse(&text);
    }
}
