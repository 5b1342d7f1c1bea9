//! The sink.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sync_core::table::Table;
use sync_core::{Clock, Error, ErrorKind, JsonRecord, Report, Result, Sink, Stream};

use crate::encode::{Encoded, encode};
use crate::error::from_io;
use crate::layout::{DataFile, IntervalId};
use crate::place::Place;
use crate::row::{Row, Scratch, Spool};
use crate::settings::FileSettings;
use crate::snapshot::newest_after;
use crate::upload::publish;

/// Writes records into files: one for each stream and [`flush`](Sink::flush), published whole. The
/// [crate's page](crate) has the contract with those who read them.
///
/// Records wait in memory, and beyond [`FileSettings::memory`] in the scratch directory, until `flush` encodes and uploads
/// them; it returns when they are durable. Streams are published one after the other: when `flush` fails half way, some of
/// them may have their file already, and the replay brings its records again under a later interval.
///
/// Of several records with one key the last holds, across files too; a replay is absorbed by that. A removal becomes a row
/// whose `_deleted_at` is set. A record that is no JSON object is rejected by `flush`.
pub struct FileSink {
    place: Place,
    settings: FileSettings,
    clock: Arc<dyn Clock>,
    streams: HashMap<Arc<str>, Open>,
}

/// A stream that had records.
struct Open {
    stream: Arc<Stream>,
    /// What was learned about its columns. An abort does not make it less true.
    table: Table,
    /// The newest file of the stream.
    newest: Option<IntervalId>,
    interval: Option<Interval>,
}

struct Interval {
    id: IntervalId,
    name: Arc<str>,
    spool: Spool,
    next: u64,
}

impl FileSink {
    /// A sink onto a place. Nothing is read before the first record.
    pub fn new(place: Place, settings: FileSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            place,
            settings,
            clock,
            streams: HashMap::new(),
        }
    }

    /// The interval of a stream, if it has begun.
    fn interval(&mut self, stream: &Stream) -> Option<&mut Interval> {
        self.streams.get_mut(stream.name())?.interval.as_mut()
    }

    /// Begins an interval of a stream, behind whatever anybody has published of it.
    async fn begin(&mut self, stream: &Arc<Stream>, now: DateTime<Utc>) -> Result<&mut Interval> {
        let open = self
            .streams
            .entry(stream.name().clone())
            .or_insert_with(|| Open {
                stream: stream.clone(),
                table: Table::new(stream),
                newest: None,
                interval: None,
            });
        let newest = newest_after(&self.place, open.table.name(), open.newest.as_ref()).await?;
        open.newest = newest.or(open.newest.take());
        let id = IntervalId::next(now, open.newest.as_ref());
        Ok(open.interval.insert(Interval {
            name: id.as_str().into(),
            id,
            spool: Spool::new(open.stream.clone()),
            next: 0,
        }))
    }

    fn scratch(&self) -> Scratch {
        Scratch(self.settings.scratch.clone())
    }

    /// Moves the biggest interval to disk until all fit into memory.
    async fn make_room(&mut self) -> Result<()> {
        loop {
            let intervals = self.streams.values_mut();
            let mut spools: Vec<&mut Spool> = intervals
                .filter_map(|open| Some(&mut open.interval.as_mut()?.spool))
                .collect();
            if spools.iter().map(|spool| spool.weight()).sum::<usize>() <= self.settings.memory {
                return Ok(());
            }
            let Some(biggest) = spools.iter_mut().max_by_key(|spool| spool.weight()) else {
                return Ok(());
            };
            let mut moving = std::mem::replace(*biggest, Spool::new(biggest.stream().clone()));
            let scratch = Scratch(self.settings.scratch.clone());
            let moved = blocking(move || {
                moving
                    .spill(&scratch)
                    .map_err(|error| from_io("keep records in the scratch directory", &error))?;
                Ok(moving)
            })
            .await?;
            **biggest = moved;
        }
    }
}

/// Runs what blocks where that does no harm.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(Error::new(
                ErrorKind::Invalid,
                "encode records",
                "the work was cut short",
            )
            .caused_by(error))
        })
}

#[async_trait]
impl Sink<JsonRecord> for FileSink {
    fn name(&self) -> &'static str {
        "files"
    }

    async fn check(&self) -> Result<()> {
        self.place.check().await
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        let now = self.clock.now();
        for record in records {
            let interval = match self.interval(&record.stream) {
                Some(interval) => interval,
                None => self.begin(&record.stream.clone(), now).await?,
            };
            interval.spool.push(Row {
                interval: interval.name.clone(),
                position: interval.next,
                synced_at: now.timestamp_micros(),
                deleted_at: record.removed.then(|| now.timestamp_micros()),
                compacted: false,
                record,
            });
            interval.next += 1;
        }
        self.make_room().await?;
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        let mut report = Report::default();
        let scratch = self.scratch();
        let (format, memory) = (self.settings.format, self.settings.memory);
        for open in self.streams.values_mut() {
            let Some(Interval { id, mut spool, .. }) = open.interval.take() else {
                continue;
            };
            let (stream, scratch) = (open.stream.clone(), scratch.clone());
            let mut table = std::mem::replace(&mut open.table, Table::new(&stream));
            let (table, encoded) = blocking(move || {
                let encoded = encode(format, &stream, &mut spool, &mut table, memory, &scratch)?;
                Ok((table, encoded))
            })
            .await
            .map_err(|error| error.with("stream", open.stream.name()))?;
            let Encoded {
                bytes,
                rows,
                rejected,
            } = encoded;
            report.rejected.extend(rejected);
            if rows > 0 {
                let file = DataFile {
                    id: id.clone(),
                    compaction: None,
                    format,
                };
                let path = format!("{}/{}", table.name(), file.relative());
                publish(&self.place, &path, bytes, None)
                    .await
                    .map_err(|error| error.with("path", path))?;
            }
            open.table = table;
            open.newest = Some(id);
        }
        Ok(report)
    }

    async fn abort(&mut self) {
        for open in self.streams.values_mut() {
            open.interval = None;
        }
    }
}

impl fmt::Debug for FileSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink")
            .field("place", &self.place)
            .field("settings", &self.settings)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}
