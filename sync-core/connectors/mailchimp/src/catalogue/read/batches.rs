//! Parents whose first page comes from a batch. What it costs, when it is worth it and what happens when it fails stands in
//! [`crate::batches`].

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use mailchimp_client::{
    ArchiveLimits, BatchMethod, BatchOperation, BatchPatience, BatchResult, Error as ClientError,
    MAX_COUNT,
};
use sync_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc;

use super::hand_out;
use super::unit::{Told, Unit};
use super::workers::Shared;
use crate::catalogue::definition::{Changes, StreamDefinition};
use crate::catalogue::error::translate;
use crate::catalogue::progress::{Progress, Sent};
use crate::catalogue::rows::asked;
use crate::catalogue::settings::{ActivityBy, StreamSettings};
use crate::notice::Notice;

/// How a batch is waited for. Longer than a few hundred pages could ever take makes no sense.
const PATIENCE: BatchPatience = BatchPatience {
    first_pause: Duration::from_secs(2),
    longest_pause: Duration::from_secs(60),
    deadline: Duration::from_secs(30 * 60),
};

/// Which of the parents that are due are read how.
pub(super) struct Ways {
    pub(super) by_pages: Vec<Unit>,
    pub(super) by_batches: ByBatches,
}

/// What is to be read by batches.
pub(super) struct ByBatches {
    /// A batch that an earlier run sent, with the parents it is still needed for.
    taken_up: Option<(String, Vec<Unit>)>,
    fresh: VecDeque<Unit>,
    rule: Rule,
}

/// When batches are sent.
#[derive(Clone, Copy)]
struct Rule {
    by: ActivityBy,
    from: usize,
    /// Parents in one batch.
    operations: usize,
}

impl Rule {
    fn of(definition: &StreamDefinition, settings: &StreamSettings) -> Self {
        Self {
            by: match definition.changes {
                Changes::EventsSince { .. } => settings.email_activity_by,
                _ => ActivityBy::Pages,
            },
            from: settings.batch_from,
            operations: settings.batch_operations,
        }
    }

    /// Whether a parent may go into a batch.
    fn fits(self, unit: &Unit) -> bool {
        match self.by {
            ActivityBy::Auto => unit.rows.is_some_and(|rows| rows < u64::from(MAX_COUNT)),
            ActivityBy::Pages => false,
            ActivityBy::Batches => true,
        }
    }

    /// Whether so many parents are worth a batch.
    fn is_worth(self, parents: usize) -> bool {
        match self.by {
            ActivityBy::Auto => parents >= self.from,
            ActivityBy::Pages => false,
            ActivityBy::Batches => parents > 0,
        }
    }
}

impl Ways {
    /// Decides for each parent. The batch in the progress is kept for those whose gate is what it was when it was sent.
    pub(super) fn choose(
        definition: &StreamDefinition,
        due: Vec<Unit>,
        progress: &mut Progress,
        settings: &StreamSettings,
    ) -> Self {
        let rule = Rule::of(definition, settings);
        let (mut by_pages, mut fresh, mut taken_up) = (Vec::new(), VecDeque::new(), Vec::new());
        let sent = progress.batch.take();
        for unit in due {
            let known = sent
                .as_ref()
                .and_then(|sent| sent.parents.get(&unit.name()));
            if known.is_some() && known == unit.gate.as_ref() {
                taken_up.push(unit);
            } else if rule.fits(&unit) {
                fresh.push_back(unit);
            } else {
                by_pages.push(unit);
            }
        }
        if !rule.is_worth(fresh.len()) {
            by_pages.extend(fresh.drain(..));
        }
        let taken_up = sent.filter(|_| !taken_up.is_empty()).map(|sent| {
            progress.batch = Some(sent_for(sent.id.clone(), &taken_up));
            (sent.id, taken_up)
        });
        Self {
            by_pages,
            by_batches: ByBatches {
                taken_up,
                fresh,
                rule,
            },
        }
    }
}

fn sent_for(id: String, units: &[Unit]) -> Sent {
    let gates = units
        .iter()
        .map(|unit| (unit.name(), unit.gate.unwrap_or_default()));
    Sent {
        id,
        parents: gates.collect(),
    }
}

/// Parents that a batch did not bring, and why.
struct Left {
    units: Vec<Unit>,
    reason: Option<ClientError>,
}

impl Shared {
    /// Hands out parents with the first pages that batches bring, and without what they do not.
    pub(super) async fn batch(
        self: Arc<Self>,
        by: ByBatches,
        units: mpsc::Sender<Unit>,
        teller: mpsc::Sender<Told>,
    ) {
        let ByBatches {
            taken_up,
            mut fresh,
            rule,
        } = by;
        if let Some((id, waiting)) = taken_up {
            let left = self.take_in(&id, waiting, &units).await;
            if left.reason.as_ref().is_some_and(ClientError::is_not_found) {
                // Deleted, or older than the server remembers: its parents are as if it had never been sent.
                fresh.extend(left.units);
                if !rule.is_worth(fresh.len()) {
                    return hand_out(fresh.into(), units).await;
                }
            } else {
                self.give_up(Some(id), left, &units).await;
            }
        }
        while !fresh.is_empty() {
            let chunk: Vec<Unit> = fresh.drain(..rule.operations.min(fresh.len())).collect();
            let (id, left) = match self.send(&chunk).await {
                Ok(id) => {
                    let sent = sent_for(id.clone(), &chunk);
                    if teller.send(Told::Sent(sent)).await.is_err() {
                        return;
                    }
                    let left = self.take_in(&id, chunk, &units).await;
                    (Some(id), left)
                }
                Err(error) => {
                    self.given_up(None, &error);
                    return hand_out(chunk.into_iter().chain(fresh).collect(), units).await;
                }
            };
            let no_more = left.reason.is_some();
            self.give_up(id, left, &units).await;
            if no_more {
                return hand_out(fresh.into(), units).await;
            }
        }
    }

    /// Sends a batch that asks for the first page of each parent, and gives its id.
    async fn send(&self, chunk: &[Unit]) -> Result<String> {
        let definition = self.lineage.definition;
        let mut operations = Vec::with_capacity(chunk.len());
        for unit in chunk {
            let path = self.lineage.place(&self.account_id, &unit.ids).path()?;
            let query = asked(definition, self.query(definition, unit))
                .with("count", MAX_COUNT.to_string())
                .with("offset", "0");
            operations.push(
                BatchOperation::new(BatchMethod::Get, path)
                    .query(&query)
                    .operation_id(unit.name()),
            );
        }
        let batch = self.account.client().batches().create(&operations).await;
        let batch = batch.map_err(|error| translate(error, "send batch", definition.name))?;
        let id = batch.value.id.into_value().filter(|id| !id.is_empty());
        id.ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "send batch", "the answer has no id")
                .with("stream", definition.name)
        })
    }

    /// Waits for a batch and hands out the parents with the pages it brought. Gives back those it brought nothing for.
    async fn take_in(&self, id: &str, waiting: Vec<Unit>, units: &mpsc::Sender<Unit>) -> Left {
        let batches = self.account.client().batches();
        let left = |units, reason| Left {
            units,
            reason: Some(reason),
        };
        if let Err(error) = batches.wait(id, &PATIENCE).await {
            if matches!(error, ClientError::BatchNotReady(_)) {
                // Nobody reads it any more. If this fails it only goes on for nothing.
                let _ = batches.delete(id).await;
            }
            return left(waiting, error);
        }
        let results = match batches.results(id, ArchiveLimits::default()) {
            Ok(results) => results,
            Err(error) => return left(waiting, error),
        };
        let mut results = pin!(results);
        let mut waiting: HashMap<String, Unit> = waiting
            .into_iter()
            .map(|unit| (unit.name(), unit))
            .collect();
        let mut reason = None;
        while let Some(result) = results.next().await {
            let result = match result {
                Ok(result) => result,
                Err(error) => {
                    reason = Some(error);
                    break;
                }
            };
            let name = result.operation_id.as_deref().unwrap_or_default();
            // Read by the run that sent the batch, or before it was interrupted.
            let Some(mut unit) = waiting.remove(name) else {
                continue;
            };
            self.open(&mut unit, result);
            if units.send(unit).await.is_err() {
                break;
            }
        }
        let mut units: Vec<Unit> = waiting.into_values().collect();
        units.sort_by_key(|unit| unit.index);
        Left { units, reason }
    }

    /// Takes the page out of a result.
    fn open(&self, unit: &mut Unit, result: BatchResult) {
        let definition = self.lineage.definition;
        let status = result.status_code;
        if result.is_success()
            && let Some(items) = definition.rows.items()
        {
            unit.first = result.into_rows(items).ok();
        }
        if unit.first.is_none() {
            let part = unit.part(definition.name);
            let notice = Notice::OperationFailed { part, status };
            self.hooks.on_notice(definition.name, &notice);
        }
    }

    /// Leaves to pages what a batch did not bring.
    async fn give_up(&self, id: Option<String>, left: Left, units: &mpsc::Sender<Unit>) {
        let stream = self.lineage.definition.name;
        match left.reason {
            Some(error) => self.given_up(id, &translate(error, "read batch", stream)),
            None if !left.units.is_empty() => {
                let missing = Error::new(
                    ErrorKind::Invalid,
                    "read batch",
                    "the archive lacks results of some operations",
                );
                self.given_up(id, &missing.with("operations", left.units.len()));
            }
            None => {}
        }
        hand_out(left.units, units.clone()).await;
    }

    fn given_up(&self, batch_id: Option<String>, error: &Error) {
        let notice = Notice::BatchGivenUp {
            batch_id,
            reason: error.chain(),
        };
        self.hooks.on_notice(self.lineage.definition.name, &notice);
    }
}
