//! What becomes of answers that a test writes itself.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use mailchimp_client::{
    Client, RetryPolicy, Transport, TransportError, TransportErrorKind, TransportResponse,
};
use sync_core::{Error, ErrorKind, Position, Retry, Source};
use sync_mailchimp::{AudienceSettings, AudienceSource};

use crate::api::{Delivered, LIST, clock};

const PROBLEM: &str = r#"{"type":"about:blank","title":"Resource Not Found","status":404,
    "detail":"nobody@mail.test is unknown","instance":"i"}"#;

type Answer = Result<(u16, String), TransportErrorKind>;

/// Answers by path and query.
struct Scripted<F>(F);

impl<F> fmt::Debug for Scripted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl<F: Fn(&str) -> Answer + Send + Sync> Transport for Scripted<F> {
    async fn send(&self, request: loopback::Request) -> Result<TransportResponse, TransportError> {
        let asked = request
            .uri()
            .path_and_query()
            .map(|asked| asked.as_str().to_owned());
        let (status, body) = self.0(&asked.unwrap_or_default()).map_err(TransportError::new)?;
        let status = status.try_into().expect("a status");
        Ok(TransportResponse::full(status, HeaderMap::new(), body))
    }
}

fn source(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> AudienceSource {
    let client = Client::builder("0123-us6")
        .transport(Arc::new(Scripted(answer)))
        .retry(RetryPolicy::never())
        .build()
        .expect("a client");
    let clock = clock();
    AudienceSource::new(
        client,
        LIST,
        AudienceSettings::default(),
        Arc::new(move || clock()),
    )
    .expect("a source")
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_its_kind() {
    let table = [
        (Ok((404, PROBLEM)), ErrorKind::Missing),
        (Ok((401, PROBLEM)), ErrorKind::Denied),
        (Ok((403, PROBLEM)), ErrorKind::Denied),
        (Ok((403, "<html>")), ErrorKind::Unavailable),
        (Ok((429, "")), ErrorKind::Unavailable),
        (Ok((500, PROBLEM)), ErrorKind::Unavailable),
        (Ok((504, "<html>")), ErrorKind::Unavailable),
        (Ok((400, PROBLEM)), ErrorKind::Invalid),
        (Ok((302, "")), ErrorKind::Invalid),
        (Ok((200, "<html>")), ErrorKind::Invalid),
        (Ok((200, "[1]")), ErrorKind::Invalid),
        (Err(TransportErrorKind::Connect), ErrorKind::Unavailable),
        (Err(TransportErrorKind::Timeout), ErrorKind::Unavailable),
        (Err(TransportErrorKind::Reset), ErrorKind::Unavailable),
        (Err(TransportErrorKind::Body), ErrorKind::Unavailable),
    ];
    for (answer, kind) in table {
        let source = source(move |_| answer.map(|(status, body)| (status, body.to_owned())));
        let checked = source.check().await.expect_err("it is an error");
        let fetched = source.fetch(&[sync_core::Key::new("k")]).await;
        let mut errors: Vec<Error> = vec![checked];
        // For a single member, the API's own 404 is an answer, and so is any object with an id.
        errors.extend(fetched.err());
        for error in errors {
            assert_eq!(error.kind(), kind, "{answer:?}: {}", error.chain());
            assert_eq!(
                error.retry() == Retry::Never,
                kind != ErrorKind::Unavailable,
                "{answer:?}: {error:?}"
            );
            assert!(error.to_string().contains(LIST), "{error}");
            let shown = format!("{} {error:?}", error.chain());
            assert!(!shown.contains("mail.test"), "{shown}");
        }
    }
}

/// Answers the audience itself, its listed members with these rows, and no archived ones.
fn listing(rows: &'static str, count: u64) -> impl Fn(&str) -> Answer + Send + Sync {
    move |asked| {
        let body = if !asked.contains("/members") {
            format!(r#"{{"id":"{LIST}"}}"#)
        } else if asked.contains("status=archived") {
            r#"{"members":[],"total_items":0}"#.to_owned()
        } else {
            format!(r#"{{"members":[{rows}],"total_items":{count}}}"#)
        };
        Ok((200, body))
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_without_any_id_is_reported_and_left_open_and_the_others_arrive() {
    let rows = r#"{"id":"a","last_changed":"2026-01-01T00:00:00Z"},
        {"email_address":"nobody@mail.test","last_changed":"2026-01-02T00:00:00Z"},
        {"id":"c","last_changed":"2026-01-03T00:00:00Z"}"#;
    let mut delivered = Delivered::default();
    delivered.read(&source(listing(rows, 3))).await;
    let mut ids: Vec<&str> = delivered.rows.keys().map(String::as_str).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "c"]);
    let [failure] = &delivered.failures[..] else {
        panic!("{:?}", delivered.failures)
    };
    assert_eq!(failure.error.kind(), ErrorKind::Invalid);
    assert!(
        failure.part.contains("2026-01-02T00:00:00Z"),
        "{}",
        failure.part
    );
    assert!(failure.error.context().any(|pair| pair == ("members", "1")));
    let complete = delivered.cursor.and_then(|cursor| cursor.complete_until);
    assert_eq!(complete, "2026-01-01T23:59:59Z".parse().ok());
}

#[tokio::test(start_paused = true)]
async fn a_member_that_does_not_say_when_it_changed_is_delivered() {
    let rows = r#"{"id":"a","last_changed":"2026-01-01T00:00:00Z"},{"id":"b","last_changed":""}"#;
    let mut delivered = Delivered::default();
    delivered.read(&source(listing(rows, 2))).await;
    assert!(delivered.rows.contains_key("b"));
    assert!(delivered.failures.is_empty(), "{:?}", delivered.failures);
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_any_time_is_a_failure_and_no_endless_read() {
    let mut delivered = Delivered::default();
    delivered
        .read(&source(listing(r#"{"id":"a"},{"id":"b"}"#, 2)))
        .await;
    let [failure] = &delivered.failures[..] else {
        panic!("{:?}", delivered.failures)
    };
    assert!(
        failure.error.to_string().contains("last_changed"),
        "{}",
        failure.error
    );
}

#[tokio::test(start_paused = true)]
async fn a_credential_refused_while_reading_ends_the_read() {
    let members = listing("", 0);
    let source = source(move |asked| {
        if asked.contains("/members") {
            Ok((401, PROBLEM.to_owned()))
        } else {
            members(asked)
        }
    });
    source.check().await.expect("the audience exists");
    let mut reader = source.read(Position::Start).expect("a position");
    let error = reader.next_batch().await.expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(
        reader.next_batch().await.is_err(),
        "a failed read does not look finished"
    );
}
