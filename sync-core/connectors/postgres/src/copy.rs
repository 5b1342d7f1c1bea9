//! Rows in the binary form of `COPY`.
//!
//! The form is described at <https://www.postgresql.org/docs/current/sql-copy.html>; dates and moments count from the first
//! day of 2000.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, NaiveDate, Utc};
use futures::SinkExt;
use sync_core::table::{Row, Value};
use tokio_postgres::CopyInSink;

use crate::json;

/// Sent at once.
const PIECE: usize = 64 * 1024;

/// Puts rows into the buffer of a `COPY` and sends it piece by piece. The columns are the key, the raw record, and the values.
pub(crate) async fn rows(
    sink: CopyInSink<Bytes>,
    rows: &[&Row<'_>],
) -> Result<(), tokio_postgres::Error> {
    let mut sink = std::pin::pin!(sink);
    let mut buffer = BytesMut::with_capacity(2 * PIECE);
    buffer.put_slice(b"PGCOPY\n\xff\r\n\0");
    buffer.put_i32(0);
    buffer.put_i32(0);
    for row in rows {
        put_row(&mut buffer, row);
        if buffer.len() >= PIECE && sink.send(buffer.split().freeze()).await.is_err() {
            // The reason comes with the answer.
            return sink.finish().await.map(drop);
        }
    }
    buffer.put_i16(-1);
    if sink.send(buffer.freeze()).await.is_err() {
        return sink.finish().await.map(drop);
    }
    sink.finish().await.map(drop)
}

fn put_row(buffer: &mut BytesMut, row: &Row<'_>) {
    // At most MAX_COLUMNS and two, far below what the field holds.
    buffer.put_i16(i16::try_from(row.values.len() + 2).unwrap_or(i16::MAX));
    put_bytes(buffer, row.record.key.as_str().as_bytes());
    put_bytes(buffer, &row.record.data);
    for value in &row.values {
        put_value(buffer, value);
    }
}

fn put_value(buffer: &mut BytesMut, value: &Value<'_>) {
    match value {
        Value::Null => put_null(buffer),
        Value::Boolean(value) => put_bytes(buffer, &[u8::from(*value)]),
        Value::Integer(value) => put_bytes(buffer, &value.to_be_bytes()),
        Value::Number(value) => put_bytes(buffer, &value.to_be_bytes()),
        Value::Date(date) => match days(*date) {
            Some(days) => put_bytes(buffer, &days.to_be_bytes()),
            None => put_null(buffer),
        },
        Value::Timestamp(moment) => match microseconds(*moment) {
            Some(moment) => put_bytes(buffer, &moment.to_be_bytes()),
            None => put_null(buffer),
        },
        Value::Text(text) => put_bytes(buffer, without_zero(text).as_bytes()),
        Value::Json(text) => match json::storable(text) {
            Some(text) => {
                put_length(buffer, text.len() + 1);
                // The version of the form.
                buffer.put_u8(1);
                buffer.put_slice(text.as_bytes());
            }
            None => put_null(buffer),
        },
    }
}

fn put_null(buffer: &mut BytesMut) {
    buffer.put_i32(-1);
}

fn put_bytes(buffer: &mut BytesMut, bytes: &[u8]) {
    put_length(buffer, bytes.len());
    buffer.put_slice(bytes);
}

/// The server takes at most a gigabyte for a row; a length beyond what the field holds makes it refuse the row.
fn put_length(buffer: &mut BytesMut, length: usize) {
    buffer.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
}

/// Text cannot hold a zero byte here. What stands in its place says that something was there.
fn without_zero(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day");
/// The first year that the server's dates and moments reach wholly, 4713 BC being cut. They end later than ours do.
const FIRST_YEAR: i32 = -4711;

/// Days since 2000; `None` before the server's calendar begins.
fn days(date: NaiveDate) -> Option<i32> {
    use chrono::Datelike;
    if date.year() < FIRST_YEAR {
        return None;
    }
    i32::try_from((date - EPOCH).num_days()).ok()
}

/// Microseconds since 2000; `None` before the server's calendar begins.
fn microseconds(moment: DateTime<Utc>) -> Option<i64> {
    use chrono::Datelike;
    if moment.year() < FIRST_YEAR {
        return None;
    }
    let epoch = EPOCH.and_hms_opt(0, 0, 0)?.and_utc();
    (moment - epoch).num_microseconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &Value<'_>) -> Vec<u8> {
        let mut buffer = BytesMut::new();
        put_value(&mut buffer, value);
        buffer.to_vec()
    }

    #[test]
    fn values_have_the_servers_form() {
        assert_eq!(encoded(&Value::Null), [255, 255, 255, 255]);
        assert_eq!(encoded(&Value::Boolean(true)), [0, 0, 0, 1, 1]);
        assert_eq!(
            encoded(&Value::Integer(-2)),
            [0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254]
        );
        assert_eq!(
            encoded(&Value::Json("[]".into())),
            [0, 0, 0, 3, 1, b'[', b']']
        );
        assert_eq!(
            encoded(&Value::Text("a\0b".into())),
            [&[0, 0, 0, 5, b'a'][..], "\u{fffd}".as_bytes(), b"b"].concat()
        );
    }

    #[test]
    fn time_counts_from_2000() {
        let day = |text: &str| days(text.parse().unwrap());
        assert_eq!(day("2000-01-02"), Some(1));
        assert_eq!(day("1999-12-31"), Some(-1));
        assert_eq!(day("-4713-01-01"), None);
        let moment = |text: &str| microseconds(text.parse().unwrap());
        assert_eq!(moment("2000-01-01T00:00:01.000002Z"), Some(1_000_002));
        assert_eq!(moment("1999-12-31T23:59:59Z"), Some(-1_000_000));
        assert_eq!(moment("-4713-01-01T00:00:00Z"), None);
    }
}
