use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sync_core::{ErrorKind, Outcome, Schedule, run_on_schedule, shutdown};
use sync_testkit::{ScriptedSource, present};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::world::World;

/// A wall clock that follows tokio's, so that paused time moves both.
fn clock_of_tokio() -> impl sync_core::Clock {
    let begun = Instant::now();
    move || sync_testkit::time(1_000_000) + TimeDelta::from_std(begun.elapsed()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn runs_every_hour_sooner_after_a_failure_and_at_once_when_woken() {
    let world = World::new(ScriptedSource::new().batch([present("a", "1")]));
    let (handle, signal) = shutdown();
    let wake = Arc::new(Notify::new());
    let clock = clock_of_tokio();
    let mut pipeline = world.builder().clock(Arc::new(clock_of_tokio())).build();
    let begun = Instant::now();
    let mut starts = Vec::new();
    let schedule = Schedule::every(Duration::from_secs(3600)).with_jitter(Duration::ZERO);
    run_on_schedule(&mut pipeline, schedule, &clock, &wake, &signal, |record| {
        starts.push((
            begun.elapsed().as_secs_f64().round(),
            record.outcome.unwrap(),
        ));
        match starts.len() {
            2 => world.source.fail_check(Some(ErrorKind::Unavailable)),
            3 => world.source.fail_check(None),
            4 => wake.notify_one(),
            5 => handle.request(),
            _ => {}
        }
    })
    .await;
    let (times, outcomes): (Vec<f64>, Vec<Outcome>) = starts.into_iter().unzip();
    let near = |at: usize, expected: f64| {
        assert!(
            (times[at] - expected).abs() <= 3.0,
            "run {at} at {} of {times:?}",
            times[at]
        );
    };
    near(0, 0.0);
    near(1, 3600.0);
    near(2, 7200.0);
    near(3, 7500.0);
    near(4, 7500.0);
    assert_eq!(outcomes[2], Outcome::Failed);
    assert_eq!(outcomes[4], Outcome::Complete);
}
