//! Views for analytics.
//!
//! A view has the same columns whatever the tables have: what is missing is null. It is made only of tables that are there,
//! and made again when columns have appeared that it could use.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sync_core::table::{Slot, View};

use crate::catalog::{columns, quote, table_exists};

/// Stands in each of our views, so that one that somebody else made is not taken for ours.
const MARK: &str = "-- Made by the importer, which makes it again when columns appear.";

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

/// Makes, makes again and drops views, and names those of ours that are there afterwards.
pub(crate) fn create(connection: &mut Connection) -> rusqlite::Result<Vec<String>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut made = Vec::new();
    for view in &VIEWS {
        let name = quote(view.name);
        let found: Option<String> = transaction
            .query_row(
                "SELECT coalesce(sql, '') FROM sqlite_schema WHERE name = ?1",
                [view.name],
                |row| row.get(0),
            )
            .optional()?;
        if found.as_ref().is_some_and(|sql| !sql.contains(MARK)) {
            continue;
        }
        let wanted = query(view, &transaction)?
            .map(|select| format!("CREATE VIEW {name} AS\n{MARK}\n{select}"));
        if wanted != found {
            transaction.execute_batch(&format!("DROP VIEW IF EXISTS {name}"))?;
            if let Some(create) = &wanted {
                transaction.execute_batch(create)?;
            }
        }
        if wanted.is_some() {
            made.push(view.name.to_owned());
        }
    }
    transaction.commit()?;
    Ok(made)
}

/// The query, with the tables and columns that are there; `None` if nothing could be shown.
fn query(view: &View, connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut there: HashMap<&str, HashSet<String>> = HashMap::new();
    for (_, table) in view.tables {
        if table_exists(connection, table)? {
            let columns = columns(connection, table)?.into_iter();
            there.insert(table, columns.map(|column| column.name).collect());
        }
    }
    let fill = |slot: Slot<'_>| match slot {
        Slot::Table(name) => quote(name),
        // A column holds values of any type here.
        Slot::Column {
            alias, table, name, ..
        } => {
            let known = there.get(table);
            if known.is_some_and(|columns| columns.contains(&name)) {
                format!("{alias}.{}", quote(&name))
            } else {
                "NULL".to_owned()
            }
        }
    };
    Ok(view.query(|table| there.contains_key(table), fill))
}
