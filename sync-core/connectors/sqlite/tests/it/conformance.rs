use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use sync_core::table::Column;
use sync_core::{FieldType, JsonRecord, Key, Readback, Stream};
use sync_sqlite::SqliteSink;
use sync_testkit::warehouse::Cells;
use sync_testkit::{SinkTrial, WarehouseTrial, sink, warehouse};

use crate::bench::Bench;

struct Trial(Bench);

impl Trial {
    fn declared(&self, table: &str) -> Vec<(String, String)> {
        let connection = self.0.look();
        let mut statement = connection
            .prepare("SELECT name, type FROM pragma_table_info(?1)")
            .expect("SQLite answers");
        let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("SQLite answers")
            .collect::<Result<_, _>>()
            .expect("SQLite answers")
    }
}

fn holds(declared: &str) -> FieldType {
    match declared {
        "BOOLEAN" => FieldType::Boolean,
        "INTEGER" => FieldType::Integer,
        "REAL" => FieldType::Number,
        "DATE" => FieldType::Date,
        "TIMESTAMP" => FieldType::Timestamp,
        "JSON TEXT" => FieldType::Json,
        _ => FieldType::Text,
    }
}

#[async_trait]
impl WarehouseTrial for Trial {
    type Sink = SqliteSink;

    async fn open(&self) -> SqliteSink {
        self.0.warehouse.sink()
    }

    async fn readback(&self) -> Box<dyn Readback> {
        Box::new(self.0.warehouse.readback())
    }

    async fn columns(&self, table: &str) -> Vec<Column> {
        let columns = self.declared(table).into_iter();
        columns
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, declared)| Column {
                name,
                holds: holds(&declared),
            })
            .collect()
    }

    async fn row(&self, table: &str, key: &str) -> Option<Cells> {
        let columns = self.declared(table);
        if columns.is_empty() {
            return None;
        }
        let connection = self.0.look();
        let mut statement = connection
            .prepare(&format!("SELECT * FROM \"{table}\" WHERE _key = ?1"))
            .expect("SQLite answers");
        let mut rows = statement.query([key]).expect("SQLite answers");
        let row = rows.next().expect("SQLite answers")?;
        let cells = columns.iter().enumerate().map(|(place, (name, declared))| {
            let text = |text: &[u8]| {
                std::str::from_utf8(text)
                    .expect("SQLite answers")
                    .to_owned()
            };
            let cell = match (row.get_ref(place).expect("SQLite answers"), holds(declared)) {
                (ValueRef::Null, _) => Value::Null,
                (ValueRef::Integer(value), FieldType::Boolean) => json!(value != 0),
                (ValueRef::Integer(value), _) => json!(value),
                (ValueRef::Real(value), _) => json!(value),
                (ValueRef::Text(json), FieldType::Json) => {
                    serde_json::from_slice(json).expect("SQLite answers")
                }
                (ValueRef::Text(value), _) => json!(text(value)),
                (ValueRef::Blob(_), _) => panic!("no column holds bytes"),
            };
            (name.clone(), cell)
        });
        Some(cells.collect())
    }

    async fn count(&self, table: &str) -> usize {
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        let count: i64 = self
            .0
            .look()
            .query_row(&sql, [], |row| row.get(0))
            .expect("SQLite answers");
        usize::try_from(count).expect("SQLite answers")
    }

    async fn drop_table(&self, table: &str) {
        let sql = format!("DROP TABLE \"{table}\"");
        self.0.look().execute_batch(&sql).expect("SQLite answers");
    }

    async fn add_text_column(&self, table: &str, column: &str, value: &str) {
        let connection = self.0.look();
        connection
            .execute_batch(&format!("ALTER TABLE \"{table}\" ADD COLUMN {column} TEXT"))
            .expect("SQLite answers");
        connection
            .execute(&format!("UPDATE \"{table}\" SET {column} = ?1"), [value])
            .expect("SQLite answers");
    }
}

#[async_trait]
impl SinkTrial for Trial {
    type Record = JsonRecord;
    type Sink = SqliteSink;

    async fn open(&self) -> SqliteSink {
        self.0.warehouse.sink()
    }

    fn record(&self, key: &str, version: u32) -> JsonRecord {
        JsonRecord {
            stream: Arc::new(Stream::new("members").with("version", FieldType::Integer)),
            key: Key::new(key),
            data: Bytes::from(json!({ "version": version }).to_string()),
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
        if self.declared("members").is_empty() {
            return BTreeMap::new();
        }
        let connection = self.0.look();
        let mut statement = connection
            .prepare("SELECT _key, version FROM members WHERE _deleted_at IS NULL")
            .expect("SQLite answers");
        let rows = statement.query_map([], |row| {
            Ok((Key::new(row.get::<_, String>(0)?), row.get(1)?))
        });
        rows.expect("SQLite answers")
            .collect::<Result<_, _>>()
            .expect("SQLite answers")
    }
}

#[tokio::test]
async fn the_sink_keeps_its_promises() {
    sink::conformance(async || Trial(Bench::new())).await;
}

#[tokio::test]
async fn the_sink_keeps_the_promises_of_a_warehouse() {
    warehouse::conformance(async || Trial(Bench::new())).await;
}
