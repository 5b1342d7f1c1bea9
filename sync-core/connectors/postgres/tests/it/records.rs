//! Records as the tests write them.

use std::sync::Arc;

use serde_json::Value;
use sync_core::{JsonRecord, Key, Report, Sink, Stream};
use sync_postgres::PostgresSink;

pub(crate) fn stream(name: &str) -> Arc<Stream> {
    Arc::new(Stream::new(name))
}

pub(crate) fn record(stream: &Arc<Stream>, key: &str, data: &Value) -> JsonRecord {
    raw(stream, key, &data.to_string())
}

/// A record with these bytes.
pub(crate) fn raw(stream: &Arc<Stream>, key: &str, data: &str) -> JsonRecord {
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(key),
        data: data.to_owned().into(),
        removed: false,
    }
}

pub(crate) fn removal(stream: &Arc<Stream>, key: &str) -> JsonRecord {
    JsonRecord {
        removed: true,
        ..raw(stream, key, "")
    }
}

/// Writes and flushes; everything must be taken.
pub(crate) async fn deliver(sink: &mut PostgresSink, records: Vec<JsonRecord>) {
    for report in [
        sink.write(records).await.unwrap(),
        sink.flush().await.unwrap(),
    ] {
        assert_eq!(report, Report::default());
    }
}
