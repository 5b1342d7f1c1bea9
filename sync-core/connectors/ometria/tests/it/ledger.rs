//! Mappings on their own: one change at a time, with a ledger as the engine keeps it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ometria_client::{Consent, Contact, Record};
use serde_json::Value;
use sync_core::{
    Action, Change, ImportId, Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping,
    Prepared,
};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, Status, Subscriber,
};

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// A member of key `k` that changed last at `seconds` and opted in at 50.
pub(crate) fn member(status: &str, seconds: i64) -> Subscriber {
    let key = Key::new("k");
    let mut member = Subscriber::new(
        key,
        "k",
        "Someone@Example.com",
        Status::from(status),
        at(seconds),
    );
    member.opted_in_at = Some(at(50));
    member
}

/// The ledger alone, as the engine keeps it.
#[derive(Default)]
pub(crate) struct Ledger(pub(crate) HashMap<LedgerKey, Option<LedgerEntry>>);

impl Ledger {
    pub(crate) fn prepare<In, Out>(
        &mut self,
        mapping: &impl Mapping<In, Out>,
        change: Change<In>,
    ) -> Prepared<Out> {
        let wanted = mapping.lookups(&change);
        let seen: HashMap<_, _> = wanted
            .into_iter()
            .map(|at| (at.clone(), self.0.get(&at).cloned().flatten()))
            .collect();
        let prepared = mapping.prepare(change, &LedgerView::new(&seen));
        self.apply(&prepared.learned);
        prepared
    }

    pub(crate) fn apply(&mut self, changes: &[LedgerChange]) {
        for change in changes {
            self.0.insert(change.at.clone(), change.entry.clone());
        }
    }

    /// Prepares a change and lets the sink accept it.
    pub(crate) fn deliver<In, Out: Clone>(
        &mut self,
        mapping: &impl Mapping<In, Out>,
        change: Change<In>,
    ) -> Vec<Out> {
        let prepared = self.prepare(mapping, change);
        self.apply(&prepared.on_accept);
        match prepared.action {
            Action::Send(records) => records,
            Action::Skip => Vec::new(),
            Action::Reject(reason) => panic!("rejected: {reason}"),
        }
    }

    /// Prepares a change and lets the sink have it, in a run that is killed before it commits.
    pub(crate) fn deliver_and_die<In, Out: Clone>(
        &mut self,
        mapping: &impl Mapping<In, Out>,
        change: Change<In>,
    ) -> Vec<Out> {
        let prepared = self.prepare(mapping, change);
        for change in &prepared.on_accept {
            let known = self.0.get(&change.at).and_then(Option::as_ref);
            let announced = announced_of(mapping, known, change);
            self.apply(&[announced]);
        }
        match prepared.action {
            Action::Send(records) => records,
            other => panic!("nothing sent: {}", matches!(other, Action::Skip)),
        }
    }

    pub(crate) fn entries(&self) -> usize {
        self.0.values().flatten().count()
    }
}

/// What the engine stores before the sink sees the record that makes this change true.
pub(crate) fn announced_of<In, Out>(
    mapping: &impl Mapping<In, Out>,
    known: Option<&LedgerEntry>,
    change: &LedgerChange,
) -> LedgerChange {
    let next = change.entry.as_ref();
    let meanwhile = next.and_then(|next| mapping.meanwhile(known, next));
    let note = meanwhile.or_else(|| known.map(|known| known.note.clone()));
    LedgerChange {
        at: change.at.clone(),
        entry: note.map(|note| LedgerEntry {
            fingerprint: 0,
            note,
        }),
    }
}

pub(crate) fn mapping_with(
    audience: &str,
    contact: ContactSettings,
    consent: ConsentSettings,
) -> ContactMapping {
    let collection = format!("mailchimp:{audience}");
    ContactMapping::new(
        ImportId::new(audience).scope(),
        audience,
        &collection,
        contact,
        consent,
    )
    .unwrap()
}

pub(crate) fn mapping(audience: &str) -> ContactMapping {
    let consent = ConsentSettings {
        audiences: vec!["a".into(), "b".into()],
        ..ConsentSettings::default()
    };
    mapping_with(audience, ContactSettings::default(), consent)
}

pub(crate) fn contact(delivery: &Delivery) -> &Contact {
    match delivery.record() {
        Record::Contact(contact) => contact,
        other => panic!("not a contact: {other:?}"),
    }
}

pub(crate) fn json(delivery: &Delivery) -> Value {
    serde_json::to_value(delivery.record()).unwrap()
}

pub(crate) fn one<T>(mut records: Vec<T>) -> T {
    assert_eq!(records.len(), 1);
    records.remove(0)
}

pub(crate) fn consent(records: &[Delivery]) -> Option<Consent> {
    records.last().and_then(Delivery::consent)
}
