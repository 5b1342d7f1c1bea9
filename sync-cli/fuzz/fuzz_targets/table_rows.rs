//! Records of a stream as rows of a table.

#![no_main]

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use sync_core::table::{MAX_COLUMNS, Table, Value};
use sync_core::{FieldType, JsonRecord, Key, Stream};
use sync_fuzz::means_something_else;

fuzz_target!(|lines: &[u8]| {
    let stream = Arc::new(
        Stream::new("members")
            .with("vip", FieldType::Boolean)
            .with("rating", FieldType::Integer)
            .with("stats.open_rate", FieldType::Number)
            .with("birthday", FieldType::Date)
            .with("last_changed", FieldType::Timestamp)
            .with("status", FieldType::Text)
            .with("location", FieldType::Json),
    );
    let records: Vec<JsonRecord> = lines
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(number, line)| JsonRecord {
            stream: stream.clone(),
            key: Key::new(number.to_string()),
            data: Bytes::copy_from_slice(line),
            removed: false,
        })
        .collect();

    let mut table = Table::new(&stream);
    let shaped = table.shape(&records);
    assert_eq!(shaped.rows.len() + shaped.rejected.len(), records.len());
    for refused in &shaped.rejected {
        let number: usize = refused.key.as_str().parse().expect("a number");
        let data = &records[number].data;
        let is_object = matches!(serde_json::from_slice(data), Ok(Json::Object(_)));
        assert!(!is_object || means_something_else(data));
    }

    let names: HashSet<&str> = table.columns().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), table.columns().len());
    assert!(names.len() <= MAX_COLUMNS);
    assert!(names.iter().all(|name| !name.starts_with('_')));
    for row in &shaped.rows {
        assert_eq!(row.values.len(), table.columns().len());
        for (value, column) in row.values.iter().zip(table.columns()) {
            assert!(fits(value, column.holds), "{value:?} in {column:?}");
        }
    }

    // What was learned is enough, here and for who begins with the warehouse's columns.
    let again = table.shape(&records);
    assert!(again.alterations.is_empty());
    let (mut adopted, alterations) = Table::adopt(&stream, table.columns().to_vec());
    assert!(alterations.is_empty());
    let adopted = adopted.shape(&records);
    assert!(adopted.alterations.is_empty());
    for (rows, other) in [(&shaped.rows, &again.rows), (&again.rows, &adopted.rows)] {
        assert_eq!(rows.len(), other.len());
        for (row, other) in rows.iter().zip(other) {
            assert_eq!(row.values, other.values);
        }
    }
});

/// Whether a column of this type can hold the value.
fn fits(value: &Value<'_>, column: FieldType) -> bool {
    match (value, column) {
        (Value::Null, _)
        | (Value::Boolean(_), FieldType::Boolean)
        | (Value::Integer(_), FieldType::Integer)
        | (Value::Date(_), FieldType::Date)
        | (Value::Timestamp(_), FieldType::Timestamp) => true,
        (Value::Number(number), FieldType::Number) => number.is_finite(),
        (Value::Text(text), FieldType::Text) => !text.contains('\0'),
        (Value::Json(json), FieldType::Json) => serde_json::from_str::<&RawValue>(json).is_ok(),
        _ => false,
    }
}
