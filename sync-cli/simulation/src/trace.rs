//! What happened, line by line, for whoever looks into a failure.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Lines with virtual times. Holds ids and counts, no addresses.
#[derive(Debug)]
pub(crate) struct Trace {
    begun: Instant,
    lines: Option<Mutex<Vec<String>>>,
}

impl Trace {
    /// A trace that keeps its lines, or drops them at no cost.
    pub(crate) fn new(begun: Instant, keep: bool) -> Self {
        Self {
            begun,
            lines: keep.then(Mutex::default),
        }
    }

    /// Adds a line. The arguments are only put together if it is kept.
    pub(crate) fn line(&self, what: fmt::Arguments<'_>) {
        if let Some(lines) = &self.lines {
            let at = self.begun.elapsed().as_secs_f64();
            let line = format!("{at:>12.3}  {what}");
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let kept = self.lines.as_ref();
        kept.map(|lines| lines.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }
}
