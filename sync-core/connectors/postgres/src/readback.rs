//! Reading back what the tables hold.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::table::{DELETED_AT, KEY, RAW, Table};
use sync_core::{Key, Readback, Result, Stream, fingerprint};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::catalog::Place;
use crate::error::Failure;
use crate::link::{Link, Task};
use crate::session::Connector;

/// Reads a warehouse beside whoever writes to it. Connects when it is first asked.
pub struct PostgresReadback {
    link: Link,
}

impl PostgresReadback {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            link: Link::new(connector),
        }
    }
}

#[async_trait]
impl Readback for PostgresReadback {
    async fn fingerprints(&mut self, stream: &Stream, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        let found = self.link.perform(&Fingerprints { stream, keys }).await?;
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
        let page = Keys {
            stream,
            after,
            limit,
        };
        self.link.perform(&page).await
    }
}

/// Shows where it reads; no password.
impl fmt::Debug for PostgresReadback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresReadback")
            .field("settings", self.link.connector().settings())
            .finish_non_exhaustive()
    }
}

struct Fingerprints<'q> {
    stream: &'q Stream,
    keys: &'q [Key],
}

struct Keys<'q> {
    stream: &'q Stream,
    after: Option<&'q Key>,
    limit: usize,
}

const READ: &str = "read rows back";

#[async_trait]
impl Task for Fingerprints<'_> {
    type Answer = HashMap<String, u64>;
    const OPERATION: &'static str = READ;

    async fn perform(
        &self,
        client: &Client,
        connector: &Connector,
    ) -> Result<Self::Answer, Failure> {
        // No row has a key with a zero byte, and the server would not even take the question.
        let keys: Vec<&str> = self
            .keys
            .iter()
            .map(Key::as_str)
            .filter(|key| !key.contains('\0'))
            .collect();
        let select = format!(
            "SELECT \"{KEY}\", \"{RAW}\"::text FROM {} \
             WHERE \"{KEY}\" = ANY ($1) AND \"{DELETED_AT}\" IS NULL AND \"{RAW}\" IS NOT NULL",
            place(connector, self.stream)
        );
        let rows = client
            .query_typed(&select, &[(&keys, Type::TEXT_ARRAY)])
            .await;
        let mut found = HashMap::new();
        for row in or_none(rows)? {
            let raw: &str = row.try_get(1)?;
            found.insert(row.try_get(0)?, fingerprint(raw.as_bytes()));
        }
        Ok(found)
    }
}

#[async_trait]
impl Task for Keys<'_> {
    type Answer = Vec<Key>;
    const OPERATION: &'static str = READ;

    async fn perform(
        &self,
        client: &Client,
        connector: &Connector,
    ) -> Result<Self::Answer, Failure> {
        let after = self.after.map(Key::as_str);
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        // Two statements: with one for both, the server might not walk along the index.
        let beyond = match after {
            Some(_) => "\"_key\" > $2",
            None => "$2::text IS NULL",
        };
        let select = format!(
            "SELECT \"{KEY}\" FROM {} WHERE {beyond} AND \"{DELETED_AT}\" IS NULL \
             ORDER BY \"{KEY}\" COLLATE \"C\" LIMIT $1",
            place(connector, self.stream)
        );
        let rows = client
            .query_typed(&select, &[(&limit, Type::INT8), (&after, Type::TEXT)])
            .await;
        let mut keys = Vec::new();
        for row in or_none(rows)? {
            let key: &str = row.try_get(0)?;
            keys.push(Key::new(key));
        }
        Ok(keys)
    }
}

fn place(connector: &Connector, stream: &Stream) -> String {
    Place::new(&connector.settings().schema, Table::new(stream).name()).sql()
}

/// A table that was never made has no rows; nor has one in a schema that was never made.
fn or_none<R>(rows: Result<Vec<R>, tokio_postgres::Error>) -> Result<Vec<R>, Failure> {
    match rows {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        rows => Ok(rows?),
    }
}
