//! The connections of one user.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts requests that run. Held through their replies' slots, so that a request whose client left still counts.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    limit: usize,
    used: Arc<Used>,
}

#[derive(Debug, Default)]
struct Used {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One taken connection.
#[derive(Debug)]
pub(crate) struct Connection(Arc<Used>);

impl Connections {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: Arc::default(),
        }
    }

    pub(crate) fn take(&self) -> Option<Connection> {
        let (now, most) = (&self.used.now, &self.used.most);
        let before = now
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                (used < self.limit).then_some(used + 1)
            })
            .ok()?;
        most.fetch_max(before + 1, Ordering::SeqCst);
        Some(Connection(Arc::clone(&self.used)))
    }

    /// Taken now, and at most so far.
    pub(crate) fn used(&self) -> (usize, usize) {
        (
            self.used.now.load(Ordering::SeqCst),
            self.used.most.load(Ordering::SeqCst),
        )
    }

    pub(crate) fn forget_maximum(&self) {
        self.used
            .most
            .store(self.used.now.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}
