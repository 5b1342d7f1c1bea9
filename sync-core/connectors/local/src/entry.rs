//! One import as people describe it in `state.json`.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sync_core::{Error, ErrorKind, ImportId, Result};

use crate::document::{Document, Field, Malformed};
use crate::timestamp;

/// The most rows a page of Mailchimp's API may have.
const MOST_ITEMS: u64 = 1000;
/// Far more workers than the ten connections of an account can feed: a larger number is a mistake.
const MOST_WORKERS: u64 = 100;
/// Far more members than any audience has: a larger offset is a mistake.
const FARTHEST_OFFSET: u64 = 1_000_000_000;
/// A longer pause between two runs is a mistake.
const LONGEST_SCHEDULE: Duration = Duration::from_secs(366 * 86_400);
/// Longer ids are a mistake.
const LONGEST_ID: usize = 200;

/// One entry of `state.json`.
///
/// Only `list_id` is required; an optional field that is absent says the same as `null`. Fields this version does not
/// know are kept in the file and shown in [`extra`](ImportEntry::extra).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ImportEntry {
    /// Names the import in the state.
    ///
    /// It is the field `id` where there is one. Otherwise it is the `list_id`; where that is taken by an earlier entry or
    /// by another entry's `id`, `#2`, `#3` … is added in the order of the file. Entries of the same list that will be
    /// reordered or deleted one by one should carry an `id`; without one, the state follows the place.
    pub id: ImportId,
    /// The audience: letters, digits, `-` and `_`.
    pub list_id: String,
    /// Everything up to this time was delivered; `None` is a full load. Written back as the import proceeds.
    pub latest_timestamp: Option<DateTime<Utc>>,
    /// How many members to leave out at the start of a full load. 0 unless told otherwise.
    pub start_offset: u64,
    /// How many members to ask for at a time, 1 to 1000.
    pub items_per_request: Option<u32>,
    /// How many requests to have under way at a time, 1 to 100. The account's own limit holds in any case.
    pub worker_count: Option<u32>,
    /// Which of the configured accounts to read with.
    pub account: Option<String>,
    /// Where to write, as `kind` or `kind:target`.
    pub sink: Option<String>,
    /// How often to run. In the file: seconds, or text such as `15m`, `1h`, `1d`.
    pub schedule: Option<Duration>,
    /// Whether to leave it alone.
    pub paused: bool,
    /// All other fields, except those written back after a run. A value that is valid JSON and yet cannot be held (a
    /// number too large, nesting too deep) stays in the file and is absent here.
    pub extra: Map<String, Value>,
}

/// The entries of a document, or the first thing that is wrong with it.
pub(crate) fn decode(document: &Document) -> Result<Vec<ImportEntry>> {
    let mut drafts = Vec::new();
    let mut taken = HashSet::new();
    for (index, fields) in document.entries().enumerate() {
        let draft = Draft::read(index + 1, &fields)?;
        if let Some(id) = &draft.id
            && !taken.insert(id.clone())
        {
            return Err(draft.wrong("id", "is the id of an earlier entry too: give each its own"));
        }
        drafts.push(draft);
    }
    Ok(drafts
        .into_iter()
        .map(|draft| draft.finish(&mut taken))
        .collect())
}

/// The error for a text that is no document.
pub(crate) fn malformed(why: Malformed) -> Error {
    let error = |message: String| Error::new(ErrorKind::Config, "read state.json", message);
    match why {
        Malformed::Syntax(cause) => error(
            "it is not a complete JSON array of objects: correct it, the last good version stays in force".into(),
        )
        .with("line", cause.line())
        .with("column", cause.column()),
        Malformed::NotAnObject(number) => {
            error("an entry is not an object in braces".into()).with("entry", number)
        }
        Malformed::Twice(number) => {
            error("an entry has the same field twice: remove one".into()).with("entry", number)
        }
    }
}

/// An entry whose id may still depend on the others.
struct Draft {
    number: usize,
    id: Option<String>,
    entry: ImportEntry,
}

impl Draft {
    fn read(number: usize, fields: &[Field<'_>]) -> Result<Self> {
        let mut id = None;
        let mut entry = ImportEntry {
            id: ImportId::new(""),
            list_id: String::new(),
            latest_timestamp: None,
            start_offset: 0,
            items_per_request: None,
            worker_count: None,
            account: None,
            sink: None,
            schedule: None,
            paused: false,
            extra: Map::new(),
        };
        let mut extra = Map::new();
        for field in fields {
            let at = Place {
                number,
                field: field.name,
            };
            let value = || parse(field);
            match field.name {
                "list_id" => {
                    entry.list_id = at.text(value())?.unwrap_or_default();
                }
                "id" => id = at.text(value())?,
                "latest_timestamp" => {
                    if let Some(text) = at.text(value())? {
                        let time = timestamp::parse(&text).ok_or_else(|| {
                            at.wrong("is not an ISO 8601 time such as 2024-05-01T10:00:00Z, or null for a full load")
                        })?;
                        entry.latest_timestamp = Some(time);
                    }
                }
                "start_offset" => {
                    entry.start_offset = at.number(value(), 0, FARTHEST_OFFSET)?.unwrap_or(0);
                }
                "items_per_request" => {
                    entry.items_per_request = at.small_number(value(), MOST_ITEMS)?;
                }
                "worker_count" => {
                    entry.worker_count = at.small_number(value(), MOST_WORKERS)?;
                }
                "account" => entry.account = at.text(value())?,
                "sink" => entry.sink = at.text(value())?,
                "schedule" => entry.schedule = at.duration(value())?,
                "paused" => entry.paused = at.switch(value().as_ref())?,
                // Ours, but only written, never read.
                "elapsed_seconds" | "total_updates" => {}
                name => {
                    if let Some(value) = value() {
                        extra.insert(name.to_owned(), value);
                    }
                }
            }
        }
        entry.extra = extra;
        let draft = Self { number, id, entry };
        draft.check_names()?;
        Ok(draft)
    }

    fn check_names(&self) -> Result<()> {
        let list_id = &self.entry.list_id;
        if list_id.is_empty() {
            return Err(self.wrong(
                "list_id",
                "is missing or empty: every entry names its audience",
            ));
        }
        if !is_list_id(list_id) {
            return Err(self.wrong(
                "list_id",
                "is no audience id: only letters, digits, - and _ are allowed",
            ));
        }
        if let Some(id) = &self.id {
            let allowed = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
            if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(allowed) {
                return Err(self.wrong("id", "must be a short text without space or slash"));
            }
        }
        Ok(())
    }

    /// Gives the entry an id that no other has.
    fn finish(mut self, taken: &mut HashSet<String>) -> ImportEntry {
        let id = self.id.unwrap_or_else(|| {
            let list_id = &self.entry.list_id;
            let mut id = list_id.clone();
            let mut count = 2_u32;
            while !taken.insert(id.clone()) {
                id = format!("{list_id}#{count}");
                count += 1;
            }
            id
        });
        self.entry.id = ImportId::new(id);
        self.entry
    }

    fn wrong(&self, field: &str, problem: &'static str) -> Error {
        Place {
            number: self.number,
            field,
        }
        .wrong(problem)
    }
}

/// Whether a text can be an audience id. It becomes part of a path, so only what needs no escaping is allowed.
pub(crate) fn is_list_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.len() <= LONGEST_ID && text.chars().all(allowed)
}

fn parse(field: &Field<'_>) -> Option<Value> {
    serde_json::from_str(field.value).ok()
}

/// Which field of which entry is being read. Its values stay out of messages: a key pasted into the wrong place is one.
#[derive(Clone, Copy)]
struct Place<'a> {
    number: usize,
    field: &'a str,
}

impl Place<'_> {
    fn wrong(self, problem: &'static str) -> Error {
        Error::new(ErrorKind::Config, "read state.json", problem)
            .with("entry", self.number)
            .with("field", self.field)
    }

    fn text(self, value: Option<Value>) -> Result<Option<String>> {
        match value {
            Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            _ => Err(self.wrong("must be text in quotes, and not empty")),
        }
    }

    fn switch(self, value: Option<&Value>) -> Result<bool> {
        match value {
            Some(Value::Null) => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            _ => Err(self.wrong("must be true or false")),
        }
    }

    fn number(self, value: Option<Value>, least: u64, most: u64) -> Result<Option<u64>> {
        if value == Some(Value::Null) {
            return Ok(None);
        }
        let number = value.and_then(|value| value.as_u64());
        number
            .filter(|number| (least..=most).contains(number))
            .map(Some)
            .ok_or_else(|| {
                self.wrong("must be a whole number within its limits")
                    .with("least", least)
                    .with("most", most)
            })
    }

    fn small_number(self, value: Option<Value>, most: u64) -> Result<Option<u32>> {
        let number = self.number(value, 1, most)?;
        Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    fn duration(self, value: Option<Value>) -> Result<Option<Duration>> {
        let duration = match value {
            Some(Value::Null) => return Ok(None),
            Some(Value::Number(seconds)) => seconds.as_u64().map(Duration::from_secs),
            Some(Value::String(text)) => timestamp::parse_duration(&text),
            _ => None,
        };
        duration
            .filter(|every| !every.is_zero() && *every <= LONGEST_SCHEDULE)
            .map(Some)
            .ok_or_else(|| {
                self.wrong(
                    "must be seconds or text such as \"15m\", \"1h\", \"1d\", at most a year",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<ImportEntry>> {
        decode(&Document::parse(text.to_owned()).map_err(malformed)?)
    }

    fn ids(text: &str) -> Vec<String> {
        read(text)
            .unwrap()
            .iter()
            .map(|entry| entry.id.to_string())
            .collect()
    }

    #[test]
    fn only_the_list_id_is_required() {
        let entries = read(r#"[{"list_id": "a1b2c3"}]"#).unwrap();
        let entry = &entries[0];
        assert_eq!(entry.id.as_str(), "a1b2c3");
        assert_eq!(
            (
                entry.latest_timestamp,
                entry.start_offset,
                entry.worker_count
            ),
            (None, 0, None)
        );
        assert!(!entry.paused);
    }

    #[test]
    fn every_known_field_is_read_and_the_rest_is_kept_apart() {
        let entries = read(
            r#"[{"list_id":"a","id":"x","latest_timestamp":"2024-05-01","start_offset":7,
                "items_per_request":100,"worker_count":8,"account":"main","sink":"jsonl:out",
                "schedule":"15m","paused":true,"elapsed_seconds":3.5,"total_updates":9,"note":[1]}]"#,
        )
        .unwrap();
        let entry = &entries[0];
        assert_eq!(entry.id.as_str(), "x");
        assert_eq!(entry.latest_timestamp, timestamp::parse("2024-05-01"));
        assert_eq!(entry.start_offset, 7);
        assert_eq!(
            (entry.items_per_request, entry.worker_count),
            (Some(100), Some(8))
        );
        assert_eq!(
            (entry.account.as_deref(), entry.sink.as_deref()),
            (Some("main"), Some("jsonl:out"))
        );
        assert_eq!(entry.schedule, Some(Duration::from_secs(900)));
        assert!(entry.paused);
        assert_eq!(entry.extra.keys().collect::<Vec<_>>(), ["note"]);
    }

    #[test]
    fn entries_of_one_list_get_different_ids() {
        assert_eq!(
            ids(r#"[{"list_id":"a"},{"list_id":"a"},{"list_id":"b"},{"list_id":"a"}]"#),
            ["a", "a#2", "b", "a#3"]
        );
        assert_eq!(
            ids(r#"[{"list_id":"a"},{"list_id":"b","id":"a"}]"#),
            ["a#2", "a"]
        );
        assert!(read(r#"[{"list_id":"a","id":"x"},{"list_id":"b","id":"x"}]"#).is_err());
    }

    #[test]
    fn a_wrong_value_names_entry_and_field_and_not_the_value() {
        for (field, value) in [
            ("items_per_request", "0"),
            ("items_per_request", "-5"),
            ("items_per_request", "1001"),
            ("items_per_request", "\"100\""),
            ("items_per_request", "1e999"),
            ("worker_count", "0"),
            ("worker_count", "2.5"),
            ("worker_count", "99999"),
            ("start_offset", "-1"),
            ("start_offset", "18446744073709551615"),
            ("latest_timestamp", "\"yesterday\""),
            ("latest_timestamp", "1700000000"),
            ("schedule", "0"),
            ("schedule", "\"soon\""),
            ("paused", "\"yes\""),
            ("account", "\"\""),
            ("id", "\"a/b\""),
        ] {
            let error = read(&format!(
                r#"[{{"list_id":"good"}},{{"list_id":"a","{field}":{value}}}]"#
            ))
            .expect_err(field);
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                text.contains("entry 2") && text.contains(&format!("field {field}")),
                "{text}"
            );
            assert!(!text.contains("yesterday"), "{text}");
        }
    }

    #[test]
    fn a_list_id_that_would_change_a_path_is_refused() {
        for list_id in ["", " ", "a/b", "..", "a?b", "a#2", "a b", "é"] {
            let text = format!(r#"[{{"list_id":"{list_id}"}}]"#);
            assert!(read(&text).is_err(), "{list_id}");
        }
        assert!(read(r#"[{"id":"x"}]"#).is_err());
        assert!(read(r#"[{"list_id":5}]"#).is_err());
    }

    #[test]
    fn a_value_that_cannot_be_held_is_no_reason_to_refuse_the_file() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let entries = read(&format!(r#"[{{"list_id":"a","big":1e999,"deep":{deep}}}]"#)).unwrap();
        assert!(entries[0].extra.is_empty());
    }

    proptest! {
        #[test]
        fn no_entry_panics(
            name in "list_id|id|latest_timestamp|start_offset|items_per_request|schedule|sink|x",
            value in "-?[0-9]{1,25}(\\.[0-9]{1,5})?(e[0-9]{1,4})?|\"\\PC{0,12}\"|null|true|\\{\\}|\\[1, 2\\]",
        ) {
            let _ = read(&format!(r#"[{{"list_id":"a"}},{{"list_id":"b","{name}":{value}}}]"#));
        }
    }
}
