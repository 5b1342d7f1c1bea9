//! The promises of every sink.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use sync_core::{JsonRecord, Key, Stream};
use sync_snowflake::SnowflakeSink;
use sync_testkit::SinkTrial;

use crate::fake::{self, Fake};

struct Trial {
    fake: Fake,
    statement_bytes: usize,
}

#[async_trait]
impl SinkTrial for Trial {
    type Record = JsonRecord;
    type Sink = SnowflakeSink;

    async fn open(&self) -> SnowflakeSink {
        let mut settings = self.fake.settings();
        settings.statement_bytes = self.statement_bytes;
        fake::sink(&settings)
    }

    fn record(&self, key: &str, version: u32) -> JsonRecord {
        fake::record(&members(), key, &json!({ "version": version }))
    }

    fn removal(&self, key: &str) -> Option<JsonRecord> {
        Some(fake::removal(&members(), key))
    }

    fn unacceptable(&self, key: &str) -> Option<JsonRecord> {
        let record = fake::record(&members(), key, &json!({}));
        Some(JsonRecord {
            data: Bytes::from_static(b"[]"),
            ..record
        })
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        let live = "SELECT _KEY, VERSION::VARCHAR FROM MEMBERS WHERE _DELETED_AT IS NULL";
        let Ok(rows) = self.fake.try_query(live).await else {
            assert!(self.fake.tables().await.is_empty(), "the table can be read");
            return BTreeMap::new();
        };
        let cell = |cell: &Option<String>| cell.clone().unwrap();
        rows.iter()
            .map(|row| (Key::new(cell(&row[0])), cell(&row[1]).parse().unwrap()))
            .collect()
    }
}

fn members() -> Arc<Stream> {
    Arc::new(Stream::new("members"))
}

#[tokio::test]
async fn the_sink_keeps_every_promise() {
    if Fake::find().is_none() {
        return;
    }
    sync_testkit::sink::conformance(async || Trial {
        fake: Fake::find().unwrap(),
        statement_bytes: 6 * 1024 * 1024,
    })
    .await;
}

#[tokio::test]
async fn the_sink_keeps_every_promise_when_statements_are_small() {
    if Fake::find().is_none() {
        return;
    }
    sync_testkit::sink::conformance(async || Trial {
        fake: Fake::find().unwrap(),
        statement_bytes: 64 * 1024,
    })
    .await;
}
