//! The sink.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{JsonRecord, Rejection, Report, Result, Sink};

use crate::check;
use crate::delivery::{Delivery, in_order};
use crate::error::Failure;
use crate::link::{Link, Task};
use crate::session::Connector;

/// Writes each stream into its table. See the [crate] for what that table looks like.
///
/// What was written since the last flush is kept in memory up to the settings' `batch_records` and `batch_bytes`, and then
/// sent. What is sent together is one transaction, tables made and changed included; so is a flush whose records fit.
///
/// A batch whose session breaks, or that meets a deadlock, is sent again for `retry_seconds`, also when only the answer to its
/// `COMMIT` was lost: it writes the same rows again.
pub struct PostgresSink {
    link: Link,
    taken: Vec<JsonRecord>,
    bytes: usize,
    rejected: Vec<Rejection>,
}

/// Records of one batch that the server may refuse one by one. With more, something is wrong with the table.
const MOST_REFUSED: usize = 100;

impl PostgresSink {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            link: Link::new(connector),
            taken: Vec::new(),
            bytes: 0,
            rejected: Vec::new(),
        }
    }

    /// Sends what was taken.
    async fn send(&mut self) -> Result<()> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.taken);
        in_order(&mut records);
        match self.send_in_parts(&records).await {
            Ok(rejected) => {
                self.bytes = 0;
                self.rejected.extend(rejected);
                Ok(())
            }
            Err(error) => {
                self.taken = records;
                Err(error)
            }
        }
    }

    /// Sends the records at once. If the server refuses what one of them says, it is found by halving, so that it holds up no
    /// other.
    async fn send_in_parts(&mut self, records: &[JsonRecord]) -> Result<Vec<Rejection>> {
        let mut rejected = Vec::new();
        let mut refused = 0;
        let mut parts = vec![records];
        while let Some(part) = parts.pop() {
            match self.link.try_to(&Delivery(part)).await {
                Ok(more) => rejected.extend(more),
                Err(Failure::Rows(error)) => match part {
                    [record] if refused < MOST_REFUSED => {
                        refused += 1;
                        rejected.push(Rejection {
                            key: record.key.clone(),
                            reason: Failure::refusal(&error),
                        });
                    }
                    [_, _, ..] => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.push(second);
                        parts.push(first);
                    }
                    _ => return Err(self.failed(Failure::Rows(error))),
                },
                Err(failure) => return Err(self.failed(failure)),
            }
        }
        Ok(rejected)
    }

    fn failed(&self, failure: Failure) -> sync_core::Error {
        self.link.failed(Delivery::OPERATION, failure)
    }
}

#[async_trait]
impl Sink<JsonRecord> for PostgresSink {
    fn name(&self) -> &'static str {
        "postgres"
    }

    /// Logs in and asks for the rights that writing needs: to read and make tables in the schema, to make the schema if it is
    /// missing, to make temporary tables, and to write the tables that are there.
    async fn check(&self) -> Result<()> {
        check::rights(self.link.connector().clone()).await
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        for record in records {
            if record.key.as_str().contains('\0') {
                self.rejected.push(Rejection {
                    key: record.key,
                    reason: "the key holds a zero byte, which text in postgres cannot".to_owned(),
                });
                continue;
            }
            self.bytes += record.data.len();
            self.taken.push(record);
            let settings = self.link.connector().settings();
            if self.taken.len() >= settings.batch_records || self.bytes >= settings.batch_bytes {
                self.send().await?;
            }
        }
        Ok(Report {
            rejected: std::mem::take(&mut self.rejected),
        })
    }

    async fn flush(&mut self) -> Result<Report> {
        self.send().await?;
        Ok(Report {
            rejected: std::mem::take(&mut self.rejected),
        })
    }

    async fn abort(&mut self) {
        self.taken.clear();
        self.bytes = 0;
        self.rejected.clear();
    }
}

/// Shows where it writes and how much it holds; no password, and no record.
impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink")
            .field("settings", self.link.connector().settings())
            .field("taken", &self.taken.len())
            .finish_non_exhaustive()
    }
}
