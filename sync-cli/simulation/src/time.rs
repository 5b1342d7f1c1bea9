//! The clocks of the world: one for the servers, which is right, and one for the importer, which may jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use sync_core::Clock;
use tokio::time::Instant;

/// When every history begins, in seconds since 1970: noon of a Sunday in March 2026.
const BEGIN: i64 = 1_772_366_400;

/// Virtual time as wall time. Clones are the same clocks.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    begun: Instant,
    /// Milliseconds by which the importer's clock is ahead.
    ahead: Arc<AtomicI64>,
}

impl Time {
    pub(crate) fn starting_now() -> Self {
        Self {
            begun: Instant::now(),
            ahead: Arc::default(),
        }
    }

    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// The servers' time.
    pub(crate) fn server(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.begun.elapsed()).unwrap_or(TimeDelta::MAX);
        DateTime::UNIX_EPOCH + TimeDelta::seconds(BEGIN) + passed
    }

    /// Moves the importer's clock.
    pub(crate) fn jump(&self, by: TimeDelta) {
        self.ahead
            .fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }

    /// Sets the importer's clock right.
    pub(crate) fn correct(&self) {
        self.ahead.store(0, Ordering::Relaxed);
    }
}

/// The importer's clock.
impl Clock for Time {
    fn now(&self) -> DateTime<Utc> {
        self.server() + TimeDelta::milliseconds(self.ahead.load(Ordering::Relaxed))
    }
}
