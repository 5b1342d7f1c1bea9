//! A state store that fails on purpose.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{
    Commit, ErrorKind, ImportId, Key, LedgerEntry, LedgerKey, Position, RejectedRecord, Reset,
    Result, Revision, RunRecord, Scope, StateStore, Stored,
};

use super::FaultPlan;

/// Wraps a state store. Every method counts as a call.
#[derive(Clone)]
pub struct FaultyState {
    inner: Arc<dyn StateStore>,
    plan: FaultPlan,
}

impl FaultyState {
    /// `inner`, failing as planned.
    pub fn new(inner: Arc<dyn StateStore>, plan: FaultPlan) -> Self {
        Self { inner, plan }
    }

    async fn call<T>(&self, name: &'static str, act: impl Future<Output = Result<T>>) -> Result<T> {
        self.plan.call(name, ErrorKind::State, act).await
    }
}

impl fmt::Debug for FaultyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyState")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateStore for FaultyState {
    async fn load(&self, import: &ImportId) -> Result<Option<Stored>> {
        self.call("state.load", self.inner.load(import)).await
    }

    async fn commit(
        &self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision> {
        self.call("state.commit", self.inner.commit(import, expected, commit))
            .await
    }

    async fn ledger(&self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>> {
        self.call("state.ledger", self.inner.ledger(at)).await
    }

    async fn ledger_len(&self, scope: &Scope) -> Result<u64> {
        self.call("state.ledger_len", self.inner.ledger_len(scope))
            .await
    }

    async fn begin_sweep(&self, scope: &Scope) -> Result<()> {
        self.call("state.begin_sweep", self.inner.begin_sweep(scope))
            .await
    }

    async fn mark_seen(&self, scope: &Scope, keys: &[Key]) -> Result<()> {
        self.call("state.mark_seen", self.inner.mark_seen(scope, keys))
            .await
    }

    async fn unseen(&self, scope: &Scope, after: Option<&Key>, limit: usize) -> Result<Vec<Key>> {
        self.call("state.unseen", self.inner.unseen(scope, after, limit))
            .await
    }

    async fn unseen_len(&self, scope: &Scope) -> Result<u64> {
        self.call("state.unseen_len", self.inner.unseen_len(scope))
            .await
    }

    async fn end_sweep(&self, scope: &Scope) -> Result<()> {
        self.call("state.end_sweep", self.inner.end_sweep(scope))
            .await
    }

    async fn rejected(
        &self,
        import: &ImportId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<RejectedRecord>> {
        self.call("state.rejected", self.inner.rejected(import, after, limit))
            .await
    }

    async fn rejected_len(&self, import: &ImportId) -> Result<u64> {
        self.call("state.rejected_len", self.inner.rejected_len(import))
            .await
    }

    async fn record_run(&self, run: &RunRecord) -> Result<()> {
        self.call("state.record_run", self.inner.record_run(run))
            .await
    }

    async fn runs(&self, import: Option<&ImportId>, limit: usize) -> Result<Vec<RunRecord>> {
        self.call("state.runs", self.inner.runs(import, limit))
            .await
    }

    async fn rewind(&self, import: &ImportId, to: Position) -> Result<Revision> {
        self.call("state.rewind", self.inner.rewind(import, to))
            .await
    }

    async fn reset(&self, import: &ImportId, what: Reset) -> Result<()> {
        self.call("state.reset", self.inner.reset(import, what))
            .await
    }
}
