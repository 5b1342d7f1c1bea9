//! The thread that writes.
//!
//! All sinks of a file hand their records to it, and it stores them in the order in which they came: also those of a sink
//! that was dropped before it heard of the result, so nothing older ever overtakes what a later sink writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use sync_core::table::{Table, newest};
use sync_core::{Clock, Error, ErrorKind, JsonRecord, Report, Result};

use crate::catalog::{Problem, alter, open_table};
use crate::error::from_sqlite;
use crate::rows::{put, removal, time_text, upsert};
use crate::{file, views};

/// Rows shaped at once: enough to make nothing of what is done for each turn, and a few MB.
const AT_ONCE: usize = 500;

/// The open file and what is known of it.
pub(crate) struct Writer {
    connection: Connection,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    /// The tables as they are in the file at `schema`.
    tables: HashMap<String, Table>,
    /// `PRAGMA schema_version` after the last transaction.
    schema: Option<i64>,
    /// Whether a transaction was committed that is not on the disk for sure.
    unsynced: bool,
}

/// How sure one can be of a transaction that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It survives a crash of the process; a power cut may take it back, and the file stays whole.
    Ordered,
    /// It is on the disk, with every transaction before it.
    Synced,
}

impl Writer {
    pub(crate) fn open(path: PathBuf, clock: Arc<dyn Clock>) -> Result<Self> {
        let connection = file::open(&path)?;
        Ok(Self {
            connection,
            path,
            clock,
            tables: HashMap::new(),
            schema: None,
            unsynced: false,
        })
    }

    /// Proves that the file can be written to, and writes nothing.
    pub(crate) fn check(&mut self) -> Result<()> {
        let take_and_leave = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.rollback()
        };
        take_and_leave(&mut self.connection)
            .map_err(|cause| from_sqlite("check warehouse", &self.path, cause))
    }

    /// Stores records in one transaction: all, but for those it names as rejected, or none.
    pub(crate) fn store(
        &mut self,
        records: &[JsonRecord],
        durability: Durability,
    ) -> Result<Report> {
        let result = self.try_store(records, durability);
        if result.is_err() {
            // They count columns as made that were rolled back.
            self.tables.clear();
        }
        result.map_err(|problem| match problem {
            Problem::Sqlite(cause) => from_sqlite("write to warehouse", &self.path, cause),
            Problem::Foreign { table } => Error::new(
                ErrorKind::Config,
                "write to warehouse",
                "a table has the name of a stream and was not made by a sink: rename or drop it",
            )
            .with("path", self.path.display())
            .with("table", table),
        })
    }

    fn try_store(
        &mut self,
        records: &[JsonRecord],
        durability: Durability,
    ) -> std::result::Result<Report, Problem> {
        let now = time_text(self.clock.now());
        let synchronous = match durability {
            Durability::Ordered => "NORMAL",
            Durability::Synced => "FULL",
        };
        self.connection
            .pragma_update(None, "synchronous", synchronous)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.schema != Some(schema_version(&transaction)?) {
            // Somebody else changed tables.
            self.tables.clear();
        }
        let mut report = Report::default();
        for of_one_table in newest(records).chunk_by(|a, b| a.stream.name() == b.stream.name()) {
            let stream = &of_one_table[0].stream;
            if !self.tables.contains_key(&**stream.name()) {
                let table = open_table(&transaction, stream)?;
                self.tables.insert(stream.name().to_string(), table);
            }
            let Some(table) = self.tables.get_mut(&**stream.name()) else {
                continue;
            };
            for records in of_one_table.chunks(AT_ONCE) {
                let shaped = table.shape(records.iter().copied());
                alter(&transaction, table.name(), &shaped.alterations)?;
                report.rejected.extend(shaped.rejected);
                let mut upsert = upsert(&transaction, table)?;
                for row in &shaped.rows {
                    if row.record.removed {
                        removal(&transaction, table)?.execute([&now, row.record.key.as_str()])?;
                    } else {
                        put(&mut upsert, row, &now)?;
                    }
                }
            }
        }
        let schema = schema_version(&transaction)?;
        let synced = durability == Durability::Synced;
        if synced && self.unsynced {
            // A transaction that changes nothing is not synced, and with it those before it.
            file::touch(&transaction)?;
        }
        transaction.commit()?;
        self.schema = Some(schema);
        self.unsynced = !synced;
        Ok(report)
    }

    /// Makes the views for the tables that are there.
    pub(crate) fn create_views(&mut self) -> Result<Vec<String>> {
        views::create(&mut self.connection)
            .map_err(|cause| from_sqlite("make views", &self.path, cause))
    }
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("PRAGMA schema_version")?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sync_core::{Key, Stream, SystemClock};

    use super::*;

    fn writer(dir: &tempfile::TempDir) -> Writer {
        Writer::open(dir.path().join("warehouse.db"), Arc::new(SystemClock)).unwrap()
    }

    fn records(from: usize, data: &str) -> Vec<JsonRecord> {
        let stream = Arc::new(Stream::new("things"));
        let record = |n: usize| JsonRecord {
            stream: stream.clone(),
            key: Key::new(n.to_string()),
            data: Bytes::copy_from_slice(data.as_bytes()),
            removed: false,
        };
        (from..from + 100).map(record).collect()
    }

    fn count(writer: &Writer) -> i64 {
        let sql = "SELECT count(*) FROM things";
        writer
            .connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_full_disk_is_an_error_and_what_was_stored_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(&dir);
        let small = records(0, "{\"id\":1}");
        writer.store(&small, Durability::Synced).unwrap();
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        writer
            .connection
            .pragma_update(None, "max_page_count", pages + 10)
            .unwrap();
        let long = format!("{{\"new\":\"{}\"}}", "x".repeat(5_000));
        let error = writer
            .store(&records(100, &long), Durability::Synced)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.to_string().contains("disk is full"), "{error}");
        assert_eq!(count(&writer), 100);

        // Space again: the column that was rolled back is made.
        writer
            .connection
            .pragma_update(None, "max_page_count", i64::from(u32::MAX - 1))
            .unwrap();
        writer
            .store(&records(100, &long), Durability::Synced)
            .unwrap();
        assert_eq!(count(&writer), 200);
    }

    #[test]
    fn a_table_that_cannot_be_made_anew_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(&dir);
        let whole = format!("{{\"n\":1,\"text\":\"{}\"}}", "x".repeat(2_000));
        writer
            .store(&records(0, &whole), Durability::Synced)
            .unwrap();
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        writer
            .connection
            .pragma_update(None, "max_page_count", pages + 10)
            .unwrap();
        let wider = records(100, "{\"n\":\"many\"}");
        writer.store(&wider, Durability::Synced).unwrap_err();
        let declared = |writer: &Writer| {
            let sql = "SELECT type FROM pragma_table_info('things') WHERE name = 'n'";
            writer
                .connection
                .query_row(sql, [], |row| row.get::<_, String>(0))
                .unwrap()
        };
        assert_eq!(
            (declared(&writer).as_str(), count(&writer)),
            ("INTEGER", 100)
        );
        writer
            .connection
            .pragma_update(None, "max_page_count", i64::from(u32::MAX - 1))
            .unwrap();
        writer.store(&wider, Durability::Synced).unwrap();
        assert_eq!((declared(&writer).as_str(), count(&writer)), ("TEXT", 200));
    }

    #[test]
    fn a_flush_without_changes_still_syncs_what_was_stored_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(&dir);
        let wal = || std::fs::metadata(dir.path().join("warehouse.db-wal")).unwrap();
        let nothing: Vec<JsonRecord> = records(500, "[]");
        for expected_to_write in [true, false] {
            if expected_to_write {
                writer
                    .store(&records(0, "{}"), Durability::Ordered)
                    .unwrap();
            }
            let before = wal().len();
            let report = writer.store(&nothing, Durability::Synced).unwrap();
            assert_eq!(report.rejected.len(), nothing.len());
            // Only a transaction that writes to the WAL syncs it.
            assert_eq!(wal().len() > before, expected_to_write);
        }
    }

    #[test]
    fn another_program_that_writes_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(&dir);
        writer
            .connection
            .busy_timeout(std::time::Duration::ZERO)
            .unwrap();
        let other = Connection::open(dir.path().join("warehouse.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for result in [
            writer.check(),
            writer
                .store(&records(0, "{}"), Durability::Synced)
                .map(|_| ()),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("another program"), "{error}");
        }
        other.execute_batch("ROLLBACK").unwrap();
        writer.check().unwrap();
        writer.store(&records(0, "{}"), Durability::Synced).unwrap();
        assert_eq!(count(&writer), 100);
    }
}
