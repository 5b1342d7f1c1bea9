//! Records into the file.

use std::fmt;

use async_trait::async_trait;
use sync_core::{JsonRecord, Report, Result, Sink};

use crate::warehouse::{Answer, Held, SqliteWarehouse};
use crate::writer::{Durability, Writer};

/// Bytes of records that a sink keeps before it hands them to the writer. Fewer and larger transactions write less: keys come
/// in random order, so each transaction changes most pages of their index.
const ENOUGH: usize = 16 * 1024 * 1024;
/// Bytes that are worth a transaction when others keep many, too.
const WORTH_STORING: usize = 2 * 1024 * 1024;
/// Bytes that all sinks of a file may keep before each hands over what is worth it.
const ENOUGH_OF_ALL: usize = 64 * 1024 * 1024;

/// Upserts records by key into a table for each stream.
///
/// Records are gathered and stored in one transaction at the flush, or in several, while further ones are taken, once there
/// are more than 16 MB of them, or more than 64 MB in all sinks of the file. A sink holds at most twice the former.
/// Duplicates are borne: of several versions of a key the last stays. A removal marks the row and leaves its values.
///
/// [`Sink::abort`] forgets what was gathered; what was stored stays and comes again.
pub struct SqliteSink {
    warehouse: SqliteWarehouse,
    gathered: Vec<JsonRecord>,
    held: Held,
    /// The transaction under way.
    storing: Option<Answer<Report>>,
}

impl SqliteSink {
    pub(crate) fn new(warehouse: SqliteWarehouse) -> Self {
        Self {
            held: warehouse.hold_nothing(),
            warehouse,
            gathered: Vec::new(),
            storing: None,
        }
    }

    /// Hands over what was gathered.
    fn store(&mut self, durability: Durability) {
        let records = std::mem::take(&mut self.gathered);
        let held = std::mem::replace(&mut self.held, self.warehouse.hold_nothing());
        self.storing = Some(self.warehouse.submit(move |writer| {
            let report = writer.store(&records, durability);
            drop((records, held));
            report
        }));
    }

    /// Whether it is time to hand over what was gathered.
    fn has_enough(&self) -> bool {
        let own = self.held.bytes();
        own >= ENOUGH || (own >= WORTH_STORING && self.held.bytes_of_all() >= ENOUGH_OF_ALL)
    }

    /// Waits for the transaction under way.
    async fn stored(&mut self) -> Result<Report> {
        match self.storing.take() {
            Some(answer) => answer.wait("write to warehouse").await,
            None => Ok(Report::default()),
        }
    }
}

#[async_trait]
impl Sink<JsonRecord> for SqliteSink {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn check(&self) -> Result<()> {
        self.warehouse
            .submit(Writer::check)
            .wait("check warehouse")
            .await
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        let mut report = Report::default();
        // Before the new ones are taken, so that there is always something left for the flush to sync.
        if self.has_enough() && !records.is_empty() {
            report = self.stored().await?;
            self.store(Durability::Ordered);
        }
        self.held.add(records.iter().map(size).sum());
        if self.gathered.is_empty() {
            self.gathered = records;
        } else {
            self.gathered.extend(records);
        }
        Ok(report)
    }

    async fn flush(&mut self) -> Result<Report> {
        let mut report = self.stored().await?;
        if !self.gathered.is_empty() {
            self.store(Durability::Synced);
            report.rejected.extend(self.stored().await?.rejected);
        }
        Ok(report)
    }

    async fn abort(&mut self) {
        self.gathered.clear();
        self.held = self.warehouse.hold_nothing();
        // Whether it was stored does not matter: all of it comes again.
        let _ = self.stored().await;
    }
}

/// What a record costs in memory, about.
fn size(record: &JsonRecord) -> usize {
    record.data.len() + size_of::<JsonRecord>() + record.key.as_str().len()
}

impl fmt::Debug for SqliteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSink")
            .field("warehouse", &self.warehouse)
            .field("gathered", &self.gathered.len())
            .finish_non_exhaustive()
    }
}
