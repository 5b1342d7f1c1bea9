//! Views for analytics.
//!
//! A view has the same columns whatever the tables have: what is missing is null. It is made only of tables that are there,
//! and made again when columns have appeared that it could use.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sync_core::table::column_name;

use crate::catalog::{columns, quote, table_exists};

/// Stands in each of our views, so that one that somebody else made is not taken for ours.
const MARK: &str = "-- Made by the importer, which makes it again when columns appear.";

/// A view as a template of its statement.
///
/// `{m.stats.open_rate}` is the column of that path in the table that `m` stands for, or `NULL` if there is none. A line
/// that begins with `?lists` is there if that table is, one with `!lists` if it is not; of several tables, joined by `,`,
/// all must be there.
struct View {
    name: &'static str,
    /// Made if one of these is there.
    of: &'static [&'static str],
    /// What the letters stand for.
    tables: &'static [(&'static str, &'static str)],
    template: &'static str,
}

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
        let wanted = view
            .statement(&transaction)?
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

impl View {
    /// The query, with the tables and columns that are there; `None` if nothing could be shown.
    fn statement(&self, connection: &Connection) -> rusqlite::Result<Option<String>> {
        let mut there: HashMap<&str, HashSet<String>> = HashMap::new();
        for (_, table) in self.tables {
            if table_exists(connection, table)? {
                let columns = columns(connection, table)?.into_iter();
                there.insert(table, columns.map(|column| column.name).collect());
            }
        }
        if !self.of.iter().any(|table| there.contains_key(table)) {
            return Ok(None);
        }
        let exist = |tables: &str| tables.split(',').all(|table| there.contains_key(table));
        let lines = self.template.lines().filter_map(|line| {
            let condition = line.trim_start();
            if let Some((tables, line)) = condition
                .strip_prefix('?')
                .and_then(|rest| rest.split_once(' '))
            {
                exist(tables).then_some(line)
            } else if let Some((tables, line)) = condition
                .strip_prefix('!')
                .and_then(|rest| rest.split_once(' '))
            {
                (!exist(tables)).then_some(line)
            } else {
                Some(line)
            }
        });
        let lines: Vec<String> = lines.map(|line| self.filled(line, &there)).collect();
        Ok(Some(lines.join("\n")))
    }

    /// The line with columns in place of paths.
    fn filled(&self, line: &str, there: &HashMap<&str, HashSet<String>>) -> String {
        let mut filled = String::new();
        let mut rest = line;
        while let Some((before, (path, after))) = rest
            .split_once('{')
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            filled.push_str(before);
            filled.push_str(
                &self
                    .column(path, there)
                    .unwrap_or_else(|| "NULL".to_owned()),
            );
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn column(&self, path: &str, there: &HashMap<&str, HashSet<String>>) -> Option<String> {
        let (letter, path) = path.split_once('.')?;
        let (_, table) = self.tables.iter().find(|(known, _)| *known == letter)?;
        let column = column_name(path.split('.'));
        let known = there.get(table)?.contains(&column);
        known.then(|| format!("{letter}.{}", quote(&column)))
    }
}
