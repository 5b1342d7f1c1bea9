//! Rows into a table.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use rusqlite::types::{Null, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};
use sync_core::table::{DELETED_AT, KEY, RAW, Row, SYNCED_AT, Table, Value};

use crate::catalog::quote;

/// The statement that writes a row of this table: the key, the raw record, the time, and a value for each column.
pub(crate) fn upsert<'c>(
    connection: &'c Connection,
    table: &Table,
) -> rusqlite::Result<CachedStatement<'c>> {
    let columns: Vec<String> = [KEY, RAW, SYNCED_AT]
        .into_iter()
        .chain(table.columns().iter().map(|column| column.name.as_str()))
        .map(quote)
        .collect();
    let mut sql = format!(
        "INSERT INTO {} ({}) VALUES (?1",
        quote(table.name()),
        columns.join(", ")
    );
    for place in 2..=columns.len() {
        // Writing into a string cannot fail.
        let _ = write!(sql, ", ?{place}");
    }
    let _ = write!(
        sql,
        ") ON CONFLICT ({}) DO UPDATE SET {} = NULL",
        quote(KEY),
        quote(DELETED_AT)
    );
    for column in &columns[1..] {
        let _ = write!(sql, ", {column} = excluded.{column}");
    }
    connection.prepare_cached(&sql)
}

/// The statement that marks a row as removed: the time and the key. The first time it was noticed stays.
pub(crate) fn removal<'c>(
    connection: &'c Connection,
    table: &Table,
) -> rusqlite::Result<CachedStatement<'c>> {
    let (key, synced, deleted) = (quote(KEY), quote(SYNCED_AT), quote(DELETED_AT));
    connection.prepare_cached(&format!(
        "UPDATE {} SET {deleted} = ?1, {synced} = ?1 WHERE {key} = ?2 AND {deleted} IS NULL",
        quote(table.name())
    ))
}

/// Writes one row that exists.
pub(crate) fn put(
    upsert: &mut CachedStatement<'_>,
    row: &Row<'_>,
    now: &str,
) -> rusqlite::Result<()> {
    upsert.raw_bind_parameter(1, row.record.key.as_str())?;
    // A record that became a row is JSON, so it is text.
    let raw = ToSqlOutput::Borrowed(ValueRef::Text(&row.record.data));
    upsert.raw_bind_parameter(2, raw)?;
    upsert.raw_bind_parameter(3, now)?;
    for (place, value) in row.values.iter().enumerate() {
        bind(upsert, place + 4, value)?;
    }
    upsert.raw_execute()?;
    Ok(())
}

fn bind(
    statement: &mut CachedStatement<'_>,
    place: usize,
    value: &Value<'_>,
) -> rusqlite::Result<()> {
    fn put(
        statement: &mut CachedStatement<'_>,
        place: usize,
        value: impl ToSql,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(place, value)
    }
    match value {
        Value::Null => put(statement, place, Null),
        Value::Boolean(value) => put(statement, place, *value),
        Value::Integer(value) => put(statement, place, *value),
        Value::Number(value) => put(statement, place, *value),
        Value::Date(value) => put(statement, place, &*date_text(*value)),
        Value::Timestamp(value) => put(statement, place, &*time_text(*value)),
        Value::Text(text) | Value::Json(text) => put(statement, place, &**text),
    }
}

/// A day as `2026-11-21`.
fn date_text(date: NaiveDate) -> String {
    let mut text = String::with_capacity(10);
    push_date(&mut text, date);
    text
}

/// A moment as `2026-11-21T10:00:00Z`, with six or nine digits of a fraction if it has one.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    let time = time.naive_utc();
    let mut text = String::with_capacity("2026-11-21T10:00:00.123456789Z".len());
    push_date(&mut text, time.date());
    text.push('T');
    for (place, part) in [time.hour(), time.minute(), time.second()]
        .into_iter()
        .enumerate()
    {
        if place > 0 {
            text.push(':');
        }
        push_two(&mut text, part);
    }
    // chrono tells a leap second as a fraction of more than one second.
    let nanos = time.nanosecond().min(999_999_999);
    if nanos != 0 {
        // Writing into a string cannot fail.
        let _ = if nanos.is_multiple_of(1000) {
            write!(text, ".{:06}", nanos / 1000)
        } else {
            write!(text, ".{nanos:09}")
        };
    }
    text.push('Z');
    text
}

/// Dates are in nearly every column of some tables: `chrono`'s own formatting takes several times as long.
fn push_date(text: &mut String, date: NaiveDate) {
    match u32::try_from(date.year()) {
        Ok(year @ 0..=9999) => {
            push_two(text, year / 100);
            push_two(text, year % 100);
            text.push('-');
            push_two(text, date.month());
            text.push('-');
            push_two(text, date.day());
        }
        _ => {
            let _ = write!(text, "{date}");
        }
    }
}

/// A number below 100, with two digits.
fn push_two(text: &mut String, number: u32) {
    for digit in [number / 10, number % 10] {
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn times_are_written_as_iso_8601() {
        let second = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
        assert_eq!(time_text(second), "2026-01-02T03:04:05Z");
        let fraction = second + chrono::TimeDelta::microseconds(1500);
        assert_eq!(time_text(fraction), "2026-01-02T03:04:05.001500Z");
        let fraction = second + chrono::TimeDelta::nanoseconds(1);
        assert_eq!(time_text(fraction), "2026-01-02T03:04:05.000000001Z");
    }

    #[test]
    fn dates_are_written_as_chrono_does() {
        for (year, month, day) in [
            (2026, 11, 21),
            (0, 1, 1),
            (9999, 12, 31),
            (-5, 1, 2),
            (12345, 6, 7),
        ] {
            let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
            assert_eq!(date_text(date), date.to_string());
        }
    }
}
