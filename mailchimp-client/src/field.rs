//! Values as Mailchimp really sends them: absent, `null`, `""` for "nothing" whatever the
//! documented type, or of another kind altogether.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDateTime, SecondsFormat, Utc};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A member of a JSON object, with the ways it can be empty kept apart.
///
/// Reading one never fails: what is not a `T` is kept as [`Field::Unexpected`], so that one odd
/// value costs nobody the record it is in. Writing gives back what was read. `Debug` names the
/// state and never shows the value.
///
/// Use with `#[serde(default, skip_serializing_if = "Field::is_absent")]`.
#[derive(Clone, PartialEq, Default)]
pub enum Field<T> {
    /// The member is not there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// The empty string, which Mailchimp sends for "none" in fields of every type.
    Blank,
    /// A value.
    Value(T),
    /// Something that is no `T`.
    Unexpected(Value),
}

impl<T> Field<T> {
    /// The value, when there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The value, when there is one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the member is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the member is there and says "none": `null` or `""`.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Null | Self::Blank)
    }

    /// What was sent instead of a `T`.
    pub fn unexpected(&self) -> Option<&Value> {
        match self {
            Self::Unexpected(value) => Some(value),
            _ => None,
        }
    }
}

impl Field<String> {
    /// The text, when there is some.
    pub fn as_str(&self) -> Option<&str> {
        self.value().map(String::as_str)
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Null => "Null",
            Self::Blank => "Blank",
            Self::Value(_) => "Value(..)",
            Self::Unexpected(_) => "Unexpected(..)",
        })
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_unit(),
            Self::Blank => serializer.serialize_str(""),
            Self::Value(value) => value.serialize(serializer),
            Self::Unexpected(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(FieldVisitor(std::marker::PhantomData))
    }
}

struct FieldVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Field<T>, E> {
        Ok(Field::Null)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Field<T>, E> {
        if text.is_empty() {
            return Ok(Field::Blank);
        }
        Ok(scalar(text))
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Field<T>, E> {
        Ok(scalar(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Field<T>, E> {
        Ok(scalar(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Field<T>, E> {
        Ok(scalar(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Field<T>, E> {
        Ok(scalar(number))
    }

    // Containers are read as JSON first: a `T` that gives up inside one cannot be undone.

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Field<T>, A::Error> {
        let value = Value::deserialize(SeqAccessDeserializer::new(seq))?;
        Ok(T::deserialize(&value).map_or(Field::Unexpected(value), Field::Value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<T>, A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        Ok(T::deserialize(&value).map_or(Field::Unexpected(value), Field::Value))
    }
}

/// Reads a scalar as a `T`, or keeps it as it is.
fn scalar<'a, T, S>(scalar: S) -> Field<T>
where
    T: Deserialize<'a>,
    S: IntoDeserializer<'a> + Into<Value> + Copy,
{
    T::deserialize(scalar.into_deserializer()).map_or_else(
        |_: serde::de::value::Error| Field::Unexpected(scalar.into()),
        Field::Value,
    )
}

/// The members of a JSON object this crate gives no name to, or whose names an account chooses.
///
/// `Debug` shows how many there are: names and values may be personal data.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonObject(
    /// The members.
    pub Map<String, Value>,
);

impl JsonObject {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonObject({} members)", self.0.len())
    }
}

/// A point in time of a record.
///
/// Read from ISO 8601 with any offset, and from `YYYY-MM-DD HH:MM:SS`, which some tag answers use
/// and which is UTC. Written as the API writes it: `2015-10-21T15:41:36+00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// The time.
    pub DateTime<Utc>,
);

impl Timestamp {
    /// Reads one of the forms the API writes; `None` also for a year that these forms cannot write.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").map(|time| time.and_utc())
            })
            .ok()
            .filter(|time| (0..=9999).contains(&time.year()))
            .map(Self)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, false))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a point in time")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).ok_or_else(|| E::custom("not a point in time"))
            }
        }
        source.deserialize_str(Text)
    }
}

/// Writes a time into a body: in whole seconds with `Z`, as in [`crate::Query`].
#[expect(clippy::ref_option, reason = "the signature serde calls")]
pub(crate) fn seconds<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%SZ")),
        None => serializer.serialize_none(),
    }
}
