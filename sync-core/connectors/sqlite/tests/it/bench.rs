//! A warehouse of its own, and a look at it by a connection of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::Value;
use sync_core::{JsonRecord, Key, Stream};
use sync_sqlite::SqliteWarehouse;
use sync_testkit::{ManualClock, time};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) warehouse: SqliteWarehouse,
    pub(crate) clock: Arc<ManualClock>,
    dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::within(tempfile::tempdir().expect("a directory"))
    }

    /// In memory where the system has such a place: for tests that open it hundreds of times and would mostly wait for the
    /// disk.
    pub(crate) fn in_memory() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::within(dir.expect("a directory"))
    }

    fn within(dir: TempDir) -> Self {
        let clock = clock();
        let warehouse = SqliteWarehouse::open(dir.path().join("warehouse.db"), clock.clone())
            .expect("a warehouse");
        Self {
            warehouse,
            clock,
            dir,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("warehouse.db")
    }

    pub(crate) fn look(&self) -> Connection {
        Connection::open(self.path()).expect("another connection")
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(time(1_795_255_200)))
}

pub(crate) fn record(stream: &Arc<Stream>, key: &str, data: &Value) -> JsonRecord {
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(key),
        data: Bytes::from(data.to_string()),
        removed: false,
    }
}
