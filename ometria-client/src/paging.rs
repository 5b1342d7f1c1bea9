//! Pages by limit and offset, the only way Ometria offers.

use std::collections::VecDeque;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use serde_json::Value;

use crate::document::FromObject;
use crate::error::{Error, Result, decode_error};
use crate::http::Answer;

/// Which part of a list to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Items in a page, at least 1. Ometria's own default is 10 and it allows at most 250 where it documents a limit.
    pub limit: u32,
    /// Items to pass over.
    pub offset: u64,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: 250,
            offset: 0,
        }
    }
}

impl PageRequest {
    pub(crate) fn query(self) -> [(&'static str, String); 2] {
        [
            ("limit", self.limit.max(1).to_string()),
            ("offset", self.offset.to_string()),
        ]
    }
}

/// One page of a list. The list is live: what changes between two pages can shift items past the reader.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The offset that was asked for.
    pub offset: u64,
    fingerprint: u64,
}

pub(crate) fn read_page<T: FromObject>(
    endpoint: &'static str,
    answer: &Answer,
    offset: u64,
) -> Result<Page<T>> {
    let fingerprint = fingerprint(answer.response.body());
    Ok(Page {
        items: read_array(endpoint, answer)?,
        offset,
        fingerprint,
    })
}

/// The objects of an answer that is an array.
pub(crate) fn read_array<T: FromObject>(endpoint: &'static str, answer: &Answer) -> Result<Vec<T>> {
    let status = answer.response.status();
    let Ok(Value::Array(items)) = serde_json::from_slice(answer.response.body()) else {
        return Err(decode_error(endpoint, status, "$", "an array"));
    };
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match item {
            Value::Object(object) => Ok(T::from_object(object)),
            _ => Err(decode_error(
                endpoint,
                status,
                format!("$[{index}]"),
                "an object",
            )),
        })
        .collect()
}

/// The object of an answer that is one.
pub(crate) fn read_object<T: FromObject>(endpoint: &'static str, answer: &Answer) -> Result<T> {
    match serde_json::from_slice(answer.response.body()) {
        Ok(Value::Object(object)) => Ok(T::from_object(object)),
        _ => Err(decode_error(
            endpoint,
            answer.response.status(),
            "$",
            "an object",
        )),
    }
}

fn fingerprint(body: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

/// Walks a list from `start`, one page at a time.
///
/// It ends at an empty page, not at a short one: a server that caps the limit below what was asked sends short pages
/// from the start. A page equal to the one before means that the offset is ignored, and is an error.
pub(crate) fn walk<T, F, Fut>(
    endpoint: &'static str,
    start: PageRequest,
    fetch: F,
) -> impl Stream<Item = Result<T>>
where
    F: Fn(PageRequest) -> Fut,
    Fut: Future<Output = Result<Page<T>>>,
{
    struct Walk<T, F> {
        fetch: F,
        next: PageRequest,
        before: Option<u64>,
        ready: VecDeque<T>,
    }
    let walk = Walk {
        fetch,
        next: start,
        before: None,
        ready: VecDeque::new(),
    };
    try_unfold(walk, move |mut walk| async move {
        if walk.ready.is_empty() {
            let page = (walk.fetch)(walk.next).await?;
            if !page.items.is_empty() && walk.before == Some(page.fingerprint) {
                return Err(Error::PagesRepeat {
                    endpoint,
                    offset: walk.next.offset,
                });
            }
            walk.before = Some(page.fingerprint);
            walk.next.offset += page.items.len() as u64;
            walk.ready = page.items.into();
        }
        Ok(walk.ready.pop_front().map(|item| (item, walk)))
    })
}
