//! What every sink into a warehouse promises: a table for each stream, columns that follow the records, rows by key.
//!
//! [`sink::conformance`](crate::sink::conformance) proves that such a sink delivers. This suite proves what stands in the
//! tables afterwards.

mod names;
mod reading;
mod restarts;
mod rows;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};
use sync_core::table::{Column, Table};
use sync_core::{FieldType, JsonRecord, Key, Readback, Report, Sink, Stream};

/// A row as [`WarehouseTrial::row`] gives it: every column by its name, `_key`, `_raw`, `_synced_at` and `_deleted_at` among
/// them.
pub type Cells = Map<String, Value>;

/// A sink under test with the warehouse that it writes to.
///
/// Tables are named as [`Table::name`] says, without quotes and in lower case; so are columns.
#[async_trait]
pub trait WarehouseTrial: Send + Sync {
    /// The sink.
    type Sink: Sink<JsonRecord>;

    /// A new sink onto the same place. Others may be open, as when several imports fill one warehouse.
    async fn open(&self) -> Self::Sink;

    /// What reads the same place back.
    async fn readback(&self) -> Box<dyn Readback>;

    /// The columns of a table with what they hold, without those that every table has (`_key` and the like). Empty if
    /// there is no such table. What a column that the sink did not make holds does not matter.
    async fn columns(&self, table: &str) -> Vec<Column>;

    /// The row of a key, also of a removed one; `None` if the table or the row is not there. Asked of the warehouse itself,
    /// beside the sink, by the declared types of its columns:
    ///
    /// | column | value |
    /// | --- | --- |
    /// | boolean, integer, number | the JSON boolean or number |
    /// | date | `"2026-11-21"` |
    /// | timestamp | RFC 3339, with any offset |
    /// | text | the string |
    /// | JSON | the value itself, not a string that holds it |
    /// | `_raw` | the value, or a string that holds it |
    async fn row(&self, table: &str, key: &str) -> Option<Cells>;

    /// How many rows a table has, removed ones among them.
    async fn count(&self, table: &str) -> usize;

    /// Drops a table, as an operator would.
    async fn drop_table(&self, table: &str);

    /// Whether an operator can add columns to a table at all. Not where tables are files, which nobody changes.
    fn takes_operators_columns(&self) -> bool {
        true
    }

    /// Adds a column for text to a table and puts `value` into all its rows, as an operator would.
    async fn add_text_column(&self, table: &str, column: &str, value: &str);

    /// The name of a column that an operator may add and that the sink leaves alone. A sink that remembers which columns it
    /// made allows any; one that does not says here what it asks of operators, such as a first underscore.
    fn operators_column(&self) -> &'static str {
        "operator_note"
    }
}

/// Checks every promise of a sink into a warehouse. `make` gives a sink onto a fresh, empty place each time it is called.
///
/// # Panics
/// When the sink breaks a promise; the message says which.
pub async fn conformance<T: WarehouseTrial>(make: impl AsyncFn() -> T) {
    types::declared_columns_are_made_and_typed(&make().await).await;
    types::values_come_back_as_they_went(&make().await).await;
    types::a_later_field_becomes_a_column(&make().await).await;
    types::widening_keeps_every_row(&make().await).await;
    types::empty_values_are_null_and_stay_in_raw(&make().await).await;
    types::hundreds_of_columns_fit(&make().await).await;
    names::names_that_fold_alike_are_kept_apart(&make().await).await;
    names::hostile_names_are_only_names(&make().await).await;
    rows::text_arrives_as_it_is(&make().await).await;
    rows::a_removed_record_is_marked_and_may_return(&make().await).await;
    rows::the_last_version_of_a_key_wins(&make().await).await;
    rows::a_new_version_replaces_the_whole_row(&make().await).await;
    rows::streams_have_tables_of_their_own(&make().await).await;
    rows::sinks_share_a_table(&make().await).await;
    restarts::a_killed_interval_is_replayed(&make().await).await;
    restarts::a_new_sink_goes_on_with_the_table_it_finds(&make().await).await;
    restarts::a_dropped_table_is_made_again(&make().await).await;
    let trial = make().await;
    if trial.takes_operators_columns() {
        restarts::an_operators_column_is_left_alone(&trial).await;
    }
    reading::fingerprints_are_of_the_bytes_stored_last(&make().await).await;
    reading::keys_come_in_pages(&make().await).await;
    reading::what_is_not_there_reads_as_nothing(&make().await).await;
}

/// The stream most checks use: a field of each type.
fn things() -> Arc<Stream> {
    let stream = Stream::new("things")
        .with("id", FieldType::Text)
        .with("active", FieldType::Boolean)
        .with("count", FieldType::Integer)
        .with("stats.ratio", FieldType::Number)
        .with("born", FieldType::Date)
        .with("seen_at", FieldType::Timestamp)
        .with("extra", FieldType::Json);
    Arc::new(stream)
}

fn table_of(stream: &Stream) -> String {
    Table::new(stream).name().to_owned()
}

/// A record with this object, byte for byte.
fn record(stream: &Arc<Stream>, key: &str, data: impl Into<Bytes>) -> JsonRecord {
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(key),
        data: data.into(),
        removed: false,
    }
}

/// A record with this object.
fn present(stream: &Arc<Stream>, key: &str, data: &Value) -> JsonRecord {
    record(stream, key, data.to_string())
}

/// The record that says this key is gone.
fn removal(stream: &Arc<Stream>, key: &str) -> JsonRecord {
    JsonRecord {
        removed: true,
        ..record(stream, key, "")
    }
}

/// Writes and flushes.
async fn deliver(sink: &mut impl Sink<JsonRecord>, records: Vec<JsonRecord>) {
    assert_taken(&sink.write(records).await.expect("write"));
    assert_taken(&sink.flush().await.expect("flush"));
}

#[track_caller]
fn assert_taken(report: &Report) {
    assert_eq!(report.rejected, [], "a warehouse takes every JSON object");
}

async fn row<T: WarehouseTrial>(trial: &T, table: &str, key: &str) -> Cells {
    let row = trial.row(table, key).await;
    row.unwrap_or_else(|| panic!("{table} has no row {key}"))
}

async fn cell<T: WarehouseTrial>(trial: &T, table: &str, key: &str, column: &str) -> Value {
    let mut row = row(trial, table, key).await;
    row.remove(column)
        .unwrap_or_else(|| panic!("{table} has no column {column}"))
}

async fn holds<T: WarehouseTrial>(trial: &T, table: &str, column: &str) -> Option<FieldType> {
    let columns = trial.columns(table).await;
    columns
        .into_iter()
        .find(|found| found.name == column)
        .map(|found| found.holds)
}

/// `_raw` as JSON, whether the warehouse keeps it as such or as text.
#[track_caller]
fn raw(row: &Cells) -> Value {
    match &row["_raw"] {
        Value::String(text) => serde_json::from_str(text).expect("_raw holds JSON"),
        value => value.clone(),
    }
}

/// Whether a cell says this number, as a number or as text.
fn says_number(cell: &Value, wanted: f64) -> bool {
    let found = match cell {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    found == Some(wanted)
}

/// Whether a cell says this moment.
fn says_moment(cell: &Value, wanted: &str) -> bool {
    let moment = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    cell.as_str().and_then(moment) == moment(wanted)
}
