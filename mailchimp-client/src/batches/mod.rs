//! `/batches`: many calls in one, run by the server in its own time.
//!
//! Only one batch of an account runs at a time, whoever sent it, so one long batch holds up all
//! others. See <https://mailchimp.com/developer/marketing/guides/run-async-requests-batch-endpoint/>.

mod archive;
mod operation;
mod results;
mod split;
mod webhooks;

use std::time::Duration;

use futures::Stream;
use http::Method;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::endpoint::collection;
use crate::error::{BatchNotReady, Error, Result};
use crate::fetched::Fetched;
use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::paging::PageRequest;
use crate::path::Path;
use crate::query::{FieldSelection, Query};
use crate::record::record;

pub use archive::ArchiveLimits;
pub use operation::{BatchMethod, BatchOperation};
pub use results::BatchResult;
pub use webhooks::{BatchWebhook, BatchWebhooks};

const BATCHES: &str = "/batches";
const BATCH: &str = "/batches/{batch_id}";

/// The batches of an account; made by [`Client::batches`].
#[derive(Debug, Clone)]
pub struct Batches {
    client: Client,
}

#[derive(Serialize)]
struct NewBatch<'a> {
    operations: &'a [BatchOperation],
}

impl Batches {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/batches",
        "batches": Batch, PageRequest,
        /// One page of the batches of the last seven days.
        page list,
        /// All batches of the last seven days.
        stream stream,
    }

    /// Sends operations. Their order is not kept. A `GET` that names no `count` pages through the
    /// whole collection by itself, and each page counts as an operation.
    pub async fn create(&self, operations: &[BatchOperation]) -> Result<Fetched<Batch>> {
        if operations.is_empty() {
            return Err(Error::request("operations", "are empty"));
        }
        let path = Path::new(BATCHES, &[])?;
        self.client
            .post(&path, &Query::new(), &NewBatch { operations })
            .await
    }

    /// The state of a batch. Each call gives a result link that is valid for ten minutes.
    pub async fn get(&self, batch_id: &str, request: &FieldSelection) -> Result<Fetched<Batch>> {
        self.client
            .get(&Path::new(BATCH, &[batch_id])?, &request.query()?)
            .await
    }

    /// Stops a batch, and loses the results of what it has done.
    pub async fn delete(&self, batch_id: &str) -> Result<Fetched<()>> {
        let path = Path::new(BATCH, &[batch_id])?;
        self.client
            .change(Method::DELETE, &path, None::<&()>, true)
            .await
    }

    /// Asks for the state of a batch until it is finished.
    ///
    /// Finished does not mean that its operations succeeded: see
    /// [`Batch::errored_operations`]. Fails with [`Error::BatchNotReady`] when time is up; the
    /// batch then goes on. May be dropped and called again at any time.
    pub async fn wait(&self, batch_id: &str, patience: &BatchPatience) -> Result<Fetched<Batch>> {
        let began = Instant::now();
        let mut pause = patience.first_pause;
        loop {
            let batch = self.get(batch_id, &FieldSelection::default()).await?;
            let status = batch.value.status.value();
            if status == Some(&BatchStatus::Finished) {
                return Ok(batch);
            }
            if began.elapsed().saturating_add(pause) > patience.deadline {
                return Err(not_ready(status));
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(patience.longest_pause);
        }
    }

    /// The results of a finished batch, as they are unpacked from its archive.
    ///
    /// The archive is never held as a whole, nor written anywhere. Its link is fetched without
    /// the credential, and asked for anew when it has expired or the transfer breaks off; results
    /// already given are not given again. They are kept by Mailchimp for seven days. Fails with
    /// [`Error::BatchNotReady`] when the batch is not finished, and with [`Error::Archive`] when
    /// the archive is broken or hostile; nothing after an error can be trusted to be complete.
    pub fn results(
        &self,
        batch_id: &str,
        limits: ArchiveLimits,
    ) -> Result<impl Stream<Item = Result<BatchResult>> + Send + 'static + use<>> {
        let path = Path::new(BATCH, &[batch_id])?;
        Ok(results::stream(self.client.clone(), path, limits))
    }
}

/// How long [`Batches::wait`] waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPatience {
    /// First pause between two questions; doubles with each. Default 2 s.
    pub first_pause: Duration,
    /// Longest pause. Default 60 s.
    pub longest_pause: Duration,
    /// When to give up. Default 12 hours.
    pub deadline: Duration,
}

impl Default for BatchPatience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(60),
            deadline: Duration::from_secs(12 * 60 * 60),
        }
    }
}

fn not_ready(status: Option<&BatchStatus>) -> Error {
    let status = match status {
        None => "of unknown status".to_owned(),
        Some(BatchStatus::Other(_)) => "of a status this client does not know".to_owned(),
        Some(known) => known.as_str().to_owned(),
    };
    Error::BatchNotReady(Box::new(BatchNotReady { status }))
}

open_enum! {
    /// How far a batch has come.
    BatchStatus {
        /// Waiting for its turn.
        Pending = "pending",
        /// Being split into operations.
        Preprocessing = "preprocessing",
        /// Running.
        Started = "started",
        /// Being packed.
        Finalizing = "finalizing",
        /// Done, well or badly.
        Finished = "finished",
    }
}

record! {
    /// A batch.
    Batch {
        /// Id of the batch.
        id: String,
        /// How far it has come.
        status: BatchStatus,
        /// Operations in it; zero while it is pending.
        total_operations: u64,
        /// Operations done, including those that failed.
        finished_operations: u64,
        /// Operations that failed.
        errored_operations: u64,
        /// When it was sent.
        submitted_at: Timestamp,
        /// When it was done; blank before.
        completed_at: Timestamp,
        /// Signed link to the results, for anyone who has it; blank before they are there.
        response_body_url: String,
    }
}
