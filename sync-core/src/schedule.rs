//! When an import runs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Every so often, with a little jitter so that many imports do not start in the same second.
///
/// Runs of one import never overlap, and ticks missed while one was running (or the computer slept) collapse into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    every: Duration,
    jitter: Duration,
}

impl Schedule {
    /// The interval used unless told otherwise: one hour.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);

    /// Every `every`, each start delayed by up to a hundredth of it, at most half a minute.
    pub fn every(every: Duration) -> Self {
        let every = every.max(Duration::from_millis(1));
        Self {
            every,
            jitter: (every / 100).min(Duration::from_secs(30)),
        }
    }

    /// The same with another upper bound for the delay.
    #[must_use]
    pub fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The interval.
    pub fn interval(&self) -> Duration {
        self.every
    }

    /// When the next run is due. `last_start` is when the last one began, `None` if there was none: due at once.
    /// `draw` is a random number in `0.0..1.0` that places the start within the jitter.
    pub fn next(
        &self,
        last_start: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        draw: f64,
    ) -> DateTime<Utc> {
        let Some(last) = last_start else { return now };
        // A last start in the future is a clock that was set back: do not wait for it.
        let last = last.min(now);
        let jitter = self.jitter.mul_f64(draw.clamp(0.0, 1.0));
        let due = TimeDelta::from_std(self.every + jitter)
            .ok()
            .and_then(|wait| last.checked_add_signed(wait))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        due.max(now)
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::every(Self::DEFAULT_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_first_run_is_due_at_once() {
        assert_eq!(Schedule::default().next(None, at(7), 0.5), at(7));
    }

    #[test]
    fn many_missed_ticks_become_one_run_now() {
        assert_eq!(
            Schedule::default().next(Some(at(0)), at(1_000_000), 0.5),
            at(1_000_000)
        );
    }

    #[test]
    fn the_next_run_is_one_interval_after_the_last_start_plus_jitter() {
        let schedule = Schedule::default();
        assert_eq!(schedule.next(Some(at(0)), at(10), 0.0), at(3600));
        assert_eq!(schedule.next(Some(at(0)), at(10), 1.0), at(3630));
    }

    #[test]
    fn a_clock_set_back_does_not_silence_an_import() {
        let next = Schedule::default().next(Some(at(1_000_000)), at(0), 0.0);
        assert_eq!(next, at(3600));
    }
}
