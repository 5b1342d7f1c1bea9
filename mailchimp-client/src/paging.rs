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
    fn into_query(self) -> Query {
        let mut query = self.filters;
        query.number("count", self.count);
        query.number("offset", self.offset);
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
        let (operation, answer) = self
            .client
            .read(&self.path, &selection.into_query())
            .await?;
        let (page, extra) =
            json::raw_page(&answer.body, self.items_key, true, &operation, answer.meta)?;
        let items = self.items(&page, &operation)?;
        let page_of_items = Page {
            items,
            total_items: page.total_items,
            extra: JsonObject(extra),
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
        let operation = Operation::new(http::Method::GET, self.path.template_owned());
        let collection = self.clone();
        self.pages(selection)
            .and_then(move |page| {
                let items = collection.items::<T>(&page, &operation);
                async move { Ok(stream::iter(items?.into_iter().map(Ok))) }
            })
            .try_flatten()
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
        if page.rows == self.previous || self.pages >= MOST_PAGES {
            return Err(Error::EndlessPages(Box::new(EndlessPages {
                operation: Operation::new(http::Method::GET, self.collection.path.template_owned()),
                offset: self.offset,
            })));
        }
        self.offset += page.rows.len() as u64;
        self.previous.clone_from(&page.rows);
        Ok(Some((page, Some(self))))
    }
}
