//! `POST /push` and `GET /push/_errors`.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::SecondsFormat;
use http::Response;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::account::{Account, LateError, Pending};
use crate::faults::Rejection;
use crate::incoming::{Flaw, RECORD_BYTES, TOO_LARGE, text};
use crate::response;
use crate::settings::{ErrorBody, ErrorShape};

/// Records in one call.
const RECORDS_PER_CALL: usize = 100;

impl Account {
    pub(crate) fn push(&mut self, body: &Bytes) -> Response<Bytes> {
        let now = self.now();
        if !self.push_rate.allows(now) {
            return self.with_queue_size(Self::too_many("too many requests"));
        }
        let refuse =
            |message| response::error(self.settings.refuse_status, message, ErrorBody::Json);
        let Ok(records) = serde_json::from_slice::<Vec<&RawValue>>(body) else {
            return refuse("the body is not a json array");
        };
        if records.len() > RECORDS_PER_CALL {
            return refuse("too many records");
        }
        let records: Vec<(Map<String, Value>, &str)> = records
            .iter()
            .map(|record| (read(record), record.get()))
            .collect();
        let types = records
            .iter()
            .filter_map(|(record, _)| record.get("@type")?.as_str());
        let types: BTreeSet<&str> = types.collect();
        if types.len() > 1 {
            return refuse("records of more than one type");
        }
        if self.waiting() + records.len() > self.settings.backlog_limit {
            return self.with_queue_size(Self::too_many("the queue is full"));
        }
        let request_id = self.next_id();
        let shared_id: Arc<str> = request_id.as_str().into();
        let mut rejected_items = Vec::new();
        let count = records.len();
        for (record, json) in records {
            let request_id = Arc::clone(&shared_id);
            let rule = self.rejection(text(&record, "id").unwrap_or_default());
            let flaw = if json.len() > RECORD_BYTES {
                Some(Flaw {
                    message: TOO_LARGE,
                    path: "root".to_owned(),
                })
            } else {
                (rule == Some(Rejection::AtOnce)).then(|| Flaw::at("id"))
            };
            if let Some(flaw) = flaw {
                rejected_items.push(json!({"id": record.get("id"), "error_message": flaw.message}));
                self.remember(LateError {
                    flaw,
                    request_id,
                    record,
                    at: now,
                });
            } else {
                let reject = rule == Some(Rejection::Late);
                self.enqueue(Pending {
                    record,
                    json: json.into(),
                    request_id,
                    reject,
                    accepted_at: now,
                });
            }
        }
        let rejected = rejected_items.len();
        let accepted = count - rejected;
        self.stats.pushed += count as u64;
        self.stats.accepted += accepted as u64;
        self.stats.rejected += rejected as u64;
        let mut reply = json!({
            "status": "OK",
            "request_id": request_id,
            "accepted": accepted,
            "rejected": rejected,
        });
        if self.settings.list_rejected_items
            && let Some(reply) = reply.as_object_mut()
        {
            reply.insert("rejected_items".to_owned(), rejected_items.into());
        }
        self.with_queue_size(response::json(self.settings.success_status, &reply))
    }

    /// The latest errors, newest first.
    pub(crate) fn push_errors(&self) -> Response<Bytes> {
        let shape = self.settings.error_shape;
        let errors: Vec<Value> = self
            .errors
            .iter()
            .rev()
            .map(|error| shown(error, shape))
            .collect();
        response::json(200, &errors.into())
    }
}

fn shown(error: &LateError, shape: ErrorShape) -> Value {
    let LateError {
        flaw,
        request_id,
        record,
        at,
    } = error;
    let message = json!({"error_message": flaw.message, "error_path": flaw.path});
    match shape {
        ErrorShape::Short => message,
        ErrorShape::Long => json!({
            "request_id": **request_id,
            "record_type": text(record, "@type"),
            "record_id": text(record, "id"),
            "record": record,
            "timestamp": at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "message": message,
        }),
    }
}

/// What is no object is kept in one, for the error list; it has no type and so never passes as a record.
fn read(record: &RawValue) -> Map<String, Value> {
    serde_json::from_str(record.get())
        .unwrap_or_else(|_| Map::from_iter([("record".to_owned(), record.get().into())]))
}
