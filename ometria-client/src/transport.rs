//! The seam between this crate and the network.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Carries one request and brings back the whole response.
///
/// Implementations do not retry, follow redirects or time out: the client does the first and the last, and a redirect
/// must never carry the key elsewhere. The future may be dropped at any await, which abandons the request; whether the
/// server acted on it is then unknown.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request` once.
    ///
    /// Any HTTP status is an `Ok`; an `Err` means that no complete response arrived.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

/// Why no complete response arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection came about, so the server saw nothing.
    Connect,
    /// The connection broke, or the body ended early; the server may have acted.
    Interrupted,
    /// The answer was longer than the transport reads; asking again would not help.
    BodyTooLarge,
    /// The request could not be built; asking again would not help.
    Unsendable,
}

/// No complete response arrived.
#[derive(Debug, thiserror::Error)]
#[error("{}", .kind.describe())]
pub struct TransportError {
    kind: TransportErrorKind,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl TransportErrorKind {
    fn describe(self) -> &'static str {
        match self {
            Self::Connect => "no connection to the server",
            Self::Interrupted => "the connection broke before the answer was complete",
            Self::BodyTooLarge => "the answer is larger than this client reads",
            Self::Unsendable => "the request could not be built",
        }
    }
}

impl TransportError {
    /// An error of this kind without a cause.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the cause, which must not mention headers or bodies.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What happened.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Whether the server may have acted on the request.
    pub fn may_have_been_sent(&self) -> bool {
        !matches!(
            self.kind,
            TransportErrorKind::Connect | TransportErrorKind::Unsendable
        )
    }
}

/// [`Transport`] over reqwest with rustls.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    max_body_bytes: usize,
}

impl ReqwestTransport {
    /// The longest answer read unless [`max_body_bytes`](Self::max_body_bytes) says otherwise: 8 MiB.
    pub const DEFAULT_MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

    /// A transport that uses no proxy, follows no redirect and ignores the environment. It waits ten seconds at most for
    /// a connection.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::Unsendable`] when the TLS library cannot start.
    pub fn new() -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // Told apart from other time-outs, because here the server surely saw nothing.
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|e| TransportError::new(TransportErrorKind::Unsendable).with_source(e))?;
        Ok(Self::from_client(client))
    }

    /// Uses a reqwest client made elsewhere, for a proxy or a private certificate authority.
    ///
    /// It should follow no redirects: reqwest would repeat the `X-Ometria-Auth` header to the new host.
    pub fn from_client(client: reqwest::Client) -> Self {
        Self {
            client,
            max_body_bytes: Self::DEFAULT_MAX_BODY_BYTES,
        }
    }

    /// Reads at most this many bytes of an answer, after decompression.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|e| TransportError::new(TransportErrorKind::Unsendable).with_source(e))?;
        let mut response = self.client.execute(request).await.map_err(from_reqwest)?;
        let mut head = http::Response::new(());
        *head.status_mut() = response.status();
        *head.headers_mut() = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(from_reqwest)? {
            if body.len() + chunk.len() > self.max_body_bytes {
                return Err(TransportError::new(TransportErrorKind::BodyTooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(head.map(|()| body.freeze()))
    }
}

/// URLs are dropped from the cause: a query can hold an e-mail address.
fn from_reqwest(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_builder() {
        TransportErrorKind::Unsendable
    } else {
        TransportErrorKind::Interrupted
    };
    TransportError::new(kind).with_source(error.without_url())
}
