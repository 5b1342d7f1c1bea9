//! What Ometria says at once about a push.

use std::fmt;

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value};

use crate::document::{count, shown_id, text};
use crate::error::{Result, decode_error, queue_header};

/// The answer to one push.
///
/// Ometria answers before it validates: an `Ok` says that the records were received. Rejections can follow later, in
/// [`push_errors`](crate::Client::push_errors). Counts are `None` when the answer did not hold them, which is not zero.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct PushReceipt {
    /// The word of the answer.
    pub status: PushStatus,
    /// Ometria's id of the request; its consent audit log shows it, so it is worth keeping.
    pub request_id: Option<String>,
    /// Records taken.
    pub accepted: Option<u64>,
    /// Records refused at once.
    pub rejected: Option<u64>,
    /// Records passed over.
    pub skipped: Option<u64>,
    /// What the answer says about the refused ones. Its shape is undocumented and it may repeat what was sent.
    pub rejected_items: Vec<Value>,
    /// Other fields of the answer.
    pub extra: Map<String, Value>,
    /// About the answer itself.
    pub meta: ResponseMeta,
}

/// The `status` of a push answer.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushStatus {
    /// `OK`, in any case.
    Ok,
    /// `ERROR`, in any case.
    Error,
    /// Any other word.
    Other(String),
    /// No such field.
    Missing,
}

impl fmt::Debug for PushStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "Ok",
            Self::Error => "Error",
            Self::Other(_) => "Other",
            Self::Missing => "Missing",
        })
    }
}

/// About an answer rather than in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResponseMeta {
    /// HTTP status.
    pub status: u16,
    /// Requests sent for this call. More than one means that the records may have arrived more than once.
    pub attempts: u32,
    /// Size of the account's queue, when the answer said so.
    pub queue_limit: Option<u64>,
    /// Remaining places in it, when the answer said so.
    pub queue_remaining: Option<u64>,
}

impl ResponseMeta {
    pub(crate) fn read(response: &Response<Bytes>, attempts: u32) -> Self {
        Self {
            status: response.status().as_u16(),
            attempts,
            queue_limit: queue_header(response.headers(), "x-queuesize-limit"),
            queue_remaining: queue_header(response.headers(), "x-queuesize-remaining"),
        }
    }
}

impl PushReceipt {
    /// Whether the answer, a 2xx, confirms all of `sent` records.
    ///
    /// It does not if it says `ERROR`, rejects or skips anything, or accepts another number. Ometria documents a status
    /// word and a count, but not that they are always there: an answer with neither confirms, being a 2xx, while an
    /// unknown word without a count does not.
    pub fn confirms(&self, sent: usize) -> bool {
        let counted = match self.accepted {
            Some(accepted) => accepted == sent as u64,
            None => matches!(self.status, PushStatus::Ok | PushStatus::Missing),
        };
        counted
            && self.status != PushStatus::Error
            && self.rejected.unwrap_or(0) == 0
            && self.skipped.unwrap_or(0) == 0
            && self.rejected_items.is_empty()
    }

    pub(crate) fn read(
        endpoint: &'static str,
        response: &Response<Bytes>,
        attempts: u32,
    ) -> Result<Self> {
        let Ok(Value::Object(mut object)) = serde_json::from_slice(response.body()) else {
            return Err(decode_error(endpoint, response.status(), "$", "an object"));
        };
        let status = match text(&object, "status") {
            None => PushStatus::Missing,
            Some(word) if word.eq_ignore_ascii_case("ok") => PushStatus::Ok,
            Some(word) if word.eq_ignore_ascii_case("error") => PushStatus::Error,
            Some(word) => PushStatus::Other(word.to_owned()),
        };
        let [accepted, rejected, skipped] =
            ["accepted", "rejected", "skipped"].map(|key| count(&object, key));
        let request_id = text(&object, "request_id").map(str::to_owned);
        let rejected_items = match object.remove("rejected_items") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => vec![other],
        };
        for key in ["status", "request_id", "accepted", "rejected", "skipped"] {
            object.remove(key);
        }
        Ok(Self {
            status,
            request_id,
            accepted,
            rejected,
            skipped,
            rejected_items,
            extra: object,
            meta: ResponseMeta::read(response, attempts),
        })
    }
}

impl fmt::Debug for PushReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushReceipt")
            .field("status", &self.status)
            .field("request_id", &shown_id(self.request_id.as_deref()))
            .field("accepted", &self.accepted)
            .field("rejected", &self.rejected)
            .field("skipped", &self.skipped)
            .field("rejected_items", &self.rejected_items.len())
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
