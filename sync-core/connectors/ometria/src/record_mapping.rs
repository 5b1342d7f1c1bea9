//! From a member to a row of the record endpoint.

use ometria_client::RecordRow;
use sync_core::{
    Action, Change, Key, Keyed, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping,
    Prepared, Scope, fingerprint,
};

use crate::subscriber::Subscriber;

/// One row for the record endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordDelivery {
    key: Key,
    row: RecordRow,
}

impl RecordDelivery {
    /// The row.
    pub fn row(&self) -> &RecordRow {
        &self.row
    }
}

impl Keyed for RecordDelivery {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

/// Turns a member into a row, whatever its status: the receiver gets the source's word and decides itself.
///
/// There are no consent rules here, because the endpoint has no place for them, and no removals, because it cannot be told:
/// it knows no deletion, and a status the source never gave would be an invention. A member that is gone is forgotten
/// here and stays there as it was.
#[derive(Clone, Debug)]
pub struct RecordMapping {
    rows: Scope,
}

impl RecordMapping {
    /// A mapping that remembers under `rows`, the import's own ledger scope.
    pub fn new(rows: Scope) -> Self {
        Self { rows }
    }
}

impl Mapping<Subscriber, RecordDelivery> for RecordMapping {
    fn lookups(&self, change: &Change<Subscriber>) -> Vec<LedgerKey> {
        vec![LedgerKey {
            scope: self.rows.clone(),
            key: change.key(),
        }]
    }

    fn prepare(
        &self,
        change: Change<Subscriber>,
        ledger: &LedgerView<'_>,
    ) -> Prepared<RecordDelivery> {
        let at = LedgerKey {
            scope: self.rows.clone(),
            key: change.key(),
        };
        let known = ledger.get(&at);
        let subscriber = match change {
            Change::Present(subscriber) => subscriber,
            Change::Removed(_) => {
                let forget = known.map(|_| LedgerChange { at, entry: None });
                return Prepared {
                    action: Action::Skip,
                    learned: forget.into_iter().collect(),
                    on_accept: Vec::new(),
                };
            }
        };
        if subscriber.listing_id.trim().is_empty() {
            return Prepared::reject("listing id: empty; choose an id that every member has");
        }
        let row = RecordRow {
            id: subscriber.listing_id,
            firstname: subscriber.firstname.unwrap_or_default(),
            lastname: subscriber.lastname.unwrap_or_default(),
            email: subscriber.email,
            status: subscriber.status.as_str().to_owned(),
        };
        let entry = LedgerEntry {
            fingerprint: fingerprint_of(&row),
            note: Box::default(),
        };
        if known.is_some_and(|known| known.fingerprint == entry.fingerprint) {
            return Prepared::skip();
        }
        Prepared {
            action: Action::Send(vec![RecordDelivery {
                key: subscriber.key,
                row,
            }]),
            learned: Vec::new(),
            on_accept: vec![LedgerChange {
                at,
                entry: Some(entry),
            }],
        }
    }

    fn meanwhile(&self, _: Option<&LedgerEntry>, _: &LedgerEntry) -> Option<Box<[u8]>> {
        // The endpoint knows no removals.
        None
    }
}

fn fingerprint_of(row: &RecordRow) -> u64 {
    let RecordRow {
        id,
        firstname,
        lastname,
        email,
        status,
    } = row;
    let mut bytes = Vec::new();
    for text in [id, firstname, lastname, email, status] {
        // The length keeps "ab","c" apart from "a","bc".
        bytes.extend_from_slice(&text.len().to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    fingerprint(&bytes)
}
