//! What is remembered between runs: checkpoints, the ledger, rejected records, run history.

mod memory;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::memory::MemoryStateStore;
use crate::error::Result;
use crate::record::Key;
use crate::run::RunRecord;
use crate::source::Position;

/// Names one import in the state. Stable over restarts and edits of its settings.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ImportId(Arc<str>);

impl From<String> for ImportId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<ImportId> for String {
    fn from(id: ImportId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl ImportId {
    /// An id from text, such as a list id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ledger scope that belongs to this import alone.
    pub fn scope(&self) -> Scope {
        Scope(self.0.clone())
    }
}

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Names a part of the ledger: an import's own, or one that several imports share.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Arc<str>);

impl Scope {
    /// A scope that several imports share, such as the consent of one Ometria account. Its name must not be an import's id.
    pub fn shared(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerKey {
    /// Which part of the ledger.
    pub scope: Scope,
    /// Which key in it.
    pub key: Key,
}

/// The key alone tells almost all places apart: few scopes are looked at together.
impl Hash for LedgerKey {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.key.hash(to);
    }
}

/// What the sink last accepted for a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Of what was accepted; an equal one need not be sent again. 0: the sink may have got something else, so send again.
    pub fingerprint: u64,
    /// What else the mapping must remember, in its own encoding. Keep it short: there is one for each record.
    pub note: Box<[u8]>,
}

/// One entry to write or, with `None`, to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerChange {
    /// Where.
    pub at: LedgerKey,
    /// What.
    pub entry: Option<LedgerEntry>,
}

/// A number that changes with every commit of one import and every edit of its stored position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// What is stored about an import's progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where the next read starts.
    pub position: Position,
    /// What the ledger was built with (source, sink, id strategy). A run with another binding is refused: the ledger
    /// would not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// When the last complete search for removals began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_at: Option<DateTime<Utc>>,
    /// Whether the sink may have got more than the ledger says, because a run began to write and did not come to its
    /// commit. The next run then sends again what it would have left out as unchanged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
}

/// A checkpoint with the revision that a commit on top of it must name.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Names this version.
    pub revision: Revision,
    /// The progress.
    pub checkpoint: Checkpoint,
}

/// A record that could not be delivered. Holds no data of the record: a replay reads it again from the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// Its key at the source.
    pub key: Key,
    /// Why it was refused: field and remedy, never an address or a value.
    pub reason: String,
    /// When it was refused last.
    pub at: DateTime<Utc>,
}

/// Everything that becomes true together.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The new progress.
    pub checkpoint: Checkpoint,
    /// Ledger changes, in order: of two for one key the later holds.
    pub ledger: Vec<LedgerChange>,
    /// Records to add to the rejected store, after `cleared` was removed; one that is there already is replaced.
    pub rejected: Vec<RejectedRecord>,
    /// Keys to remove from the rejected store: a good version was delivered.
    pub cleared: Vec<Key>,
}

/// What to throw away, for an operator who starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Fingerprints only: everything is sent again. Notes stay, and with them what is known about consent.
    Fingerprints,
    /// Checkpoint, the import's own ledger and its rejected records. Shared scopes stay.
    Everything,
}

/// Keeps the state of any number of imports.
///
/// Everything in one [`commit`](StateStore::commit) becomes durable together or not at all; a store that cannot promise
/// this is not a `StateStore`. All methods may be called concurrently.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The stored progress of an import; `None` before its first commit.
    async fn load(&self, import: &ImportId) -> Result<Option<Stored>>;

    /// Stores everything in `commit` at once. `expected` is the revision the caller started from.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when the stored revision is another one; nothing is stored then.
    async fn commit(
        &self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision>;

    /// The entries at these places, in the order asked.
    async fn ledger(&self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>>;

    /// How many entries a scope has.
    async fn ledger_len(&self, scope: &Scope) -> Result<u64>;

    /// Starts a search for removals in a scope: forgets all marks of an earlier one.
    async fn begin_sweep(&self, scope: &Scope) -> Result<()>;

    /// Marks keys as seen at the source. A key that is not in the ledger may be marked.
    async fn mark_seen(&self, scope: &Scope, keys: &[Key]) -> Result<()>;

    /// Keys of the ledger that are not marked, in a stable order, after `after`, at most `limit`.
    async fn unseen(&self, scope: &Scope, after: Option<&Key>, limit: usize) -> Result<Vec<Key>>;

    /// How many keys of the ledger are not marked.
    async fn unseen_len(&self, scope: &Scope) -> Result<u64>;

    /// Ends the search and frees the marks.
    async fn end_sweep(&self, scope: &Scope) -> Result<()>;

    /// Rejected records in a stable order, after `after`, at most `limit`.
    async fn rejected(
        &self,
        import: &ImportId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<RejectedRecord>>;

    /// How many rejected records an import has.
    async fn rejected_len(&self, import: &ImportId) -> Result<u64>;

    /// Adds a run to the history, or replaces the one with its id. Old runs may be dropped.
    async fn record_run(&self, run: &RunRecord) -> Result<()>;

    /// The newest runs first, of one import or of all, at most `limit`.
    async fn runs(&self, import: Option<&ImportId>, limit: usize) -> Result<Vec<RunRecord>>;

    /// Moves an import to another position and returns the new revision. A run in progress meets a conflict at its next
    /// commit.
    async fn rewind(&self, import: &ImportId, to: Position) -> Result<Revision>;

    /// Throws away part of what is known. A run in progress meets a conflict at its next commit.
    async fn reset(&self, import: &ImportId, what: Reset) -> Result<()>;
}
