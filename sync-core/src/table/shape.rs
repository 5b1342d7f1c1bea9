//! Records into rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

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
    column: Option<usize>,
    children: Vec<usize>,
    by_name: HashMap<Box<str>, usize>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Tree {
    pub(super) fn declare(&mut self, path: &[Box<str>], column: usize) {
        let mut at = ROOT;
        for part in path {
            at = self.child(at, part).unwrap_or_else(|| self.add(at, part));
        }
        self.nodes[at].column = Some(column);
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
            ..Node::default()
        });
        self.nodes[node].children.push(child);
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
                values.reserve(table.columns.len());
                let mut filling = Filling {
                    table,
                    values: &mut values,
                    widened: &mut widened,
                };
                let mut json = serde_json::Deserializer::from_slice(&record.data);
                let read = Below {
                    filling: &mut filling,
                    node: ROOT,
                }
                .deserialize(&mut json);
                if read.and_then(|()| json.end()).is_err() {
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
    /// The node below `node` with this name. `expected` is where it stood in the record before: objects of one stream mostly
    /// name their fields in one order.
    fn child(&mut self, node: usize, expected: usize, name: &str) -> Option<usize> {
        let tree = &mut self.table.tree;
        if let Some(&child) = tree.nodes[node].children.get(expected)
            && tree.nodes[child]
                .path
                .last()
                .is_some_and(|known| **known == *name)
        {
            return Some(child);
        }
        match tree.child(node, name) {
            Some(child) => Some(child),
            None if tree.nodes.len() < MAX_NODES => Some(tree.add(node, name)),
            None => None,
        }
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

    /// Takes a value of which only the text is known.
    fn take(&mut self, node: usize, raw: &'r RawValue) -> Result<(), serde_json::Error> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') if !self.keeps_whole(node) => Below {
                filling: self,
                node,
            }
            .deserialize(&mut serde_json::Deserializer::from_str(text))?,
            Some(b'{' | b'[') => self.put(node, Seen::Nested(text::storable_json(text))),
            Some(b'"') => self.put_text(node, text::unquoted(text), text),
            Some(b't') => self.put(node, Seen::Boolean(true)),
            Some(b'f') => self.put(node, Seen::Boolean(false)),
            Some(b'n') | None => {}
            Some(_) => self.put(node, Seen::Number(text)),
        }
        Ok(())
    }

    fn put_text(&mut self, node: usize, inside: Cow<'r, str>, written: &'r str) {
        if !inside.is_empty() {
            self.put(node, Seen::Text(inside, written));
        } else if let Some(column) = self.table.tree.nodes[node].column
            && self.table.columns[column].holds == FieldType::Text
        {
            self.put(node, Seen::Text(inside, written));
        }
    }

    /// Whether an object here is one value.
    fn keeps_whole(&self, node: usize) -> bool {
        let node = &self.table.tree.nodes[node];
        node.path.len() >= DEEPEST
            || node
                .column
                .is_some_and(|column| self.table.columns[column].holds == FieldType::Json)
    }
}

/// Reads the object at a node.
struct Below<'f, 't, 'r> {
    filling: &'f mut Filling<'t, 'r>,
    node: usize,
}

impl<'r> DeserializeSeed<'r> for Below<'_, '_, 'r> {
    type Value = ();

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'r> Visitor<'r> for Below<'_, '_, 'r> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(child) = map.next_key_seed(Name {
            filling: self.filling,
            node: self.node,
            expected,
        })? {
            expected += 1;
            match child {
                Some(child) => {
                    let raw: &'r RawValue = map.next_value()?;
                    self.filling
                        .take(child, raw)
                        .map_err(serde::de::Error::custom)?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a field's name and finds its node.
struct Name<'f, 't, 'r> {
    filling: &'f mut Filling<'t, 'r>,
    node: usize,
    expected: usize,
}

impl<'r> DeserializeSeed<'r> for Name<'_, '_, 'r> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'r> Visitor<'r> for Name<'_, '_, 'r> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.filling.child(self.node, self.expected, name))
    }
}
