//! What a client tells its owner about requests, for metrics and logs.

use std::time::Duration;

/// Hears about every request. All methods do nothing by default and must return quickly: they run between requests.
pub trait Hooks: Send + Sync {
    /// One request was answered, failed or was given up; retries are reported one by one.
    fn on_request(&self, event: &RequestEvent) {
        let _ = event;
    }
}

/// Ignores everything.
impl Hooks for () {}

/// One request on the wire. Holds no id, address, key or body.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestEvent {
    /// Method and path template, such as `GET /contacts/{collection}/{id}`.
    pub endpoint: &'static str,
    /// 1 for the first try of a call.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status, when an answer arrived.
    pub status: Option<u16>,
    /// From sending to the complete answer; waiting for the rate limit is not in it.
    pub elapsed: Duration,
    /// Records in the request; 0 for reads.
    pub records: usize,
    /// Wait before the next attempt; `None` when there is none.
    pub retry_in: Option<Duration>,
    /// Remaining places in the account's queue, when the answer said so.
    pub queue_remaining: Option<u64>,
}

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// 2xx.
    Success,
    /// 429.
    Throttled,
    /// 401 or 403.
    Unauthorized,
    /// Any other 3xx or 4xx.
    Refused,
    /// 5xx.
    ServerError,
    /// No complete answer.
    Transport,
    /// No complete answer in time.
    TimedOut,
}

impl Outcome {
    /// A short constant word, fit for a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Throttled => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
            Self::Transport => "transport",
            Self::TimedOut => "timed_out",
        }
    }

    pub(crate) fn of_status(status: http::StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Success,
            401 | 403 => Self::Unauthorized,
            429 => Self::Throttled,
            500..=599 => Self::ServerError,
            _ => Self::Refused,
        }
    }
}
