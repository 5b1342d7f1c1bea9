//! The rows at one path, however the API gives them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use mailchimp_client::{Client, Path, Query};
use serde_json::value::RawValue;
use sync_core::{Error, ErrorKind, Result, fingerprint};

use super::definition::{Rows, StreamDefinition};
use super::error::{restless, translate};
use super::record::{Fields, own_key, text};
use super::walk::{Identify, Page, Step, Walk};

/// A collection with more pages than this, by cursor, never ends.
const MOST_PAGES: u32 = 1_000_000;

/// Gives the rows at a path.
#[derive(Debug)]
pub(super) struct RowReader {
    how: How,
}

#[derive(Debug)]
enum How {
    Walk(Box<Walk>),
    Once(Box<Once>),
    Ended,
}

/// A request whose answer names the next one, or is the only one.
#[derive(Debug)]
struct Once {
    client: Client,
    stream: &'static str,
    rows: Rows,
    path: Path,
    query: Query,
    cursor: Option<String>,
    pages: u32,
}

impl RowReader {
    /// Reads the rows at a path, with `query` besides what the stream always asks. Pages are asked for `ahead` at once, ten
    /// at most.
    pub(super) fn new(
        client: &Client,
        definition: &'static StreamDefinition,
        path: Path,
        query: Query,
        ahead: usize,
    ) -> Self {
        let query = asked(definition, query);
        let client = client.clone();
        let how = match definition.rows {
            Rows::Pages(items) | Rows::Nested { items, .. } => How::Walk(Box::new(Walk::new(
                client,
                path,
                items,
                query,
                definition.name,
                identify(definition),
                ahead.clamp(1, 10),
            ))),
            rows => How::Once(Box::new(Once {
                client,
                stream: definition.name,
                rows,
                path,
                query,
                cursor: None,
                pages: 0,
            })),
        };
        Self { how }
    }

    /// Takes the first page of a paged collection from elsewhere instead of asking for it.
    pub(super) fn begin_with(&mut self, first: Page) {
        if let How::Walk(walk) = &mut self.how {
            walk.begin_with(first);
        }
    }

    /// The next rows; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Step>> {
        match &mut self.how {
            How::Walk(walk) => walk.next().await,
            How::Once(once) => {
                let (step, more) = once.ask().await?;
                if !more {
                    self.how = How::Ended;
                }
                Ok(Some(step))
            }
            How::Ended => Ok(None),
        }
    }
}

impl Once {
    /// The rows of the next answer, and whether there are more.
    async fn ask(&mut self) -> Result<(Step, bool)> {
        let failed = |error| translate(error, "read stream", self.stream);
        match self.rows {
            Rows::Whole(items) | Rows::Pages(items) | Rows::Nested { items, .. } => {
                let page = self.client.get_rows(&self.path, items, &self.query).await;
                let page = page.map_err(failed)?;
                let step = Step {
                    rows: page.rows,
                    total: page.total_items,
                };
                Ok((step, false))
            }
            Rows::Single => {
                let answer = self.client.get_bytes(&self.path, &self.query).await;
                let step = Step {
                    rows: vec![answer.map_err(failed)?.value],
                    total: Some(1),
                };
                Ok((step, false))
            }
            Rows::Cursor(items) => {
                let mut query = self
                    .query
                    .clone()
                    .with("count", mailchimp_client::MAX_COUNT.to_string());
                if let Some(cursor) = &self.cursor {
                    query = query.with("cursor", cursor.clone());
                }
                let answer = self.client.get_bytes(&self.path, &query).await;
                let answer = answer.map_err(failed)?.value;
                let (rows, next) = page_and_cursor(&answer, items).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Invalid,
                        "read stream",
                        "the answer has no array of records",
                    )
                    .with("stream", self.stream)
                })?;
                self.pages += 1;
                if next.is_some() && (next == self.cursor || self.pages > MOST_PAGES) {
                    return Err(restless(self.stream));
                }
                self.cursor = next;
                let step = Step { rows, total: None };
                Ok((step, self.cursor.is_some()))
            }
        }
    }
}

/// The query with what the stream always asks.
pub(super) fn asked(definition: &StreamDefinition, query: Query) -> Query {
    definition.query.iter().fold(query, |query, (name, value)| {
        query.with(*name, (*value).to_owned())
    })
}

/// The rows of an answer and the cursor of the next one.
fn page_and_cursor(answer: &Bytes, items: &str) -> Option<(Vec<Bytes>, Option<String>)> {
    let fields = Fields::of(answer)?;
    let rows = rows_of(&fields, answer, items)?;
    let next = fields.get("next_cursor").map(text);
    let next = next.filter(|cursor| !cursor.is_empty());
    Some((rows, next.map(Cow::into_owned)))
}

/// The page that an answer holds; `None` if it holds none.
pub(super) fn page(answer: &Bytes, items: &str) -> Option<Page> {
    let fields = Fields::of(answer)?;
    Some(Page {
        rows: rows_of(&fields, answer, items)?,
        total: fields
            .get("total_items")
            .and_then(|total| total.get().parse().ok()),
    })
}

fn rows_of(fields: &Fields<'_>, answer: &Bytes, items: &str) -> Option<Vec<Bytes>> {
    let rows: Vec<&RawValue> = serde_json::from_str(fields.get(items)?.get()).ok()?;
    let rows = rows.into_iter();
    Some(
        rows.map(|row| answer.slice_ref(row.get().as_bytes()))
            .collect(),
    )
}

/// Tells rows of a stream apart: by what names them, or else by all they say.
fn identify(definition: &'static StreamDefinition) -> Identify {
    let names: Vec<&'static str> = match definition.rows {
        Rows::Nested { carried, .. } => carried.iter().map(|(from, _)| *from).collect(),
        _ => own_key(definition).collect(),
    };
    Arc::new(move |row| {
        let mut id = String::new();
        if let Some(fields) = Fields::of(row) {
            for name in &names {
                id.push_str(&fields.id(name));
                id.push('\u{1f}');
            }
        }
        if id.bytes().all(|byte| byte == 0x1f) {
            fingerprint(row)
        } else {
            fingerprint(id.as_bytes())
        }
    })
}
