//! The one place where requests are sent, timed, counted and repeated.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::error::{ApiError, Error, Result, is_backlog, queue_header};
use crate::hooks::{Hooks, Outcome, RequestEvent};
use crate::limiter::RateLimit;
use crate::retry::{RetryBudget, RetryPolicy};
use crate::transport::{Transport, TransportError, TransportErrorKind};

/// No wait is longer, whatever a policy or a server says: beyond it, times no longer fit a clock.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How requests leave: shared by all clones of a client.
pub(crate) struct Http {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) key: (HeaderName, HeaderValue),
    pub(crate) user_agent: HeaderValue,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) budget: RetryBudget,
    pub(crate) hooks: Arc<dyn Hooks>,
}

/// One call, to be sent as often as it takes.
pub(crate) struct Call<'a> {
    /// Method and path template, for errors and hooks.
    pub(crate) endpoint: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Empty for reads.
    pub(crate) body: Bytes,
    pub(crate) records: usize,
    /// Whether a second arrival changes nothing. If not, it is repeated only when the server cannot have acted.
    pub(crate) safe_to_repeat: bool,
    pub(crate) limiter: Option<&'a RateLimit>,
}

/// A 2xx answer and how many requests it took.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Bytes>,
    pub(crate) attempts: u32,
}

enum Attempt {
    Answered(Response<Bytes>),
    Broken(TransportError),
    TimedOut,
}

impl Attempt {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(response) => Outcome::of_status(response.status()),
            Self::Broken(_) => Outcome::Transport,
            Self::TimedOut => Outcome::TimedOut,
        }
    }

    /// Whether another attempt can end differently and do no harm.
    fn may_repeat(&self, safe_to_repeat: bool) -> bool {
        match self {
            Self::Answered(response) => match response.status() {
                StatusCode::TOO_MANY_REQUESTS => true,
                status => status.is_server_error() && safe_to_repeat,
            },
            Self::Broken(error) => match error.kind() {
                TransportErrorKind::Connect => true,
                TransportErrorKind::Interrupted => safe_to_repeat,
                TransportErrorKind::BodyTooLarge | TransportErrorKind::Unsendable => false,
            },
            Self::TimedOut => safe_to_repeat,
        }
    }
}

impl Http {
    /// Sends `call` until it succeeds, cannot succeed, or the retry policy is spent.
    ///
    /// Dropping the future abandons the call; a request on its way may still be acted upon.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer> {
        let mut attempt = 1;
        // Counted from the first request on the wire: waiting in line for the rate limit spends no patience.
        let mut first = None;
        loop {
            if let Some(limiter) = call.limiter {
                limiter.acquire().await;
            }
            let started = Instant::now();
            let begin = *first.get_or_insert(started);
            let result =
                match tokio::time::timeout(self.timeout, self.transport.send(self.request(call)?))
                    .await
                {
                    Ok(Ok(response)) => Attempt::Answered(response),
                    Ok(Err(error)) => Attempt::Broken(error),
                    Err(_) => Attempt::TimedOut,
                };
            let elapsed = started.elapsed();
            let repeatable = result.may_repeat(call.safe_to_repeat);
            let wait = if repeatable {
                self.wait(&result, attempt, begin)
            } else {
                None
            };
            self.report(call, &result, attempt, elapsed, wait);
            match (result, wait) {
                (Attempt::Answered(response), _) if response.status().is_success() => {
                    self.budget.deposit();
                    return Ok(Answer {
                        response,
                        attempts: attempt,
                    });
                }
                (result, Some(wait)) => {
                    // The rate is the account's, so one caller's 429 slows all of them.
                    if let (Outcome::Throttled, Some(limiter)) = (result.outcome(), call.limiter) {
                        limiter.pause(wait);
                    }
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                (result, None) => return Err(self.error(call, result, attempt, repeatable)),
            }
        }
    }

    /// The wait before another attempt, or `None` when there is to be none.
    fn wait(&self, result: &Attempt, attempt: u32, begin: Instant) -> Option<Duration> {
        if attempt >= self.retry.max_attempts {
            return None;
        }
        let wait = match result {
            Attempt::Answered(response) if response.status() == StatusCode::TOO_MANY_REQUESTS => {
                let full = queue_header(response.headers(), "x-queuesize-remaining")
                    .is_some_and(is_backlog);
                retry_after(response).unwrap_or_else(|| {
                    if full {
                        self.retry.wait_for_backlog()
                    } else {
                        self.retry.wait_after(attempt)
                    }
                })
            }
            Attempt::Answered(response) => {
                retry_after(response).unwrap_or_else(|| self.retry.wait_after(attempt))
            }
            Attempt::Broken(_) | Attempt::TimedOut => self.retry.wait_after(attempt),
        };
        let wait = wait.min(LONGEST_WAIT);
        if begin.elapsed().saturating_add(wait) > self.retry.max_elapsed {
            return None;
        }
        (result.outcome() == Outcome::Throttled || self.budget.withdraw()).then_some(wait)
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Bytes>> {
        let (name, value) = &self.key;
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.url.as_str())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, &self.user_agent)
            .header(name, value);
        if call.method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(call.body.clone())
            .map_err(|_| Error::Configuration("the url of a request is not valid"))
    }

    fn report(
        &self,
        call: &Call<'_>,
        result: &Attempt,
        attempt: u32,
        elapsed: Duration,
        retry_in: Option<Duration>,
    ) {
        let response = match result {
            Attempt::Answered(response) => Some(response),
            Attempt::Broken(_) | Attempt::TimedOut => None,
        };
        self.hooks.on_request(&RequestEvent {
            endpoint: call.endpoint,
            attempt,
            outcome: result.outcome(),
            status: response.map(|response| response.status().as_u16()),
            elapsed,
            records: call.records,
            retry_in,
            queue_remaining: response
                .and_then(|response| queue_header(response.headers(), "x-queuesize-remaining")),
        });
    }

    fn error(&self, call: &Call<'_>, result: Attempt, attempts: u32, retries_spent: bool) -> Error {
        let endpoint = call.endpoint;
        match result {
            Attempt::Answered(response) => Error::Api(Box::new(ApiError::read(
                endpoint,
                attempts,
                retries_spent,
                &response,
            ))),
            Attempt::Broken(source) => Error::Transport {
                endpoint,
                attempts,
                retries_spent,
                source,
            },
            Attempt::TimedOut => Error::TimedOut {
                endpoint,
                after: self.timeout,
                attempts,
                retries_spent,
            },
        }
    }
}

/// The wait the server asked for. Ometria documents none, but what stands before it may send one. The form with a date
/// is not read: it would need a clock.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let seconds = queue_header(response.headers(), RETRY_AFTER.as_str())?;
    Some(Duration::from_secs(seconds))
}
