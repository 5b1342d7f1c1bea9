//! The sink, and what it reads back.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Clock, Error, JsonRecord, Key, Readback, Rejection, Report, Result, Sink, Stream};

use crate::client::Client;
use crate::error::{ClientError, translate};
use crate::settings::{Credential, SnowflakeSettings};
use crate::sql;
use crate::target::{Target, table_name};
use crate::transport::RetryPolicy;
use crate::warehouse::Warehouse;

/// Keeps a table per stream at Snowflake.
///
/// Each record is a row, upserted by its key; a removal marks the row in `_DELETED_AT` and keeps it. So a replay of
/// anything since the last flush changes nothing but `_SYNCED_AT`. Columns appear, and widen, as records need them. What
/// was taken is durable after `flush`; parts of it may be visible before.
///
/// One sink writes into a table at a time: two would not lose rows, but could undo each other's change of a column.
pub struct SnowflakeSink {
    warehouse: Warehouse,
    statement_bytes: usize,
    targets: BTreeMap<Arc<str>, Target>,
    /// The number of the next row.
    number: u64,
    /// Refused by Snowflake since the last flush.
    rejected: Vec<Rejection>,
}

/// Most keys that one query asks for.
const KEYS_A_QUERY: usize = 10_000;

impl SnowflakeSink {
    /// A sink onto one schema. Makes no request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config): a setting is wrong, or the private key cannot be read.
    pub fn new(
        settings: &SnowflakeSettings,
        credential: Credential,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        settings.validate()?;
        let names = settings.names()?;
        let client = Client::new(settings, names.clone(), credential, clock)?;
        Ok(Self {
            warehouse: Warehouse::new(client, names),
            statement_bytes: settings.statement_bytes,
            targets: BTreeMap::new(),
            number: 0,
            rejected: Vec::new(),
        })
    }

    /// Repeats failed requests in another way than by default.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.warehouse.client.set_retry(policy);
        self
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
            let target = Target::open(&self.warehouse, &first.stream).await?;
            self.targets.entry(name.clone()).or_insert(target)
        };
        target.declare(&first.stream);
        let shaped = target.table.shape(records);
        let mut refused = shaped.rejected;
        for row in &shaped.rows {
            self.number += 1;
            match target.push(self.number, row, self.statement_bytes) {
                Ok(None) => {}
                Ok(Some(full)) => {
                    target
                        .stage(&mut self.warehouse, full, &mut self.rejected)
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
                .stage_waiting(&mut self.warehouse, &mut self.rejected)
                .await?;
        }
        Ok(())
    }

    /// Whether the stream has a table.
    async fn has_table(&self, stream: &Stream) -> Result<bool, ClientError> {
        let standing = self.warehouse.describe(&table_name(stream)).await?;
        Ok(standing.exists())
    }
}

impl fmt::Debug for SnowflakeSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnowflakeSink")
            .field("streams", &self.targets.keys())
            .finish_non_exhaustive()
    }
}

fn failed(operation: &'static str, stream: &str) -> impl FnOnce(ClientError) -> Error {
    move |error| translate(operation, error).with("stream", stream)
}

#[async_trait]
impl Sink<JsonRecord> for SnowflakeSink {
    fn name(&self) -> &'static str {
        "snowflake"
    }

    async fn check(&self) -> Result<()> {
        self.warehouse
            .has_schema()
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
                .flush(&mut self.warehouse, &mut self.rejected)
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

#[async_trait]
impl Readback for SnowflakeSink {
    async fn fingerprints(&mut self, stream: &Stream, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        let failed = |error| failed("read fingerprints", stream.name())(error);
        if keys.is_empty() || !self.has_table(stream).await.map_err(failed)? {
            return Ok(vec![None; keys.len()]);
        }
        let sql = sql::fingerprints(&self.warehouse.path(&table_name(stream)));
        let mut found: HashMap<String, u64> = HashMap::with_capacity(keys.len());
        for some in keys.chunks(KEYS_A_QUERY) {
            let keys: Vec<&str> = some.iter().map(Key::as_str).collect();
            let bound = serde_json::json!(keys).to_string();
            let rows = self.warehouse.client.rows(&sql, &[&bound]).await;
            for row in rows.map_err(failed)? {
                if let [Some(key), Some(fingerprint)] = row.as_slice()
                    && let Ok(fingerprint) = u64::from_str_radix(fingerprint, 16)
                {
                    found.insert(key.clone(), fingerprint);
                }
            }
        }
        Ok(keys
            .iter()
            .map(|key| found.get(key.as_str()).copied())
            .collect())
    }

    async fn keys(
        &mut self,
        stream: &Stream,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        let failed = |error| failed("read keys", stream.name())(error);
        if !self.has_table(stream).await.map_err(failed)? {
            return Ok(Vec::new());
        }
        let path = self.warehouse.path(&table_name(stream));
        let bound: Vec<&str> = after.map(Key::as_str).into_iter().collect();
        let sql = sql::keys(&path, after.is_some(), limit);
        let rows = self.warehouse.client.rows(&sql, &bound).await;
        Ok(rows
            .map_err(failed)?
            .into_iter()
            .filter_map(|row| row.into_iter().next()?)
            .map(Key::new)
            .collect())
    }
}
