//! What a stream of JSON records is called and what its records look like.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

/// Names a stream of JSON records and tells what is known of their fields.
///
/// Each [`JsonRecord`](crate::JsonRecord) carries its stream, so a sink can make a table for it without asking anybody. The
/// declared fields are a beginning, not a border: records may have others, and a declared one may hold something else.
#[derive(Clone, PartialEq, Eq)]
pub struct Stream {
    name: Arc<str>,
    fields: Vec<Field>,
}

/// A field that a stream declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The names on the way from the record to the field: `["stats", "open_rate"]`.
    pub path: Vec<Box<str>>,
    /// What it holds. [`FieldType::Json`] keeps whatever is below the path together.
    pub holds: FieldType,
}

/// What a field holds. An empty string in anything but a [`Text`](FieldType::Text) means the same as null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldType {
    /// True or false.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// Any number, as a double.
    Number,
    /// A day, as `2026-11-21`.
    Date,
    /// A moment, as RFC 3339 writes it.
    Timestamp,
    /// Text.
    Text,
    /// An array, or an object whose fields are not wanted one by one.
    Json,
}

impl Stream {
    /// A stream of which nothing is known but its name, such as `members`.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            fields: Vec::new(),
        }
    }

    /// Declares a field by its dotted path. Declared again, the later declaration holds.
    #[must_use]
    pub fn with(mut self, path: &str, holds: FieldType) -> Self {
        let path: Vec<Box<str>> = path.split('.').map(Box::from).collect();
        self.fields.retain(|field| field.path != path);
        self.fields.push(Field { path, holds });
        self
    }

    /// The same fields under another name.
    #[must_use]
    pub fn renamed(self, name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The declared fields, in the order of their declaration.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The declared fields as a JSON Schema (draft 2020-12) of one record. Every field may be absent or null, and others may
    /// be there.
    pub fn json_schema(&self) -> serde_json::Value {
        let mut root = json!({"type": "object", "properties": {}});
        for field in &self.fields {
            let mut at = &mut root;
            for name in &field.path {
                if !at["properties"].is_object() {
                    at["properties"] = json!({});
                    at["type"] = json!(["object", "null"]);
                }
                at = &mut at["properties"][&**name];
            }
            *at = field.holds.json_schema();
        }
        root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        root["title"] = json!(&*self.name);
        root["type"] = json!("object");
        root
    }
}

impl FieldType {
    /// Its name in listings and in what a sink stores about its columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    /// The narrowest type that holds every value of both: integer into number, date into timestamp, all else into text.
    #[must_use]
    pub fn widened(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            (Self::Date, Self::Timestamp) | (Self::Timestamp, Self::Date) => Self::Timestamp,
            _ => Self::Text,
        }
    }

    fn json_schema(self) -> serde_json::Value {
        match self {
            Self::Boolean => json!({"type": ["boolean", "null"]}),
            Self::Integer => json!({"type": ["integer", "null"]}),
            Self::Number => json!({"type": ["number", "null"]}),
            Self::Date => json!({"type": ["string", "null"], "format": "date"}),
            Self::Timestamp => json!({"type": ["string", "null"], "format": "date-time"}),
            Self::Text => json!({"type": ["string", "null"]}),
            Self::Json => json!({}),
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("name", &self.name)
            .field("fields", &self.fields.len())
            .finish()
    }
}
