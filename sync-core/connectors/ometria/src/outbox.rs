//! What waits to be sent, one version for each place at the destination.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Names the place a parcel goes to, such as one listing.
pub(crate) type Place = Arc<str>;

/// Something to send.
pub(crate) trait Parcel: Send + Sync + 'static {
    /// Where it goes. Two parcels for one place are never under way together.
    fn place(&self) -> Place;

    /// Whether it goes before others.
    fn is_urgent(&self) -> bool;

    /// Takes over from an older parcel for the same place that was not sent.
    fn replace(&mut self, older: Self);
}

/// Waiting parcels. A newer one for a place replaces the one that waits, and waits itself while one for that place is under
/// way: nothing promises that two requests arrive in the order they left.
#[derive(Debug)]
pub(crate) struct Outbox<P> {
    waiting: HashMap<Place, Waiting<P>>,
    /// Places in the order their parcels go out.
    urgent: BTreeMap<u64, Place>,
    rest: BTreeMap<u64, Place>,
    under_way: HashSet<Place>,
    next_turn: u64,
}

#[derive(Debug)]
struct Waiting<P> {
    parcel: P,
    /// Its number in one of the orders; `None` while an older parcel for the place is under way.
    turn: Option<u64>,
}

impl<P> Default for Outbox<P> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            urgent: BTreeMap::new(),
            rest: BTreeMap::new(),
            under_way: HashSet::new(),
            next_turn: 0,
        }
    }
}

impl<P: Parcel> Outbox<P> {
    /// Adds a parcel and returns whether it replaced one.
    pub(crate) fn push(&mut self, mut parcel: P) -> bool {
        let place = parcel.place();
        let replaced = match self.waiting.remove(&place) {
            Some(older) => {
                if let Some(turn) = older.turn {
                    self.urgent.remove(&turn);
                    self.rest.remove(&turn);
                }
                parcel.replace(older.parcel);
                true
            }
            None => false,
        };
        let turn = (!self.under_way.contains(&place)).then(|| self.queue(&place, &parcel));
        self.waiting.insert(place, Waiting { parcel, turn });
        replaced
    }

    fn queue(&mut self, place: &Place, parcel: &P) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        let order = if parcel.is_urgent() {
            &mut self.urgent
        } else {
            &mut self.rest
        };
        order.insert(turn, place.clone());
        turn
    }

    /// Parcels that wait, including those whose place is taken.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next parcels to send, at most `most`, urgent ones first and never together with others. Without `partial` a batch
    /// is given only when it is full: calls are what is scarce. Their places are taken until [`Outbox::arrived`].
    pub(crate) fn next_batch(&mut self, most: usize, partial: bool) -> Option<Vec<P>> {
        let least = if partial { 1 } else { most };
        let order = match () {
            () if self.urgent.len() >= least => &mut self.urgent,
            () if self.rest.len() >= least => &mut self.rest,
            () => return None,
        };
        let mut batch = Vec::with_capacity(most.min(order.len()));
        while batch.len() < most
            && let Some((_, place)) = order.pop_first()
        {
            if let Some(waiting) = self.waiting.remove(&place) {
                batch.push(waiting.parcel);
                self.under_way.insert(place);
            }
        }
        Some(batch)
    }

    /// Frees the place of a parcel that is not under way any more.
    pub(crate) fn arrived(&mut self, place: &Place) {
        self.under_way.remove(place);
        if let Some(mut waiting) = self.waiting.remove(place) {
            waiting.turn = Some(self.queue(place, &waiting.parcel));
            self.waiting.insert(place.clone(), waiting);
        }
    }

    /// Gives up a parcel under way if a newer one waits for its place; otherwise returns it.
    pub(crate) fn give_up_for_newer(&mut self, parcel: P) -> Option<P> {
        let place = parcel.place();
        match self.waiting.entry(place.clone()) {
            Entry::Vacant(_) => Some(parcel),
            Entry::Occupied(mut newer) => {
                newer.get_mut().parcel.replace(parcel);
                self.arrived(&place);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Letter {
        to: u8,
        version: u32,
        urgent: bool,
        replaced: Vec<u32>,
    }

    impl Letter {
        fn new(to: u8, version: u32, urgent: bool) -> Self {
            Self {
                to,
                version,
                urgent,
                replaced: Vec::new(),
            }
        }
    }

    impl Parcel for Letter {
        fn place(&self) -> Place {
            self.to.to_string().into()
        }

        fn is_urgent(&self) -> bool {
            self.urgent
        }

        fn replace(&mut self, older: Self) {
            assert!(older.version < self.version);
            // What was replaced before is newer: it was pushed after the older parcel left.
            let newer = std::mem::take(&mut self.replaced);
            self.replaced = older.replaced;
            self.replaced.push(older.version);
            self.replaced.extend(newer);
        }
    }

    #[test]
    fn urgent_parcels_go_first_and_alone() {
        let mut outbox = Outbox::default();
        for to in 0..4 {
            outbox.push(Letter::new(to, 0, to == 3));
        }
        let to = |batch: Option<Vec<Letter>>| -> Vec<u8> {
            batch.unwrap().iter().map(|letter| letter.to).collect()
        };
        assert_eq!(to(outbox.next_batch(3, true)), [3]);
        assert_eq!(to(outbox.next_batch(3, true)), [0, 1, 2]);
        assert!(outbox.next_batch(3, true).is_none());
    }

    #[test]
    fn a_batch_that_is_not_full_waits_unless_asked_for() {
        let mut outbox = Outbox::default();
        outbox.push(Letter::new(0, 0, true));
        outbox.push(Letter::new(1, 0, false));
        assert!(outbox.next_batch(2, false).is_none());
        outbox.push(Letter::new(2, 0, false));
        assert_eq!(
            outbox.next_batch(2, false).unwrap().len(),
            2,
            "the urgent one is not worth a call yet"
        );
        assert_eq!(outbox.next_batch(2, true).unwrap().len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push { to: u8, urgent: bool },
        Send { most: usize, partial: bool },
        Arrive,
        GiveUp,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..6, any::<bool>()).prop_map(|(to, urgent)| Step::Push { to, urgent }),
            2 => (1usize..4, any::<bool>())
                .prop_map(|(most, partial)| Step::Send { most, partial }),
            2 => Just(Step::Arrive),
            1 => Just(Step::GiveUp),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_one_version_is_under_way(
            steps in proptest::collection::vec(step(), 0..80),
        ) {
            let mut outbox = Outbox::default();
            let mut under_way: Vec<Letter> = Vec::new();
            let mut pushed: HashMap<u8, Vec<u32>> = HashMap::new();
            let mut sent: HashMap<u8, Vec<u32>> = HashMap::new();
            let mut arrive = |letter: &Letter| {
                let to = sent.entry(letter.to).or_default();
                to.extend(&letter.replaced);
                to.push(letter.version);
            };
            for (version, step) in (0u32..).zip(steps) {
                match step {
                    Step::Push { to, urgent } => {
                        outbox.push(Letter::new(to, version, urgent));
                        pushed.entry(to).or_default().push(version);
                    }
                    Step::Send { most, partial } => {
                        for letter in outbox.next_batch(most, partial).into_iter().flatten() {
                            prop_assert!(under_way.iter().all(|other| other.to != letter.to));
                            under_way.push(letter);
                        }
                    }
                    Step::Arrive => {
                        if let Some(letter) = under_way.pop() {
                            arrive(&letter);
                            outbox.arrived(&letter.place());
                        }
                    }
                    Step::GiveUp => {
                        if let Some(letter) = under_way.pop() {
                            under_way.extend(outbox.give_up_for_newer(letter));
                        }
                    }
                }
            }
            for letter in under_way {
                arrive(&letter);
                outbox.arrived(&letter.place());
            }
            while let Some(batch) = outbox.next_batch(3, true) {
                for letter in batch {
                    arrive(&letter);
                    outbox.arrived(&letter.place());
                }
            }
            prop_assert_eq!(outbox.len(), 0);
            // Each version was sent, or taken over by a later one that was, in order.
            prop_assert_eq!(sent, pushed);
        }
    }
}
