//! What a sink does when its place does not work: the error says what to do, and nothing half is seen.

use std::io::ErrorKind as IoKind;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use sync_core::{Error, ErrorKind, JsonRecord, Key, Retry, Sink, Stream};
use sync_object_store::object_store::memory::InMemory;
use sync_object_store::{Compression, FileSettings, FileSink, Format, Place, StoreSettings};
use sync_testkit::ManualClock;
use wiremock::matchers::{method, query_param, query_param_contains};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::place::{TestPlace, s3_settings};
use crate::reader;
use crate::store::{FailingStore, Fault};

fn record(key: &str, bytes: usize) -> JsonRecord {
    // Text that no compression makes small.
    let text: String = (0..bytes).map(|_| fastrand::alphanumeric()).collect();
    JsonRecord {
        stream: Arc::new(Stream::new("members")),
        key: Key::new(key),
        data: Bytes::from(json!({ "text": text }).to_string()),
        removed: false,
    }
}

fn sink_on(place: Place) -> FileSink {
    let settings = FileSettings {
        format: Format::Jsonl(Compression::None),
        ..FileSettings::default()
    };
    FileSink::new(
        place,
        settings,
        Arc::new(ManualClock::at_seconds(1_700_000_000)),
    )
}

async fn deliver(place: Place, records: Vec<JsonRecord>) -> Result<(), Error> {
    let mut sink = sink_on(place);
    sink.write(records).await?;
    sink.flush().await?;
    Ok(())
}

/// The place of an object store that a test plays.
fn s3(server: &MockServer) -> Place {
    Place::open("s3://tests/prefix", &s3_settings(&server.uri())).expect("a place")
}

const NOTHING: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

/// A server with nothing in its bucket.
async fn empty() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(query_param("list-type", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_string(NOTHING))
        .mount(&server)
        .await;
    server
}

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(format!(
        "<Error><Code>{code}</Code><Message>for test-secret</Message></Error>"
    ))
}

#[tokio::test]
async fn refusals_of_a_store_say_what_to_do_and_nothing_secret() {
    let table = [
        (404, "NoSuchBucket", ErrorKind::Missing, "no such bucket"),
        (403, "AccessDenied", ErrorKind::Denied, "may not do this"),
        (403, "InvalidAccessKeyId", ErrorKind::Denied, "credential"),
        (503, "SlowDown", ErrorKind::Unavailable, "fewer requests"),
        (
            500,
            "InternalError",
            ErrorKind::Unavailable,
            "the store fails",
        ),
    ];
    for (status, code, kind, words) in table {
        let server = empty().await;
        let refused = Mock::given(method("PUT")).respond_with(refusal(status, code));
        refused.mount(&server).await;
        let error = deliver(s3(&server), vec![record("a", 10)])
            .await
            .expect_err("refused");
        let chain = error.chain();
        assert_eq!(error.kind(), kind, "{chain}");
        assert!(chain.contains(words) && chain.contains(code), "{chain}");
        assert!(chain.contains("members/date_=2023-11-14/"), "{chain}");
        let debug = format!("{error:?}");
        for secret in ["test-secret", &server.uri(), "Credential"] {
            assert!(!debug.contains(secret), "{debug}");
        }
        if kind == ErrorKind::Unavailable {
            assert_eq!(error.retry(), Retry::Exhausted);
            let puts = server.received_requests().await.expect("requests");
            let puts = puts
                .iter()
                .filter(|request| request.method == http::Method::PUT)
                .count();
            assert_eq!(puts, 3, "two retries were allowed");
        }
    }
}

#[tokio::test]
async fn a_check_finds_a_bucket_that_is_not_there() {
    let server = MockServer::start().await;
    let missing = Mock::given(method("GET")).respond_with(refusal(404, "NoSuchBucket"));
    missing.mount(&server).await;
    let error = sink_on(s3(&server)).check().await.expect_err("no bucket");
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
}

#[tokio::test]
async fn a_store_that_recovers_is_asked_again() {
    let server = empty().await;
    let first = Mock::given(method("PUT")).respond_with(refusal(503, "SlowDown"));
    first.up_to_n_times(1).mount(&server).await;
    let then = ResponseTemplate::new(200).insert_header("ETag", "\"1\"");
    Mock::given(method("PUT"))
        .respond_with(then)
        .mount(&server)
        .await;
    deliver(s3(&server), vec![record("a", 10)])
        .await
        .expect("delivered");
}

const BEGUN: &str =
    "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";

/// A server that begins an upload and refuses its second part.
async fn half() -> MockServer {
    let server = empty().await;
    Mock::given(method("POST"))
        .and(query_param_contains("uploads", ""))
        .respond_with(ResponseTemplate::new(200).set_body_string(BEGUN))
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(query_param("partNumber", "1"))
        .respond_with(ResponseTemplate::new(200).insert_header("ETag", "\"1\""))
        .mount(&server)
        .await;
    server
}

/// How many requests took the upload back, once one did; and that none finished it.
async fn taken_back(server: &MockServer) -> usize {
    loop {
        let requests = server.received_requests().await.expect("requests");
        let of_upload = |wanted: http::Method| {
            let query = |request: &&wiremock::Request| {
                request
                    .url
                    .query()
                    .is_some_and(|query| query.contains("uploadId=u1"))
            };
            let requests = requests.iter().filter(query);
            requests.filter(|request| request.method == wanted).count()
        };
        assert_eq!(of_upload(http::Method::POST), 0, "it was not finished");
        if of_upload(http::Method::DELETE) > 0 {
            return of_upload(http::Method::DELETE);
        }
        // The upload is taken back in the background. Should it not be, the test never ends.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_upload_that_fails_between_its_parts_is_taken_back() {
    let server = half().await;
    Mock::given(method("PUT"))
        .respond_with(refusal(500, "InternalError"))
        .mount(&server)
        .await;
    let aborted = Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204));
    aborted.mount(&server).await;
    let error = deliver(s3(&server), vec![record("a", 20 << 20)])
        .await
        .expect_err("half");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(taken_back(&server).await, 1);
}

#[tokio::test]
async fn an_upload_that_is_dropped_between_its_parts_is_taken_back() {
    let server = half().await;
    let (arrived, mut second) = tokio::sync::mpsc::unbounded_channel();
    let slow = move |_: &wiremock::Request| {
        let _ = arrived.send(());
        ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(3600))
    };
    Mock::given(method("PUT"))
        .respond_with(slow)
        .mount(&server)
        .await;
    let aborted = Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204));
    aborted.mount(&server).await;
    tokio::select! {
        done = deliver(s3(&server), vec![record("a", 20 << 20)]) => panic!("{done:?}"),
        part = second.recv() => part.expect("the second part arrives"),
    }
    assert_eq!(taken_back(&server).await, 1);
}

#[tokio::test]
async fn a_file_of_many_parts_arrives_on_s3() {
    let Some(place) = TestPlace::on_s3("parts") else {
        return;
    };
    let records: Vec<_> = (0..25).map(|n| record(&n.to_string(), 1 << 20)).collect();
    deliver(place.place.clone(), records)
        .await
        .expect("delivered");
    assert_eq!(reader::counted(&place.objects().await, "members").len(), 25);
}

#[tokio::test]
async fn a_full_disk_is_named_and_the_interval_can_be_replayed() {
    let memory = Arc::new(InMemory::new());
    for (cause, words) in [
        (IoKind::StorageFull, "the disk is full"),
        (IoKind::QuotaExceeded, "the disk is full"),
        (IoKind::PermissionDenied, "permission denied"),
        (IoKind::ReadOnlyFilesystem, "read-only"),
    ] {
        let store = FailingStore::after(memory.clone(), 1, Fault::Before).with(cause);
        let mut sink = sink_on(Place::on(Arc::new(store), "", "memory://"));
        sink.write(vec![record("a", 10)]).await.expect("write");
        sink.flush().await.expect("the first file fits");
        sink.write(vec![record("b", 10)]).await.expect("write");
        let error = sink.flush().await.expect_err("full");
        assert_eq!(error.kind(), ErrorKind::State, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        sink.abort().await;
        let found = reader::counted(&reader::objects(&*memory, "").await, "members");
        assert!(
            found.iter().all(|row| row.key == "a"),
            "nothing of the second interval"
        );
    }
    deliver(
        Place::on(memory.clone(), "", "memory://"),
        vec![record("b", 10)],
    )
    .await
    .expect("replayed");
    let found = reader::newest(reader::counted(
        &reader::objects(&*memory, "").await,
        "members",
    ));
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn an_interval_of_several_streams_that_fails_half_way_is_replayed_whole() {
    let memory = Arc::new(InMemory::new());
    let of = |stream: &str, version: u32| JsonRecord {
        stream: Arc::new(Stream::new(stream)),
        data: json!({ "version": version }).to_string().into(),
        ..record("a", 1)
    };
    let store = FailingStore::after(memory.clone(), 1, Fault::Before);
    let mut sink = sink_on(Place::on(Arc::new(store), "", "memory://"));
    sink.write(vec![of("members", 1), of("campaigns", 1)])
        .await
        .expect("write");
    sink.flush().await.expect_err("the second stream's file");
    sink.abort().await;
    let again = vec![of("members", 1), of("campaigns", 1), of("members", 2)];
    deliver(Place::on(memory.clone(), "", "memory://"), again)
        .await
        .expect("replayed");
    let objects = reader::objects(&*memory, "").await;
    for (stream, version) in [("members", 2), ("campaigns", 1)] {
        let newest = reader::newest(reader::counted(&objects, stream));
        assert_eq!(newest["a"].raw, Some(json!({ "version": version })));
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    let url = format!("files:{}/below", file.display());
    let error = Place::open(&url, &StoreSettings::default()).expect_err("a file is in the way");
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(
        error.to_string().contains("a part of the path is a file"),
        "{error}"
    );
}

#[tokio::test]
async fn a_directory_that_is_gone_is_made_again_or_named() {
    let place = TestPlace::on_disk();
    std::fs::remove_dir_all(place.path()).expect("removed");
    let error = sink_on(place.place.clone())
        .check()
        .await
        .expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::State, "{error}");
}

#[tokio::test]
async fn a_scratch_directory_that_is_missing_is_named() {
    let settings = FileSettings {
        memory: 1,
        scratch: Some("/nowhere/at/all".into()),
        ..FileSettings::default()
    };
    let place = Place::on(Arc::new(InMemory::new()), "", "memory://");
    let mut sink = FileSink::new(place, settings, Arc::new(ManualClock::at_seconds(0)));
    let error = sink
        .write(vec![record("a", 10)])
        .await
        .expect_err("no scratch directory");
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("scratch directory"), "{error}");
}
