//! A sink of one's own, in the shape that warehouses such as Snowflake want: stage rows, then one `MERGE` a batch.
//!
//!     cargo run -p sync-examples --example custom_sink
//!
//! The warehouse is a stand-in that keeps tables in memory; a real driver goes where [`Connection`] is implemented. The
//! conformance suite proves the sink before an audience is read into it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::ensure;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use loopback::Server;
use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, StatusMix};
use serde_json::{Value, json};
use sync_core::{
    Error, ErrorKind, Import, ImportId, JsonMapping, JsonRecord, Key, MemoryStateStore, Outcome,
    Pipeline, Report, Result, Shutdown, Sink, Stream, SystemClock,
};
use sync_mailchimp::{AudienceSettings, AudienceSource};
use sync_testkit::sink::SinkTrial;

/// Collects rows and merges them by key: an upsert bears every repetition a replay can bring.
struct WarehouseSink<C> {
    connection: C,
    staged: Vec<JsonRecord>,
}

/// Rows to merge in one statement. Warehouses like few big statements.
const ROWS_A_STATEMENT: usize = 10_000;

/// What the sink needs of a driver.
#[async_trait]
trait Connection: Send + Sync {
    /// Runs a statement with the rows bound as one JSON text.
    async fn execute(&self, table: &str, sql: &str, rows: Vec<Value>) -> Result<()>;
}

impl<C: Connection> WarehouseSink<C> {
    fn new(connection: C) -> Self {
        Self {
            connection,
            staged: Vec::new(),
        }
    }

    async fn merge(&mut self) -> Result<()> {
        // The last row of a key holds; `MERGE` refuses two source rows for one target row.
        let mut tables: BTreeMap<Arc<str>, BTreeMap<Key, Value>> = BTreeMap::new();
        for record in &self.staged {
            let data: Value = if record.removed {
                Value::Null
            } else {
                serde_json::from_slice(&record.data).map_err(|error| {
                    Error::new(ErrorKind::Invalid, "stage rows", "a record is no JSON")
                        .caused_by(error)
                })?
            };
            tables
                .entry(record.stream.name().clone())
                .or_default()
                .insert(record.key.clone(), data);
        }
        for (table, rows) in tables {
            let sql = format!(
                "MERGE INTO \"{table}\" t USING (
                   SELECT value:key::string AS key, value:data AS data FROM TABLE(FLATTEN(PARSE_JSON(?)))
                 ) s ON t._key = s.key
                 WHEN MATCHED THEN UPDATE SET _raw = s.data, _deleted_at = IFF(s.data IS NULL, CURRENT_TIMESTAMP, NULL)
                 WHEN NOT MATCHED THEN INSERT (_key, _raw) VALUES (s.key, s.data)"
            );
            let rows = rows
                .into_iter()
                .map(|(key, data)| json!({ "key": key.as_str(), "data": data }))
                .collect();
            self.connection.execute(&table, &sql, rows).await?;
        }
        self.staged.clear();
        Ok(())
    }
}

#[async_trait]
impl<C: Connection> Sink<JsonRecord> for WarehouseSink<C> {
    fn name(&self) -> &'static str {
        "warehouse"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        self.staged.extend(records);
        if self.staged.len() >= ROWS_A_STATEMENT {
            self.merge().await?;
        }
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        self.merge().await?;
        Ok(Report::default())
    }

    async fn abort(&mut self) {
        self.staged.clear();
    }
}

/// Tables in memory, in place of a driver. Does what the `MERGE` says.
#[derive(Clone, Default)]
struct Warehouse {
    tables: Arc<Mutex<BTreeMap<String, BTreeMap<String, Value>>>>,
}

#[async_trait]
impl Connection for Warehouse {
    async fn execute(&self, table: &str, _sql: &str, rows: Vec<Value>) -> Result<()> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(table.to_owned()).or_default();
        for row in rows {
            if let Some(key) = row["key"].as_str() {
                table.insert(key.to_owned(), row["data"].clone());
            }
        }
        Ok(())
    }
}

impl Warehouse {
    fn rows(&self, table: &str) -> BTreeMap<String, Value> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(table).cloned().unwrap_or_default()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    sync_testkit::sink::conformance(async || Trial(Warehouse::default())).await;
    println!("the sink keeps its promises");

    let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse()?;
    let simulator = MailchimpSimulator::new(mailchimp_simulator::Settings::new(
        "simulated-us6",
        Arc::new(move || noon),
    ));
    simulator.add_audience(AudienceSpec {
        statuses: StatusMix::SHOP,
        ..AudienceSpec::new("57afe96172", 5_000)
    });
    let server = Server::start(Arc::new(simulator), ([127, 0, 0, 1], 0).into()).await?;
    let client = mailchimp_client::Client::builder("simulated-us6")
        .base_url(format!("{}/3.0", server.url()).parse()?)
        .build()?;

    let import = ImportId::new("57afe96172");
    let source = AudienceSource::new(
        client,
        "57afe96172",
        AudienceSettings::default(),
        Arc::new(SystemClock),
    )?;
    let mapping = JsonMapping::new(import.scope(), Stream::new("members"));
    let warehouse = Warehouse::default();
    let sink = WarehouseSink::new(warehouse.clone());
    let state = Arc::new(MemoryStateStore::new());
    let mut pipeline = Pipeline::builder(
        import,
        Arc::new(source),
        Arc::new(mapping),
        Box::new(sink),
        state,
    )
    .build();
    let run = pipeline.run(&Shutdown::never()).await;
    println!(
        "{:?}: {} members in the warehouse",
        run.outcome,
        warehouse.rows("members").len()
    );
    ensure!(run.outcome == Some(Outcome::Complete), "{:?}", run.error);
    ensure!(
        warehouse.rows("members").len() == 5_000,
        "every member should have arrived"
    );
    Ok(())
}

/// A fresh warehouse for each check of the suite, and how to read it back.
struct Trial(Warehouse);

#[async_trait]
impl SinkTrial for Trial {
    type Record = JsonRecord;
    type Sink = WarehouseSink<Warehouse>;

    async fn open(&self) -> Self::Sink {
        WarehouseSink::new(self.0.clone())
    }

    fn record(&self, key: &str, version: u32) -> JsonRecord {
        let data = Bytes::from(json!({ "version": version }).to_string());
        JsonRecord {
            stream: Arc::new(Stream::new("members")),
            key: Key::new(key),
            data,
            removed: false,
        }
    }

    fn removal(&self, key: &str) -> Option<JsonRecord> {
        let data = Bytes::new();
        Some(JsonRecord {
            stream: Arc::new(Stream::new("members")),
            key: Key::new(key),
            data,
            removed: true,
        })
    }

    fn unacceptable(&self, _key: &str) -> Option<JsonRecord> {
        None
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        let rows = self.0.rows("members").into_iter();
        // A row whose data is null was removed.
        rows.filter_map(|(key, data)| {
            let version = data["version"].as_u64()?;
            Some((Key::new(key), u32::try_from(version).ok()?))
        })
        .collect()
    }
}
