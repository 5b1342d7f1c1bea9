//! A store that lives as long as the process: for tests, trial runs and embedding.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Commit, ImportId, LedgerEntry, LedgerKey, RejectedRecord, Reset, Revision, Scope, StateStore,
    Stored,
};
use crate::error::{Error, ErrorKind, Result};
use crate::record::Key;
use crate::run::RunRecord;
use crate::source::Position;

/// Runs kept in the history.
const RUNS_KEPT: usize = 1000;

/// A [`StateStore`] in memory. Everything is gone with it.
#[derive(Debug, Default)]
pub struct MemoryStateStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_revision: u64,
    imports: HashMap<ImportId, Stored>,
    ledger: HashMap<Scope, BTreeMap<Key, LedgerEntry>>,
    seen: HashMap<Scope, HashSet<Key>>,
    rejected: HashMap<ImportId, BTreeMap<Key, RejectedRecord>>,
    runs: Vec<RunRecord>,
}

impl MemoryStateStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No method panics while it holds the lock, so a poisoned state is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn revise(&mut self) -> Revision {
        self.next_revision += 1;
        Revision(self.next_revision)
    }

    fn unseen<'a>(&'a self, scope: &Scope) -> impl Iterator<Item = &'a Key> {
        let seen = self.seen.get(scope);
        self.ledger
            .get(scope)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter(move |key| !seen.is_some_and(|seen| seen.contains(*key)))
    }
}

#[async_trait]
impl StateStore for MemoryStateStore {
    async fn load(&self, import: &ImportId) -> Result<Option<Stored>> {
        Ok(self.lock().imports.get(import).cloned())
    }

    async fn commit(
        &self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision> {
        let mut inner = self.lock();
        if inner.imports.get(import).map(|stored| stored.revision) != expected {
            return Err(Error::new(
                ErrorKind::Conflict,
                "commit",
                "the stored state changed since this run loaded it",
            )
            .with("import", import));
        }
        for change in commit.ledger {
            let scope = inner.ledger.entry(change.at.scope).or_default();
            match change.entry {
                Some(entry) => scope.insert(change.at.key, entry),
                None => scope.remove(&change.at.key),
            };
        }
        let rejected = inner.rejected.entry(import.clone()).or_default();
        for key in &commit.cleared {
            rejected.remove(key);
        }
        for record in commit.rejected {
            rejected.insert(record.key.clone(), record);
        }
        let revision = inner.revise();
        inner.imports.insert(
            import.clone(),
            Stored {
                revision,
                checkpoint: commit.checkpoint,
            },
        );
        Ok(revision)
    }

    async fn ledger(&self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>> {
        let inner = self.lock();
        Ok(at
            .iter()
            .map(|at| {
                inner
                    .ledger
                    .get(&at.scope)
                    .and_then(|scope| scope.get(&at.key))
                    .cloned()
            })
            .collect())
    }

    async fn ledger_len(&self, scope: &Scope) -> Result<u64> {
        Ok(self
            .lock()
            .ledger
            .get(scope)
            .map_or(0, |scope| scope.len() as u64))
    }

    async fn begin_sweep(&self, scope: &Scope) -> Result<()> {
        self.lock().seen.insert(scope.clone(), HashSet::new());
        Ok(())
    }

    async fn mark_seen(&self, scope: &Scope, keys: &[Key]) -> Result<()> {
        self.lock()
            .seen
            .entry(scope.clone())
            .or_default()
            .extend(keys.iter().cloned());
        Ok(())
    }

    async fn unseen(&self, scope: &Scope, after: Option<&Key>, limit: usize) -> Result<Vec<Key>> {
        let inner = self.lock();
        Ok(inner
            .unseen(scope)
            .filter(|key| after.is_none_or(|after| *key > after))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn unseen_len(&self, scope: &Scope) -> Result<u64> {
        Ok(self.lock().unseen(scope).count() as u64)
    }

    async fn end_sweep(&self, scope: &Scope) -> Result<()> {
        self.lock().seen.remove(scope);
        Ok(())
    }

    async fn rejected(
        &self,
        import: &ImportId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<RejectedRecord>> {
        let inner = self.lock();
        Ok(inner
            .rejected
            .get(import)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|record| after.is_none_or(|after| record.key > *after))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn rejected_len(&self, import: &ImportId) -> Result<u64> {
        Ok(self
            .lock()
            .rejected
            .get(import)
            .map_or(0, |rejected| rejected.len() as u64))
    }

    async fn record_run(&self, run: &RunRecord) -> Result<()> {
        let mut inner = self.lock();
        match inner
            .runs
            .iter_mut()
            .rev()
            .find(|old| old.id == run.id && old.import == run.import)
        {
            Some(old) => *old = run.clone(),
            None => inner.runs.push(run.clone()),
        }
        if inner.runs.len() > RUNS_KEPT {
            inner.runs.remove(0);
        }
        Ok(())
    }

    async fn runs(&self, import: Option<&ImportId>, limit: usize) -> Result<Vec<RunRecord>> {
        let inner = self.lock();
        Ok(inner
            .runs
            .iter()
            .rev()
            .filter(|run| import.is_none_or(|import| run.import == *import))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn rewind(&self, import: &ImportId, to: Position) -> Result<Revision> {
        let mut inner = self.lock();
        let revision = inner.revise();
        let mut checkpoint = inner
            .imports
            .get(import)
            .map(|stored| stored.checkpoint.clone())
            .unwrap_or_default();
        checkpoint.position = to;
        inner.imports.insert(
            import.clone(),
            Stored {
                revision,
                checkpoint,
            },
        );
        Ok(revision)
    }

    async fn reset(&self, import: &ImportId, what: Reset) -> Result<()> {
        let mut inner = self.lock();
        let revision = inner.revise();
        match what {
            Reset::Fingerprints => {
                for entry in inner.ledger.entry(import.scope()).or_default().values_mut() {
                    entry.fingerprint = 0;
                }
                if let Some(stored) = inner.imports.get_mut(import) {
                    stored.revision = revision;
                }
            }
            Reset::Everything => {
                inner.ledger.remove(&import.scope());
                inner.seen.remove(&import.scope());
                inner.rejected.remove(import);
                inner.imports.remove(import);
            }
        }
        Ok(())
    }
}
