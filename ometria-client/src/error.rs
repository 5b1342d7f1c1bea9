//! What went wrong on the wire, or before it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::document::shown_id;
use crate::push::RefusalReason;
use crate::transport::TransportError;

/// What every call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. No text in here or in its sources holds a key, an address or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting or an argument cannot work; nothing was sent.
    #[error("ometria client: {0}")]
    Configuration(&'static str),
    /// No complete answer arrived.
    #[error("{endpoint}: no complete answer in {attempts} attempts")]
    Transport {
        /// Method and path template.
        endpoint: &'static str,
        /// Requests sent for this call.
        attempts: u32,
        /// Whether repeating was allowed and did not help; do not repeat at once.
        retries_spent: bool,
        /// What the last attempt met.
        source: TransportError,
    },
    /// No complete answer arrived in time; the server may have acted.
    #[error("{endpoint}: no complete answer within {after:?}, {attempts} attempts")]
    TimedOut {
        /// Method and path template.
        endpoint: &'static str,
        /// The time allowed to one attempt.
        after: Duration,
        /// Requests sent for this call.
        attempts: u32,
        /// Whether repeating was allowed and did not help; do not repeat at once.
        retries_spent: bool,
    },
    /// The server answered with another status than success.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The server answered with success and something this client does not understand.
    #[error("{endpoint}: status {status}, but the body at {path} is not {expected}")]
    Decode {
        /// Method and path template.
        endpoint: &'static str,
        /// HTTP status of the answer.
        status: u16,
        /// Where in the body, `$` being the whole of it.
        path: String,
        /// What should have stood there.
        expected: &'static str,
    },
    /// A record breaks a documented limit; nothing was sent.
    #[error("record {index} cannot be pushed: {reason}")]
    InvalidRecord {
        /// Position among the records given.
        index: usize,
        /// The limit it breaks.
        reason: RefusalReason,
    },
    /// The records cannot travel in one call; nothing was sent. [`prepare`](crate::prepare) splits them.
    #[error("{calls} calls are needed for these records; split them first")]
    NotOneCall {
        /// Calls needed.
        calls: usize,
    },
    /// More rows than one record-endpoint call may carry; nothing was sent.
    #[error("{rows} rows in one call, at most {cap} are allowed; send them in chunks")]
    TooManyRows {
        /// Rows given.
        rows: usize,
        /// Rows allowed.
        cap: usize,
    },
    /// The record endpoint took another number of rows than it was sent. Sending the rows again is safe.
    #[error("POST /record: {sent} rows sent, {} taken", TakenText(*.taken))]
    CountMismatch {
        /// Rows sent.
        sent: usize,
        /// Rows taken; `None` when the reply did not say.
        taken: Option<u64>,
    },
    /// The record endpoint answered 2xx in a way that does not confirm the rows. Sending them again is safe.
    #[error("POST /record: status {status} with a reply word other than ok, or not 201")]
    NotConfirmed {
        /// HTTP status of the answer.
        status: u16,
    },
    /// The same page came twice, so the server ignores the offset and the walk would never end.
    #[error("{endpoint}: the page at offset {offset} repeats the one before")]
    PagesRepeat {
        /// Method and path template.
        endpoint: &'static str,
        /// Offset of the repeated page.
        offset: u64,
    },
}

struct TakenText(Option<u64>);

impl fmt::Display for TakenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("an unknown number"),
        }
    }
}

impl Error {
    /// The key is wrong or not allowed here. Ometria says 403 for a wrong key; 401 is taken to mean the same.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Api(e) if matches!(e.status, 401 | 403))
    }

    /// The resource does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api(e) if e.status == 404)
    }

    /// The account is over its rate or its queue is full.
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Api(e) if e.status == 429)
    }

    /// Whether a later attempt, by a later run, may succeed without anything being changed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Transport { source, .. } => {
                use crate::transport::TransportErrorKind as Kind;
                matches!(source.kind(), Kind::Connect | Kind::Interrupted)
            }
            Self::Api(e) => e.status == 429 || e.status >= 500,
            Self::TimedOut { .. } | Self::CountMismatch { .. } | Self::NotConfirmed { .. } => true,
            _ => false,
        }
    }

    /// Whether the client already repeated the request as often as it may; callers should not repeat it at once.
    pub fn retries_spent(&self) -> bool {
        match self {
            Self::Transport { retries_spent, .. } | Self::TimedOut { retries_spent, .. } => {
                *retries_spent
            }
            Self::Api(e) => e.retries_spent,
            _ => false,
        }
    }

    /// Requests sent for the failed call; 0 when it failed before sending.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Transport { attempts, .. } | Self::TimedOut { attempts, .. } => *attempts,
            Self::Api(e) => e.attempts,
            Self::Decode { .. } | Self::CountMismatch { .. } | Self::NotConfirmed { .. } => 1,
            _ => 0,
        }
    }

    /// HTTP status of the answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(e) => Some(e.status),
            Self::Decode { status, .. } | Self::NotConfirmed { status } => Some(*status),
            _ => None,
        }
    }

    /// What the server said, when it answered with an error.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(e) => Some(e),
            _ => None,
        }
    }
}

/// An answer with another status than success.
///
/// Its `Display` and `Debug` quote the server only where the text is one of the constants Ometria documents;
/// [`message`](Self::message) gives the text itself, which may repeat what was sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiError {
    /// Method and path template.
    pub endpoint: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Requests sent for this call.
    pub attempts: u32,
    /// Whether repeating was allowed and did not help.
    pub retries_spent: bool,
    /// The server's id of the request, from the body or the `X-Request-Id` header.
    pub request_id: Option<String>,
    /// Remaining places in the account's queue, when the answer said so.
    pub queue_remaining: Option<u64>,
    message: Option<String>,
}

impl ApiError {
    const MESSAGE_CHARS: usize = 500;

    pub(crate) fn read(
        endpoint: &'static str,
        attempts: u32,
        retries_spent: bool,
        response: &http::Response<Bytes>,
    ) -> Self {
        let body: Option<Value> = serde_json::from_slice(response.body()).ok();
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| body.as_ref()?.get(name)?.as_str())
                .map(capped)
        };
        let message = text(&[
            "error_message",
            "message",
            "error",
            "detail",
            "title",
            "status",
        ])
        .or_else(|| match &body {
            Some(_) => None,
            None => std::str::from_utf8(response.body())
                .ok()
                .map(str::trim)
                .map(capped),
        })
        .filter(|message| !message.is_empty());
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(capped)
        };
        Self {
            endpoint,
            status: response.status().as_u16(),
            attempts,
            retries_spent,
            request_id: text(&["request_id"]).or_else(|| header("x-request-id")),
            queue_remaining: queue_header(response.headers(), "x-queuesize-remaining"),
            message,
        }
    }

    /// The server's words, at most 500 characters. May repeat what was sent: keep it out of logs.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The server's words if they are one of Ometria's constants, which say nothing about a person.
    pub fn known_message(&self) -> Option<&'static str> {
        self.message.as_deref().and_then(known_message)
    }
}

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            status,
            attempts,
            ..
        } = self;
        write!(f, "{endpoint}: status {status}")?;
        if let Some(message) = self.known_message() {
            write!(f, ", {message}")?;
        }
        match *status {
            401 | 403 => f.write_str("; the key is wrong or not allowed here")?,
            429 if self.queue_remaining.is_some_and(is_backlog) => {
                f.write_str("; the account's queue is full")?;
            }
            429 => f.write_str("; the account is over its rate")?,
            _ => {}
        }
        if *attempts > 1 {
            write!(f, ", {attempts} attempts")?;
        }
        if let Some(id) = shown_id(self.request_id.as_deref()) {
            write!(f, ", request {id}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("endpoint", &self.endpoint)
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .field("retries_spent", &self.retries_spent)
            .field("request_id", &shown_id(self.request_id.as_deref()))
            .field("queue_remaining", &self.queue_remaining)
            .field("message", &self.known_message().unwrap_or("<redacted>"))
            .finish_non_exhaustive()
    }
}

/// The constant texts of Ometria's documentation, matched without regard to case.
pub(crate) fn known_message(text: &str) -> Option<&'static str> {
    const KNOWN: [&str; 2] = ["not a valid value", "Payload invalid: Record is too large"];
    KNOWN
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(text.trim()))
}

/// Fewer free places than ten full calls means that the queue, not the rate, is the reason for a 429.
pub(crate) fn is_backlog(queue_remaining: u64) -> bool {
    queue_remaining < 1_000
}

pub(crate) fn queue_header(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A body that should have been `expected` at `path`.
pub(crate) fn decode_error(
    endpoint: &'static str,
    status: StatusCode,
    path: impl Into<String>,
    expected: &'static str,
) -> Error {
    Error::Decode {
        endpoint,
        status: status.as_u16(),
        path: path.into(),
        expected,
    }
}

fn capped(text: &str) -> String {
    text.chars().take(ApiError::MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, body: &'static str) -> ApiError {
        let response = http::Response::builder()
            .status(status)
            .body(Bytes::from_static(body.as_bytes()));
        ApiError::read("POST /push", 1, false, &response.unwrap())
    }

    #[test]
    fn only_constant_texts_are_shown() {
        let error = api(400, r#"{"error_message":"not a valid value"}"#);
        assert!(error.to_string().contains("not a valid value"));
        for body in [
            r#"{"message":"bad address someone@example.com"}"#,
            "someone@example.com",
            "[]",
        ] {
            let error = api(400, body);
            let shown = format!(
                "{error} {error:?} {:?}",
                Error::Api(Box::new(error.clone()))
            );
            assert!(!shown.contains("someone"), "{shown}");
        }
        let spoken = api(400, r#"{"message":"bad address someone@example.com"}"#);
        assert_eq!(spoken.message(), Some("bad address someone@example.com"));
    }

    #[test]
    fn a_wrong_key_is_unauthorized_whether_401_or_403() {
        for (status, expected) in [(401, true), (403, true), (400, false), (404, false)] {
            assert_eq!(
                Error::Api(Box::new(api(status, ""))).is_unauthorized(),
                expected
            );
        }
    }
}
