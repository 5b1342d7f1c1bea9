//! What lists show of an audience, in the orders they show it in.

use crate::member::Member;
use crate::ordered::OrderedSet;
use crate::spec::Status;

/// The part of an audience that one list request reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The list that asks for no status.
    Default,
    Of(Status),
}

/// Orders of everything that lists show.
#[derive(Debug)]
pub(crate) struct Listing {
    /// By status, then the default list.
    classes: [Orders; 7],
    hidden: Vec<Status>,
}

/// The two orders of one class.
#[derive(Debug, Default)]
struct Orders {
    /// `last_changed` in the upper half, slot in the lower.
    by_change: OrderedSet,
    by_slot: OrderedSet,
}

impl Listing {
    /// An empty list that leaves members of these statuses out unless asked for one.
    pub(crate) fn new(hidden: Vec<Status>) -> Self {
        Self {
            classes: Default::default(),
            hidden,
        }
    }

    /// Positions in `last_changed` order of the members that changed after `since` and not after `before`.
    pub(crate) fn window(
        &self,
        class: Class,
        since: Option<i64>,
        before: Option<i64>,
    ) -> std::ops::Range<usize> {
        let orders = self.orders(class);
        let after = |second: i64| {
            let next = second.saturating_add(1).max(0);
            u32::try_from(next).map_or(orders.by_change.len(), |next| {
                orders.by_change.rank(change_key(next, 0))
            })
        };
        let start = since.map_or(0, after);
        let end = before.map_or(orders.by_change.len(), after);
        start..end.max(start)
    }

    /// Slots in `last_changed` order; ties in order of `web_id`.
    pub(crate) fn by_change(
        &self,
        class: Class,
        positions: std::ops::Range<usize>,
    ) -> impl Iterator<Item = u32> {
        let orders = self.orders(class);
        orders
            .by_change
            .range(positions.start, positions.end)
            .map(slot_of)
    }

    /// Slots in order of `web_id`.
    pub(crate) fn by_slot(
        &self,
        class: Class,
        positions: std::ops::Range<usize>,
    ) -> impl Iterator<Item = u32> {
        self.orders(class)
            .by_slot
            .range(positions.start, positions.end)
            .map(slot_of)
    }

    /// How many members lists show in a class.
    pub(crate) fn count(&self, class: Class) -> usize {
        self.orders(class).by_slot.len()
    }

    fn orders(&self, class: Class) -> &Orders {
        match class {
            Class::Of(status) => &self.classes[status.index()],
            Class::Default => &self.classes[6],
        }
    }

    fn classes_of(&self, status: Status) -> impl Iterator<Item = usize> + use<> {
        let in_default = !self.hidden.contains(&status);
        std::iter::once(status.index()).chain(in_default.then_some(6))
    }

    /// Moves a member from where its old version stood to where the next one does.
    pub(crate) fn replace(&mut self, slot: u32, before: Option<&Member>, next: Option<&Member>) {
        if let Some(member) = before {
            for class in self.classes_of(member.status) {
                self.classes[class]
                    .by_change
                    .remove(change_key(member.last_changed, slot));
                self.classes[class].by_slot.remove(u64::from(slot));
            }
        }
        if let Some(member) = next {
            for class in self.classes_of(member.status) {
                self.classes[class]
                    .by_change
                    .insert(change_key(member.last_changed, slot));
                self.classes[class].by_slot.insert(u64::from(slot));
            }
        }
    }

    /// Adds many members, each with its `last_changed` and slot, at once.
    pub(crate) fn extend(&mut self, members: impl Iterator<Item = (Status, u32, u32)>) {
        let mut keys: [Vec<u64>; 7] = Default::default();
        for (status, last_changed, slot) in members {
            for class in self.classes_of(status) {
                keys[class].push(change_key(last_changed, slot));
            }
        }
        for (orders, keys) in self.classes.iter_mut().zip(keys) {
            let slots = keys.iter().map(|&key| u64::from(slot_of(key)));
            orders.by_slot.extend(slots.collect());
            orders.by_change.extend(keys);
        }
    }
}

fn change_key(last_changed: u32, slot: u32) -> u64 {
    (u64::from(last_changed) << 32) | u64::from(slot)
}

/// The slot in the lower half of a key.
fn slot_of(key: u64) -> u32 {
    u32::try_from(key & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
