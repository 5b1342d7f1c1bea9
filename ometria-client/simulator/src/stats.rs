//! What happened so far.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// Counts since the simulator was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests by path, ids replaced by names, such as `/contacts/{collection}`; failed and faulty ones included.
    pub requests: BTreeMap<&'static str, u64>,
    /// Answers by status, those of faults included.
    pub answers: BTreeMap<u16, u64>,
    /// Pushed records that arrived in a well-formed call.
    pub pushed: u64,
    /// Pushed records that the answer called accepted.
    pub accepted: u64,
    /// Pushed records that the answer called rejected.
    pub rejected: u64,
    /// Pushed records that were accepted and found bad later.
    pub rejected_late: u64,
    /// Rows that the record endpoint took.
    pub rows: u64,
    /// Record-endpoint calls whose body was not an array of exactly the right fields, taken or not.
    pub nonconforming: u64,
    /// Times that a subscribe event would have started campaigns.
    pub subscribe_events: u64,
    /// Times that an unsubscribe event would have started campaigns.
    pub unsubscribe_events: u64,
    /// The most requests in flight at one time.
    pub max_in_flight: usize,
}

impl Stats {
    /// Requests in all.
    pub fn total_requests(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// Requests in flight, counted until the slot of their reply is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One request in flight.
#[derive(Debug)]
pub(crate) struct Flight(Arc<Counters>);

impl InFlight {
    pub(crate) fn enter(&self) -> Flight {
        let now = self.0.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.most.fetch_max(now, Ordering::Relaxed);
        Flight(Arc::clone(&self.0))
    }

    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::Relaxed)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A limit on requests within any stretch of time.
#[derive(Debug)]
pub(crate) struct RateWindow {
    limit: Option<usize>,
    length: TimeDelta,
    starts: VecDeque<DateTime<Utc>>,
}

impl RateWindow {
    pub(crate) fn new(limit: Option<u32>, length: TimeDelta) -> Self {
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Self {
            limit,
            length,
            starts: VecDeque::new(),
        }
    }

    /// Whether one more request is allowed now; a refused one does not count.
    pub(crate) fn allows(&mut self, now: DateTime<Utc>) -> bool {
        let Some(limit) = self.limit else { return true };
        while self
            .starts
            .front()
            .is_some_and(|start| now - *start >= self.length)
        {
            self.starts.pop_front();
        }
        let allowed = self.starts.len() < limit;
        if allowed {
            self.starts.push_back(now);
        }
        allowed
    }
}
