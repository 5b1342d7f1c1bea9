//! Many histories, and that they are what their seed says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sync_simulation::{Scenario, ServerDate, TimeFilters, Violation};

/// Plays seeds on all processors and gives the first that goes wrong.
fn first_failure(seeds: std::ops::Range<u64>) -> Option<(u64, Violation)> {
    let next = AtomicU64::new(seeds.start);
    let play = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return None;
            }
            if let Some(violation) = Scenario::of_seed(seed).play(None, false).violation {
                return Some((seed, violation));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(play)).collect();
        let joined = running.into_iter().filter_map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.min_by_key(|found| found.0)
    })
}

#[test]
fn hundreds_of_histories_keep_every_promise() {
    if let Some((seed, violation)) = first_failure(0..300) {
        let smallest = Scenario::of_seed(seed).shrunk(None);
        let history = smallest.play(None, true);
        panic!(
            "seed {seed}: {violation}\n{smallest:#?}\n{}\nthe smallest: {:?}",
            history.trace.join("\n"),
            history.violation,
        );
    }
}

#[test]
fn histories_that_once_went_wrong_stay_right() {
    // What they found, as long as the drawing of scenarios stays as it is: opt-ins of a killed process that nobody took
    // back (94, 199, 1003), records that went back to an earlier version (335, 2136), an opt-in that a failed run had left
    // in the sink (9043), an editor who saves half a file (7627), and a listing that only a run that failed had written (51482).
    for seed in [94, 199, 335, 1003, 2136, 7627, 9043, 51482] {
        let violation = without_later_additions(seed).play(None, false).violation;
        assert_eq!(violation, None, "seed {seed}");
    }
    // Opt-outs of one audience that another did not know of: stamped ahead of the clock (2000335), too young for a server's
    // clock that is behind (2001565, 2002902), or made in the last second before a run (2005708).
    for seed in [2_000_335, 2_001_565, 2_002_902, 2_005_708] {
        let mut scenario = Scenario::of_seed(seed);
        scenario.filters = TimeFilters::default();
        let violation = scenario.play(None, false).violation;
        assert_eq!(violation, None, "seed {seed}");
    }
    // An opt-in that waits in Ometria's queue for nine minutes, while the same listing is pushed again with another address.
    let violation = Scenario::of_seed(8_003_436).play(None, false).violation;
    assert_eq!(violation, None);
}

/// The scenario that a seed gave when its history went wrong: without what came to be drawn since then.
fn without_later_additions(seed: u64) -> Scenario {
    let mut scenario = Scenario::of_seed(seed);
    scenario.audiences.truncate(2);
    scenario.imports.retain(|import| import.audience < 2);
    scenario.filters = TimeFilters::default();
    scenario.totals_low_by = 0;
    scenario.future_stamps = Duration::ZERO;
    scenario.drain_rate = None;
    if let ServerDate::Off(_) = scenario.date {
        scenario.date = ServerDate::Right;
    }
    scenario
}

#[test]
fn a_seed_gives_the_same_history_every_time() {
    for seed in 0..40 {
        let scenario = Scenario::of_seed(seed);
        let once = scenario.play(None, true);
        let again = scenario.play(None, true);
        assert!(once.trace == again.trace, "seed {seed}");
    }
}

#[test]
fn histories_are_not_idle() {
    let mut seen = [0_u32; 6];
    for seed in 0..60 {
        let history = Scenario::of_seed(seed).play(None, true);
        let happened = |what: &str| history.trace.iter().any(|line| line.contains(what));
        let marks = [
            "is killed",
            "unsubscribed -> subscribed",
            "another address",
            "deleted, Ok",
            "made to fail",
            "clock jumps",
        ];
        for (count, mark) in seen.iter_mut().zip(marks) {
            *count += u32::from(happened(mark));
        }
    }
    assert!(seen.iter().all(|count| *count > 3), "{seen:?}");
}
