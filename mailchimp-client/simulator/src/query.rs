//! The parts of a request that endpoints read.

use bytes::Bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::fields::Selection;
use crate::problem::Problem;
use crate::timestamp;

/// One request, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Decoded path segments after `/3.0`.
    pub(crate) path: Vec<String>,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
    pub(crate) twist: Twist,
}

/// Lies that a fault adds to a collection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Twist {
    /// Added to `total_items`.
    pub(crate) total: i64,
    /// Rows in an order that is not the one asked for, decided by this seed.
    pub(crate) shuffle: Option<u64>,
    /// No rows.
    pub(crate) empty: bool,
}

/// Decoded query parameters; of one given twice, the last counts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Query(Vec<(String, String)>);

/// `offset` and `count` as served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    pub(crate) offset: usize,
    pub(crate) count: usize,
}

/// Decodes one segment of a path or one part of a query that is not form-encoded.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let form = |part: &str| decode(&part.replace('+', " "));
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (form(name), form(value)))
                .collect(),
        )
    }

    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// All parameters but those of this name.
    pub(crate) fn without(&self, name: &str) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter(|(held, _)| held != name)
            .cloned()
            .collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    }

    /// A boolean: `true` and `1` are true, anything else is false, as documented.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// A time filter. See [`timestamp::parse`] for what becomes of an unreadable one.
    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(timestamp::parse)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            Problem::invalid_resource(
                "The resource submitted could not be validated.",
                &[(name, "This value should be of type integer.")],
            )
        })
    }

    /// `offset` and `count`, 10 rows when there is no count.
    pub(crate) fn paging(&self, clamp: Option<u64>) -> Result<Paging, Problem> {
        let asked = self.number("count")?.unwrap_or(10);
        let count = clamp.map_or(asked, |clamp| asked.min(clamp));
        let offset = self.number("offset")?.unwrap_or(0);
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Paging {
            offset: size(offset),
            count: size(count),
        })
    }

    /// `fields` and `exclude_fields`, of which a request may use one.
    pub(crate) fn selection(&self) -> Result<Selection, Problem> {
        match (self.get("fields"), self.get("exclude_fields")) {
            (None, None) => Ok(Selection::Everything),
            (Some(fields), None) => Ok(Selection::only(fields)),
            (None, Some(fields)) => Ok(Selection::except(fields)),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "The parameters fields and exclude_fields are mutually exclusive.",
            )),
        }
    }
}

impl Call {
    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Problem> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(Problem::invalid_resource(
                "The resource submitted could not be validated.",
                &[("", "Schema describes object.")],
            )),
            Err(_) => Err(Problem::json_parse()),
        }
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }
}
