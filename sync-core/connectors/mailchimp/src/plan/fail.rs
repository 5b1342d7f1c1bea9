//! What becomes of a window that fails.

use super::ask::SPLIT_UP_TO;
use super::page::Sweep;
use super::range::{Position, Range};
use super::{Event, Failure, Part, Plan, State, Window, Work};
use crate::settings::SMALLEST_PAGE;

/// Failed requests in a row, on whatever window, after which nothing more is tried.
const MOST_FAILURES_IN_ROW: u32 = 24;

/// Failing windows beyond this number are no more halved: then it is not one bad place.
const MOST_HALVED: usize = 8;

impl Plan {
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

    pub(super) fn release(&mut self, window: u32, request: u64) {
        match self.windows.get_mut(&window).map(|window| &mut window.work) {
            Some(Work::Range(range)) => range.busy = false,
            Some(Work::Second(second)) => second.lost(request),
            None => {}
        }
    }

    /// Puts a failing window off to the end of the run, or gives it up if that was its second try.
    ///
    /// Only its earlier half: the later one goes on now, so that one bad place holds up less each time.
    pub(super) fn give_way(&mut self, id: u32, events: &mut Vec<Event>) {
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
        let part = Part {
            sweep,
            since: Some(second - 1),
            before: second,
        };
        let left_open = |window: &Window| window.state == State::GivenUp && window.part() == part;
        if self.windows.values().any(left_open) {
            return part;
        }
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
        part
    }
}
