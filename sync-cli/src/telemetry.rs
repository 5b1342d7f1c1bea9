//! What an operator sees: log lines, metrics, health, progress bars.
//!
//! The libraries beneath tell what happens through [`sync_core::Observer`] and the clients' hooks; everything here only
//! listens. Nothing here is global but the log subscriber, which [`logs::start`] installs and only the program calls.

pub mod endpoint;
pub mod health;
pub mod hooks;
pub mod logs;
pub mod metrics;
pub mod progress;

use std::fmt;
use std::sync::Arc;

use sync_core::{Event, Observer, RunContext};

/// Passes every event on to several observers, in order.
#[derive(Clone, Default)]
pub struct Observers {
    observers: Vec<Arc<dyn Observer>>,
}

impl Observers {
    /// Adds one.
    pub fn push(&mut self, observer: Arc<dyn Observer>) {
        self.observers.push(observer);
    }
}

impl Observer for Observers {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        for observer in &self.observers {
            observer.on_event(run, event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers")
            .field("count", &self.observers.len())
            .finish()
    }
}
