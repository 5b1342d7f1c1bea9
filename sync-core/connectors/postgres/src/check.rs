//! Whether writing would work.

use std::sync::Arc;

use async_trait::async_trait;
use sync_core::table::{KEY, RAW};
use sync_core::{Error, ErrorKind, Result};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::Failure;
use crate::link::{Link, Task};
use crate::session::Connector;

const CHECK: &str = "check postgres";

/// Oldest server that has all that the statements need.
const OLDEST: i32 = 120_000;

/// Asks for the rights that writing needs. Changes nothing.
pub(crate) async fn rights(connector: Arc<Connector>) -> Result<()> {
    Link::new(connector).perform_once(&Check).await
}

struct Check;

#[async_trait]
impl Task for Check {
    type Answer = ();
    const OPERATION: &'static str = CHECK;

    async fn perform(&self, client: &Client, connector: &Connector) -> Result<(), Failure> {
        ask(client, &connector.settings().schema).await
    }
}

async fn ask(client: &Client, schema: &str) -> Result<(), Failure> {
    let row = client
        .query_typed_one(
            "SELECT current_setting('server_version_num')::int, \
                    current_setting('server_encoding') = 'UTF8', \
                    has_database_privilege(current_database(), 'TEMPORARY'), \
                    has_database_privilege(current_database(), 'CREATE'), \
                    (SELECT has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE') \
                     FROM pg_catalog.pg_namespace WHERE nspname = $1)",
            &[(&schema, Type::TEXT)],
        )
        .await?;
    let version: i32 = row.try_get(0)?;
    let utf8: bool = row.try_get(1)?;
    let temporary: bool = row.try_get(2)?;
    let new_schema: bool = row.try_get(3)?;
    let in_schema: Option<bool> = row.try_get(4)?;
    let denied = |message: &'static str| Error::new(ErrorKind::Denied, CHECK, message);
    if version < OLDEST {
        let error = Error::new(
            ErrorKind::Config,
            CHECK,
            "the server is older than postgres 12",
        );
        return Err(error.with("version", version).into());
    }
    if !utf8 {
        let message = "the database cannot hold every character: make one with ENCODING 'UTF8'";
        return Err(Error::new(ErrorKind::Config, CHECK, message).into());
    }
    if !temporary {
        return Err(
            denied("the role may not make temporary tables: GRANT TEMPORARY ON DATABASE").into(),
        );
    }
    match in_schema {
        None if !new_schema => Err(denied(
            "the schema does not exist and the role may not make it: make it for the role, or GRANT CREATE ON DATABASE",
        )
        .with("schema", schema)
        .into()),
        Some(false) => Err(denied(
            "the role may not make tables in the schema: GRANT USAGE, CREATE ON SCHEMA",
        )
        .with("schema", schema)
        .into()),
        None => Ok(()),
        Some(true) => tables(client, schema).await,
    }
}

/// Whether the tables that are there can be written. Only their owner may add columns.
async fn tables(client: &Client, schema: &str) -> Result<(), Failure> {
    let row = client
        .query_typed_opt(
            "SELECT c.relname::text \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') \
             AND (SELECT count(*) FROM pg_catalog.pg_attribute a \
                  WHERE a.attrelid = c.oid AND a.attname IN ($2, $3)) = 2 \
             AND NOT (pg_has_role(c.relowner, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
                      AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')) \
             ORDER BY 1 LIMIT 1",
            &[(&schema, Type::TEXT), (&KEY, Type::NAME), (&RAW, Type::NAME)],
        )
        .await?;
    let Some(row) = row else {
        return Ok(());
    };
    let table: String = row.try_get(0)?;
    let message =
        "the role may not write a table, or add columns to it: ALTER TABLE … OWNER TO the role";
    Err(Error::new(ErrorKind::Denied, CHECK, message)
        .with("table", table)
        .into())
}
