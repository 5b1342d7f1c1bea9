use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use sync_core::{ErrorKind, JsonRecord, JsonlSink, JsonlTarget, Key, Sink, Stream};
use tempfile::TempDir;

fn record(key: &str, data: &'static str) -> JsonRecord {
    let data = Bytes::from_static(data.as_bytes());
    JsonRecord {
        stream: Arc::new(Stream::new("members")),
        key: Key::new(key),
        data,
        removed: false,
    }
}

fn sink(directory: &TempDir) -> JsonlSink {
    JsonlSink::new(JsonlTarget::Directory(directory.path().to_owned()))
}

fn lines(directory: &TempDir) -> String {
    fs::read_to_string(directory.path().join("members.jsonl")).unwrap()
}

#[tokio::test]
async fn writes_one_valid_line_for_each_record() {
    let directory = TempDir::new().unwrap();
    let mut sink = sink(&directory);
    let gone = JsonRecord {
        removed: true,
        ..record("b", "")
    };
    let odd = record("quote\"\u{1F600}", "{\n  \"a\": \"x\\ny\",\r\n \"b\":1}");
    sink.write(vec![odd, gone]).await.unwrap();
    sink.flush().await.unwrap();
    let text = lines(&directory);
    let parsed: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(parsed.len(), 2);
    assert_eq!(parsed[0]["key"], "quote\"\u{1F600}");
    assert_eq!(parsed[0]["data"], serde_json::json!({"a": "x\ny", "b": 1}));
    assert_eq!(
        parsed[1],
        serde_json::json!({"stream": "members", "key": "b", "removed": true})
    );
}

#[tokio::test]
async fn abort_cuts_back_to_the_last_flush() {
    let directory = TempDir::new().unwrap();
    let mut sink = sink(&directory);
    sink.write(vec![record("a", "{}")]).await.unwrap();
    sink.flush().await.unwrap();
    let durable = lines(&directory);
    sink.write(vec![record("b", "{}")]).await.unwrap();
    sink.abort().await;
    assert_eq!(lines(&directory), durable);
    sink.write(vec![record("c", "{}")]).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(lines(&directory).lines().count(), 2);
}

#[tokio::test]
async fn a_torn_last_line_is_cut_when_the_file_is_opened() {
    let directory = TempDir::new().unwrap();
    let long = "x".repeat(200_000);
    let torn = format!("{{\"key\":\"a\"}}\n{{\"key\":\"{long}");
    fs::write(directory.path().join("members.jsonl"), torn).unwrap();
    let mut sink = sink(&directory);
    sink.write(vec![record("b", "{}")]).await.unwrap();
    sink.flush().await.unwrap();
    let text = lines(&directory);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("{\"key\":\"a\"}\n{\"stream\""));
}

#[tokio::test]
async fn a_stream_name_cannot_leave_the_directory() {
    let directory = TempDir::new().unwrap();
    let mut sink = sink(&directory);
    let escape = JsonRecord {
        stream: Arc::new(Stream::new("../members")),
        ..record("a", "{}")
    };
    let error = sink.write(vec![escape]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_target_that_cannot_be_written_fails_the_check() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let sink = JsonlSink::new(JsonlTarget::Directory(file.join("below")));
    let error = sink.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_lines() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let mut sink = sink(&directory);
    sink.write(vec![record("a", "{}")]).await.unwrap();
    sink.flush().await.unwrap();
    let metadata = fs::metadata(directory.path().join("members.jsonl")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}
