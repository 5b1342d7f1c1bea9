//! When things were made, changed, and which of them are left.

use std::collections::{BTreeMap, HashMap};

use crate::account_spec::History;
use crate::member::mix;
use crate::timestamp;

/// Numbered things of one kind: which there are, when they came, and how often they were changed.
///
/// What they look like is computed from seed, number and revision; only what somebody changed takes memory beyond four
/// bytes.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Numbers in order of creation.
    live: Vec<u32>,
    next: u32,
    from: u32,
    span: u32,
    generated: u32,
    made: BTreeMap<u32, u32>,
    changed: HashMap<u32, Change>,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    revision: u32,
    at: u32,
}

/// One thing of a [`Roster`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u32,
    pub(crate) created_at: u32,
    /// As [`Entry::created_at`] before the first change.
    pub(crate) updated_at: u32,
    /// How often it was changed.
    pub(crate) revision: u32,
}

impl Roster {
    /// `count` things, made at equal distances, none after `now`.
    pub(crate) fn new(count: u32, history: History, now: u32) -> Self {
        let from = timestamp::seconds(history.from).min(now);
        let to = timestamp::seconds(history.to).min(now);
        Self {
            live: (0..count).collect(),
            next: count,
            from,
            span: to.saturating_sub(from),
            generated: count,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    /// The thing at a position, in order of creation.
    pub(crate) fn nth(&self, position: usize) -> Option<Entry> {
        self.live.get(position).map(|&number| self.entry(number))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.live.iter().map(|&number| self.entry(number))
    }

    /// The thing with this number, if it is there.
    pub(crate) fn get(&self, number: u32) -> Option<Entry> {
        let position = self.live.binary_search(&number).ok()?;
        self.nth(position)
    }

    /// Makes another one.
    pub(crate) fn add(&mut self, now: u32) -> Entry {
        let number = self.next;
        self.next += 1;
        self.live.push(number);
        self.made.insert(number, now);
        self.entry(number)
    }

    /// Changes one; `false` when it is not there.
    pub(crate) fn touch(&mut self, number: u32, now: u32) -> bool {
        if self.get(number).is_none() {
            return false;
        }
        let change = self.changed.entry(number).or_insert(Change {
            revision: 0,
            at: now,
        });
        change.revision += 1;
        change.at = now;
        true
    }

    /// Takes one away; `false` when it is not there.
    pub(crate) fn remove(&mut self, number: u32) -> bool {
        let Ok(position) = self.live.binary_search(&number) else {
            return false;
        };
        self.live.remove(position);
        true
    }

    fn entry(&self, number: u32) -> Entry {
        let created_at = self.made.get(&number).copied().unwrap_or_else(|| {
            let part = u64::from(self.span) * u64::from(number) / u64::from(self.generated.max(1));
            self.from + u32::try_from(part).unwrap_or(0)
        });
        let change = self.changed.get(&number);
        Entry {
            number,
            created_at,
            updated_at: change.map_or(created_at, |change| change.at),
            revision: change.map_or(0, |change| change.revision),
        }
    }
}

impl Entry {
    /// A number drawn for this thing and a purpose; another one after each change.
    pub(crate) fn draw(self, seed: u64, purpose: u64) -> u64 {
        let revision = u64::from(self.revision) << 40;
        mix(seed ^ mix(purpose ^ revision ^ (u64::from(self.number) << 8)))
    }
}

/// Cents as an amount of money.
pub(crate) fn money(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

/// A number from a draw, at least 0 and less than `below`.
pub(crate) fn below(draw: u64, below: u32) -> u32 {
    u32::try_from(((draw >> 32) * u64::from(below)) >> 32).unwrap_or(0)
}
