//! A transport that answers from a closure, without sockets, on tokio's clock.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use mailchimp_client::{
    Client, ClientBuilder, Hooks, RequestEvent, RetryEvent, Transport, TransportError,
    TransportErrorKind, TransportResponse,
};
use tokio::time::{Instant, sleep};

/// A key of the documented form. Tests look for its first half where it must not be.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn key() -> String {
    format!("{SECRET}-us6")
}

/// What the script does with one request.
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        chunks: Vec<Chunk>,
    },
    Fail(TransportErrorKind),
    Hang,
}

pub(crate) enum Chunk {
    Data(Bytes),
    Break,
    Stall,
    Endless(Bytes),
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type", "application/json; charset=utf-8".into())],
            chunks: vec![Chunk::Data(body.into())],
        }
    }

    pub(crate) fn problem(status: u16, title: &str, detail: &str) -> Self {
        let body = serde_json::json!({
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": title,
            "status": status,
            "detail": detail,
            "instance": "995c5cb0-3280-4a6e-808b-3b096d0bb219",
        });
        Self::Answer {
            status,
            headers: vec![(
                "content-type",
                "application/problem+json; charset=utf-8".into(),
            )],
            chunks: vec![Chunk::Data(body.to_string().into())],
        }
    }

    pub(crate) fn html(status: u16) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type", "text/html".into())],
            chunks: vec![Chunk::Data(Bytes::from_static(
                b"<html>Access denied</html>",
            ))],
        }
    }

    pub(crate) fn bytes(body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status: 200,
            headers: vec![],
            chunks: vec![Chunk::Data(body.into())],
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    /// With this header in place of the one there is.
    pub(crate) fn replaced(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.retain(|(known, _)| *known != name);
            headers.push((name, value.into()));
        }
        self
    }
}

/// A request as it reached the transport.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

type Answering = dyn Fn(usize, &Seen) -> Reply + Send + Sync;

/// The transport. The closure gets the number of the request, from 0.
#[derive(Clone)]
pub(crate) struct Script {
    answering: Arc<Answering>,
    latency: Duration,
    seen: Arc<Mutex<Vec<Seen>>>,
    running: Arc<AtomicUsize>,
    most_running: Arc<AtomicUsize>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    pub(crate) fn new(answering: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            answering: Arc::new(answering),
            latency: Duration::ZERO,
            seen: Arc::default(),
            running: Arc::default(),
            most_running: Arc::default(),
        }
    }

    /// Answers requests in turn; the last reply is given to all that follow.
    pub(crate) fn replies(replies: Vec<fn() -> Reply>) -> Self {
        Self::new(move |number, _| replies[number.min(replies.len() - 1)]())
    }

    pub(crate) fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(key())
            .transport(Arc::new(self.clone()))
            .jitter_seed(7)
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Times between one request and the next.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let seen = self.seen();
        seen.windows(2)
            .map(|pair| pair[1].at - pair[0].at)
            .collect()
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    pub(crate) fn most_running(&self) -> usize {
        self.most_running.load(Ordering::SeqCst)
    }
}

/// Counts a request as running until it ends or is dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Result<TransportResponse, TransportError> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.running));
        let uri = request.uri();
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let seen = Seen {
            host: uri.host().unwrap_or_default().to_owned(),
            path: uri.path().to_owned(),
            query: query.into_owned().collect(),
            headers: request.headers().clone(),
            body: request.body().clone(),
            at: Instant::now(),
        };
        let number = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        if !self.latency.is_zero() {
            sleep(self.latency).await;
        }
        match (self.answering)(number, &seen) {
            Reply::Hang => std::future::pending().await,
            Reply::Fail(kind) => Err(TransportError::new(kind)),
            Reply::Answer {
                status,
                headers,
                chunks,
            } => {
                let mut map = HeaderMap::new();
                for (name, value) in headers {
                    map.append(
                        HeaderName::from_static(name),
                        HeaderValue::from_str(&value).unwrap(),
                    );
                }
                let body = futures::stream::iter(chunks).map_chunks();
                Ok(TransportResponse::new(
                    StatusCode::from_u16(status).unwrap(),
                    map,
                    body,
                ))
            }
        }
    }
}

trait MapChunks {
    fn map_chunks(self) -> mailchimp_client::BodyStream;
}

impl<S> MapChunks for S
where
    S: futures::Stream<Item = Chunk> + Send + 'static,
{
    fn map_chunks(self) -> mailchimp_client::BodyStream {
        use futures::StreamExt;
        use futures::future::Either;
        Box::pin(self.flat_map(|chunk| match chunk {
            Chunk::Data(data) => Either::Left(futures::stream::iter([Ok(data)])),
            Chunk::Break => Either::Left(futures::stream::iter([Err(TransportError::new(
                TransportErrorKind::Body,
            ))])),
            Chunk::Stall => Either::Right(Either::Left(futures::stream::pending())),
            Chunk::Endless(data) => {
                Either::Right(Either::Right(futures::stream::repeat_with(move || {
                    Ok(data.clone())
                })))
            }
        }))
    }
}

/// Writes down what the client tells.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) requests: Mutex<Vec<String>>,
    pub(crate) retries: Mutex<Vec<Duration>>,
}

impl Hooks for Notes {
    fn on_request(&self, event: &RequestEvent<'_>) {
        let note = format!(
            "{} {} #{} {:?} {} bytes",
            event.method, event.path, event.attempt, event.outcome, event.response_bytes,
        );
        self.requests.lock().unwrap().push(note);
    }

    fn on_retry(&self, event: &RetryEvent<'_>) {
        self.retries.lock().unwrap().push(event.wait);
    }
}
