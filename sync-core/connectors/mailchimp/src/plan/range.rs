//! Walking a window of many seconds by re-anchoring.

use super::page::{Answer, Defect};
use super::stitch::{self, Join, OVERLAP};

/// Pages that bring nothing although more is promised, before the window fails.
const MOST_STALLS: u8 = 3;

/// Times a page may not meet the rows of its first second, before that second is read in another way.
const MOST_MISSES: u8 = 2;

/// How far into a window everything was taken: all of the second `since` and before, and of the next second the first
/// `taken` rows, the last of which are `tail`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) since: Option<i64>,
    pub(crate) taken: u64,
    /// At most [`OVERLAP`] ids, in listing order.
    pub(crate) tail: Vec<u64>,
}

/// A window `(position, before]`, read one page after the other.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) position: Position,
    pub(super) before: i64,
    /// Rows to leave out at the start of a window without lower bound.
    pub(super) skip: u64,
    /// Rows to come, as far as known.
    pub(super) rest: Option<u64>,
    /// Whether `rest` comes from an answer about this window.
    pub(super) answered: bool,
    /// Whether a request is under way.
    pub(super) busy: bool,
    /// Read the first second from its start: its rows did not continue where they should.
    from_start: bool,
    misses: u8,
    stalls: u8,
    doubted: bool,
    /// Pages in a row that lay wholly within one second.
    pages_in_second: u32,
}

/// What a page did for its window.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    More,
    /// The window is read to its end.
    Done,
    /// One second holds more than some pages: read it on its own. The range goes on behind it.
    Heavy(HeavySecond),
}

/// A second to be read on its own, and what was taken of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeavySecond {
    pub(super) second: i64,
    pub(super) taken: u64,
    pub(super) tail: Vec<u64>,
    /// The order of its rows changed while it was read.
    pub(super) unordered: bool,
}

impl Range {
    pub(super) fn new(position: Position, before: i64) -> Self {
        Self {
            position,
            before,
            skip: 0,
            rest: None,
            answered: false,
            busy: false,
            from_start: false,
            misses: 0,
            stalls: 0,
            doubted: false,
            pages_in_second: 0,
        }
    }

    /// The offset to ask for next.
    ///
    /// Few rows taken of the first second: start there again, which is right in whatever order they come. Many: go on a
    /// little before where it stopped, and prove by the overlap that nothing moved.
    pub(super) fn offset(&self, count: u32) -> u64 {
        let overlap = stitch::overlap(count);
        if self.position.since.is_none() {
            self.skip
        } else if self.from_start || self.position.taken <= overlap {
            0
        } else {
            self.position.taken - overlap
        }
    }

    /// Takes an answer. `keep[i]` becomes true for each row to deliver. `asked_before` is the window's end when it was
    /// asked for; the window may have lost its later part since. A second is heavy after `patience` pages.
    pub(super) fn take(
        &mut self,
        answer: &Answer<'_>,
        asked_before: i64,
        patience: u32,
        keep: &mut [bool],
    ) -> Result<Step, Defect> {
        let within = answer.within(self.position.since, self.before);
        let rows = &answer.rows[within.clone()];
        let first_second = self.position.since.map(|since| since + 1);
        let continues = answer.offset > 0 && first_second.is_some();
        let mut joined = 0;
        if continues {
            let here: Vec<u64> = rows
                .iter()
                .take_while(|row| Some(row.at) == first_second)
                .map(|row| row.id)
                .collect();
            match stitch::join(&self.position.tail, &here) {
                Join::At(index) => joined = index,
                Join::Gap | Join::Reordered => return Ok(self.missed()),
            }
        }
        let mut new = 0_u64;
        for (index, (row, keep)) in rows.iter().zip(&mut keep[within.clone()]).enumerate() {
            let in_tail = Some(row.at) == first_second && self.position.tail.contains(&row.id);
            *keep = index >= joined && !in_tail;
            new += u64::from(*keep);
        }
        let beyond = within.end < answer.rows.len();
        // Rows before the window say that the page began too early, not that there is nothing after it.
        let to_the_last = rows.last().map(|row| &row.id) == self.position.tail.last();
        let nothing_new = new == 0 && within.start == 0 && to_the_last;
        let ended = beyond || answer.is_last() || (nothing_new && answer.is_last_if_nothing_new());
        let Some(last) = rows.last() else {
            return self.took_nothing(answer, ended);
        };
        self.estimate(answer, asked_before, last.at, ended);
        if new == 0 && !ended {
            // The position still follows the page: rows may have left since.
            self.stall()?;
        } else {
            self.stalls = 0;
            self.doubted = false;
        }

        let one_second = rows.first().is_some_and(|first| first.at == last.at);
        let same_second = first_second == Some(last.at);
        let at_last = rows
            .iter()
            .rev()
            .take_while(|row| row.at == last.at)
            .count();
        let skipped = self.position.since.is_none() && answer.offset > 0;
        let tail = &rows[rows.len() - at_last.min(OVERLAP)..];
        self.position = Position {
            since: Some(last.at - 1),
            taken: at_last as u64 + if same_second { answer.offset } else { 0 },
            tail: tail.iter().map(|row| row.id).collect(),
        };
        if !same_second {
            self.misses = 0;
            self.pages_in_second = 0;
        }
        self.from_start = false;
        self.pages_in_second += u32::from(one_second && new > 0);
        if ended {
            return Ok(Step::Done);
        }
        if one_second && (self.pages_in_second >= patience || skipped) {
            // Of a second whose start was skipped the number taken is not known: it is read from its start.
            return Ok(self.hand_over(skipped, false));
        }
        Ok(Step::More)
    }

    /// The page did not continue where the rows before it ended: some left, or the order changed.
    fn missed(&mut self) -> Step {
        self.misses += 1;
        self.from_start = true;
        if self.misses > MOST_MISSES {
            self.hand_over(true, true)
        } else {
            Step::More
        }
    }

    fn took_nothing(&mut self, answer: &Answer<'_>, ended: bool) -> Result<Step, Defect> {
        if !ended {
            self.stall()?;
            return Ok(Step::More);
        }
        if answer.rows.is_empty() && !self.position.tail.is_empty() && !self.doubted {
            // Rows were here a moment ago. All of them may have left, but an empty page is also how some faults look.
            self.doubted = true;
            return Ok(Step::More);
        }
        Ok(Step::Done)
    }

    fn stall(&mut self) -> Result<(), Defect> {
        self.stalls += 1;
        if self.stalls > MOST_STALLS {
            Err(Defect::Miscounted)
        } else {
            Ok(())
        }
    }

    /// Gives the first second away and goes on behind it.
    fn hand_over(&mut self, from_start: bool, unordered: bool) -> Step {
        let position = std::mem::take(&mut self.position);
        let second = position.since.map_or(self.before, |since| since + 1);
        *self = Self::new(
            Position {
                since: Some(second),
                ..Position::default()
            },
            self.before,
        );
        Step::Heavy(HeavySecond {
            second,
            taken: if from_start { 0 } else { position.taken },
            tail: if from_start {
                Vec::new()
            } else {
                position.tail
            },
            unordered,
        })
    }

    /// Corrects the number of rows to come by the server's count.
    fn estimate(&mut self, answer: &Answer<'_>, asked_before: i64, last: i64, ended: bool) {
        self.answered = true;
        self.rest = match answer.rest() {
            _ if ended => Some(0),
            // The window lost its later part meanwhile: take the share of time that is left.
            Some(rest) if asked_before > self.before => {
                Some(share(rest, self.before - last, asked_before - last))
            }
            other => other,
        };
    }
}

/// `part / whole` of `rows`.
pub(super) fn share(rows: u64, part: i64, whole: i64) -> u64 {
    let (part, whole) = (part.max(0).unsigned_abs(), whole.max(1).unsigned_abs());
    let product = u128::from(rows) * u128::from(part) / u128::from(whole);
    u64::try_from(product).unwrap_or(u64::MAX).min(rows)
}
