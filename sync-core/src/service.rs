//! Running an import again and again.

use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::pipeline::Import;
use crate::run::{Outcome, RunRecord};
use crate::schedule::Schedule;
use crate::shutdown::Shutdown;

/// The longest sleep. A computer that was suspended, or whose clock was set, notices a due run after at most this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Runs `import` on its schedule until `shutdown`, or at once when `wake` is notified. `after_run` hears each outcome.
///
/// Runs never overlap. A run superseded by an edit of the state starts over at once; one that failed is tried again after
/// a twelfth of the interval (5 minutes of an hour), so that a short outage does not cost a whole interval.
pub async fn run_on_schedule(
    import: &mut dyn Import,
    schedule: Schedule,
    clock: &dyn Clock,
    wake: &Notify,
    shutdown: &Shutdown,
    mut after_run: impl FnMut(&RunRecord),
) {
    let mut next = clock.now();
    while !shutdown.is_requested() {
        let wait = (next - clock.now()).to_std().unwrap_or_default();
        if !wait.is_zero() {
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                () = wake.notified() => {}
                () = tokio::time::sleep(wait.min(LONGEST_SLEEP)) => continue,
            }
        }
        let record = import.run(shutdown).await;
        let draw = fastrand::f64();
        next = match record.outcome {
            Some(Outcome::Superseded) => clock.now(),
            Some(Outcome::Failed) => Schedule::every(schedule.interval() / 12).next(
                Some(record.started),
                clock.now(),
                draw,
            ),
            _ => schedule.next(Some(record.started), clock.now(), draw),
        };
        after_run(&record);
    }
}
