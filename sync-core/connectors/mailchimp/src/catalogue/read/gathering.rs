//! Puts together what the readers tell, and keeps the progress.

use std::collections::BTreeSet;

use sync_core::{Batch, Error, ErrorKind, PartFailure, Result};
use tokio::sync::mpsc;

use super::What;
use super::unit::{Told, Unit};
use crate::background::Batches;
use crate::catalogue::error::useless_rows;
use crate::catalogue::progress::{Progress, Read};
use crate::catalogue::record::StreamRecord;
use crate::notice::Notice;

/// Records gathered into one batch, if they are there already.
const BATCH: usize = 1000;

/// Parents that fail one after the other before nothing more is tried.
const MOST_FAILURES: u32 = 10;

/// Puts together what is told, and keeps the progress.
pub(super) struct Gathering {
    stream: &'static str,
    pub(super) progress: Progress,
    gated: bool,
    /// Parents read, ahead of others that are not.
    finished: BTreeSet<usize>,
    /// So many parents from the first on have been read.
    passed: usize,
    /// Parents read since the last cursor.
    since_cursor: usize,
    pub(super) failed: u32,
    failures_in_a_row: u32,
    pub(super) nobody_listens: bool,
    /// Parts left out, and one of them with the reason.
    unreachable: usize,
    example: Option<(String, Error)>,
    /// The ids of parents read, for the position that goes with `passed`.
    last_ids: Vec<(usize, Vec<String>)>,
}

/// What goes into one batch.
#[derive(Default)]
pub(super) struct Gathered {
    records: Vec<StreamRecord>,
    failures: Vec<PartFailure>,
    useless: usize,
    total: Option<u64>,
    units: usize,
    /// Something happened that must be stored before long.
    urgent: bool,
}

impl Gathering {
    pub(super) fn new(stream: &'static str, progress: Progress, gated: bool) -> Self {
        Self {
            stream,
            progress,
            gated,
            finished: BTreeSet::new(),
            passed: 0,
            since_cursor: 0,
            failed: 0,
            failures_in_a_row: 0,
            nobody_listens: false,
            unreachable: 0,
            example: None,
            last_ids: Vec::new(),
        }
    }

    /// Hands over what is told until nobody tells anything any more, or until nobody takes it.
    pub(super) async fn drain(
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
                && gathered.useless == 0
                && !gathered.urgent;
            if empty {
                continue;
            }
            // A cursor names every parent with a gate: not with each batch when there are thousands.
            let often_enough =
                self.since_cursor > 0 && self.since_cursor * 50 >= self.progress.parents.len();
            let with_cursor = what == What::Changes && (gathered.urgent || often_enough);
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
                into.failures.push(PartFailure {
                    part: unit.part(self.stream),
                    error,
                });
            }
            Told::Unreachable { part, error } => {
                self.unreachable += 1;
                self.example.get_or_insert((part, error));
            }
            Told::Sent(sent) => {
                self.progress.batch = Some(sent);
                into.urgent = true;
            }
        }
        Ok(())
    }

    /// What there is to say of parts that were left out.
    pub(super) fn notice(&self) -> Option<Notice> {
        let (part, error) = self.example.as_ref()?;
        Some(Notice::PartsUnreachable {
            parts: self.unreachable,
            part: part.clone(),
            reason: error.chain(),
        })
    }

    fn read(&mut self, unit: Unit) {
        if self.gated {
            let name = unit.name();
            let read = Read {
                gate: unit.gate.unwrap_or_default(),
                pass: self.progress.pass,
                until: unit.until,
            };
            self.progress.taken(name, read);
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

    /// A batch of what was gathered.
    pub(super) fn batch(
        &mut self,
        gathered: Gathered,
        with_cursor: bool,
    ) -> Result<Batch<StreamRecord>> {
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
