//! Imports of streams: everything an account holds, into a warehouse.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future;
use sync_core::{
    Checkpoint, Clock, Commit, Counts, Cursor, Error, ErrorKind, Import, ImportId, Key, Outcome,
    Position, Result, Revision, RunId, RunRecord, Shutdown, StateStore, Verification,
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

/// Whether the account still has an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Present,
    /// It had it in an earlier run.
    Removed,
}

/// Makes the import of one audience's members.
pub(crate) type MakeImport =
    Box<dyn Fn(&str, Audience) -> Result<Box<dyn Import + Sync>> + Send + Sync>;

/// The members of every audience that the account has when it runs, as one import.
///
/// Each audience has an import of its own, with its own state and history; this one sums them up. It remembers the
/// audiences it saw, so that the members of one that is gone are marked as removed.
pub(crate) struct EveryAudience {
    id: ImportId,
    account: CatalogueAccount,
    make: MakeImport,
    /// Whether removals are looked for.
    removals: bool,
    state: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

impl EveryAudience {
    pub(crate) fn new(
        id: ImportId,
        account: CatalogueAccount,
        make: MakeImport,
        removals: bool,
        state: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            id,
            account,
            make,
            removals,
            state,
            clock,
        }
    }

    async fn imports(&self) -> Result<Vec<Box<dyn Import + Sync>>> {
        let audiences = self.account.audiences().await?;
        audiences
            .iter()
            .map(|list_id| (self.make)(list_id, Audience::Present))
            .collect()
    }

    /// The audiences seen in earlier runs whose members were not all marked as removed since.
    async fn seen(&self) -> Result<Seen> {
        let stored = self.state.load(&self.id).await?;
        let audiences = stored.as_ref().and_then(|stored| {
            let Position::Cursor(cursor) = &stored.checkpoint.position else {
                return None;
            };
            serde_json::from_value(cursor.state.get("audiences")?.clone()).ok()
        });
        Ok(Seen {
            audiences: audiences.unwrap_or_default(),
            revision: stored.map(|stored| stored.revision),
        })
    }

    async fn remember(&self, seen: &mut Seen, audiences: BTreeSet<String>) -> Result<()> {
        if audiences == seen.audiences {
            return Ok(());
        }
        let cursor = Cursor {
            state: serde_json::json!({ "audiences": audiences }),
            complete_until: None,
        };
        let commit = Commit {
            checkpoint: Checkpoint {
                position: Position::Cursor(cursor),
                ..Checkpoint::default()
            },
            ..Commit::default()
        };
        let revision = self.state.commit(&self.id, seen.revision, commit).await?;
        seen.revision = Some(revision);
        seen.audiences = audiences;
        Ok(())
    }

    /// Runs the imports of all audiences, and of those that are gone.
    async fn run_all(&self, shutdown: &Shutdown) -> Result<Vec<Option<RunRecord>>> {
        let present: BTreeSet<String> = self.account.audiences().await?.into_iter().collect();
        let mut seen = self.seen().await?;
        let all: BTreeSet<String> = seen.audiences.union(&present).cloned().collect();
        // Before anything of them is read: else nobody would know of one that is deleted after a run that was killed.
        self.remember(&mut seen, all.clone()).await?;
        let mut imports = Vec::with_capacity(all.len());
        for list_id in &all {
            let audience = match present.contains(list_id) {
                true => Audience::Present,
                false if self.removals => Audience::Removed,
                false => continue,
            };
            imports.push((list_id, audience, (self.make)(list_id, audience)?));
        }
        let runs = imports
            .into_iter()
            .map(|(list_id, audience, mut import)| async move {
                (list_id, audience, import.run(shutdown).await)
            });
        let runs = future::join_all(runs).await;
        let mut left = all.clone();
        for (list_id, audience, run) in &runs {
            if *audience == Audience::Removed && run.outcome == Some(Outcome::Complete) {
                left.remove(*list_id);
            }
        }
        self.remember(&mut seen, left).await?;
        Ok(runs.into_iter().map(|(_, _, run)| Some(run)).collect())
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

/// The audiences that earlier runs saw, as stored.
struct Seen {
    audiences: BTreeSet<String>,
    revision: Option<Revision>,
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
        self.summed(self.run_all(shutdown)).await
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
