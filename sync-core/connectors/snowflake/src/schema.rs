//! The schema that the tables are in, and how a table becomes what its rows need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use sync_core::table::{Column, KEY};
use tokio::sync::Mutex;

use crate::client::{Client, Statement};
use crate::connector::Connector;
use crate::error::{ClientError, Result};
use crate::identifier::Identifier;
use crate::settings::Names;
use crate::sql;

/// Ending of the name of a column that takes another's place. No name that is made from a field has a dollar sign.
const WIDER: &str = "$WIDER";

/// One schema at Snowflake, through a session of its own.
pub(crate) struct Schema {
    pub(crate) client: Client,
    names: Names,
    seen: bool,
}

/// Who may bring rows into a table, or change it. One at a time: Snowflake runs them one after the other anyway, and a column
/// that takes another's place must not miss what is written meanwhile. The number tells how often the table was changed.
pub(crate) type Turn = Arc<Mutex<u64>>;

/// The turns of all tables that this process writes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    tables: Arc<StdMutex<HashMap<String, Turn>>>,
}

impl Turns {
    pub(crate) fn of(&self, table: &Identifier) -> Turn {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.entry(table.as_str().to_owned()).or_default().clone()
    }
}

/// A table as it is at Snowflake.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Names of all columns. None: there is no such table.
    names: Vec<Identifier>,
    /// The columns that hold fields.
    columns: Vec<Column>,
}

impl Standing {
    pub(crate) fn exists(&self) -> bool {
        !self.names.is_empty()
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        self.columns.clone()
    }

    /// The columns that hold what stands and these, too, in the order of these.
    pub(crate) fn widened(&self, columns: &[Column]) -> Vec<Column> {
        let widened = |column: &Column| {
            let stands = self.columns.iter().find(|has| has.name == column.name);
            Column {
                name: column.name.clone(),
                holds: stands.map_or(column.holds, |has| has.holds.widened(column.holds)),
            }
        };
        columns.iter().map(widened).collect()
    }

    fn has(&self, name: &Identifier) -> bool {
        self.names.contains(name)
    }

    /// The statements that make the table what `wanted` is, each of which may be the last one that runs.
    fn steps(&self, path: &str, wanted: &[Column]) -> Vec<String> {
        if !self.exists() {
            return vec![sql::create_table(path, wanted)];
        }
        let mut added = Vec::new();
        for (name, kind) in sql::own_columns() {
            let name = Identifier::folded(name);
            if !self.has(&name) {
                added.push((name, kind));
            }
        }
        let mut widened = Vec::new();
        for column in wanted {
            let name = Identifier::folded(&column.name);
            let stands = self.columns.iter().find(|has| has.name == column.name);
            match stands {
                Some(has) if has.holds == column.holds => {}
                Some(has) => {
                    let wider = Identifier::folded(&format!("{}{WIDER}", column.name));
                    let value = sql::widened_value(&name.to_string(), has.holds, column.holds);
                    let kind = sql::column_type(column.holds);
                    widened.extend([
                        sql::add_columns(path, &[(wider.clone(), kind)]),
                        format!("UPDATE {path} SET {wider} = {value} WHERE {name} IS NOT NULL"),
                        format!("ALTER TABLE {path} DROP COLUMN {name}"),
                        format!("ALTER TABLE {path} RENAME COLUMN {wider} TO {name}"),
                    ]);
                }
                None if self.has(&name) => {}
                None => added.push((name, sql::column_type(column.holds))),
            }
        }
        let mut steps = Vec::new();
        if !added.is_empty() {
            steps.push(sql::add_columns(path, &added));
        }
        steps.append(&mut widened);
        steps
    }

    /// The statements that finish, or take back, a widening that was cut short: the old column is dropped only when the
    /// wider one is filled, so whichever of the two stands alone holds every value.
    fn repairs(&self, path: &str) -> Vec<String> {
        let mut repairs = Vec::new();
        for wider in &self.names {
            let Some(name) = wider.as_str().strip_suffix(WIDER) else {
                continue;
            };
            let name = Identifier::folded(name);
            repairs.push(if self.has(&name) {
                format!("ALTER TABLE {path} DROP COLUMN {wider}")
            } else {
                format!("ALTER TABLE {path} RENAME COLUMN {wider} TO {name}")
            });
        }
        repairs
    }
}

impl Schema {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            names: connector.names.clone(),
            client: Client::new(connector),
            seen: false,
        }
    }

    /// A table's name with database and schema.
    pub(crate) fn path(&self, table: &Identifier) -> String {
        format!("{}.{}.{table}", self.names.database, self.names.schema)
    }

    /// Whether the schema is there. Fails if the database is not, or no warehouse runs.
    pub(crate) async fn exists(&self) -> Result<bool> {
        let sql = format!(
            "SELECT SCHEMA_NAME FROM {}.INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = ?",
            self.names.database
        );
        let rows = self
            .client
            .rows(&sql, &[self.names.schema.as_str()])
            .await?;
        Ok(!rows.is_empty())
    }

    /// Makes the schema if it is missing.
    pub(crate) async fn ensure(&mut self) -> Result<()> {
        if self.seen {
            return Ok(());
        }
        if !self.exists().await? {
            let schema = format!("{}.{}", self.names.database, self.names.schema);
            // Asked for only when it is needed: the right to make a schema is not for every role.
            for sql in [
                format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
                format!("USE SCHEMA {schema}"),
            ] {
                self.client.run_anywhere(&Statement::new(&sql, &[])).await?;
            }
        }
        self.seen = true;
        Ok(())
    }

    /// What stands at Snowflake under a table's name, after repairs if they are needed.
    pub(crate) async fn adopt(&self, table: &Identifier) -> Result<Standing> {
        let mut standing = self.describe(table).await?;
        let repairs = standing.repairs(&self.path(table));
        if !repairs.is_empty() {
            for sql in repairs {
                self.client.run(&Statement::new(&sql, &[])).await?;
            }
            standing = self.describe(table).await?;
        }
        Ok(standing)
    }

    /// What stands at Snowflake under a table's name.
    pub(crate) async fn describe(&self, table: &Identifier) -> Result<Standing> {
        let sql = format!(
            "SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_SCALE::VARCHAR FROM {}.INFORMATION_SCHEMA.COLUMNS \
             WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
            self.names.database
        );
        let bound = [self.names.schema.as_str(), table.as_str()];
        let mut standing = Standing::default();
        for row in self.client.rows(&sql, &bound).await? {
            let [Some(name), Some(data_type), scale] = row.as_slice() else {
                return Err(ClientError::Answer("a column without name or type"));
            };
            standing.push(name, data_type, scale.as_deref());
        }
        Ok(standing)
    }

    /// The text of a view; empty if it is another role's. `None` if there is none of this name.
    pub(crate) async fn view_definition(&self, view: &Identifier) -> Result<Option<String>> {
        let sql = format!(
            "SELECT VIEW_DEFINITION FROM {}.INFORMATION_SCHEMA.VIEWS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
            self.names.database
        );
        let bound = [self.names.schema.as_str(), view.as_str()];
        let mut rows = self.client.rows(&sql, &bound).await?;
        let row = rows.pop();
        Ok(row.map(|row| row.into_iter().flatten().next().unwrap_or_default()))
    }

    /// Makes the table hold these columns. `standing` is what it was, and what it is afterwards. Gives whether anything was
    /// done.
    pub(crate) async fn bring_up(
        &mut self,
        name: &Identifier,
        standing: &mut Standing,
        columns: &[Column],
    ) -> Result<bool> {
        let path = self.path(name);
        let mut wanted = standing.widened(columns);
        if standing.steps(&path, &wanted).is_empty() {
            return Ok(false);
        }
        self.ensure().await?;
        let mut attempts = 0;
        while let Err(error) = self.step(&standing.steps(&path, &wanted)).await {
            attempts += 1;
            // Whatever ran of it, or what another process did meanwhile, is seen now.
            let again = matches!(error, ClientError::SessionLost | ClientError::Sql { .. });
            if !again || attempts == MOST_ATTEMPTS {
                return Err(error);
            }
            *standing = self.adopt(name).await?;
            wanted = standing.widened(columns);
        }
        standing.grow(&wanted);
        Ok(true)
    }

    async fn step(&self, steps: &[String]) -> Result<()> {
        for sql in steps {
            self.client.run(&Statement::new(sql, &[])).await?;
        }
        Ok(())
    }
}

/// How often a change of a table begins anew.
const MOST_ATTEMPTS: u32 = 3;

impl Standing {
    /// Takes note of columns that stand now.
    fn grow(&mut self, columns: &[Column]) {
        let own = sql::own_columns().map(|(name, _)| Identifier::folded(name));
        let fields = columns
            .iter()
            .map(|column| Identifier::folded(&column.name));
        for name in own.into_iter().chain(fields) {
            if !self.has(&name) {
                self.names.push(name);
            }
        }
        self.columns
            .retain(|has| !columns.iter().any(|column| column.name == has.name));
        self.columns.extend_from_slice(columns);
    }

    fn push(&mut self, name: &str, data_type: &str, scale: Option<&str>) {
        let name_of_field = name.to_ascii_lowercase();
        let folded = Identifier::folded(name);
        // A name with lower-case letters is somebody else's: ours are folded.
        if folded.as_str() != name {
            return;
        }
        let holds = sql::field_type(data_type, scale);
        if let Some(holds) = holds
            && !name.starts_with(&KEY[..1])
            && !name.ends_with(WIDER)
        {
            self.columns.push(Column {
                name: name_of_field,
                holds,
            });
        }
        self.names.push(folded);
    }
}

#[cfg(test)]
mod tests {
    use sync_core::FieldType;

    use super::*;

    const PATH: &str = "\"D\".\"S\".\"T\"";

    fn standing(columns: &[(&str, &str)]) -> Standing {
        let mut standing = Standing::default();
        for name in ["_KEY", "_RAW", "_FINGERPRINT", "_SYNCED_AT", "_DELETED_AT"] {
            standing.push(name, "TEXT", None);
        }
        for (name, kind) in columns {
            standing.push(name, kind, Some("0"));
        }
        standing
    }

    fn wanted(columns: &[(&str, FieldType)]) -> Vec<Column> {
        let column = |(name, holds): &(&str, FieldType)| Column {
            name: (*name).to_owned(),
            holds: *holds,
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn a_missing_table_is_made_whole() {
        let wanted = wanted(&[("email", FieldType::Text), ("tags", FieldType::Json)]);
        assert_eq!(
            Standing::default().steps(PATH, &wanted),
            [
                "CREATE TABLE IF NOT EXISTS \"D\".\"S\".\"T\" (\"_KEY\" VARCHAR NOT NULL PRIMARY KEY, \
                 \"EMAIL\" VARCHAR, \"TAGS\" VARIANT, \"_RAW\" VARIANT, \"_FINGERPRINT\" VARCHAR, \
                 \"_SYNCED_AT\" TIMESTAMP_TZ, \"_DELETED_AT\" TIMESTAMP_TZ)"
            ]
        );
    }

    #[test]
    fn a_table_that_fits_is_left_alone() {
        let wanted = wanted(&[("email", FieldType::Text), ("n", FieldType::Integer)]);
        let none: [String; 0] = [];
        let found = standing(&[("EMAIL", "TEXT"), ("N", "NUMBER"), ("OTHER", "BINARY")]);
        assert_eq!(found.steps(PATH, &wanted), none);
        let mut made = Standing::default();
        made.grow(&wanted);
        assert_eq!(made.steps(PATH, &wanted), none);
        assert_eq!(found.repairs(PATH), none);
    }

    #[test]
    fn missing_columns_come_in_one_statement() {
        let wanted = wanted(&[
            ("a", FieldType::Date),
            ("b", FieldType::Number),
            ("c", FieldType::Boolean),
        ]);
        assert_eq!(
            standing(&[("A", "DATE")]).steps(PATH, &wanted),
            ["ALTER TABLE \"D\".\"S\".\"T\" ADD COLUMN \"B\" FLOAT, \"C\" BOOLEAN"]
        );
    }

    #[test]
    fn a_wider_column_is_filled_before_the_old_one_goes() {
        let wanted = wanted(&[("n", FieldType::Number)]);
        assert_eq!(
            standing(&[("N", "NUMBER")]).steps(PATH, &wanted),
            [
                "ALTER TABLE \"D\".\"S\".\"T\" ADD COLUMN \"N$WIDER\" FLOAT",
                "UPDATE \"D\".\"S\".\"T\" SET \"N$WIDER\" = \"N\"::FLOAT WHERE \"N\" IS NOT NULL",
                "ALTER TABLE \"D\".\"S\".\"T\" DROP COLUMN \"N\"",
                "ALTER TABLE \"D\".\"S\".\"T\" RENAME COLUMN \"N$WIDER\" TO \"N\"",
            ]
        );
    }

    #[test]
    fn a_column_that_is_wider_already_is_not_made_narrow() {
        let found = standing(&[("N", "TEXT"), ("M", "NUMBER")]);
        let columns = wanted(&[
            ("m", FieldType::Number),
            ("n", FieldType::Integer),
            ("x", FieldType::Date),
        ]);
        assert_eq!(
            found.widened(&columns),
            wanted(&[
                ("m", FieldType::Number),
                ("n", FieldType::Text),
                ("x", FieldType::Date)
            ])
        );
    }

    #[test]
    fn a_widening_cut_short_is_taken_back_or_finished() {
        assert_eq!(
            standing(&[("N", "NUMBER"), ("N$WIDER", "FLOAT")]).repairs(PATH),
            ["ALTER TABLE \"D\".\"S\".\"T\" DROP COLUMN \"N$WIDER\""]
        );
        assert_eq!(
            standing(&[("N$WIDER", "FLOAT")]).repairs(PATH),
            ["ALTER TABLE \"D\".\"S\".\"T\" RENAME COLUMN \"N$WIDER\" TO \"N\""]
        );
    }

    #[test]
    fn columns_of_others_are_no_fields() {
        let found = standing(&[
            ("mixedCase", "TEXT"),
            ("_OWN", "TEXT"),
            ("PLACE", "GEOGRAPHY"),
        ]);
        assert_eq!(found.columns(), []);
        assert!(found.exists());
    }
}
