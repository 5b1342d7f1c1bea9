use std::hint::black_box;

use futures::TryStreamExt;
use ometria_client::{
    Contact, Error, ListProfiles, ListUnsubscribes, MarketingOptin, NewDataDeletion, PageRequest,
    PushStatus, Record, RecordRow, RetryPolicy,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::transports::{Script, answer, answer_with, builder, client, record_builder};

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("2024-01-02T03:04:05Z")),
    ];
    let name = prop_oneof![
        3 => proptest::sample::select(vec![
            "status", "request_id", "accepted", "rejected", "skipped", "rejected_items",
            "error_message", "error_path", "message", "record", "record_id", "timestamp", "id",
            "email", "marketing_optin", "collection", "count", "type", "response", "content",
        ]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    leaf.prop_recursive(3, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..200),
        3 => arbitrary_json().prop_map(|value| value.to_string().into_bytes()),
        2 => proptest::collection::vec(arbitrary_json(), 0..4)
            .prop_map(|values| Value::from(values).to_string().into_bytes()),
        1 => (1..2_000usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn no_answer_makes_a_call_panic_and_no_error_shows_the_answer(
        status in 200..600u16,
        body in body(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let marked = [body.as_slice(), b" \"hidden@x.example\""].concat();
            let response = |body: Vec<u8>| {
                let response = http::Response::builder().status(status);
                crate::transports::Act::Answer(response.body(body.into()).unwrap())
            };
            for body in [body.clone(), marked] {
                let script = Script::new([response(body)]);
                let client =
                    builder(script.clone()).retry(RetryPolicy::never()).build().unwrap();
                let records = vec![Record::from(Contact::new("c", "1"))];
                let page = PageRequest::default();
                let new = NewDataDeletion { email: "a@x.example".into(), comment: None };
                let mut errors: Vec<Error> = Vec::new();
                macro_rules! look {
                    ($call:expr, $name:ident => $use:expr) => {
                        match $call.await {
                            Ok($name) => { black_box($use); }
                            Err(error) => errors.push(error),
                        }
                    };
                }
                look!(client.push_records(records), it => format!("{it:?} {}", it.confirms(1)));
                look!(client.push_errors(), list => for it in &list {
                    black_box((it.error_message(), it.record_id(), it.collection()));
                    black_box((it.timestamp(), it.record_type(), format!("{it:?}")));
                });
                look!(client.profiles(&ListProfiles::default()), it => format!("{it:?}"));
                look!(client.profile("1"), it => it.map(|it| it.marketing_optin()));
                look!(client.profile_by_email("a@x.example"), it => it.map(|it| it.marketing_optin()));
                look!(client.contact_collections(page), page => for it in &page.items {
                    black_box((it.name(), it.count()));
                });
                look!(client.listing("c", "1"), it => it.map(|it| it.updated_at()));
                look!(client.unsubscribes(&ListUnsubscribes::default()), page => for it in &page.items {
                    black_box((it.timestamp(), it.unsubscribe_type()));
                });
                look!(client.data_deletion_requests(page), page => for it in &page.items {
                    black_box((it.created_at(), it.completed_at()));
                });
                look!(client.create_data_deletion_request(&new), it => it.created_at());
                let rows = record_builder(script).retry(RetryPolicy::never()).build().unwrap();
                look!(rows.send(&[]), it => it.taken);
                for error in errors {
                    let shown = format!("{error} {error:?}");
                    prop_assert!(!shown.contains("hidden@"), "{}", shown);
                }
            }
            Ok(())
        })?;
    }
}

async fn receipt(body: &str) -> ometria_client::PushReceipt {
    let client = client(Script::new([answer(200, body)]));
    client
        .push_records(vec![Record::from(Contact::new("c", "1"))])
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_receipt_keeps_everything_and_tells_absent_from_zero() {
    let full = receipt(
        r#"{"status":"ok","request_id":"r-1","accepted":1,"rejected":"0","skipped":0,
            "rejected_items":[],"success":true}"#,
    )
    .await;
    assert_eq!(full.status, PushStatus::Ok);
    assert_eq!(full.request_id.as_deref(), Some("r-1"));
    assert_eq!(
        (full.accepted, full.rejected, full.skipped),
        (Some(1), Some(0), Some(0))
    );
    assert_eq!(full.extra["success"], true);
    assert!(full.confirms(1) && !full.confirms(2));

    let bare = receipt(r#"{"status":"OK"}"#).await;
    assert_eq!((bare.accepted, bare.rejected), (None, None));
    assert!(bare.confirms(1));

    for good in [
        "{}",
        r#"{"success":true}"#,
        r#"{"status":"QUEUED","accepted":1}"#,
    ] {
        assert!(receipt(good).await.confirms(1), "{good}");
    }
    for doubtful in [
        r#"{"status":"ERROR","accepted":1}"#,
        r#"{"status":"OK","accepted":0,"rejected":1}"#,
        r#"{"status":"OK","accepted":0,"skipped":1}"#,
        r#"{"status":"OK","rejected_items":[{"id":"1"}]}"#,
        r#"{"status":"OK","accepted":2}"#,
        r#"{"status":"QUEUED"}"#,
    ] {
        assert!(!receipt(doubtful).await.confirms(1), "{doubtful}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_queue_size_is_in_the_receipt_when_the_answer_has_it() {
    let act = answer_with(
        202,
        ("X-QueueSize-Remaining", "49900"),
        r#"{"status":"OK"}"#,
    );
    let client = client(Script::new([act]));
    let receipt = client
        .push_records(vec![Record::from(Contact::new("c", "1"))])
        .await
        .unwrap();
    assert_eq!(
        (receipt.meta.status, receipt.meta.queue_remaining),
        (202, Some(49_900))
    );
    assert_eq!(receipt.meta.queue_limit, None);
}

#[tokio::test(start_paused = true)]
async fn both_shapes_of_push_errors_are_read() {
    let body = json!([
        {"error_message": "not a valid value", "error_path": "root > lastname"},
        {"request_id": "r-1", "record_type": "contact", "record_id": "7",
         "record": {"id": "7", "@collection": "shop"}, "timestamp": "2024-01-02T03:04:05Z",
         "message": {"error_message": "not a valid value", "error_path": "root > email"}},
        {"message": "plain", "record": {"id": "8"}, "new_key": 1},
        {},
    ]);
    let errors = client(Script::new([answer(200, &body.to_string())]))
        .push_errors()
        .await
        .unwrap();
    assert_eq!(errors[0].error_path(), Some("root > lastname"));
    assert_eq!(errors[0].request_id(), None);
    assert_eq!(errors[1].known_message(), Some("not a valid value"));
    assert_eq!(errors[1].error_path(), Some("root > email"));
    assert_eq!(
        (errors[1].record_id(), errors[1].collection()),
        (Some("7"), Some("shop"))
    );
    assert_eq!(errors[1].timestamp(), "2024-01-02T03:04:05Z".parse().ok());
    assert_eq!(
        (errors[2].error_message(), errors[2].record_id()),
        (Some("plain"), Some("8"))
    );
    assert_eq!(errors[2].raw()["new_key"], 1);
    assert_eq!(errors[3].error_message(), None);
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_found_in_an_array_in_an_object_or_not_at_all() {
    for (act, found) in [
        (
            answer(
                200,
                r#"[{"id":"1","email":"a@x.example","marketing_optin":false}]"#,
            ),
            true,
        ),
        (
            answer(
                200,
                r#"{"id":"1","email":"a@x.example","marketing_optin":false}"#,
            ),
            true,
        ),
        (answer(200, "[]"), false),
        (answer(200, "{}"), false),
        (answer(200, "null"), false),
        (answer(404, ""), false),
    ] {
        let profile = client(Script::new([act]))
            .profile_by_email("a@x.example")
            .await
            .unwrap();
        let optin = profile.map(|profile| profile.marketing_optin());
        assert_eq!(optin, found.then_some(MarketingOptin::OptedOut));
    }
    let error = client(Script::new([answer(200, "[3]")]))
        .profile_by_email("a@x.example")
        .await;
    assert!(matches!(error, Err(Error::Decode { path, .. }) if path == "$[0]"));
}

#[tokio::test(start_paused = true)]
async fn consent_read_back_never_turns_an_odd_value_into_nothing_known() {
    for (value, expected) in [
        ("true", MarketingOptin::OptedIn),
        ("false", MarketingOptin::OptedOut),
        ("null", MarketingOptin::NotSpecified),
        (r#""EXPLICITLY_OPTEDOUT""#, MarketingOptin::OptedOut),
        (r#""false""#, MarketingOptin::Unrecognised),
        ("0", MarketingOptin::Unrecognised),
    ] {
        let body = format!(r#"{{"marketing_optin":{value}}}"#);
        let profile = client(Script::new([answer(200, &body)]))
            .profile("1")
            .await
            .unwrap();
        assert_eq!(profile.unwrap().marketing_optin(), expected, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_walk_goes_on_after_a_short_page_and_ends_at_an_empty_one() {
    let script = Script::new([
        answer(200, r#"[{"profile_id":"1"},{"profile_id":"2"}]"#),
        answer(200, r#"[{"profile_id":"3"}]"#),
        answer(200, "[]"),
    ]);
    let client = client(script.clone());
    let all: Vec<_> = client
        .unsubscribes_stream(ListUnsubscribes::default())
        .try_collect()
        .await
        .unwrap();
    let ids: Vec<_> = all.iter().map(|row| row.profile_id().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(script.last().uri().query(), Some("limit=250&offset=3"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_offset_does_not_walk_us_for_ever() {
    let client = client(Script::new([answer(200, r#"[{"id":"1"}]"#)]));
    let result: Result<Vec<_>, _> = client
        .profiles_stream(ListProfiles::default())
        .try_collect()
        .await;
    assert!(matches!(result, Err(Error::PagesRepeat { offset: 1, .. })));
}

#[tokio::test(start_paused = true)]
async fn the_record_endpoints_count_is_read_from_either_name() {
    let row = RecordRow {
        id: "1".into(),
        firstname: String::new(),
        lastname: String::new(),
        email: "a@x.example".into(),
        status: "subscribed".into(),
    };
    for (status, body, tolerant, good) in [
        (201, r#"{"status": "Ok", "response": 1}"#, false, true),
        (201, r#"{"content": 1, "status": "OK"}"#, false, true),
        (201, r#"{"status": "oK", "response": "1"}"#, false, true),
        (200, r#"{"status": "OK", "response": 1}"#, false, false),
        (200, r#"{"status": "OK", "response": 1}"#, true, true),
        (201, r#"{"status": "ERROR", "response": 1}"#, true, false),
        (201, r#"{"response": 1}"#, true, false),
        (201, r#"{"status": "OK", "response": 0}"#, true, false),
        (201, r#"{"status": "OK"}"#, true, false),
    ] {
        let script = Script::new([answer(status, body)]);
        let client = record_builder(script).tolerant(tolerant).build().unwrap();
        let result = client.send(std::slice::from_ref(&row)).await;
        assert_eq!(result.is_ok(), good, "{status} {body}");
        assert!(result.err().is_none_or(|error| error.is_temporary()));
    }
}
