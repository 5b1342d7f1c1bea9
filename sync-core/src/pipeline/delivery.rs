//! One run's way from batches to commits.
//!
//! Changes between two commits form an interval. Within it the ledger view already shows what the interval will write, so
//! that two versions of one record are judged in order; nothing of it is stored unless the flush succeeds.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use chrono::{DateTime, Utc};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};

use super::Pipeline;
use super::announcement::{Announcement, Known, without_lists};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{Action, LedgerView};
use crate::observe::{Event, RunContext};
use crate::record::{Change, Key, Keyed};
use crate::run::{Counts, Outcome};
use crate::shutdown::Shutdown;
use crate::sink::Rejection;
use crate::source::{Batch, BatchReader, Position};
use crate::state::{
    Checkpoint, Commit, LedgerChange, LedgerEntry, LedgerKey, RejectedRecord, Revision,
};

pub(super) struct Delivery<'p, R, O> {
    pub(super) pipeline: &'p mut Pipeline<R, O>,
    context: RunContext,
    pub(super) revision: Option<Revision>,
    pub(super) checkpoint: Checkpoint,
    pub(super) counts: Counts,
    pub(super) first_failure: Option<Error>,
    /// Whether an earlier run may have given the sink what the ledger does not know.
    distrust: bool,
    /// Whether the rejected store may hold anything, so that clearing is worth a write.
    any_rejected: bool,
    /// Where the next commit may move the checkpoint.
    resume: Option<Position>,
    interval: Interval,
    /// How many lists of new keys the interval has announced.
    pub(super) lists: u64,
    turn: Option<OwnedMutexGuard<()>>,
}

/// What happened since the last commit.
#[derive(Default)]
struct Interval {
    opened: Option<Instant>,
    /// Ledger entries as they will be after the commit.
    overlay: HashMap<LedgerKey, Option<LedgerEntry>>,
    /// Ledger changes in order; with a key: only if that key's record was not rejected.
    ledger: Vec<(Option<Key>, LedgerChange)>,
    /// Keys given to the sink.
    sent: HashSet<Key>,
    /// Keys the sink already had, for clearing old rejections.
    settled: Vec<Key>,
    rejected: HashMap<Key, RejectedRecord>,
    changes: usize,
}

impl<'p, R, O> Delivery<'p, R, O>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    pub(super) async fn begin(
        pipeline: &'p mut Pipeline<R, O>,
        context: RunContext,
    ) -> Result<Self> {
        let stored = pipeline.state.load(&pipeline.import).await?;
        let any_rejected = pipeline.state.rejected_len(&pipeline.import).await? > 0;
        let (revision, mut checkpoint) = match stored {
            Some(stored) => (Some(stored.revision), stored.checkpoint),
            None => (None, Checkpoint::default()),
        };
        match (&checkpoint.binding, &pipeline.binding) {
            (Some(stored), Some(wanted)) if stored != wanted => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "load state",
                    "what is remembered belongs to other settings; restore them, or reset the import to start over",
                )
                .with("import", &pipeline.import)
                .with("stored", stored)
                .with("configured", wanted));
            }
            (None, Some(wanted)) => checkpoint.binding = Some(wanted.clone()),
            _ => {}
        }
        let mut delivery = Self {
            pipeline,
            context,
            revision,
            distrust: checkpoint.in_doubt,
            checkpoint,
            counts: Counts::default(),
            first_failure: None,
            any_rejected,
            resume: None,
            interval: Interval::default(),
            lists: 0,
            turn: None,
        };
        if delivery.distrust {
            delivery.take_over_lists().await?;
        }
        Ok(delivery)
    }

    pub(super) fn emit(&self, event: &Event<'_>) {
        self.pipeline.emit(&self.context, event);
    }

    /// Delivers everything a reader gives and commits it. At the end of a first load, which began at `first_load`, all that
    /// is in the ledger was just read: there is nothing to search for yet.
    pub(super) async fn drain(
        &mut self,
        reader: &mut dyn BatchReader<Change<R>>,
        first_load: Option<DateTime<Utc>>,
        shutdown: &Shutdown,
    ) -> Result<Outcome> {
        loop {
            let Some(next) = self.next_batch(reader, shutdown).await? else {
                self.commit().await?;
                return Ok(Outcome::Stopped);
            };
            let batch = match next {
                Ok(Some(batch)) => batch,
                Ok(None) => {
                    if self.counts.failed_parts == 0 {
                        // Whatever a run that was cut short had sent has now been read and sent again.
                        self.distrust = false;
                        self.checkpoint.swept_at = first_load.or(self.checkpoint.swept_at);
                    }
                    self.commit().await?;
                    return Ok(Outcome::Complete);
                }
                Err(error) => {
                    // What was read before the error is good: keep it, then report the error.
                    self.commit().await?;
                    return Err(error);
                }
            };
            if self.take_batch(batch).await? == Taken::Limited {
                self.commit().await?;
                return Ok(Outcome::Limited);
            }
            if self.is_due() {
                self.commit().await?;
            }
        }
    }

    /// Waits for the next batch; `None` when asked to stop. A source that is slow to answer does not hold up a commit that
    /// is due, nor the others that wait for their turn.
    async fn next_batch(
        &mut self,
        reader: &mut dyn BatchReader<Change<R>>,
        shutdown: &Shutdown,
    ) -> Result<Option<Result<Option<Batch<Change<R>>>>>> {
        let mut next = pin!(reader.next_batch());
        loop {
            let due = self
                .interval
                .opened
                .map(|at| at + self.pipeline.settings.commit_interval);
            tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(None),
                next = &mut next => return Ok(Some(next)),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.commit().await?;
                }
            }
        }
    }

    async fn take_batch(&mut self, batch: Batch<Change<R>>) -> Result<Taken> {
        let Batch {
            mut items,
            resume,
            failures,
            expected_total,
        } = batch;
        let read = items.len() as u64;
        self.emit(&Event::BatchRead {
            records: read,
            expected_total,
        });
        for failure in failures {
            self.counts.failed_parts += 1;
            self.emit(&Event::PartFailed {
                part: &failure.part,
                error: &failure.error,
            });
            self.first_failure.get_or_insert(failure.error);
        }
        let granted = self
            .pipeline
            .limit
            .as_ref()
            .map_or(read, |limit| limit.take(read));
        let cut = granted < read;
        if cut {
            items.truncate(usize::try_from(granted).unwrap_or(usize::MAX));
        }
        self.deliver(items).await?;
        if cut {
            // The cursor speaks for records that were left out.
            return Ok(Taken::Limited);
        }
        if let Some(cursor) = resume {
            self.resume = Some(Position::Cursor(cursor));
            // Also without records: a source that is about to wait for long says with it what it waits for.
            self.interval.opened.get_or_insert_with(Instant::now);
        }
        Ok(Taken::All)
    }

    /// Maps changes and gives the sink what it does not have yet.
    pub(super) async fn deliver(&mut self, changes: Vec<Change<R>>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.turn.is_none()
            && let Some(turn) = &self.pipeline.turn
        {
            self.turn = Some(turn.mutex.clone().lock_owned().await);
        }
        self.interval.opened.get_or_insert_with(Instant::now);
        let mut known = self.look_up(&changes).await?;
        let mut records = Vec::with_capacity(changes.len());
        let mut announcement = Announcement::default();
        let (mut sent, mut unchanged) = (0, 0);
        for change in changes {
            self.counts.read += 1;
            self.interval.changes += 1;
            if matches!(change, Change::Removed(_)) {
                self.counts.removed += 1;
            }
            let key = change.key();
            let prepared = self.pipeline.mapping.prepare(
                change,
                &LedgerView::new(&known.entries).doubted(self.distrust),
            );
            self.apply(&mut known, None, prepared.learned);
            match prepared.action {
                Action::Send(outgoing) => {
                    sent += 1;
                    records.extend(outgoing);
                    let is_first = self.interval.sent.insert(key.clone());
                    self.outdate(&mut announcement, &known, &prepared.on_accept, is_first);
                    self.apply(&mut known, Some(&key), prepared.on_accept);
                }
                Action::Skip => {
                    unchanged += 1;
                    self.apply(&mut known, Some(&key), prepared.on_accept);
                    self.interval.settled.push(key);
                }
                Action::Reject(reason) => self.reject(Rejection { key, reason }),
            }
        }
        self.counts.unchanged += unchanged;
        if !records.is_empty() {
            self.announce(announcement).await?;
            match self.pipeline.sink.write(records).await {
                Ok(report) => report
                    .rejected
                    .into_iter()
                    .for_each(|refused| self.reject(refused)),
                Err(error) => return Err(error),
            }
        }
        self.emit(&Event::BatchWritten { sent, unchanged });
        Ok(())
    }

    async fn look_up(&self, changes: &[Change<R>]) -> Result<Known> {
        let own = self.pipeline.import.scope();
        let mut entries = HashMap::with_capacity(changes.len());
        let mut unknown = Vec::with_capacity(changes.len());
        let mut sent_before = Vec::new();
        for change in changes {
            for at in self.pipeline.mapping.lookups(change) {
                if let Some(entry) = self.interval.overlay.get(&at) {
                    if at.scope == own && self.interval.sent.contains(&at.key) {
                        sent_before.push(at.clone());
                    }
                    entries.insert(at, entry.clone());
                } else if entries.insert(at.clone(), None).is_none() {
                    unknown.push(at);
                }
            }
        }
        let mut found = self.pipeline.state.ledger(&unknown).await?;
        if self.distrust {
            found
                .iter_mut()
                .flatten()
                .for_each(|entry| entry.fingerprint = 0);
        }
        let known = unknown.into_iter().zip(found);
        entries.extend(known.filter(|(_, entry)| entry.is_some()));
        let stored = if sent_before.is_empty() {
            Vec::new()
        } else {
            self.pipeline.state.ledger(&sent_before).await?
        };
        Ok(Known {
            entries,
            stored: sent_before.into_iter().zip(stored).collect(),
        })
    }

    fn apply(
        &mut self,
        known: &mut Known,
        only_if_taken: Option<&Key>,
        changes: Vec<LedgerChange>,
    ) {
        for change in changes {
            known
                .entries
                .insert(change.at.clone(), change.entry.clone());
            self.interval
                .overlay
                .insert(change.at.clone(), change.entry.clone());
            self.interval.ledger.push((only_if_taken.cloned(), change));
        }
    }

    fn reject(&mut self, refused: Rejection) {
        let Rejection { key, reason } = refused;
        self.emit(&Event::Rejected {
            key: &key,
            reason: &reason,
        });
        let at = self.pipeline.clock.now();
        self.interval
            .rejected
            .insert(key.clone(), RejectedRecord { key, reason, at });
    }

    /// Adds what the ledger will not know for sure any more, once the sink gets the records that `next` belongs to.
    fn outdate(
        &self,
        announcement: &mut Announcement,
        known: &Known,
        next: &[LedgerChange],
        is_first: bool,
    ) {
        let own = self.pipeline.import.scope();
        for change in next {
            let entry = known.entries.get(&change.at).and_then(Option::as_ref);
            // If an earlier version is on its way, too, what was announced of it is stored, and not what it will leave.
            let announced = (!is_first).then(|| announcement.find(&change.at).cloned());
            let stored = match &announced {
                None => entry,
                Some(Some(announced)) => Some(announced),
                Some(None) => known.stored.get(&change.at).and_then(Option::as_ref),
            };
            let mapping = &self.pipeline.mapping;
            let next = change.entry.as_ref();
            let meanwhile = next.and_then(|next| mapping.meanwhile(stored, next));
            announcement.add(&own, change, stored, meanwhile);
        }
    }

    /// The facts of the interval that other imports share.
    pub(super) fn take_shared_facts(&mut self) -> Vec<LedgerChange> {
        let own = self.pipeline.import.scope();
        self.interval
            .ledger
            .extract_if(.., |(needs, change)| {
                needs.is_none() && change.at.scope != own
            })
            .map(|(_, change)| change)
            .collect()
    }

    fn is_due(&self) -> bool {
        let settings = &self.pipeline.settings;
        self.interval
            .opened
            .is_some_and(|opened| opened.elapsed() >= settings.commit_interval)
            || self.interval.changes >= settings.commit_records
    }

    /// Flushes, then stores everything since the last commit at once.
    pub(super) async fn commit(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut checkpoint = Checkpoint {
            in_doubt: self.distrust,
            ..self.checkpoint.clone()
        };
        if let Some(position) = &self.resume {
            checkpoint.position = position.clone();
        }
        match self.pipeline.sink.flush().await {
            Ok(report) => report
                .rejected
                .into_iter()
                .for_each(|refused| self.reject(refused)),
            Err(error) => return Err(error),
        }
        let Interval {
            opened,
            overlay,
            ledger,
            sent,
            settled,
            rejected,
            changes,
        } = &mut self.interval;
        let accepted = sent
            .iter()
            .filter(|key| !rejected.contains_key(*key))
            .count() as u64;
        self.any_rejected |= !rejected.is_empty();
        let cleared = if self.any_rejected {
            let keys = sent.drain().chain(settled.drain(..));
            keys.filter(|key| !rejected.contains_key(key)).collect()
        } else {
            Vec::new()
        };
        let refused = rejected.len() as u64;
        let mut stored = Vec::with_capacity(ledger.len() + 1);
        stored.extend(
            ledger
                .drain(..)
                .filter(|(needs, _)| needs.as_ref().is_none_or(|key| !rejected.contains_key(key)))
                .map(|(_, change)| change)
                .chain(without_lists(&self.pipeline.import, self.lists)),
        );
        let commit = Commit {
            checkpoint: checkpoint.clone(),
            ledger: stored,
            rejected: rejected.drain().map(|(_, rejected)| rejected).collect(),
            cleared,
        };
        // What they take serves the next interval.
        overlay.clear();
        sent.clear();
        settled.clear();
        (*opened, *changes) = (None, 0);
        let import = &self.pipeline.import;
        self.revision = Some(
            self.pipeline
                .state
                .commit(import, self.revision, commit)
                .await?,
        );
        self.checkpoint = checkpoint;
        self.resume = None;
        self.lists = 0;
        self.turn = None;
        self.counts.accepted += accepted;
        self.counts.rejected += refused;
        self.counts.commits += 1;
        self.emit(&Event::Committed {
            accepted,
            took: begun.elapsed(),
            complete_until: self.checkpoint.position.complete_until(),
        });
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Taken {
    All,
    Limited,
}
