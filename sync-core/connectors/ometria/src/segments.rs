//! Which segments a member joins and leaves.

use crate::note::Note;
use crate::subscriber::Subscriber;

/// What becomes of a member's segments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    /// Those to leave now. Only segments that were joined because of us: who put the member into another one, such as a
    /// user of Ometria's application, wants it there.
    pub(crate) to_leave: Vec<u64>,
    /// Those joined because of us, once the record is accepted; sorted, each once.
    pub(crate) joined: Vec<u64>,
}

impl Segments {
    pub(crate) fn next(note: Option<&Note>, subscriber: &Subscriber) -> Self {
        let to_join = &subscriber.add_to_lists;
        let mut joined = note.map_or_else(Vec::new, |note| note.segments.clone());
        let to_leave: Vec<u64> = joined
            .extract_if(.., |segment| {
                subscriber.remove_from_lists.contains(segment) && !to_join.contains(segment)
            })
            .collect();
        joined.extend(to_join);
        joined.sort_unstable();
        joined.dedup();
        Self { to_leave, joined }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sync_core::Key;

    use super::*;
    use crate::note::Claim;
    use crate::subscriber::Status;

    fn next(joined: &[u64], add: &[u64], remove: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let note = Note {
            claim: Claim::None,
            opt_out: None,
            address: 0,
            listing_id: None,
            segments: joined.to_vec(),
            perhaps: Vec::new(),
        };
        let mut subscriber = Subscriber::new(
            Key::new("k"),
            "l",
            "a@b",
            Status::Pending,
            DateTime::UNIX_EPOCH,
        );
        subscriber.add_to_lists = add.to_vec();
        subscriber.remove_from_lists = remove.to_vec();
        let segments = Segments::next(Some(&note), &subscriber);
        (segments.to_leave, segments.joined)
    }

    #[test]
    fn only_a_segment_that_was_joined_is_left() {
        assert_eq!(next(&[], &[], &[5]), (vec![], vec![]));
        assert_eq!(next(&[], &[7, 5, 7], &[]), (vec![], vec![5, 7]));
        assert_eq!(next(&[5, 7], &[7], &[5, 6]), (vec![5], vec![7]));
    }

    #[test]
    fn a_segment_that_is_not_spoken_of_stays_ours() {
        assert_eq!(next(&[5, 7], &[7], &[]), (vec![], vec![5, 7]));
    }

    #[test]
    fn joining_wins_over_leaving() {
        assert_eq!(next(&[5], &[5], &[5]), (vec![], vec![5]));
    }
}
