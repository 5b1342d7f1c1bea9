//! What a column can hold of what JSON says.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::text::storable_json;
use crate::stream::FieldType;

/// A value of a row, as its column holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'r> {
    /// Nothing.
    Null,
    /// Of a [`FieldType::Boolean`] column.
    Boolean(bool),
    /// Of a [`FieldType::Integer`] column.
    Integer(i64),
    /// Of a [`FieldType::Number`] column. Always finite.
    Number(f64),
    /// Of a [`FieldType::Date`] column.
    Date(NaiveDate),
    /// Of a [`FieldType::Timestamp`] column.
    Timestamp(DateTime<Utc>),
    /// Of a [`FieldType::Text`] column. Without U+0000, which many warehouses cannot hold: U+FFFD stands in its place.
    Text(Cow<'r, str>),
    /// Of a [`FieldType::Json`] column: valid JSON, without the escapes of U+0000 and of half surrogate pairs.
    Json(Cow<'r, str>),
}

/// A JSON value that is not an object to be flattened.
#[derive(Debug)]
pub(super) enum Seen<'r> {
    Boolean(bool),
    /// As written.
    Number(&'r str),
    /// Not empty; with the text as it stands in the JSON.
    Text(Cow<'r, str>, &'r str),
    /// An array or an object.
    Nested(Cow<'r, str>),
}

impl<'r> Seen<'r> {
    /// The column that a first value makes.
    pub(super) fn kind(&self) -> FieldType {
        match self {
            Self::Boolean(_) => FieldType::Boolean,
            Self::Number(text) if text.parse::<i64>().is_ok() => FieldType::Integer,
            Self::Number(text) if finite(text).is_some() => FieldType::Number,
            Self::Number(_) | Self::Text(..) => FieldType::Text,
            Self::Nested(_) => FieldType::Json,
        }
    }

    /// The value as a column of this type holds it, or the type that the column must have.
    pub(super) fn fit(self, column: FieldType) -> Result<Value<'r>, FieldType> {
        let widened = |kind: FieldType| Err(column.widened(kind));
        Ok(match (column, self) {
            (FieldType::Boolean, Self::Boolean(value)) => Value::Boolean(value),
            (FieldType::Text, Self::Boolean(value)) => Value::Text(boolean(value).into()),
            (FieldType::Json, Self::Boolean(value)) => Value::Json(boolean(value).into()),
            (FieldType::Text, Self::Number(text)) => Value::Text(text.into()),
            (FieldType::Json, Self::Number(text)) => Value::Json(text.into()),
            (FieldType::Text, Self::Text(text, _) | Self::Nested(text)) => Value::Text(text),
            (FieldType::Json, Self::Text(_, written)) => Value::Json(storable_json(written)),
            (FieldType::Json, Self::Nested(text)) => Value::Json(text),
            (FieldType::Integer, Self::Number(text)) => match text.parse() {
                Ok(value) => Value::Integer(value),
                Err(_) => return widened(Self::Number(text).kind()),
            },
            (FieldType::Integer, Self::Text(text, _)) => match text.parse() {
                Ok(value) if !text.starts_with('+') => Value::Integer(value),
                _ if number(&text).is_some() => return widened(FieldType::Number),
                _ => return widened(FieldType::Text),
            },
            (FieldType::Number, Self::Number(text)) => match finite(text) {
                Some(value) => Value::Number(value),
                None => return widened(FieldType::Text),
            },
            (FieldType::Number, Self::Text(text, _)) => match number(&text) {
                Some(value) => Value::Number(value),
                None => return widened(FieldType::Text),
            },
            (FieldType::Date | FieldType::Timestamp, Self::Text(text, _))
                if text.starts_with("0000-00-00") =>
            {
                Value::Null
            }
            (FieldType::Date, Self::Text(text, _)) => match date(&text) {
                Some(value) => Value::Date(value),
                None if timestamp(&text).is_some() => return widened(FieldType::Timestamp),
                None => return widened(FieldType::Text),
            },
            (FieldType::Timestamp, Self::Text(text, _)) => match timestamp(&text) {
                Some(value) => Value::Timestamp(value),
                None => return widened(FieldType::Text),
            },
            (_, other) => {
                let kind = other.kind();
                return widened(kind);
            }
        })
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A number written in a string, in the form that JSON has for numbers.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    if plain && !text.starts_with('+') {
        finite(text)
    } else {
        None
    }
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// RFC 3339; without a zone it is UTC; a day alone is its first moment.
fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    if let Some(moment) = whole_second_utc(text) {
        return Some(moment);
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"))
        .ok()
        .or_else(|| date(text)?.and_hms_opt(0, 0, 0));
    naive.map(|moment| moment.and_utc())
}

/// The form that most moments have, `2026-11-21T10:00:00+00:00` or with a `Z`: read in a fraction of the time that all
/// forms take.
fn whole_second_utc(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let (moment, zone) = bytes.split_at_checked(19)?;
    if !matches!(zone, b"Z" | b"+00:00") {
        return None;
    }
    let number = |from: usize, to: usize| {
        moment[from..to].iter().try_fold(0_u32, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(place, mark)| moment[place] != mark) {
        return None;
    }
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    let moment = date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
    Some(moment.and_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moments_are_read_as_chrono_reads_them(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|\\+00:00|\\+01:00|)|[0-9T:Z-]{19,21}",
        ) {
            if let Some(moment) = whole_second_utc(&text) {
                prop_assert_eq!(Ok(moment), DateTime::parse_from_rfc3339(&text).map(|moment| moment.to_utc()));
            }
        }
    }
}
