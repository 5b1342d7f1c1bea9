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
//!
//! Requests run in tasks of their own: they end, and free their connections, also while nobody takes the rows. Whoever waits
//! for a slow sink holds none of the account's ten connections meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use mailchimp_client::{Client, Path, Query, RawPage};
use sync_core::Result;
use tokio::task::JoinHandle;

use super::error::{restless, translate};
use crate::error::stopped;
use crate::reader::fewer_rows_may_help;

/// Rows that two pages share.
const OVERLAP: usize = 10;

/// Smallest page asked for when larger ones fail.
const SMALLEST_PAGE: u64 = 50;

/// How often in a row a walk may find no tracks before it gives up. Each step back is twice as long.
const MOST_LOST: u32 = 8;

/// How often a walk may go back without getting further before it gives up: a server that shuffles its rows would send it
/// back for ever.
const MOST_RETURNS: u32 = 30;

/// How often a page without rows is asked for again when the server counts rows there.
const MOST_EMPTY: u32 = 3;

/// Pages in a row without anything new: a server that ignores the offset sends them for ever.
const MOST_STALLED: u32 = 20;

/// Tells a row from others, whatever else about it changes.
pub(super) type Identify = Arc<dyn Fn(&Bytes) -> u64 + Send + Sync>;

/// Rows that follow those of the page before.
pub(super) struct Step {
    pub(super) rows: Vec<Bytes>,
    /// How many rows the server says there are.
    pub(super) total: Option<u64>,
}

impl From<RawPage> for Step {
    fn from(page: RawPage) -> Self {
        Self {
            rows: page.rows,
            total: page.total_items,
        }
    }
}

/// A page under way.
struct Asked {
    /// The line of pages it was asked for.
    line: u32,
    offset: u64,
    answer: JoinHandle<Result<RawPage, mailchimp_client::Error>>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

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
    /// In the order of their offsets.
    asked: VecDeque<Asked>,
    /// Counts the lines of pages. Answers to an earlier one are waited for and thrown away: a request that is given up keeps
    /// its connection at the server.
    line: u32,
    /// The offset of the next page to ask for.
    next: u64,
    /// The last rows taken, oldest first.
    tracks: VecDeque<u64>,
    total: Option<u64>,
    /// Rows that were not seen before.
    taken: u64,
    stalled: u32,
    empty: u32,
    /// How often in a row there were no tracks.
    lost: u32,
    /// How often the walk went back since it was at `furthest`.
    returns: u32,
    /// The highest offset at which a page joined.
    furthest: u64,
    ended: bool,
    /// What stands at offset 0, if that need not be asked for.
    first: Option<RawPage>,
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
            asked: VecDeque::new(),
            line: 0,
            next: 0,
            tracks: VecDeque::new(),
            total: None,
            taken: 0,
            stalled: 0,
            empty: 0,
            lost: 0,
            returns: 0,
            furthest: 0,
            ended: false,
            first: None,
        }
    }

    /// Begins with a page that was asked for by somebody else, with as many rows at most as a walk asks for.
    pub(super) fn begin_with(&mut self, first: RawPage) {
        self.first = Some(first);
        self.next = self.count - OVERLAP as u64;
    }

    /// The next rows; `None` at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Step>> {
        if let Some(first) = self.first.take()
            && let Some(step) = self.take(0, first.rows, first.total_items)?
        {
            return Ok(Some(step));
        }
        while !self.ended {
            self.ask();
            let Some(asked) = self.asked.front_mut() else {
                break;
            };
            let answer = (&mut asked.answer).await;
            let (line, offset) = (asked.line, asked.offset);
            self.asked.pop_front();
            let answer = answer.map_err(|error| stopped().caused_by(error))?;
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
            if let Some(step) = self.take(offset, page.rows, page.total_items)? {
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
            let answer = tokio::spawn(async move { client.get_rows(&path, items, &query).await });
            self.asked.push_back(Asked {
                line,
                offset,
                answer,
            });
            self.next = offset + self.count - OVERLAP as u64;
        }
    }

    /// Goes on further up, until there are tracks again.
    fn go_back(&mut self, offset: u64) -> Result<()> {
        if self.lost >= MOST_LOST || self.returns >= MOST_RETURNS {
            return Err(restless(self.stream));
        }
        let back = (self.count - OVERLAP as u64) << self.lost;
        self.lost += 1;
        self.returns += 1;
        self.go_to(offset.saturating_sub(back));
        Ok(())
    }

    fn take(&mut self, offset: u64, rows: Vec<Bytes>, total: Option<u64>) -> Result<Option<Step>> {
        self.total = total.or(self.total);
        let end = offset + rows.len() as u64;
        let more = self.total.is_some_and(|total| total > end);
        let full = rows.len() as u64 >= self.count;
        let ids: Vec<u64> = rows.iter().map(|row| (self.identify)(row)).collect();
        let known: Vec<bool> = ids.iter().map(|id| self.tracks.contains(id)).collect();
        let first = known.iter().position(|known| *known);
        if first.is_none() && !self.tracks.is_empty() && offset > 0 {
            self.go_back(offset)?;
            return Ok(None);
        }
        if rows.is_empty() && more {
            if self.empty < MOST_EMPTY {
                self.empty += 1;
                self.go_to(offset);
                return Ok(None);
            }
            // Whoever says so from the beginning may count what it does not show. Whoever has shown rows has lost them.
            if self.taken > 0 {
                return Err(restless(self.stream));
            }
        }
        self.lost = 0;
        if offset > self.furthest {
            self.furthest = offset;
            self.returns = 0;
        }
        // What stands in front of the tracks was there before, or has come meanwhile: it is worth giving, but no progress.
        let behind = first.unwrap_or(0);
        let new = known.iter().skip(behind).filter(|known| !**known).count() as u64;
        self.taken += new;
        if new > 0 {
            // The last rows of the page, those that were tracks before among them.
            self.tracks = ids[ids.len().saturating_sub(OVERLAP)..]
                .iter()
                .copied()
                .collect();
        }
        self.stalled = if new == 0 { self.stalled + 1 } else { 0 };
        if full {
            // A server that gives everything whatever is asked has given it.
            let everything = match self.total {
                Some(total) => self.taken >= total,
                None => rows.len() as u64 > self.count,
            };
            self.ended = new == 0 && everything;
            if self.stalled > MOST_STALLED {
                return Err(restless(self.stream));
            }
        } else if more && new > 0 {
            // Shorter than asked for, and yet not the last one by the server's count.
            if offset == 0 {
                // The server's pages are smaller than ours.
                self.count = self.count.min((rows.len() as u64).max(SMALLEST_PAGE));
            }
            self.go_to(end.saturating_sub(OVERLAP as u64));
        } else {
            self.ended = true;
        }
        let unknown = rows.into_iter().zip(known);
        Ok(Some(Step {
            rows: unknown
                .filter_map(|(row, known)| (!known).then_some(row))
                .collect(),
            total: self.total,
        }))
    }
}
