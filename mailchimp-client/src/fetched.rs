//! Values together with what the answer said about itself.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

/// What an answer says besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The HTTP status.
    pub status: u16,
    /// `X-Request-Id`, the id Mailchimp's support asks for; `None` if what came is no plain word.
    pub request_id: Option<String>,
    /// The server's clock (`Date`), in whole seconds, when the answer began.
    pub server_time: Option<DateTime<Utc>>,
    /// Size of the decoded body in bytes.
    pub bytes: u64,
}

/// A value and the answer it came in. `Debug` shows the answer only: values hold personal data.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Fetched<T> {
    /// The value.
    pub value: T,
    /// The answer it came in.
    pub meta: Meta,
}

impl<T> Fetched<T> {
    /// Pairs a value with its answer.
    pub(crate) fn new(value: T, meta: Meta) -> Self {
        Self { value, meta }
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for Fetched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

/// A page of a collection whose rows are left as JSON text.
///
/// Rows are slices of the page's body, without a copy: keeping one row keeps the whole body in
/// memory. Where a call takes a function for rows, what that made of them. `Debug` shows how many there are.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct RawPage<R = Bytes> {
    /// One JSON object each, in the server's order. Rows are valid JSON of any depth.
    pub rows: Vec<R>,
    /// The server's count of rows that match the filters on all pages. Not reliable on segment
    /// members, and absent when `fields` does not name it.
    pub total_items: Option<u64>,
    /// What else the envelope holds, name and JSON text in the server's order: parent ids,
    /// `total_file_size`, `next_cursor`, `_links`. See [`RawPage::envelope`].
    pub extra: Vec<(String, Bytes)>,
    /// The answer they came in.
    pub meta: Meta,
}

impl<R> RawPage<R> {
    /// A member of the envelope beside rows and `total_items`, such as `campaign_id`. `None` when
    /// it is absent or no `T`.
    pub fn envelope<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let (_, text) = self.extra.iter().find(|(known, _)| known == name)?;
        serde_json::from_slice(text).ok()
    }

    /// Where the next page of a collection paged by cursor begins. `None` on its last page, and
    /// on collections paged by offset.
    pub fn next_cursor(&self) -> Option<String> {
        self.envelope("next_cursor")
            .filter(|cursor: &String| !cursor.is_empty())
    }
}

impl<R> fmt::Debug for RawPage<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPage")
            .field("rows", &self.rows.len())
            .field("total_items", &self.total_items)
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
