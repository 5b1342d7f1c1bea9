//! The promises of every sink, in every format, on a disk and on a server that speaks the protocol of S3.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::{JsonRecord, Key, Stream};
use sync_object_store::{Compression, FileSettings, FileSink, Format};
use sync_testkit::{ManualClock, SinkTrial, sink};

use crate::place::TestPlace;
use crate::reader;

struct Files {
    place: TestPlace,
    format: Format,
    /// So little that records go through the scratch directory.
    memory: usize,
}

#[async_trait]
impl SinkTrial for Files {
    type Record = JsonRecord;
    type Sink = FileSink;

    async fn open(&self) -> FileSink {
        let settings = FileSettings {
            format: self.format,
            memory: self.memory,
            ..FileSettings::default()
        };
        // A clock that stands still: order must not depend on it.
        let clock = Arc::new(ManualClock::at_seconds(1_700_000_000));
        FileSink::new(self.place.place.clone(), settings, clock)
    }

    fn record(&self, key: &str, version: u32) -> JsonRecord {
        let data = serde_json::json!({ "version": version, "nested": {"text": key} });
        JsonRecord {
            stream: Arc::new(Stream::new("members")),
            key: Key::new(key),
            data: Bytes::from(data.to_string()),
            removed: false,
        }
    }

    fn removal(&self, key: &str) -> Option<JsonRecord> {
        Some(JsonRecord {
            data: Bytes::new(),
            removed: true,
            ..self.record(key, 0)
        })
    }

    fn unacceptable(&self, key: &str) -> Option<JsonRecord> {
        Some(JsonRecord {
            data: Bytes::from_static(b"[1]"),
            ..self.record(key, 0)
        })
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        let objects = self.place.objects().await;
        let newest = reader::newest(reader::counted(&objects, "members"));
        let versions = newest.into_iter().map(|(key, row)| {
            let version = row.raw.expect("a record")["version"].as_u64();
            (
                Key::new(key),
                u32::try_from(version.expect("a version")).expect("a version"),
            )
        });
        versions.collect()
    }
}

async fn conforms(format: Format, memory: usize) {
    sink::conformance(async || Files {
        place: TestPlace::on_disk(),
        format,
        memory,
    })
    .await;
}

async fn conforms_on_s3(format: Format, test: &str) {
    if TestPlace::on_s3(test).is_none() {
        return;
    }
    sink::conformance(async || Files {
        place: TestPlace::on_s3(test).expect("a server"),
        format,
        memory: 1 << 20,
    })
    .await;
}

#[tokio::test]
async fn parquet_on_disk_keeps_the_promises() {
    conforms(Format::Parquet, 1 << 20).await;
}

#[tokio::test]
async fn parquet_on_disk_keeps_the_promises_when_nothing_fits_into_memory() {
    conforms(Format::Parquet, 1).await;
}

#[tokio::test]
async fn plain_lines_on_disk_keep_the_promises() {
    conforms(Format::Jsonl(Compression::None), 1 << 20).await;
}

#[tokio::test]
async fn gzip_lines_on_disk_keep_the_promises() {
    conforms(Format::Jsonl(Compression::Gzip), 1 << 20).await;
}

#[tokio::test]
async fn zstd_lines_on_disk_keep_the_promises() {
    conforms(Format::Jsonl(Compression::Zstd), 1 << 10).await;
}

#[tokio::test]
async fn parquet_on_s3_keeps_the_promises() {
    conforms_on_s3(Format::Parquet, "conformance-parquet").await;
}

#[tokio::test]
async fn zstd_lines_on_s3_keep_the_promises() {
    conforms_on_s3(Format::Jsonl(Compression::Zstd), "conformance-lines").await;
}
