//! Finding what is gone: keys the ledger has and the source has not.

use super::delivery::Delivery;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Event;
use crate::record::{Change, Key, Keyed};
use crate::run::Outcome;
use crate::shutdown::Shutdown;
use crate::source::BatchReader;

/// Keys confirmed in one go.
const CONFIRM_AT_ONCE: usize = 200;

/// So few removals are never a reason for suspicion.
const ALWAYS_ALLOWED: u64 = 100;

impl<R, O> Delivery<'_, R, O>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    /// Searches for removals when the interval for it has passed since the last complete search.
    pub(super) async fn sweep_if_due(&mut self, shutdown: &Shutdown) -> Result<Outcome> {
        let Some(interval) = self.pipeline.settings.sweep_interval else {
            return Ok(Outcome::Complete);
        };
        let now = self.pipeline.clock.now();
        let due = self.checkpoint.swept_at.is_none_or(|last| {
            // A last search in the future is a clock that was set back.
            last > now || (now - last).to_std().is_ok_and(|passed| passed >= interval)
        });
        if !due {
            return Ok(Outcome::Complete);
        }
        let Some(mut reader) = self.pipeline.source.keys()? else {
            return Ok(Outcome::Complete);
        };
        self.emit(&Event::SweepStarted);
        let scope = self.pipeline.import.scope();
        let state = self.pipeline.state.clone();
        state.begin_sweep(&scope).await?;
        let outcome = self.sweep(&mut *reader, shutdown).await;
        if matches!(outcome, Ok(Outcome::Complete)) && self.counts.failed_parts == 0 {
            self.checkpoint.swept_at = Some(now);
            self.commit().await?;
        }
        state.end_sweep(&scope).await?;
        outcome
    }

    async fn sweep(
        &mut self,
        reader: &mut dyn BatchReader<Key>,
        shutdown: &Shutdown,
    ) -> Result<Outcome> {
        let scope = self.pipeline.import.scope();
        let state = self.pipeline.state.clone();
        let mut present = 0;
        loop {
            let batch = tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(Outcome::Stopped),
                batch = reader.next_batch() => batch?,
            };
            let Some(batch) = batch else { break };
            // Keys of a part that could not be read would look like removals.
            if let Some(failure) = batch.failures.into_iter().next() {
                self.counts.failed_parts += 1;
                self.emit(&Event::PartFailed {
                    part: &failure.part,
                    error: &failure.error,
                });
                self.first_failure.get_or_insert(failure.error);
                return Ok(Outcome::Complete);
            }
            present += batch.items.len() as u64;
            state.mark_seen(&scope, &batch.items).await?;
        }
        self.refuse_mass_removal(present).await?;

        let source = self.pipeline.source.clone();
        let removed_before = self.counts.removed;
        let mut after: Option<Key> = None;
        loop {
            if shutdown.is_requested() {
                return Ok(Outcome::Stopped);
            }
            let missing = state
                .unseen(&scope, after.as_ref(), CONFIRM_AT_ONCE)
                .await?;
            let Some(last) = missing.last() else { break };
            after = Some(last.clone());
            let found = source.fetch(&missing).await?;
            let changes: Vec<Change<R>> = missing
                .into_iter()
                .zip(found)
                .map(|(key, record)| record.map_or(Change::Removed(key), Change::Present))
                .collect();
            if changes
                .iter()
                .any(|change| matches!(change, Change::Removed(_)))
            {
                // If the whole stream vanished, each record in it looks removed.
                source.check().await?;
            }
            self.deliver(changes).await?;
            self.commit().await?;
        }
        self.emit(&Event::SweepFinished {
            present,
            removed: self.counts.removed - removed_before,
        });
        Ok(Outcome::Complete)
    }

    async fn refuse_mass_removal(&self, present: u64) -> Result<()> {
        let scope = self.pipeline.import.scope();
        let missing = self.pipeline.state.unseen_len(&scope).await?;
        let known = self.pipeline.state.ledger_len(&scope).await?;
        let allowed = known as f64 * self.pipeline.settings.max_removed_share;
        if missing > ALWAYS_ALLOWED && missing as f64 > allowed {
            return Err(Error::new(
                ErrorKind::Invalid,
                "search for removals",
                "more records vanished at once than the settings allow; if they are meant to be gone, raise max_removed_share",
            )
            .with("missing", missing)
            .with("known", known)
            .with("present", present));
        }
        Ok(())
    }
}
