//! Whether the imports do their work.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sync_core::{Event, ImportId, Observer, Outcome, RunContext};

/// Remembers how each import's last run ended.
#[derive(Debug, Default)]
pub struct Health {
    last: Mutex<BTreeMap<ImportId, Outcome>>,
}

impl Health {
    /// Imports whose last run failed. Empty: ready.
    pub fn failing(&self) -> Vec<ImportId> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter()
            .filter(|(_, outcome)| **outcome == Outcome::Failed)
            .map(|(import, _)| import.clone())
            .collect()
    }

    /// Forgets imports that are not configured any more.
    pub fn keep_only(&self, configured: impl Fn(&ImportId) -> bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|import, _| configured(import));
    }
}

impl Observer for Health {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        if let Event::Finished(record) = event
            && let Some(outcome) = record.outcome
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.insert(run.import.clone(), outcome);
        }
    }
}
