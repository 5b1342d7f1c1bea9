//! Between an import and its state: fails and kills on purpose, and looks at every commit.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fastrand::Rng;
use futures::future::BoxFuture;
use sync_core::{
    Checkpoint, Commit, Error, ErrorKind, ImportId, Key, LedgerEntry, LedgerKey, Position,
    RejectedRecord, Reset, Result, Revision, RunRecord, Scope, StateStore, Stored,
};

use crate::bug::Bug;
use crate::mortal::{Death, Switch};
use crate::oracle;
use crate::world::{World, lock};

/// What a planted bug does after a commit that it should have done before.
pub(crate) type Afterwards = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The state as one process sees it.
pub(crate) struct Guard {
    world: Arc<World>,
    inner: Arc<dyn StateStore>,
    imports: HashMap<ImportId, usize>,
    death: Option<Death>,
    switch: Switch,
    calls: AtomicU64,
    rng: Mutex<Rng>,
    afterwards: Mutex<HashMap<ImportId, Afterwards>>,
    bug: Option<Bug>,
}

enum Failure {
    Before,
    After,
}

impl Guard {
    /// `imports` gives the position in the scenario of those whose commits are looked at.
    pub(crate) fn new(
        world: Arc<World>,
        inner: Arc<dyn StateStore>,
        imports: HashMap<ImportId, usize>,
        death: Option<Death>,
        switch: Switch,
        rng: Rng,
    ) -> Self {
        Self {
            world,
            inner,
            imports,
            death,
            switch,
            calls: AtomicU64::new(0),
            rng: Mutex::new(rng),
            afterwards: Mutex::default(),
            bug: None,
        }
    }

    /// With a bug built in.
    pub(crate) fn with(self, bug: Option<Bug>) -> Self {
        Self { bug, ..self }
    }

    pub(crate) fn afterwards(&self, import: ImportId, act: Afterwards) {
        lock(&self.afterwards).insert(import, act);
    }

    fn drawn(&self) -> Option<Failure> {
        let mut rng = lock(&self.rng);
        let fails = !self.world.is_frozen() && rng.f64() < self.world.scenario.state_faults;
        fails.then(|| {
            if rng.bool() {
                Failure::Before
            } else {
                Failure::After
            }
        })
    }

    async fn call<T>(&self, act: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let failed = || Err(Error::new(ErrorKind::State, "use state", "made to fail"));
        if self.death == Some(Death::BeforeStateCall(number)) {
            self.switch.throw_and_end().await;
        }
        let failure = self.drawn();
        if matches!(failure, Some(Failure::Before)) {
            return failed();
        }
        let result = act.await;
        if self.death == Some(Death::AfterStateCall(number)) {
            self.switch.throw_and_end().await;
        }
        if failure.is_some() { failed() } else { result }
    }

    async fn commit_or_bug(
        &self,
        import: &ImportId,
        expected: Option<Revision>,
        mut commit: Commit,
    ) -> Result<Revision> {
        if self.bug != Some(Bug::CommitInTwo) || commit.rejected.is_empty() {
            return self.inner.commit(import, expected, commit).await;
        }
        let later = Commit {
            checkpoint: commit.checkpoint.clone(),
            rejected: std::mem::take(&mut commit.rejected),
            ..Commit::default()
        };
        let revision = self.inner.commit(import, expected, commit).await?;
        self.inner.commit(import, Some(revision), later).await
    }

    /// Compares what a commit says with what the sink has.
    async fn look_at(&self, import: &ImportId, checkpoint: &Checkpoint) -> Result<()> {
        let Some(&index) = self.imports.get(import) else {
            return Ok(());
        };
        let until = checkpoint.position.complete_until();
        self.world.trace.line(format_args!(
            "import {index} committed, complete until {until:?}"
        ));
        let rejected = self.inner.rejected(import, None, usize::MAX >> 1).await?;
        let rejected: HashSet<Key> = rejected.into_iter().map(|record| record.key).collect();
        oracle::after_commit(&self.world, index, until, &rejected);
        Ok(())
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("death", &self.death)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateStore for Guard {
    async fn load(&self, import: &ImportId) -> Result<Option<Stored>> {
        self.call(self.inner.load(import)).await
    }

    async fn commit(
        &self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision> {
        let checkpoint = commit.checkpoint.clone();
        let scope = import.scope();
        let accepted: Vec<Key> = commit
            .ledger
            .iter()
            .filter(|change| change.at.scope == scope && change.entry.is_some())
            .map(|change| change.at.key.clone())
            .collect();
        let until = checkpoint.position.complete_until();
        if let (Some(&index), Some(until)) = (self.imports.get(import), until) {
            // Killed at a step on the disk, the call may have stored it and never returns.
            self.world.covers(index, until);
        }
        let revision = self
            .call(async {
                let revision = self.commit_or_bug(import, expected, commit).await?;
                if let Some(&index) = self.imports.get(import) {
                    for key in accepted {
                        self.world
                            .trace
                            .line(format_args!("import {index} knows of {key}"));
                    }
                }
                self.look_at(import, &checkpoint).await?;
                Ok(revision)
            })
            .await
            .inspect_err(|error| {
                self.world
                    .trace
                    .line(format_args!("import {import} cannot commit: {error}"));
            })?;
        let act = lock(&self.afterwards).get(import).cloned();
        if let Some(act) = act {
            act().await;
        }
        Ok(revision)
    }

    async fn ledger(&self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>> {
        self.call(self.inner.ledger(at)).await
    }

    async fn ledger_len(&self, scope: &Scope) -> Result<u64> {
        self.call(self.inner.ledger_len(scope)).await
    }

    async fn begin_sweep(&self, scope: &Scope) -> Result<()> {
        self.call(self.inner.begin_sweep(scope)).await
    }

    async fn mark_seen(&self, scope: &Scope, keys: &[Key]) -> Result<()> {
        self.call(self.inner.mark_seen(scope, keys)).await
    }

    async fn unseen(&self, scope: &Scope, after: Option<&Key>, limit: usize) -> Result<Vec<Key>> {
        self.call(self.inner.unseen(scope, after, limit)).await
    }

    async fn unseen_len(&self, scope: &Scope) -> Result<u64> {
        self.call(self.inner.unseen_len(scope)).await
    }

    async fn end_sweep(&self, scope: &Scope) -> Result<()> {
        self.call(self.inner.end_sweep(scope)).await
    }

    async fn rejected(
        &self,
        import: &ImportId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<RejectedRecord>> {
        self.call(self.inner.rejected(import, after, limit)).await
    }

    async fn rejected_len(&self, import: &ImportId) -> Result<u64> {
        self.call(self.inner.rejected_len(import)).await
    }

    async fn record_run(&self, run: &RunRecord) -> Result<()> {
        self.call(self.inner.record_run(run)).await
    }

    async fn runs(&self, import: Option<&ImportId>, limit: usize) -> Result<Vec<RunRecord>> {
        self.call(self.inner.runs(import, limit)).await
    }

    async fn rewind(&self, import: &ImportId, to: Position) -> Result<Revision> {
        self.call(self.inner.rewind(import, to)).await
    }

    async fn reset(&self, import: &ImportId, what: Reset) -> Result<()> {
        self.call(self.inner.reset(import, what)).await
    }
}
