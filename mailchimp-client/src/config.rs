//! Settings and parts of a client.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use url::{Host, Url};

use crate::client::Client;
use crate::credential::{Credential, DataCenter};
use crate::error::{Error, Result};
use crate::hooks::Hooks;
use crate::http::Wire;
use crate::limiter::Limiter;
use crate::oauth::{self, OAuthMetadata};
use crate::retry::{RetryBudget, RetryPolicy};
use crate::transport::{ReqwestTransport, Transport};

/// The most requests Mailchimp runs at once for one user.
const MAX_CONCURRENCY: u8 = 10;

/// The time Mailchimp gives a request before it ends it.
const SERVER_TIMEOUT: Duration = Duration::from_secs(120);

/// A longer wait for abandoned requests would be a mistake of units.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Collects settings and parts; made by [`Client::builder`].
#[derive(Clone)]
pub struct ClientBuilder {
    credential: Credential,
    base_url: Option<Url>,
    data_center: Option<DataCenter>,
    transport: Option<Arc<dyn Transport>>,
    download_transport: Option<Arc<dyn Transport>>,
    loopback_downloads: bool,
    hooks: Arc<dyn Hooks>,
    max_concurrency: u8,
    timeout: Duration,
    abandoned_grace: Duration,
    body_limit: u64,
    retry: RetryPolicy,
    user_agent: String,
    jitter_seed: Option<u64>,
}

/// The default: nobody listens.
struct Silent;

impl Hooks for Silent {}

impl ClientBuilder {
    pub(crate) fn new(credential: Credential) -> Self {
        Self {
            credential,
            base_url: None,
            data_center: None,
            transport: None,
            download_transport: None,
            loopback_downloads: false,
            hooks: Arc::new(Silent),
            max_concurrency: MAX_CONCURRENCY,
            timeout: SERVER_TIMEOUT,
            abandoned_grace: SERVER_TIMEOUT,
            body_limit: 64 * 1024 * 1024,
            retry: RetryPolicy::default(),
            user_agent: concat!("mailchimp-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            jitter_seed: None,
        }
    }

    /// Where the API is, such as `https://us6.api.mailchimp.com/3.0`. Default: made from the data
    /// centre. Plain http is refused except to a loopback host.
    #[must_use]
    pub fn base_url(mut self, base_url: Url) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// The account's data centre. Default: the one an API key names. An OAuth token names none.
    #[must_use]
    pub fn data_center(mut self, data_center: DataCenter) -> Self {
        self.data_center = Some(data_center);
        self
    }

    /// What carries requests. Default: [`ReqwestTransport`].
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What opens links to other hosts, for [`Client::download`] and results of batches. Default:
    /// what [`ClientBuilder::transport`] was given; without that, a transport that connects to
    /// public addresses alone, uses no proxy and never has the credential.
    ///
    /// Redirects must not be followed by it. Which addresses a name may stand for is its own
    /// affair: the client checks addresses written in links only.
    #[must_use]
    pub fn download_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.download_transport = Some(transport);
        self
    }

    /// Whether links may lead to this machine, and then over plain http too. For tests and
    /// simulations. Default: only when [`ClientBuilder::base_url`] itself is plain http.
    #[must_use]
    pub fn loopback_downloads(mut self, allowed: bool) -> Self {
        self.loopback_downloads = allowed;
        self
    }

    /// Who hears about requests. Default: nobody.
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = hooks;
        self
    }

    /// The most requests at once, 1 to 10. Default 10, which is all that Mailchimp allows to a
    /// user, whatever the number of keys and programs; lower it to leave some to others.
    #[must_use]
    pub fn max_concurrency(mut self, requests: u8) -> Self {
        self.max_concurrency = requests;
        self
    }

    /// How long one try may take, body included. Default 120 s, the server's own limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long after its start a request that timed out, or whose future was dropped before its
    /// answer came, keeps its place among the requests at once. Default 120 s: until then the
    /// server may still run it and count it.
    #[must_use]
    pub fn abandoned_grace(mut self, grace: Duration) -> Self {
        self.abandoned_grace = grace;
        self
    }

    /// The largest decoded body that is read, in bytes. Default 64 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// How requests are repeated.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The `User-Agent`. Default: name and version of this crate.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Makes the jitter of waits repeatable, for simulations. Default: random.
    #[must_use]
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// Checks the settings and makes the client. Makes no request.
    ///
    /// Fails with [`Error::Configuration`], which names the setting.
    pub fn build(self) -> Result<Client> {
        let base_url = match (&self.base_url, &self.data_center) {
            (Some(url), _) => checked_base_url(url)?,
            (None, Some(data_center)) => data_center.base_url(),
            (None, None) => self.credential.data_center()?.base_url(),
        };
        let authorization = self.credential.authorization()?;
        self.assemble(base_url, authorization)
    }

    /// Asks Mailchimp's OAuth service which data centre the token belongs to, through the
    /// transport and under the retry policy set here. `base_url` and `data_center` play no part.
    ///
    /// Fails with [`Error::OAuth`] when the token is dead: access was revoked or the user is gone,
    /// as tokens do not expire. See
    /// <https://mailchimp.com/developer/marketing/guides/access-user-data-oauth-2/>.
    pub async fn oauth_metadata(&self) -> Result<OAuthMetadata> {
        let authorization = self.credential.oauth_authorization()?;
        let client = self
            .clone()
            .assemble(oauth::OAUTH_BASE.to_owned(), authorization)?;
        oauth::metadata(&client).await
    }

    fn assemble(self, base_url: String, authorization: HeaderValue) -> Result<Client> {
        if !(1..=MAX_CONCURRENCY).contains(&self.max_concurrency) {
            return Err(Error::configuration(
                "max_concurrency",
                "it must be 1 to 10",
            ));
        }
        if self.timeout.is_zero() {
            return Err(Error::configuration(
                "timeout",
                "it must be longer than zero",
            ));
        }
        if self.abandoned_grace > LONGEST_GRACE {
            return Err(Error::configuration(
                "abandoned_grace",
                "it must be a day at most",
            ));
        }
        if self.body_limit == 0 {
            return Err(Error::configuration(
                "body_limit",
                "it must be larger than zero",
            ));
        }
        let user_agent = HeaderValue::from_str(&self.user_agent).map_err(|_| {
            Error::configuration("user_agent", "it holds characters no HTTP header can carry")
        })?;
        let downloads = self.download_transport.or_else(|| self.transport.clone());
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(ReqwestTransport::new()?),
        };
        let wire = Wire {
            authorization,
            transport,
            downloads: downloads.map(OnceLock::from).unwrap_or_default(),
            loopback_links: self.loopback_downloads || base_url.starts_with("http:"),
            limiter: Limiter::new(self.max_concurrency, self.abandoned_grace),
            hooks: self.hooks,
            budget: RetryBudget::new(),
            jitter: Mutex::new(
                self.jitter_seed
                    .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            ),
            base_url,
            user_agent,
            timeout: self.timeout,
            body_limit: self.body_limit,
            buffers: Arc::default(),
        };
        Ok(Client::new(wire, self.retry))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("credential", &self.credential)
            .field("max_concurrency", &self.max_concurrency)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// The base URL without a trailing slash, if a credential may be sent there.
fn checked_base_url(url: &Url) -> Result<String> {
    let refused = |reason| Err(Error::configuration("base_url", reason));
    if !is_safe_for_secrets(url) {
        return refused("it must be an https URL; plain http is allowed to loopback hosts only");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("it must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("it must not have a query or fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Https, or plain http that does not leave the machine.
pub(crate) fn is_safe_for_secrets(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback,
        _ => false,
    }
}
