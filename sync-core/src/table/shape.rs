//! Records into rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use json_scan::{Broken, Scanner, Token};

use super::name::column_name;
use super::text;
use super::value::{Seen, Value};
use super::{Alteration, Column, MAX_COLUMNS, Row, Shaped, Table};
use crate::record::JsonRecord;
use crate::sink::Rejection;
use crate::stream::FieldType;

/// Objects nested deeper than this become one column.
const DEEPEST: usize = 8;

/// Paths remembered at most, so that objects with ever new names do not fill the memory.
const MAX_NODES: usize = 8 * MAX_COLUMNS;

/// The root of the tree.
const ROOT: usize = 0;

/// Which path fills which column.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    path: Vec<Box<str>>,
    /// The name as most records write it: with its quotes, and escapes where it needs them.
    quoted: Box<str>,
    column: Option<usize>,
    /// Whether the stream wants an object here in one piece. That its column holds JSON says nothing: an array makes such a
    /// column, too.
    whole: bool,
    /// Whether the stream declares a text here, so that an empty one is a value.
    text: bool,
    by_name: HashMap<Box<str>, usize>,
    /// The field that an object here began with the last time.
    first: Option<usize>,
    /// The field that stood behind this one the last time.
    next: Option<usize>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Tree {
    pub(super) fn declare(&mut self, path: &[Box<str>], column: usize, holds: FieldType) {
        let mut at = ROOT;
        for part in path {
            at = self.child(at, part).unwrap_or_else(|| self.add(at, part));
        }
        self.nodes[at].column = Some(column);
        self.nodes[at].whole |= holds == FieldType::Json;
        self.nodes[at].text |= holds == FieldType::Text;
    }

    fn child(&self, node: usize, name: &str) -> Option<usize> {
        self.nodes[node].by_name.get(name).copied()
    }

    fn add(&mut self, node: usize, name: &str) -> usize {
        let mut path = self.nodes[node].path.clone();
        path.push(name.into());
        let child = self.nodes.len();
        self.nodes.push(Node {
            path,
            quoted: serde_json::Value::from(name).to_string().into(),
            ..Node::default()
        });
        self.nodes[node].by_name.insert(name.into(), child);
        child
    }
}

pub(super) fn shape<'r>(table: &mut Table, records: &[&'r JsonRecord]) -> Shaped<'r> {
    // What a column held before the first of these records.
    let before: Vec<FieldType> = table.columns.iter().map(|column| column.holds).collect();
    for of_one_stream in records.chunk_by(|a, b| Arc::ptr_eq(&a.stream, &b.stream)) {
        table.declare(&of_one_stream[0].stream);
    }
    loop {
        let mut rejected = Vec::new();
        let mut widened = false;
        let mut rows = Vec::with_capacity(records.len());
        for &record in records {
            let mut values = Vec::new();
            if !record.removed {
                values.resize(table.columns.len(), Value::Null);
                let mut filling = Filling {
                    table,
                    values: &mut values,
                    widened: &mut widened,
                };
                if filling.record(&record.data).is_err() {
                    rejected.push(Rejection {
                        key: record.key.clone(),
                        reason: "the record is not a JSON object".to_owned(),
                    });
                    continue;
                }
            }
            rows.push(Row { record, values });
        }
        if widened {
            // Values before the one that widened its column have the old type: once more, now that all types are known.
            // Each turn widens a column, and no column can be widened more than twice.
            continue;
        }
        let width = table.columns.len();
        for row in rows.iter_mut().filter(|row| !row.record.removed) {
            row.values.resize(width, Value::Null);
        }
        let mut alterations = Vec::new();
        for (place, column) in table.columns.iter().enumerate() {
            match before.get(place) {
                None => alterations.push(Alteration::Add(column.clone())),
                Some(&from) if from != column.holds => alterations.push(Alteration::Widen {
                    column: column.clone(),
                    from,
                }),
                Some(_) => {}
            }
        }
        return Shaped {
            alterations,
            rows,
            rejected,
        };
    }
}

/// One row while it is filled.
struct Filling<'t, 'r> {
    table: &'t mut Table,
    values: &'t mut Vec<Value<'r>>,
    widened: &'t mut bool,
}

impl<'r> Filling<'_, 'r> {
    /// Takes a record.
    fn record(&mut self, data: &'r [u8]) -> Result<(), Broken> {
        let text = std::str::from_utf8(data).map_err(|_| Broken)?;
        let mut json = Scanner::new(text);
        self.object(ROOT, &mut json)?;
        if json.ended() { Ok(()) } else { Err(Broken) }
    }

    /// Takes the object at a node, field by field.
    fn object(&mut self, node: usize, json: &mut Scanner<'r>) -> Result<(), Broken> {
        if !json.take(b'{') {
            return Err(Broken);
        }
        if json.take(b'}') {
            return Ok(());
        }
        let mut before = None;
        loop {
            let field = self.field(node, before, json)?;
            match field {
                Some(field) if json.peek() == b'{' && !self.keeps_whole(field) => {
                    self.object(field, json)?;
                }
                Some(field) => {
                    let value = json.value()?;
                    self.take(field, value);
                }
                None => {
                    json.value()?;
                }
            }
            before = field.or(before);
            if !json.take(b',') {
                return if json.take(b'}') { Ok(()) } else { Err(Broken) };
            }
        }
    }

    /// Takes the name of the next field of the object at a node and finds the field's node. Objects of one stream mostly name
    /// their fields in one order, so the field that came behind `before` the last time is tried first, and, as that one may
    /// be absent, the two behind it.
    fn field(
        &mut self,
        node: usize,
        before: Option<usize>,
        json: &mut Scanner<'r>,
    ) -> Result<Option<usize>, Broken> {
        const TRIES: usize = 3;
        let nodes = &self.table.tree.nodes;
        let follower = |before: Option<usize>| match before {
            Some(before) => nodes[before].next,
            None => nodes[node].first,
        };
        json.peek();
        let mut expected = follower(before);
        for _ in 0..TRIES {
            let Some(field) = expected else { break };
            if json.take_name(&nodes[field].quoted) {
                return Ok(Some(field));
            }
            expected = nodes[field].next;
        }
        let name = text::unquoted(json.name()?);
        let tree = &mut self.table.tree;
        let field = match tree.child(node, &name) {
            Some(field) => field,
            None if tree.nodes.len() < MAX_NODES => tree.add(node, &name),
            None => return Ok(None),
        };
        match before {
            Some(before) => tree.nodes[before].next = Some(field),
            None => tree.nodes[node].first = Some(field),
        }
        Ok(Some(field))
    }

    fn put(&mut self, node: usize, seen: Seen<'r>) {
        let Some(column) = self.column(node, &seen) else {
            return;
        };
        let holds = self.table.columns[column].holds;
        match seen.fit(holds) {
            Ok(value) => {
                if self.values.len() <= column {
                    self.values.resize(column + 1, Value::Null);
                }
                self.values[column] = value;
            }
            Err(wider) => {
                self.table.columns[column].holds = wider;
                *self.widened = true;
            }
        }
    }

    fn column(&mut self, node: usize, seen: &Seen<'_>) -> Option<usize> {
        if let Some(column) = self.table.tree.nodes[node].column {
            return Some(column);
        }
        let path = &self.table.tree.nodes[node].path;
        let name = column_name(path.iter().map(|part| &**part));
        let columns = &mut self.table.columns;
        let column = match columns.iter().position(|column| column.name == name) {
            Some(known) => known,
            None if columns.len() < MAX_COLUMNS => {
                columns.push(Column {
                    name,
                    holds: seen.kind(),
                });
                columns.len() - 1
            }
            None => return None,
        };
        self.table.tree.nodes[node].column = Some(column);
        Some(column)
    }

    /// Takes a value that fills one column, or none.
    fn take(&mut self, node: usize, value: Token<'r>) {
        match value {
            Token::Null => {}
            Token::Boolean(value) => self.put(node, Seen::Boolean(value)),
            Token::Number(written) => self.put(node, Seen::Number(written)),
            Token::Nested(written) => self.put(node, Seen::Nested(text::storable_json(written))),
            Token::Text {
                written,
                escaped: true,
            } => self.put_text(node, text::unquoted(written), written),
            Token::Text { written, .. } => {
                self.put_text(node, text::inside(written).into(), written);
            }
        }
    }

    fn put_text(&mut self, node: usize, inside: Cow<'r, str>, written: &'r str) {
        if !inside.is_empty() || self.table.tree.nodes[node].text {
            self.put(node, Seen::Text(inside, written));
        }
    }

    /// Whether an object here is one value.
    fn keeps_whole(&self, node: usize) -> bool {
        let node = &self.table.tree.nodes[node];
        node.path.len() >= DEEPEST || node.whole
    }
}
