//! Looking again: does the sink have what the source has? And sending again what was refused.

use std::collections::HashMap;

use super::delivery::Delivery;
use super::{Pipeline, preflight};
use crate::error::Result;
use crate::mapping::{Action, LedgerView};
use crate::record::{Change, Key, Keyed};
use crate::run::Outcome;
use crate::shutdown::Shutdown;
use crate::source::Position;
use crate::state::LedgerKey;

/// Records read again in one go.
const REPLAY_AT_ONCE: usize = 100;

/// Differences kept as examples.
const EXAMPLES: usize = 100;

/// How the source differs from what the sink accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Records compared.
    pub compared: u64,
    /// The sink never accepted them.
    pub missing: u64,
    /// The sink accepted another version.
    pub stale: u64,
    /// The sink has them and the source has not.
    pub extra: u64,
    /// They cannot be sent as they are.
    pub refused: u64,
    /// Whether the comparison got to the end: no stop, no part that could not be read.
    pub complete: bool,
    /// The first of the differences, with their keys.
    pub examples: Vec<(Key, Difference)>,
}

/// How one record differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Difference {
    /// The sink never accepted it.
    Missing,
    /// The sink accepted another version.
    Stale,
    /// The sink has it and the source has not.
    Extra,
    /// It cannot be sent as it is.
    Refused,
}

impl Difference {
    /// One lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Extra => "extra",
            Self::Refused => "refused",
        }
    }
}

impl Verification {
    /// Whether both ends agree.
    pub fn agrees(&self) -> bool {
        self.complete && self.missing + self.stale + self.extra + self.refused == 0
    }

    /// Counts a difference, and keeps it if it is one of the first.
    pub fn note(&mut self, key: Key, difference: Difference) {
        match difference {
            Difference::Missing => self.missing += 1,
            Difference::Stale => self.stale += 1,
            Difference::Extra => self.extra += 1,
            Difference::Refused => self.refused += 1,
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push((key, difference));
        }
    }
}

pub(super) async fn verify<R, O>(
    pipeline: &Pipeline<R, O>,
    shutdown: &Shutdown,
) -> Result<Verification>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    preflight(&*pipeline.source, &*pipeline.sink).await?;
    let scope = pipeline.import.scope();
    pipeline.state.begin_sweep(&scope).await?;
    let result = compare(pipeline, shutdown).await;
    pipeline.state.end_sweep(&scope).await?;
    result
}

async fn compare<R, O>(pipeline: &Pipeline<R, O>, shutdown: &Shutdown) -> Result<Verification>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    let scope = pipeline.import.scope();
    let mut verification = Verification {
        complete: true,
        ..Verification::default()
    };
    let mut reader = pipeline.source.read(Position::Start)?;
    loop {
        let batch = tokio::select! {
            biased;
            () = shutdown.requested() => {
                verification.complete = false;
                return Ok(verification);
            }
            batch = reader.next_batch() => batch?,
        };
        let Some(batch) = batch else { break };
        verification.complete &= batch.failures.is_empty();
        let keys: Vec<Key> = batch.items.iter().map(Keyed::key).collect();
        pipeline.state.mark_seen(&scope, &keys).await?;
        compare_changes(pipeline, batch.items, &mut verification).await?;
    }
    if !verification.complete {
        // Keys of the part that could not be read would look extra.
        return Ok(verification);
    }
    let mut after: Option<Key> = None;
    loop {
        let unseen = pipeline
            .state
            .unseen(&scope, after.as_ref(), REPLAY_AT_ONCE)
            .await?;
        let Some(last) = unseen.last() else {
            return Ok(verification);
        };
        after = Some(last.clone());
        let found = pipeline.source.fetch(&unseen).await?;
        let mut changed = Vec::new();
        for (key, record) in unseen.into_iter().zip(found) {
            match record {
                Some(record) => changed.push(Change::Present(record)),
                None => verification.note(key, Difference::Extra),
            }
        }
        compare_changes(pipeline, changed, &mut verification).await?;
    }
}

async fn compare_changes<R, O>(
    pipeline: &Pipeline<R, O>,
    changes: Vec<Change<R>>,
    verification: &mut Verification,
) -> Result<()>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    let mut wanted: Vec<LedgerKey> = Vec::new();
    for change in &changes {
        wanted.extend(pipeline.mapping.lookups(change));
        wanted.push(LedgerKey {
            scope: pipeline.import.scope(),
            key: change.key(),
        });
    }
    let found = pipeline.state.ledger(&wanted).await?;
    let entries: HashMap<_, _> = wanted.into_iter().zip(found).collect();
    let view = LedgerView::new(&entries);
    for change in changes {
        let key = change.key();
        let at = LedgerKey {
            scope: pipeline.import.scope(),
            key: key.clone(),
        };
        verification.compared += 1;
        match pipeline.mapping.prepare(change, &view).action {
            Action::Skip => {}
            Action::Send(_) if view.get(&at).is_some() => {
                verification.note(key, Difference::Stale);
            }
            Action::Send(_) => verification.note(key, Difference::Missing),
            Action::Reject(_) => verification.note(key, Difference::Refused),
        }
    }
    Ok(())
}

impl<R, O> Delivery<'_, R, O>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    /// Reads rejected records again and delivers them.
    pub(super) async fn replay(
        &mut self,
        keys: Option<Vec<Key>>,
        shutdown: &Shutdown,
    ) -> Result<Outcome> {
        let mut given = keys.map(Vec::into_iter);
        let mut after: Option<Key> = None;
        loop {
            if shutdown.is_requested() {
                return Ok(Outcome::Stopped);
            }
            let keys: Vec<Key> = if let Some(given) = &mut given {
                given.take(REPLAY_AT_ONCE).collect()
            } else {
                let Pipeline { import, state, .. } = &*self.pipeline;
                let page = state
                    .rejected(import, after.as_ref(), REPLAY_AT_ONCE)
                    .await?;
                page.into_iter().map(|rejected| rejected.key).collect()
            };
            let Some(last) = keys.last() else {
                return Ok(Outcome::Complete);
            };
            after = Some(last.clone());
            let found = self.pipeline.source.fetch(&keys).await?;
            if found.iter().any(Option::is_none) {
                // If the whole stream vanished, each record in it looks removed.
                self.pipeline.source.check().await?;
            }
            let changes = keys
                .into_iter()
                .zip(found)
                .map(|(key, record)| record.map_or(Change::Removed(key), Change::Present))
                .collect();
            self.deliver(changes).await?;
            self.commit().await?;
        }
    }
}
