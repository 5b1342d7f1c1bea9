//! JSON objects as the server sent them, read leniently.
//!
//! Ometria's documentation and the programs that use it disagree about the shape of several answers, and fields appear
//! unannounced. So answers are kept whole, and a typed reader returns `None` for a field that is absent or of another
//! type than expected; one odd field never spoils the answer.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};

/// Turns an answer's JSON into a type that keeps it.
pub(crate) trait FromObject {
    fn from_object(object: Map<String, Value>) -> Self;
}

pub(crate) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// A count, also when it is written as a string or as `3.0`.
pub(crate) fn count(object: &Map<String, Value>, key: &str) -> Option<u64> {
    match object.get(key)? {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_u64().or_else(|| whole(number.as_f64()?)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked just before"
)]
fn whole(number: f64) -> Option<u64> {
    ((0.0..9e15).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// An id of the server's as it may be shown: one that is only letters, digits, hyphens and underscores holds no address.
pub(crate) fn shown_id(id: Option<&str>) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    id.filter(|id| id.len() <= 64 && id.bytes().all(plain))
}

pub(crate) fn time(object: &Map<String, Value>, key: &str) -> Option<DateTime<Utc>> {
    parse_time(text(object, key)?)
}

/// Reads every form of time seen in Ometria's answers: RFC 3339, the database form with
/// a two-digit offset, and no offset at all, which is UTC.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"] {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.to_utc());
        }
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| time.and_utc())
}

/// A type that is an object of the server's: the raw object, redacted `Debug`, nothing lost.
macro_rules! document {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq)]
        pub struct $name {
            object: serde_json::Map<String, serde_json::Value>,
        }

        impl $name {
            /// The object as the server sent it, unknown fields included.
            pub fn raw(&self) -> &serde_json::Map<String, serde_json::Value> {
                &self.object
            }
        }

        impl $crate::document::FromObject for $name {
            fn from_object(object: serde_json::Map<String, serde_json::Value>) -> Self {
                Self { object }
            }
        }

        /// Names the type and how many fields there are; the fields themselves may describe a person.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}(<{} fields>)", stringify!($name), self.object.len())
            }
        }
    };
}
pub(crate) use document;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_time_is_read() {
        let expected = "2017-02-04T10:18:12Z".parse::<DateTime<Utc>>().unwrap();
        for text in [
            "2017-02-04T10:18:12Z",
            "2017-02-04T12:18:12+02:00",
            "2017-02-04 10:18:12+00",
            "2017-02-04T10:18:12",
            " 2017-02-04 10:18:12 ",
        ] {
            assert_eq!(parse_time(text), Some(expected), "{text}");
        }
        assert!(parse_time("2017-02-04 10:18:12.833949+00").is_some());
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        let object = serde_json::json!({"a": 3, "b": "4", "c": 5.0, "d": -1, "e": 1.5, "f": null, "g": 1e300});
        let object = object.as_object().unwrap();
        let read = |key| count(object, key);
        assert_eq!(
            (read("a"), read("b"), read("c")),
            (Some(3), Some(4), Some(5))
        );
        assert_eq!(
            (read("d"), read("e"), read("f"), read("g")),
            (None, None, None, None)
        );
    }
}
