//! Rows on their way to Snowflake, as JSON.

use std::fmt::Write as _;

use chrono::{Datelike, SecondsFormat};
use sync_core::table::{Row, Value, storable_json};
use sync_core::{Key, fingerprint};

/// Rows of one table, in the order in which they were written.
///
/// A row is the array `[key, number, removed, fingerprint, raw, value…]`. Numbers rise, so that the last row of a key is
/// known wherever the rows are gathered. Values that are null are left out at the end: what an array does not have is null.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The rows, each followed by a comma.
    json: String,
    /// Key of each row, and where the row ends.
    ends: Vec<(Key, usize)>,
}

impl Rows {
    /// Adds a row, or says why it cannot stand among JSON.
    pub(crate) fn push(&mut self, number: u64, row: &Row<'_>) -> Result<(), &'static str> {
        let record = row.record;
        // Fields beyond those that a table keeps were passed over without a look at their text.
        let raw = std::str::from_utf8(&record.data).map_err(|_| "the record is not UTF-8")?;
        let raw = storable_json(raw);
        let json = &mut self.json;
        // Writing into a string cannot fail.
        let _ = write!(
            json,
            "[{},{number},{}",
            text(record.key.as_str()),
            record.removed
        );
        if !record.removed {
            let _ = write!(json, ",\"{:016x}\",{raw}", fingerprint(&record.data));
            let last = row.values.iter().rposition(|value| *value != Value::Null);
            for value in row.values.iter().take(last.map_or(0, |last| last + 1)) {
                json.push(',');
                write_value(json, value);
            }
        }
        json.push_str("],");
        self.ends.push((record.key.clone(), json.len()));
        Ok(())
    }

    /// Takes the last row back.
    pub(crate) fn pop(&mut self) {
        self.ends.pop();
        let end = self.ends.last().map_or(0, |(_, end)| *end);
        self.json.truncate(end);
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Their size as JSON.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len() + 1
    }

    /// The key of the first row.
    pub(crate) fn first_key(&self) -> Option<&Key> {
        self.ends.first().map(|(key, _)| key)
    }

    /// All rows as one JSON array.
    pub(crate) fn to_json(&self) -> String {
        format!("[{}]", self.json.strip_suffix(',').unwrap_or_default())
    }

    /// The rows in two halves. One row is a half, and the other is empty.
    pub(crate) fn halves(mut self) -> (Self, Self) {
        let half = self.ends.len().div_ceil(2);
        let cut = half
            .checked_sub(1)
            .and_then(|last| self.ends.get(last))
            .map_or(0, |(_, end)| *end);
        let json = self.json.split_off(cut);
        let mut ends = self.ends.split_off(half);
        for (_, end) in &mut ends {
            *end -= cut;
        }
        (self, Self { json, ends })
    }
}

fn text(value: &str) -> String {
    // Text is always JSON.
    serde_json::to_string(value).unwrap_or_default()
}

fn write_value(json: &mut String, value: &Value<'_>) {
    // Writing into a string cannot fail.
    let _ = match value {
        Value::Boolean(value) => write!(json, "{value}"),
        Value::Integer(value) => write!(json, "{value}"),
        // A table has finite numbers only; with their exponent they are JSON.
        Value::Number(value) => write!(json, "{value:e}"),
        Value::Date(day) if has_four_digits(day.year()) => {
            write!(json, "\"{}\"", day.format("%Y-%m-%d"))
        }
        Value::Timestamp(moment) if has_four_digits(moment.year()) => {
            let moment = moment.to_rfc3339_opts(SecondsFormat::AutoSi, false);
            write!(json, "\"{moment}\"")
        }
        Value::Text(value) => write!(json, "{}", text(value)),
        Value::Json(value) => write!(json, "{value}"),
        // Null, or a moment where Snowflake's calendar has ended; the raw record keeps what was written.
        Value::Null | Value::Date(_) | Value::Timestamp(_) => write!(json, "null"),
    };
}

fn has_four_digits(year: i32) -> bool {
    (1..=9999).contains(&year)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use sync_core::table::Table;
    use sync_core::{FieldType, JsonRecord, Stream};

    use super::*;

    fn rows(records: &[JsonRecord]) -> Rows {
        let stream = Stream::new("members")
            .with("email", FieldType::Text)
            .with("born", FieldType::Date)
            .with("seen", FieldType::Timestamp)
            .with("tags", FieldType::Json)
            .with("rating", FieldType::Number);
        let mut table = Table::new(&stream);
        let mut rows = Rows::default();
        for (number, row) in table.shape(records).rows.iter().enumerate() {
            rows.push(number as u64, row).unwrap();
        }
        rows
    }

    fn record(key: &str, data: &'static str) -> JsonRecord {
        JsonRecord {
            stream: Arc::new(Stream::new("members")),
            key: Key::new(key),
            data: Bytes::from_static(data.as_bytes()),
            removed: data.is_empty(),
        }
    }

    fn parsed(rows: &Rows) -> serde_json::Value {
        serde_json::from_str(&rows.to_json()).unwrap()
    }

    #[test]
    fn a_row_holds_key_raw_and_values() {
        let data = r#"{"email":"a\"b","seen":"2024-01-02T03:04:05+02:00","tags":[1,"x"],"born":"2024-01-02"}"#;
        let rows = rows(&[record("k", data), record("gone", "")]);
        assert_eq!(
            parsed(&rows),
            serde_json::json!([
                [
                    "k",
                    0,
                    false,
                    format!("{:016x}", fingerprint(data.as_bytes())),
                    serde_json::from_str::<serde_json::Value>(data).unwrap(),
                    "a\"b",
                    "2024-01-02",
                    "2024-01-02T01:04:05+00:00",
                    [1, "x"]
                ],
                ["gone", 1, true]
            ])
        );
    }

    #[test]
    fn a_moment_outside_the_calendar_is_null() {
        let rows = rows(&[record(
            "k",
            r#"{"born":"+12024-01-02","seen":"0000-06-01T00:00:00Z","rating":1}"#,
        )]);
        let row = &parsed(&rows)[0];
        assert!(row[6].is_null() && row[7].is_null(), "{row}");
    }

    #[test]
    fn halves_hold_every_row_once() {
        for count in 0..6 {
            let records: Vec<JsonRecord> = (0..count)
                .map(|n| record(&n.to_string(), "{\"email\":\"x\"}"))
                .collect();
            let whole = parsed(&rows(&records));
            let (first, second) = rows(&records).halves();
            assert!(first.len() >= second.len());
            let mut joined = parsed(&first);
            let mut rest = parsed(&second);
            joined
                .as_array_mut()
                .unwrap()
                .append(rest.as_array_mut().unwrap());
            assert_eq!(joined, whole);
        }
    }

    #[test]
    fn the_last_row_can_be_taken_back() {
        let mut rows = rows(&[record("a", "{}"), record("b", "{\"email\":\"long\"}")]);
        rows.pop();
        assert_eq!(rows.len(), 1);
        assert_eq!(parsed(&rows)[0][0], "a");
        rows.pop();
        assert!(rows.is_empty());
        assert_eq!(rows.to_json(), "[]");
    }
}
