//! What the readers of one read pass on to each other.

use mailchimp_client::RawPage;
use sync_core::Error;

use crate::catalogue::descent::{Ids, name_of};
use crate::catalogue::progress::Sent;
use crate::catalogue::record::StreamRecord;

/// A parent to read, or the whole stream if it has none.
pub(super) struct Unit {
    pub(super) index: usize,
    pub(super) ids: Ids,
    pub(super) gate: Option<u64>,
    /// The newest event known.
    pub(super) until: Option<i64>,
    /// How many rows the parent says there are.
    pub(super) rows: Option<u64>,
    /// The first page of its rows, if a batch brought it.
    pub(super) first: Option<RawPage>,
}

impl Unit {
    /// Names the parent in the stored progress, as [`Root::name`](crate::catalogue::descent::Root::name) does.
    pub(super) fn name(&self) -> String {
        name_of(&self.ids)
    }

    /// Names the part of a stream that it is, for people.
    pub(super) fn part(&self, stream: &str) -> String {
        part_of(stream, &self.ids)
    }
}

/// Names what is below these ids, for people.
pub(super) fn part_of(stream: &str, ids: &Ids) -> String {
    let ids: Vec<String> = ids
        .iter()
        .map(|(name, id)| format!("{name} {id}"))
        .collect();
    format!("{stream} of {}", ids.join(", "))
}

/// What the readers of the parents have to say.
pub(super) enum Told {
    /// Some records.
    Rows {
        records: Vec<StreamRecord>,
        useless: usize,
        total: Option<u64>,
    },
    /// All records of a parent were told.
    Read { unit: Unit },
    /// A parent could not be read, or not to its end.
    Failed { unit: Unit, error: Error },
    /// Something below a parent is left out: no later run could ask for it either.
    Unreachable { part: String, error: Error },
    /// A batch is under way.
    Sent(Sent),
}
