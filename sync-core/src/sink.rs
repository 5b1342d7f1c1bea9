//! Where records go.

mod jsonl;
mod memory;

use async_trait::async_trait;

pub use self::jsonl::{JsonlSink, JsonlTarget};
pub use self::memory::{MemorySink, MemorySinkHandle};
use crate::error::Result;
use crate::record::{Key, Keyed};
use crate::stream::Stream;

/// Takes records and makes them durable.
///
/// The engine calls `check` once before anything moves, then `write` any number of times, then `flush`, and commits its
/// position only after `flush` returned `Ok`. A crash replays everything since the last commit, so **a sink bears
/// duplicates**: it upserts by key, or says how it copes. After an `Err` from `write` or `flush`, or from anything
/// else that ends the run early, the engine calls `abort`; nothing since the last `flush` counts as delivered.
///
/// `write`, `flush` and `abort` are never dropped half way.
#[async_trait]
pub trait Sink<R: Keyed + Send + 'static>: Send + Sync {
    /// A short name for logs and errors, such as `ometria`.
    fn name(&self) -> &str;

    /// Proves that writing would work (credential, reachability), in one cheap call. Changes nothing.
    async fn check(&self) -> Result<()>;

    /// Takes the records, in order for each key. Each record is taken, or named in the report as rejected.
    ///
    /// Taken is not durable: a record may still be rejected by the next [`flush`](Sink::flush).
    ///
    /// # Errors
    /// When the records as a whole could not be taken; none of them counts as delivered then.
    async fn write(&mut self, records: Vec<R>) -> Result<Report>;

    /// Returns when everything taken is durable, and names what was rejected since the last report.
    async fn flush(&mut self) -> Result<Report>;

    /// Forgets what was taken and not flushed. Whatever already reached the other side will come again.
    async fn abort(&mut self);
}

/// Reads back what a sink holds, so that somebody can compare it with the source.
#[async_trait]
pub trait Readback: Send {
    /// For each key, the [`fingerprint`](crate::fingerprint) of the record's bytes as they were stored last; `None` if there
    /// is no such row, or if it is marked as removed.
    async fn fingerprints(&mut self, stream: &Stream, keys: &[Key]) -> Result<Vec<Option<u64>>>;

    /// Keys of rows that are not marked as removed, after `after`, at most `limit`, in an order that stays the same.
    async fn keys(
        &mut self,
        stream: &Stream,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>>;
}

/// What a sink did not take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry for each record refused.
    pub rejected: Vec<Rejection>,
}

/// A record that a sink or a mapping refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The record's key.
    pub key: Key,
    /// Why, in words an operator understands: the field and the remedy. Never holds an address or a value.
    pub reason: String,
}
