//! One table, and the rows on their way to it.

use std::sync::Arc;

use sync_core::table::{Column, Row, Table};
use sync_core::{Rejection, Stream};

use crate::client::{MOST_SESSIONS, Statement};
use crate::error::{ClientError, Result};
use crate::identifier::Identifier;
use crate::rows::Rows;
use crate::schema::{Schema, Standing, Turn, Turns};
use crate::settings::MOST_STATEMENT_BYTES;
use crate::sql;

/// Staged rows, compressed, that are kept at most for the case that the session ends and takes the staging table with it.
const MOST_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Records that Snowflake may refuse between two flushes. More of them are no matter of records, but of the table.
const MOST_REJECTED: usize = 50;

/// The table of one stream.
///
/// Rows gather here. What fits into one statement goes to the table in one `MERGE`; more is staged in a temporary table
/// first, statement by statement, and merged from there at once. Every statement may run twice.
pub(crate) struct Target {
    stream: Arc<Stream>,
    pub(crate) table: Table,
    name: Identifier,
    path: String,
    turn: Turn,
    /// How often the table had been changed when `standing` was learned.
    seen: u64,
    standing: Standing,
    /// Not sent yet.
    rows: Rows,
    staging: Identifier,
    staged: Vec<Statement>,
    /// The session that has the staging table with all staged rows.
    staged_in: Option<u64>,
}

impl Target {
    /// The table of a stream, as it is at Snowflake now.
    pub(crate) async fn open(schema: &Schema, turns: &Turns, stream: &Arc<Stream>) -> Result<Self> {
        let name = table_name(stream);
        let turn = turns.of(&name);
        let changes = turn.lock().await;
        let standing = schema.adopt(&name).await?;
        let seen = *changes;
        drop(changes);
        let (table, _) = Table::adopt(stream, standing.columns());
        Ok(Self {
            stream: stream.clone(),
            table,
            path: schema.path(&name),
            staging: Identifier::folded(&format!("{}$STAGING", name.as_str())),
            name,
            turn,
            seen,
            standing,
            rows: Rows::default(),
            staged: Vec::new(),
            staged_in: None,
        })
    }

    /// Takes up the fields of a stream that declares others than the one before.
    pub(crate) async fn declare(
        &mut self,
        schema: &mut Schema,
        stream: &Arc<Stream>,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        if !Arc::ptr_eq(&self.stream, stream) && self.stream != *stream {
            // The rows that wait have their values in the order of the columns as they were.
            self.flush(schema, rejected).await?;
            (self.table, _) = Table::adopt(stream, self.table.columns().to_vec());
        }
        self.stream = stream.clone();
        Ok(())
    }

    /// Bytes of the rows that were not sent yet.
    pub(crate) fn waiting(&self) -> usize {
        if self.rows.is_empty() {
            0
        } else {
            self.rows.bytes()
        }
    }

    /// Takes a row. If it does not fit into one statement with those before it, those are given back, to be staged first.
    pub(crate) fn push(
        &mut self,
        number: u64,
        row: &Row<'_>,
        limit: usize,
    ) -> Result<Option<Rows>, Rejection> {
        let rejected = |reason: &str| Rejection {
            key: row.record.key.clone(),
            reason: reason.to_owned(),
        };
        self.rows.push(number, row).map_err(rejected)?;
        if self.rows.bytes() <= limit {
            return Ok(None);
        }
        self.rows.pop();
        let full = std::mem::take(&mut self.rows);
        self.rows.push(number, row).map_err(rejected)?;
        if self.rows.bytes() > MOST_STATEMENT_BYTES {
            self.rows = full;
            return Err(rejected(
                "the record with its columns is larger than the 16 MiB that a VARIANT holds",
            ));
        }
        Ok((!full.is_empty()).then_some(full))
    }

    /// Stages the rows that wait.
    pub(crate) async fn stage_waiting(
        &mut self,
        schema: &mut Schema,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.stage(schema, rows, rejected).await
    }

    /// Brings rows into the staging table.
    pub(crate) async fn stage(
        &mut self,
        schema: &mut Schema,
        rows: Rows,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        schema.ensure().await?;
        let sql = sql::stage(&self.staging);
        let mut parts = vec![rows];
        while let Some(rows) = parts.pop() {
            if rows.is_empty() {
                continue;
            }
            let statement = zipped(&sql, &rows).await;
            match self.in_staging(schema, &statement).await {
                Ok(()) => self.staged.push(statement),
                Err(error) if error.is_about_rows() && rejected.len() < MOST_REJECTED => {
                    halve(rows, &error, &mut parts, rejected);
                }
                Err(error) => return Err(error),
            }
        }
        if self.staged.iter().map(Statement::bytes).sum::<usize>() > MOST_KEPT_BYTES {
            self.merge_staged(schema).await?;
        }
        Ok(())
    }

    /// Brings all rows into the table.
    pub(crate) async fn flush(
        &mut self,
        schema: &mut Schema,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        if !self.staged.is_empty() {
            self.stage_waiting(schema, rejected).await?;
            return self.merge_staged(schema).await;
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        let turn = self.turn.clone();
        let mut changes = turn.lock().await;
        let columns = self.bring_up(schema, &mut changes).await?;
        let sql = sql::merge(&self.path, &columns, sql::RowsFrom::Bound);
        let mut parts = vec![std::mem::take(&mut self.rows)];
        while let Some(rows) = parts.pop() {
            if rows.is_empty() {
                continue;
            }
            let statement = zipped(&sql, &rows).await;
            match schema.client.run_anywhere(&statement).await {
                Ok(_) => {}
                Err(error) if error.is_about_rows() && rejected.len() < MOST_REJECTED => {
                    halve(rows, &error, &mut parts, rejected);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn merge_staged(&mut self, schema: &mut Schema) -> Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let turn = self.turn.clone();
        let mut changes = turn.lock().await;
        let columns = self.bring_up(schema, &mut changes).await?;
        let rows = sql::RowsFrom::Staged(&self.staging);
        let merge = Statement::new(&sql::merge(&self.path, &columns, rows), &[]);
        self.in_staging(schema, &merge).await?;
        // Nothing is lost if this fails: the table ends with the session, and the next staging replaces it.
        let drop = format!("DROP TABLE IF EXISTS {}", self.staging);
        let _ = schema.client.run(&Statement::new(&drop, &[])).await;
        self.staged.clear();
        self.staged_in = None;
        Ok(())
    }

    /// Runs a statement in a session whose staging table holds everything that was staged.
    async fn in_staging(&mut self, schema: &Schema, statement: &Statement) -> Result<()> {
        for _ in 0..MOST_SESSIONS {
            let ran = match self.restage(schema).await {
                Ok(()) => schema.client.run(statement).await.map(|_| ()),
                Err(error) => Err(error),
            };
            match ran {
                Err(ClientError::SessionLost) => self.staged_in = None,
                other => return other,
            }
        }
        Err(ClientError::SessionLost)
    }

    async fn restage(&mut self, schema: &Schema) -> Result<()> {
        let client = &schema.client;
        let session = client.session_number().await?;
        if self.staged_in == Some(session) {
            return Ok(());
        }
        let create = Statement::new(&sql::create_staging(&self.staging), &[]);
        client.run(&create).await?;
        for statement in &self.staged {
            client.run(statement).await?;
        }
        self.staged_in = Some(session);
        Ok(())
    }

    /// Makes the table hold the rows, and gives its columns in the order of their values.
    async fn bring_up(&mut self, schema: &mut Schema, changes: &mut u64) -> Result<Vec<Column>> {
        if self.seen != *changes {
            self.standing = schema.adopt(&self.name).await?;
        }
        let columns = self.table.columns();
        match schema
            .bring_up(&self.name, &mut self.standing, columns)
            .await
        {
            Ok(false) => {}
            Ok(true) => *changes += 1,
            Err(error) => {
                // What became of it, the next one has to look at.
                *changes += 1;
                return Err(error);
            }
        }
        self.seen = *changes;
        Ok(self.standing.widened(columns))
    }
}

/// The table of a stream.
pub(crate) fn table_name(stream: &Stream) -> Identifier {
    Identifier::folded(Table::new(stream).name())
}

/// A statement with rows as its bound text, compressed on a thread of its own.
async fn zipped(sql: &str, rows: &Rows) -> Statement {
    let json = rows.to_json();
    let text = sql.to_owned();
    let zip = tokio::task::spawn_blocking(move || Statement::new(&text, &[&json]));
    match zip.await {
        Ok(statement) => statement,
        // The runtime is going down and takes no more work.
        Err(_) => Statement::new(sql, &[&rows.to_json()]),
    }
}

/// Takes rows apart that Snowflake refused together; a single one is rejected.
fn halve(rows: Rows, error: &ClientError, parts: &mut Vec<Rows>, rejected: &mut Vec<Rejection>) {
    if rows.len() > 1 {
        let (first, second) = rows.halves();
        // What was written first is sent first: the last row of a key must win.
        parts.extend([second, first]);
    } else if let Some(key) = rows.first_key() {
        let reason = match error {
            ClientError::Sql { code, .. } => {
                format!("snowflake cannot read a value of this record (code {code})")
            }
            _ => "the record is larger than snowflake takes in one statement".to_owned(),
        };
        rejected.push(Rejection {
            key: key.clone(),
            reason,
        });
    }
}
