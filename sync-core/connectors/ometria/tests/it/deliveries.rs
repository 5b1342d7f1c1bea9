//! What members become when the ledger is empty, for tests of the sink.

use std::collections::HashMap;

use chrono::DateTime;
use sync_core::{Action, Change, ImportId, Key, LedgerEntry, LedgerKey, LedgerView, Mapping};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, Status, Subscriber,
};

/// Delivers changes one after the other, each accepted, into the collection `list`.
struct Deliveries {
    mapping: ContactMapping,
    ledger: HashMap<LedgerKey, Option<LedgerEntry>>,
}

impl Deliveries {
    fn new() -> Self {
        let mapping = ContactMapping::new(
            ImportId::new("a").scope(),
            "a",
            "list",
            ContactSettings::default(),
            ConsentSettings::default(),
        );
        Self {
            mapping: mapping.unwrap(),
            ledger: HashMap::new(),
        }
    }

    fn of(&mut self, change: Change<Subscriber>) -> Delivery {
        let prepared = self.mapping.prepare(change, &LedgerView::new(&self.ledger));
        for change in prepared.learned.into_iter().chain(prepared.on_accept) {
            self.ledger.insert(change.at, change.entry);
        }
        match prepared.action {
            Action::Send(mut records) if records.len() == 1 => records.remove(0),
            other => panic!("not one record: {other:?}"),
        }
    }
}

fn member(id: &str, status: &str, version: u32) -> Subscriber {
    let time = DateTime::from_timestamp(i64::from(version) * 100, 0).unwrap();
    let email = format!("{id}@example.com");
    let mut member = Subscriber::new(Key::new(id), id, email, Status::from(status), time);
    member.opted_in_at = Some(time);
    member.firstname = Some(format!("version {version}"));
    member
}

/// A member of this status, never delivered before.
pub(crate) fn delivery(id: &str, status: &str) -> Delivery {
    version(id, status, 1)
}

/// The same with another version in its first name.
pub(crate) fn version(id: &str, status: &str, version: u32) -> Delivery {
    Deliveries::new().of(Change::Present(member(id, status, version)))
}

/// A member that goes through these statuses, delivered each time.
pub(crate) fn versions(id: &str, statuses: &[&str]) -> Vec<Delivery> {
    let mut deliveries = Deliveries::new();
    let numbered = (1u32..).zip(statuses);
    numbered
        .map(|(version, status)| deliveries.of(Change::Present(member(id, status, version))))
        .collect()
}

/// A subscribed member that is gone.
pub(crate) fn gone(id: &str) -> Delivery {
    let mut deliveries = Deliveries::new();
    deliveries.of(Change::Present(member(id, "subscribed", 1)));
    deliveries.of(Change::Removed(Key::new(id)))
}

/// A member whose record is larger than Ometria takes.
pub(crate) fn oversized(id: &str) -> Delivery {
    let mut member = member(id, "subscribed", 1);
    member.firstname = Some("x".repeat(70_000));
    Deliveries::new().of(Change::Present(member))
}
