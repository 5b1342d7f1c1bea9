//! How requests leave and answers arrive: a seam, so that tests and simulations need no sockets.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, Request, StatusCode};
use url::Url;

use crate::downloads::AllowedAddresses;
use crate::error::{Error, Result};

/// A body as it arrives, already free of any `Content-Encoding`.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Carries one request and gives back one answer. It neither retries nor interprets statuses.
///
/// The client calls it once per attempt, at most ten at a time, and may drop the future or the
/// body at any point: on a time-out, and when its own caller gives up. Time-outs are the
/// client's; a transport needs none of its own except for connecting.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` and returns as soon as status and headers are known.
    ///
    /// Redirects are not followed: the request carries a credential. An error of kind
    /// [`TransportErrorKind::Connect`] promises that nothing was sent.
    async fn send(&self, request: Request<Bytes>) -> Result<TransportResponse, TransportError>;
}

/// Status, headers and a body still arriving.
#[non_exhaustive]
pub struct TransportResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The response headers.
    pub headers: HeaderMap,
    /// The decoded body.
    pub body: BodyStream,
}

impl TransportResponse {
    /// An answer whose body arrives in chunks.
    pub fn new(status: StatusCode, headers: HeaderMap, body: BodyStream) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    /// An answer whose body is already here.
    pub fn full(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::new(status, headers, Box::pin(futures::stream::iter([Ok(body)])))
    }
}

impl fmt::Debug for TransportResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// How a request failed below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection was made; the request was never sent.
    Connect,
    /// Time ran out after the request may have been sent.
    Timeout,
    /// The connection broke before an answer began.
    Reset,
    /// The answer began and its body broke off.
    Body,
}

impl TransportErrorKind {
    /// Whether the request may have reached the server.
    pub fn may_have_been_sent(self) -> bool {
        self != Self::Connect
    }

    pub(crate) fn as_message(self) -> &'static str {
        match self {
            Self::Connect => "could not connect",
            Self::Timeout => "timed out",
            Self::Reset => "lost its connection before an answer",
            Self::Body => "lost its connection within the answer",
        }
    }
}

/// A failure below HTTP.
///
/// Whoever makes one sees to it that `source` quotes no URL, header or body.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl TransportError {
    /// A failure of this kind without further cause.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How it failed.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connect => "no connection",
            TransportErrorKind::Timeout => "no answer in time",
            TransportErrorKind::Reset => "connection lost before an answer",
            TransportErrorKind::Body => "connection lost within the answer",
        })
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// The default transport: reqwest with rustls, gzip, pooled connections and no redirects.
#[derive(Clone)]
pub struct ReqwestTransport {
    http: reqwest::Client,
}

impl ReqwestTransport {
    /// How long a connection may take to be made.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

    /// A transport with its own connection pool, which uses no proxy.
    ///
    /// Proxies named by environment variables are passed by: a library should not obey them
    /// unasked, and a plain-http proxy would see the credential of a loopback base URL.
    ///
    /// Fails with [`Error::Configuration`] when TLS cannot be set up.
    pub fn new() -> Result<Self> {
        Self::build(Self::settings())
    }

    /// A transport that reaches https hosts through a proxy.
    ///
    /// Fails with [`Error::Configuration`] when the proxy's URL is of no supported kind or TLS
    /// cannot be set up.
    pub fn through_proxy(proxy: Url) -> Result<Self> {
        let proxy = reqwest::Proxy::https(proxy)
            .map_err(|_| Error::configuration("proxy", "it is not the URL of an http proxy"))?;
        Self::build(Self::settings().proxy(proxy))
    }

    /// A transport for links out of answers: connects to public addresses alone, or to this
    /// machine where that is allowed, and leaves bodies as they are.
    pub(crate) fn for_downloads(loopback: bool) -> Result<Self> {
        Self::build(
            Self::settings()
                .no_gzip()
                .dns_resolver(AllowedAddresses { loopback }),
        )
    }

    fn settings() -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Self::CONNECT_TIMEOUT)
    }

    fn build(settings: reqwest::ClientBuilder) -> Result<Self> {
        let http = settings
            .build()
            .map_err(|_| Error::configuration("transport", "TLS could not be initialised"))?;
        Ok(Self { http })
    }

    /// A transport over a reqwest client of the caller's making, for instance with extra roots.
    ///
    /// The client must not follow redirects and must decode gzip.
    pub fn from_client(http: reqwest::Client) -> Self {
        Self { http }
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<TransportResponse, TransportError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|error| from_reqwest(error, TransportErrorKind::Connect))?;
        let mut response = self
            .http
            .execute(request)
            .await
            .map_err(|error| from_reqwest(error, TransportErrorKind::Reset))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|error| from_reqwest(error, TransportErrorKind::Body)));
        Ok(TransportResponse::new(status, headers, Box::pin(body)))
    }
}

/// Translates, and drops the URL: member URLs and queries name people.
fn from_reqwest(error: reqwest::Error, otherwise: TransportErrorKind) -> TransportError {
    let kind = if error.is_connect() || error.is_builder() {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else {
        otherwise
    };
    TransportError::new(kind).with_source(error.without_url())
}
