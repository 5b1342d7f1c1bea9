//! How often and how long a request is repeated. The repeating itself is in `http.rs` and nowhere else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bounds of the retries around one request.
///
/// Waits grow as `base × 2ⁿ` up to `cap`, and each is drawn evenly from zero to that value, so that many clients do not
/// come back in step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Requests sent at most for one call, the first included. Default 8; 1 never repeats.
    pub max_attempts: u32,
    /// No retry starts later than this after the first attempt. Default 5 minutes.
    pub max_elapsed: Duration,
    /// Upper bound of the first wait. Default 500 ms.
    pub base: Duration,
    /// Upper bound of any wait. Default 30 s.
    pub cap: Duration,
    /// Upper bound of the wait after a 429 that says the account's queue is full; the lower bound is half of it.
    ///
    /// Ometria documents a backlog limit of 50,000 records, which drains over minutes rather than within a second.
    /// Default 30 s.
    pub backlog: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            max_elapsed: Duration::from_secs(300),
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            backlog: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// A policy that sends each request once.
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// Sets [`max_attempts`](Self::max_attempts); zero is taken as one.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets [`max_elapsed`](Self::max_elapsed).
    #[must_use]
    pub fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Sets the bounds of ordinary waits, [`base`](Self::base) and [`cap`](Self::cap).
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// The wait before attempt `attempt + 1`, full jitter.
    pub(crate) fn wait_after(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        bound.mul_f64(fastrand::f64())
    }

    /// The wait after a 429 for a full queue: never short, still spread out.
    pub(crate) fn wait_for_backlog(&self) -> Duration {
        self.backlog.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}

/// Stops retry storms: a few retries are free, after that they must be paid for by successes.
///
/// When everything fails, each request would otherwise be sent `max_attempts` times and the load on a struggling server
/// would multiply. 429 is exempt: there the server asked for the wait.
#[derive(Debug)]
pub(crate) struct RetryBudget(Mutex<u32>);

impl RetryBudget {
    const CAPACITY: u32 = 100;

    pub(crate) fn new() -> Self {
        Self(Mutex::new(Self::CAPACITY))
    }

    /// Takes one retry, or says that none is left.
    pub(crate) fn withdraw(&self) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match left.checked_sub(1) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }

    /// A success earns one retry.
    pub(crate) fn deposit(&self) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = (*left + 1).min(Self::CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_their_bounds() {
        let policy = RetryPolicy::default();
        for attempt in 1..100 {
            let bound = policy
                .base
                .saturating_mul(1 << (attempt - 1).min(20))
                .min(policy.cap);
            assert!(policy.wait_after(attempt) <= bound);
            let backlog = policy.wait_for_backlog();
            assert!(backlog >= policy.backlog / 2 && backlog <= policy.backlog);
        }
    }

    #[test]
    fn the_budget_runs_out_and_a_success_earns_one_back() {
        let budget = RetryBudget::new();
        for _ in 0..RetryBudget::CAPACITY {
            assert!(budget.withdraw());
        }
        assert!(!budget.withdraw());
        budget.deposit();
        assert!(budget.withdraw());
        assert!(!budget.withdraw());
    }
}
