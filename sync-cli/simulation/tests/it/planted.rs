//! Each known bug is caught, and by the promise that it breaks.

use sync_simulation::{Bug, Kind, Scenario};

/// Seeds tried until one catches a bug.
const TRIES: u64 = 60;

/// Plays histories with a bug in them, and without until one goes wrong only because of the bug.
fn caught(bug: Bug, by: &[Kind], adapt: impl Fn(&mut Scenario)) {
    for seed in 0..TRIES {
        let mut scenario = Scenario::of_seed(seed);
        adapt(&mut scenario);
        let Some(violation) = scenario.play(Some(bug), false).violation else {
            continue;
        };
        assert!(
            by.contains(&violation.kind),
            "{bug} was caught by mistake: seed {seed}, {violation}"
        );
        let sound = scenario.play(None, false).violation;
        assert_eq!(sound, None, "seed {seed} goes wrong without {bug}, too");
        return;
    }
    panic!("{bug} goes unnoticed in {TRIES} histories");
}

#[test]
fn offset_paging_is_caught() {
    // Broken answers alone are enough to mislead such a reader; it must fail without them.
    caught(
        Bug::OffsetPaging,
        &[Kind::Checkpoint, Kind::Ending],
        |scenario| {
            scenario.mailchimp_faults = 0.0;
        },
    );
}

#[test]
fn a_commit_before_the_flush_is_caught() {
    caught(
        Bug::CommitBeforeFlush,
        &[Kind::Checkpoint, Kind::Ending],
        |_| {},
    );
}

#[test]
fn reading_on_without_looking_back_is_caught() {
    caught(Bug::NoLookBack, &[Kind::Checkpoint, Kind::Ending], |_| {});
}

#[test]
fn ignored_archived_members_are_caught() {
    caught(
        Bug::ArchivedIgnored,
        &[Kind::Checkpoint, Kind::Ending],
        |_| {},
    );
}

#[test]
fn ignored_deletions_are_caught() {
    caught(Bug::DeletionsIgnored, &[Kind::Ending], |_| {});
}

#[test]
fn removals_that_nobody_confirmed_are_caught() {
    caught(
        Bug::RemovalsUnconfirmed,
        &[Kind::Checkpoint, Kind::Ending, Kind::Idle],
        |_| {},
    );
}

#[test]
fn connections_that_are_not_shared_are_caught() {
    caught(Bug::ConnectionsNotShared, &[Kind::Connections], |_| {});
}

#[test]
fn opt_outs_that_are_not_shared_are_caught() {
    caught(Bug::OptOutsNotShared, &[Kind::Consent], |_| {});
}

#[test]
fn opt_outs_that_come_too_late_are_caught() {
    caught(Bug::OptOutsLate, &[Kind::Consent], |_| {});
}
