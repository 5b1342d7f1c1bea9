//! One HTTP exchange with Snowflake, repeated while that makes sense.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};

use crate::error::{ClientError, Result};

/// How requests are repeated.
///
/// Repeating is safe for every request here: a statement carries an id by which Snowflake knows it again, and gives the
/// first run's answer instead of running it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all. Default 7.
    pub attempts: u32,
    /// Wait after the first failed try; it doubles with each, and up to half of it is left out at random. Default 500 ms.
    /// It is also the wait before a statement that still runs is asked for again.
    pub first_wait: Duration,
    /// The longest wait. Default 16 s.
    pub longest_wait: Duration,
    /// No try starts later than this after the first. Default 3 minutes.
    pub within: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 7,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(16),
            within: Duration::from_secs(180),
        }
    }
}

/// How long one try may take. Snowflake answers after 45 s at the latest, if only to say that the statement still runs.
const TRY: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(15);
/// The largest answer that is read. Results are read page by page; none comes near.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// Makes requests to one account.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: Url,
    retry: RetryPolicy,
}

/// A request to the account.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) path: &'a str,
    pub(crate) accept: &'static str,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) token: Option<&'a SecretString>,
    /// The JSON body, compressed with gzip; none makes it a `GET`.
    pub(crate) body: Option<Bytes>,
}

impl Transport {
    pub(crate) fn new(base: Url, retry: RetryPolicy) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TRY)
            .user_agent(concat!("sync-snowflake/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| ClientError::Configuration("tls could not be initialised"))?;
        Ok(Self { http, base, retry })
    }

    /// The answer's body, if it is JSON; Snowflake puts success and failure there.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Bytes> {
        let mut url = self
            .base
            .join(request.path)
            .map_err(|_| ClientError::Answer("a path"))?;
        // The token goes nowhere else, whatever path an answer named.
        if url.origin() != self.base.origin() {
            return Err(ClientError::Answer("a path on another host"));
        }
        for (name, value) in request.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        if let Some(token) = request.token {
            let value = format!("Snowflake Token=\"{}\"", token.expose_secret());
            let mut value =
                HeaderValue::from_str(&value).map_err(|_| ClientError::Answer("a token"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if request.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        self.repeat(url, headers, request.body.as_ref()).await
    }

    /// A part of a result, which is at the cloud's storage.
    pub(crate) async fn fetch(&self, url: &str, headers: HeaderMap) -> Result<Bytes> {
        let url = Url::parse(url).map_err(|_| ClientError::Answer("the url of a result"))?;
        if url.scheme() != "https" && url.origin() != self.base.origin() {
            return Err(ClientError::Answer("a result without tls"));
        }
        self.repeat(url, headers, None).await
    }

    /// The shortest wait between two requests for the same thing.
    pub(crate) async fn pause(&self) {
        sleep(self.retry.first_wait).await;
    }

    async fn repeat(&self, url: Url, headers: HeaderMap, body: Option<&Bytes>) -> Result<Bytes> {
        let started = Instant::now();
        let mut attempts = 0;
        loop {
            let mut url = url.clone();
            if attempts > 0 && body.is_some() {
                url.query_pairs_mut()
                    .append_pair("retryCount", &attempts.to_string());
            }
            attempts += 1;
            let (failure, wish) = match self.attempt(url, headers.clone(), body).await {
                Ok(Reply::Body(body)) => return Ok(body),
                Ok(Reply::Refused { status, wish }) => {
                    let failure = ClientError::Status { status, attempts };
                    if !is_passing(status) {
                        return Err(failure);
                    }
                    (failure, wish)
                }
                Err(source) => {
                    // The URL of a result is a secret while it lasts.
                    let source = source.without_url();
                    (ClientError::Transport { attempts, source }, None)
                }
            };
            let wait = self.wait(attempts).max(wish.unwrap_or_default());
            if attempts >= self.retry.attempts || started.elapsed() + wait > self.retry.within {
                return Err(failure);
            }
            sleep(wait).await;
        }
    }

    fn wait(&self, attempts: u32) -> Duration {
        let doubled = self
            .retry
            .first_wait
            .saturating_mul(1 << (attempts - 1).min(16));
        doubled
            .min(self.retry.longest_wait)
            .mul_f64(1.0 - fastrand::f64() / 2.0)
    }

    async fn attempt(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Option<&Bytes>,
    ) -> Result<Reply, reqwest::Error> {
        let method = if body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = self.http.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(body.clone());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let wish = retry_after(&response);
        let body = read(response).await?;
        // A refusal in Snowflake's own words comes with many a status; what it means is for the caller to say. What fails for
        // now, or is too large, is clear from the status alone.
        let in_words = body.first() == Some(&b'{') && !is_passing(status) && status != 413;
        if (200..300).contains(&status) || in_words {
            Ok(Reply::Body(body))
        } else {
            Ok(Reply::Refused { status, wish })
        }
    }
}

enum Reply {
    Body(Bytes),
    Refused { status: u16, wish: Option<Duration> },
}

/// Whether the same request may succeed in a while.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

async fn read(mut response: Response) -> Result<Bytes, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST_ANSWER {
            // What is there is no whole answer, and will not be read as one.
            break;
        }
    }
    Ok(body.freeze())
}
