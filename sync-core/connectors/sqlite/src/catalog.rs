//! Which tables and columns there are, and the statements that make them.

use rusqlite::{Connection, OptionalExtension};
use sync_core::table::{Alteration, Column, DELETED_AT, KEY, RAW, SYNCED_AT, Table};
use sync_core::{FieldType, Stream};

use crate::retype;

/// What stands in the way of writing to a table.
pub(crate) enum Problem {
    Sqlite(rusqlite::Error),
    /// The table is there and was not made by a sink.
    Foreign {
        table: String,
    },
}

impl From<rusqlite::Error> for Problem {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

/// A name for a statement.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The type that a column is declared with. It decides what `SQLite` does to a value on its way in: `TEXT` leaves text
/// alone, and the others turn only text into numbers that none of their values looks like.
pub(crate) fn declared_type(holds: FieldType) -> &'static str {
    match holds {
        FieldType::Boolean => "BOOLEAN",
        FieldType::Integer => "INTEGER",
        FieldType::Number => "REAL",
        FieldType::Date => "DATE",
        FieldType::Timestamp => "TIMESTAMP",
        FieldType::Text => "TEXT",
        // JSON alone would turn the text 1.50 into a number.
        FieldType::Json => "JSON TEXT",
    }
}

/// What a column of this type holds; `None` if no sink declares such a type.
pub(crate) fn holds(declared: &str) -> Option<FieldType> {
    [
        FieldType::Boolean,
        FieldType::Integer,
        FieldType::Number,
        FieldType::Date,
        FieldType::Timestamp,
        FieldType::Text,
        FieldType::Json,
    ]
    .into_iter()
    .find(|holds| declared.eq_ignore_ascii_case(declared_type(*holds)))
}

/// A column as it stands in the file.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) declared: String,
    /// Computed from others, so nothing can be written to it.
    pub(crate) generated: bool,
}

/// The columns of a table, also of one that is not there: none.
pub(crate) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Found>> {
    let mut statement = connection
        .prepare_cached("SELECT name, type, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let rows = statement.query_map([table], |row| {
        Ok(Found {
            name: row.get(0)?,
            declared: row.get(1)?,
            generated: row.get::<_, i64>(2)? != 0,
        })
    })?;
    rows.collect()
}

pub(crate) fn table_exists(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    statement.exists([table])
}

/// The table of a stream, made if it is not there.
pub(crate) fn open_table(connection: &Connection, stream: &Stream) -> Result<Table, Problem> {
    let table = Table::new(stream);
    let found = columns(connection, table.name())?;
    if found.is_empty() {
        create(connection, &table)?;
        return Ok(table);
    }
    for needed in [KEY, RAW, SYNCED_AT, DELETED_AT] {
        if !found.iter().any(|column| column.name == needed) {
            return Err(Problem::Foreign {
                table: table.name().to_owned(),
            });
        }
    }
    let mut adopted = Vec::new();
    // Columns of ours whose type somebody changed: they become text again, which holds everything.
    let mut odd = Vec::new();
    for column in found {
        if is_ours(connection, table.name(), &column.name)? {
            let name = column.name;
            let declared = holds(&column.declared);
            let holds = declared.unwrap_or(FieldType::Text);
            if declared.is_none() {
                odd.push(Alteration::Widen {
                    column: Column {
                        name: name.clone(),
                        holds,
                    },
                    from: holds,
                });
            }
            adopted.push(Column { name, holds });
        }
    }
    let (table, mut alterations) = Table::adopt(stream, adopted);
    alterations.extend(odd);
    alter(connection, table.name(), &alterations)?;
    Ok(table)
}

/// Does what a table needs before rows fit.
pub(crate) fn alter(
    connection: &Connection,
    table: &str,
    alterations: &[Alteration],
) -> rusqlite::Result<()> {
    if alterations.is_empty() {
        return Ok(());
    }
    let found = columns(connection, table)?;
    let mut retyped = Vec::new();
    let mut added = Vec::new();
    for alteration in alterations {
        match alteration {
            Alteration::Add(column) => {
                remember(connection, table, &column.name)?;
                if found
                    .iter()
                    .any(|known| known.name.eq_ignore_ascii_case(&column.name))
                {
                    // Somebody made a column of this name; now that there is a field of that name, it is the field's.
                    retyped.push((column, None));
                    continue;
                }
                if matches!(column.name.as_str(), "rowid" | "oid") {
                    // A table may be made with such a column, but it cannot be added.
                    added.push(column);
                    continue;
                }
                connection.execute_batch(&format!(
                    "ALTER TABLE {} ADD COLUMN {}",
                    quote(table),
                    definition(column)
                ))?;
            }
            Alteration::Widen { column, from } => retyped.push((column, Some(*from))),
        }
    }
    if retyped.is_empty() && added.is_empty() {
        return Ok(());
    }
    retype::rewrite(connection, table, &retyped, &added)
}

/// What defines a column in a statement.
pub(crate) fn definition(column: &Column) -> String {
    format!("{} {}", quote(&column.name), declared_type(column.holds))
}

fn create(connection: &Connection, table: &Table) -> rusqlite::Result<()> {
    let mut definitions = vec![format!("{} TEXT NOT NULL PRIMARY KEY", quote(KEY))];
    definitions.extend(table.columns().iter().map(definition));
    definitions.extend([
        format!("{} TIMESTAMP NOT NULL", quote(SYNCED_AT)),
        format!("{} TIMESTAMP", quote(DELETED_AT)),
        format!("{} TEXT NOT NULL", quote(RAW)),
    ]);
    connection.execute_batch(&format!(
        "CREATE TABLE {} ({})",
        quote(table.name()),
        definitions.join(", ")
    ))?;
    connection
        .prepare_cached("DELETE FROM _sync_columns WHERE table_name = ?1")?
        .execute([table.name()])?;
    for column in table.columns() {
        remember(connection, table.name(), &column.name)?;
    }
    Ok(())
}

fn is_ours(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM _sync_columns WHERE table_name = ?1 AND column_name = ?2")?;
    statement.exists([table, column])
}

fn remember(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO _sync_columns VALUES (?1, ?2)")?
        .execute([table, column])?;
    Ok(())
}

/// The statement that made a table.
pub(crate) fn create_statement(
    connection: &Connection,
    table: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1",
            [table],
            |row| row.get(0),
        )
        .optional()
}
