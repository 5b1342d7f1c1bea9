//! How far a stream has been read: what its cursors hold.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sync_core::{Cursor, Position, Result};

use super::error::foreign_cursor;

/// The form of the cursor. Higher ones are refused.
const VERSION: u8 = 1;

/// What is remembered between reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    version: u8,
    stream: String,
    /// Counts the full reads. A parent that was read in an earlier one is due.
    #[serde(default)]
    pub(super) pass: u32,
    /// Whether the current pass reads everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) full: bool,
    /// When the current pass began; none if the last one came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pass_began: Option<DateTime<Utc>>,
    /// When the last complete full read began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) full_at: Option<DateTime<Utc>>,
    /// Everything up to here was read: the start of the last complete run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) complete_until: Option<DateTime<Utc>>,
    /// Where a pass over parents without a gate is: everything up to and with these ids was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Vec<String>>,
    /// Of each parent with a gate, what was read last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) parents: BTreeMap<String, Read>,
    /// The batch whose results are read, or will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) batch: Option<Sent>,
}

/// A batch under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// Mailchimp's id of it.
    pub(super) id: String,
    /// The parents that were not read yet, with the gate each had when the batch was sent: what the batch tells is as old.
    pub(super) parents: BTreeMap<String, u64>,
}

/// What was read of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Read {
    /// The gate's fingerprint.
    #[serde(rename = "g")]
    pub(super) gate: u64,
    /// The pass it was read in.
    #[serde(rename = "p")]
    pub(super) pass: u32,
    /// The newest event, in seconds.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
}

impl Progress {
    /// Where a read goes on.
    ///
    /// # Errors
    /// When the cursor is another stream's, or a later version's.
    pub(super) fn from_position(position: &Position, stream: &str) -> Result<Self> {
        let new = Self {
            version: VERSION,
            stream: stream.to_owned(),
            ..Self::default()
        };
        match position {
            Position::Start => Ok(new),
            // Streams have no filter by change, so going back in time means reading everything once more.
            Position::Since(time) => Ok(Self {
                complete_until: Some(*time),
                ..new
            }),
            Position::Cursor(cursor) => {
                let read: Result<Self, _> = serde_json::from_value(cursor.state.clone());
                match read {
                    Ok(progress) if progress.version == VERSION && progress.stream == stream => {
                        Ok(progress)
                    }
                    Ok(_) => Err(foreign_cursor(stream)),
                    Err(error) => Err(foreign_cursor(stream).caused_by(error)),
                }
            }
        }
    }

    pub(super) fn cursor(&self) -> Result<Cursor> {
        let state = serde_json::to_value(self)
            .map_err(|error| foreign_cursor(&self.stream).caused_by(error))?;
        Ok(Cursor {
            state,
            complete_until: self.complete_until,
        })
    }

    /// Whether the last pass began less than a period ago and read everything, so that it need not be read again.
    pub(super) fn rests(&self, now: DateTime<Utc>, period: TimeDelta) -> bool {
        // Without a full read it is a person who said up to when it is complete, and that it is to be read from there.
        self.pass_began.is_none()
            && self.full_at.is_some()
            && self
                .complete_until
                .is_some_and(|began| began <= now && now - began < period)
    }

    /// Begins a pass, unless one is under way. It reads everything, whatever filters and gates say, if the last that did
    /// is so long ago.
    pub(super) fn begin(&mut self, now: DateTime<Utc>, full_read: TimeDelta) {
        if self.pass_began.is_some() {
            return;
        }
        self.pass_began = Some(now);
        // A last full read in the future is a clock that was set back.
        self.full = self
            .full_at
            .is_none_or(|last| last > now || now - last >= full_read);
        if self.full {
            self.pass += 1;
        }
    }

    /// Whether a parent must be read in this pass.
    pub(super) fn is_due(&self, parent: &str, gate: u64) -> bool {
        self.parents
            .get(parent)
            .is_none_or(|read| read.gate != gate || self.full && read.pass != self.pass)
    }

    /// Ends the pass: everything was tried. With failures the stream is complete only up to where it was before, and the
    /// next pass tries what failed once more: gates forget it, and without a gate every pass reads everything. A parent
    /// that fails every time must not keep the others from being read again.
    pub(super) fn end(&mut self, failures: bool) {
        let began = self.pass_began.take();
        if self.full {
            self.full_at = began;
        }
        if !failures {
            self.complete_until = began;
        }
        self.full = false;
        self.after = None;
        self.batch = None;
    }

    /// A parent was read.
    pub(super) fn taken(&mut self, parent: String, read: Read) {
        self.settled(&parent);
        self.parents.insert(parent, read);
    }

    /// Makes a parent due, whatever its gate says.
    pub(super) fn forget(&mut self, parent: &str) {
        self.settled(parent);
        self.parents.remove(parent);
    }

    /// Nothing more of the parent is expected from a batch.
    fn settled(&mut self, parent: &str) {
        if let Some(batch) = &mut self.batch {
            batch.parents.remove(parent);
            if batch.parents.is_empty() {
                self.batch = None;
            }
        }
    }
}
