//! Sinks that take any stream, each place opened once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::{
    Clock, Error, ErrorKind, ImportId, JsonRecord, JsonlSink, JsonlTarget, Readback, Result, Sink,
    Stream,
};
use sync_object_store::{
    Compaction, Compactor, FileReadback, FileSettings, FileSink, FileStore, Place,
};
use sync_postgres::{PostgresSettings, PostgresWarehouse};
use sync_snowflake::SnowflakeWarehouse;
use sync_sqlite::SqliteWarehouse;

use crate::config::{Config, FilesAccount, SinkChoice, SnowflakeAccount};

/// The warehouses that imports write to.
pub(crate) struct Warehouses {
    clock: Arc<dyn Clock>,
    postgres: BTreeMap<String, PostgresSettings>,
    snowflake: BTreeMap<String, SnowflakeAccount>,
    files: FilesAccount,
    sqlite_open: Mutex<HashMap<PathBuf, SqliteWarehouse>>,
    snowflake_open: Mutex<HashMap<String, SnowflakeWarehouse>>,
}

/// A sink, and the stream as it is called there.
pub(crate) type Target = (Box<dyn Sink<JsonRecord>>, Stream);

/// What compaction did to each stream.
pub(crate) type Compactions = BTreeMap<String, Result<Compaction>>;

impl Warehouses {
    pub(crate) fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            postgres: config.postgres.clone(),
            snowflake: config.snowflake.clone(),
            files: config.files.clone(),
            sqlite_open: Mutex::default(),
            snowflake_open: Mutex::default(),
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
        let sink: Box<dyn Sink<JsonRecord>> = match choice {
            SinkChoice::Ometria { .. } => return Ok(None),
            SinkChoice::Jsonl(target) => {
                // A file is written by one import only.
                let name = match target {
                    JsonlTarget::Stdout => stream.name().to_string(),
                    JsonlTarget::Directory(_) => import.as_str().replace('/', "-"),
                };
                let sink = JsonlSink::new(target.clone());
                return Ok(Some((Box::new(sink), stream.renamed(name))));
            }
            SinkChoice::Sqlite(path) => Box::new(self.sqlite(path)?.sink()),
            SinkChoice::Postgres { account } => Box::new(self.postgres(account)?.sink()),
            SinkChoice::Snowflake { account } => Box::new(self.snowflake(account)?.sink()),
            SinkChoice::Files { url } => {
                let place = Place::open(url, &self.files.store)?;
                let clock = self.clock.clone();
                Box::new(FileSink::new(place, self.file_settings(), clock))
            }
        };
        Ok(Some((sink, stream)))
    }

    /// Reads back what a sink holds; `None` if it cannot be read.
    ///
    /// # Errors
    /// Those of [`sink`](Self::sink).
    pub(crate) fn readback(&self, choice: &SinkChoice) -> Result<Option<Box<dyn Readback>>> {
        Ok(Some(match choice {
            SinkChoice::Ometria { .. } | SinkChoice::Jsonl(_) => return Ok(None),
            SinkChoice::Sqlite(path) => Box::new(self.sqlite(path)?.readback()),
            SinkChoice::Postgres { account } => Box::new(self.postgres(account)?.readback()),
            SinkChoice::Snowflake { account } => Box::new(self.snowflake(account)?.readback()),
            SinkChoice::Files { url } => {
                let place = Place::open(url, &self.files.store)?;
                Box::new(FileReadback::new(place, self.file_settings()))
            }
        }))
    }

    /// Makes the views for analytics where the sink has tables, and names them.
    ///
    /// # Errors
    /// When the sink has no views, cannot be opened or refuses.
    pub(crate) async fn create_views(&self, choice: &SinkChoice) -> Result<Vec<String>> {
        match choice {
            SinkChoice::Sqlite(path) => self.sqlite(path)?.create_views().await,
            SinkChoice::Postgres { account } => self.postgres(account)?.create_views().await,
            SinkChoice::Snowflake { account } => self.snowflake(account)?.create_views().await,
            SinkChoice::Ometria { .. } | SinkChoice::Jsonl(_) | SinkChoice::Files { .. } => {
                let message = "this sink has no views; name sqlite:FILE, postgres or snowflake";
                Err(Error::new(ErrorKind::Config, "make views", message).with("sink", choice))
            }
        }
    }

    /// Keeps only the newest version of each record in the files of every stream.
    ///
    /// # Errors
    /// When the sink is none of files, or the streams cannot be listed.
    pub(crate) async fn compact(&self, choice: &SinkChoice) -> Result<Compactions> {
        let SinkChoice::Files { url } = choice else {
            let message = "only files are compacted; name files:DIR or a bucket";
            return Err(Error::new(ErrorKind::Config, "compact", message).with("sink", choice));
        };
        let place = Place::open(url, &self.files.store)?;
        let compactor = Compactor::new(place, self.file_settings(), self.clock.clone());
        compactor.compact_all().await
    }

    /// Copies of stored files at a place.
    ///
    /// # Errors
    /// When the place cannot be opened.
    pub(crate) fn file_store(&self, url: &str) -> Result<FileStore> {
        Ok(FileStore::new(Place::open(url, &self.files.store)?, None))
    }

    fn file_settings(&self) -> FileSettings {
        FileSettings {
            format: self.files.format,
            ..FileSettings::default()
        }
    }

    fn sqlite(&self, path: &Path) -> Result<SqliteWarehouse> {
        let mut open = lock(&self.sqlite_open);
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

    fn snowflake(&self, account: &str) -> Result<SnowflakeWarehouse> {
        let mut open = lock(&self.snowflake_open);
        if let Some(warehouse) = open.get(account) {
            return Ok(warehouse.clone());
        }
        let found = self.snowflake.get(account);
        let SnowflakeAccount {
            settings,
            credential,
        } = found.ok_or_else(|| unknown("snowflake", account))?;
        let (settings, credential) = (settings.clone(), credential.clone());
        let warehouse = SnowflakeWarehouse::new(settings, credential, self.clock.clone())?;
        open.insert(account.to_owned(), warehouse.clone());
        Ok(warehouse)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
