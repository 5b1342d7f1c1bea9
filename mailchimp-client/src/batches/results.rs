//! Results of a batch, streamed from its archive.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::archive::{ArchiveLimits, ArchiveReader, STEP};
use super::{Batch, BatchStatus, not_ready};
use crate::client::Client;
use crate::downloads::{Ask, Link, Unopened};
use crate::error::{ArchiveError, ArchiveProblem, Error, Operation, Result};
use crate::fetched::{Meta, RawPage};
use crate::field::Field;
use crate::http::{Failure, Tries, refusal};
use crate::json;
use crate::path::Path;
use crate::query::Query;
use crate::retry::Cause;
use crate::transport::{BodyStream, TransportError, TransportErrorKind};

/// What errors and hooks call the fetching of an archive: its link is a secret.
const ARCHIVE: &str = "{response_body_url}";

/// What became of one operation. `Debug` leaves the response out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchResult {
    /// The HTTP status.
    pub status_code: u16,
    /// The name given to the operation, if any. Pages of one `GET` share it.
    pub operation_id: Option<String>,
    /// The body of the answer: JSON, or empty.
    pub response: String,
}

impl BatchResult {
    /// Whether the operation succeeded.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// The response as a `T`, or `None` when it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.response).ok()
    }

    /// The response as a page of a collection, its rows left as JSON: what [`Client::get_rows`] gives for the same `GET`.
    ///
    /// Of the answer itself an archive tells the status alone. Fails with [`Error::Decode`] when the response is no such page.
    pub fn into_rows(self, items_key: &'static str) -> Result<RawPage> {
        let body = Bytes::from(self.response);
        let meta = Meta {
            status: self.status_code,
            request_id: None,
            server_time: None,
            bytes: body.len() as u64,
        };
        json::raw_page(&body, items_key, [], |row, []| row, &operation(), meta)
    }

    /// Reads one element of a file of results.
    pub(super) fn parse(element: &[u8]) -> Result<Self, ArchiveProblem> {
        #[derive(Deserialize)]
        struct Element {
            status_code: u16,
            #[serde(default)]
            operation_id: Field<String>,
            #[serde(default)]
            response: Field<String>,
        }
        let element: Element =
            serde_json::from_slice(element).map_err(|_| ArchiveProblem::Content)?;
        let response = match element.response {
            Field::Value(text) => text,
            // Documented as text that holds JSON; were it ever JSON itself, nothing is lost.
            Field::Unexpected(json) => json.to_string(),
            Field::Absent | Field::Null | Field::Blank => String::new(),
        };
        let operation_id = element.operation_id.into_value();
        Ok(Self {
            status_code: element.status_code,
            operation_id,
            response,
        })
    }
}

impl fmt::Debug for BatchResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchResult")
            .field("status_code", &self.status_code)
            .finish_non_exhaustive()
    }
}

pub(super) fn stream(
    client: Client,
    batch: Path,
    limits: ArchiveLimits,
) -> impl Stream<Item = Result<BatchResult>> + Send + 'static {
    let results = Results {
        client,
        batch,
        limits,
        download: None,
        delivered: 0,
        interruptions: 0,
    };
    stream::try_unfold(results, |mut results| async move {
        Ok(results.next().await?.map(|result| (result, results)))
    })
}

struct Results {
    client: Client,
    /// Path of the batch.
    batch: Path,
    limits: ArchiveLimits,
    download: Option<Download>,
    /// Results given to the caller. The archive does not change, so after an interruption as
    /// many are passed over.
    delivered: u64,
    interruptions: u32,
}

impl Results {
    async fn next(&mut self) -> Result<Option<BatchResult>> {
        loop {
            let download = match &mut self.download {
                Some(download) => download,
                None => match self.start().await? {
                    Ok(download) => self.download.insert(download),
                    Err(setback) => {
                        self.interrupted(setback).await?;
                        continue;
                    }
                },
            };
            match download.next(&self.client).await {
                Ok(Some(_)) if download.pass_over > 0 => download.pass_over -= 1,
                Ok(Some(result)) => {
                    self.delivered += 1;
                    return Ok(Some(result));
                }
                Ok(None) => return Ok(None),
                Err(Interruption::Transfer(failure)) => {
                    self.interrupted(Setback::Transfer(failure)).await?;
                }
                Err(Interruption::Archive(reason)) => return Err(refused(reason)),
            }
        }
    }

    /// Asks for a fresh link and opens it.
    async fn start(&mut self) -> Result<Result<Download, Setback>> {
        let batch: Batch = self
            .client
            .get(&self.batch, &Query::new())
            .await?
            .into_value();
        let status = batch.status.value();
        if status != Some(&BatchStatus::Finished) {
            return Err(not_ready(status));
        }
        // A finished batch without a link has been seen: the archive was still being stored.
        let Some(link) = batch.response_body_url.value() else {
            return Ok(Err(Setback::NoLink));
        };
        let wire = self.client.wire();
        let link =
            Link::parse(link, wire.loopback_links).map_err(|_| refused(ArchiveProblem::Link))?;
        let ask = Ask {
            operation: &operation(),
            headers: HeaderMap::new(),
            redirects: 0,
            patience: wire.timeout,
        };
        let response = match wire.open(&link, &ask).await {
            Ok(response) if response.status.is_success() => response,
            Ok(response) => return Ok(Err(Setback::Transfer(refusal(&response)))),
            Err(Unopened::Refused(_)) => return Err(refused(ArchiveProblem::Link)),
            Err(Unopened::Failed(error)) => {
                return Ok(Err(Setback::Transfer(Failure::Transport(error))));
            }
        };
        Ok(Ok(Download {
            body: response.body,
            chunk: Bytes::new(),
            reader: ArchiveReader::new(self.limits),
            ready: VecDeque::new(),
            pass_over: self.delivered,
            is_over: false,
        }))
    }

    /// Waits before the next try, or gives up. This is no repeat of a request but a new one: the
    /// link has to be asked for again.
    async fn interrupted(&mut self, setback: Setback) -> Result<()> {
        self.download = None;
        self.interruptions += 1;
        let policy = self.client.policy();
        if self.interruptions >= policy.max_attempts {
            return Err(match setback {
                Setback::NoLink => not_ready(Some(&BatchStatus::Finished)),
                Setback::Transfer(failure) => {
                    let tries = Tries {
                        attempts: self.interruptions,
                        retries_spent: true,
                        may_have_been_sent: true,
                    };
                    failure.into_error(operation(), tries)
                }
            });
        }
        sleep(policy.wait(self.interruptions, Cause::Other, None, 1.0)).await;
        Ok(())
    }
}

/// Why there is no archive to read now; worth another try.
enum Setback {
    NoLink,
    Transfer(Failure),
}

fn operation() -> Operation {
    Operation::new(http::Method::GET, ARCHIVE.into())
}

fn refused(reason: ArchiveProblem) -> Error {
    Error::Archive(Box::new(ArchiveError { reason }))
}

enum Interruption {
    Transfer(Failure),
    Archive(ArchiveProblem),
}

struct Download {
    body: BodyStream,
    chunk: Bytes,
    reader: ArchiveReader,
    ready: VecDeque<BatchResult>,
    pass_over: u64,
    is_over: bool,
}

impl Download {
    async fn next(&mut self, client: &Client) -> Result<Option<BatchResult>, Interruption> {
        loop {
            if let Some(result) = self.ready.pop_front() {
                return Ok(Some(result));
            }
            if self.is_over {
                return Ok(None);
            }
            if self.chunk.is_empty() {
                self.receive(client).await?;
            }
            let piece = self.chunk.split_to(self.chunk.len().min(STEP));
            self.is_over |= self
                .reader
                .push(&piece, &mut self.ready)
                .map_err(from_problem)?;
        }
    }

    /// Waits for more of the body.
    async fn receive(&mut self, client: &Client) -> Result<(), Interruption> {
        let transfer = |error| Interruption::Transfer(Failure::Transport(error));
        let chunk = timeout(client.wire().timeout, self.body.next())
            .await
            .map_err(|_| transfer(TransportError::new(TransportErrorKind::Timeout)))?;
        if let Some(chunk) = chunk {
            self.chunk = chunk.map_err(transfer)?;
        } else {
            self.reader.end(&mut self.ready).map_err(from_problem)?;
            self.is_over = true;
        }
        Ok(())
    }
}

/// An archive that ends early is taken for a transfer that broke off.
fn from_problem(problem: ArchiveProblem) -> Interruption {
    match problem {
        ArchiveProblem::Truncated => Interruption::Transfer(Failure::Transport(
            TransportError::new(TransportErrorKind::Body).with_source("the archive ends early"),
        )),
        problem => Interruption::Archive(problem),
    }
}
