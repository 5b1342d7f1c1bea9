//! Comparing a source with what its sink really holds.

use std::collections::HashSet;

use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use sync_core::{
    AsJson, Change, Difference, Import, ImportId, Key, Keyed, Position, Readback, Result,
    RunRecord, Shutdown, Source, Stream, Verification, fingerprint,
};

/// Keys asked of the sink at once.
const KEYS_AT_ONCE: usize = 1_000;

/// Opens what reads the sink back.
pub(crate) type OpenReadback = Box<dyn Fn() -> Result<Option<Box<dyn Readback>>> + Send + Sync>;

/// An import whose `verify` asks the sink what it holds, instead of the ledger what it accepted.
pub(crate) struct Reconciled<R> {
    pub(crate) inner: Box<dyn Import + Sync>,
    pub(crate) source: Arc<dyn Source<Record = R>>,
    pub(crate) stream: Arc<Stream>,
    /// Whether the ledger knows what the sink accepted.
    pub(crate) remembered: bool,
    pub(crate) readback: OpenReadback,
    /// What every key of this import begins with, if other imports write to the same table.
    pub(crate) prefix: Prefix,
}

/// Which rows of a table are this import's.
pub(crate) enum Prefix {
    /// All of them.
    Account(sync_mailchimp::catalogue::CatalogueAccount),
    /// Those of one audience.
    Audience(sync_mailchimp::catalogue::CatalogueAccount, String),
}

impl Prefix {
    async fn text(&self) -> Result<String> {
        match self {
            Self::Account(account) => Ok(format!("{}:", account.id().await?)),
            Self::Audience(account, list_id) => Ok(format!("{}:{list_id}:", account.id().await?)),
        }
    }
}

#[async_trait]
impl<R: AsJson + Keyed + Send + Sync + 'static> Import for Reconciled<R> {
    fn id(&self) -> &ImportId {
        self.inner.id()
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    async fn run(&mut self, shutdown: &Shutdown) -> RunRecord {
        self.inner.run(shutdown).await
    }

    async fn replay(&mut self, keys: Option<Vec<Key>>, shutdown: &Shutdown) -> RunRecord {
        self.inner.replay(keys, shutdown).await
    }

    async fn verify(&mut self, shutdown: &Shutdown) -> Result<Verification> {
        let Some(mut sink) = (self.readback)()? else {
            if self.remembered {
                return self.inner.verify(shutdown).await;
            }
            // Nobody can say what the sink has.
            return Ok(Verification::default());
        };
        self.inner.check().await?;
        let mut found = Verification {
            complete: true,
            ..Verification::default()
        };
        // Fingerprints of keys: eight bytes for each record, so that ten million fit into memory.
        let mut seen: HashSet<u64> = HashSet::new();
        let mut reader = self.source.read(Position::Start)?;
        loop {
            let batch = tokio::select! {
                biased;
                () = shutdown.requested() => {
                    found.complete = false;
                    return Ok(found);
                }
                batch = reader.next_batch() => batch?,
            };
            let Some(batch) = batch else { break };
            found.complete &= batch.failures.is_empty();
            let records: Vec<R> = batch
                .items
                .into_iter()
                .filter_map(|change| match change {
                    Change::Present(record) => Some(record),
                    Change::Removed(_) => None,
                })
                .collect();
            for some in records.chunks(KEYS_AT_ONCE) {
                let keys: Vec<Key> = some.iter().map(Keyed::key).collect();
                let held = sink.fingerprints(&self.stream, &keys).await?;
                for ((record, key), held) in some.iter().zip(keys).zip(held) {
                    // A record that was read twice is compared once.
                    if !seen.insert(fingerprint(key.as_str().as_bytes())) {
                        continue;
                    }
                    found.compared += 1;
                    match held {
                        None => found.note(key, Difference::Missing),
                        Some(held) if held != fingerprint(&record.as_json()) => {
                            found.note(key, Difference::Stale);
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        if found.complete {
            self.extra(&mut *sink, &seen, &mut found, shutdown).await?;
        }
        Ok(found)
    }
}

impl<R> Reconciled<R> {
    /// Rows that the sink has and the source has not.
    async fn extra(
        &self,
        sink: &mut dyn Readback,
        seen: &HashSet<u64>,
        found: &mut Verification,
        shutdown: &Shutdown,
    ) -> Result<()> {
        let prefix = self.prefix.text().await?;
        let mut after: Option<Key> = None;
        loop {
            if shutdown.is_requested() {
                found.complete = false;
                return Ok(());
            }
            let keys = sink
                .keys(&self.stream, after.as_ref(), KEYS_AT_ONCE)
                .await?;
            let Some(last) = keys.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for key in keys {
                let known = seen.contains(&fingerprint(key.as_str().as_bytes()));
                if key.as_str().starts_with(&prefix) && !known {
                    found.note(key, Difference::Extra);
                }
            }
        }
    }
}

impl<R> fmt::Debug for Reconciled<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reconciled").field(self.inner.id()).finish()
    }
}
