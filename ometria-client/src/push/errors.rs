//! What Ometria found wrong after it had accepted a push.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::document::{self, FromObject};
use crate::error::known_message;
use crate::push::RecordType;

/// One entry of the push error list.
///
/// Two shapes are in use: a bare message with a path, and a longer one naming request and record with the message nested.
/// Both are read; every field is optional. The list holds the account's latest 100 errors, so other integrations can
/// push an entry out before anyone saw it.
#[derive(Clone, PartialEq)]
pub struct PushError {
    object: Map<String, Value>,
}

impl PushError {
    /// The entry as the server sent it.
    pub fn raw(&self) -> &Map<String, Value> {
        &self.object
    }

    /// What is wrong, usually `not a valid value`. May repeat what was sent: keep it out of logs unless
    /// [`known_message`](Self::known_message) has it.
    pub fn error_message(&self) -> Option<&str> {
        self.message_part("error_message")
            .or_else(|| document::text(&self.object, "message"))
    }

    /// What is wrong, if it is one of the constant texts Ometria documents.
    pub fn known_message(&self) -> Option<&'static str> {
        self.error_message().and_then(known_message)
    }

    /// Where in the record, such as `root > lastname`.
    pub fn error_path(&self) -> Option<&str> {
        self.message_part("error_path")
    }

    /// The push the record came with.
    pub fn request_id(&self) -> Option<&str> {
        document::text(&self.object, "request_id")
    }

    /// The type of the record.
    pub fn record_type(&self) -> Option<RecordType> {
        document::text(&self.object, "record_type").map(RecordType::from)
    }

    /// The id of the record. An entry may hold the record and no id; then the record's own is taken.
    pub fn record_id(&self) -> Option<&str> {
        document::text(&self.object, "record_id")
            .or_else(|| document::text(self.record()?.as_object()?, "id"))
    }

    /// The collection of the record, when the entry holds the record.
    pub fn collection(&self) -> Option<&str> {
        document::text(self.record()?.as_object()?, "@collection")
    }

    /// The record as Ometria received it.
    pub fn record(&self) -> Option<&Value> {
        self.object.get("record")
    }

    /// When it was found.
    pub fn timestamp(&self) -> Option<DateTime<Utc>> {
        document::time(&self.object, "timestamp")
    }

    fn message_part(&self, key: &str) -> Option<&str> {
        document::text(&self.object, key)
            .or_else(|| document::text(self.object.get("message")?.as_object()?, key))
    }
}

impl FromObject for PushError {
    fn from_object(object: Map<String, Value>) -> Self {
        Self { object }
    }
}

impl fmt::Debug for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError")
            .field("message", &self.known_message().unwrap_or("<redacted>"))
            .field("request_id", &document::shown_id(self.request_id()))
            .finish_non_exhaustive()
    }
}
