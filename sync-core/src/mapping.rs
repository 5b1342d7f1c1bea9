//! What a source record becomes at the sink, and whether it needs to be sent at all.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::record::{Change, JsonRecord, Keyed};
use crate::state::{LedgerChange, LedgerEntry, LedgerKey, Scope};
use crate::stream::Stream;

/// Turns a change at the source into records for the sink, knowing what the sink last accepted.
///
/// A mapping is pure: the same change and the same ledger give the same answer. The engine asks for
/// [`lookups`](Mapping::lookups) first, reads those ledger entries in one go, and then calls
/// [`prepare`](Mapping::prepare) for each change in order; earlier changes of the same run are already visible in the
/// ledger view. That makes every decision testable without a source, a sink or a store.
pub trait Mapping<In, Out>: Send + Sync {
    /// The ledger entries that [`prepare`](Mapping::prepare) will look at for this change.
    fn lookups(&self, change: &Change<In>) -> Vec<LedgerKey>;

    /// What to do about this change.
    fn prepare(&self, change: Change<In>, ledger: &LedgerView<'_>) -> Prepared<Out>;

    /// The note of a record while it is on its way: stored before the sink sees the record, and replaced by `next` once the
    /// sink has it. It is what stays if the process dies in between, so it has to be true whether or not the sink got the
    /// record. `known` is what is stored until then; asked once for each entry that is to be written and not removed.
    ///
    /// `None`: what is known is enough. Of a record that the ledger does not know nothing is stored then, so if it is
    /// deleted at the source before the next run, the search for removals does not find it. An empty note is the cheapest way
    /// to have it found: the keys of a batch are stored together.
    fn meanwhile(&self, known: Option<&LedgerEntry>, next: &LedgerEntry) -> Option<Box<[u8]>>;
}

/// A mapping's answer for one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared<Out> {
    /// What to do now.
    pub action: Action<Out>,
    /// Ledger changes that are true whatever becomes of the records, such as "this person opted out".
    pub learned: Vec<LedgerChange>,
    /// Ledger changes that are true only if the sink takes every record of the action.
    pub on_accept: Vec<LedgerChange>,
}

/// What to do about one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<Out> {
    /// Send these, in this order. All carry the key of the change.
    Send(Vec<Out>),
    /// The sink already has it, or has no use for it.
    Skip,
    /// It cannot be sent. The reason goes to the rejected store: field and remedy, never an address or a value.
    Reject(String),
}

impl<Out> Prepared<Out> {
    /// Nothing to send and nothing learned.
    pub fn skip() -> Self {
        Self {
            action: Action::Skip,
            learned: Vec::new(),
            on_accept: Vec::new(),
        }
    }

    /// Refuses the record.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self {
            action: Action::Reject(reason.into()),
            learned: Vec::new(),
            on_accept: Vec::new(),
        }
    }
}

/// The ledger as a mapping sees it: stored entries with this run's own changes on top.
///
/// After a run that was cut short while it wrote, the ledger is [in doubt](LedgerView::in_doubt): the sink may have got
/// newer versions than the entries tell of. Stored fingerprints then read as 0, so that nothing counts as unchanged, and a
/// mapping that relies on what the sink was told last must allow for more.
#[derive(Debug)]
pub struct LedgerView<'a> {
    entries: &'a HashMap<LedgerKey, Option<LedgerEntry>>,
    in_doubt: bool,
}

impl<'a> LedgerView<'a> {
    /// A view of these entries; a key that is absent, or present with `None`, has no entry.
    pub fn new(entries: &'a HashMap<LedgerKey, Option<LedgerEntry>>) -> Self {
        Self {
            entries,
            in_doubt: false,
        }
    }

    /// The same view, of a ledger that may be behind the sink.
    #[must_use]
    pub fn doubted(self, in_doubt: bool) -> Self {
        Self { in_doubt, ..self }
    }

    /// Whether the sink may have got more than the entries say.
    pub fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// The entry of a key that was among the lookups.
    pub fn get(&self, key: &LedgerKey) -> Option<&'a LedgerEntry> {
        self.entries.get(key).and_then(Option::as_ref)
    }
}

/// A source record that is a JSON object.
pub trait AsJson: Keyed {
    /// The object, as one line of valid JSON.
    fn as_json(&self) -> Bytes;
}

/// The mapping for sinks that take [`JsonRecord`]s: sends a record when its bytes changed, and each removal once.
#[derive(Clone, Debug)]
pub struct JsonMapping {
    scope: Scope,
    stream: Arc<Stream>,
}

impl JsonMapping {
    /// Records carry `stream`; what was accepted is remembered under `scope`.
    pub fn new(scope: Scope, stream: impl Into<Arc<Stream>>) -> Self {
        Self {
            scope,
            stream: stream.into(),
        }
    }
}

impl<In: AsJson> Mapping<In, JsonRecord> for JsonMapping {
    fn lookups(&self, change: &Change<In>) -> Vec<LedgerKey> {
        vec![LedgerKey {
            scope: self.scope.clone(),
            key: change.key(),
        }]
    }

    fn prepare(&self, change: Change<In>, ledger: &LedgerView<'_>) -> Prepared<JsonRecord> {
        let key = change.key();
        let at = LedgerKey {
            scope: self.scope.clone(),
            key: key.clone(),
        };
        let known = ledger.get(&at);
        let (data, entry) = match change {
            Change::Present(record) => {
                let data = record.as_json();
                let entry = LedgerEntry {
                    fingerprint: fingerprint(&data),
                    note: Box::default(),
                };
                if known == Some(&entry) {
                    return Prepared::skip();
                }
                (data, Some(entry))
            }
            Change::Removed(_) if known.is_none() => return Prepared::skip(),
            Change::Removed(_) => (Bytes::new(), None),
        };
        let removed = entry.is_none();
        Prepared {
            action: Action::Send(vec![JsonRecord {
                stream: self.stream.clone(),
                key,
                data,
                removed,
            }]),
            learned: Vec::new(),
            on_accept: vec![LedgerChange { at, entry }],
        }
    }

    fn meanwhile(&self, _: Option<&LedgerEntry>, _: &LedgerEntry) -> Option<Box<[u8]>> {
        Some(Box::default())
    }
}

/// The mapping for records that never change once they exist, such as events: sends each one that the source gives and
/// remembers none, so that a hundred million of them cost no ledger. What the source gives twice is sent twice; the sink
/// knows it by its key.
#[derive(Clone, Debug)]
pub struct EventMapping {
    stream: Arc<Stream>,
}

impl EventMapping {
    /// Records carry `stream`.
    pub fn new(stream: impl Into<Arc<Stream>>) -> Self {
        Self {
            stream: stream.into(),
        }
    }
}

impl<In: AsJson> Mapping<In, JsonRecord> for EventMapping {
    fn lookups(&self, _: &Change<In>) -> Vec<LedgerKey> {
        Vec::new()
    }

    fn prepare(&self, change: Change<In>, _: &LedgerView<'_>) -> Prepared<JsonRecord> {
        let key = change.key();
        let (data, removed) = match change {
            Change::Present(record) => (record.as_json(), false),
            Change::Removed(_) => (Bytes::new(), true),
        };
        Prepared {
            action: Action::Send(vec![JsonRecord {
                stream: self.stream.clone(),
                key,
                data,
                removed,
            }]),
            learned: Vec::new(),
            on_accept: Vec::new(),
        }
    }

    fn meanwhile(&self, _: Option<&LedgerEntry>, _: &LedgerEntry) -> Option<Box<[u8]>> {
        None
    }
}

/// The fingerprint of some bytes: equal bytes have equal fingerprints, and different ones almost surely do not. Never 0,
/// which stands for "nothing known" ([`Reset::Fingerprints`](crate::Reset::Fingerprints)).
///
/// 64 bits over one key's successive versions: the chance that a change goes unnoticed is 2⁻⁶⁴ for each change.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes).max(1)
}
