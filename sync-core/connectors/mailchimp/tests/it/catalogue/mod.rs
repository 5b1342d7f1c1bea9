//! How streams of the catalogue are read.

mod batches;
mod contacts;
mod faults;
mod promises;
mod removed;
mod runs;
mod slashes;
mod storm;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::{
    AsJson, BatchReader, Change, Clock, Cursor, Error, Keyed, PartFailure, Position, Source,
};
use sync_mailchimp::catalogue::{
    CatalogueAccount, StreamRecord, StreamSettings, StreamSource, stream,
};

use crate::api::Api;

/// A source of a stream, with a view of the account that nobody has used yet.
fn source(api: &Api, name: &str) -> StreamSource {
    let clock = api.clock.clone();
    source_of(
        CatalogueAccount::new(api.client.clone()),
        name,
        Arc::new(move || clock()),
    )
}

fn source_of(account: CatalogueAccount, name: &str, clock: Arc<dyn Clock>) -> StreamSource {
    let definition = stream(name).expect("the catalogue has the stream");
    StreamSource::new(account, definition, StreamSettings::default(), clock)
        .expect("the settings are right")
}

/// What a sink has after some reads.
#[derive(Default)]
struct Held {
    records: BTreeMap<String, serde_json::Value>,
    failures: Vec<PartFailure>,
    cursor: Option<Cursor>,
    /// Of the last read.
    delivered: usize,
}

impl Held {
    fn position(&self) -> Position {
        self.cursor
            .clone()
            .map_or(Position::Start, Position::Cursor)
    }

    /// Reads from where the last read ended, to the end.
    async fn read(&mut self, source: &StreamSource) -> Result<(), Error> {
        self.delivered = 0;
        self.failures.clear();
        let mut reader = source.read(self.position())?;
        while self.take(&mut *reader).await? {}
        Ok(())
    }

    /// The next batch; `false` at the end.
    async fn take(
        &mut self,
        reader: &mut dyn BatchReader<Change<StreamRecord>>,
    ) -> Result<bool, Error> {
        let Some(batch) = reader.next_batch().await? else {
            return Ok(false);
        };
        self.delivered += batch.items.len();
        for change in batch.items {
            match change {
                Change::Present(record) => {
                    let json = serde_json::from_slice(&record.as_json()).expect("json");
                    self.records.insert(record.key().as_str().to_owned(), json);
                }
                Change::Removed(key) => panic!("{key} was said to be gone"),
            }
        }
        self.failures.extend(batch.failures);
        self.cursor = batch.resume.or(self.cursor.take());
        Ok(true)
    }

    /// How many records have this text in a field.
    fn count(&self, field: &str, value: &str) -> usize {
        let of = |record: &&serde_json::Value| record[field] == value;
        self.records.values().filter(of).count()
    }
}
