//! Splits records into calls that keep every documented limit, and names the ones that cannot be sent.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::contact::SmsCollection;
use crate::push::{Record, RecordType};

/// Limits of one push, as documented by Ometria.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushLimits {
    /// Records in one call, 1 to 100. Default 100.
    pub records_per_call: usize,
    /// Bytes of one record as JSON. Default 60,000.
    pub record_bytes: usize,
    /// Characters of a record's `properties` as JSON, names included. Default 1,000.
    pub properties_chars: usize,
}

impl Default for PushLimits {
    fn default() -> Self {
        Self {
            records_per_call: 100,
            record_bytes: 60_000,
            properties_chars: 1_000,
        }
    }
}

impl PushLimits {
    /// Sets [`records_per_call`](Self::records_per_call), kept within 1 to 100.
    #[must_use]
    pub fn records_per_call(mut self, records: usize) -> Self {
        self.records_per_call = records.clamp(1, 100);
        self
    }
}

/// Records ready for one call. It exists only if all limits hold.
#[derive(Clone, PartialEq, Eq)]
pub struct PushBatch {
    record_type: RecordType,
    round: usize,
    indexes: Vec<usize>,
    /// End of each record in `body`, which starts with `[` and separates by one `,`.
    ends: Vec<usize>,
    body: Bytes,
}

impl PushBatch {
    /// The one `@type` of its records.
    pub fn record_type(&self) -> &RecordType {
        &self.record_type
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    /// Whether there is none; [`prepare`] makes no such batch.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// Positions of its records among those given to [`prepare`], ascending.
    pub fn indexes(&self) -> &[usize] {
        &self.indexes
    }

    /// Batches of round `n` hold the `n`-th version of a record, counted from 0, so a round starts only once all earlier
    /// ones are answered. Batches of one round may be sent in any order and side by side.
    pub fn round(&self) -> usize {
        self.round
    }

    /// The JSON array.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Two halves, to find out which record of a refused batch is bad; `None` for a single record.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let middle = self.len() / 2;
        (middle > 0).then(|| (self.part(0, middle), self.part(middle, self.len())))
    }

    fn part(&self, from: usize, to: usize) -> Self {
        let mut part = Builder::default();
        let mut start = 1;
        for (at, (&index, &end)) in self.indexes.iter().zip(&self.ends).enumerate() {
            if (from..to).contains(&at) {
                part.push(index, &self.body.slice(start..end));
            }
            start = end + 1;
        }
        part.finish(self.record_type.clone(), self.round)
    }
}

impl fmt::Debug for PushBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushBatch")
            .field("record_type", &self.record_type)
            .field("records", &self.indexes.len())
            .field("round", &self.round)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Every record given: in exactly one batch, or named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What can be sent, by ascending round.
    pub batches: Vec<PushBatch>,
    /// What cannot, by ascending index.
    pub refused: Vec<RefusedRecord>,
}

/// A record that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Position among the records given.
    pub index: usize,
    /// Why.
    pub reason: RefusalReason,
}

/// The limit that a record breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The id is empty.
    #[error("its id is empty")]
    EmptyId,
    /// The id of a contact looks like an address. Ids can be exposed and must not tell who someone is.
    #[error("its id looks like an e-mail address, and ids must not tell who someone is")]
    IdIsAddress,
    /// The collection of a contact is empty.
    #[error("its collection is empty")]
    EmptyCollection,
    /// The collection is one of those that Ometria reserves for SMS consent.
    #[error("its collection is reserved for sms consent")]
    ReservedCollection,
    /// The record is too large.
    #[error("it has {bytes} bytes as json, at most {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The custom fields are too long together.
    #[error("its properties have {chars} characters as json, at most {limit} are allowed")]
    PropertiesTooLong {
        /// Their length.
        chars: usize,
        /// The limit.
        limit: usize,
    },
    /// The record cannot be written as JSON.
    #[error("it cannot be written as json")]
    NotJson,
}

/// Splits `records` into calls, in their order.
///
/// A call holds one type, at most the allowed number of records, and no key (collection and id) twice: Ometria promises
/// no order within a call. A second version of a record is never dropped, because with merging the first may say
/// something the second leaves out; it goes into a batch of a later [round](PushBatch::round).
pub fn prepare<'a>(records: impl IntoIterator<Item = &'a Record>, limits: &PushLimits) -> Prepared {
    let mut open: BTreeMap<(usize, RecordType), Builder> = BTreeMap::new();
    let mut versions: HashMap<(RecordType, Option<&str>, &str), usize> = HashMap::new();
    let mut prepared = Prepared::default();
    let per_call = limits.records_per_call.clamp(1, 100);
    for (index, record) in records.into_iter().enumerate() {
        let json = match encode(record, limits) {
            Ok(json) => json,
            Err(reason) => {
                prepared.refused.push(RefusedRecord { index, reason });
                continue;
            }
        };
        let record_type = record.record_type();
        let seen = versions
            .entry((record_type.clone(), record.collection(), record.id()))
            .or_default();
        let round = *seen;
        *seen += 1;
        let builder = open.entry((round, record_type.clone())).or_default();
        builder.push(index, &json);
        if builder.indexes.len() >= per_call {
            let full = std::mem::take(builder);
            prepared.batches.push(full.finish(record_type, round));
        }
    }
    for ((round, record_type), builder) in open {
        if !builder.indexes.is_empty() {
            prepared.batches.push(builder.finish(record_type, round));
        }
    }
    prepared
        .batches
        .sort_by_key(|batch| (batch.round, batch.indexes.first().copied()));
    prepared
}

fn encode(record: &Record, limits: &PushLimits) -> Result<Vec<u8>, RefusalReason> {
    if record.id().trim().is_empty() {
        return Err(RefusalReason::EmptyId);
    }
    if let Some(collection) = record.collection() {
        if collection.trim().is_empty() {
            return Err(RefusalReason::EmptyCollection);
        }
        if !matches!(record, Record::SmsConsent(_)) && SmsCollection::is_reserved(collection) {
            return Err(RefusalReason::ReservedCollection);
        }
        if record.id().contains('@') {
            return Err(RefusalReason::IdIsAddress);
        }
    }
    if let Some(properties) = record.properties() {
        let (chars, limit) = (properties.chars(), limits.properties_chars);
        if chars > limit {
            return Err(RefusalReason::PropertiesTooLong { chars, limit });
        }
    }
    let json = serde_json::to_vec(record).map_err(|_| RefusalReason::NotJson)?;
    if json.len() > limits.record_bytes {
        return Err(RefusalReason::TooLarge {
            bytes: json.len(),
            limit: limits.record_bytes,
        });
    }
    Ok(json)
}

#[derive(Default)]
struct Builder {
    indexes: Vec<usize>,
    ends: Vec<usize>,
    body: BytesMut,
}

impl Builder {
    fn push(&mut self, index: usize, json: &[u8]) {
        self.body
            .put_u8(if self.indexes.is_empty() { b'[' } else { b',' });
        self.body.extend_from_slice(json);
        self.indexes.push(index);
        self.ends.push(self.body.len());
    }

    fn finish(mut self, record_type: RecordType, round: usize) -> PushBatch {
        self.body.put_u8(b']');
        PushBatch {
            record_type,
            round,
            indexes: self.indexes,
            ends: self.ends,
            body: self.body.freeze(),
        }
    }
}
