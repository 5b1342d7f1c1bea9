//! Tables made of JSON records: for sinks that keep rows and columns.
//!
//! A [`Table`] knows the columns of one stream: those it declares, those the warehouse has, and those that records bring. It
//! turns records into rows of typed values and says which columns must be added or widened before these rows fit. It does
//! no I/O; the sink runs the statements.
//!
//! - Objects are flattened: `{"stats": {"open_rate": 0.5}}` fills the column `stats__open_rate`. Arrays, and objects
//!   declared as [`FieldType::Json`], fill one column with their JSON text. So does what is nested deeper than eight objects.
//! - A field that nobody declared becomes a column when a record first has a value for it. Null and `""` are no value.
//! - A value that its column cannot hold widens the column ([`FieldType::widened`]); no row is refused for its types.
//! - `""` is null in every column but those that are declared as text, and so is a date of zeros in those of time.
//! - What no warehouse holds, U+0000 and half of a surrogate pair, becomes U+FFFD; the raw record keeps it.
//! - Column names are made from the path alone ([`column_name`]): they do not depend on what came first, and two paths never
//!   share one.
//! - At most [`MAX_COLUMNS`] columns; further fields are only in the raw record.
//!
//! Beside these columns a sink keeps [`KEY`], [`RAW`], [`SYNCED_AT`] and [`DELETED_AT`]. Fields never have such names: a name
//! that is made from a path does not begin with an underscore.

mod name;
mod shape;
mod text;
mod value;
mod view;

use std::cmp::Ordering;
use std::sync::Arc;

pub use self::name::column_name;
pub use self::text::storable_json;
pub use self::value::Value;
pub use self::view::{Slot, View};
use crate::record::JsonRecord;
use crate::sink::Rejection;
use crate::stream::{FieldType, Stream};

/// Column of the record's key: text, the primary key.
pub const KEY: &str = "_key";
/// Column of the record as it came, byte for byte where the sink can.
pub const RAW: &str = "_raw";
/// Column of the time at which the row was written.
pub const SYNCED_AT: &str = "_synced_at";
/// Column of the time at which the record was found to be gone; null while it exists.
pub const DELETED_AT: &str = "_deleted_at";
/// Most columns that a table gets from fields. Every warehouse here can hold this many in one row.
pub const MAX_COLUMNS: usize = 1000;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, as [`column_name`] makes it.
    pub name: String,
    /// What it holds.
    pub holds: FieldType,
}

/// A change that the warehouse's table needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// A new column, null in the rows that are there.
    Add(Column),
    /// A column must hold more. What is stored stays, converted; the column is as given here afterwards.
    Widen {
        /// The column as it shall be.
        column: Column,
        /// What it held so far.
        from: FieldType,
    },
}

/// Records as rows.
#[derive(Debug)]
pub struct Shaped<'r> {
    /// What must be done to the warehouse's table before the rows fit, in this order.
    pub alterations: Vec<Alteration>,
    /// One row for each record that is one, in the order of the records.
    pub rows: Vec<Row<'r>>,
    /// Records whose data is no JSON object.
    pub rejected: Vec<Rejection>,
}

/// One record as a row.
#[derive(Debug)]
pub struct Row<'r> {
    /// The record: its key, its raw bytes, whether it was removed.
    pub record: &'r JsonRecord,
    /// A value for each of [`Table::columns`], in their order. Empty if the record was removed.
    pub values: Vec<Value<'r>>,
}

/// The columns of one stream.
#[derive(Debug)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    tree: shape::Tree,
    /// Streams whose fields are declared.
    declared: Vec<Arc<Stream>>,
}

/// The records without those that a later one of the same stream and key replaces, ordered by stream and key: for
/// statements that may touch a row only once, and for indexes that like to be filled in order.
pub fn newest<'r>(records: impl IntoIterator<Item = &'r JsonRecord>) -> Vec<&'r JsonRecord> {
    let mut newest: Vec<&JsonRecord> = records.into_iter().collect();
    let compared = |a: &JsonRecord, b: &JsonRecord| {
        let streams = if Arc::ptr_eq(&a.stream, &b.stream) {
            Ordering::Equal
        } else {
            a.stream.name().cmp(b.stream.name())
        };
        streams.then_with(|| a.key.cmp(&b.key))
    };
    // Stable: of equal ones, the last came last.
    newest.sort_by(|a, b| compared(a, b));
    newest.dedup_by(|later, kept| {
        let same = compared(later, kept).is_eq();
        if same {
            *kept = *later;
        }
        same
    });
    newest
}

impl Table {
    /// The table of a stream that the warehouse does not have yet: with the declared columns.
    pub fn new(stream: &Stream) -> Self {
        let mut table = Self {
            name: column_name([&**stream.name()]),
            columns: Vec::new(),
            tree: shape::Tree::default(),
            declared: Vec::new(),
        };
        for field in stream.fields() {
            if table.columns.len() < MAX_COLUMNS {
                table.columns.push(Column {
                    name: column_name(field.path.iter().map(|part| &**part)),
                    holds: field.holds,
                });
                let place = table.columns.len() - 1;
                table.tree.declare(&field.path, place, field.holds);
            }
        }
        table
    }

    /// The table of a stream as the warehouse has it, and what must be done to it so that the declared fields fit: columns
    /// that are missing, and columns that hold less than declared. Columns in `found` that are none of the stream's stay as
    /// they are.
    pub fn adopt(stream: &Stream, found: Vec<Column>) -> (Self, Vec<Alteration>) {
        let mut table = Self::new(stream);
        let mut alterations = Vec::new();
        for column in &mut table.columns {
            match found.iter().find(|known| known.name == column.name) {
                None => alterations.push(Alteration::Add(column.clone())),
                Some(known) => {
                    let holds = known.holds.widened(column.holds);
                    column.holds = holds;
                    if holds != known.holds {
                        alterations.push(Alteration::Widen {
                            column: column.clone(),
                            from: known.holds,
                        });
                    }
                }
            }
        }
        for known in found {
            if !table.columns.iter().any(|column| column.name == known.name) {
                table.columns.push(known);
            }
        }
        (table, alterations)
    }

    /// The table's name: the stream's, as [`column_name`] would write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns that come from fields, in the order of the values of a row.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Turns records into rows, and learns the columns they bring. All are of one stream, or of streams with the same name
    /// whose declared fields differ, as the members of two audiences: one table holds the fields of both.
    ///
    /// The table counts the alterations as done. A sink that could not do them asks the warehouse and begins anew with
    /// [`Table::adopt`].
    pub fn shape<'r>(&mut self, records: impl IntoIterator<Item = &'r JsonRecord>) -> Shaped<'r> {
        let records: Vec<&JsonRecord> = records.into_iter().collect();
        shape::shape(self, &records)
    }

    /// Makes room for the fields of a stream, unless that was done.
    fn declare(&mut self, stream: &Arc<Stream>) {
        let known = |known: &Arc<Stream>| Arc::ptr_eq(known, stream) || known == stream;
        if self.declared.iter().any(known) {
            return;
        }
        for field in stream.fields() {
            let name = column_name(field.path.iter().map(|part| &**part));
            let found = self.columns.iter().position(|column| column.name == name);
            let place = match found {
                Some(place) => {
                    let column = &mut self.columns[place];
                    column.holds = column.holds.widened(field.holds);
                    place
                }
                None if self.columns.len() < MAX_COLUMNS => {
                    let holds = field.holds;
                    self.columns.push(Column { name, holds });
                    self.columns.len() - 1
                }
                None => continue,
            };
            self.tree.declare(&field.path, place, field.holds);
        }
        self.declared.push(stream.clone());
    }
}
