//! Each known bug is caught, and by the promise that it breaks.

use std::time::Duration;

use sync_simulation::{Bug, Kind, Scenario, ServerDate};

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

#[test]
fn a_date_that_is_believed_is_caught() {
    caught(
        Bug::DateBelieved,
        &[Kind::Checkpoint, Kind::Ending],
        |scenario| {
            scenario.date = ServerDate::Off(3600);
            scenario.future_stamps = Duration::ZERO;
            scenario.mailchimp_faults = 0.0;
        },
    );
}

#[test]
fn totals_that_are_believed_are_caught() {
    caught(
        Bug::TotalBelieved,
        &[Kind::Checkpoint, Kind::Ending],
        |scenario| {
            scenario.totals_low_by = 7;
            // Without changes the pages are right, and only where they end is not.
            scenario.mutations = 0;
            scenario.mailchimp_faults = 0.0;
        },
    );
}

#[test]
fn a_newest_change_that_is_believed_is_caught() {
    caught(
        Bug::NewestBelieved,
        &[Kind::Checkpoint, Kind::Ending],
        |scenario| {
            scenario.date = ServerDate::Right;
            scenario.future_stamps = Duration::from_secs(3600);
            scenario.mailchimp_faults = 0.0;
        },
    );
}

#[test]
fn a_commit_in_two_steps_is_caught() {
    // Nothing but a kill between two steps on the disk comes between the two.
    caught(Bug::CommitInTwo, &[Kind::Checkpoint], |scenario| {
        scenario.directory = true;
        scenario.kills = 4;
        scenario.reject_every = 2;
        scenario.reject_late = false;
        scenario.drain_rate = None;
        scenario.commit_records = 7;
        scenario.sink_faults = 0.0;
        scenario.state_faults = 0.0;
    });
}
