//! Where records come from.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::{Change, Key, Keyed};

/// A stream of records that can be read again from a cursor.
///
/// The engine calls [`check`](Source::check) once before anything moves, then [`read`](Source::read), and pulls batches
/// until there are none. It stores a batch's cursor only after the sink made everything up to it durable, so a source
/// sees the same cursor again after a crash and delivers the rest: **at least once, in no promised order, with the newest
/// state of each key last**.
#[async_trait]
pub trait Source: Send + Sync {
    /// What the source gives for one key.
    type Record: Keyed + Send + Sync + 'static;

    /// A short name for logs and errors, such as `mailchimp members`.
    fn name(&self) -> &str;

    /// Proves that reading would work (credential, existence), in one cheap call. Changes nothing.
    async fn check(&self) -> Result<()>;

    /// Starts reading. No I/O happens before the reader's first batch.
    ///
    /// # Errors
    /// When the position is not one of this source's.
    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<Self::Record>>>>;

    /// The records with these keys as they are now, in the order asked; `None` only where the source is sure that there
    /// is no such record.
    ///
    /// The engine calls it to confirm removals and to replay rejected records, with at most a few hundred keys.
    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<Self::Record>>>;

    /// Reads the keys of everything that exists, for finding removals; `None` if this source cannot tell.
    ///
    /// The reader may miss a key whose record changes meanwhile: the engine confirms each missing key by
    /// [`fetch`](Source::fetch). It must not miss any other.
    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>>;
}

/// Gives batches until there are no more.
#[async_trait]
pub trait BatchReader<T>: Send {
    /// The next batch; `None` at the end.
    ///
    /// Cancel-safe: the engine drops the future when it is told to stop. What the dropped call would have given is
    /// read again from the last cursor.
    ///
    /// # Errors
    /// When reading cannot go on at all. A part that fails while others go on is reported in [`Batch::failures`].
    async fn next_batch(&mut self) -> Result<Option<Batch<T>>>;
}

/// Some items, and what is true once they are delivered.
#[derive(Debug)]
pub struct Batch<T> {
    /// The items, any number of them, also none.
    pub items: Vec<T>,
    /// Reading may start here again once this batch and all before it are durable. `None`: no safe place to restart.
    pub resume: Option<Cursor>,
    /// Parts of the stream that could not be read. [`Batch::resume`] still contains them, so the next run tries again.
    pub failures: Vec<PartFailure>,
    /// How many items the whole read will give, as far as the source knows now.
    pub expected_total: Option<u64>,
}

impl<T> Batch<T> {
    /// A batch of items without anything else to say.
    pub fn of(items: Vec<T>) -> Self {
        Self {
            items,
            resume: None,
            failures: Vec::new(),
            expected_total: None,
        }
    }

    /// The same batch with other items.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Batch<U> {
        Batch {
            items: self.items.into_iter().map(item).collect(),
            resume: self.resume,
            failures: self.failures,
            expected_total: self.expected_total,
        }
    }
}

/// A part of a stream that could not be read in this run.
#[derive(Debug)]
pub struct PartFailure {
    /// Which part, in words an operator understands, such as a time window.
    pub part: String,
    /// Why.
    pub error: Error,
}

/// A source's own note of where it is. The engine stores it and never looks inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// Whatever the source needs to go on.
    pub state: serde_json::Value,
    /// Everything up to this source time was delivered: what people read and edit as `latest_timestamp`.
    pub complete_until: Option<DateTime<Utc>>,
}

/// Where a read starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// From the beginning: a full load.
    #[default]
    Start,
    /// Everything that changed after this source time. Set by people; sources write [`Position::Cursor`].
    Since(DateTime<Utc>),
    /// Where an earlier read got to.
    Cursor(Cursor),
}

impl Position {
    /// Everything up to this source time was delivered; `None` if there is no such time.
    pub fn complete_until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Start => None,
            Self::Since(time) => Some(*time),
            Self::Cursor(cursor) => cursor.complete_until,
        }
    }
}
