//! Hearing what the engine does. The library neither logs nor counts; a program turns these events into logs, metrics and
//! progress bars.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::Error;
use crate::record::Key;
use crate::run::{RunId, RunRecord};
use crate::state::ImportId;

/// Hears events. Called inline: return at once.
pub trait Observer: Send + Sync {
    /// Something happened in a run.
    fn on_event(&self, run: &RunContext, event: &Event<'_>);
}

/// An observer that hears nothing.
impl Observer for () {
    fn on_event(&self, _run: &RunContext, _event: &Event<'_>) {}
}

/// Which run an event belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunContext {
    /// The import.
    pub import: ImportId,
    /// The run.
    pub run: RunId,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run began; nothing was read yet.
    Started,
    /// Both ends answered: credentials and names are right.
    PreflightPassed,
    /// A batch arrived from the source.
    BatchRead {
        /// Changes in it.
        records: u64,
        /// How many the whole read will give, as far as known.
        expected_total: Option<u64>,
    },
    /// A batch went through mapping and sink.
    BatchWritten {
        /// Changes given to the sink.
        sent: u64,
        /// Changes the sink already had.
        unchanged: u64,
    },
    /// One record was refused.
    Rejected {
        /// Its key.
        key: &'a Key,
        /// Why.
        reason: &'a str,
    },
    /// A part of the source could not be read.
    PartFailed {
        /// Which.
        part: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// Everything so far is durable at the sink and written down.
    Committed {
        /// Changes the sink took since the last commit.
        accepted: u64,
        /// Time from flush to the end of the commit.
        took: Duration,
        /// Everything up to this source time is delivered.
        complete_until: Option<DateTime<Utc>>,
    },
    /// The search for removals began.
    SweepStarted,
    /// The search for removals ended.
    SweepFinished {
        /// Keys the source has.
        present: u64,
        /// Keys it was confirmed not to have any more.
        removed: u64,
    },
    /// The run ended.
    Finished(&'a RunRecord),
}
