//! Answers that a transport gives without a network.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

/// What the simulated account accepts.
pub const MAILCHIMP_KEY: &str = "0123456789abcdef0123456789abcdef-us6";
const OMETRIA_KEY: &str = "0123456789abcdef0123456789abcdef";

/// One answer of a server.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status; 0 means 200.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// In how many bytes at a time the body arrives; 0 means all at once.
    pub piece: usize,
}

impl Answer {
    /// An answer of this status with this body, in one piece.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    /// The same, arriving in pieces.
    #[must_use]
    pub fn in_pieces(mut self, piece: usize) -> Self {
        self.piece = piece;
        self
    }

    /// The same with headers.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or_default()
    }
}

type Answers = dyn Fn(&Request<Bytes>) -> Answer + Send + Sync;

/// A transport of both clients that answers from a function.
#[derive(Clone)]
pub struct Answering(Arc<Answers>);

impl Answering {
    /// Answers each request by this function.
    pub fn by(answer: impl Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    /// Answers each request alike.
    pub fn always(answer: Answer) -> Self {
        Self::by(move |_| answer.clone())
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}

#[async_trait]
impl mailchimp_client::Transport for Answering {
    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<mailchimp_client::TransportResponse, mailchimp_client::TransportError> {
        let answer = (self.0)(&request);
        let piece = if answer.piece == 0 {
            answer.body.len().max(1)
        } else {
            answer.piece
        };
        let mut body = answer.body.clone();
        let pieces = std::iter::from_fn(move || {
            (!body.is_empty()).then(|| Ok(body.split_to(piece.min(body.len()))))
        });
        Ok(mailchimp_client::TransportResponse::new(
            answer.status(),
            answer.headers,
            Box::pin(futures::stream::iter(pieces)),
        ))
    }
}

#[async_trait]
impl ometria_client::Transport for Answering {
    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, ometria_client::TransportError> {
        let answer = (self.0)(&request);
        let mut response = Response::new(answer.body.clone());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// A Mailchimp client over this transport.
pub fn mailchimp(transport: Answering) -> mailchimp_client::ClientBuilder {
    mailchimp_client::Client::builder(MAILCHIMP_KEY)
        .transport(Arc::new(transport))
        .jitter_seed(7)
}

/// An Ometria client over this transport.
pub fn ometria(transport: Answering) -> ometria_client::ClientBuilder {
    let key = ometria_client::ApiKey::new(OMETRIA_KEY).expect("a key");
    ometria_client::Client::builder(key).transport(Arc::new(transport))
}

/// A client of the record endpoint over this transport, which asks once.
pub fn record_endpoint(transport: Answering) -> ometria_client::RecordClientBuilder {
    let key = ometria_client::ApiKey::new(OMETRIA_KEY).expect("a key");
    ometria_client::RecordClient::builder(key)
        .base_url(
            "https://records.example.com/api"
                .parse()
                .expect("a base url"),
        )
        .retry(ometria_client::RetryPolicy::never())
        .transport(Arc::new(transport))
}

/// Runs to the end on one thread, in simulated time: waiting costs none.
pub fn run<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// Panics if what is shown may quote an answer: what the clients say themselves holds no at sign.
pub fn assert_silent(shown: &(impl fmt::Debug + fmt::Display)) {
    let shown = format!("{shown} {shown:?}");
    assert!(!shown.contains('@'), "an answer is quoted: {shown}");
}
