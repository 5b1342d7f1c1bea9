//! The sink.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sync_core::table::{Table, column_name};
use sync_core::{Clock, JsonRecord, Report, Result, Sink, Stream};

use crate::background::{Background, Outcome, cut_short};
use crate::encode::{Encoded, Encoder};
use crate::layout::{DataFile, IntervalId};
use crate::place::Place;
use crate::row::{Row, Scratch};
use crate::settings::FileSettings;
use crate::snapshot::newest_after;
use crate::upload::publish;

/// Writes records into files: one for each stream and [`flush`](Sink::flush), published whole. The
/// [crate's page](crate) has the contract with those who read them.
///
/// Records are encoded into the scratch directory a few MiB at a time ([`FileSettings::memory`]) while the next ones are
/// taken. `flush` encodes the rest and uploads the file; it returns when it is durable. Streams are published one after the
/// other: when `flush` fails half way, some of them may have their file already, and the replay brings its records again
/// under a later interval.
///
/// Of several records with one key the last holds, across files too; a replay is absorbed by that. A removal becomes a row
/// whose `_deleted_at` is set. A record that is no JSON object is rejected by `flush`.
pub struct FileSink {
    place: Place,
    settings: FileSettings,
    clock: Arc<dyn Clock>,
    streams: HashMap<Arc<str>, Open>,
    background: Background,
}

/// A stream that had records.
struct Open {
    stream: Arc<Stream>,
    /// The folder of its files.
    folder: String,
    /// What was learned about its columns; the interval has it while there is one. An abort does not make it less true.
    table: Option<Table>,
    /// The newest file of the stream.
    newest: Option<IntervalId>,
    interval: Option<Interval>,
}

struct Interval {
    id: IntervalId,
    name: Arc<str>,
    next: u64,
    gathered: Vec<Row>,
    /// Bytes of what was gathered.
    weight: usize,
    file: Unfinished,
    /// Bytes of what is being encoded.
    encoding: usize,
}

/// The file of an interval.
enum Unfinished {
    Idle(Box<Encoder>),
    /// Rows are being added.
    Busy(Outcome<Box<Encoder>>),
    /// Rows could not be added: the interval can only be aborted.
    Lost,
}

impl Unfinished {
    /// Waits for the rows that are being added and gives the file away.
    async fn take(&mut self) -> Result<Box<Encoder>> {
        match std::mem::replace(self, Self::Lost) {
            Self::Idle(encoder) => Ok(encoder),
            Self::Busy(work) => work.wait().await,
            Self::Lost => Err(cut_short()),
        }
    }
}

impl Interval {
    /// Begins to encode what was gathered, once what was before it is encoded.
    async fn encode(&mut self, background: &mut Background) -> Result<()> {
        let mut encoder = self.file.take().await?;
        let rows = std::mem::take(&mut self.gathered);
        self.encoding = std::mem::take(&mut self.weight);
        self.file = Unfinished::Busy(background.begin(move || {
            encoder.push(&rows)?;
            Ok(encoder)
        })?);
        Ok(())
    }

    /// Waits until what was handed over is encoded.
    async fn settle(&mut self) -> Result<()> {
        self.file = Unfinished::Idle(self.file.take().await?);
        self.encoding = 0;
        Ok(())
    }
}

impl FileSink {
    /// A sink onto a place. Nothing is read before the first record.
    pub fn new(place: Place, settings: FileSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            place,
            settings,
            clock,
            streams: HashMap::new(),
            background: Background::default(),
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
                folder: column_name([&**stream.name()]),
                table: None,
                newest: None,
                interval: None,
            });
        let newest = newest_after(&self.place, &open.folder, open.newest.as_ref()).await?;
        open.newest = newest.or(open.newest.take());
        let id = IntervalId::next(now, open.newest.as_ref());
        let table = open.table.take();
        let encoder = Encoder::new(
            self.settings.format,
            open.stream.clone(),
            table.unwrap_or_else(|| Table::new(&open.stream)),
            Scratch::of(&self.settings),
        );
        Ok(open.interval.insert(Interval {
            name: id.as_str().into(),
            id,
            next: 0,
            gathered: Vec::new(),
            weight: 0,
            file: Unfinished::Idle(Box::new(encoder)),
            encoding: 0,
        }))
    }

    /// Has encoded what is enough for a row group, and more if all streams together keep too much.
    async fn make_room(&mut self) -> Result<()> {
        let memory = self.settings.memory;
        let streams = self.streams.values_mut();
        let mut intervals: Vec<&mut Interval> =
            streams.filter_map(|open| open.interval.as_mut()).collect();
        for interval in &mut intervals {
            if interval.weight >= memory / GROUPS_IN_MEMORY {
                interval.encode(&mut self.background).await?;
            }
        }
        let held = |intervals: &[&mut Interval]| {
            let held = intervals.iter().map(|open| open.weight + open.encoding);
            held.sum::<usize>()
        };
        if held(&intervals) > memory {
            for interval in &mut intervals {
                interval.settle().await?;
            }
        }
        while held(&intervals) > memory {
            let Some(biggest) = intervals.iter_mut().max_by_key(|open| open.weight) else {
                break;
            };
            biggest.encode(&mut self.background).await?;
            biggest.settle().await?;
        }
        Ok(())
    }
}

/// Row groups of the sink that fit into [`FileSettings::memory`]: one that is encoded, one that is gathered, and as much
/// again for what encoding itself takes.
const GROUPS_IN_MEMORY: usize = 4;

/// Runs what blocks where that does no harm.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(cut_short().caused_by(error)))
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
            let row = Row {
                interval: interval.name.clone(),
                position: interval.next,
                synced_at: now.timestamp_micros(),
                deleted_at: record.removed.then(|| now.timestamp_micros()),
                compacted: false,
                record,
            };
            interval.next += 1;
            interval.weight += row.weight();
            interval.gathered.push(row);
        }
        self.make_room().await?;
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        let mut report = Report::default();
        let format = self.settings.format;
        for open in self.streams.values_mut() {
            let Some(mut interval) = open.interval.take() else {
                continue;
            };
            let finish = async {
                interval.encode(&mut self.background).await?;
                let encoder = interval.file.take().await?;
                let finished = self.background.begin(move || encoder.finish())?;
                finished.wait().await
            };
            let Encoded {
                bytes,
                rows,
                rejected,
                table,
            } = finish
                .await
                .map_err(|error| error.with("stream", open.stream.name()))?;
            open.table = Some(table);
            report.rejected.extend(rejected);
            let id = interval.id;
            if rows > 0 {
                let file = DataFile {
                    id: id.clone(),
                    compaction: None,
                    format,
                };
                let path = format!("{}/{}", open.folder, file.relative());
                publish(&self.place, &path, bytes, None)
                    .await
                    .map_err(|error| error.with("path", path))?;
            }
            open.newest = Some(id);
        }
        Ok(report)
    }

    async fn abort(&mut self) {
        for open in self.streams.values_mut() {
            if let Some(mut interval) = open.interval.take()
                && let Ok(encoder) = interval.file.take().await
            {
                open.table = Some(encoder.into_table());
            }
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
