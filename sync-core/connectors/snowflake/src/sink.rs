//! The sink.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Error, JsonRecord, Rejection, Report, Result, Sink};

use crate::connector::Connector;
use crate::error::{ClientError, translate};
use crate::schema::{Schema, Turns};
use crate::target::Target;

/// Keeps a table per stream at Snowflake. [`SnowflakeWarehouse::sink`](crate::SnowflakeWarehouse::sink) makes it.
///
/// Each record is a row, upserted by its key; a removal marks the row in `_DELETED_AT` and keeps it. So a replay of
/// anything since the last flush changes nothing but `_SYNCED_AT`. Columns appear, and widen, as records need them. What
/// was taken is durable after `flush`; parts of it may be visible before.
pub struct SnowflakeSink {
    schema: Schema,
    turns: Turns,
    statement_bytes: usize,
    targets: BTreeMap<Arc<str>, Target>,
    /// The number of the last row.
    number: u64,
    /// Refused by Snowflake since the last flush.
    rejected: Vec<Rejection>,
}

impl SnowflakeSink {
    pub(crate) fn new(connector: Arc<Connector>, turns: Turns) -> Self {
        Self {
            statement_bytes: connector.settings.statement_bytes,
            schema: Schema::new(connector),
            turns,
            targets: BTreeMap::new(),
            number: 0,
            rejected: Vec::new(),
        }
    }

    /// Takes records of one stream.
    async fn take(&mut self, records: &[JsonRecord]) -> Result<Vec<Rejection>, ClientError> {
        let Some(first) = records.first() else {
            return Ok(Vec::new());
        };
        let name = first.stream.name();
        let target = if let Some(target) = self.targets.get_mut(name) {
            target
        } else {
            let target = Target::open(&self.schema, &self.turns, &first.stream).await?;
            self.targets.entry(name.clone()).or_insert(target)
        };
        target
            .declare(&mut self.schema, &first.stream, &mut self.rejected)
            .await?;
        let shaped = target.table.shape(records);
        let mut refused = shaped.rejected;
        for row in &shaped.rows {
            self.number += 1;
            match target.push(self.number, row, self.statement_bytes) {
                Ok(None) => {}
                Ok(Some(full)) => {
                    target
                        .stage(&mut self.schema, full, &mut self.rejected)
                        .await?;
                }
                Err(rejection) => refused.push(rejection),
            }
        }
        self.make_room().await?;
        Ok(refused)
    }

    /// Stages the most of what waits, until all tables together wait with no more than one statement carries.
    async fn make_room(&mut self) -> Result<(), ClientError> {
        while self.targets.values().map(Target::waiting).sum::<usize>() > self.statement_bytes {
            let Some(largest) = self
                .targets
                .values_mut()
                .max_by_key(|target| target.waiting())
            else {
                break;
            };
            largest
                .stage_waiting(&mut self.schema, &mut self.rejected)
                .await?;
        }
        Ok(())
    }
}

impl fmt::Debug for SnowflakeSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnowflakeSink")
            .field("streams", &self.targets.keys())
            .finish_non_exhaustive()
    }
}

pub(crate) fn failed(operation: &'static str, stream: &str) -> impl FnOnce(ClientError) -> Error {
    move |error| translate(operation, error).with("stream", stream)
}

#[async_trait]
impl Sink<JsonRecord> for SnowflakeSink {
    fn name(&self) -> &'static str {
        "snowflake"
    }

    async fn check(&self) -> Result<()> {
        self.schema
            .exists()
            .await
            .map_err(|error| translate("check snowflake", error))?;
        Ok(())
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        let mut report = Report::default();
        for of_one in records.chunk_by(|a, b| a.stream.name() == b.stream.name()) {
            let stream = of_one[0].stream.name();
            let refused = self
                .take(of_one)
                .await
                .map_err(failed("stage rows", stream))?;
            report.rejected.extend(refused);
        }
        Ok(report)
    }

    async fn flush(&mut self) -> Result<Report> {
        for (stream, target) in &mut self.targets {
            target
                .flush(&mut self.schema, &mut self.rejected)
                .await
                .map_err(failed("merge rows", stream))?;
        }
        Ok(Report {
            rejected: std::mem::take(&mut self.rejected),
        })
    }

    async fn abort(&mut self) {
        // What is known of the tables goes too: whatever failed may have left them otherwise.
        self.targets.clear();
        self.rejected.clear();
    }
}
