//! A server that speaks Snowflake's protocol and runs its SQL; `.ci/services/fakesnow` starts one.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_ipc::reader::StreamReader;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::{Value, json};
use sync_core::{JsonRecord, Key, Rejection, Sink, Stream, SystemClock};
use sync_snowflake::{
    Credential, RetryPolicy, SnowflakeReadback, SnowflakeSettings, SnowflakeSink,
    SnowflakeWarehouse,
};
use url::Url;

/// A schema of its own on the server.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) url: Url,
    schema: String,
}

impl Fake {
    /// The server, or a word on why the test is skipped.
    pub(crate) fn find() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("SNOWFLAKE_TEST_URL") else {
            skipped();
            return None;
        };
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            url: url.parse().expect("SNOWFLAKE_TEST_URL is a URL"),
            schema: format!("TEST_{}_{made}", std::process::id()),
        })
    }

    /// Another schema on the same server.
    pub(crate) fn another(&self) -> Self {
        Self::find().unwrap_or_else(|| self.clone())
    }

    pub(crate) fn settings(&self) -> SnowflakeSettings {
        let mut settings = SnowflakeSettings::new("test-account", "loader", "tests");
        settings.schema.clone_from(&self.schema);
        settings.url = Some(self.url.clone());
        settings
    }

    pub(crate) fn sink(&self) -> SnowflakeSink {
        sink(&self.settings())
    }

    pub(crate) fn readback(&self) -> SnowflakeReadback {
        warehouse(&self.settings()).readback()
    }

    /// The sink through another address, with statements as small as they can be.
    pub(crate) fn sink_through(&self, url: &str) -> SnowflakeSink {
        let mut settings = self.settings();
        settings.url = Some(url.parse().unwrap());
        settings.statement_bytes = 64 * 1024;
        sink(&settings)
    }

    /// Names and types of columns in the order of their names, those the sink adds left out.
    pub(crate) async fn types(&self, table: &str) -> Vec<String> {
        let columns = self.columns(table).await;
        let mut columns: Vec<String> = columns
            .into_iter()
            .filter(|column| !column.starts_with('_'))
            .collect();
        columns.sort();
        columns
    }

    /// Names and types of all columns, in their order.
    pub(crate) async fn columns(&self, table: &str) -> Vec<String> {
        let sql = format!(
            "SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS \
             WHERE TABLE_SCHEMA = '{}' AND TABLE_NAME = '{table}' ORDER BY ORDINAL_POSITION",
            self.schema
        );
        shown(&self.query(&sql).await)
    }

    /// Names of all tables.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let sql = format!(
            "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '{}'",
            self.schema
        );
        shown(&self.query(&sql).await)
    }

    /// The result of a query on the tables' schema.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_query(sql).await.unwrap()
    }

    pub(crate) async fn try_query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Value> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let login = format!(
            "{}session/v1/login-request?databaseName=TESTS&schemaName={}",
            self.url, self.schema
        );
        let body = json!({"data": {"SESSION_PARAMETERS": {}}}).to_string();
        let reply = http.post(login).body(body).send().await.unwrap();
        let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
        let token = reply["data"]["token"].as_str().unwrap();
        let reply = http
            .post(format!("{}queries/v1/query-request", self.url))
            .header("authorization", format!("Snowflake Token=\"{token}\""))
            .body(json!({ "sqlText": sql }).to_string())
            .send()
            .await
            .unwrap();
        let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
        if reply["success"] != true {
            return Err(reply);
        }
        let base64 = reply["data"]["rowsetBase64"].as_str().unwrap_or_default();
        Ok(rows(&STANDARD.decode(base64).unwrap()))
    }
}

fn skipped() {
    use std::io::Write;
    // Written past the capture of the test harness, so that a run shows what it left out.
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    let _ = writeln!(
        std::io::stderr(),
        "skipped {name}: SNOWFLAKE_TEST_URL is not set; .ci/services/fakesnow starts a server"
    );
}

fn rows(mut stream: &[u8]) -> Vec<Vec<Option<String>>> {
    if stream.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let stream: &mut dyn Read = &mut stream;
    for batch in StreamReader::try_new(stream, None).unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter();
            rows.push(
                cells
                    .map(|column| {
                        let text = column
                            .as_string_opt::<i32>()
                            .expect("a query asks for text");
                        text.iter().nth(row).unwrap().map(str::to_owned)
                    })
                    .collect(),
            );
        }
    }
    rows
}

/// A warehouse whose sinks do not wait before they try again.
pub(crate) fn warehouse(settings: &SnowflakeSettings) -> SnowflakeWarehouse {
    let password = Credential::Password(SecretString::from("hush"));
    let retry = RetryPolicy {
        attempts: 5,
        first_wait: Duration::ZERO,
        longest_wait: Duration::ZERO,
        within: Duration::MAX,
    };
    SnowflakeWarehouse::with_retry(settings.clone(), password, Arc::new(SystemClock), retry)
        .unwrap()
}

pub(crate) fn sink(settings: &SnowflakeSettings) -> SnowflakeSink {
    warehouse(settings).sink()
}

pub(crate) fn record(stream: &Arc<Stream>, key: &str, data: &Value) -> JsonRecord {
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(key),
        data: Bytes::from(data.to_string()),
        removed: false,
    }
}

pub(crate) fn removal(stream: &Arc<Stream>, key: &str) -> JsonRecord {
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(key),
        data: Bytes::new(),
        removed: true,
    }
}

/// Writes and flushes, and gives what was rejected.
pub(crate) async fn deliver(sink: &mut SnowflakeSink, records: Vec<JsonRecord>) -> Vec<Rejection> {
    let mut rejected = sink.write(records).await.unwrap().rejected;
    rejected.extend(sink.flush().await.unwrap().rejected);
    rejected
}

/// Cells as text, for comparing: `∅` is null.
pub(crate) fn shown(rows: &[Vec<Option<String>>]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let cells: Vec<&str> = row
                .iter()
                .map(|cell| cell.as_deref().unwrap_or("∅"))
                .collect();
            cells.join(" | ")
        })
        .collect()
}
