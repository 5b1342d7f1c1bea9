//! Reads parents, many at a time.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use mailchimp_client::Query;
use sync_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, mpsc};

use super::unit::{Told, Unit, part_of};
use super::{What, query_time};
use crate::catalogue::account::CatalogueAccount;
use crate::catalogue::definition::{Changes, Rows, StreamDefinition};
use crate::catalogue::descent::{Descent, Ids, Lineage};
use crate::catalogue::error::is_pathless;
use crate::catalogue::record::{Fields, Place, StreamRecord, own_key, text};
use crate::catalogue::rows::RowReader;
use crate::notice::ReadHooks;

/// Events before the newest one known that are asked for again.
const EVENT_OVERLAP: TimeDelta = TimeDelta::days(1);

/// What all readers of one read share.
pub(super) struct Shared {
    pub(super) account: CatalogueAccount,
    pub(super) account_id: Arc<str>,
    pub(super) lineage: Arc<Lineage>,
    pub(super) since: Option<(&'static str, String)>,
    pub(super) full: bool,
    pub(super) what: What,
    /// Pages of one parent that are asked for at once.
    pub(super) ahead: usize,
    pub(super) hooks: Arc<dyn ReadHooks>,
}

impl Shared {
    /// Finds the parents below the roots and hands them out.
    pub(super) async fn descend(
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
                rows: None,
                first: None,
            };
            index += 1;
            let heard = match found {
                Ok(()) => units.send(unit).await.is_ok(),
                Err(error) => {
                    let told = match self.unless_pathless(error, &unit.ids, &teller).await {
                        Ok(()) => Told::Read { unit },
                        Err(error) => Told::Failed { unit, error },
                    };
                    teller.send(told).await.is_ok()
                }
            };
            if !heard {
                return;
            }
        }
    }

    /// Reads one parent after the other.
    pub(super) async fn work(
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

    /// Tells that what is below these ids is left out, if it is an id that stands in the way, or gives back the error.
    async fn unless_pathless(
        &self,
        error: Error,
        ids: &Ids,
        teller: &mpsc::Sender<Told>,
    ) -> Result<()> {
        if !is_pathless(&error) {
            return Err(error);
        }
        let part = part_of(self.lineage.definition.name, ids);
        // Whoever does not listen is gone, and with it this task.
        let _ = teller.send(Told::Unreachable { part, error }).await;
        Ok(())
    }

    /// Reads everything below the unit's ids.
    async fn read(&self, unit: &mut Unit, teller: &mpsc::Sender<Told>) -> Result<()> {
        let definition = self.lineage.definition;
        if unit.gate.is_none() {
            let place = self.lineage.place(&self.account_id, &unit.ids);
            return match self.read_place(&place, unit, teller).await {
                Err(error) => self.unless_pathless(error, &unit.ids, teller).await,
                Ok(()) => Ok(()),
            };
        }
        let mut waiting = vec![(unit.ids.clone(), 1)];
        while let Some((ids, depth)) = waiting.pop() {
            match self.lineage.below(&self.account, &ids, depth).await {
                Ok(None) => {
                    let place = self.lineage.place(&self.account_id, &ids);
                    match self.read_place(&place, unit, teller).await {
                        Err(error) if error.kind() == ErrorKind::Missing && depth > 1 => {}
                        Err(error) => self.unless_pathless(error, &ids, teller).await?,
                        Ok(()) => {}
                    }
                }
                Ok(Some(below)) => {
                    waiting.extend(below.into_iter().rev().map(|ids| (ids, depth + 1)));
                }
                Err(error) => {
                    let error = error.with("below", definition.name);
                    self.unless_pathless(error, &ids, teller).await?;
                }
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
        if let Some(first) = unit.first.take() {
            rows.begin_with(first);
        }
        let mut newest = unit.until;
        while let Some(step) = rows.next().await.map_err(|error| place.doubted(error))? {
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

    /// What the rows of a parent are asked for with, beside what the stream always asks.
    pub(super) fn query(&self, definition: &'static StreamDefinition, unit: &Unit) -> Query {
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

    /// The fields to ask for when only the keys are wanted; `None` if that takes the whole record.
    fn key_fields(&self, items: &str) -> Option<String> {
        let definition = self.lineage.definition;
        if self.what != What::Keys || matches!(definition.rows, Rows::Nested { .. }) {
            return None;
        }
        let names: Vec<String> = own_key(definition)
            .map(|name| format!("{items}.{name}"))
            .collect();
        // What leads to the next page and to the end must come too.
        let envelope = match definition.rows {
            Rows::Cursor(_) => "next_cursor",
            _ => "total_items",
        };
        (!names.is_empty()).then(|| format!("{},{envelope}", names.join(",")))
    }
}

fn event_time(record: &StreamRecord, field: &str) -> Option<i64> {
    let time = text(Fields::of(record.data())?.get(field)?);
    let time = DateTime::parse_from_rfc3339(&time).ok()?;
    Some(time.timestamp())
}
