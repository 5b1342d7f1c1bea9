//! A source whose every step a test decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sync_core::{
    Batch, BatchReader, Change, Cursor, Error, ErrorKind, Key, PartFailure, Position, Result,
    Source,
};
use tokio::sync::watch;

use crate::clock::time;
use crate::record::TestRecord;

/// One step of a read.
#[derive(Clone, Debug)]
enum Step {
    Batch {
        changes: Vec<Change<TestRecord>>,
        resume: bool,
        failed_part: Option<String>,
    },
    ErrorOnce(ErrorKind),
    Hang,
}

/// A source in memory that reads out a script, step by step.
///
/// Its cursor is the number of the next step, so a read from a cursor gives the steps after it, and steps added later
/// are what "changed since". Step n happened at second n + 1 after 1970: that is its cursor's `complete_until`, and
/// [`Position::Since`] starts after the steps up to that time. Clones share the script.
#[derive(Clone, Debug)]
pub struct ScriptedSource {
    script: Arc<Mutex<Script>>,
    hanging: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Script {
    steps: Vec<Step>,
    spent_errors: Vec<usize>,
    /// The records as they are now, for `fetch` and `keys`.
    now: BTreeMap<Key, TestRecord>,
    keys_unknown: bool,
    check_fails: Option<ErrorKind>,
    reads: Vec<Position>,
}

impl ScriptedSource {
    /// A source with nothing in it.
    pub fn new() -> Self {
        Self {
            script: Arc::default(),
            hanging: watch::channel(false).0,
        }
    }

    /// Adds a batch with a cursor behind it.
    #[must_use]
    pub fn batch(self, changes: impl IntoIterator<Item = Change<TestRecord>>) -> Self {
        self.push(changes);
        self
    }

    /// Adds a batch after which reading cannot restart.
    #[must_use]
    pub fn batch_without_cursor(
        self,
        changes: impl IntoIterator<Item = Change<TestRecord>>,
    ) -> Self {
        self.add(changes.into_iter().collect(), false, None);
        self
    }

    /// Adds a batch in which this part could not be read.
    #[must_use]
    pub fn batch_with_failed_part(
        self,
        changes: impl IntoIterator<Item = Change<TestRecord>>,
        part: impl Into<String>,
    ) -> Self {
        self.add(changes.into_iter().collect(), true, Some(part.into()));
        self
    }

    /// Adds a step at which reading fails the first time it is reached; afterwards the step is empty.
    #[must_use]
    pub fn error_once(self, kind: ErrorKind) -> Self {
        self.lock().steps.push(Step::ErrorOnce(kind));
        self
    }

    /// Adds a step at which reading waits for ever.
    #[must_use]
    pub fn hang(self) -> Self {
        self.lock().steps.push(Step::Hang);
        self
    }

    /// Lets [`Source::keys`] answer that it cannot tell.
    #[must_use]
    pub fn without_keys(self) -> Self {
        self.lock().keys_unknown = true;
        self
    }

    /// Lets [`Source::check`] fail, or with `None` work again.
    pub fn fail_check(&self, kind: Option<ErrorKind>) {
        self.lock().check_fails = kind;
    }

    /// Adds a batch with a cursor behind it, also while a read is in progress: what changed since.
    pub fn push(&self, changes: impl IntoIterator<Item = Change<TestRecord>>) {
        self.add(changes.into_iter().collect(), true, None);
    }

    /// Removes a record without a trace in the script: only [`Source::fetch`] and [`Source::keys`] show it.
    pub fn vanish(&self, key: &str) {
        self.lock().now.remove(&Key::new(key));
    }

    /// Changes a record without a trace in the script: only [`Source::fetch`] and [`Source::keys`] show it.
    pub fn appear(&self, record: TestRecord) {
        self.lock().now.insert(record.key.clone(), record);
    }

    /// Where each read started, in order.
    pub fn reads(&self) -> Vec<Position> {
        self.lock().reads.clone()
    }

    /// The records as they are now.
    pub fn now(&self) -> BTreeMap<Key, TestRecord> {
        self.lock().now.clone()
    }

    /// Returns once a read waits at a [`hang`](ScriptedSource::hang) step. Cancel-safe.
    pub async fn hanging(&self) {
        // The sender lives in `self`.
        let _ = self.hanging.subscribe().wait_for(|hanging| *hanging).await;
    }

    fn add(&self, changes: Vec<Change<TestRecord>>, resume: bool, failed_part: Option<String>) {
        let mut script = self.lock();
        for change in &changes {
            match change {
                Change::Present(record) => script.now.insert(record.key.clone(), record.clone()),
                Change::Removed(key) => script.now.remove(key),
            };
        }
        script.steps.push(Step::Batch {
            changes,
            resume,
            failed_part,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ScriptedSource {
    fn default() -> Self {
        Self::new()
    }
}

/// When a read up to this step is complete.
fn complete_until(next_step: usize) -> DateTime<Utc> {
    time(i64::try_from(next_step).unwrap_or(i64::MAX))
}

#[async_trait]
impl Source for ScriptedSource {
    type Record = TestRecord;

    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn check(&self) -> Result<()> {
        match self.lock().check_fails {
            Some(kind) => Err(Error::new(
                kind,
                "check scripted source",
                "failed as scripted",
            )),
            None => Ok(()),
        }
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<TestRecord>>>> {
        let next = match &from {
            Position::Start => 0,
            Position::Since(since) => usize::try_from(since.timestamp()).unwrap_or(0),
            Position::Cursor(cursor) => {
                let step = cursor
                    .state
                    .as_u64()
                    .and_then(|step| usize::try_from(step).ok());
                step.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Invalid,
                        "read scripted source",
                        "not one of its cursors",
                    )
                })?
            }
        };
        self.lock().reads.push(from);
        Ok(Box::new(ScriptedReader {
            source: self.clone(),
            next,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<TestRecord>>> {
        let script = self.lock();
        Ok(keys
            .iter()
            .map(|key| script.now.get(key).cloned())
            .collect())
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        let script = self.lock();
        if script.keys_unknown {
            return Ok(None);
        }
        Ok(Some(Box::new(KeyReader {
            left: script.now.keys().cloned().collect(),
        })))
    }
}

struct ScriptedReader {
    source: ScriptedSource,
    next: usize,
}

#[async_trait]
impl BatchReader<Change<TestRecord>> for ScriptedReader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<TestRecord>>>> {
        let at = self.next;
        let step = {
            let mut script = self.source.lock();
            let Some(step) = script.steps.get(at).cloned() else {
                return Ok(None);
            };
            if matches!(step, Step::ErrorOnce(_)) && script.spent_errors.contains(&at) {
                Step::Batch {
                    changes: Vec::new(),
                    resume: true,
                    failed_part: None,
                }
            } else {
                if matches!(step, Step::ErrorOnce(_)) {
                    script.spent_errors.push(at);
                }
                step
            }
        };
        match step {
            Step::Batch {
                changes,
                resume,
                failed_part,
            } => {
                self.next = at + 1;
                let cursor = Cursor {
                    state: serde_json::json!(self.next),
                    complete_until: Some(complete_until(self.next)),
                };
                let failures = failed_part.map(|part| PartFailure {
                    part,
                    error: Error::new(ErrorKind::Unavailable, "read part", "failed as scripted"),
                });
                Ok(Some(Batch {
                    resume: resume.then_some(cursor),
                    failures: failures.into_iter().collect(),
                    ..Batch::of(changes)
                }))
            }
            Step::ErrorOnce(kind) => {
                Err(Error::new(kind, "read scripted source", "failed as scripted").with("step", at))
            }
            Step::Hang => {
                self.source.hanging.send_replace(true);
                std::future::pending().await
            }
        }
    }
}

/// Keys a batch: small, so that tests see several batches.
const KEYS_A_BATCH: usize = 3;

struct KeyReader {
    left: std::collections::VecDeque<Key>,
}

#[async_trait]
impl BatchReader<Key> for KeyReader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Key>>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let count = self.left.len().min(KEYS_A_BATCH);
        Ok(Some(Batch::of(self.left.drain(..count).collect())))
    }
}
