//! Which page to ask for next.

use std::cmp::Reverse;

use super::page::{Request, Sweep};
use super::range::{Position, Range, share};
use super::{Asked, MOST_WINDOWS, Plan, State, Window, Work};
use crate::settings::SMALLEST_PAGE;

/// Windows are no more split beyond this number: the rest of [`MOST_WINDOWS`] is for seconds read on their own.
pub(super) const SPLIT_UP_TO: usize = 40;

/// Splitting ends when it has cost this share of all rows.
const WASTE_SHARE: u64 = 20;

/// Pages that a window must have to come, to be split.
const LEAST_PAGES: u64 = 4;

impl Plan {
    /// The next page to ask for; `None` while all connections are used or nothing can be asked before an answer came.
    pub(crate) fn next_request(&mut self) -> Option<Request> {
        if self.asked.len() >= self.workers {
            return None;
        }
        // Walking a range finds out what there is to do, so ranges go first, unless many found seconds wait already.
        let seconds = self
            .windows
            .values()
            .filter(|window| matches!(window.work, Work::Second(_)));
        let seconds_first = seconds.count() >= self.workers;
        let found = if seconds_first {
            self.ask_second().or_else(|| self.ask_range())
        } else {
            self.ask_range().or_else(|| self.ask_second())
        };
        let found = found.or_else(|| self.split_largest());
        if found.is_some() || !self.asked.is_empty() {
            return found;
        }
        self.take_up_put_off()
            .then(|| self.next_request())
            .flatten()
    }

    /// Gives each window that was put off its second try. Says whether there was one.
    fn take_up_put_off(&mut self) -> bool {
        let mut any = false;
        for window in self
            .windows
            .values_mut()
            .filter(|window| window.state == State::PutOff)
        {
            window.state = State::Ready;
            window.retried = true;
            window.size = (self.page_size / 8).max(SMALLEST_PAGE);
            any = true;
        }
        any
    }

    fn ask_range(&mut self) -> Option<Request> {
        if self.windows.len() + self.asked.len() >= MOST_WINDOWS && self.has_seconds() {
            return None;
        }
        let idle = self
            .windows
            .iter()
            .filter_map(|(&id, window)| match &window.work {
                Work::Range(range) if window.state == State::Ready && !range.busy => {
                    Some((range.rest.unwrap_or(u64::MAX), Reverse(id)))
                }
                _ => None,
            });
        let (_, Reverse(id)) = idle.max()?;
        let window = self.windows.get_mut(&id)?;
        let count = window.size;
        let Work::Range(range) = &mut window.work else {
            return None;
        };
        range.busy = true;
        let offset = range.offset(count);
        let (since, before) = (range.position.since, range.before);
        Some(self.ask(id, since, before, offset, count))
    }

    /// Whether a second on its own has something under way or to ask for, so that windows will become fewer.
    fn has_seconds(&self) -> bool {
        self.windows
            .values()
            .any(|window| window.state == State::Ready && matches!(window.work, Work::Second(_)))
    }

    fn ask_second(&mut self) -> Option<Request> {
        let found = self.windows.iter_mut().find_map(|(&id, window)| {
            let count = window.size;
            match &mut window.work {
                Work::Second(second) if window.state == State::Ready => second
                    .next_offset(count)
                    .map(|offset| (id, second.at, offset, count)),
                _ => None,
            }
        });
        let (id, second, offset, count) = found?;
        let request = self.ask(id, Some(second - 1), second, offset, count);
        if let Some(Window {
            work: Work::Second(second),
            ..
        }) = self.windows.get_mut(&id)
        {
            second.asked(request.id, offset, count);
        }
        Some(request)
    }

    fn ask(
        &mut self,
        id: u32,
        since: Option<i64>,
        before: i64,
        offset: u64,
        count: u32,
    ) -> Request {
        let sweep = self
            .windows
            .get(&id)
            .map_or(Sweep::Listed, |window| window.sweep);
        let (asked_since, asked_before) = self.filters.asked(since, before);
        let request = Request {
            id: self.next_request,
            sweep,
            since: asked_since,
            before: asked_before,
            offset,
            count,
        };
        self.next_request += 1;
        self.asked.insert(
            request.id,
            Asked {
                window: id,
                request,
                before,
            },
        );
        request
    }

    /// Splits the window with most rows to come and asks for the first page of its later part.
    fn split_largest(&mut self) -> Option<Request> {
        let pages = |rows: u64| rows / u64::from(self.page_size);
        let rest: u64 = self.windows.values().filter_map(Window::rest).sum();
        let worth =
            self.wasted <= (self.delivered + rest) / WASTE_SHARE + 2 * u64::from(self.page_size);
        if self.windows.len() >= SPLIT_UP_TO || !worth {
            return None;
        }
        let (id, window) = self
            .windows
            .iter()
            .filter(|(_, window)| window.splits())
            .max_by_key(|(id, window)| (window.rest(), Reverse(**id)))?;
        let id = *id;
        let Work::Range(range) = &window.work else {
            return None;
        };
        let (since, before) = (range.position.since?, range.before);
        let rows = range.rest.filter(|&rows| pages(rows) >= LEAST_PAGES)?;
        // As many parts as there are idle connections, but none smaller than an even share for each connection.
        let idle = (self.workers - self.asked.len()) as u64;
        let fair = rest / self.workers as u64;
        let parts = (rows / fair.max(1))
            .min(idle + 1)
            .min(pages(rows) / 2)
            .max(2);
        let later = share(
            u64::try_from(before - since).ok()?,
            1,
            i64::try_from(parts).ok()?,
        );
        let middle = before - i64::try_from(later.max(1)).ok()?;
        if middle <= since {
            return None;
        }
        let (sweep, size) = (window.sweep, window.size);
        if let Some(Window {
            work: Work::Range(range),
            ..
        }) = self.windows.get_mut(&id)
        {
            range.before = middle;
            range.rest = Some(rows - rows / parts);
        }
        let mut range = Range::new(
            Position {
                since: Some(middle),
                ..Position::default()
            },
            before,
        );
        range.rest = Some(rows / parts);
        range.busy = true;
        let id = self.open(sweep, Work::Range(range), size);
        if let Some(window) = self.windows.get_mut(&id) {
            window.split_off = true;
        }
        Some(self.ask(id, Some(middle), before, 0, size))
    }
}
