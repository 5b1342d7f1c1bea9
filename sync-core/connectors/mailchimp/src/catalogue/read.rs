//! One read of a stream: many parents at once, progress in the order in which it may be stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use mailchimp_client::Query;
use sync_core::{Batch, Clock, Error, ErrorKind, PartFailure, Result};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::account::CatalogueAccount;
use super::definition::{Changes, Rows, StreamDefinition};
use super::descent::{Descent, Ids, Lineage, Root, name_of};
use super::error::useless_rows;
use super::progress::{Progress, Read};
use super::record::{Fields, Place, StreamRecord, own_key, text};
use super::rows::RowReader;
use super::settings::StreamSettings;
use crate::background::Batches;
use crate::error::stopped;

/// Records gathered into one batch, if they are there already.
const BATCH: usize = 1000;

/// Parents that fail one after the other before nothing more is tried.
const MOST_FAILURES: u32 = 10;

/// Events before the newest one known that are asked for again.
const EVENT_OVERLAP: TimeDelta = TimeDelta::days(1);

/// Pages of one parent that are asked for at once, while there are other parents.
const AHEAD_BELOW: usize = 2;

/// Pages of the only collection that are asked for at once.
const AHEAD: usize = 10;

/// What a read needs to know.
pub(super) struct Task {
    pub(super) account: CatalogueAccount,
    pub(super) definition: &'static StreamDefinition,
    pub(super) settings: StreamSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) progress: Progress,
    pub(super) what: What,
}

/// What is wanted of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// What has changed, and batches with cursors.
    Changes,
    /// The keys of everything.
    Keys,
}

/// A parent to read, or the whole stream if it has none.
struct Unit {
    index: usize,
    ids: Ids,
    gate: Option<u64>,
    /// The newest event known.
    until: Option<i64>,
}

impl Unit {
    /// Names the parent in the stored progress, as [`Root::name`] does.
    fn name(&self) -> String {
        name_of(&self.ids)
    }
}

/// What the readers of the parents have to say.
enum Told {
    Rows {
        records: Vec<StreamRecord>,
        useless: usize,
        total: Option<u64>,
    },
    Read {
        unit: Unit,
    },
    Failed {
        unit: Unit,
        error: Error,
    },
}

/// Reads the stream and hands over batches, until the end or until nobody takes them.
pub(super) async fn read(task: Task, batches: Batches<StreamRecord>) -> Result<()> {
    let account_id = task.account.id().await?;
    let lineage = Arc::new(Lineage::of(task.definition)?);
    let Task {
        account,
        definition,
        settings,
        clock,
        mut progress,
        what,
    } = task;
    progress.begin(clock.now(), settings.full_read());
    let roots = lineage.roots(&account).await?;
    let shared = Arc::new(Shared {
        account,
        account_id,
        lineage,
        since: since(definition, &progress, &settings),
        full: progress.full,
        what,
        ahead: if definition.parent.is_some() {
            AHEAD_BELOW
        } else {
            AHEAD
        },
    });
    let (units, waiting) = mpsc::channel(settings.parents_at_once);
    let waiting = Arc::new(Mutex::new(waiting));
    let (teller, told) = mpsc::channel(settings.parents_at_once);
    // Dropped with this future: nothing goes on reading for nobody.
    let mut tasks = JoinSet::new();
    for _ in 0..settings.parents_at_once {
        tasks.spawn(shared.clone().work(waiting.clone(), teller.clone()));
    }
    drop(waiting);
    let gated = shared.lineage.has_gate();
    let names: BTreeSet<String> = roots.iter().map(Root::name).collect();
    if gated {
        let due: Vec<Unit> = roots
            .into_iter()
            .filter(|root| progress.is_due(&root.name(), root.gate.unwrap_or_default()))
            .enumerate()
            .map(|(index, root)| Unit {
                until: progress
                    .parents
                    .get(&root.name())
                    .and_then(|read| read.until),
                index,
                gate: root.gate,
                ids: root.ids,
            })
            .collect();
        tasks.spawn(hand_out(due, units));
    } else {
        let descent = Descent::new(roots, progress.after.clone());
        tasks.spawn(shared.clone().descend(descent, units, teller.clone()));
    }
    drop(teller);
    let mut gathering = Gathering {
        stream: definition.name,
        progress,
        gated,
        finished: BTreeSet::new(),
        passed: 0,
        since_cursor: 0,
        failed: 0,
        failures_in_a_row: 0,
        nobody_listens: false,
        last_ids: Vec::new(),
    };
    gathering.drain(told, &batches, what).await?;
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| stopped().caused_by(error))?;
    }
    if what == What::Changes && !gathering.nobody_listens {
        gathering.progress.end(gathering.failed > 0);
        if gated {
            // Whoever is gone needs no gate any more.
            gathering
                .progress
                .parents
                .retain(|name, _| names.contains(name));
        }
        let last = gathering.batch(Gathered::default(), true)?;
        batches.send(last).await;
    }
    Ok(())
}

/// The filter of a read that does not read everything.
fn since(
    definition: &'static StreamDefinition,
    progress: &Progress,
    settings: &StreamSettings,
) -> Option<(&'static str, String)> {
    let Changes::Since { parameter, .. } = definition.changes else {
        return None;
    };
    let until = progress.complete_until.filter(|_| !progress.full)?;
    let since = until.checked_sub_signed(settings.lookback())?;
    Some((parameter, query_time(since)))
}

fn query_time(time: DateTime<chrono::Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn hand_out(due: Vec<Unit>, units: mpsc::Sender<Unit>) {
    for unit in due {
        if units.send(unit).await.is_err() {
            return;
        }
    }
}

/// What all readers of one read share.
struct Shared {
    account: CatalogueAccount,
    account_id: Arc<str>,
    lineage: Arc<Lineage>,
    since: Option<(&'static str, String)>,
    full: bool,
    what: What,
    ahead: usize,
}

impl Shared {
    /// Finds the parents below the roots and hands them out.
    async fn descend(
        self: Arc<Self>,
        mut descent: Descent,
        units: mpsc::Sender<Unit>,
        teller: mpsc::Sender<Told>,
    ) {
        let mut index = 0;
        while let Some((ids, found)) = descent.next(&self.account, &self.lineage).await {
            let unit = Unit {
                index,
                ids,
                gate: None,
                until: None,
            };
            index += 1;
            let heard = match found {
                Ok(()) => units.send(unit).await.is_ok(),
                Err(error) => teller.send(Told::Failed { unit, error }).await.is_ok(),
            };
            if !heard {
                return;
            }
        }
    }

    /// Reads one parent after the other.
    async fn work(
        self: Arc<Self>,
        waiting: Arc<Mutex<mpsc::Receiver<Unit>>>,
        teller: mpsc::Sender<Told>,
    ) {
        loop {
            let next = waiting.lock().await.recv().await;
            let Some(mut unit) = next else { return };
            let told = match self.read(&mut unit, &teller).await {
                Ok(()) => Told::Read { unit },
                // Gone meanwhile: then there is nothing to read. The audit of what is gone is the sweep's business.
                Err(error)
                    if error.kind() == ErrorKind::Missing
                        && self.lineage.definition.parent.is_some() =>
                {
                    Told::Read { unit }
                }
                Err(error) => Told::Failed { unit, error },
            };
            if teller.send(told).await.is_err() {
                return;
            }
        }
    }

    /// Reads everything below the unit's ids.
    async fn read(&self, unit: &mut Unit, teller: &mpsc::Sender<Told>) -> Result<()> {
        let definition = self.lineage.definition;
        if unit.gate.is_none() {
            let place = self.lineage.place(&self.account_id, &unit.ids);
            return self.read_place(&place, unit, teller).await;
        }
        let mut waiting = vec![(unit.ids.clone(), 1)];
        while let Some((ids, depth)) = waiting.pop() {
            match self.lineage.below(&self.account, &ids, depth).await {
                Ok(None) => {
                    let place = self.lineage.place(&self.account_id, &ids);
                    match self.read_place(&place, unit, teller).await {
                        Err(error) if error.kind() == ErrorKind::Missing && depth > 1 => {}
                        read => read?,
                    }
                }
                Ok(Some(below)) => {
                    waiting.extend(below.into_iter().rev().map(|ids| (ids, depth + 1)));
                }
                Err(error) => return Err(error.with("below", definition.name)),
            }
        }
        Ok(())
    }

    async fn read_place(
        &self,
        place: &Place,
        unit: &mut Unit,
        teller: &mpsc::Sender<Told>,
    ) -> Result<()> {
        let definition = self.lineage.definition;
        if self.what == What::Keys
            && let Some(key) = place.only_key()
        {
            let records = vec![StreamRecord::of_key(key)];
            // Whoever does not listen is gone, and with it this task.
            let _ = teller
                .send(Told::Rows {
                    records,
                    useless: 0,
                    total: None,
                })
                .await;
            return Ok(());
        }
        let query = self.query(definition, unit);
        let client = self.account.client();
        let mut rows = RowReader::new(client, definition, place.path()?, query, self.ahead);
        let mut newest = unit.until;
        while let Some(step) = rows.next().await? {
            let mut records = Vec::with_capacity(step.rows.len());
            let mut useless = 0;
            for row in &step.rows {
                if place.records(row, &mut records).is_err() {
                    useless += 1;
                }
            }
            if let Changes::EventsSince { field, .. } = definition.changes {
                let times = records
                    .iter()
                    .filter_map(|record| event_time(record, field));
                newest = newest.max(times.max());
            }
            let rows = Told::Rows {
                records,
                useless,
                // Of one parent it says nothing about the whole.
                total: step.total.filter(|_| definition.parent.is_none()),
            };
            if teller.send(rows).await.is_err() {
                return Ok(());
            }
        }
        unit.until = newest;
        Ok(())
    }

    fn query(&self, definition: &'static StreamDefinition, unit: &Unit) -> Query {
        let items = definition.rows.items();
        let mut query = match items.and_then(|items| self.key_fields(items)) {
            Some(fields) => Query::new().with("fields", fields),
            None => Query::new().with("exclude_fields", definition.links(items)),
        };
        if let Some((parameter, time)) = &self.since
            && self.what == What::Changes
        {
            query = query.with(*parameter, time.clone());
        }
        match definition.changes {
            Changes::Since {
                sort: Some(sort), ..
            } => query = query.with("sort_field", sort).with("sort_dir", "ASC"),
            Changes::EventsSince { parameter, .. } if !self.full => {
                let until = unit
                    .until
                    .and_then(|until| DateTime::from_timestamp(until, 0));
                if let Some(since) = until.and_then(|until| until.checked_sub_signed(EVENT_OVERLAP))
                {
                    query = query.with(parameter, query_time(since));
                }
            }
            _ => {}
        }
        query
    }
}

impl Shared {
    /// The fields to ask for when only the keys are wanted; `None` if that takes the whole record.
    fn key_fields(&self, items: &str) -> Option<String> {
        let definition = self.lineage.definition;
        if self.what != What::Keys || matches!(definition.rows, Rows::Nested { .. }) {
            return None;
        }
        let names: Vec<String> = own_key(definition)
            .map(|name| format!("{items}.{name}"))
            .collect();
        (!names.is_empty()).then(|| format!("{},total_items", names.join(",")))
    }
}

fn event_time(record: &StreamRecord, field: &str) -> Option<i64> {
    let time = text(Fields::of(record.data())?.get(field)?);
    let time = DateTime::parse_from_rfc3339(&time).ok()?;
    Some(time.timestamp())
}

/// Puts together what is told, and keeps the progress.
struct Gathering {
    stream: &'static str,
    progress: Progress,
    gated: bool,
    /// Parents read, ahead of others that are not.
    finished: BTreeSet<usize>,
    /// So many parents from the first on have been read.
    passed: usize,
    /// Parents read since the last cursor.
    since_cursor: usize,
    failed: u32,
    failures_in_a_row: u32,
    nobody_listens: bool,
    /// The ids of parents read, for the position that goes with `passed`.
    last_ids: Vec<(usize, Vec<String>)>,
}

/// What goes into one batch.
#[derive(Default)]
struct Gathered {
    records: Vec<StreamRecord>,
    failures: Vec<PartFailure>,
    useless: usize,
    total: Option<u64>,
    units: usize,
}

impl Gathering {
    async fn drain(
        &mut self,
        mut told: mpsc::Receiver<Told>,
        batches: &Batches<StreamRecord>,
        what: What,
    ) -> Result<()> {
        while let Some(first) = told.recv().await {
            let mut gathered = Gathered::default();
            self.take(first, &mut gathered)?;
            while gathered.records.len() < BATCH {
                let Ok(next) = told.try_recv() else { break };
                self.take(next, &mut gathered)?;
            }
            self.since_cursor += gathered.units;
            let empty = gathered.records.is_empty()
                && gathered.failures.is_empty()
                && gathered.units == 0
                && gathered.useless == 0;
            if empty {
                continue;
            }
            // A cursor names every parent with a gate: not with each batch when there are thousands.
            let with_cursor = what == What::Changes
                && self.since_cursor > 0
                && self.since_cursor * 50 >= self.progress.parents.len();
            let batch = self.batch(gathered, with_cursor)?;
            if !batches.send(batch).await {
                self.nobody_listens = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn take(&mut self, told: Told, into: &mut Gathered) -> Result<()> {
        match told {
            Told::Rows {
                records,
                useless,
                total,
            } => {
                into.records.extend(records);
                into.useless += useless;
                into.total = total.or(into.total);
            }
            Told::Read { unit } => {
                into.units += 1;
                self.failures_in_a_row = 0;
                self.read(unit);
            }
            Told::Failed { unit, error } => {
                if matches!(
                    error.kind(),
                    ErrorKind::Denied | ErrorKind::Missing | ErrorKind::Config
                ) {
                    return Err(error);
                }
                self.failed += 1;
                self.failures_in_a_row += 1;
                if self.gated {
                    self.progress.forget(&unit.name());
                }
                if self.failures_in_a_row >= MOST_FAILURES || unit.ids.is_empty() {
                    return Err(error);
                }
                let ids: Vec<String> = unit
                    .ids
                    .iter()
                    .map(|(name, id)| format!("{name} {id}"))
                    .collect();
                into.failures.push(PartFailure {
                    part: format!("{} of {}", self.stream, ids.join(", ")),
                    error,
                });
            }
        }
        Ok(())
    }

    fn read(&mut self, unit: Unit) {
        if self.gated {
            let name = unit.name();
            let read = Read {
                gate: unit.gate.unwrap_or_default(),
                pass: self.progress.pass,
                until: unit.until,
            };
            self.progress.parents.insert(name, read);
            return;
        }
        let ids: Vec<String> = unit.ids.into_iter().map(|(_, id)| id).collect();
        self.finished.insert(unit.index);
        self.last_ids.push((unit.index, ids));
        while self.finished.remove(&self.passed) {
            self.passed += 1;
        }
        let passed = self.passed;
        let newest = self
            .last_ids
            .iter()
            .filter(|(index, _)| *index < passed)
            .max_by_key(|(index, _)| *index);
        if let Some((_, ids)) = newest {
            self.progress.after = Some(ids.clone());
            self.last_ids.retain(|(index, _)| *index >= passed);
        }
    }

    fn batch(&mut self, gathered: Gathered, with_cursor: bool) -> Result<Batch<StreamRecord>> {
        let mut failures = gathered.failures;
        if gathered.useless > 0 {
            failures.push(PartFailure {
                part: self.stream.to_owned(),
                error: useless_rows(self.stream, gathered.useless),
            });
        }
        let resume = if with_cursor {
            self.since_cursor = 0;
            Some(self.progress.cursor()?)
        } else {
            None
        };
        Ok(Batch {
            items: gathered.records,
            resume,
            failures,
            expected_total: gathered.total,
        })
    }
}
