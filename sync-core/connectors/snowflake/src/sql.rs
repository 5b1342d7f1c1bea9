//! The statements, as text.

use std::fmt::Write as _;

use sync_core::FieldType;
use sync_core::table::{Column, DELETED_AT, KEY, RAW, SYNCED_AT};

use crate::identifier::Identifier;

/// Column of the fingerprint of the record's bytes, in hexadecimal. A `VARIANT` does not keep the bytes themselves.
pub(crate) const FINGERPRINT: &str = "_fingerprint";

/// Where values stand in a staged row, which is a JSON array; those of the columns follow.
pub(crate) const FIRST_VALUE: usize = 5;

/// Where the rows of a `MERGE` come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowsFrom<'a> {
    /// The statement's one bound text: a JSON array of rows.
    Bound,
    /// A temporary table that holds them.
    Staged(&'a Identifier),
}

/// The type of a column.
pub(crate) fn column_type(holds: FieldType) -> &'static str {
    match holds {
        FieldType::Boolean => "BOOLEAN",
        FieldType::Integer => "NUMBER(38,0)",
        FieldType::Number => "FLOAT",
        FieldType::Date => "DATE",
        FieldType::Timestamp => "TIMESTAMP_TZ",
        FieldType::Text => "VARCHAR",
        FieldType::Json => "VARIANT",
    }
}

/// What a column of `INFORMATION_SCHEMA.COLUMNS` holds; `None` for a type that the sink never makes.
pub(crate) fn field_type(data_type: &str, scale: Option<&str>) -> Option<FieldType> {
    Some(match data_type {
        "BOOLEAN" => FieldType::Boolean,
        "NUMBER" if scale.is_none_or(|scale| scale == "0") => FieldType::Integer,
        "NUMBER" | "FLOAT" => FieldType::Number,
        "DATE" => FieldType::Date,
        "TIMESTAMP_TZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_NTZ" => FieldType::Timestamp,
        "TEXT" => FieldType::Text,
        "VARIANT" => FieldType::Json,
        _ => return None,
    })
}

/// The columns that every table has.
pub(crate) fn own_columns() -> [(&'static str, &'static str); 5] {
    [
        (KEY, "VARCHAR NOT NULL PRIMARY KEY"),
        (RAW, "VARIANT"),
        (FINGERPRINT, "VARCHAR"),
        (SYNCED_AT, "TIMESTAMP_TZ"),
        (DELETED_AT, "TIMESTAMP_TZ"),
    ]
}

/// Makes a table. One that is there already stays as it is.
pub(crate) fn create_table(table: &str, columns: &[Column]) -> String {
    let own = own_columns();
    let (key, others) = own.split_at(1);
    let mut definitions: Vec<String> = Vec::new();
    let mut define = |name: &str, kind: &str| {
        definitions.push(format!("{} {kind}", Identifier::folded(name)));
    };
    for (name, kind) in key {
        define(name, kind);
    }
    for column in columns {
        define(&column.name, column_type(column.holds));
    }
    for (name, kind) in others {
        define(name, kind);
    }
    format!(
        "CREATE TABLE IF NOT EXISTS {table} ({})",
        definitions.join(", ")
    )
}

/// Adds columns: name and type of each.
pub(crate) fn add_columns(table: &str, columns: &[(Identifier, &str)]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, kind)| format!("{name} {kind}"))
        .collect();
    format!("ALTER TABLE {table} ADD COLUMN {}", columns.join(", "))
}

/// What the value of a column becomes when the column is widened.
pub(crate) fn widened_value(column: &str, from: FieldType, to: FieldType) -> String {
    match (from, to) {
        (FieldType::Date, FieldType::Text) => format!("TO_VARCHAR({column}, 'YYYY-MM-DD')"),
        (FieldType::Timestamp, FieldType::Text) => {
            let utc = format!("CONVERT_TIMEZONE('UTC', {column})");
            format!(
                "TO_VARCHAR({utc}, 'YYYY-MM-DD') || 'T' || TO_VARCHAR({utc}, 'HH24:MI:SS') || '+00:00'"
            )
        }
        (_, to) => format!("{column}::{}", column_type(to)),
    }
}

/// Makes the temporary table that rows are staged in, empty.
pub(crate) fn create_staging(staging: &Identifier) -> String {
    format!("CREATE OR REPLACE TEMPORARY TABLE {staging} (\"ITEM\" VARIANT)")
}

/// Stages the rows of the bound JSON array.
pub(crate) fn stage(staging: &Identifier) -> String {
    format!("INSERT INTO {staging} SELECT {BOUND_ITEM} FROM {BOUND}")
}

/// The rows of the bound JSON array. What stands before `LATERAL` is there for the grammar only. (The server for tests would
/// copy the array to every row of it if the array itself stood there.)
const BOUND: &str = "(SELECT 1 AS \"ONE\") o, LATERAL FLATTEN(INPUT => PARSE_JSON(?)) f";
const BOUND_ITEM: &str = "f.value";

/// Brings rows into a table: the last one of each key, which is the one with the highest number.
///
/// A removal leaves the row as it is and marks it, once. Removing what is not there does nothing.
pub(crate) fn merge(table: &str, columns: &[Column], rows: RowsFrom<'_>) -> String {
    let (item, from) = match rows {
        RowsFrom::Bound => (BOUND_ITEM, BOUND.to_owned()),
        RowsFrom::Staged(staging) => ("\"ITEM\"", staging.to_string()),
    };
    let key = Identifier::folded(KEY);
    let raw = Identifier::folded(RAW);
    let fingerprint = Identifier::folded(FINGERPRINT);
    let synced_at = Identifier::folded(SYNCED_AT);
    let deleted_at = Identifier::folded(DELETED_AT);
    let now = "CURRENT_TIMESTAMP()::TIMESTAMP_TZ";
    let mut select = format!(
        "{item}[0]::VARCHAR AS {key}, {item}[2]::BOOLEAN AS \"_REMOVED\", {item}[3]::VARCHAR AS {fingerprint}, \
         {item}[4] AS {raw}"
    );
    let mut names = vec![fingerprint, raw];
    for (place, column) in columns.iter().enumerate() {
        let name = Identifier::folded(&column.name);
        let value = format!("{item}[{}]", FIRST_VALUE + place);
        // Writing into a string cannot fail.
        let _ = if column.holds == FieldType::Json {
            // JSON's null is a value to a VARIANT; a column without a value holds SQL's.
            write!(select, ", STRIP_NULL_VALUE({value}) AS {name}")
        } else {
            let kind = column_type(column.holds);
            write!(select, ", {value}::{kind} AS {name}")
        };
        names.push(name);
    }
    let list =
        |of: &dyn Fn(&Identifier) -> String| names.iter().map(of).collect::<Vec<_>>().join(", ");
    let sets = list(&|name| format!("{name} = s.{name}"));
    let inserted = list(&Identifier::to_string);
    let values = list(&|name| format!("s.{name}"));
    format!(
        "MERGE INTO {table} t USING (\
         SELECT {select} FROM {from} \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY {item}[0]::VARCHAR ORDER BY {item}[1]::NUMBER(38,0) DESC) = 1\
         ) s ON t.{key} = s.{key} \
         WHEN MATCHED AND s.\"_REMOVED\" THEN UPDATE SET {synced_at} = {now}, \
         {deleted_at} = COALESCE(t.{deleted_at}, {now}) \
         WHEN MATCHED THEN UPDATE SET {sets}, {synced_at} = {now}, {deleted_at} = NULL \
         WHEN NOT MATCHED AND NOT s.\"_REMOVED\" THEN INSERT ({key}, {inserted}, {synced_at}) \
         VALUES (s.{key}, {values}, {now})"
    )
}

/// Key and fingerprint of the live rows among the keys in the bound JSON array.
pub(crate) fn fingerprints(table: &str) -> String {
    let key = Identifier::folded(KEY);
    let fingerprint = Identifier::folded(FINGERPRINT);
    let deleted_at = Identifier::folded(DELETED_AT);
    format!(
        "SELECT {key}, {fingerprint} FROM {table} WHERE {deleted_at} IS NULL AND {key} IN \
         (SELECT {BOUND_ITEM}::VARCHAR FROM {BOUND})"
    )
}

/// Keys of live rows in order, from the first or from the one after the bound key.
pub(crate) fn keys(table: &str, after: bool, limit: usize) -> String {
    let key = Identifier::folded(KEY);
    let deleted_at = Identifier::folded(DELETED_AT);
    let after = if after {
        format!(" AND {key} > ?")
    } else {
        String::new()
    };
    format!(
        "SELECT {key} FROM {table} WHERE {deleted_at} IS NULL{after} ORDER BY {key} LIMIT {limit}"
    )
}
