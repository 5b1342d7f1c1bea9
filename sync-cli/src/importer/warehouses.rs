//! Sinks that take any stream, each place opened once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{
    Clock, Error, ErrorKind, ImportId, JsonRecord, JsonlSink, JsonlTarget, Readback, Result, Sink,
    Stream,
};
use sync_object_store::{FileSettings, FileSink, Place};
use sync_postgres::{PostgresSettings, PostgresWarehouse};
use sync_snowflake::SnowflakeSink;
use sync_sqlite::SqliteWarehouse;

use crate::config::{Config, FilesAccount, SinkChoice, SnowflakeAccount};

/// The warehouses that imports write to.
pub(crate) struct Warehouses {
    clock: Arc<dyn Clock>,
    postgres: BTreeMap<String, PostgresSettings>,
    snowflake: BTreeMap<String, SnowflakeAccount>,
    files: FilesAccount,
    sqlite: Mutex<HashMap<PathBuf, SqliteWarehouse>>,
}

/// A sink, and the stream as it is called there.
pub(crate) type Target = (Box<dyn Sink<JsonRecord>>, Stream);

impl Warehouses {
    pub(crate) fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            postgres: config.postgres.clone(),
            snowflake: config.snowflake.clone(),
            files: config.files.clone(),
            sqlite: Mutex::default(),
        }
    }

    /// A sink for one import, and the stream its records go to; `None` if the sink takes no streams.
    ///
    /// # Errors
    /// When the place cannot be opened, or its settings cannot work.
    pub(crate) fn sink(
        &self,
        choice: &SinkChoice,
        import: &ImportId,
        stream: Stream,
    ) -> Result<Option<Target>> {
        Ok(match choice {
            SinkChoice::Ometria { .. } => None,
            // A file is written by one import only.
            SinkChoice::Jsonl(target) => {
                let name = match target {
                    JsonlTarget::Stdout => stream.name().to_string(),
                    JsonlTarget::Directory(_) => import.as_str().replace('/', "-"),
                };
                Some((
                    Box::new(JsonlSink::new(target.clone())),
                    stream.renamed(name),
                ))
            }
            SinkChoice::Sqlite(path) => Some((Box::new(self.sqlite(path)?.sink()), stream)),
            SinkChoice::Postgres { account } => {
                Some((Box::new(self.postgres(account)?.sink()), stream))
            }
            SinkChoice::Snowflake { account } => Some((Box::new(self.snowflake(account)?), stream)),
            SinkChoice::Files { url } => {
                let place = Place::open(url, &self.files.store)?;
                let settings = FileSettings {
                    format: self.files.format,
                    ..FileSettings::default()
                };
                let sink = FileSink::new(place, settings, self.clock.clone());
                Some((Box::new(sink), stream))
            }
        })
    }

    /// Reads back what a sink holds; `None` if it cannot be read.
    pub(crate) fn readback(&self, choice: &SinkChoice) -> Result<Option<Box<dyn Readback>>> {
        Ok(match choice {
            SinkChoice::Ometria { .. } | SinkChoice::Jsonl(_) | SinkChoice::Files { .. } => None,
            SinkChoice::Sqlite(path) => Some(Box::new(self.sqlite(path)?.readback())),
            SinkChoice::Postgres { account } => Some(Box::new(self.postgres(account)?.readback())),
            SinkChoice::Snowflake { account } => Some(Box::new(self.snowflake(account)?)),
        })
    }

    /// Makes the views for analytics where the sink has tables, and names them.
    ///
    /// # Errors
    /// When the sink has no views, cannot be opened or refuses.
    pub(crate) async fn create_views(&self, choice: &SinkChoice) -> Result<Vec<String>> {
        match choice {
            SinkChoice::Sqlite(path) => self.sqlite(path)?.create_views().await,
            SinkChoice::Postgres { account } => self.postgres(account)?.create_views().await,
            _ => Err(Error::new(
                ErrorKind::Config,
                "make views",
                "this kind of sink has no views; name sqlite:FILE or postgres",
            )
            .with("sink", choice)),
        }
    }

    fn sqlite(&self, path: &Path) -> Result<SqliteWarehouse> {
        let mut open = self.sqlite.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(warehouse) = open.get(path) {
            return Ok(warehouse.clone());
        }
        let warehouse = SqliteWarehouse::open(path, self.clock.clone())?;
        open.insert(path.to_owned(), warehouse.clone());
        Ok(warehouse)
    }

    fn postgres(&self, account: &str) -> Result<PostgresWarehouse> {
        let settings = self.postgres.get(account).cloned();
        PostgresWarehouse::new(settings.ok_or_else(|| unknown("postgres", account))?)
    }

    fn snowflake(&self, account: &str) -> Result<SnowflakeSink> {
        let found = self.snowflake.get(account);
        let SnowflakeAccount {
            settings,
            credential,
        } = found.ok_or_else(|| unknown("snowflake", account))?;
        SnowflakeSink::new(settings, credential.clone(), self.clock.clone())
    }
}

fn unknown(system: &'static str, account: &str) -> Error {
    Error::new(ErrorKind::Config, "set up sink", "there is no such account")
        .with("system", system)
        .with("account", account)
}

impl fmt::Debug for Warehouses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warehouses").finish_non_exhaustive()
    }
}
