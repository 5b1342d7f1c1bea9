//! Which listing a member has at Ometria, and which it left behind.

use crate::note::{Claim, Note};
use crate::subscriber::Subscriber;

/// Stands between a listing id and the number of its successor.
const SUCCESSOR: char = '~';

/// The listing a member has now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) id: String,
    /// What it claims already.
    pub(crate) claim: Claim,
    /// The listing the member had before, if its claim has to be ended.
    pub(crate) left: Option<(String, Claim)>,
}

impl Listing {
    /// `address` is the mark of the address the member has now.
    ///
    /// A listing that is opted out stays with its address for ever. If it took on the member's new address, Ometria would
    /// hold nothing any more that keeps the old one out, and another audience's older opt-in would count again. So the
    /// new address gets a listing of its own: the same id with a number behind it.
    ///
    /// `in_doubt`: a push that nobody remembers may have changed what the noted listing claims. If the member leaves it, its
    /// opt-out has to be said again, for nothing else will ever be said about it.
    pub(crate) fn find(
        note: Option<&Note>,
        subscriber: &Subscriber,
        address: u64,
        in_doubt: bool,
    ) -> Self {
        let base = subscriber.listing_id.as_str();
        let fresh = |id: String, left| Self {
            id,
            claim: Claim::None,
            left,
        };
        let Some(note) = note else {
            return fresh(base.to_owned(), None);
        };
        let before = note
            .listing_id
            .as_deref()
            .unwrap_or(subscriber.key.as_str());
        match (successor(before, base), note.claim) {
            (Some(number), claim) if claim.is_out() && note.address != address => fresh(
                format!("{base}{SUCCESSOR}{}", number.saturating_add(1)),
                in_doubt.then(|| (before.to_owned(), claim)),
            ),
            (Some(_), claim) => Self {
                id: before.to_owned(),
                claim,
                left: None,
            },
            // A note that cannot be read says nothing about either listing.
            (None, Claim::Unknown) => Self {
                id: base.to_owned(),
                claim: Claim::Unknown,
                left: None,
            },
            (None, claim) => fresh(base.to_owned(), Some((before.to_owned(), claim))),
        }
    }
}

/// Which successor of `base` this id is, 0 being `base` itself; `None`: it belongs to another.
fn successor(id: &str, base: &str) -> Option<u32> {
    match id.strip_prefix(base)? {
        "" => Some(0),
        rest => rest.strip_prefix(SUCCESSOR)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sync_core::Key;

    use super::*;
    use crate::subscriber::Status;

    fn member(listing_id: &str) -> Subscriber {
        let key = Key::new("key");
        Subscriber::new(
            key,
            listing_id,
            "a@b",
            Status::Pending,
            DateTime::UNIX_EPOCH,
        )
    }

    fn note(claim: Claim, listing_id: Option<&str>) -> Note {
        Note {
            claim,
            opt_out: None,
            address: 1,
            listing_id: listing_id.map(Into::into),
            segments: Vec::new(),
            perhaps: Vec::new(),
        }
    }

    fn listing(id: &str, claim: Claim, left: Option<(&str, Claim)>) -> Listing {
        let left = left.map(|(id, claim)| (id.to_owned(), claim));
        Listing {
            id: id.to_owned(),
            claim,
            left,
        }
    }

    #[test]
    fn a_listing_that_is_not_out_follows_the_address() {
        for claim in [
            Claim::None,
            Claim::OptedIn,
            Claim::NotSpecified,
            Claim::Unknown,
        ] {
            let found = Listing::find(Some(&note(claim, None)), &member("key"), 2, false);
            assert_eq!(found, listing("key", claim, None));
        }
    }

    #[test]
    fn a_listing_that_is_out_stays_with_its_address() {
        for claim in [Claim::OptedOut, Claim::ForcedOut] {
            let first = note(claim, None);
            assert_eq!(
                Listing::find(Some(&first), &member("key"), 1, false).id,
                "key"
            );
            let moved = Listing::find(Some(&first), &member("key"), 2, false);
            assert_eq!(moved, listing("key~1", Claim::None, None));
            let second = note(claim, Some("key~1"));
            assert_eq!(
                Listing::find(Some(&second), &member("key"), 1, false).id,
                "key~1"
            );
            assert_eq!(
                Listing::find(Some(&second), &member("key"), 2, false).id,
                "key~2"
            );
        }
    }

    #[test]
    fn in_doubt_a_listing_that_is_left_is_opted_out_once_more() {
        let noted = note(Claim::ForcedOut, None);
        let moved = Listing::find(Some(&noted), &member("key"), 2, true);
        let left = Some(("key", Claim::ForcedOut));
        assert_eq!(moved, listing("key~1", Claim::None, left));
        let stayed = Listing::find(Some(&noted), &member("key"), 1, true);
        assert_eq!(stayed, listing("key", Claim::ForcedOut, None));
    }

    #[test]
    fn another_id_leaves_the_old_listing_behind() {
        let before = note(Claim::OptedIn, Some("old"));
        let found = Listing::find(Some(&before), &member("new"), 1, false);
        assert_eq!(
            found,
            listing("new", Claim::None, Some(("old", Claim::OptedIn)))
        );
        let unreadable = note(Claim::Unknown, None);
        let found = Listing::find(Some(&unreadable), &member("new"), 1, false);
        assert_eq!(found, listing("new", Claim::Unknown, None));
        assert_eq!(
            Listing::find(None, &member("new"), 1, false),
            listing("new", Claim::None, None)
        );
    }
}
