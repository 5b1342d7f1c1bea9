//! What is known about opt-outs, across audiences.
//!
//! There is one ledger entry for each address and audience that ever showed an opt-out, in a scope that all imports of one
//! Ometria account share. Each import writes the entries of its own audience only, so two imports never write the same.

use std::cmp::Ordering;

use sync_core::{Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Scope, fingerprint};

use crate::address::AddressDigest;
use crate::subscriber::{Status, Subscriber};

/// Stands for Ometria where an audience is named: opt-outs that people made there.
pub const OMETRIA_AUDIENCE: &str = "ometria";

/// The ledger scope in which all imports of one Ometria account keep what they know about opt-outs.
pub fn consent_scope(account: &str) -> Scope {
    Scope::shared(format!("consent:{account}"))
}

/// The opt-outs of one address in one audience. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Whether the audience has the address unsubscribed, as far as it was read.
    pub(crate) unsubscribed: bool,
    /// When the newest opt-out was first seen. Frozen while it lasts: this is what Ometria is told.
    pub(crate) first: i64,
    /// No opt-out so far is newer than this: what an opt-in is measured against.
    pub(crate) last: i64,
}

const VERSION: u8 = 1;

impl Fact {
    /// Holds back every opt-in: for an entry that cannot be read.
    const UNREADABLE: Self = Self {
        unsubscribed: true,
        first: i64::MAX,
        last: i64::MAX,
    };

    /// Whether [`Fact::first`] is a time that may be told.
    pub(crate) fn is_readable(self) -> bool {
        self.last != i64::MAX
    }

    pub(crate) fn encode(self) -> [u8; 18] {
        let mut bytes = [0; 18];
        bytes[0] = VERSION;
        bytes[1] = u8::from(self.unsubscribed);
        bytes[2..10].copy_from_slice(&self.first.to_le_bytes());
        bytes[10..].copy_from_slice(&self.last.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let Some((&[VERSION, unsubscribed @ (0 | 1)], times)) = bytes.split_first_chunk() else {
            return Self::UNREADABLE;
        };
        match (times.first_chunk(), times.last_chunk()) {
            (Some(first), Some(last)) if times.len() == 16 => Self {
                unsubscribed: unsubscribed == 1,
                first: i64::from_le_bytes(*first),
                last: i64::from_le_bytes(*last),
            },
            _ => Self::UNREADABLE,
        }
    }

    /// What two memories say together.
    pub(crate) fn merge(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(one), Some(other)) = (one, other) else {
            return one.or(other);
        };
        let first = match one.last.cmp(&other.last) {
            Ordering::Less => other.first,
            Ordering::Equal => one.first.min(other.first),
            Ordering::Greater => one.first,
        };
        Some(Self {
            unsubscribed: one.unsubscribed || other.unsubscribed,
            first,
            last: one.last.max(other.last),
        })
    }

    /// What is known after seeing a member, given what was known before; `None`: still no opt-out.
    ///
    /// Only `subscribed` ends an opt-out. A member that bounces, is archived or waits for confirmation after opting out
    /// has not opted in again.
    pub(crate) fn observe(before: Option<Self>, subscriber: &Subscriber) -> Option<Self> {
        match (&subscriber.status, before) {
            (Status::Unsubscribed, before) => {
                let exact = subscriber.unsubscribed_at.map(|time| time.timestamp());
                let seen = exact.unwrap_or_else(|| subscriber.last_changed.timestamp());
                let Some(before) = before else {
                    return Some(Self {
                        unsubscribed: true,
                        first: seen,
                        last: seen,
                    });
                };
                // The person may have come back and left again between two reads. An opt-in later than the opt-out we
                // know proves it, and so does an exact time later than it.
                let opted_in = subscriber.opted_in_at.map(|time| time.timestamp());
                let again = !before.unsubscribed
                    || exact.is_some_and(|exact| exact > before.first)
                    || opted_in.is_some_and(|opted_in| opted_in > before.first);
                Some(Self {
                    unsubscribed: true,
                    first: if again { seen } else { before.first },
                    last: before.last.max(seen),
                })
            }
            (Status::Subscribed, Some(before)) => Some(Self {
                unsubscribed: false,
                ..before
            }),
            (_, before) => before,
        }
    }
}

/// Where the fact about an address in an audience is kept.
pub(crate) fn fact_key(scope: &Scope, address: AddressDigest, audience: &str) -> LedgerKey {
    let mut key = address.to_hex();
    key.push('/');
    key.push_str(audience);
    LedgerKey {
        scope: scope.clone(),
        key: Key::new(key),
    }
}

/// What is kept there.
pub(crate) fn fact_at(ledger: &LedgerView<'_>, at: &LedgerKey) -> Option<Fact> {
    ledger.get(at).map(|entry| Fact::decode(&entry.note))
}

/// Writes it down, unless it is there already.
pub(crate) fn learn(
    at: LedgerKey,
    stored: Option<Fact>,
    now: Option<Fact>,
) -> Option<LedgerChange> {
    let fact = now.filter(|now| stored != Some(*now))?;
    let note = fact.encode();
    let entry = LedgerEntry {
        fingerprint: fingerprint(&note),
        note: Box::new(note),
    };
    Some(LedgerChange {
        at,
        entry: Some(entry),
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn at(status: Status, last_changed: i64) -> Subscriber {
        let time = DateTime::from_timestamp(last_changed, 0).unwrap();
        Subscriber::new(Key::new("k"), "l", "a@b", status, time)
    }

    fn fact(unsubscribed: bool, first: i64, last: i64) -> Fact {
        Fact {
            unsubscribed,
            first,
            last,
        }
    }

    #[test]
    fn the_first_time_of_an_opt_out_is_frozen_while_it_lasts() {
        let first = Fact::observe(None, &at(Status::Unsubscribed, 10));
        assert_eq!(first, Some(fact(true, 10, 10)));
        let edited = Fact::observe(first, &at(Status::Unsubscribed, 20));
        assert_eq!(edited, Some(fact(true, 10, 20)));
        let back = Fact::observe(edited, &at(Status::Subscribed, 30));
        assert_eq!(back, Some(fact(false, 10, 20)));
        let again = Fact::observe(back, &at(Status::Unsubscribed, 40));
        assert_eq!(again, Some(fact(true, 40, 40)));
    }

    #[test]
    fn a_second_opt_out_is_noticed_when_the_way_back_was_not_seen() {
        let first = Fact::observe(None, &at(Status::Unsubscribed, 10));
        let mut later = at(Status::Unsubscribed, 40);
        later.opted_in_at = DateTime::from_timestamp(30, 0);
        assert_eq!(Fact::observe(first, &later), Some(fact(true, 40, 40)));
        let mut exact = at(Status::Unsubscribed, 40);
        exact.unsubscribed_at = DateTime::from_timestamp(35, 0);
        assert_eq!(Fact::observe(first, &exact), Some(fact(true, 35, 35)));
    }

    #[test]
    fn two_memories_together_forget_nothing() {
        let (old, new) = (fact(true, 5, 20), fact(false, 30, 40));
        assert_eq!(Fact::merge(Some(old), Some(new)), Some(fact(true, 30, 40)));
        assert_eq!(Fact::merge(Some(new), Some(old)), Some(fact(true, 30, 40)));
        let tie = fact(false, 10, 20);
        assert_eq!(Fact::merge(Some(tie), Some(old)), Some(fact(true, 5, 20)));
        assert_eq!(Fact::merge(None, Some(old)), Some(old));
        assert_eq!(Fact::merge(None, None), None);
    }

    #[test]
    fn only_subscribed_ends_an_opt_out_and_only_unsubscribed_begins_one() {
        let out = Some(fact(true, 10, 10));
        for word in [
            "cleaned",
            "pending",
            "transactional",
            "archived",
            "new-word",
        ] {
            assert_eq!(
                Fact::observe(out, &at(Status::from(word), 50)),
                out,
                "{word}"
            );
            assert_eq!(
                Fact::observe(None, &at(Status::from(word), 50)),
                None,
                "{word}"
            );
        }
        assert_eq!(Fact::observe(None, &at(Status::Subscribed, 50)), None);
        assert_eq!(
            Fact::observe(out, &at(Status::Subscribed, 50)),
            Some(fact(false, 10, 10))
        );
    }

    #[test]
    fn an_entry_that_cannot_be_read_holds_back_opt_ins_for_good() {
        let good = Fact {
            unsubscribed: false,
            first: 1,
            last: 2,
        }
        .encode();
        let mut newer = good;
        newer[0] = 2;
        for bytes in [
            &[][..],
            &[1],
            &good[..17],
            &newer,
            &[good.as_slice(), &[0]].concat(),
        ] {
            let fact = Fact::decode(bytes);
            assert!(!fact.is_readable() && fact.unsubscribed);
            let after = Fact::observe(Some(fact), &at(Status::Subscribed, 50)).unwrap();
            assert_eq!(after.last, i64::MAX);
        }
    }

    proptest! {
        #[test]
        fn facts_come_back(unsubscribed: bool, first in 0..i64::MAX, last in 0..i64::MAX) {
            let fact = Fact { unsubscribed, first, last };
            prop_assert_eq!(Fact::decode(&fact.encode()), fact);
        }
    }
}
