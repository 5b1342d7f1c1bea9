//! Reading back what is stored.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Key, Readback, Result, Stream};

use crate::connector::Connector;
use crate::error::ClientError;
use crate::schema::Schema;
use crate::sink::failed;
use crate::sql;
use crate::target::table_name;

/// Reads the tables beside whoever writes to them. [`SnowflakeWarehouse::readback`](crate::SnowflakeWarehouse::readback)
/// makes it. Each call is a query or two, and asks for what it was given at once: many keys a call cost least.
pub struct SnowflakeReadback {
    schema: Schema,
}

/// Most keys that one query asks for.
const KEYS_A_QUERY: usize = 10_000;

impl SnowflakeReadback {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            schema: Schema::new(connector),
        }
    }

    /// Whether the stream has a table.
    async fn has_table(&self, stream: &Stream) -> Result<bool, ClientError> {
        let standing = self.schema.describe(&table_name(stream)).await?;
        Ok(standing.exists())
    }
}

impl fmt::Debug for SnowflakeReadback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnowflakeReadback").finish_non_exhaustive()
    }
}

#[async_trait]
impl Readback for SnowflakeReadback {
    async fn fingerprints(&mut self, stream: &Stream, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        let failed = |error| failed("read fingerprints", stream.name())(error);
        if keys.is_empty() || !self.has_table(stream).await.map_err(failed)? {
            return Ok(vec![None; keys.len()]);
        }
        let sql = sql::fingerprints(&self.schema.path(&table_name(stream)));
        let mut found: HashMap<String, u64> = HashMap::with_capacity(keys.len());
        for some in keys.chunks(KEYS_A_QUERY) {
            let keys: Vec<&str> = some.iter().map(Key::as_str).collect();
            let bound = serde_json::json!(keys).to_string();
            let rows = self.schema.client.rows(&sql, &[&bound]).await;
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
        let path = self.schema.path(&table_name(stream));
        let bound: Vec<&str> = after.map(Key::as_str).into_iter().collect();
        let sql = sql::keys(&path, after.is_some(), limit);
        let rows = self.schema.client.rows(&sql, &bound).await;
        Ok(rows
            .map_err(failed)?
            .into_iter()
            .filter_map(|row| row.into_iter().next()?)
            .map(Key::new)
            .collect())
    }
}
