//! Imports of streams: everything an account holds, into a warehouse.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future;
use sync_core::{
    Clock, Counts, Error, ErrorKind, Import, ImportId, Key, Outcome, Result, RunId, RunRecord,
    Shutdown, StateStore, Verification,
};
use sync_mailchimp::catalogue::CatalogueAccount;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::rejected_among;

/// Streams that are read at once. They share the account's connections; each holds what it has not committed.
const STREAMS_AT_ONCE: usize = 8;

/// Lets a few imports of streams run at a time.
#[derive(Clone, Debug)]
pub(crate) struct StreamSlots(Arc<Semaphore>);

impl Default for StreamSlots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_AT_ONCE)))
    }
}

/// An import that waits until there is room for it.
pub(crate) struct InTurn {
    inner: Box<dyn Import + Sync>,
    slots: StreamSlots,
}

impl InTurn {
    pub(crate) fn new(inner: Box<dyn Import + Sync>, slots: StreamSlots) -> Self {
        Self { inner, slots }
    }

    /// Waits for room. Whoever is asked to stop meanwhile goes on: the run ends at once by itself.
    async fn room<'s>(
        slots: &'s StreamSlots,
        shutdown: &Shutdown,
    ) -> Option<tokio::sync::SemaphorePermit<'s>> {
        tokio::select! {
            biased;
            () = shutdown.requested() => None,
            // The semaphore is never closed.
            permit = slots.0.acquire() => permit.ok(),
        }
    }
}

#[async_trait]
impl Import for InTurn {
    fn id(&self) -> &ImportId {
        self.inner.id()
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    async fn run(&mut self, shutdown: &Shutdown) -> RunRecord {
        let _room = Self::room(&self.slots, shutdown).await;
        self.inner.run(shutdown).await
    }

    async fn replay(&mut self, keys: Option<Vec<Key>>, shutdown: &Shutdown) -> RunRecord {
        let _room = Self::room(&self.slots, shutdown).await;
        self.inner.replay(keys, shutdown).await
    }

    async fn verify(&mut self, shutdown: &Shutdown) -> Result<Verification> {
        let _room = Self::room(&self.slots, shutdown).await;
        self.inner.verify(shutdown).await
    }
}

/// Makes the import of one audience's members.
pub(crate) type MakeImport = Box<dyn Fn(&str) -> Result<Box<dyn Import + Sync>> + Send + Sync>;

/// The members of every audience that the account has when it runs, as one import.
///
/// Each audience has an import of its own, with its own state and history; this one sums them up.
pub(crate) struct EveryAudience {
    id: ImportId,
    account: CatalogueAccount,
    make: MakeImport,
    state: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

impl EveryAudience {
    pub(crate) fn new(
        id: ImportId,
        account: CatalogueAccount,
        make: MakeImport,
        state: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            id,
            account,
            make,
            state,
            clock,
        }
    }

    async fn imports(&self) -> Result<Vec<Box<dyn Import + Sync>>> {
        let audiences = self.account.audiences().await?;
        audiences
            .iter()
            .map(|list_id| (self.make)(list_id))
            .collect()
    }

    /// Replays those of the keys that wait in one audience's import, or all that wait; `None` if none of them does.
    async fn replay_one(
        &self,
        mut import: Box<dyn Import + Sync>,
        keys: Option<&[Key]>,
        shutdown: &Shutdown,
    ) -> Result<Option<RunRecord>> {
        let waiting = match keys {
            None => None,
            Some(keys) => {
                let mine = rejected_among(&*self.state, import.id(), keys).await?;
                if mine.is_empty() {
                    return Ok(None);
                }
                Some(mine)
            }
        };
        Ok(Some(import.replay(waiting, shutdown).await))
    }

    /// Sums up what each audience's import did.
    async fn summed(
        &self,
        work: impl Future<Output = Result<Vec<Option<RunRecord>>>> + Send,
    ) -> RunRecord {
        let started = self.clock.now();
        let begun = Instant::now();
        let mut sum = RunRecord {
            id: RunId::starting_at(started),
            import: self.id.clone(),
            started,
            elapsed: std::time::Duration::ZERO,
            outcome: Some(Outcome::Complete),
            counts: Counts::default(),
            complete_until: None,
            error: None,
            error_kind: None,
        };
        match work.await {
            Ok(runs) => {
                for run in runs.into_iter().flatten() {
                    add(&mut sum, run);
                }
            }
            Err(error) => {
                sum.outcome = Some(Outcome::Failed);
                sum.error_kind = Some(error.kind().as_str().to_owned());
                sum.error = Some(error.chain());
            }
        }
        sum.elapsed = begun.elapsed();
        sum
    }
}

fn add(sum: &mut RunRecord, run: RunRecord) {
    let (to, from) = (&mut sum.counts, run.counts);
    to.read += from.read;
    to.unchanged += from.unchanged;
    to.accepted += from.accepted;
    to.rejected += from.rejected;
    to.removed += from.removed;
    to.failed_parts += from.failed_parts;
    to.commits += from.commits;
    if gravity(run.outcome) > gravity(sum.outcome) {
        sum.outcome = run.outcome;
        sum.error = run.error;
        sum.error_kind = run.error_kind;
    }
}

/// Which of two outcomes the sum takes over.
fn gravity(outcome: Option<Outcome>) -> u8 {
    match outcome {
        Some(Outcome::Complete) => 0,
        Some(Outcome::Limited) => 1,
        Some(Outcome::Stopped) => 2,
        Some(Outcome::Partial) => 3,
        None | Some(Outcome::Interrupted) => 4,
        Some(Outcome::Superseded) => 5,
        Some(Outcome::Failed) => 6,
    }
}

#[async_trait]
impl Import for EveryAudience {
    fn id(&self) -> &ImportId {
        &self.id
    }

    async fn check(&self) -> Result<()> {
        for import in self.imports().await? {
            import.check().await?;
        }
        Ok(())
    }

    async fn run(&mut self, shutdown: &Shutdown) -> RunRecord {
        self.summed(async {
            let runs = self.imports().await?.into_iter();
            let runs = runs.map(|mut import| async move { Some(import.run(shutdown).await) });
            Ok(future::join_all(runs).await)
        })
        .await
    }

    async fn replay(&mut self, keys: Option<Vec<Key>>, shutdown: &Shutdown) -> RunRecord {
        let keys = keys.as_deref();
        self.summed(async {
            let imports = self.imports().await?.into_iter();
            let runs = imports.map(|import| self.replay_one(import, keys, shutdown));
            future::try_join_all(runs).await
        })
        .await
    }

    async fn verify(&mut self, shutdown: &Shutdown) -> Result<Verification> {
        let mut sum = Verification {
            complete: true,
            ..Verification::default()
        };
        for mut import in self.imports().await? {
            let found = import.verify(shutdown).await?;
            sum.compared += found.compared;
            sum.missing += found.missing;
            sum.stale += found.stale;
            sum.extra += found.extra;
            sum.refused += found.refused;
            sum.complete &= found.complete;
            sum.examples.extend(found.examples);
        }
        Ok(sum)
    }
}

/// The error for a sink that streams cannot be written to.
pub(crate) fn no_warehouse(stream: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        "set up import",
        "the sink takes the members of audiences only",
    )
    .with("stream", stream)
}

impl fmt::Debug for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InTurn").field(self.inner.id()).finish()
    }
}

impl fmt::Debug for EveryAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EveryAudience")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
