//! `POST /push` and `GET /push/_errors`.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::SecondsFormat;
use http::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

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
        let heads: Vec<Head<'_>> = records.iter().map(|record| Head::of(record)).collect();
        let types = heads.iter().filter_map(|head| head.record_type);
        let types: BTreeSet<&str> = types.map(RawValue::get).collect();
        if types.len() > 1 {
            return refuse("records of more than one type");
        }
        if self.waiting() + records.len() > self.settings.backlog_limit {
            return self.with_queue_size(Self::too_many("the queue is full"));
        }
        let request_id = self.next_id();
        let shared_id: Arc<str> = request_id.as_str().into();
        let mut rejected_items = Vec::new();
        for (record, head) in records.iter().zip(&heads) {
            let rule = self.rejection(|| head.id());
            let flaw = if record.get().len() > RECORD_BYTES {
                Some(Flaw {
                    message: TOO_LARGE,
                    path: "root".to_owned(),
                })
            } else {
                (rule == Some(Rejection::AtOnce)).then(|| Flaw::at("id"))
            };
            if let Some(flaw) = flaw {
                rejected_items.push(json!({"id": head.id(), "error_message": flaw.message}));
                let record = serde_json::from_str(record.get()).unwrap_or_default();
                let request_id = Arc::clone(&shared_id);
                self.remember(LateError {
                    flaw,
                    request_id,
                    record,
                    at: now,
                });
            } else {
                self.enqueue(Pending {
                    json: record.get().into(),
                    request_id: Arc::clone(&shared_id),
                    reject: rule == Some(Rejection::Late),
                });
            }
        }
        let rejected = rejected_items.len();
        let accepted = records.len() - rejected;
        self.stats.pushed += records.len() as u64;
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

/// The two fields that a call is judged by; the others are looked at when the record is processed.
#[derive(Default, Deserialize)]
struct Head<'a> {
    #[serde(rename = "@type", borrow)]
    record_type: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl<'a> Head<'a> {
    fn of(record: &'a RawValue) -> Self {
        serde_json::from_str(record.get()).unwrap_or_default()
    }

    /// Empty for an id that is missing or no text.
    fn id(&self) -> String {
        self.id
            .and_then(|id| serde_json::from_str(id.get()).ok())
            .unwrap_or_default()
    }
}
