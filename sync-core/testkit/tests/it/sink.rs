use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::{JsonRecord, JsonlSink, JsonlTarget, Key, MemorySink, MemorySinkHandle, Stream};
use sync_testkit::{FaultPlan, FaultySink, SinkTrial, TestRecord, sink};
use tempfile::TempDir;

struct InMemory(MemorySinkHandle<TestRecord>);

#[async_trait]
impl SinkTrial for InMemory {
    type Record = TestRecord;
    type Sink = FaultySink<MemorySink<TestRecord>>;

    async fn open(&self) -> Self::Sink {
        FaultySink::new(MemorySink::for_handle(&self.0), FaultPlan::none())
    }

    fn record(&self, key: &str, version: u32) -> TestRecord {
        TestRecord::new(key, version.to_string())
    }

    /// It keeps records and knows no removals.
    fn removal(&self, _key: &str) -> Option<TestRecord> {
        None
    }

    fn unacceptable(&self, _key: &str) -> Option<TestRecord> {
        None
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        let records = self.0.records().into_iter();
        records
            .map(|(key, record)| (key, record.value.parse().expect("a version")))
            .collect()
    }
}

#[tokio::test]
async fn the_sink_in_memory_and_a_wrapper_that_never_fails_keep_the_promises() {
    sink::conformance(async || InMemory(MemorySink::new().1)).await;
}

struct Lines(TempDir);

impl Lines {
    fn path(&self) -> PathBuf {
        self.0.path().join("members.jsonl")
    }
}

#[async_trait]
impl SinkTrial for Lines {
    type Record = JsonRecord;
    type Sink = JsonlSink;

    async fn open(&self) -> JsonlSink {
        JsonlSink::new(JsonlTarget::Directory(self.0.path().to_owned()))
    }

    fn record(&self, key: &str, version: u32) -> JsonRecord {
        let data = Bytes::from(serde_json::json!({ "version": version }).to_string());
        JsonRecord {
            stream: Arc::new(Stream::new("members")),
            key: Key::new(key),
            data,
            removed: false,
        }
    }

    fn removal(&self, key: &str) -> Option<JsonRecord> {
        let (stream, key) = (Arc::new(Stream::new("members")), Key::new(key));
        Some(JsonRecord {
            stream,
            key,
            data: Bytes::new(),
            removed: true,
        })
    }

    fn unacceptable(&self, _key: &str) -> Option<JsonRecord> {
        None
    }

    /// Of several lines with one key the last holds.
    async fn durable(&self) -> BTreeMap<Key, u32> {
        let mut versions = BTreeMap::new();
        let text = match std::fs::read_to_string(self.path()) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(cause) => panic!("{cause}"),
        };
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            let key = Key::new(line["key"].as_str().expect("a key"));
            if let Some(version) = line["data"]["version"].as_u64() {
                versions.insert(key, u32::try_from(version).expect("a version"));
            } else {
                assert_eq!(line["removed"], true);
                versions.remove(&key);
            }
        }
        versions
    }
}

#[tokio::test]
async fn the_sink_of_json_lines_keeps_its_promises() {
    sink::conformance(async || Lines(tempfile::tempdir().expect("a directory"))).await;
}
