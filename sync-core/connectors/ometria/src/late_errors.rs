//! Matches Ometria's list of push errors with what was pushed.
//!
//! The list is the account's latest hundred errors, other integrations' included, and an entry may or may not name a
//! record. So an entry counts once, when it is first seen, and counts for a record of ours only if it names one.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use ometria_client::{PushError, Record, RecordType};
use sync_core::{Key, Rejection};

/// Entries that the list holds at most.
const LIST_HOLDS: usize = 100;

/// The longest error path that is repeated to the operator.
const PATH_CHARS: usize = 80;

/// What was pushed and can still turn up in the list.
#[derive(Debug, Default)]
pub(crate) struct LateErrors {
    /// Since the last flush.
    current: Pushed,
    /// Before it: delivered as far as the engine knows.
    flushed: Pushed,
    /// How often each entry stood in the list when it was last read, by hash: entries hold personal data.
    seen: HashMap<u64, usize>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Pushed {
    /// By record id: collection and key of each.
    records: HashMap<String, Vec<(String, Key)>>,
    requests: HashSet<String>,
}

/// What a list of errors says about us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Records pushed since the last flush.
    pub(crate) rejected: Vec<Rejection>,
    /// Records of an earlier flush.
    pub(crate) too_late: Vec<Key>,
    /// New entries that name no record.
    pub(crate) without_record: usize,
    /// Nothing that stood in the list before is left, and it is full: errors may have left it before they were read.
    pub(crate) overflowed: bool,
}

impl Pushed {
    fn find(&self, error: &PushError) -> Option<&Key> {
        let listings = self.records.get(error.record_id()?)?;
        match error.collection() {
            Some(collection) => listings
                .iter()
                .find(|(of, _)| of == collection)
                .map(|(_, key)| key),
            None => listings.first().map(|(_, key)| key),
        }
    }
}

impl LateErrors {
    /// Remembers a push.
    pub(crate) fn pushed<'a>(
        &mut self,
        request_id: Option<String>,
        records: impl Iterator<Item = (&'a Record, Key)>,
    ) {
        self.current.requests.extend(request_id);
        for (record, key) in records {
            let listing = (record.collection().unwrap_or_default().to_owned(), key);
            let listings = self
                .current
                .records
                .entry(record.id().to_owned())
                .or_default();
            if !listings.contains(&listing) {
                listings.push(listing);
            }
        }
    }

    /// Reads the list between two flushes: what is in it now is no verdict on what will be pushed. Returns the records of
    /// the last flush that it names.
    pub(crate) fn look(&mut self, list: &[PushError]) -> Vec<Key> {
        let unseen = self.unseen(list);
        unseen
            .into_iter()
            .filter_map(|error| self.flushed.find(error))
            .cloned()
            .collect()
    }

    /// Draws conclusions from the list and closes the flush.
    pub(crate) fn conclude(&mut self, list: &[PushError]) -> Findings {
        let unseen = self.unseen(list);
        let mut findings = Findings {
            overflowed: unseen.len() >= LIST_HOLDS,
            ..Findings::default()
        };
        for error in unseen {
            if error
                .record_type()
                .is_some_and(|kind| kind != RecordType::Contact)
            {
                continue;
            }
            if let Some(key) = self.current.find(error) {
                let key = key.clone();
                if findings
                    .rejected
                    .iter()
                    .all(|rejection| rejection.key != key)
                {
                    findings.rejected.push(Rejection {
                        key,
                        reason: reason(error),
                    });
                }
            } else if let Some(key) = self.flushed.find(error) {
                findings.too_late.push(key.clone());
            } else if error.record_id().is_none()
                && error.request_id().is_none_or(|id| {
                    self.current.requests.contains(id) || self.flushed.requests.contains(id)
                })
            {
                findings.without_record += 1;
            }
        }
        self.flushed = std::mem::take(&mut self.current);
        findings
    }

    /// Forgets what was pushed since the last flush.
    pub(crate) fn abort(&mut self) {
        self.current = Pushed::default();
    }

    /// Entries that stand in the list more often than when it was last read.
    fn unseen<'a>(&mut self, list: &'a [PushError]) -> Vec<&'a PushError> {
        let mut now: HashMap<u64, usize> = HashMap::new();
        let mut unseen = Vec::new();
        for error in list {
            let text = serde_json::to_string(error.raw()).unwrap_or_default();
            let hash = self.hasher.hash_one(text);
            let times = now.entry(hash).or_default();
            *times += 1;
            if *times > self.seen.get(&hash).copied().unwrap_or(0) {
                unseen.push(error);
            }
        }
        self.seen = now;
        unseen
    }
}

/// Ometria's words are repeated only where they cannot hold what was sent.
fn reason(error: &PushError) -> String {
    let mut reason = "ometria refused it after accepting the push".to_owned();
    if let Some(message) = error.known_message() {
        reason.push_str(": ");
        reason.push_str(message);
    }
    let plain = |c: char| c.is_ascii_alphabetic() || "_ >.[]".contains(c);
    if let Some(path) = error.error_path()
        && path.len() <= PATH_CHARS
        && path.chars().all(plain)
    {
        reason.push_str(" at ");
        reason.push_str(path);
    }
    reason.push_str("; correct the field at the source");
    reason
}
