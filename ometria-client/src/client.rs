//! The client of API v2.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use url::Url;

use crate::config::{ApiKey, checked_base_url, endpoint_url};
use crate::error::{Error, Result};
use crate::hooks::Hooks;
use crate::http::{Answer, Call, Http};
use crate::limiter::RateLimit;
use crate::paging;
use crate::push::{PushBatch, PushError, PushLimits, PushReceipt, Record, prepare};
use crate::retry::{RetryBudget, RetryPolicy};
use crate::transport::{ReqwestTransport, Transport};

/// The settings in [`Common`], as methods of a builder that has one.
macro_rules! common_settings {
    () => {
        /// How requests travel. Default [`ReqwestTransport`](crate::ReqwestTransport).
        #[must_use]
        pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
            self.common.transport = Some(transport);
            self
        }

        /// Time for one request, from sending to the complete answer; retries have their own. Default 60 s.
        #[must_use]
        pub fn timeout(mut self, timeout: Duration) -> Self {
            self.common.timeout = timeout;
            self
        }

        /// How often a failed request is repeated. Default [`RetryPolicy::default`](crate::RetryPolicy).
        #[must_use]
        pub fn retry(mut self, policy: RetryPolicy) -> Self {
            self.common.retry = policy;
            self
        }

        /// Who hears about requests. Default nobody.
        #[must_use]
        pub fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
            self.common.hooks = hooks;
            self
        }
    };
}
pub(crate) use common_settings;

/// Client of Ometria's API v2. Clones are cheap and share connection, rate limits and retry budget; make one for each
/// account, because Ometria counts requests by account.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// Shows where it sends to, and leaves out a transport that may remember what it carried.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.shared.base_url.as_str())
            .finish_non_exhaustive()
    }
}

struct Shared {
    http: Http,
    base_url: Url,
    push: RateLimit,
    read: RateLimit,
    deletion: RateLimit,
}

/// Which of the account's allowances a request uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowance {
    Push,
    Read,
    DataDeletion,
}

impl Client {
    /// Starts building a client with this key.
    pub fn builder(key: ApiKey) -> ClientBuilder {
        ClientBuilder {
            key,
            base_url: None,
            push_rate: 8,
            read_rate: 4,
            common: Common::default(),
        }
    }

    /// `POST /push`: sends one batch.
    ///
    /// An `Ok` says that Ometria received the records, not that it likes them: look at the receipt, and later at
    /// [`push_errors`](Self::push_errors). Records are upserts, so sending a batch again is safe, and the client does so by
    /// itself after a 429, a 5xx, a time-out or a broken connection. Dropping the future leaves it open whether the batch
    /// arrived.
    ///
    /// # Errors
    ///
    /// Any but the record-endpoint ones. [`Error::retries_spent`] tells that repeating at once is useless.
    pub async fn push(&self, batch: &PushBatch) -> Result<PushReceipt> {
        const ENDPOINT: &str = "POST /push";
        let answer = self
            .shared
            .http
            .send(&Call {
                endpoint: ENDPOINT,
                method: Method::POST,
                url: endpoint_url(&self.shared.base_url, &["push"])?,
                body: batch.body().clone(),
                records: batch.len(),
                safe_to_repeat: true,
                limiter: Some(self.rate_limit(Allowance::Push)),
            })
            .await?;
        PushReceipt::read(ENDPOINT, &answer.response, answer.attempts)
    }

    /// Sends records that fit into one call; [`prepare`] is for the others.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push); and, with nothing sent, [`Error::InvalidRecord`] and [`Error::NotOneCall`].
    pub async fn push_records(&self, records: Vec<Record>) -> Result<PushReceipt> {
        let prepared = prepare(&records, &PushLimits::default());
        if let Some(refused) = prepared.refused.first() {
            return Err(Error::InvalidRecord {
                index: refused.index,
                reason: refused.reason,
            });
        }
        match prepared.batches.as_slice() {
            [batch] => self.push(batch).await,
            batches => Err(Error::NotOneCall {
                calls: batches.len(),
            }),
        }
    }

    /// `GET /push/_errors`: the account's latest 100 push errors, those of other integrations included.
    ///
    /// It changes nothing and needs the same key as a push, so it also serves to check the key.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn push_errors(&self) -> Result<Vec<PushError>> {
        const ENDPOINT: &str = "GET /push/_errors";
        let answer = self
            .get(ENDPOINT, Allowance::Read, &["push", "_errors"], &[])
            .await?;
        paging::read_array(ENDPOINT, &answer)
    }

    /// `GET` of a path this crate has no type for, such as `["lists"]` or `["orders", "1"]`; gives the body.
    ///
    /// There is no such door for writing: what is pushed goes through [`Record`], which cannot force an opt-in unseen.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn get_raw(&self, path: &[&str], query: &[(&str, String)]) -> Result<Bytes> {
        let answer = self
            .get("GET (untyped)", Allowance::Read, path, query)
            .await?;
        Ok(answer.response.into_body())
    }

    pub(crate) async fn get(
        &self,
        endpoint: &'static str,
        allowance: Allowance,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer> {
        let mut url = endpoint_url(&self.shared.base_url, path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let call = Call {
            endpoint,
            method: Method::GET,
            url,
            body: Bytes::new(),
            records: 0,
            safe_to_repeat: true,
            limiter: Some(self.rate_limit(allowance)),
        };
        self.shared.http.send(&call).await
    }

    pub(crate) async fn post_once(
        &self,
        endpoint: &'static str,
        allowance: Allowance,
        path: &[&str],
        body: Bytes,
    ) -> Result<Answer> {
        let call = Call {
            endpoint,
            method: Method::POST,
            url: endpoint_url(&self.shared.base_url, path)?,
            body,
            records: 1,
            safe_to_repeat: false,
            limiter: Some(self.rate_limit(allowance)),
        };
        self.shared.http.send(&call).await
    }

    fn rate_limit(&self, allowance: Allowance) -> &RateLimit {
        match allowance {
            Allowance::Push => &self.shared.push,
            Allowance::Read => &self.shared.read,
            Allowance::DataDeletion => &self.shared.deletion,
        }
    }
}

/// Settings of a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    key: ApiKey,
    base_url: Option<Url>,
    push_rate: u32,
    read_rate: u32,
    common: Common,
}

impl ClientBuilder {
    /// Where the API is. Default `https://api.ometria.com/v2`. Plain http is accepted to this machine only.
    #[must_use]
    pub fn base_url(mut self, url: Url) -> Self {
        self.base_url = Some(url);
        self
    }

    /// Pushes per second of the whole account. Default 8, which Ometria documents today; older copies say 4. Zero is
    /// taken as one.
    #[must_use]
    pub fn push_rate(mut self, per_second: u32) -> Self {
        self.push_rate = per_second;
        self
    }

    /// Reads per second of the whole account. Default 4, which Ometria documents. Zero is taken as one.
    #[must_use]
    pub fn read_rate(mut self, per_second: u32) -> Self {
        self.read_rate = per_second;
        self
    }

    common_settings!();

    /// The client.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for a base URL that would expose the key, or when TLS cannot start.
    pub fn build(self) -> Result<Client> {
        let base_url = match self.base_url {
            Some(url) => url,
            None => Url::parse("https://api.ometria.com/v2")
                .map_err(|_| Error::Configuration("the default base url does not parse"))?,
        };
        let second = Duration::from_secs(1);
        Ok(Client {
            shared: Arc::new(Shared {
                base_url: checked_base_url(base_url)?,
                http: self
                    .common
                    .http(HeaderName::from_static("x-ometria-auth"), &self.key)?,
                push: RateLimit::new(self.push_rate, second),
                read: RateLimit::new(self.read_rate, second),
                deletion: RateLimit::new(6, Duration::from_secs(60)),
            }),
        })
    }
}

/// What the builders of both clients have in common.
pub(crate) struct Common {
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) hooks: Arc<dyn Hooks>,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            transport: None,
            timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            hooks: Arc::new(()),
        }
    }
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Common")
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Common {
    pub(crate) fn http(self, header: HeaderName, key: &ApiKey) -> Result<Http> {
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(
                ReqwestTransport::new()
                    .map_err(|_| Error::Configuration("the tls library could not start"))?,
            ),
        };
        Ok(Http {
            transport,
            key: (header, key.header_value()?),
            user_agent: HeaderValue::from_static(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            )),
            timeout: self.timeout,
            retry: self.retry,
            budget: RetryBudget::new(),
            hooks: self.hooks,
        })
    }
}
