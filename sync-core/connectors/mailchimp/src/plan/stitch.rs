//! Whether two pages of one second continue each other.

use std::collections::HashMap;

/// Rows of the same second that two neighbouring pages have in common, when nothing goes wrong.
pub(crate) const OVERLAP: usize = 16;

/// The least number of common rows that counts as a join. One would do if the order of ties were certain; four in the
/// right order are no accident.
const LEAST_COMMON: usize = 4;

/// How many rows to ask for twice with pages of `count` rows.
pub(super) fn overlap(count: u32) -> u64 {
    u64::from(count / 3).clamp(LEAST_COMMON as u64, OVERLAP as u64)
}

/// How a page continues what was taken so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// Rows from this index on are new, and none is missing before them.
    At(usize),
    /// Too few common rows: something may be missing in between.
    Gap,
    /// The common rows are in another order, or both sides have rows the other should have too.
    Reordered,
}

/// Joins `right`, a page's rows, to `left`, the last rows taken, both of one second in listing order.
///
/// Each page is one moment's contiguous piece of a list from which rows only vanish. So the union of two pieces with a
/// common row is contiguous too, and between their common rows only the piece that was read *earlier* can have more rows
/// than the other. If both have, the order changed.
pub(super) fn join(left: &[u64], right: &[u64]) -> Join {
    #[cfg(test)]
    if sabotage::TRUSTING.get() {
        return Join::At(left.len().min(OVERLAP).min(right.len()));
    }
    let index: HashMap<u64, usize> = left.iter().enumerate().map(|(at, &id)| (id, at)).collect();
    let (mut common, mut only_right, mut since_common) = (0, 0, 0);
    let mut first_left = 0;
    let mut last: Option<(usize, usize)> = None;
    for (at_right, id) in right.iter().enumerate() {
        let Some(&at_left) = index.get(id) else {
            since_common += 1;
            continue;
        };
        match last {
            Some((before, _)) if before >= at_left => return Join::Reordered,
            Some(_) => only_right += since_common,
            None => first_left = at_left,
        }
        since_common = 0;
        common += 1;
        last = Some((at_left, at_right));
    }
    let Some((last_left, last_right)) = last else {
        return Join::Gap;
    };
    // Where the right piece goes on beyond the common rows, it should have had the rest of the left one as well.
    let until = if last_right + 1 < right.len() {
        left.len()
    } else {
        last_left + 1
    };
    let only_left = until - first_left - common;
    if only_left > 0 && only_right > 0 {
        return Join::Reordered;
    }
    if common < LEAST_COMMON.min(left.len()) {
        return Join::Gap;
    }
    Join::At(last_right + 1)
}

/// Lets a test take the check away, to see that the loss is found.
#[cfg(test)]
pub(super) mod sabotage {
    use std::cell::Cell;

    thread_local! {
        pub(in crate::plan) static TRUSTING: Cell<bool> = const { Cell::new(false) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u64>) -> Vec<u64> {
        range.collect()
    }

    #[test]
    fn an_unchanged_list_joins_at_the_end_of_the_overlap() {
        assert_eq!(join(&ids(84..100), &ids(84..184)), Join::At(16));
    }

    #[test]
    fn rows_that_vanished_before_the_page_shift_it_and_it_still_joins() {
        assert_eq!(join(&ids(84..100), &ids(90..190)), Join::At(10));
    }

    #[test]
    fn rows_that_vanished_after_the_page_shift_it_back_and_it_still_joins() {
        assert_eq!(join(&ids(84..100), &ids(70..170)), Join::At(30));
    }

    #[test]
    fn rows_that_vanished_inside_the_overlap_do_not_break_the_join() {
        let later: Vec<u64> = (84..184).filter(|id| ![86, 99].contains(id)).collect();
        assert_eq!(join(&ids(84..100), &later), Join::At(14));
        let earlier: Vec<u64> = (84..100).filter(|id| ![86, 99].contains(id)).collect();
        // 99 vanished after the right page was read and before the left one, so it is given again.
        assert_eq!(join(&earlier, &ids(84..184)), Join::At(15));
    }

    #[test]
    fn pages_that_do_not_meet_are_a_gap() {
        assert_eq!(join(&ids(84..100), &ids(100..200)), Join::Gap);
        assert_eq!(join(&ids(84..100), &ids(97..200)), Join::Gap);
        assert_eq!(join(&ids(84..100), &[]), Join::Gap);
    }

    #[test]
    fn another_order_is_found() {
        let mut swapped = ids(84..184);
        swapped.swap(3, 7);
        assert_eq!(join(&ids(84..100), &swapped), Join::Reordered);
        let mut moved = ids(84..184);
        moved.swap(3, 70);
        assert_eq!(join(&ids(84..100), &moved), Join::Reordered);
    }

    #[test]
    fn a_page_within_what_was_taken_brings_nothing_new() {
        assert_eq!(join(&ids(0..100), &ids(20..60)), Join::At(40));
    }
}
