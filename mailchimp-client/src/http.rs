//! One request, with its limits: slot, time-out, size, and the only retry loop of the crate.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::body::{self, Buffers};
use crate::error::{
    ApiError, Error, Operation, Result, TooLarge, TransportFailure, is_throttle, plain_word,
};
use crate::fetched::Meta;
use crate::hooks::{Hooks, Outcome, RequestEvent, RetryEvent};
use crate::limiter::{Limiter, Slot, Verdict};
use crate::path::Path;
use crate::problem::Problem;
use crate::query::Query;
use crate::retry::{Cause, RetryBudget, RetryPolicy};
use crate::transport::{
    ReqwestTransport, Transport, TransportError, TransportErrorKind, TransportResponse,
};

/// How much of an error's body is read: a problem document is far smaller.
const ERROR_BODY_LIMIT: u64 = 256 * 1024;

/// What all clones of a client share, apart from the retry policy.
pub(crate) struct Wire {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) downloads: OnceLock<Arc<dyn Transport>>,
    /// Links may lead to this machine.
    pub(crate) loopback_links: bool,
    pub(crate) limiter: Limiter,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) budget: RetryBudget,
    pub(crate) jitter: Mutex<fastrand::Rng>,
    /// Without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) authorization: HeaderValue,
    pub(crate) user_agent: HeaderValue,
    pub(crate) timeout: Duration,
    pub(crate) body_limit: u64,
    pub(crate) buffers: Arc<Buffers>,
}

/// One call as its endpoint describes it.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a Path,
    pub(crate) query: &'a Query,
    pub(crate) body: Option<Bytes>,
    /// Safe to repeat although the first try may have had its effect.
    pub(crate) idempotent: bool,
}

impl Call<'_> {
    pub(crate) fn operation(&self) -> Operation {
        Operation::new(self.method.clone(), self.path.template_owned())
    }
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    pub(crate) meta: Meta,
}

/// One attempt that gave no success.
pub(crate) enum Failure {
    Transport(TransportError),
    TooLarge(u64),
    Status {
        status: u16,
        problem: Option<Problem>,
        meta: Meta,
        retry_after: Option<Duration>,
    },
}

impl Failure {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Transport(error) => Outcome::Failed(error.kind()),
            Self::TooLarge(_) => Outcome::TooLarge,
            Self::Status { status, .. } => Outcome::Status(*status),
        }
    }

    /// Why the request is worth repeating, if it is.
    fn cause(&self, idempotent: bool) -> Option<Cause> {
        match self {
            Self::TooLarge(_) => None,
            Self::Transport(error) => match error.kind() {
                TransportErrorKind::Connect => Some(Cause::Other),
                TransportErrorKind::Timeout => idempotent.then_some(Cause::Timeout),
                _ => idempotent.then_some(Cause::Other),
            },
            Self::Status { status: 429, .. } => Some(Cause::Throttle),
            Self::Status {
                status, problem, ..
            } => {
                if is_throttle(*status, problem.is_some()) {
                    idempotent.then_some(Cause::Throttle)
                } else if *status >= 500 {
                    idempotent.then_some(Cause::Other)
                } else {
                    None
                }
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Status {
                status, problem, ..
            } => {
                if is_throttle(*status, problem.is_some()) {
                    Verdict::Throttled
                } else if *status >= 500 {
                    Verdict::Unknown
                } else {
                    Verdict::Answered
                }
            }
            Self::TooLarge(_) | Self::Transport(_) => Verdict::Unknown,
        }
    }

    /// Whether the server may have acted on the request.
    fn may_have_been_sent(&self) -> bool {
        match self {
            Self::Transport(error) => error.kind().may_have_been_sent(),
            Self::Status { status, .. } => *status >= 500,
            Self::TooLarge(_) => true,
        }
    }

    pub(crate) fn into_error(self, operation: Operation, tries: Tries) -> Error {
        let Tries {
            attempts,
            retries_spent,
            may_have_been_sent,
        } = tries;
        match self {
            Self::Transport(source) => Error::Transport(Box::new(TransportFailure {
                operation,
                kind: source.kind(),
                may_have_been_sent,
                attempts,
                retries_spent,
                source,
            })),
            Self::TooLarge(limit) => Error::TooLarge(Box::new(TooLarge { operation, limit })),
            Self::Status {
                status,
                problem,
                meta,
                ..
            } => Error::Api(Box::new(ApiError {
                operation,
                status,
                request_id: meta
                    .request_id
                    .or_else(|| plain_word(problem.as_ref()?.instance()?)),
                problem,
                may_have_been_sent,
                attempts,
                retries_spent,
            })),
        }
    }
}

/// What the tries of one request amount to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tries {
    pub(crate) attempts: u32,
    pub(crate) retries_spent: bool,
    /// Once one try may have had its effect, so may the whole: a later one that could not
    /// connect, or was told that there is nothing left to delete, does not undo that.
    pub(crate) may_have_been_sent: bool,
}

impl Wire {
    /// Makes the request, repeating it as `policy` allows.
    ///
    /// Dropping the future does not end a request that has left; see [`UnderWay`].
    pub(crate) async fn call(&self, call: &Call<'_>, policy: &RetryPolicy) -> Result<Answer> {
        let mut began = None;
        let mut tries = Tries::default();
        loop {
            tries.attempts += 1;
            let failure = match self.attempt(call, tries.attempts, &mut began).await? {
                Ok(answer) => {
                    self.budget.success();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            tries.may_have_been_sent |= failure.may_have_been_sent();
            let Some(cause) = failure.cause(call.idempotent) else {
                return Err(failure.into_error(call.operation(), tries));
            };
            let Some(wait) = self.next_wait(policy, &failure, cause, tries.attempts, began) else {
                tries.retries_spent = true;
                return Err(failure.into_error(call.operation(), tries));
            };
            self.hooks.on_retry(&RetryEvent {
                method: &call.method,
                path: call.path.template(),
                attempt: tries.attempts,
                outcome: failure.outcome(),
                wait,
            });
            sleep(wait).await;
        }
    }

    /// The wait before the next try, or `None` when there is none left.
    fn next_wait(
        &self,
        policy: &RetryPolicy,
        failure: &Failure,
        cause: Cause,
        attempt: u32,
        began: Option<Instant>,
    ) -> Option<Duration> {
        if attempt >= policy.max_attempts {
            return None;
        }
        let random = self
            .jitter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .f64();
        let wait = policy.wait(attempt, cause, failure.retry_after(), random);
        let elapsed = began.map_or(Duration::ZERO, |began| began.elapsed());
        (elapsed.saturating_add(wait) <= policy.max_elapsed && self.budget.take(cause))
            .then_some(wait)
    }

    /// One try: slot, request, answer. The outer error means that no try is possible at all.
    async fn attempt(
        &self,
        call: &Call<'_>,
        attempt: u32,
        began: &mut Option<Instant>,
    ) -> Result<Result<Answer, Failure>> {
        let request = self.request(call)?;
        let mut slot = self.limiter.acquire().await;
        let started = Instant::now();
        began.get_or_insert(started);
        slot.sent();
        let exchange = exchange(
            self.transport.clone(),
            request,
            self.timeout,
            self.body_limit,
            self.buffers.clone(),
        );
        let ((result, bytes), slot) = UnderWay(Some((Box::pin(exchange), slot))).await;
        let outcome = match &result {
            Ok(answer) => Outcome::Status(answer.meta.status),
            Err(failure) => failure.outcome(),
        };
        settle(slot, &result);
        self.hooks.on_request(&RequestEvent {
            method: &call.method,
            path: call.path.template(),
            attempt,
            outcome,
            elapsed: started.elapsed(),
            response_bytes: bytes,
            limit: self.limiter.limit(),
        });
        Ok(result)
    }

    /// What opens links to other hosts; made when the first one is opened.
    pub(crate) fn download_transport(&self) -> Result<&Arc<dyn Transport>, TransportError> {
        if let Some(transport) = self.downloads.get() {
            return Ok(transport);
        }
        let made = ReqwestTransport::for_downloads(self.loopback_links)
            .map_err(|error| TransportError::new(TransportErrorKind::Connect).with_source(error))?;
        Ok(self.downloads.get_or_init(|| Arc::new(made)))
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Bytes>> {
        let query = call.query.encoded();
        let separator = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{}{separator}{query}", self.base_url, call.path.filled());
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(uri)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, self.user_agent.clone())
            .header(ACCEPT, "application/json, application/problem+json");
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        } else if call.method == Method::POST {
            // Left to itself, the transport says nothing, and some proxies answer 411 to that.
            request = request.header(CONTENT_LENGTH, "0");
        }
        request
            .body(call.body.clone().unwrap_or_default())
            .map_err(|_| Error::request("the query", "makes the URL longer than 64 KiB"))
    }
}

/// What came of one request, and how many bytes of the answer arrived.
type Exchanged = (Result<Answer, Failure>, u64);

/// A request that has left, with the slot it takes.
///
/// When nobody waits for it any more, a task of its own hears it out: only the answer shows that the server is done with it.
/// Without that the slot would have to stay taken for as long as a request can run at the server, and a caller who gives up
/// many requests would hold up all others.
struct UnderWay(Option<(BoxFuture<'static, Exchanged>, Slot)>);

impl Future for UnderWay {
    type Output = (Exchanged, Slot);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((mut exchange, slot)) = self.0.take() else {
            return Poll::Pending;
        };
        match exchange.as_mut().poll(context) {
            Poll::Ready(exchanged) => Poll::Ready((exchanged, slot)),
            Poll::Pending => {
                self.0 = Some((exchange, slot));
                Poll::Pending
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Outside a runtime there is nobody to hear it out: then the slot is held.
        if let Some((exchange, slot)) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                if let Ok((result, _)) = timeout_at(slot.held_until(), exchange).await {
                    settle(slot, &result);
                }
            });
        }
    }
}

/// Gives the slot back.
fn settle(slot: Slot, result: &Result<Answer, Failure>) {
    match result {
        // The server may still be busy with it: dropping a sent slot keeps it taken.
        Err(Failure::Transport(error)) if error.kind() == TransportErrorKind::Timeout => {
            drop(slot);
        }
        Err(failure) => slot.finish(failure.verdict()),
        Ok(_) => slot.finish(Verdict::Answered),
    }
}

async fn exchange(
    transport: Arc<dyn Transport>,
    request: Request<Bytes>,
    patience: Duration,
    body_limit: u64,
    buffers: Arc<Buffers>,
) -> Exchanged {
    let mut bytes = 0;
    let answer = answer(&*transport, request, body_limit, &mut bytes, &buffers);
    let result = match timeout(patience, answer).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Transport(TransportError::new(
            TransportErrorKind::Timeout,
        ))),
    };
    (result, bytes)
}

async fn answer(
    transport: &dyn Transport,
    request: Request<Bytes>,
    body_limit: u64,
    bytes: &mut u64,
    buffers: &Arc<Buffers>,
) -> Result<Answer, Failure> {
    let response = transport.send(request).await.map_err(Failure::Transport)?;
    let (status, headers) = (response.status, response.headers);
    let announced = content_length(&headers);
    if status.is_success() {
        let body = body::read(response.body, announced, body_limit, bytes, buffers).await?;
        let meta = meta(status, &headers, *bytes);
        return Ok(Answer { body, meta });
    }
    // The status decides. A body that is cut off, oversized or not JSON only means that there
    // is no problem document.
    let body = body::read(response.body, announced, ERROR_BODY_LIMIT, bytes, buffers)
        .await
        .ok();
    let problem = body.and_then(|body| Problem::parse(&body));
    let meta = meta(status, &headers, *bytes);
    let retry_after = retry_after(&headers, meta.server_time);
    Err(Failure::Status {
        status: status.as_u16(),
        problem,
        meta,
        retry_after,
    })
}

/// What an answer that is no success says, without its body.
pub(crate) fn refusal(response: &TransportResponse) -> Failure {
    Failure::Status {
        status: response.status.as_u16(),
        problem: None,
        meta: meta(response.status, &response.headers, 0),
        retry_after: None,
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn meta(status: StatusCode, headers: &HeaderMap, bytes: u64) -> Meta {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Meta {
        status: status.as_u16(),
        request_id: text("x-request-id").and_then(plain_word),
        server_time: text(DATE.as_str()).and_then(http_date),
        bytes,
    }
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

/// `Retry-After` in seconds, or as a date, which only the server's own clock can tell.
fn retry_after(headers: &HeaderMap, server_time: Option<DateTime<Utc>>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    (http_date(text)? - server_time?).to_std().ok()
}
