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

use sync_core::table::{Column, Slot, View};
use sync_core::{FieldType, fingerprint};

use crate::client::Statement;
use crate::error::Result;
use crate::identifier::Identifier;
use crate::schema::Schema;
use crate::sql::{column_type, widened_value};

/// A part of each of our views, so that one that somebody else made is not taken for ours. It stands in the query and not in
/// a comment, which is not kept everywhere.
const MARK: &str = "MADE_BY_SYNC_SNOWFLAKE";

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
        let Some(select) = query(view, schema, &tables) else {
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

/// The query, with the tables and columns that are there; `None` if nothing could be shown.
fn query(view: &View, schema: &Schema, tables: &Tables) -> Option<String> {
    let fill = |slot: Slot<'_>| match slot {
        Slot::Table(name) => schema.path(&Identifier::folded(name)),
        Slot::Column {
            alias,
            table,
            name,
            wanted,
        } => {
            let mut columns = tables.get(table).into_iter().flatten();
            let known = columns.find(|column| column.name == name);
            let column = format!("{alias}.{}", Identifier::folded(&name));
            read_as(&column, known.map(|column| column.holds), wanted)
        }
    };
    view.query(|table| tables.contains_key(table), fill)
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
