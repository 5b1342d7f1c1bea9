//! Reading back what is stored.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use sync_core::table::{DELETED_AT, KEY, RAW, Table};
use sync_core::{Error, ErrorKind, Key, Readback, Result, Stream, fingerprint};

use crate::catalog::{quote, table_exists};
use crate::error::from_sqlite;
use crate::file;

/// Reads a warehouse beside whoever writes to it. Opens the file when it is first asked.
pub struct SqliteReadback {
    path: PathBuf,
    connection: Option<Connection>,
}

impl SqliteReadback {
    /// Of this file, which must be there when it is read.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            connection: None,
        }
    }

    /// Works with the connection on a blocking thread.
    async fn read<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        const OPERATION: &str = "read warehouse";
        let path = self.path.clone();
        let connection = self.connection.take();
        let work = move || {
            let connection = match connection {
                Some(connection) => connection,
                None => file::open_to_read(&path)?,
            };
            let result = act(&connection).map_err(|cause| from_sqlite(OPERATION, &path, cause))?;
            Ok((result, connection))
        };
        let (result, connection) =
            tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|cause| {
                    Err(
                        Error::new(ErrorKind::State, OPERATION, "the work was stopped")
                            .caused_by(cause),
                    )
                })?;
        self.connection = Some(connection);
        Ok(result)
    }
}

#[async_trait]
impl Readback for SqliteReadback {
    async fn fingerprints(&mut self, stream: &Stream, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        let (table, keys) = (Table::new(stream).name().to_owned(), keys.to_vec());
        self.read(move |connection| {
            if !table_exists(connection, &table)? {
                return Ok(vec![None; keys.len()]);
            }
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {} FROM {} WHERE {} = ?1 AND {} IS NULL",
                quote(RAW),
                quote(&table),
                quote(KEY),
                quote(DELETED_AT)
            ))?;
            keys.iter()
                .map(|key| {
                    statement
                        .query_row([key.as_str()], |row| {
                            Ok(fingerprint(row.get_ref(0)?.as_bytes()?))
                        })
                        .optional()
                })
                .collect()
        })
        .await
    }

    /// In the order of the keys' bytes.
    async fn keys(
        &mut self,
        stream: &Stream,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        let (table, after) = (Table::new(stream).name().to_owned(), after.cloned());
        self.read(move |connection| {
            if !table_exists(connection, &table)? {
                return Ok(Vec::new());
            }
            let (key, table, deleted) = (quote(KEY), quote(&table), quote(DELETED_AT));
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {key} FROM {table} WHERE (?1 IS NULL OR {key} > ?1) AND {deleted} IS NULL
                 ORDER BY {key} LIMIT ?2"
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let after = after.as_ref().map(Key::as_str);
            statement
                .query_map((after, limit), |row| Ok(Key::new(row.get::<_, String>(0)?)))?
                .collect()
        })
        .await
    }
}

impl fmt::Debug for SqliteReadback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteReadback")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
