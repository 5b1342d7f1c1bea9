//! Views for analytics; the [crate] lists them.
//!
//! A view has the same columns of the same types whatever the tables have: what is missing, or cannot be read as that type,
//! is null. So it can be replaced in place, with its grants and with the views that others made upon it. It is made only of
//! tables that are there, and made again when columns have appeared that it could use.

mod column;

use std::collections::HashMap;

use async_trait::async_trait;
use sync_core::table::{Slot, View};
use sync_core::{FieldType, fingerprint};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::catalog::{Place, quoted};
use crate::error::Failure;
use crate::link::Task;
use crate::session::Connector;

/// Begins the comment of each of our views, so that one that somebody else made is not taken for ours. What its statement
/// was follows as a fingerprint.
const MARK: &str = "Made by sync-postgres, which makes it again when columns appear.";

const VIEWS: [View; 4] = [
    View {
        name: "contact",
        of: &["members"],
        tables: &[("m", "members"), ("l", "lists"), ("e", "email_activity")],
        template: include_str!("views/contact.sql"),
    },
    View {
        name: "campaign",
        of: &["campaigns"],
        tables: &[("c", "campaigns"), ("r", "reports")],
        template: include_str!("views/campaign.sql"),
    },
    View {
        name: "engagement",
        of: &["email_activity"],
        tables: &[
            ("e", "email_activity"),
            ("s", "sent_to"),
            ("c", "campaigns"),
        ],
        template: include_str!("views/engagement.sql"),
    },
    View {
        name: "audience_growth",
        of: &["list_activity", "growth_history"],
        tables: &[
            ("d", "list_activity"),
            ("g", "growth_history"),
            ("l", "lists"),
        ],
        template: include_str!("views/audience_growth.sql"),
    },
];

/// What the tables have: for each that is there, its columns.
type Tables = HashMap<&'static str, HashMap<String, FieldType>>;

/// Makes views and makes them again, and names those of ours that are there afterwards.
pub(crate) struct CreateViews;

#[async_trait]
impl Task for CreateViews {
    type Answer = Vec<String>;
    const OPERATION: &'static str = "make views";

    async fn perform(
        &self,
        client: &Client,
        connector: &Connector,
    ) -> Result<Vec<String>, Failure> {
        client.batch_execute(&connector.begin()).await?;
        let all = VIEWS.map(|view| view.name);
        let made = create(client, &connector.settings().schema, &all).await?;
        client.batch_execute("COMMIT").await?;
        Ok(made)
    }
}

/// Takes the table out of our views, so that its columns can change, and names these views. [`create`] puts it in again.
pub(crate) async fn detach(client: &Client, place: &Place) -> Result<Vec<String>, Failure> {
    let views = client
        .query_typed(
            "SELECT c.relname::text, c.oid::regclass::text, \
                    (SELECT string_agg(format('NULL::%s AS %I', format_type(a.atttypid, a.atttypmod), a.attname), ', ' \
                                       ORDER BY a.attnum) \
                     FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) \
             FROM pg_catalog.pg_class c \
             WHERE c.relkind = 'v' AND starts_with(obj_description(c.oid, 'pg_class'), $2) \
             AND EXISTS (SELECT FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.objid = r.oid \
                         WHERE r.ev_class = c.oid AND d.classid = 'pg_rewrite'::regclass \
                         AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::text::regclass)",
            &[(&place.sql(), Type::TEXT), (&MARK, Type::TEXT)],
        )
        .await?;
    let mut detached = Vec::new();
    for row in views {
        let view: String = row.try_get(1)?;
        let nulls: String = row.try_get(2)?;
        // Without its fingerprint it counts as out of date.
        client
            .batch_execute(&format!(
                "CREATE OR REPLACE VIEW {view} AS SELECT {nulls}; COMMENT ON VIEW {view} IS '{MARK}'"
            ))
            .await?;
        detached.push(row.try_get(0)?);
    }
    Ok(detached)
}

/// Makes those of these views that can be made, in the transaction that is open, and names those of ours that are there.
pub(crate) async fn create(
    client: &Client,
    schema: &str,
    wanted: &[impl AsRef<str> + Sync],
) -> Result<Vec<String>, Failure> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let lock = fingerprint(format!("sync-postgres\0{schema}").as_bytes()).cast_signed();
    client
        .batch_execute(&format!("SELECT pg_catalog.pg_advisory_xact_lock({lock})"))
        .await?;
    let mut tables = Tables::new();
    for (_, table) in VIEWS.iter().flat_map(|view| view.tables) {
        if !tables.contains_key(table)
            && let Some(found) = Place::new(schema, table).find(client).await?
        {
            let columns = found.columns.into_iter();
            tables.insert(
                table,
                columns.map(|column| (column.name, column.holds)).collect(),
            );
        }
    }
    let mut made = Vec::new();
    let wanted = |view: &&View| wanted.iter().any(|name| name.as_ref() == view.name);
    for view in VIEWS.iter().filter(wanted) {
        let Some(select) = query(view, schema, &tables) else {
            continue;
        };
        let comment = format!("{MARK} {:016x}", fingerprint(select.as_bytes()));
        match found_comment(client, schema, view.name).await? {
            Some(found) if found == comment => {}
            Some(found) if !found.starts_with(MARK) => continue,
            found => {
                let exists = found.is_some();
                replace(client, schema, view.name, &select, &comment, exists).await?;
            }
        }
        made.push(view.name.to_owned());
    }
    Ok(made)
}

/// The comment of whatever has this name; empty if it has none.
async fn found_comment(
    client: &Client,
    schema: &str,
    name: &str,
) -> Result<Option<String>, Failure> {
    let row = client
        .query_typed_opt(
            "SELECT CASE c.relkind WHEN 'v' THEN coalesce(obj_description(c.oid, 'pg_class'), '') ELSE '' END \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = $2",
            &[(&schema, Type::TEXT), (&name, Type::TEXT)],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn replace(
    client: &Client,
    schema: &str,
    name: &str,
    select: &str,
    comment: &str,
    exists: bool,
) -> Result<(), Failure> {
    let view = format!("{}.{}", quoted(schema), quoted(name));
    let replace = format!("SAVEPOINT view; CREATE OR REPLACE VIEW {view} AS {select}");
    match client.batch_execute(&replace).await {
        // Made by a version that gave it other columns.
        Err(error) if exists && error.code() == Some(&SqlState::INVALID_TABLE_DEFINITION) => {
            let anew = format!(
                "ROLLBACK TO SAVEPOINT view; DROP VIEW {view}; CREATE VIEW {view} AS {select}"
            );
            client.batch_execute(&anew).await?;
        }
        replaced => replaced?,
    }
    let mark = format!("COMMENT ON VIEW {view} IS '{comment}'");
    Ok(client.batch_execute(&mark).await?)
}

/// The query, with the tables and columns that are there; `None` if nothing could be shown.
fn query(view: &View, schema: &str, tables: &Tables) -> Option<String> {
    let fill = |slot: Slot<'_>| match slot {
        Slot::Table(name) => Place::new(schema, name).sql(),
        Slot::Column {
            alias,
            table,
            name,
            wanted,
        } => {
            let holds = tables.get(table).and_then(|columns| columns.get(&name));
            column::read_as(alias, &name, holds.copied(), wanted)
        }
    };
    view.query(|table| tables.contains_key(table), fill)
}
