//! A sink that keeps what it takes: for tests, examples and embedding.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Report, Sink};
use crate::error::Result;
use crate::record::{Key, Keyed};

/// Keeps the last record of each key once it is flushed.
#[derive(Debug)]
pub struct MemorySink<R> {
    taken: Vec<R>,
    handle: MemorySinkHandle<R>,
}

/// Looks into a [`MemorySink`] from outside. Clones see the same sink.
pub struct MemorySinkHandle<R> {
    durable: Arc<Mutex<Durable<R>>>,
}

#[derive(Debug)]
struct Durable<R> {
    records: BTreeMap<Key, R>,
    flushed: u64,
}

impl<R: Keyed + Clone> MemorySink<R> {
    /// An empty sink and the handle that sees what it made durable.
    pub fn new() -> (Self, MemorySinkHandle<R>) {
        let handle = MemorySinkHandle {
            durable: Arc::new(Mutex::new(Durable {
                records: BTreeMap::new(),
                flushed: 0,
            })),
        };
        (Self::for_handle(&handle), handle)
    }

    /// Another sink onto the same durable records, as after a restart.
    pub fn for_handle(handle: &MemorySinkHandle<R>) -> Self {
        Self {
            taken: Vec::new(),
            handle: handle.clone(),
        }
    }
}

impl<R> MemorySinkHandle<R> {
    fn lock(&self) -> MutexGuard<'_, Durable<R>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records were made durable, counting a key each time.
    pub fn flushed(&self) -> u64 {
        self.lock().flushed
    }
}

impl<R: Clone> MemorySinkHandle<R> {
    /// The durable records by key.
    pub fn records(&self) -> BTreeMap<Key, R> {
        self.lock().records.clone()
    }
}

impl<R> Clone for MemorySinkHandle<R> {
    fn clone(&self) -> Self {
        Self {
            durable: self.durable.clone(),
        }
    }
}

impl<R> fmt::Debug for MemorySinkHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySinkHandle")
            .field("flushed", &self.flushed())
            .finish()
    }
}

#[async_trait]
impl<R: Keyed + Clone + Send + Sync + 'static> Sink<R> for MemorySink<R> {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, records: Vec<R>) -> Result<Report> {
        self.taken.extend(records);
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        let mut durable = self.handle.lock();
        for record in self.taken.drain(..) {
            durable.records.insert(record.key(), record);
            durable.flushed += 1;
        }
        Ok(Report::default())
    }

    async fn abort(&mut self) {
        self.taken.clear();
    }
}
