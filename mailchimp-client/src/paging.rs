//! Collections: one page, or a walk over all of them.

use std::fmt;

use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::{EndlessPages, Error, Operation, Result};
use crate::fetched::{Fetched, RawPage};
use crate::field::JsonObject;
use crate::json;
use crate::path::Path;
use crate::query::Query;

/// The largest page Mailchimp documents. Larger counts are accepted, but may be cut to this
/// without a word, which would look like a short page: the end of the collection.
pub const MAX_COUNT: u32 = 1000;

/// A walk over more pages than this is taken for one that never ends.
const MOST_PAGES: u64 = 100_000;

/// A page of a collection.
///
/// `Debug` shows how many items there are: items hold personal data.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the server's order.
    pub items: Vec<T>,
    /// The server's count of items that match the filters on all pages. Not reliable on segment
    /// members, and absent when `fields` does not name it.
    pub total_items: Option<u64>,
    /// What the envelope holds besides: parent ids, `constraints`, `_links`.
    pub extra: JsonObject,
}

impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items.len())
            .field("total_items", &self.total_items)
            .finish_non_exhaustive()
    }
}

/// A request for a collection, taken apart: filters, and which page.
pub(crate) struct Selection {
    pub(crate) filters: Query,
    pub(crate) count: Option<u32>,
    pub(crate) offset: Option<u64>,
}

impl Selection {
    pub(crate) fn into_query(self) -> Query {
        let mut query = self.filters;
        query.number("count", self.count);
        query.number("offset", self.offset);
        query
    }
}

/// A request for a collection that is paged by cursor.
pub(crate) struct CursorSelection {
    pub(crate) filters: Query,
    pub(crate) count: Option<u32>,
    pub(crate) cursor: Option<String>,
}

impl CursorSelection {
    pub(crate) fn into_query(self) -> Query {
        let mut query = self.filters;
        query.number("count", self.count);
        query.text("cursor", self.cursor.as_deref());
        query
    }
}

/// Page of a collection that takes no other parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageRequest {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Members of the answer to send, as paths below the envelope: `tags.name`, `total_items`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out. What matches nothing is ignored by the server.
    pub exclude_fields: Vec<String>,
}

impl PageRequest {
    pub(crate) fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
    }
}

/// A collection of one endpoint: where it is and under which key its items are.
#[derive(Clone)]
pub(crate) struct Collection {
    pub(crate) client: Client,
    pub(crate) path: Path,
    pub(crate) items_key: &'static str,
}

impl Collection {
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        selection: Selection,
    ) -> Result<Fetched<Page<T>>> {
        self.fetch(&selection.into_query()).await
    }

    async fn fetch<T: DeserializeOwned>(&self, query: &Query) -> Result<Fetched<Page<T>>> {
        let (operation, answer) = self.client.read(&self.path, query).await?;
        let page = json::raw_page(
            &answer.body,
            self.items_key,
            [],
            |row, []| row,
            &operation,
            answer.meta,
        )?;
        let page_of_items = Page {
            items: self.items(&page, &operation)?,
            total_items: page.total_items,
            extra: JsonObject(json::envelope_extra(&page, &operation)?),
        };
        Ok(Fetched::new(page_of_items, page.meta))
    }

    pub(crate) async fn rows(&self, selection: Selection) -> Result<RawPage> {
        self.client
            .get_rows(&self.path, self.items_key, &selection.into_query())
            .await
    }

    /// All items, page after page.
    pub(crate) fn stream<T: DeserializeOwned + Send + 'static>(
        self,
        selection: Selection,
    ) -> impl Stream<Item = Result<T>> + Send + 'static {
        let pages = self.clone().pages(selection);
        self.flatten(pages)
    }

    /// All pages, as a walk by offset.
    ///
    /// It ends with the first page that is shorter than asked for: `total_items` undercounts on
    /// some collections. On a collection that changes meanwhile, such a walk can miss rows and
    /// see others twice.
    pub(crate) fn pages(
        self,
        selection: Selection,
    ) -> impl Stream<Item = Result<RawPage>> + Send + 'static {
        let walk = Walk {
            count: selection.count.unwrap_or(MAX_COUNT).clamp(1, MAX_COUNT),
            offset: selection.offset.unwrap_or(0),
            filters: selection.filters,
            collection: self,
            pages: 0,
            previous: Vec::new(),
        };
        stream::try_unfold(Some(walk), |walk| async move {
            match walk {
                Some(walk) => walk.step().await,
                None => Ok(None),
            }
        })
    }

    /// All pages of a collection that is paged by cursor, from the cursor given or the beginning.
    ///
    /// It ends with the page that names no next one, or an empty one that names itself.
    pub(crate) fn cursor_pages(
        self,
        selection: CursorSelection,
    ) -> impl Stream<Item = Result<RawPage>> + Send + 'static {
        let walk = CursorWalk {
            collection: self,
            filters: selection.filters,
            count: selection.count.unwrap_or(MAX_COUNT).clamp(1, MAX_COUNT),
            cursor: selection.cursor,
            pages: 0,
            rows: 0,
        };
        stream::try_unfold(Some(walk), |walk| async move {
            match walk {
                Some(walk) => walk.step().await,
                None => Ok(None),
            }
        })
    }

    fn endless(&self, offset: u64) -> Error {
        Error::EndlessPages(Box::new(EndlessPages {
            operation: Operation::new(http::Method::GET, self.path.template_owned()),
            offset,
        }))
    }

    pub(crate) async fn cursor_page<T: DeserializeOwned>(
        &self,
        selection: CursorSelection,
    ) -> Result<Fetched<Page<T>>> {
        self.fetch(&selection.into_query()).await
    }

    /// The items of pages.
    pub(crate) fn flatten<T: DeserializeOwned + Send + 'static>(
        self,
        pages: impl Stream<Item = Result<RawPage>> + Send + 'static,
    ) -> impl Stream<Item = Result<T>> + Send + 'static {
        let operation = Operation::new(http::Method::GET, self.path.template_owned());
        pages
            .and_then(move |page| {
                let items = self.items::<T>(&page, &operation);
                async move { Ok(stream::iter(items?.into_iter().map(Ok))) }
            })
            .try_flatten()
    }

    fn items<T: DeserializeOwned>(&self, page: &RawPage, operation: &Operation) -> Result<Vec<T>> {
        page.rows
            .iter()
            .enumerate()
            .map(|(index, row)| json::decode_row(row, self.items_key, index, operation, &page.meta))
            .collect()
    }
}

struct Walk {
    collection: Collection,
    filters: Query,
    count: u32,
    offset: u64,
    pages: u64,
    /// The rows of the last full page: a server that ignores `offset` sends them for ever.
    previous: Vec<Bytes>,
}

impl Walk {
    async fn step(mut self) -> Result<Option<(RawPage, Option<Self>)>> {
        let selection = Selection {
            filters: self.filters.clone(),
            count: Some(self.count),
            offset: Some(self.offset),
        };
        let page = self.collection.rows(selection).await?;
        if (page.rows.len() as u64) < u64::from(self.count) {
            return Ok(Some((page, None)));
        }
        self.pages += 1;
        let repeats = page.rows == self.previous;
        if repeats && page.rows.len() as u64 > u64::from(self.count) {
            // More than asked for, twice the same: an endpoint without pages, which gave all it
            // has the first time.
            return Ok(None);
        }
        if repeats || self.pages >= MOST_PAGES {
            return Err(self.collection.endless(self.offset));
        }
        self.offset += page.rows.len() as u64;
        self.previous.clone_from(&page.rows);
        Ok(Some((page, Some(self))))
    }
}

struct CursorWalk {
    collection: Collection,
    filters: Query,
    count: u32,
    cursor: Option<String>,
    pages: u64,
    rows: u64,
}

impl CursorWalk {
    async fn step(mut self) -> Result<Option<(RawPage, Option<Self>)>> {
        if self.filters.leaves_out("next_cursor") {
            return Err(Error::request(
                "fields",
                "must have next_cursor, without which every page looks like the last",
            ));
        }
        let query = CursorSelection {
            filters: self.filters.clone(),
            count: Some(self.count),
            cursor: self.cursor.clone(),
        }
        .into_query();
        let page = self
            .collection
            .client
            .get_rows(&self.collection.path, self.collection.items_key, &query)
            .await?;
        let next = page.next_cursor();
        self.pages += 1;
        // The cursor is documented as pointing to a page's last item, so one may come with the last
        // page too: the empty page behind that one has nothing new to point to.
        let stands_still = next == self.cursor;
        if next.is_none() || (stands_still && page.rows.is_empty()) {
            return Ok(Some((page, None)));
        }
        if stands_still || self.pages >= MOST_PAGES {
            return Err(self.collection.endless(self.rows));
        }
        self.rows += page.rows.len() as u64;
        self.cursor = next;
        Ok(Some((page, Some(self))))
    }
}
