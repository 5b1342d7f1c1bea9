//! Views over tables that may be there or not.

use crate::stream::FieldType;
use crate::table::column_name;

/// A view as a template of its query, for sinks whose tables appear, and grow, as records come.
///
/// `{members}` is that table. `{m.stats.open_rate number}` is the column of that path, read as that [`FieldType`], in the table
/// that `m` stands for; text if no type is said. A line that begins with `?lists` and a space is there if that table is, one
/// with `!lists` if it is not; of several tables, joined by `,`, all must be there.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// It shows something if one of these tables is there.
    pub of: &'static [&'static str],
    /// Aliases in the template, and the tables they stand for.
    pub tables: &'static [(&'static str, &'static str)],
    /// The query.
    pub template: &'static str,
}

/// A place in a [`View`]'s template, for the sink to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot<'t> {
    /// A table, as the query names it.
    Table(&'t str),
    /// A column, which may not be there.
    Column {
        /// What the table is called in the query.
        alias: &'t str,
        /// The table.
        table: &'static str,
        /// The column, as [`column_name`] makes it.
        name: String,
        /// What the view shows it as.
        wanted: FieldType,
    },
}

impl View {
    /// The query over the tables that are there; `None` if it would show nothing. `fill` says what stands in a place, and is
    /// asked only for lines that are kept.
    pub fn query(
        &self,
        is_there: impl Fn(&str) -> bool,
        fill: impl Fn(Slot<'_>) -> String,
    ) -> Option<String> {
        if !self.of.iter().any(|table| is_there(table)) {
            return None;
        }
        let all = |tables: &str| tables.split(',').all(&is_there);
        let lines = self.template.lines().filter_map(|line| {
            let conditional = |mark: char| line.strip_prefix(mark)?.split_once(' ');
            match (conditional('?'), conditional('!')) {
                (Some((tables, line)), _) => all(tables).then_some(line),
                (_, Some((tables, line))) => (!all(tables)).then_some(line),
                (None, None) => Some(line),
            }
        });
        let lines: Vec<String> = lines.map(|line| self.filled(line, &fill)).collect();
        Some(lines.join("\n"))
    }

    fn filled(&self, line: &str, fill: &impl Fn(Slot<'_>) -> String) -> String {
        let mut filled = String::new();
        let mut rest = line;
        while let Some((before, (slot, after))) = rest
            .split_once('{')
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            filled.push_str(before);
            filled.push_str(&fill(self.slot(slot)));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn slot<'t>(&self, text: &'t str) -> Slot<'t> {
        let Some((alias, path)) = text.split_once('.') else {
            return Slot::Table(text);
        };
        let (path, kind) = path.split_once(' ').unwrap_or((path, "text"));
        let table = self.tables.iter().find(|(known, _)| *known == alias);
        Slot::Column {
            alias,
            table: table.map_or("", |(_, table)| table),
            name: column_name(path.split('.')),
            wanted: kind_of(kind),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: View = View {
        name: "contact",
        of: &["members", "lists"],
        tables: &[("m", "members"), ("l", "lists")],
        template: "SELECT {m.id}, {m.stats.open_rate number}\nFROM {members} AS m\n?lists JOIN {lists} AS l\n!lists,tags -- alone",
    };

    fn query(there: &[&str]) -> Option<String> {
        VIEW.query(
            |table| there.contains(&table),
            |slot| match slot {
                Slot::Table(name) => format!("s.{name}"),
                Slot::Column {
                    alias,
                    table,
                    name,
                    wanted,
                } => format!("{alias}={table}:{name}:{wanted}"),
            },
        )
    }

    #[test]
    fn places_are_filled_and_lines_depend_on_tables() {
        let head =
            "SELECT m=members:id:text, m=members:stats__open_rate:number\nFROM s.members AS m\n";
        assert_eq!(query(&["members"]), Some(format!("{head}-- alone")));
        assert_eq!(
            query(&["members", "lists", "tags"]),
            Some(format!("{head}JOIN s.lists AS l"))
        );
    }

    #[test]
    fn without_its_tables_there_is_no_view() {
        assert_eq!(query(&["tags"]), None);
    }
}
