//! Every stream of the catalogue against an account that holds some of everything.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use mailchimp_simulator::AccountSpec;
use sync_core::table::{Alteration, Table};
use sync_core::{AsJson, Change, JsonRecord, Key, Keyed, Position, Source};
use sync_mailchimp::catalogue::{
    CatalogueAccount, StreamDefinition, StreamRecord, StreamSettings, StreamSource, members,
    streams,
};

use crate::api::{Api, drain};

/// Columns that records bring, named after what an audience calls its own fields.
const OPEN: &[&str] = &["merge_fields__", "interests__"];

/// What the simulated account has none of before somebody makes one, or sells something.
const EMPTY: &[&str] = &[
    "account_exports",
    "batches",
    "facebook_ad_products",
    "list_webhooks",
];

fn account() -> Api {
    let api = Api::new(|_| {});
    api.simulator.fill(AccountSpec::full());
    api
}

fn source(
    api: &Api,
    account: &CatalogueAccount,
    stream: &'static StreamDefinition,
) -> StreamSource {
    let clock = api.clock.clone();
    let settings = StreamSettings::default();
    StreamSource::new(account.clone(), stream, settings, Arc::new(move || clock()))
        .expect("the settings are right")
}

async fn read(source: &StreamSource) -> Vec<StreamRecord> {
    let mut reader = source
        .read(Position::Start)
        .expect("the start is a position");
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch().await.expect("reading works") {
        assert!(batch.failures.is_empty(), "{:?}", batch.failures);
        records.extend(batch.items.into_iter().map(|change| match change {
            Change::Present(record) => record,
            Change::Removed(key) => panic!("{key} was said to be gone"),
        }));
    }
    records
}

#[tokio::test(start_paused = true)]
async fn all_of_an_account_fits_the_tables_that_were_declared() {
    let api = account();
    let account = CatalogueAccount::new(api.client.clone());
    let mut wrong = Vec::new();
    for definition in streams().chain([members()]) {
        let records = read(&source(&api, &account, definition)).await;
        if records.is_empty() && !EMPTY.contains(&definition.name) {
            wrong.push(format!("{} is empty", definition.name));
        }
        let keys: HashSet<Key> = records.iter().map(Keyed::key).collect();
        // What happened twice in one second is told once.
        if keys.len() != records.len() && definition.remembered {
            wrong.push(format!("{} has records with one key", definition.name));
        }
        let stream = Arc::new(definition.stream());
        let records: Vec<JsonRecord> = records
            .into_iter()
            .map(|record| JsonRecord {
                stream: stream.clone(),
                key: record.key(),
                data: record.as_json(),
                removed: false,
            })
            .collect();
        let mut table = Table::new(&stream);
        for alteration in table.shape(&records).alterations {
            let own = match &alteration {
                Alteration::Add(column) | Alteration::Widen { column, .. } => {
                    OPEN.iter().any(|open| column.name.starts_with(open))
                }
            };
            if !own {
                wrong.push(format!("{}: {alteration:?}", definition.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_found_again_by_its_key() {
    let api = account();
    let account = CatalogueAccount::new(api.client.clone());
    let mut wrong = BTreeSet::new();
    for definition in streams() {
        let source = source(&api, &account, definition);
        let records = read(&source).await;
        let some: Vec<StreamRecord> = records.into_iter().take(5).collect();
        let keys: Vec<Key> = some.iter().map(Keyed::key).collect();
        let found = source.fetch(&keys).await.expect(definition.name);
        for (record, found) in some.iter().zip(found) {
            if found.map(|found| found.key()) != Some(record.key()) {
                wrong.insert(definition.name);
            }
        }
        if let Some(known) = source.keys().expect(definition.name) {
            let known: HashSet<Key> = drain(known).await.into_iter().collect();
            if !keys.iter().all(|key| known.contains(key)) {
                wrong.insert(definition.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
