//! One table, and the rows on their way to it.

use std::sync::Arc;

use sync_core::table::{Row, Table};
use sync_core::{Rejection, Stream};

use crate::client::{MOST_SESSIONS, Statement};
use crate::error::{ClientError, Result};
use crate::identifier::Identifier;
use crate::rows::Rows;
use crate::settings::MOST_STATEMENT_BYTES;
use crate::sql;
use crate::warehouse::{Standing, Warehouse};

/// Staged rows, compressed, that are kept at most for the case that the session ends and takes the staging table with it.
const MOST_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// The table of one stream.
///
/// Rows gather here. What fits into one statement goes to the table in one `MERGE`; more is staged in a temporary table
/// first, statement by statement, and merged from there at once. Every statement may run twice.
pub(crate) struct Target {
    stream: Arc<Stream>,
    pub(crate) table: Table,
    name: Identifier,
    path: String,
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
    pub(crate) async fn open(warehouse: &Warehouse, stream: &Arc<Stream>) -> Result<Self> {
        let name = table_name(stream);
        let standing = warehouse.adopt(&name).await?;
        let (table, _) = Table::adopt(stream, standing.columns());
        Ok(Self {
            stream: stream.clone(),
            table,
            path: warehouse.path(&name),
            staging: Identifier::folded(&format!("{}$STAGING", name.as_str())),
            name,
            standing,
            rows: Rows::default(),
            staged: Vec::new(),
            staged_in: None,
        })
    }

    /// Takes up the fields of a stream that declares others than the one before.
    pub(crate) fn declare(&mut self, stream: &Arc<Stream>) {
        if !Arc::ptr_eq(&self.stream, stream) && self.stream != *stream {
            (self.table, _) = Table::adopt(stream, self.table.columns().to_vec());
        }
        self.stream = stream.clone();
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
        warehouse: &mut Warehouse,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.stage(warehouse, rows, rejected).await
    }

    /// Brings rows into the staging table.
    pub(crate) async fn stage(
        &mut self,
        warehouse: &mut Warehouse,
        rows: Rows,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        warehouse.ensure_schema().await?;
        let sql = sql::stage(&self.staging);
        let mut parts = vec![rows];
        while let Some(rows) = parts.pop() {
            if rows.is_empty() {
                continue;
            }
            let statement = zipped(&sql, &rows).await;
            match self.insert(warehouse, &statement).await {
                Ok(()) => self.staged.push(statement),
                Err(error) if error.is_about_rows() => halve(rows, &error, &mut parts, rejected),
                Err(error) => return Err(error),
            }
        }
        if self.staged.iter().map(Statement::bytes).sum::<usize>() > MOST_KEPT_BYTES {
            self.merge_staged(warehouse).await?;
        }
        Ok(())
    }

    /// Brings all rows into the table.
    pub(crate) async fn flush(
        &mut self,
        warehouse: &mut Warehouse,
        rejected: &mut Vec<Rejection>,
    ) -> Result<()> {
        if !self.staged.is_empty() {
            self.stage_waiting(warehouse, rejected).await?;
            return self.merge_staged(warehouse).await;
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        self.bring_up(warehouse).await?;
        let sql = sql::merge(&self.path, self.table.columns(), sql::Rows::Bound);
        let mut parts = vec![std::mem::take(&mut self.rows)];
        while let Some(rows) = parts.pop() {
            if rows.is_empty() {
                continue;
            }
            let statement = zipped(&sql, &rows).await;
            match warehouse.client.run_anywhere(&statement).await {
                Ok(_) => {}
                Err(error) if error.is_about_rows() => halve(rows, &error, &mut parts, rejected),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn merge_staged(&mut self, warehouse: &mut Warehouse) -> Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        self.bring_up(warehouse).await?;
        let rows = sql::Rows::Staged(&self.staging);
        let merge = Statement::new(&sql::merge(&self.path, self.table.columns(), rows), &[]);
        self.in_staging(warehouse, &merge).await?;
        // Nothing is lost if this fails: the table ends with the session, and the next staging replaces it.
        let drop = format!("DROP TABLE IF EXISTS {}", self.staging);
        let _ = warehouse.client.run(&Statement::new(&drop, &[])).await;
        self.staged.clear();
        self.staged_in = None;
        Ok(())
    }

    async fn insert(&mut self, warehouse: &Warehouse, statement: &Statement) -> Result<()> {
        self.in_staging(warehouse, statement).await
    }

    /// Runs a statement in a session whose staging table holds everything that was staged.
    async fn in_staging(&mut self, warehouse: &Warehouse, statement: &Statement) -> Result<()> {
        for _ in 0..MOST_SESSIONS {
            let ran = match self.restage(warehouse).await {
                Ok(()) => warehouse.client.run(statement).await.map(|_| ()),
                Err(error) => Err(error),
            };
            match ran {
                Err(ClientError::SessionLost) => self.staged_in = None,
                other => return other,
            }
        }
        Err(ClientError::SessionLost)
    }

    async fn restage(&mut self, warehouse: &Warehouse) -> Result<()> {
        let client = &warehouse.client;
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

    async fn bring_up(&mut self, warehouse: &mut Warehouse) -> Result<()> {
        warehouse
            .bring_up(&self.name, &mut self.standing, &self.table)
            .await
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
