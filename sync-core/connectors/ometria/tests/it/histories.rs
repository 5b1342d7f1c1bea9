//! Arbitrary histories: people change their minds in several audiences, audiences are read in any order, runs are killed.
//!
//! The world keeps the truth; the account is the simulator, under each of the rule sets Ometria has documented. What is
//! asserted does not look at the mapping's own state.

use ometria_simulator::Rules;
use proptest::prelude::*;

use crate::world::{ADDRESSES, AUDIENCES, Kill, Step, World};

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..AUDIENCES.len(), 0..ADDRESSES.len());
    let status = prop_oneof![
        4 => Just("subscribed"),
        4 => Just("unsubscribed"),
        1 => Just("cleaned"),
        1 => Just("pending"),
        1 => Just("transactional"),
        1 => Just("archived"),
        1 => Just("new-word"),
    ];
    prop_oneof![
        4 => (0i64..3).prop_map(Step::Wait),
        8 => (who(), status).prop_map(|((audience, address), status)| {
            Step::Set { audience, address, status }
        }),
        1 => who().prop_map(|(audience, address)| Step::Delete { audience, address }),
        1 => who().prop_map(|(audience, address)| Step::Rename { audience, address }),
        1 => (who(), 0..ADDRESSES.len())
            .prop_map(|((audience, from), to)| Step::Move { audience, from, to }),
        1 => (0..ADDRESSES.len()).prop_map(|address| Step::Prefer { address }),
        2 => (0..AUDIENCES.len(), 1usize..4)
            .prop_map(|(audience, batch)| Step::Sync { audience, batch, kill: None }),
        2 => (0..AUDIENCES.len(), 1usize..4, kill())
            .prop_map(|(audience, batch, kill)| Step::Sync { audience, batch, kill: Some(kill) }),
        3 => Just(Step::SyncAll),
    ]
}

fn kill() -> impl Strategy<Value = Kill> {
    let late = proptest::bool::weighted(0.2);
    (late, 1usize..4, any::<u8>()).prop_map(|(late, batches, arrived)| Kill {
        late,
        batches,
        arrived,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nobody_who_opted_out_is_opted_in_and_the_end_is_the_newest_state(
        steps in proptest::collection::vec(step(), 0..40),
        older_rules: bool,
        lifts: bool,
        renews: bool,
    ) {
        let rules = if older_rules { Rules::Older } else { Rules::Newest };
        let mut world = World::new(rules, lifts, renews);
        for step in steps {
            world.take(step);
        }
        // Twice: an opt-out that ended in a later audience frees opt-ins of an earlier one.
        world.sync_all(true);
        world.sync_all(true);
        world.check_claims();
        prop_assert_eq!(world.sync_all(true), 0, "unchanged members were sent again");
    }
}
