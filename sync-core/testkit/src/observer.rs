//! An observer that remembers.

use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{Event, Key, Observer, RunContext, RunRecord};

/// One event, owned.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run it belongs to.
    pub run: RunContext,
    /// The name of the variant, such as `Committed`.
    pub name: &'static str,
    /// Its `Debug` form, for messages of failed tests.
    pub text: String,
}

/// Keeps every event. Clones keep them in the same place.
#[derive(Clone, Debug, Default)]
pub struct RecordingObserver {
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    events: Vec<Recorded>,
    rejected: Vec<(Key, String)>,
    finished: Vec<RunRecord>,
}

impl RecordingObserver {
    /// One that heard nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All events so far, in order.
    pub fn events(&self) -> Vec<Recorded> {
        self.with(|heard| heard.events.clone())
    }

    /// The names of all events so far, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.with(|heard| heard.events.iter().map(|event| event.name).collect())
    }

    /// How many events of this name there were.
    pub fn count(&self, name: &str) -> usize {
        self.with(|heard| {
            heard
                .events
                .iter()
                .filter(|event| event.name == name)
                .count()
        })
    }

    /// Every rejection heard, in order.
    pub fn rejected(&self) -> Vec<(Key, String)> {
        self.with(|heard| heard.rejected.clone())
    }

    /// Every finished run, in order.
    pub fn finished(&self) -> Vec<RunRecord> {
        self.with(|heard| heard.finished.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for RecordingObserver {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        let name = match event {
            Event::Started => "Started",
            Event::PreflightPassed => "PreflightPassed",
            Event::BatchRead { .. } => "BatchRead",
            Event::BatchWritten { .. } => "BatchWritten",
            Event::Rejected { .. } => "Rejected",
            Event::PartFailed { .. } => "PartFailed",
            Event::Committed { .. } => "Committed",
            Event::SweepStarted => "SweepStarted",
            Event::SweepFinished { .. } => "SweepFinished",
            Event::Finished(_) => "Finished",
            // An event that is newer than this testkit.
            _ => "Other",
        };
        self.with(|heard| {
            match event {
                Event::Rejected { key, reason } => {
                    heard.rejected.push(((*key).clone(), (*reason).to_owned()));
                }
                Event::Finished(record) => heard.finished.push((*record).clone()),
                _ => {}
            }
            heard.events.push(Recorded {
                run: run.clone(),
                name,
                text: format!("{event:?}"),
            });
        });
    }
}
