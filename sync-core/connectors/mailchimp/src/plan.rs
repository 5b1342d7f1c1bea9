//! Decides which page to ask for next and what an answer proves. No I/O and no clock, so that every decision can be
//! tested in memory; [`crate::reading`] says why it is right.

mod ask;
mod fail;
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
use self::range::{HeavySecond, Range};
use self::second::Second;
pub(crate) use self::stitch::OVERLAP;
use crate::settings::SMALLEST_PAGE;

/// Windows beyond this number are not opened, so that cursors stay small.
pub(crate) const MOST_WINDOWS: usize = 64;

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
