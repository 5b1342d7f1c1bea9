//! Runs, as an operator reads them.

use std::time::Duration;

use sync_core::{Counts, ImportId, Outcome, RunId, RunRecord, StateStore};
use sync_testkit::time;

use super::Bench;

/// A complete run that began at this second.
pub(super) fn run(import: &str, second: i64) -> RunRecord {
    RunRecord {
        id: RunId::new(time(second).format("%Y%m%dT%H%M%S%.3fZ").to_string()),
        import: ImportId::new(import),
        started: time(second),
        elapsed: Duration::from_millis(2500),
        outcome: Some(Outcome::Complete),
        counts: Counts {
            read: 9,
            accepted: 7,
            ..Counts::default()
        },
        complete_until: None,
        error: None,
        error_kind: None,
    }
}

#[tokio::test]
async fn a_run_that_was_killed_is_marked_at_the_next_start() {
    let bench = Bench::empty();
    let state = bench.opened();
    let killed = RunRecord {
        outcome: None,
        ..run("a", 1)
    };
    state.record_run(&killed).await.unwrap();
    state.record_run(&run("a", 2)).await.unwrap();
    drop(state);
    let state = bench.opened();
    assert_eq!(state.found_at_open().interrupted_runs, 1);
    let interrupted = RunRecord {
        outcome: Some(Outcome::Interrupted),
        ..killed
    };
    assert_eq!(
        state.runs(None, 5).await.unwrap(),
        [run("a", 2), interrupted]
    );
    drop(state);
    assert_eq!(bench.opened().found_at_open().interrupted_runs, 0);
}

#[tokio::test]
async fn the_newest_thousand_runs_are_kept() {
    let bench = Bench::empty();
    let state = bench.opened();
    for second in 0..1005 {
        state.record_run(&run("a", second)).await.unwrap();
    }
    let runs = state.runs(None, 5000).await.unwrap();
    assert_eq!(runs.len(), 1000);
    assert_eq!(runs.first(), Some(&run("a", 1004)));
    assert_eq!(runs.last(), Some(&run("a", 5)));
}

#[tokio::test]
async fn only_a_run_that_reached_the_end_writes_its_figures_into_the_file() {
    let bench = Bench::with(r#"[{"list_id":"a"}]"#);
    let state = bench.opened();
    for outcome in [
        None,
        Some(Outcome::Failed),
        Some(Outcome::Stopped),
        Some(Outcome::Superseded),
    ] {
        state
            .record_run(&RunRecord {
                outcome,
                ..run("a", 1)
            })
            .await
            .unwrap();
        assert_eq!(bench.text(), r#"[{"list_id":"a"}]"#);
    }
    state
        .record_run(&RunRecord {
            outcome: Some(Outcome::Partial),
            ..run("a", 1)
        })
        .await
        .unwrap();
    assert_eq!(
        bench.text(),
        r#"[{"list_id":"a", "elapsed_seconds": 2.5, "total_updates": 7}]"#
    );
    let second = RunRecord {
        counts: Counts::default(),
        ..run("a", 2)
    };
    state.record_run(&second).await.unwrap();
    assert_eq!(
        bench.text(),
        r#"[{"list_id":"a", "elapsed_seconds": 2.5, "total_updates": 0}]"#
    );
}
