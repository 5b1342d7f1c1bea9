//! Decides which page to ask for next and what an answer proves. No I/O and no clock, so that every decision can be
//! tested in memory; [`crate::reading`] says why it is right.

mod page;
mod range;
mod second;
mod stitch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use self::page::{Answer, Filters};
pub(crate) use self::page::{Defect, Request, Row, Sweep};
pub(crate) use self::range::Position;
use self::range::{HeavySecond, Range, share};
use self::second::Second;
use crate::settings::SMALLEST_PAGE;

/// Windows beyond this number are not opened, so that cursors stay small.
pub(crate) const MOST_WINDOWS: usize = 64;

/// Windows are no more split beyond this number: the rest of [`MOST_WINDOWS`] is for seconds read on their own.
const SPLIT_UP_TO: usize = 40;

/// Failed requests in a row, on whatever window, after which nothing more is tried.
const MOST_FAILURES_IN_ROW: u32 = 24;

/// Failing windows beyond this number are no more halved: then it is not one bad place.
const MOST_HALVED: usize = 8;

/// Good pages after which a shrunk page size is doubled again.
const GROW_AFTER: u32 = 8;

/// Pages a second must fill before it is read on its own. Starts at the least and grows when such seconds turn out small.
const PATIENCE: std::ops::RangeInclusive<u32> = 1..=8;

/// A part of the run's range that is not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) sweep: Sweep,
    pub(crate) position: Position,
    pub(crate) before: i64,
    pub(crate) skip: u64,
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It timed out or the server failed over it: fewer rows may work.
    TooMuch,
    /// A smaller page would not help.
    Other,
}

/// What an answer or a failure led to, beside delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The window's pages are smaller from now on.
    Shrunk { count: u32 },
    /// A second is read again from its start.
    ReadAgain { second: i64 },
    /// The window waits for one more try at the end of the run.
    PutOff { part: Part },
    /// The window stays open for the next run.
    GivenUp { part: Part },
}

/// Names a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) sweep: Sweep,
    pub(crate) since: Option<i64>,
    pub(crate) before: i64,
}

/// What became of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// For each row, whether to deliver it.
    pub(crate) keep: Vec<bool>,
    /// Why the page was refused, if it was.
    pub(crate) defect: Option<Defect>,
    pub(crate) events: Vec<Event>,
}

/// All that is left to read in a run.
#[derive(Debug)]
pub(crate) struct Plan {
    page_size: u32,
    workers: usize,
    filters: Filters,
    windows: BTreeMap<u32, Window>,
    asked: HashMap<u64, Asked>,
    next_window: u32,
    next_request: u64,
    longest: usize,
    patience: u32,
    delivered: u64,
    /// Rows that pages had less than they could have, for the sake of splitting.
    wasted: u64,
    failures_in_row: u32,
}

#[derive(Debug)]
struct Window {
    sweep: Sweep,
    work: Work,
    size: u32,
    good_pages: u32,
    state: State,
    retried: bool,
    /// Whether it was split off another window.
    split_off: bool,
}

#[derive(Debug)]
enum Work {
    Range(Range),
    Second(Second),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    PutOff,
    GivenUp,
}

#[derive(Debug)]
struct Asked {
    window: u32,
    request: Request,
    /// The window's end at that time.
    before: i64,
}

impl Plan {
    /// A plan for reading `open` in pages of `page_size` with at most `workers` requests at once.
    pub(crate) fn new(page_size: u32, workers: usize, open: Vec<Open>) -> Self {
        let mut plan = Self {
            page_size: page_size.max(SMALLEST_PAGE),
            workers: workers.max(1),
            filters: Filters::default(),
            windows: BTreeMap::new(),
            asked: HashMap::new(),
            next_window: 0,
            next_request: 0,
            longest: 0,
            patience: *PATIENCE.start(),
            delivered: 0,
            wasted: 0,
            failures_in_row: 0,
        };
        for open in open {
            let mut range = Range::new(open.position, open.before);
            range.skip = open.skip;
            if range
                .position
                .since
                .is_none_or(|since| since < range.before)
            {
                plan.open(open.sweep, Work::Range(range), plan.page_size);
            }
        }
        plan
    }

    fn open(&mut self, sweep: Sweep, work: Work, size: u32) -> u32 {
        let id = self.next_window;
        self.next_window += 1;
        let window = Window {
            sweep,
            work,
            size,
            good_pages: 0,
            state: State::Ready,
            retried: false,
            split_off: false,
        };
        self.windows.insert(id, window);
        id
    }

    /// What is not read yet: where another run goes on, once everything delivered so far is durable.
    pub(crate) fn open_windows(&self) -> Vec<Open> {
        self.windows.values().map(Window::as_open).collect()
    }

    /// Whether there is nothing more to ask or to wait for.
    pub(crate) fn is_finished(&self) -> bool {
        self.asked.is_empty()
            && self
                .windows
                .values()
                .all(|window| window.state == State::GivenUp)
    }

    /// How many rows the whole read will give, as far as known.
    pub(crate) fn expected_total(&self) -> Option<u64> {
        let rest: Option<u64> = self.windows.values().map(Window::rest).sum();
        rest.map(|rest| self.delivered + rest)
    }

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
                    Some((range.rest.unwrap_or(u64::MAX), std::cmp::Reverse(id)))
                }
                _ => None,
            });
        let (_, std::cmp::Reverse(id)) = idle.max()?;
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
        let worth = self.wasted <= (self.delivered + rest) / 20 + 2 * u64::from(self.page_size);
        if self.windows.len() >= SPLIT_UP_TO || !worth {
            return None;
        }
        let (id, window) = self
            .windows
            .iter()
            .filter(|(_, window)| window.splits())
            .max_by_key(|(id, window)| (window.rest(), std::cmp::Reverse(**id)))?;
        let id = *id;
        let Work::Range(range) = &window.work else {
            return None;
        };
        let (since, before) = (range.position.since?, range.before);
        let rows = range.rest.filter(|&rows| pages(rows) >= 4)?;
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

    /// Takes the answer to a request: rows in the order they came, and the server's count.
    pub(crate) fn on_page(&mut self, request: u64, rows: &[Row], total: Option<u64>) -> Taken {
        let mut taken = Taken {
            keep: vec![false; rows.len()],
            ..Taken::default()
        };
        let Some(asked) = self.asked.remove(&request) else {
            return taken;
        };
        self.failures_in_row = 0;
        let Some(window) = self.windows.get_mut(&asked.window) else {
            return taken;
        };
        let checked = Answer::check(&asked.request, rows, total, self.longest, &mut self.filters);
        self.longest = self.longest.max(rows.len());
        let page_size = self.page_size;
        window.good_pages += 1;
        if window.size < page_size && window.good_pages >= GROW_AFTER {
            window.size = (window.size * 2).min(page_size);
            window.good_pages = 0;
        }
        let patience = self.patience;
        let outcome = checked.and_then(|answer| match &mut window.work {
            Work::Range(range) => {
                range.busy = false;
                range
                    .take(&answer, asked.before, patience, &mut taken.keep)
                    .map(Outcome::from)
            }
            Work::Second(second) => second
                .take(request, &answer, &mut taken.keep)
                .map(Outcome::from),
        });
        let new = taken.keep.iter().filter(|&&keep| keep).count() as u64;
        self.delivered += new;
        match outcome {
            Ok(Outcome::More) => {}
            Ok(Outcome::Again(second)) => taken.events.push(Event::ReadAgain { second }),
            Ok(Outcome::Done) => self.close(asked.window, u64::from(asked.request.count) - new),
            Ok(Outcome::Heavy(heavy)) => self.separate(asked.window, heavy, &mut taken.events),
            Err(defect) => {
                taken.keep.fill(false);
                self.delivered -= new;
                taken.defect = Some(defect);
                self.release(asked.window, request);
                self.give_way(asked.window, &mut taken.events);
            }
        }
        taken
    }

    fn close(&mut self, id: u32, missing: u64) {
        let Some(window) = self.windows.remove(&id) else {
            return;
        };
        if window.split_off {
            self.wasted += missing;
        }
        if let Work::Second(second) = &window.work {
            let pages = second.size() / u64::from(self.page_size);
            self.patience = match pages {
                ..10 => (self.patience * 2).min(*PATIENCE.end()),
                10..20 => self.patience,
                20.. => *PATIENCE.start(),
            };
        }
    }

    /// Makes a window of its own for a second that a range came upon.
    fn separate(&mut self, id: u32, heavy: HeavySecond, events: &mut Vec<Event>) {
        let Some(window) = self.windows.get(&id) else {
            return;
        };
        let (sweep, size) = (window.sweep, window.size);
        if heavy.unordered {
            events.push(Event::ReadAgain {
                second: heavy.second,
            });
        }
        if matches!(&window.work, Work::Range(range) if heavy.second >= range.before) {
            self.windows.remove(&id);
        }
        self.open(sweep, Work::Second(Second::new(heavy)), size);
    }

    /// A request failed and will not be repeated by whoever sent it.
    pub(crate) fn on_failure(&mut self, request: u64, failure: Failure) -> Vec<Event> {
        let mut events = Vec::new();
        let Some(asked) = self.asked.remove(&request) else {
            return events;
        };
        self.release(asked.window, request);
        self.failures_in_row += 1;
        if self.failures_in_row >= MOST_FAILURES_IN_ROW {
            // Nothing works, so this is no matter of one window.
            let ids: Vec<u32> = self.windows.keys().copied().collect();
            for id in ids {
                self.give_up(id, &mut events);
            }
            return events;
        }
        let Some(window) = self.windows.get_mut(&asked.window) else {
            return events;
        };
        window.good_pages = 0;
        let count = asked.request.count;
        if failure == Failure::TooMuch && count > SMALLEST_PAGE {
            // Several requests of one window may fail at once; that halves only once.
            let half = (count / 2).max(SMALLEST_PAGE);
            if half < window.size {
                window.size = half;
                events.push(Event::Shrunk { count: half });
            }
        } else {
            self.give_way(asked.window, &mut events);
        }
        events
    }

    fn release(&mut self, window: u32, request: u64) {
        match self.windows.get_mut(&window).map(|window| &mut window.work) {
            Some(Work::Range(range)) => range.busy = false,
            Some(Work::Second(second)) => second.lost(request),
            None => {}
        }
    }

    /// Puts a failing window off to the end of the run, or gives it up if that was its second try.
    ///
    /// Only its earlier half: the later one goes on now, so that one bad place holds up less each time.
    fn give_way(&mut self, id: u32, events: &mut Vec<Event>) {
        self.halve(id);
        match self.windows.get_mut(&id) {
            Some(window) if window.retried => self.give_up(id, events),
            Some(window) if window.state == State::Ready => {
                window.state = State::PutOff;
                events.push(Event::PutOff {
                    part: window.part(),
                });
            }
            _ => {}
        }
    }

    fn halve(&mut self, id: u32) {
        let failing = self
            .windows
            .values()
            .filter(|window| window.state != State::Ready)
            .count();
        let room = self.windows.len() < SPLIT_UP_TO && failing < MOST_HALVED;
        let Some(window) = self.windows.get_mut(&id).filter(|_| room) else {
            return;
        };
        let Work::Range(range) = &mut window.work else {
            return;
        };
        let Some(since) = range.position.since else {
            return;
        };
        let before = range.before;
        let middle = since + (before - since) / 2;
        if window.state != State::Ready || middle <= since {
            return;
        }
        range.before = middle;
        range.answered = false;
        range.rest = None;
        let (sweep, retried) = (window.sweep, window.retried);
        let position = Position {
            since: Some(middle),
            ..Position::default()
        };
        let later = self.open(
            sweep,
            Work::Range(Range::new(position, before)),
            self.page_size,
        );
        if let Some(window) = self.windows.get_mut(&later) {
            window.retried = retried;
        }
    }

    fn give_up(&mut self, id: u32, events: &mut Vec<Event>) {
        if let Some(window) = self.windows.get_mut(&id)
            && window.state != State::GivenUp
        {
            window.state = State::GivenUp;
            events.push(Event::GivenUp {
                part: window.part(),
            });
        }
    }

    /// Leaves a second open for the next run: something in it could not be delivered.
    pub(crate) fn leave_open(&mut self, sweep: Sweep, second: i64) -> Part {
        let position = Position {
            since: Some(second - 1),
            ..Position::default()
        };
        let id = self.open(
            sweep,
            Work::Range(Range::new(position, second)),
            self.page_size,
        );
        if let Some(window) = self.windows.get_mut(&id) {
            window.state = State::GivenUp;
        }
        Part {
            sweep,
            since: Some(second - 1),
            before: second,
        }
    }
}

enum Outcome {
    More,
    Again(i64),
    Done,
    Heavy(HeavySecond),
}

impl From<range::Step> for Outcome {
    fn from(step: range::Step) -> Self {
        match step {
            range::Step::More => Self::More,
            range::Step::Done => Self::Done,
            range::Step::Heavy(heavy) => Self::Heavy(heavy),
        }
    }
}

impl From<second::Step> for Outcome {
    fn from(step: second::Step) -> Self {
        match step {
            second::Step::More => Self::More,
            second::Step::Again(second) => Self::Again(second),
            second::Step::Done => Self::Done,
        }
    }
}

impl Window {
    fn rest(&self) -> Option<u64> {
        match &self.work {
            Work::Range(range) => range.rest,
            Work::Second(second) => second.rest(),
        }
    }

    /// Whether its number of rows is known from an answer, so that splitting is no guess.
    fn splits(&self) -> bool {
        self.state == State::Ready && matches!(&self.work, Work::Range(range) if range.answered)
    }

    fn as_open(&self) -> Open {
        let (position, before, skip) = match &self.work {
            Work::Range(range) => (range.position.clone(), range.before, range.skip),
            Work::Second(second) => (second.position(), second.at, 0),
        };
        Open {
            sweep: self.sweep,
            position,
            before,
            skip,
        }
    }

    fn part(&self) -> Part {
        let open = self.as_open();
        Part {
            sweep: open.sweep,
            since: open.position.since,
            before: open.before,
        }
    }
}
