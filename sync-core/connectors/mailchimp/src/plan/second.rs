//! Reading one second that holds more members than some pages.

use std::collections::{BTreeMap, HashSet};

use super::page::{Answer, Defect};
use super::range::{HeavySecond, Position};
use super::stitch::{self, Join, OVERLAP};

/// Pages ahead of the joined part, so that memory stays bounded while one page is slow.
const LOOKAHEAD: u64 = 64;

/// Times a page is looked for that closes a gap, before the second is read from its start again.
const MOST_REPAIRS: u8 = 2;

/// Times the second is read from its start, before its order is taken to be unstable.
const MOST_RESTARTS: u8 = 2;

/// Pages that bring nothing although more is promised, before the second fails.
const MOST_STALLS: u8 = 5;

/// Rows at either end of a page that may repeat rows of its neighbours.
const EDGE: usize = 4 * OVERLAP;

/// Passes over an unordered second before it fails. Random order gives all rows after about ln(n) passes.
const MOST_PASSES: u64 = 20;

/// The largest second of which all ids are held in memory to prove it whole.
const LARGEST_UNORDERED: u64 = 4_000_000;

/// More rows than any second has: a server that always finds another one must not be listened to for ever.
const LARGEST_SECOND: u64 = 1 << 28;

/// One second, read by offset on several connections, in pages that overlap.
///
/// The pages may arrive in any order. Only those that join without a gap to the start count as taken; of each page that
/// waits for its neighbour the ids are kept.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) at: i64,
    /// Offset up to which everything is taken.
    end: u64,
    /// How many rows were taken up to `end`.
    taken: u64,
    /// The last rows taken.
    tail: Vec<u64>,
    /// Rows of the second by the last answer, and the least of all answers.
    total: Option<u64>,
    least_total: Option<u64>,
    /// Whether rows of the next second came along, which the counts then include.
    beyond_seen: bool,
    /// Pages that wait, by offset.
    waiting: BTreeMap<u64, Piece>,
    /// Requests under way: id, offset, count.
    asked: Vec<(u64, u64, u32)>,
    repair: Option<u64>,
    repairs: u8,
    restarts: u8,
    stalls: u8,
    unordered: Option<Unordered>,
}

#[derive(Debug)]
struct Piece {
    ids: Vec<u64>,
    /// Whether the second ends with it.
    ended: bool,
    /// Whether the second ends with it, should it bring nothing new.
    ended_if_nothing_new: bool,
}

/// Reading without trust in any order: as long as the count stays the same nothing left, so the second is whole when as
/// many different ids were seen as are counted, and as there are up to the end of the listing.
#[derive(Debug, Default)]
struct Unordered {
    seen: HashSet<u64>,
    total: Option<u64>,
    offset: u64,
    pages_left: u64,
}

/// What a page did for the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    More,
    /// Go on, from the start.
    Again(i64),
    /// The second is read.
    Done,
}

impl Second {
    pub(super) fn new(heavy: HeavySecond) -> Self {
        Self {
            at: heavy.second,
            end: heavy.taken,
            taken: heavy.taken,
            tail: heavy.tail,
            total: None,
            least_total: None,
            beyond_seen: false,
            waiting: BTreeMap::new(),
            asked: Vec::new(),
            repair: None,
            repairs: 0,
            restarts: 0,
            stalls: 0,
            unordered: heavy.unordered.then(Unordered::default),
        }
    }

    /// Where a later run goes on.
    pub(super) fn position(&self) -> Position {
        let tail = self.tail.len().saturating_sub(OVERLAP);
        Position {
            since: Some(self.at - 1),
            taken: self.end,
            tail: self.tail[tail..].to_vec(),
        }
    }

    /// Rows to come, as far as known.
    pub(super) fn rest(&self) -> Option<u64> {
        let waiting: usize = self.waiting.values().map(|piece| piece.ids.len()).sum();
        self.total
            .map(|total| total.saturating_sub(self.end + waiting as u64))
    }

    /// Rows the second turned out to have.
    pub(super) fn size(&self) -> u64 {
        self.unordered
            .as_ref()
            .map_or(self.end, |unordered| unordered.seen.len() as u64)
    }

    /// The offset to ask for next; `None` if there is nothing to ask for now.
    pub(super) fn next_offset(&mut self, count: u32) -> Option<u64> {
        if let Some(unordered) = &self.unordered {
            return self.asked.is_empty().then_some(unordered.offset);
        }
        if let Some(offset) = self.repair.take() {
            return Some(offset);
        }
        let overlap = stitch::overlap(count);
        let uncovered = self.uncovered(overlap);
        let limit = match self.waiting.iter().find(|(_, piece)| piece.ended) {
            Some((offset, piece)) => Some(offset + piece.ids.len() as u64),
            None => self.total,
        };
        let idle = self.asked.is_empty();
        let near = uncovered - self.end < LOOKAHEAD * u64::from(count);
        // With nothing under way there is always something to ask, if only to see the end.
        let worthwhile = limit.is_some_and(|limit| uncovered < limit) && near;
        (idle || worthwhile).then(|| uncovered.saturating_sub(overlap))
    }

    /// The first offset that neither was taken nor waits nor is under way.
    fn uncovered(&self, overlap: u64) -> u64 {
        let mut stretches: Vec<(u64, u64)> = self
            .waiting
            .iter()
            .map(|(&offset, piece)| (offset, offset + piece.ids.len() as u64))
            .chain(
                self.asked
                    .iter()
                    .map(|&(_, offset, count)| (offset, offset + u64::from(count))),
            )
            .collect();
        stretches.sort_unstable();
        let mut until = self.end;
        for (start, end) in stretches {
            // A stretch counts if it overlaps enough to be joined.
            if start <= until.saturating_sub(overlap) && end > until {
                until = end;
            }
        }
        until
    }

    pub(super) fn asked(&mut self, request: u64, offset: u64, count: u32) {
        self.asked.push((request, offset, count));
    }

    /// A request failed or its answer is useless: what it covered is asked for again.
    pub(super) fn lost(&mut self, request: u64) {
        self.asked.retain(|&(id, ..)| id != request);
    }

    /// Takes the answer to `request`. `keep[i]` becomes true for each row to deliver.
    pub(super) fn take(
        &mut self,
        request: u64,
        answer: &Answer<'_>,
        keep: &mut [bool],
    ) -> Result<Step, Defect> {
        let known = self.asked.len();
        self.lost(request);
        if self.asked.len() == known {
            // Asked before the second was begun again.
            return Ok(Step::More);
        }
        let within = answer.within(Some(self.at - 1), self.at);
        if self.unordered.is_some() {
            return self.take_unordered(answer, within, keep);
        }
        if within.start > 0 {
            // The answer has rows of the second before: offsets mean something else than was thought. The plan has
            // learned the right bound from them, so asking again helps.
            return self.stall().map(|()| Step::More);
        }
        let beyond = within.end < answer.rows.len();
        if let Some(total) = answer.total.filter(|_| !beyond) {
            self.total = Some(total);
            self.least_total = Some(self.least_total.map_or(total, |least| least.min(total)));
        }
        let ids: Vec<u64> = answer.rows[within.clone()]
            .iter()
            .map(|row| row.id)
            .collect();
        self.mark_new(answer.offset, &ids, &mut keep[within]);
        self.beyond_seen |= beyond;
        let piece = Piece {
            ids,
            ended: beyond || answer.is_last(),
            ended_if_nothing_new: answer.is_last_if_nothing_new(),
        };
        self.waiting.insert(answer.offset, piece);
        self.join_waiting(answer.count)
    }

    /// Marks the rows that neither the joined part's last page nor a waiting neighbour has.
    fn mark_new(&self, offset: u64, ids: &[u64], keep: &mut [bool]) {
        let before = self.waiting.range(..offset).next_back();
        let after = self.waiting.range(offset..).next();
        let mut known: HashSet<u64> = HashSet::new();
        if offset <= self.end {
            known.extend(&self.tail);
        }
        if let Some((_, piece)) = before {
            known.extend(&piece.ids[piece.ids.len().saturating_sub(EDGE)..]);
        }
        if let Some((_, piece)) = after {
            known.extend(&piece.ids[..piece.ids.len().min(EDGE)]);
        }
        for (id, keep) in ids.iter().zip(keep) {
            *keep = !known.contains(id);
        }
    }

    /// Joins what waits, as far as it goes.
    fn join_waiting(&mut self, count: u32) -> Result<Step, Defect> {
        loop {
            let mut joined = None;
            let mut gap = false;
            for (&offset, piece) in self.waiting.range(..=self.end) {
                if self.end == 0 {
                    joined = Some((offset, 0));
                    break;
                }
                match stitch::join(&self.tail, &piece.ids) {
                    Join::At(index) => {
                        joined = Some((offset, index));
                        break;
                    }
                    Join::Gap => gap = true,
                    Join::Reordered => return Ok(self.distrust_order()),
                }
            }
            let Some((offset, index)) = joined else {
                return if gap {
                    Ok(self.close_gap(count))
                } else {
                    Ok(Step::More)
                };
            };
            let Some(piece) = self.waiting.remove(&offset) else {
                return Ok(Step::More);
            };
            let new = piece.ids.len() - index;
            let nothing_new = new == 0 && piece.ids.last() == self.tail.last();
            if new > 0 {
                self.taken += new as u64;
                self.end = offset + piece.ids.len() as u64;
                self.tail = piece.ids;
                self.stalls = 0;
                self.repairs = 0;
                let end = self.end;
                self.waiting
                    .retain(|start, piece| piece.ended || start + piece.ids.len() as u64 > end);
            }
            if self.taken > LARGEST_SECOND {
                return Err(Defect::Miscounted);
            }
            if piece.ended || (nothing_new && piece.ended_if_nothing_new) {
                return Ok(self.finish());
            }
            if new == 0 {
                self.stall()?;
            }
        }
    }

    /// Everything is joined to the end. If fewer rows were taken than there are, one moved to where it was not seen.
    fn finish(&mut self) -> Step {
        if !self.beyond_seen && self.least_total.is_some_and(|total| self.taken < total) {
            return self.distrust_order();
        }
        Step::Done
    }

    /// Asks for a page around the end of the joined part, unless one is under way that may close the gap.
    fn close_gap(&mut self, count: u32) -> Step {
        let may_close = |&(_, offset, count): &(u64, u64, u32)| {
            offset <= self.end && offset + u64::from(count) >= self.end
        };
        if self.repair.is_some() || self.asked.iter().any(may_close) {
            return Step::More;
        }
        if self.repairs >= MOST_REPAIRS {
            return self.start_again();
        }
        self.repairs += 1;
        let back = u64::from(count) / 2 * u64::from(self.repairs);
        self.repair = Some(self.end.saturating_sub(back));
        Step::More
    }

    fn start_again(&mut self) -> Step {
        if self.restarts >= MOST_RESTARTS {
            return self.distrust_order();
        }
        self.reset();
        self.restarts += 1;
        Step::Again(self.at)
    }

    fn distrust_order(&mut self) -> Step {
        self.reset();
        self.unordered = Some(Unordered::default());
        Step::Again(self.at)
    }

    fn reset(&mut self) {
        self.end = 0;
        self.taken = 0;
        self.tail.clear();
        self.total = None;
        self.least_total = None;
        self.beyond_seen = false;
        self.waiting.clear();
        self.asked.clear();
        self.repair = None;
        self.repairs = 0;
        self.stalls = 0;
    }

    fn stall(&mut self) -> Result<(), Defect> {
        self.stalls += 1;
        if self.stalls > MOST_STALLS {
            Err(Defect::Miscounted)
        } else {
            Ok(())
        }
    }

    fn take_unordered(
        &mut self,
        answer: &Answer<'_>,
        within: std::ops::Range<usize>,
        keep: &mut [bool],
    ) -> Result<Step, Defect> {
        let Some(state) = &mut self.unordered else {
            return Ok(Step::More);
        };
        let Some(total) = answer.total.filter(|total| *total <= LARGEST_UNORDERED) else {
            return Err(Defect::Reordered);
        };
        if state.total.is_none() {
            state.pages_left = MOST_PASSES * (total / u64::from(answer.count) + 1);
        }
        let Some(left) = state.pages_left.checked_sub(1) else {
            return Err(Defect::Reordered);
        };
        state.pages_left = left;
        if state.total != Some(total) {
            state.total = Some(total);
            state.seen.clear();
            state.offset = 0;
        }
        for (index, row) in answer.rows.iter().enumerate() {
            // Rows beside the second are in the count, so they are among what must be seen.
            let new = state.seen.insert(row.id);
            keep[index] = new && within.contains(&index);
        }
        // A full page may have more behind it. Where the listing ends, its length shows, which may be more than is counted.
        let is_end = answer.rows.len() < answer.count as usize;
        let walked = answer.offset + answer.rows.len() as u64;
        if is_end && state.seen.len() as u64 >= total.max(walked) {
            return Ok(Step::Done);
        }
        state.offset = if is_end { 0 } else { walked };
        Ok(Step::More)
    }
}
