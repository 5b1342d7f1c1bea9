//! A page as the plan sees it: ids and seconds.

use super::stitch::OVERLAP;

/// One row of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Stands for the member's key.
    pub(crate) id: u64,
    /// The second it last changed in, as Unix time.
    pub(crate) at: i64,
}

/// Which listing of the audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sweep {
    /// Without a status: everyone but archived members.
    Listed,
    /// `status=archived`.
    Archived,
    /// `status=unsubscribed`.
    Unsubscribed,
}

impl Sweep {
    /// One word, for cursors and for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Archived => "archived",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Listed, Self::Archived, Self::Unsubscribed]
            .into_iter()
            .find(|sweep| sweep.as_str() == word)
    }
}

/// A page to ask for, sorted by `last_changed` ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) sweep: Sweep,
    /// `since_last_changed`.
    pub(crate) since: Option<i64>,
    /// `before_last_changed`.
    pub(crate) before: i64,
    pub(crate) offset: u64,
    pub(crate) count: u32,
}

/// What cannot be right about a page, or about a window after several pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Rows are not in ascending order of `last_changed`.
    Unsorted,
    /// A row lies outside the window asked for.
    OutOfBounds,
    /// More members are counted than listed, however often they are asked for.
    Miscounted,
    /// The order within one second changes between requests, and the second did not become whole in the attempts allowed.
    Reordered,
}

/// A count above this is no count: it only must not overflow when added up.
const LARGEST_TOTAL: u64 = 1 << 40;

/// Pages that must agree before a window is asked for in the narrower form: one odd answer must not cost a second.
const PROOFS: u8 = 2;

/// What was learned about the two time filters.
///
/// Documentation and what was seen on the live API say: `since` leaves out its own second, `before` includes it. A wrong
/// belief must not cost members, so a window `(since, before]` is asked for in the form that contains it either way,
/// until rows prove that the narrower form does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filters {
    /// Pages with rows of the second asked for as `since`.
    since_included: u8,
    /// Pages with rows of the second asked for as `before`.
    before_included: u8,
}

impl Filters {
    /// What to ask for to get all of `(since, before]`.
    pub(super) fn asked(self, since: Option<i64>, before: i64) -> (Option<i64>, i64) {
        let since_includes = self.since_included >= PROOFS;
        let before_includes = self.before_included >= PROOFS;
        (
            since.map(|second| second + i64::from(since_includes)),
            before + i64::from(!before_includes),
        )
    }

    /// Learns from rows that came for an asked `since` and `before`.
    fn learn(&mut self, asked_since: Option<i64>, asked_before: i64, rows: &[Row]) {
        let since = rows.first().is_some_and(|row| Some(row.at) == asked_since);
        let before = rows.last().is_some_and(|row| row.at == asked_before);
        self.since_included = self.since_included.saturating_add(u8::from(since));
        self.before_included = self.before_included.saturating_add(u8::from(before));
    }
}

/// A page that arrived for a request and holds what was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) rows: &'a [Row],
    pub(super) total: Option<u64>,
    pub(super) offset: u64,
    pub(super) count: u32,
    /// Length of the longest page so far, this one not included.
    pub(super) longest: usize,
}

impl<'a> Answer<'a> {
    pub(super) fn check(
        request: &Request,
        rows: &'a [Row],
        total: Option<u64>,
        longest: usize,
        filters: &mut Filters,
    ) -> Result<Self, Defect> {
        if !rows.is_sorted_by_key(|row| row.at) {
            return Err(Defect::Unsorted);
        }
        let inside = |row: &Row| {
            row.at <= request.before && request.since.is_none_or(|since| row.at >= since)
        };
        if !rows.iter().all(inside) {
            return Err(Defect::OutOfBounds);
        }
        filters.learn(request.since, request.before, rows);
        let total = total.map(|total| total.min(LARGEST_TOTAL));
        Ok(Self {
            rows,
            total,
            offset: request.offset,
            count: request.count,
            longest,
        })
    }

    /// The rows of `(since, before]`: a stretch of the page, which is sorted.
    pub(super) fn within(&self, since: Option<i64>, before: i64) -> std::ops::Range<usize> {
        let start = since.map_or(0, |since| self.rows.partition_point(|row| row.at <= since));
        let end = self.rows.partition_point(|row| row.at <= before);
        start.min(end)..end
    }

    /// Whether the listing ends with this page.
    ///
    /// A page may also be short because the server gives fewer rows than asked for, or by mistake. Its own count tells,
    /// unless it is absent or smaller than what is there: then a page counts as the last if a longer one was seen.
    pub(super) fn is_last(&self) -> bool {
        if self.rows.len() >= self.count as usize {
            return false;
        }
        match self.rest() {
            Some(rest) => rest == 0,
            None => self.rows.is_empty() || self.rows.len() < self.longest,
        }
    }

    /// Whether the listing ends with this page, given that it holds nothing but known rows, the last one taken included.
    ///
    /// Without a count, a page of the length of an overlap had room for more. A longer one may have been cut there.
    pub(super) fn is_last_if_nothing_new(&self) -> bool {
        self.rows.len() < self.count as usize && self.rows.len() <= OVERLAP && self.rest().is_none()
    }

    /// Rows after this page by the server's own count; `None` if there is no count or it cannot be right.
    pub(super) fn rest(&self) -> Option<u64> {
        self.total?
            .checked_sub(self.offset + self.rows.len() as u64)
    }
}
