//! The tables as the server has them, and the statements that make and change them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use sync_core::table::{Alteration, Column, DELETED_AT, KEY, RAW, SYNCED_AT};
use sync_core::{Error, ErrorKind, FieldType, Result, fingerprint};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::Failure;

/// A table in its schema, ready to stand in a statement.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    schema: String,
    table: String,
}

/// What the server has of a table.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    /// The columns that fields may fill, in the table's order.
    pub(crate) columns: Vec<Column>,
    /// Names of columns that are none of ours: with a first underscore, of other types, or computed by the server. They are
    /// left alone.
    foreign: Vec<String>,
}

impl Found {
    /// What must be done to the table so that it has these columns.
    pub(crate) fn alterations(&self, wanted: &[Column]) -> Vec<Alteration> {
        let known: HashMap<&str, FieldType> = self
            .columns
            .iter()
            .map(|column| (&*column.name, column.holds))
            .collect();
        wanted
            .iter()
            .filter_map(|column| match known.get(&*column.name) {
                None => Some(Alteration::Add(column.clone())),
                Some(&from) if from != column.holds => Some(Alteration::Widen {
                    column: column.clone(),
                    from,
                }),
                Some(_) => None,
            })
            .collect()
    }
}

impl Place {
    pub(crate) fn new(schema: &str, table: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            table: table.to_owned(),
        }
    }

    /// Schema and name, quoted.
    pub(crate) fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    /// The columns of the table; `None` if it does not exist.
    pub(crate) async fn find(&self, client: &Client) -> Result<Option<Found>, Failure> {
        let rows = client
            .query_typed(
                "SELECT a.attname::text, a.atttypid, a.attgenerated <> '' \
                 FROM pg_catalog.pg_attribute a \
                 JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') \
                 AND a.attnum > 0 AND NOT a.attisdropped \
                 ORDER BY a.attnum",
                &[(&self.schema, Type::TEXT), (&self.table, Type::TEXT)],
            )
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut found = Found {
            columns: Vec::new(),
            foreign: Vec::new(),
        };
        let mut own = 0;
        for row in rows {
            let name: String = row.try_get(0)?;
            let kind: u32 = row.try_get(1)?;
            let generated: bool = row.try_get(2)?;
            if [KEY, RAW, SYNCED_AT, DELETED_AT].contains(&&*name) {
                own += 1;
                continue;
            }
            match (own_name(&name), holds(kind)) {
                (Some(name), Some(holds)) if !generated => {
                    let name = name.to_owned();
                    found.columns.push(Column { name, holds });
                }
                _ => found.foreign.push(name),
            }
        }
        if own < 4 {
            return Err(Failure::Ours(self.alien("a table has the stream's name and not the columns of this sink: move it away, or choose another schema")));
        }
        Ok(Some(found))
    }

    /// Makes the schema, unless it is there.
    pub(crate) async fn make_schema(&self, client: &Client) -> Result<(), Failure> {
        let known = client
            .query_typed(
                "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                &[(&self.schema, Type::TEXT)],
            )
            .await?;
        // Asked first, since IF NOT EXISTS needs the right to create schemas even when there is nothing to do.
        if known.is_empty() {
            let create = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(&self.schema));
            client.batch_execute(&create).await?;
        }
        Ok(())
    }

    /// Lets nobody change the table until the transaction ends.
    pub(crate) async fn keep(&self, client: &Client) -> Result<(), Failure> {
        let lock = format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", self.sql());
        Ok(client.batch_execute(&lock).await?)
    }

    /// Lets nobody else make or change the table until the transaction ends, whether it exists or not.
    pub(crate) async fn claim(&self, client: &Client, exists: bool) -> Result<(), Failure> {
        let name = format!("sync-postgres\0{}\0{}", self.schema, self.table);
        let lock = fingerprint(name.as_bytes()).cast_signed();
        let mut claim = format!("SELECT pg_catalog.pg_advisory_xact_lock({lock})");
        if exists {
            // While we wait behind somebody who reads for long, everybody else who reads waits behind us. So we step back
            // soon, and come again.
            let _ = write!(
                claim,
                ";SET LOCAL lock_timeout = '10s';LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
                self.sql()
            );
        }
        Ok(client.batch_execute(&claim).await?)
    }

    /// The statement that makes the table.
    pub(crate) fn create(&self, columns: &[Column]) -> String {
        // Byte order for the key: cheap to compare, and the same on every server.
        let mut sql = format!(
            "CREATE TABLE {} (\"{KEY}\" text COLLATE \"C\" PRIMARY KEY, \"{RAW}\" json, \
             \"{SYNCED_AT}\" timestamptz NOT NULL, \"{DELETED_AT}\" timestamptz",
            self.sql()
        );
        for column in columns {
            let _ = write!(
                sql,
                ", {} {}",
                column_sql(&column.name),
                sql_type(column.holds)
            );
        }
        sql.push(')');
        sql
    }

    /// The one statement that does these alterations, so that the table is written anew at most once.
    ///
    /// # Errors
    /// When a column to be added is there already and none of ours.
    pub(crate) fn alter(&self, alterations: &[Alteration], found: &Found) -> Result<String> {
        let mut sql = format!("ALTER TABLE {}", self.sql());
        for (place, alteration) in alterations.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match alteration {
                Alteration::Add(column)
                    if found
                        .foreign
                        .iter()
                        .any(|name| *name == stored_name(&column.name)) =>
                {
                    let error = self.alien(
                        "the table has a column with a field's name and a type that this sink does not write: rename it",
                    );
                    return Err(error.with("column", &column.name));
                }
                Alteration::Add(column) => {
                    let (name, kind) = (column_sql(&column.name), sql_type(column.holds));
                    let _ = write!(sql, "{comma} ADD COLUMN {name} {kind}");
                }
                Alteration::Widen { column, from } => {
                    let (name, kind) = (column_sql(&column.name), sql_type(column.holds));
                    let using = converted(&name, *from, column.holds);
                    let _ = write!(sql, "{comma} ALTER COLUMN {name} TYPE {kind} USING {using}");
                }
            }
        }
        Ok(sql)
    }

    fn alien(&self, message: &'static str) -> Error {
        Error::new(ErrorKind::Config, "prepare table", message).with("table", &self.table)
    }
}

/// A name as it stands in a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Columns that every table of the server has. None of these names can be given to another.
const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// What a column is called at the server: its name, which gets an underscore at the end if the server has such a column. No name
/// that is made from a path ends in one.
fn stored_name(name: &str) -> Cow<'_, str> {
    if SYSTEM_COLUMNS.contains(&name) {
        format!("{name}_").into()
    } else {
        name.into()
    }
}

/// The name from which [`stored_name`] made this one; `None` for a name that no field can have.
fn own_name(stored: &str) -> Option<&str> {
    match stored.strip_suffix('_') {
        Some(name) => SYSTEM_COLUMNS.contains(&name).then_some(name),
        None => (!stored.starts_with('_')).then_some(stored),
    }
}

/// A column's name as it stands in a statement.
pub(crate) fn column_sql(name: &str) -> String {
    quoted(&stored_name(name))
}

/// The type of a column.
pub(crate) fn sql_type(holds: FieldType) -> &'static str {
    match holds {
        FieldType::Boolean => "boolean",
        FieldType::Integer => "bigint",
        FieldType::Number => "double precision",
        FieldType::Date => "date",
        FieldType::Timestamp => "timestamptz",
        FieldType::Text => "text",
        FieldType::Json => "jsonb",
    }
}

fn holds(kind: u32) -> Option<FieldType> {
    [
        (Type::BOOL, FieldType::Boolean),
        (Type::INT8, FieldType::Integer),
        (Type::FLOAT8, FieldType::Number),
        (Type::DATE, FieldType::Date),
        (Type::TIMESTAMPTZ, FieldType::Timestamp),
        (Type::TEXT, FieldType::Text),
        (Type::JSONB, FieldType::Json),
    ]
    .into_iter()
    .find_map(|(known, holds)| (known.oid() == kind).then_some(holds))
}

/// What is stored, in the wider type.
fn converted(name: &str, from: FieldType, to: FieldType) -> String {
    match (from, to) {
        (FieldType::Date, FieldType::Timestamp) => {
            format!("{name}::timestamp AT TIME ZONE 'UTC'")
        }
        // As Mailchimp writes a moment, so that what comes later looks the same.
        (FieldType::Timestamp, FieldType::Text) => format!(
            "to_char({name} AT TIME ZONE 'UTC', CASE WHEN date_trunc('second', {name}) = {name} \
             THEN 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"' ELSE 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"' END)"
        ),
        _ => format!("{name}::{}", sql_type(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, holds: FieldType) -> Column {
        Column {
            name: name.to_owned(),
            holds,
        }
    }

    fn found(foreign: &[&str]) -> Found {
        Found {
            columns: Vec::new(),
            foreign: foreign.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        let place = Place::new("my\"; DROP TABLE x; --", "members");
        assert_eq!(place.sql(), r#""my""; DROP TABLE x; --"."members""#);
    }

    #[test]
    fn the_servers_own_columns_are_stepped_aside_from() {
        assert_eq!(column_sql("ctid"), "\"ctid_\"");
        assert_eq!(own_name("ctid_"), Some("ctid"));
        assert_eq!(column_sql("opens"), "\"opens\"");
        assert_eq!(own_name("opens"), Some("opens"));
        assert_eq!(own_name("_mine"), None);
        assert_eq!(own_name("mine_"), None);
    }

    #[test]
    fn all_alterations_are_one_statement() {
        let place = Place::new("s", "t");
        let sql = place
            .alter(
                &[
                    Alteration::Add(column("a", FieldType::Json)),
                    Alteration::Widen {
                        column: column("b", FieldType::Number),
                        from: FieldType::Integer,
                    },
                ],
                &found(&[]),
            )
            .unwrap();
        assert_eq!(
            sql,
            r#"ALTER TABLE "s"."t" ADD COLUMN "a" jsonb, ALTER COLUMN "b" TYPE double precision USING "b"::double precision"#
        );
    }

    #[test]
    fn a_column_that_is_not_ours_is_never_taken() {
        let error = Place::new("s", "t")
            .alter(
                &[Alteration::Add(column("a", FieldType::Text))],
                &found(&["a"]),
            )
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("column a"), "{error}");
    }
}
