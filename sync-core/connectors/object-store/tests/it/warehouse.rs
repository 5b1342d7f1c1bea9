//! What a table of files looks like once it is compacted: as one in any other warehouse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use parquet::basic::{LogicalType, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use sync_core::table::Column;
use sync_core::{FieldType, Readback};
use sync_object_store::{Compactor, FileReadback, FileSettings, FileSink};
use sync_testkit::ManualClock;
use sync_testkit::warehouse::{self, Cells, WarehouseTrial};

use crate::place::TestPlace;
use crate::reader;

struct Tables {
    place: TestPlace,
}

impl Tables {
    /// The one file of a table.
    async fn file(&self, table: &str) -> Option<Bytes> {
        let settings = FileSettings {
            keep_replaced: Duration::ZERO,
            ..FileSettings::default()
        };
        let clock = Arc::new(ManualClock::at_seconds(1_700_000_000));
        let compactor = Compactor::new(self.place.place.clone(), settings, clock);
        for (stream, done) in compactor.compact_all().await.expect("a list") {
            done.unwrap_or_else(|error| panic!("{stream}: {error}"));
        }
        let objects = self.place.objects().await;
        let prefix = format!("{table}/date_=");
        let mut files = objects.range(prefix.clone()..);
        let (path, file) = files.next().filter(|(path, _)| path.starts_with(&prefix))?;
        assert!(path.contains(".compact-"), "{path}");
        Some(file.clone())
    }

    async fn rows(&self, table: &str) -> Vec<BTreeMap<String, Field>> {
        match self.file(table).await {
            Some(file) => reader::parquet_json(file),
            None => Vec::new(),
        }
    }
}

#[async_trait]
impl WarehouseTrial for Tables {
    type Sink = FileSink;

    async fn open(&self) -> FileSink {
        let clock = Arc::new(ManualClock::at_seconds(1_700_000_000));
        FileSink::new(self.place.place.clone(), FileSettings::default(), clock)
    }

    async fn readback(&self) -> Box<dyn Readback> {
        Box::new(FileReadback::new(
            self.place.place.clone(),
            FileSettings::default(),
        ))
    }

    async fn columns(&self, table: &str) -> Vec<Column> {
        let Some(file) = self.file(table).await else {
            return Vec::new();
        };
        let file = SerializedFileReader::new(file).expect("a Parquet file");
        let schema = file.metadata().file_metadata().schema();
        let fields = schema
            .get_fields()
            .iter()
            .filter(|field| !field.name().starts_with('_'));
        let columns = fields.map(|field| Column {
            name: field.name().to_owned(),
            holds: match (
                field.get_physical_type(),
                field.get_basic_info().logical_type_ref(),
            ) {
                (Physical::BOOLEAN, None) => FieldType::Boolean,
                (Physical::INT64, None) => FieldType::Integer,
                (Physical::DOUBLE, None) => FieldType::Number,
                (Physical::INT32, Some(LogicalType::Date)) => FieldType::Date,
                (Physical::INT64, Some(LogicalType::Timestamp(_))) => FieldType::Timestamp,
                (Physical::BYTE_ARRAY, Some(LogicalType::String)) => FieldType::Text,
                (Physical::BYTE_ARRAY, Some(LogicalType::Json)) => FieldType::Json,
                other => panic!("{}: {other:?}", field.name()),
            },
        });
        columns.collect()
    }

    async fn row(&self, table: &str, key: &str) -> Option<Cells> {
        let columns = self.columns(table).await;
        let rows = self.rows(table).await;
        let wanted = Field::Str(key.to_owned());
        let row = rows.into_iter().find(|row| row["_key"] == wanted)?;
        let is_json = |name: &str| {
            let mut columns = columns.iter();
            columns.any(|column| column.name == name && column.holds == FieldType::Json)
        };
        let cells = row.into_iter().map(|(name, field)| {
            let cell = match field {
                Field::Str(text) if is_json(&name) => serde_json::from_str(&text).expect("JSON"),
                field => cell(field),
            };
            (name, cell)
        });
        Some(cells.collect())
    }

    async fn count(&self, table: &str) -> usize {
        self.rows(table).await.len()
    }

    async fn drop_table(&self, table: &str) {
        std::fs::remove_dir_all(self.place.path().join(table)).expect("a folder");
    }

    fn takes_operators_columns(&self) -> bool {
        false
    }

    async fn add_text_column(&self, _table: &str, _column: &str, _value: &str) {
        unreachable!("files are never changed")
    }
}

fn cell(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Long(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Str(value) => json!(value),
        Field::Date(days) => {
            let day = NaiveDate::default() + TimeDelta::days(days.into());
            json!(day.to_string())
        }
        Field::TimestampMicros(micros) => {
            let moment = DateTime::from_timestamp_micros(micros).expect("a moment");
            json!(moment.to_rfc3339_opts(SecondsFormat::Micros, true))
        }
        other => panic!("{other} is of no type that is written"),
    }
}

#[tokio::test]
async fn parquet_files_are_a_warehouse() {
    warehouse::conformance(async || Tables {
        place: TestPlace::on_disk(),
    })
    .await;
}
