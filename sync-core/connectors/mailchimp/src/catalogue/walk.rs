//! A collection by offset, so that nothing slips through between two pages.
//!
//! Offsets count rows of a live table. When a row in front of the next page vanishes, everything behind it moves up by one,
//! and a walk that goes on at the next multiple of the page size passes over a row that nobody touched. So each page begins a
//! few rows before the end of the one before, and is only taken if one of those rows is in it: everything behind that row
//! is new, and nothing can stand between. If none of them is there, more has vanished than the overlap, and the walk steps
//! back until it finds its own tracks. Rows that appear in front of the page only make it repeat rows, which does no harm.
//!
//! That proves the pages joined under any number of removals and additions, as long as the server keeps the rows in one
//! order. It cannot prove anything about a server that shuffles them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use mailchimp_client::{Client, Path, Query, RawPage};
use sync_core::Result;

use super::error::{restless, translate};
use crate::reader::fewer_rows_may_help;

/// Rows that two pages share.
const OVERLAP: usize = 10;

/// Smallest page asked for when larger ones fail.
const SMALLEST_PAGE: u64 = 50;

/// How often a walk may lose its tracks before it gives up.
const MOST_RETURNS: u32 = 8;

/// Pages in a row without anything new: a server that ignores the offset sends them for ever.
const MOST_STALLED: u32 = 20;

/// Tells a row from others, whatever else about it changes.
pub(super) type Identify = Arc<dyn Fn(&Bytes) -> u64 + Send + Sync>;

/// A page of rows that follow those of the page before.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) rows: Vec<Bytes>,
    /// How many rows the server says there are.
    pub(super) total: Option<u64>,
}

/// What came for an offset, and for which line of pages it was asked.
type Answer = BoxFuture<'static, (u32, u64, Result<RawPage, mailchimp_client::Error>)>;

/// A walk under way.
pub(super) struct Walk {
    client: Client,
    path: Path,
    items: &'static str,
    query: Query,
    stream: &'static str,
    identify: Identify,
    /// Rows asked for at once.
    count: u64,
    /// Pages asked for at once.
    ahead: usize,
    asked: FuturesOrdered<Answer>,
    /// Counts the lines of pages. Answers to an earlier one are waited for and thrown away: a request that is given up keeps
    /// its connection at the server.
    line: u32,
    /// The offset of the next page to ask for.
    next: u64,
    /// The last rows taken, oldest first.
    tracks: VecDeque<u64>,
    total: Option<u64>,
    stalled: u32,
    returns: u32,
    ended: bool,
}

impl Walk {
    pub(super) fn new(
        client: Client,
        path: Path,
        items: &'static str,
        query: Query,
        stream: &'static str,
        identify: Identify,
        ahead: usize,
    ) -> Self {
        Self {
            client,
            path,
            items,
            query,
            stream,
            identify,
            count: u64::from(mailchimp_client::MAX_COUNT),
            ahead,
            asked: FuturesOrdered::new(),
            line: 0,
            next: 0,
            tracks: VecDeque::new(),
            total: None,
            stalled: 0,
            returns: 0,
            ended: false,
        }
    }

    /// The next rows; `None` at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Step>> {
        while !self.ended {
            self.ask();
            let Some((line, offset, answer)) = self.asked.next().await else {
                break;
            };
            if line != self.line {
                continue;
            }
            let page = match answer {
                Ok(page) => page,
                Err(error) if fewer_rows_may_help(&error) && self.count > SMALLEST_PAGE => {
                    // Large pages of some collections never come back.
                    self.count = (self.count / 2).max(SMALLEST_PAGE);
                    self.go_to(offset);
                    continue;
                }
                Err(error) => return Err(translate(error, "read stream", self.stream)),
            };
            if let Some(step) = self.take(offset, page)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    fn go_to(&mut self, offset: u64) {
        self.line += 1;
        self.next = offset;
    }

    fn ask(&mut self) {
        while self.asked.len() < self.ahead {
            let (line, offset) = (self.line, self.next);
            // Beyond what the server counts, one page at a time: the end shows by a short page.
            let certain = self.total.is_some_and(|total| offset < total);
            if !self.asked.is_empty() && !certain {
                return;
            }
            let (client, path, items) = (self.client.clone(), self.path.clone(), self.items);
            let query = self
                .query
                .clone()
                .with("count", self.count.to_string())
                .with("offset", offset.to_string());
            self.asked.push_back(Box::pin(async move {
                (line, offset, client.get_rows(&path, items, &query).await)
            }));
            self.next = offset + self.count - OVERLAP as u64;
        }
    }

    /// Where the rows begin that stand behind our tracks; `None` if there are no tracks here.
    fn join(&self, rows: &[Bytes]) -> Option<usize> {
        let is_track = |row: &Bytes| self.tracks.contains(&(self.identify)(row));
        let first = rows.iter().position(is_track)?;
        let behind = rows[first..].iter().position(|row| !is_track(row));
        Some(behind.map_or(rows.len(), |behind| first + behind))
    }

    fn take(&mut self, offset: u64, page: RawPage) -> Result<Option<Step>> {
        let RawPage {
            mut rows,
            total_items,
            ..
        } = page;
        self.total = total_items.or(self.total);
        let end = offset + rows.len() as u64;
        let full = rows.len() as u64 >= self.count;
        let from = match self.join(&rows) {
            Some(from) => from,
            None if self.tracks.is_empty() || offset == 0 => 0,
            None => {
                self.returns += 1;
                if self.returns > MOST_RETURNS {
                    return Err(restless(self.stream));
                }
                let back = self.count - OVERLAP as u64;
                self.go_to(offset.saturating_sub(back << (self.returns - 1)));
                return Ok(None);
            }
        };
        rows.drain(..from);
        let new = rows.len();
        for row in rows.iter().skip(new.saturating_sub(OVERLAP)) {
            if self.tracks.len() == OVERLAP {
                self.tracks.pop_front();
            }
            self.tracks.push_back((self.identify)(row));
        }
        self.stalled = if new == 0 { self.stalled + 1 } else { 0 };
        if full {
            // Nothing new on a full page: a server that ignores the offset, or rows that were put in front.
            self.ended = new == 0 && self.total.is_none_or(|total| end >= total);
            if self.stalled > MOST_STALLED {
                return Err(restless(self.stream));
            }
        } else if self.total.is_some_and(|total| total > end) && new > 0 {
            // Shorter than asked for, and yet not the last one by the server's count.
            self.go_to(end.saturating_sub(OVERLAP as u64));
        } else {
            self.ended = true;
        }
        Ok(Some(Step {
            rows,
            total: self.total,
        }))
    }
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk")
            .field("path", &self.path)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
