//! Views for analytics.
//!
//! | view | one row for |
//! | --- | --- |
//! | `CONTACT` | each member that exists: who, in which state, how engaged, with which tags |
//! | `CAMPAIGN` | each campaign that exists: what, when, to whom, and the figures of its report |
//! | `ENGAGEMENT` | each member and campaign: what came of the e-mail |
//! | `AUDIENCE_GROWTH` | each audience and day, and each audience and month: who came and who left |
//!
//! A view has the same columns of the same types whatever the tables have: what is missing, or cannot be read as that type,
//! is null. It is made only of tables that are there, and made again when columns have appeared that it could use.

use std::collections::HashMap;

use sync_core::table::{Column, column_name};
use sync_core::{FieldType, fingerprint};

use crate::client::Statement;
use crate::error::Result;
use crate::identifier::Identifier;
use crate::schema::Schema;
use crate::sql::{column_type, widened_value};

/// A part of each of our views, so that one that somebody else made is not taken for ours. It stands in the query and not in
/// a comment, which is not kept everywhere.
const MARK: &str = "MADE_BY_SYNC_SNOWFLAKE";

/// A view as a template of its statement.
///
/// `{members}` is that table. `{m.stats.open_rate number}` is the column of that path, read as that type, in the table that
/// `m` stands for; text if no type is said. A line that begins with `?lists` is there if that table is, one with `!lists` if
/// it is not; of several tables, joined by `,`, all must be there.
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

/// The tables that are there, with their columns.
type Tables = HashMap<&'static str, Vec<Column>>;

/// Makes views and makes them again, and names those of ours that are there afterwards.
pub(crate) async fn create(schema: &Schema) -> Result<Vec<String>> {
    let mut tables = Tables::new();
    for (_, table) in VIEWS.iter().flat_map(|view| view.tables) {
        if !tables.contains_key(table) {
            let standing = schema.describe(&Identifier::folded(table)).await?;
            if standing.exists() {
                tables.insert(table, standing.columns());
            }
        }
    }
    let mut made = Vec::new();
    for view in &VIEWS {
        let Some(select) = view.statement(schema, &tables) else {
            continue;
        };
        let name = Identifier::folded(view.name);
        let version = format!("{:016x}", fingerprint(select.as_bytes()));
        let found = schema.view_definition(&name).await?;
        match found {
            Some(found) if !found.contains(MARK) => continue,
            Some(found) if found.contains(&version) => {}
            None if schema.describe(&name).await?.exists() => continue,
            _ => {
                let create = format!(
                    "CREATE OR REPLACE VIEW {} COPY GRANTS AS \
                     WITH {MARK} AS (SELECT '{version}' AS VERSION) SELECT * FROM (\n{select}\n)",
                    schema.path(&name)
                );
                schema
                    .client
                    .run_anywhere(&Statement::new(&create, &[]))
                    .await?;
            }
        }
        made.push(name.as_str().to_owned());
    }
    Ok(made)
}

impl View {
    /// The query, with the tables and columns that are there; `None` if nothing could be shown.
    fn statement(&self, schema: &Schema, tables: &Tables) -> Option<String> {
        let exist = |names: &str| names.split(',').all(|name| tables.contains_key(name));
        if !self.of.iter().any(|table| tables.contains_key(table)) {
            return None;
        }
        let lines = self.template.lines().filter_map(|line| {
            let conditional = |mark: char| line.strip_prefix(mark)?.split_once(' ');
            match (conditional('?'), conditional('!')) {
                (Some((names, line)), _) => exist(names).then_some(line),
                (_, Some((names, line))) => (!exist(names)).then_some(line),
                (None, None) => Some(line),
            }
        });
        let lines: Vec<String> = lines
            .map(|line| self.filled(line, schema, tables))
            .collect();
        Some(lines.join("\n"))
    }

    /// The line with tables and columns in place of `{…}`.
    fn filled(&self, line: &str, schema: &Schema, tables: &Tables) -> String {
        let mut filled = String::new();
        let mut rest = line;
        while let Some((before, (slot, after))) = rest
            .split_once('{')
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            filled.push_str(before);
            filled.push_str(&self.slot(slot, schema, tables));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn slot(&self, slot: &str, schema: &Schema, tables: &Tables) -> String {
        let Some((letter, path)) = slot.split_once('.') else {
            return schema.path(&Identifier::folded(slot));
        };
        let (path, kind) = path.split_once(' ').unwrap_or((path, "text"));
        let name = column_name(path.split('.'));
        let table = self.tables.iter().find(|(known, _)| *known == letter);
        let holds = table
            .and_then(|(_, table)| tables.get(table))
            .and_then(|columns| columns.iter().find(|column| column.name == name))
            .map(|column| column.holds);
        let column = format!("{letter}.{}", Identifier::folded(&name));
        read_as(&column, holds, kind_of(kind))
    }
}

/// The type of this name.
fn kind_of(name: &str) -> FieldType {
    match name {
        "boolean" => FieldType::Boolean,
        "integer" => FieldType::Integer,
        "number" => FieldType::Number,
        "date" => FieldType::Date,
        "timestamp" => FieldType::Timestamp,
        "json" => FieldType::Json,
        _ => FieldType::Text,
    }
}

/// A column that holds `holds`, as `wanted`; null where that cannot be, and everywhere if there is no such column. Never an
/// error, whatever is in the column.
fn read_as(column: &str, holds: Option<FieldType>, wanted: FieldType) -> String {
    use FieldType::{Boolean, Date, Integer, Json, Number, Text, Timestamp};
    let kind = column_type(wanted);
    match (holds, wanted) {
        (Some(holds), _) if holds == wanted => column.to_owned(),
        (Some(holds), Text) => widened_value(column, holds, Text),
        (Some(Integer), Number) => format!("{column}::{kind}"),
        (Some(Number), Integer) => format!("IFF(ABS({column}) < 1e18, {column}::{kind}, NULL)"),
        (Some(Integer | Number), Boolean) => format!("({column} <> 0)"),
        (Some(Boolean), Integer | Number) => format!("{column}::NUMBER(38,0)::{kind}"),
        // By way of text: a cast would take the day in the time zone of whoever asks.
        (Some(Date), Timestamp) => {
            format!("(TO_VARCHAR({column}, 'YYYY-MM-DD') || 'T00:00:00+00:00')::{kind}")
        }
        (Some(Timestamp), Date) => format!("CONVERT_TIMEZONE('UTC', {column})::{kind}"),
        (Some(Text), Json) => format!("TRY_PARSE_JSON({column})"),
        (Some(Text), _) => format!("TRY_CAST({column} AS {kind})"),
        (Some(Json), _) => format!("TRY_CAST({column}::VARCHAR AS {kind})"),
        _ => format!("NULL::{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_there_is_a_typed_null() {
        assert_eq!(
            read_as("m.\"VIP\"", None, FieldType::Boolean),
            "NULL::BOOLEAN"
        );
        let same = read_as("m.\"VIP\"", Some(FieldType::Boolean), FieldType::Boolean);
        assert_eq!(same, "m.\"VIP\"");
        let wider = read_as("m.\"VIP\"", Some(FieldType::Text), FieldType::Boolean);
        assert_eq!(wider, "TRY_CAST(m.\"VIP\" AS BOOLEAN)");
    }
}
