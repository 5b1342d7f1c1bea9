//! Answers and collections as JSON text.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::problem::Problem;
use crate::query::{Call, Paging, Twist};
use crate::simulator::Context;

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// Items of the collection in it, for the statistics.
    pub(crate) rows: usize,
}

pub(crate) const JSON: &str = "application/json; charset=utf-8";

impl Answer {
    pub(crate) fn text(body: String, rows: usize) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            body: body.into(),
            rows,
        }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::text(value.to_string(), 0)
    }

    /// A single resource, cut down to what the request asks for.
    pub(crate) fn selected(value: Value, call: &Call) -> Result<Self, Problem> {
        let selection = call.query.selection()?;
        let value = selection
            .root()
            .prune(value)
            .unwrap_or_else(|| Value::Object(Map::new()));
        Ok(Self::json(&value))
    }

    /// The same with every row of a collection changed, or with a single resource changed.
    pub(crate) fn with_rows(self, mut change: impl FnMut(&mut Map<String, Value>)) -> Self {
        let Ok(Value::Object(mut envelope)) = serde_json::from_slice(&self.body) else {
            return self;
        };
        if envelope.contains_key("total_items") {
            let parts = envelope.iter_mut().filter(|(name, _)| *name != "_links");
            let rows = parts.flat_map(|(_, part)| part.as_array_mut().into_iter().flatten());
            rows.filter_map(Value::as_object_mut).for_each(change);
        } else {
            change(&mut envelope);
        }
        Self {
            body: Value::Object(envelope).to_string().into(),
            ..self
        }
    }

    /// A 204. It claims to be JSON and has no body, like the live one.
    pub(crate) fn nothing() -> Self {
        Self {
            status: 204,
            content_type: JSON,
            body: Bytes::new(),
            rows: 0,
        }
    }
}

/// A collection whose rows are made when they are on the page.
pub(crate) struct Rows<'a> {
    key: &'static str,
    len: usize,
    row: Box<dyn Fn(usize) -> Option<Value> + 'a>,
    others: Vec<(&'static str, Value)>,
    total: bool,
    paged: bool,
}

impl<'a> Rows<'a> {
    /// `len` rows under `key`, of which `row` makes the one at a position.
    pub(crate) fn new(
        key: &'static str,
        len: usize,
        row: impl Fn(usize) -> Option<Value> + 'a,
    ) -> Self {
        Self {
            key,
            len,
            row: Box::new(row),
            others: Vec::new(),
            total: true,
            paged: true,
        }
    }

    /// Adds a key to the envelope.
    pub(crate) fn with(mut self, key: &'static str, value: Value) -> Self {
        self.others.push((key, value));
        self
    }

    pub(crate) fn without_total(mut self) -> Self {
        self.total = false;
        self
    }

    /// All rows at once, whatever `count` and `offset` say.
    pub(crate) fn unpaged(mut self) -> Self {
        self.paged = false;
        self
    }

    pub(crate) fn answer(self, context: &Context<'_>, call: &Call) -> Result<Answer, Problem> {
        let paging = if self.paged {
            call.query.paging(context.settings.page_clamp)?
        } else {
            Paging {
                offset: 0,
                count: usize::MAX,
            }
        };
        let selection = call.query.selection()?;
        let mut positions: Vec<usize> = (0..self.len)
            .skip(paging.offset)
            .take(paging.count)
            .collect();
        call.twist.rows(&mut positions);
        let rows: Vec<Value> = positions.into_iter().filter_map(&self.row).collect();
        let count = rows.len();
        let mut envelope = Map::new();
        envelope.insert(self.key.to_owned(), rows.into());
        if self.total {
            envelope.insert(
                "total_items".to_owned(),
                call.twist.total_items(self.len).into(),
            );
        }
        for (key, value) in self.others {
            envelope.insert(key.to_owned(), value);
        }
        let body = selection.root().prune(envelope.into()).unwrap_or_default();
        Ok(Answer::text(body.to_string(), count))
    }
}

impl Twist {
    /// Applies the lie about rows to the items of a page.
    pub(crate) fn rows<T>(self, page: &mut Vec<T>) {
        if self.empty {
            page.clear();
        }
        if let Some(seed) = self.shuffle {
            fastrand::Rng::with_seed(seed).shuffle(page);
        }
    }

    /// Applies the lie about the total.
    pub(crate) fn total_items(self, true_total: usize) -> u64 {
        (true_total as u64).saturating_add_signed(self.total)
    }
}

/// Appends any JSON value.
pub(crate) fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => write_str(out, text),
        Value::Object(map) => {
            out.push('{');
            for (position, (name, part)) in map.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_str(out, name);
                out.push(':');
                write_value(out, part);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Appends a JSON string.
pub(crate) fn write_str(out: &mut String, text: &str) {
    // Counts rather than stops at the first: the compiler turns that into a few wide comparisons.
    let special = text
        .bytes()
        .filter(|byte| matches!(byte, 0..b' ' | b'"' | b'\\'))
        .count();
    if special == 0 {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}
