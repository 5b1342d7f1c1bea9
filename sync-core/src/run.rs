//! What a run did, for people and for the history.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::state::ImportId;

/// Names one run of one import. Sorts by start time.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id of a run that starts now: UTC to the millisecond, and a few random digits, because a clock may stand still
    /// or be set back.
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self(format!(
            "{}-{:05x}",
            now.format("%Y%m%dT%H%M%S%.3fZ"),
            fastrand::u32(..1 << 20)
        ))
    }

    /// An id that somebody wrote down.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything up to the run's upper bound was delivered.
    Complete,
    /// Everything that could be was delivered; some records were rejected or some windows could not be read.
    Partial,
    /// Somebody asked it to stop; what was delivered is committed and the next run goes on.
    Stopped,
    /// It reached `--limit`.
    Limited,
    /// The stored state changed under it (an edit, a rewind); the next run starts from what is stored now.
    Superseded,
    /// It could not go on. What was committed stays; the next run goes on from there.
    Failed,
    /// It never ended: the process was killed.
    Interrupted,
}

impl Outcome {
    /// One lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Stopped => "stopped",
            Self::Limited => "limited",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// How many records went where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Changes the source gave.
    pub read: u64,
    /// Of these, the ones the sink already had or has no use for.
    pub unchanged: u64,
    /// Of these, the ones the sink took. Each is durable once its interval is committed.
    pub accepted: u64,
    /// Of these, the ones refused by the mapping or the sink.
    pub rejected: u64,
    /// Of the read changes, the ones that were removals.
    pub removed: u64,
    /// Windows or other parts that could not be read.
    pub failed_parts: u64,
    /// Commits.
    pub commits: u64,
}

/// One run, as the history keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// The import it ran for.
    pub import: ImportId,
    /// When it started.
    pub started: DateTime<Utc>,
    /// How long it took, or took so far.
    #[serde(with = "seconds")]
    pub elapsed: Duration,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// What it did.
    pub counts: Counts,
    /// Everything up to this source time is delivered.
    pub complete_until: Option<DateTime<Utc>>,
    /// Why it failed, or the first part that did. Holds no key, address or body.
    pub error: Option<String>,
    /// The kind of that error.
    pub error_kind: Option<String>,
}

/// Durations as seconds with a fraction: what people expect to read in JSON.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
