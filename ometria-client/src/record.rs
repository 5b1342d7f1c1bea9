//! The record endpoint: one URL, one key, rows of five strings, an answer with a count.
//!
//! It is not part of API v2: another host, another header, no read-back, no deletion, and nothing published about it
//! beyond what its users' programs show. So it has no default address, and whatever those programs disagree about is a
//! setting here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use crate::client::{Common, common_settings};
use crate::config::{ApiKey, checked_base_url, endpoint_url};
use crate::document::{count, text};
use crate::error::{Error, Result, decode_error};
use crate::hooks::Hooks;
use crate::http::{Call, Http};
use crate::retry::RetryPolicy;
use crate::transport::Transport;

/// One person, as the record endpoint takes them. The same id again replaces the row.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordRow {
    /// Unique within the account.
    pub id: String,
    /// First name, empty when unknown.
    pub firstname: String,
    /// Last name, empty when unknown.
    pub lastname: String,
    /// Address.
    pub email: String,
    /// Mailchimp's status word, unchanged.
    pub status: String,
}

/// Shows the id and the status only.
impl fmt::Debug for RecordRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordRow")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// How the name of the key's header is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AuthorizationSpelling {
    /// `Authorization`, which nearly every known user sends.
    #[default]
    Authorization,
    /// `Authorisation`, as the endpoint's first description had it.
    Authorisation,
}

/// Which fields are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RecordFields {
    /// `id`, `firstname`, `lastname`, `email`, `status`.
    #[default]
    Five,
    /// The same without `status`, as in 2018.
    Four,
}

/// What the endpoint said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordReceipt {
    /// Rows taken, always as many as were sent.
    pub taken: u64,
    /// HTTP status.
    pub status: u16,
    /// Requests sent for this call.
    pub attempts: u32,
}

/// Client of the record endpoint. Clones are cheap and share the limit on requests in flight.
#[derive(Clone)]
pub struct RecordClient {
    shared: Arc<Shared>,
}

/// Shows where it sends to, and leaves out a transport that may remember what it carried.
impl fmt::Debug for RecordClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordClient")
            .field("url", &self.shared.url.as_str())
            .finish_non_exhaustive()
    }
}

struct Shared {
    http: Http,
    url: Url,
    fields: RecordFields,
    batch_cap: usize,
    tolerant: bool,
    in_flight: Semaphore,
}

impl RecordClient {
    /// Starts building a client with this key. A base URL is required.
    pub fn builder(key: ApiKey) -> RecordClientBuilder {
        RecordClientBuilder {
            key,
            base_url: None,
            header: AuthorizationSpelling::default(),
            fields: RecordFields::default(),
            batch_cap: 500,
            max_in_flight: 4,
            tolerant: false,
            common: Common::default(),
        }
    }

    /// The most rows that one call may carry.
    pub fn batch_cap(&self) -> usize {
        self.shared.batch_cap
    }

    /// `POST /record`: sends rows, at most [`batch_cap`](Self::batch_cap) of them.
    ///
    /// An `Ok` means that the endpoint took exactly as many rows as were sent. Rows are upserts, so after any error
    /// sending them again is safe, and the client does so by itself after a 429, a 5xx, a time-out or a broken
    /// connection. No rows at all is a legal call that proves key and address. Dropping the future leaves it open
    /// whether the rows arrived.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyRows`], [`Error::CountMismatch`], [`Error::NotConfirmed`], and those of any request.
    pub async fn send(&self, rows: &[RecordRow]) -> Result<RecordReceipt> {
        const ENDPOINT: &str = "POST /record";
        let Shared {
            http,
            url,
            fields,
            batch_cap,
            tolerant,
            in_flight,
        } = &*self.shared;
        if rows.len() > *batch_cap {
            return Err(Error::TooManyRows {
                rows: rows.len(),
                cap: *batch_cap,
            });
        }
        let call = Call {
            endpoint: ENDPOINT,
            method: Method::POST,
            url: url.clone(),
            body: encode(rows, *fields)?,
            records: rows.len(),
            safe_to_repeat: true,
            limiter: None,
        };
        let _permit = in_flight.acquire().await;
        let answer = http.send(&call).await?;
        let status = answer.response.status();
        let Ok(Value::Object(reply)) = serde_json::from_slice(answer.response.body()) else {
            return Err(decode_error(ENDPOINT, status, "$", "an object"));
        };
        let says_ok = text(&reply, "status").is_some_and(|word| word.eq_ignore_ascii_case("ok"));
        if !says_ok || (status != StatusCode::CREATED && !tolerant) {
            return Err(Error::NotConfirmed {
                status: status.as_u16(),
            });
        }
        let taken = count(&reply, "response").or_else(|| count(&reply, "content"));
        match taken {
            Some(taken) if taken == rows.len() as u64 => Ok(RecordReceipt {
                taken,
                status: status.as_u16(),
                attempts: answer.attempts,
            }),
            taken => Err(Error::CountMismatch {
                sent: rows.len(),
                taken,
            }),
        }
    }
}

fn encode(rows: &[RecordRow], fields: RecordFields) -> Result<Bytes> {
    #[derive(Serialize)]
    struct Wire<'a> {
        id: &'a str,
        firstname: &'a str,
        lastname: &'a str,
        email: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'a str>,
    }
    let rows: Vec<Wire<'_>> = rows
        .iter()
        .map(|row| Wire {
            id: &row.id,
            firstname: &row.firstname,
            lastname: &row.lastname,
            email: &row.email,
            status: (fields == RecordFields::Five).then_some(row.status.as_str()),
        })
        .collect();
    serde_json::to_vec(&rows)
        .map(Bytes::from)
        .map_err(|_| Error::Configuration("the rows cannot be written as json"))
}

/// Settings of a [`RecordClient`].
#[derive(Debug)]
pub struct RecordClientBuilder {
    key: ApiKey,
    base_url: Option<Url>,
    header: AuthorizationSpelling,
    fields: RecordFields,
    batch_cap: usize,
    max_in_flight: usize,
    tolerant: bool,
    common: Common,
}

impl RecordClientBuilder {
    /// Where the endpoint is, without `/record`. Required. Plain http is accepted to this machine only.
    #[must_use]
    pub fn base_url(mut self, url: Url) -> Self {
        self.base_url = Some(url);
        self
    }

    /// How the key's header is spelled. Default [`AuthorizationSpelling::Authorization`].
    #[must_use]
    pub fn header(mut self, spelling: AuthorizationSpelling) -> Self {
        self.header = spelling;
        self
    }

    /// Which fields are sent. Default [`RecordFields::Five`].
    #[must_use]
    pub fn fields(mut self, fields: RecordFields) -> Self {
        self.fields = fields;
        self
    }

    /// The most rows in one call. Default 500, which every known server took; zero is taken as one.
    #[must_use]
    pub fn batch_cap(mut self, rows: usize) -> Self {
        self.batch_cap = rows.max(1);
        self
    }

    /// The most requests at one time. Default 4; no limit is documented. Zero is taken as one.
    #[must_use]
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Takes any 2xx instead of 201 alone; word and count are checked all the same. Default off.
    #[must_use]
    pub fn tolerant(mut self, tolerant: bool) -> Self {
        self.tolerant = tolerant;
        self
    }

    common_settings!();

    /// The client.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] without a base URL, for one that would expose the key, or when TLS cannot start.
    pub fn build(self) -> Result<RecordClient> {
        let base_url = self.base_url.ok_or(Error::Configuration(
            "the record endpoint has no default address; set its base url",
        ))?;
        let header = HeaderName::from_static(match self.header {
            AuthorizationSpelling::Authorization => "authorization",
            AuthorizationSpelling::Authorisation => "authorisation",
        });
        Ok(RecordClient {
            shared: Arc::new(Shared {
                url: endpoint_url(&checked_base_url(base_url)?, &["record"])?,
                http: self.common.http(header, &self.key)?,
                fields: self.fields,
                batch_cap: self.batch_cap,
                tolerant: self.tolerant,
                in_flight: Semaphore::new(self.max_in_flight),
            }),
        })
    }
}
