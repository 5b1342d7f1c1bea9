//! `POST /record`: rows of five strings.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Map, Value};

use crate::account::Account;
use crate::response;
use crate::settings::KeyHeader;

/// The rows taken so far, by id.
#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) HashMap<Box<str>, Box<str>>);

const FIVE: [&str; 5] = ["id", "firstname", "lastname", "email", "status"];

impl Account {
    /// `short` rows fewer are reported than taken.
    pub(crate) fn record(
        &mut self,
        headers: &HeaderMap,
        body: &Bytes,
        short: u64,
    ) -> Response<Bytes> {
        let settings = self.settings.record;
        let fail = |status, message| response::error(status, message, settings.error_body);
        if !self.knows_key(headers) {
            return fail(settings.unauthorized_status, "unauthorized");
        }
        let now = self.now();
        if !self.record_rate.allows(now) {
            return fail(429, "too many requests");
        }
        let fields: &[&str] = if settings.four_fields {
            &FIVE[..4]
        } else {
            &FIVE
        };
        let strict = serde_json::from_slice::<Vec<Map<String, Value>>>(body).ok();
        let conforming = strict
            .as_ref()
            .is_some_and(|rows| rows.iter().all(|row| fits(row, fields)));
        self.stats.nonconforming += u64::from(!conforming);
        let rows = match strict {
            Some(rows) if conforming || settings.tolerant => rows,
            None if settings.tolerant => match wrapped(body) {
                Some(rows) => rows,
                None => return fail(400, "not an array of objects"),
            },
            _ => return fail(400, "not an array of records"),
        };
        if settings.cap.is_some_and(|cap| rows.len() > cap) {
            return fail(413, "too many records");
        }
        let count = rows.len() as u64;
        for row in rows {
            let id: Box<str> = row
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .into();
            self.rows
                .0
                .insert(id, Value::Object(row).to_string().into());
        }
        self.stats.rows += count;
        response::record_taken(settings.variant, count.saturating_sub(short))
    }

    fn knows_key(&self, headers: &HeaderMap) -> bool {
        let is_key = |name| {
            headers
                .get(name)
                .is_some_and(|given| given.as_bytes() == self.settings.record_key.as_bytes())
        };
        is_key("authorization")
            || (self.settings.record.key_header == KeyHeader::EitherSpelling
                && is_key("authorisation"))
    }
}

fn fits(row: &Map<String, Value>, fields: &[&str]) -> bool {
    row.len() == fields.len()
        && fields
            .iter()
            .all(|field| row.get(*field).is_some_and(Value::is_string))
        && row.get("id").is_some_and(|id| id != "")
}

/// An array inside a text, as one known program sends it.
fn wrapped(body: &Bytes) -> Option<Vec<Map<String, Value>>> {
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    serde_json::from_str(body.get("data")?.as_str()?).ok()
}
