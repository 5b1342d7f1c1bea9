//! The rows at one path, however the API gives them.

use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use mailchimp_client::{Client, Error as ClientError, MAX_COUNT, Path, Query, RawPage};
use sync_core::{Result, fingerprint};

use super::definition::{Rows, StreamDefinition};
use super::error::translate;
use super::record::{Fields, own_key};
use super::walk::{Identify, Step, Walk};

/// Gives the rows at a path.
pub(super) struct RowReader {
    how: How,
}

enum How {
    Walk(Box<Walk>),
    Cursor(CursorPages),
    Once(Box<Once>),
    Ended,
}

/// Pages that name the next one.
struct CursorPages {
    stream: &'static str,
    pages: BoxStream<'static, Result<RawPage, ClientError>>,
}

/// A request whose answer is everything.
struct Once {
    client: Client,
    stream: &'static str,
    rows: Rows,
    path: Path,
    query: Query,
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
            Rows::Cursor(items) => How::Cursor(CursorPages {
                stream: definition.name,
                pages: client
                    .cursor_pages(path, items, query, MAX_COUNT, None)
                    .boxed(),
            }),
            rows => How::Once(Box::new(Once {
                client,
                stream: definition.name,
                rows,
                path,
                query,
            })),
        };
        Self { how }
    }

    /// Takes the first page of a paged collection from elsewhere instead of asking for it.
    pub(super) fn begin_with(&mut self, first: RawPage) {
        if let How::Walk(walk) = &mut self.how {
            walk.begin_with(first);
        }
    }

    /// The next rows; `None` at the end. Cancel-safe, but that a single answer is asked for again.
    pub(super) async fn next(&mut self) -> Result<Option<Step>> {
        match &mut self.how {
            How::Walk(walk) => walk.next().await,
            How::Cursor(CursorPages { stream, pages }) => {
                let page = pages.try_next().await;
                let page = page.map_err(|error| translate(error, "read stream", stream))?;
                Ok(page.map(Step::from))
            }
            How::Once(once) => {
                let step = once.ask().await?;
                self.how = How::Ended;
                Ok(Some(step))
            }
            How::Ended => Ok(None),
        }
    }
}

impl Once {
    async fn ask(&self) -> Result<Step> {
        let failed = |error| translate(error, "read stream", self.stream);
        if let Some(items) = self.rows.items() {
            let page = self.client.get_rows(&self.path, items, &self.query).await;
            return page.map(Step::from).map_err(failed);
        }
        let answer = self.client.get_bytes(&self.path, &self.query).await;
        Ok(Step {
            rows: vec![answer.map_err(failed)?.value],
            total: Some(1),
        })
    }
}

/// The query with what the stream always asks.
pub(super) fn asked(definition: &StreamDefinition, query: Query) -> Query {
    definition.query.iter().fold(query, |query, (name, value)| {
        query.with(*name, (*value).to_owned())
    })
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
