//! What every sink, and every sink into a warehouse, promises.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use sync_core::table::Column;
use sync_core::{FieldType, JsonRecord, Key, Readback};
use sync_postgres::PostgresSink;
use sync_testkit::SinkTrial;
use sync_testkit::warehouse::{Cells, WarehouseTrial};

use crate::records::{raw, record, removal, stream};
use crate::server::Place;

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink() {
    if Place::fresh().await.is_some() {
        sync_testkit::sink::conformance(async || Place::fresh().await.unwrap()).await;
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink_when_a_batch_is_small() {
    if Place::fresh().await.is_some() {
        sync_testkit::sink::conformance(async || {
            let mut place = Place::fresh().await.unwrap();
            place.settings.batch_records = 3;
            place
        })
        .await;
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_warehouse() {
    if Place::fresh().await.is_some() {
        sync_testkit::warehouse::conformance(async || Place::fresh().await.unwrap()).await;
    }
}

#[async_trait]
impl SinkTrial for Place {
    type Record = JsonRecord;
    type Sink = PostgresSink;

    async fn open(&self) -> PostgresSink {
        self.sink()
    }

    fn record(&self, key: &str, version: u32) -> JsonRecord {
        record(&stream("members"), key, &json!({ "version": version }))
    }

    fn removal(&self, key: &str) -> Option<JsonRecord> {
        Some(removal(&stream("members"), key))
    }

    fn unacceptable(&self, key: &str) -> Option<JsonRecord> {
        Some(raw(&stream("members"), key, "[\"no object\"]"))
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        if self.columns("members").await.is_empty() {
            return BTreeMap::new();
        }
        let select = format!(
            "SELECT _key, version FROM {} WHERE _deleted_at IS NULL",
            self.table("members")
        );
        let rows = self.admin.query(&select, &[]).await.unwrap();
        rows.iter()
            .map(|row| {
                let version: i64 = row.get(1);
                (Key::new(row.get::<_, &str>(0)), version.try_into().unwrap())
            })
            .collect()
    }
}

#[async_trait]
impl WarehouseTrial for Place {
    type Sink = PostgresSink;

    async fn open(&self) -> PostgresSink {
        self.sink()
    }

    async fn readback(&self) -> Box<dyn Readback> {
        Box::new(self.warehouse().readback())
    }

    async fn columns(&self, table: &str) -> Vec<Column> {
        let rows = self
            .admin
            .query(
                "SELECT column_name::text, data_type::text FROM information_schema.columns \
                 WHERE table_schema = $1 AND table_name = $2 AND column_name NOT LIKE '\\_%' \
                 ORDER BY ordinal_position",
                &[&self.settings.schema, &table],
            )
            .await
            .unwrap();
        rows.iter()
            .map(|row| Column {
                name: named(row.get(0)),
                holds: match row.get(1) {
                    "boolean" => FieldType::Boolean,
                    "bigint" => FieldType::Integer,
                    "double precision" => FieldType::Number,
                    "date" => FieldType::Date,
                    "timestamp with time zone" => FieldType::Timestamp,
                    "text" => FieldType::Text,
                    "jsonb" => FieldType::Json,
                    other => panic!("a column of type {other}"),
                },
            })
            .collect()
    }

    async fn row(&self, table: &str, key: &str) -> Option<Cells> {
        // The server cannot make one JSON of a raw record that it would refuse as `jsonb`, so that goes beside it.
        let columns = self
            .admin
            .query_one(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns \
                 WHERE table_schema = $1 AND table_name = $2 AND column_name <> '_raw'",
                &[&self.settings.schema, &table],
            )
            .await
            .unwrap();
        let columns: Option<&str> = columns.get(0);
        let select = format!(
            "SELECT row_to_json(r)::text, (SELECT _raw::text FROM {table} WHERE _key = $1) \
             FROM (SELECT {} FROM {table} WHERE _key = $1) r",
            columns?,
            table = self.table(table),
        );
        let row = self.admin.query_opt(&select, &[&key]).await.unwrap()?;
        let cells: Cells = serde_json::from_str(row.get(0)).unwrap();
        let mut cells: Cells = cells
            .into_iter()
            .map(|(name, value)| (named(&name), value))
            .collect();
        cells.insert("_raw".to_owned(), Value::String(row.get(1)));
        Some(cells)
    }

    async fn count(&self, table: &str) -> usize {
        let count = self.ask(table, "SELECT count(*) FROM {}").await.unwrap();
        count.parse().unwrap()
    }

    async fn drop_table(&self, table: &str) {
        self.run(table, "DROP TABLE {}").await;
    }

    async fn add_text_column(&self, table: &str, column: &str, value: &str) {
        let sql = format!(
            "ALTER TABLE {{}} ADD COLUMN {column} text; UPDATE {{}} SET {column} = '{value}'"
        );
        self.run(table, &sql).await;
    }

    fn operators_column(&self) -> &'static str {
        "_note"
    }
}

/// A column's name without what was added because the server has such a column already.
fn named(column: &str) -> String {
    column.strip_suffix('_').unwrap_or(column).to_owned()
}
