//! A sink for anybody's rows that is slow and sometimes fails, and the place where its rows stay.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use sync_core::{Error, ErrorKind, JsonRecord, Key, Report, Result, Sink};

use crate::world::{World, lock};

/// Rows that are durable: they outlive the process.
#[derive(Debug, Default)]
pub(crate) struct RowStore {
    rows: Mutex<BTreeMap<Key, Bytes>>,
}

impl RowStore {
    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        lock(&self.rows).get(&Key::new(key)).cloned()
    }

    pub(crate) fn all(&self) -> BTreeMap<Key, Bytes> {
        lock(&self.rows).clone()
    }

    fn apply(&self, record: JsonRecord) {
        let mut rows = lock(&self.rows);
        if record.removed {
            rows.remove(&record.key);
        } else {
            rows.insert(record.key, record.data);
        }
    }
}

/// Takes rows at once and makes them durable, one by one, when it is flushed.
#[derive(Debug)]
pub(crate) struct RowSink {
    world: Arc<World>,
    store: Arc<RowStore>,
    rng: Rng,
    taken: Vec<JsonRecord>,
}

impl RowSink {
    /// The sink of the import at this position.
    pub(crate) fn new(world: Arc<World>, import: usize, rng: Rng) -> Self {
        let store = world.rows.get(&import).cloned().unwrap_or_default();
        Self {
            world,
            store,
            rng,
            taken: Vec::new(),
        }
    }

    fn fails(&mut self) -> bool {
        !self.world.is_frozen() && self.rng.f64() < self.world.scenario.sink_faults
    }
}

#[async_trait]
impl Sink<JsonRecord> for RowSink {
    fn name(&self) -> &'static str {
        "rows"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..20))).await;
        if self.fails() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "write rows",
                "made to fail",
            ));
        }
        self.taken.extend(records);
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        let breaks_at = self.fails().then(|| self.rng.usize(..=self.taken.len()));
        for (index, record) in std::mem::take(&mut self.taken).into_iter().enumerate() {
            if breaks_at == Some(index) {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "flush rows",
                    "made to fail",
                ));
            }
            if index % 16 == 0 {
                tokio::time::sleep(Duration::from_millis(self.rng.u64(..20))).await;
            }
            self.store.apply(record);
        }
        if breaks_at.is_some() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "flush rows",
                "made to fail afterwards",
            ));
        }
        Ok(Report::default())
    }

    async fn abort(&mut self) {
        self.taken.clear();
    }
}
