//! Columns that must hold more.
//!
//! `SQLite` cannot change a column's type. The table is made anew beside itself, filled, and takes the old one's place: the
//! way that `SQLite`'s documentation of `ALTER TABLE` gives, all within the caller's transaction, so a crash leaves the
//! old table.

use rusqlite::Connection;
use sync_core::FieldType;
use sync_core::table::Column;

use crate::catalog::{columns, create_statement, definition, quote};
use crate::definition::{defines, definitions};

/// The new table while it is filled. No stream has a table of such a name.
const ANEW: &str = "_sync_rewrite";

/// Gives columns their types and converts what is stored, and adds columns. `retyped` comes with the type that a column had;
/// `None` for a column that somebody else made.
pub(crate) fn rewrite(
    connection: &Connection,
    table: &str,
    retyped: &[(&Column, Option<FieldType>)],
    added: &[&Column],
) -> rusqlite::Result<()> {
    let retyped_as = |name: &str| {
        retyped
            .iter()
            .find(|(column, _)| column.name.eq_ignore_ascii_case(name))
    };
    let create =
        create_statement(connection, table)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let definitions = definitions(&create).ok_or(rusqlite::Error::InvalidQuery)?;
    let mut anew: Vec<String> = definitions
        .into_iter()
        .map(|found| {
            let new = retyped
                .iter()
                .find(|(column, _)| defines(found, &column.name));
            new.map_or_else(|| found.to_owned(), |(column, _)| definition(column))
        })
        .collect();
    anew.extend(added.iter().map(|column| definition(column)));

    let mut into = Vec::new();
    let mut values = Vec::new();
    for found in columns(connection, table)? {
        if found.generated {
            continue;
        }
        let name = quote(&found.name);
        values.push(match retyped_as(&found.name) {
            Some((column, from)) => converted(&name, *from, column.holds),
            None => name.clone(),
        });
        into.push(name);
    }

    // What belongs to the table and goes with it.
    let belongings: Vec<String> = connection
        .prepare(
            "SELECT sql FROM sqlite_schema
             WHERE tbl_name = ?1 AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        )?
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;

    let (old, new) = (quote(table), quote(ANEW));
    connection.execute_batch(&format!(
        "CREATE TABLE {new} ({}\n);
         INSERT INTO {new} ({}) SELECT {} FROM {old};
         DROP TABLE {old};
         ALTER TABLE {new} RENAME TO {old};",
        anew.join(",\n"),
        into.join(", "),
        values.join(", "),
    ))?;
    for sql in belongings {
        connection.execute_batch(&sql)?;
    }
    Ok(())
}

/// The expression for a stored value in its new type.
fn converted(name: &str, from: Option<FieldType>, holds: FieldType) -> String {
    match (from, holds) {
        (Some(FieldType::Integer), FieldType::Number) => format!("CAST({name} AS REAL)"),
        (Some(FieldType::Date), FieldType::Timestamp) => format!("{name} || 'T00:00:00Z'"),
        (Some(FieldType::Boolean), FieldType::Text) => {
            format!("CASE {name} WHEN 0 THEN 'false' WHEN 1 THEN 'true' ELSE {name} END")
        }
        // As short as it can be written, and exact: SQLite by itself writes 15 digits.
        (Some(FieldType::Number), FieldType::Text) => format!(
            "CASE WHEN typeof({name}) <> 'real' OR CAST(CAST({name} AS TEXT) AS REAL) = {name}
             THEN CAST({name} AS TEXT) ELSE format('%!.17g', {name}) END"
        ),
        (Some(_), _) | (None, FieldType::Text) => format!("CAST({name} AS TEXT)"),
        // What somebody wrote there stays, if it could be a value of the field, until the row is written again.
        (None, holds) => {
            let fits = match holds {
                FieldType::Boolean => format!("{name} IN (0, 1)"),
                FieldType::Integer => format!("typeof({name}) = 'integer'"),
                FieldType::Number => format!("typeof({name}) IN ('integer', 'real')"),
                FieldType::Json => format!("json_valid({name})"),
                FieldType::Date => format!("date({name}) = {name}"),
                FieldType::Timestamp | FieldType::Text => {
                    format!("strftime('%Y-%m-%dT%H:%M:%SZ', {name}) = {name}")
                }
            };
            format!("CASE WHEN {fits} THEN {name} END")
        }
    }
}
