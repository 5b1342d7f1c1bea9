//! When a request is repeated and after which wait. The loop itself is in `http.rs`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How requests are repeated.
///
/// `GET`, `PUT`, `PATCH`, `DELETE` and calls documented as safe to repeat are repeated on 429,
/// 5xx, a 403 without a problem document and on any transport failure; a `POST` only when it was
/// never sent, and on 429. Waits grow exponentially with full jitter. A `Retry-After` of the
/// server takes the place of the computed wait.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Most tries of one request, the first included. Default 6; 0 means 1.
    pub max_attempts: u32,
    /// No try begins later than this after the first one began. Default 5 minutes.
    pub max_elapsed: Duration,
    /// Upper bound of the first wait; doubles with each try. Default 0.5 s.
    pub base: Duration,
    /// Upper bound of all waits. Default 30 s.
    pub cap: Duration,
    /// Upper bound of waits after a throttle answer, which is over as soon as another request
    /// ends. Default 8 s.
    pub throttle_cap: Duration,
    /// Least wait after a time-out: the server may still be busy with the request, and a repeat
    /// at once takes a second of its ten slots. Default 15 s.
    pub after_timeout: Duration,
    /// Longest `Retry-After` that is obeyed. Default 2 minutes.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            max_elapsed: Duration::from_secs(300),
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            throttle_cap: Duration::from_secs(8),
            after_timeout: Duration::from_secs(15),
            retry_after_cap: Duration::from_secs(120),
        }
    }
}

/// No wait is longer, whatever the settings: beyond it lie overflows, and nobody waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl RetryPolicy {
    /// Every request is tried once.
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// Changes [`RetryPolicy::max_attempts`].
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Changes [`RetryPolicy::max_elapsed`].
    #[must_use]
    pub fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Changes [`RetryPolicy::base`] and [`RetryPolicy::cap`].
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// The wait after try number `attempt` (from 1). `random` lies in `0.0 ..= 1.0`.
    pub(crate) fn wait(
        &self,
        attempt: u32,
        cause: Cause,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Duration {
        if let Some(wait) = retry_after {
            return wait.min(self.retry_after_cap).min(LONGEST_WAIT);
        }
        let cap = if cause == Cause::Throttle {
            self.throttle_cap
        } else {
            self.cap
        };
        let doublings = attempt.saturating_sub(1).min(31);
        let ceiling = self
            .base
            .saturating_mul(1 << doublings)
            .min(cap)
            .min(LONGEST_WAIT);
        let jittered = ceiling.mul_f64(random.clamp(0.0, 1.0));
        match cause {
            Cause::Timeout => self
                .after_timeout
                .saturating_add(jittered)
                .min(LONGEST_WAIT),
            Cause::Throttle | Cause::Other => jittered,
        }
    }
}

/// Why a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Throttle,
    Timeout,
    Other,
}

/// A token bucket over all requests of a client, against retry storms: when much fails, requests
/// are tried once and no more. It fills with successes, and slowly with time, so that a run after
/// an outage begins with a full bucket.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    state: Mutex<Tokens>,
}

#[derive(Debug)]
struct Tokens {
    left: f64,
    filled: Option<Instant>,
}

impl RetryBudget {
    const CAPACITY: f64 = 500.0;
    const PER_SECOND: f64 = 0.5;
    const SUCCESS: f64 = 1.0;

    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(Tokens {
                left: Self::CAPACITY,
                filled: None,
            }),
        }
    }

    /// Takes what a retry costs, or says that there is not enough left.
    pub(crate) fn take(&self, cause: Cause) -> bool {
        let price = if cause == Cause::Timeout { 10.0 } else { 5.0 };
        self.with(|tokens| {
            let affordable = tokens.left >= price;
            if affordable {
                tokens.left -= price;
            }
            affordable
        })
    }

    pub(crate) fn success(&self) {
        self.with(|tokens| tokens.left = (tokens.left + Self::SUCCESS).min(Self::CAPACITY));
    }

    fn with<R>(&self, change: impl FnOnce(&mut Tokens) -> R) -> R {
        let mut tokens = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(filled) = tokens.filled {
            let gained = now.duration_since(filled).as_secs_f64() * Self::PER_SECOND;
            tokens.left = (tokens.left + gained).min(Self::CAPACITY);
        }
        tokens.filled = Some(now);
        change(&mut tokens)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_duration() -> impl Strategy<Value = Duration> {
        prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            (0_u64..100_000).prop_map(Duration::from_millis),
        ]
    }

    fn any_cause() -> impl Strategy<Value = Cause> {
        prop::sample::select(vec![Cause::Throttle, Cause::Timeout, Cause::Other])
    }

    #[test]
    fn ceilings_double_up_to_the_cap_of_their_cause() {
        let policy = RetryPolicy::default();
        let ceilings = |cause| -> Vec<u128> {
            (1..9)
                .map(|attempt| policy.wait(attempt, cause, None, 1.0).as_millis())
                .collect()
        };
        assert_eq!(
            ceilings(Cause::Other),
            [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]
        );
        assert_eq!(
            ceilings(Cause::Throttle),
            [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]
        );
        assert_eq!(ceilings(Cause::Timeout)[0], 15_500);
        assert_eq!(policy.wait(7, Cause::Other, None, 0.0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn any_settings_give_a_wait_within_a_day(
            (base, cap, throttle_cap) in (any_duration(), any_duration(), any_duration()),
            (after_timeout, retry_after_cap) in (any_duration(), any_duration()),
            retry_after in prop::option::of(any_duration()),
            attempt in any::<u32>(),
            cause in any_cause(),
            random in 0.0_f64..=1.0,
        ) {
            let policy = RetryPolicy {
                base,
                cap,
                throttle_cap,
                after_timeout,
                retry_after_cap,
                ..RetryPolicy::default()
            };
            let wait = policy.wait(attempt, cause, retry_after, random);
            prop_assert!(wait <= LONGEST_WAIT);
            if retry_after.is_none() && cause == Cause::Throttle {
                prop_assert!(wait <= throttle_cap);
            }
        }
    }
}
