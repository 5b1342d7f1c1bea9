//! Many files into one that has the newest row of each key.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sync_core::table::{Column, Table, column_name};
use sync_core::{Clock, ErrorKind, Key, Result, Stream};
use xxhash_rust::xxh3::xxh3_64;

use crate::encode::{Declared, decode, encode};
use crate::error::from_io;
use crate::layout::{DataFile, IntervalId, MANIFESTS, manifest_name};
use crate::place::Place;
use crate::row::{Row, Rows, Scratch, Spool};
use crate::settings::{Compression, FileSettings, Format};
use crate::sink::blocking;
use crate::snapshot::{Manifest, Snapshot, delete, fetch, folders, snapshot, write_manifest};
use crate::upload::publish;

/// Records are dealt out to this many scratch files at most.
const MOST_PARTITIONS: usize = 256;

/// How much bigger records are than their compressed files. Too small a guess costs memory, too great a one small writes.
const COMPRESSED: u64 = 10;

/// After this time nobody is still writing an unfinished file in a directory.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

/// Compacts the files that a [`FileSink`](crate::FileSink) wrote.
///
/// A compaction reads every file of a stream that counts, keeps the newest row of each key, writes them into one file in the
/// format of the settings, and then publishes a manifest: from that moment the new file counts and the old ones do not.
/// Killed before that, nothing has changed, and the next compaction starts over and clears away what is left; killed after
/// it, the next one deletes the old files. The sink may go on writing meanwhile; of two compactions of one stream at the same
/// time, one gets [`ErrorKind::Conflict`] and has changed nothing.
///
/// The new file has all columns that the old ones have, each as wide as the widest. Rows keep the interval, position and
/// times they had. The row of a removal stays until the removal is older than [`FileSettings::keep_removals`] and a
/// compaction finds it in a compacted file: nothing older about its key is left then, whatever a reader looks at.
///
/// Memory is bounded: records are dealt out by key to as many scratch files as it takes for one of them to fit into
/// [`FileSettings::memory`] (at most 256), and one after the other is sorted and written.
pub struct Compactor {
    place: Place,
    settings: FileSettings,
    clock: Arc<dyn Clock>,
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Files that were replaced by one; 0 if there was nothing to do.
    pub replaced: u64,
    /// Rows in them.
    pub rows_read: u64,
    /// Rows in the file that replaces them.
    pub rows_kept: u64,
    /// Rows of removals, old enough to be dropped.
    pub removals_dropped: u64,
    /// Files deleted that earlier compactions had replaced, or had left unfinished.
    pub deleted: u64,
}

impl Compactor {
    /// A compactor of the streams at a place.
    pub fn new(place: Place, settings: FileSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            place,
            settings,
            clock,
        }
    }

    /// Compacts one stream, by its name. A stream without files is fine.
    ///
    /// # Errors
    /// Whatever the store or the scratch directory says; then the same files count as before.
    pub async fn compact(&self, stream: &str) -> Result<Compaction> {
        self.compact_folder(&column_name([stream])).await
    }

    /// Compacts every stream there is. One that fails holds up no other.
    ///
    /// # Errors
    /// When the streams cannot be listed.
    pub async fn compact_all(&self) -> Result<BTreeMap<String, Result<Compaction>>> {
        let mut done = BTreeMap::new();
        for folder in folders(&self.place).await? {
            let compaction = self.compact_folder(&folder).await;
            done.insert(folder, compaction);
        }
        Ok(done)
    }

    async fn compact_folder(&self, folder: &str) -> Result<Compaction> {
        let now = self.clock.now();
        let before = snapshot(&self.place, folder).await?;
        let mut done = Compaction {
            deleted: self.clear_away(folder, &before, now).await?,
            ..Compaction::default()
        };
        if !self.is_worthwhile(&before, now) {
            return Ok(done);
        }
        let (partitions, shape) = self.deal_out(folder, &before, now).await?;
        let (format, memory) = (self.settings.format, self.settings.memory);
        let scratch = Scratch(self.settings.scratch.clone());
        let (partitions, encoded) = blocking(move || {
            let mut partitions = partitions;
            let (mut table, _) = Table::adopt(&shape.stream, shape.columns);
            let stream = &shape.stream;
            let encoded = encode(
                format,
                stream,
                &mut partitions,
                &mut table,
                memory,
                &scratch,
            )?;
            Ok((partitions, encoded))
        })
        .await?;
        let sequence = before.sequence + 1;
        let newest = before.visible.last().map(|(file, _)| &file.id);
        let file = DataFile {
            id: IntervalId::next(now, newest),
            compaction: Some(sequence),
            format,
        };
        let path = file.relative();
        if encoded.rows > 0 {
            publish(
                &self.place,
                &format!("{folder}/{path}"),
                encoded.bytes,
                None,
            )
            .await?;
        }
        let inputs = || before.visible.iter().map(|(file, _)| file.relative());
        let kept = self.not_yet_deleted(&before, now);
        let manifest = Manifest {
            version: Manifest::VERSION,
            files: if encoded.rows > 0 {
                vec![path.clone()]
            } else {
                Vec::new()
            },
            replaced: kept.chain(inputs().map(|path| (path, now))).collect(),
            oldest_removal: partitions.oldest_removal,
        };
        if let Err(error) = write_manifest(&self.place, folder, sequence, &manifest).await {
            if error.kind() == ErrorKind::Conflict && encoded.rows > 0 {
                // The other one's manifest made our file useless. If it cannot be deleted now, the next compaction does.
                let _ = delete(&self.place, vec![format!("{folder}/{path}")]).await;
            }
            return Err(error);
        }
        if self.settings.keep_replaced.is_zero() {
            let inputs: Vec<_> = inputs().map(|path| format!("{folder}/{path}")).collect();
            delete(&self.place, inputs).await?;
        }
        done.replaced = before.visible.len() as u64;
        done.rows_read = partitions.rows;
        done.rows_kept = encoded.rows;
        done.removals_dropped = partitions.dropped;
        Ok(done)
    }

    /// Whether a compaction would change anything.
    fn is_worthwhile(&self, before: &Snapshot, now: DateTime<Utc>) -> bool {
        let other = |(file, _): &(DataFile, u64)| {
            file.compaction.is_none() || file.format != self.settings.format
        };
        let removal = before
            .manifest
            .as_ref()
            .and_then(|known| known.oldest_removal);
        before.visible.len() > 1
            || before.visible.iter().any(other)
            || removal.is_some_and(|removal| removal <= ago(now, self.settings.keep_removals))
    }

    /// Replaced files whose time has not come.
    fn not_yet_deleted<'s>(
        &self,
        before: &'s Snapshot,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = (String, DateTime<Utc>)> + use<'s> {
        let due = ago(now, self.settings.keep_replaced);
        let replaced = before.replaced.iter();
        replaced
            .filter(move |(_, since)| *since > due)
            .map(|(file, since)| (file.relative(), *since))
    }

    /// Deletes what was replaced long enough ago, oldest replacement first, and what no compaction will ever publish.
    async fn clear_away(&self, folder: &str, before: &Snapshot, now: DateTime<Utc>) -> Result<u64> {
        let due = ago(now, self.settings.keep_replaced);
        let mut by_age: BTreeMap<DateTime<Utc>, Vec<String>> = BTreeMap::new();
        let due = before.replaced.iter().filter(|(_, since)| *since <= due);
        for (file, since) in due {
            let path = format!("{folder}/{}", file.relative());
            by_age.entry(*since).or_default().push(path);
        }
        let mut deleted = 0;
        for (_, paths) in by_age {
            deleted += paths.len() as u64;
            delete(&self.place, paths).await?;
        }
        let orphans = before.orphans.iter().map(DataFile::relative);
        let orphans: Vec<_> = orphans.map(|path| format!("{folder}/{path}")).collect();
        deleted += orphans.len() as u64;
        delete(&self.place, orphans).await?;
        let manifests = before.old_manifests.iter();
        let manifests =
            manifests.map(|old| format!("{folder}/{MANIFESTS}/{}", manifest_name(*old)));
        delete(&self.place, manifests.collect()).await?;
        if let Some(directory) = self.place.directory() {
            deleted += sweep(directory.join(folder), ago(now, UNFINISHED)).await?;
        }
        Ok(deleted)
    }

    /// Reads every file that counts and deals its rows out by key.
    async fn deal_out(
        &self,
        folder: &str,
        before: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<(Partitions, Shape)> {
        let bytes = before.visible.iter().map(|(file, size)| match file.format {
            Format::Jsonl(Compression::None) => *size,
            _ => size.saturating_mul(COMPRESSED),
        });
        let memory = self.settings.memory;
        let count = bytes.sum::<u64>() / (memory as u64).max(1) + 1;
        let count = usize::try_from(count).map_or(MOST_PARTITIONS, |n| n.min(MOST_PARTITIONS));
        let stream = Arc::new(Stream::new(folder));
        let scratch = Scratch(self.settings.scratch.clone());
        let mut partitions = Partitions {
            spools: (0..count).map(|_| Spool::new(stream.clone())).collect(),
            drop_before: ago(now, self.settings.keep_removals).timestamp_micros(),
            rows: 0,
            held: 0,
            dropped: 0,
            oldest_removal: None,
        };
        let mut shape = Shape {
            stream: Stream::new(folder),
            columns: Vec::new(),
        };
        for (file, _) in &before.visible {
            let path = format!("{folder}/{}", file.relative());
            let bytes = fetch(&self.place, &path, &scratch).await?;
            let (format, compacted) = (file.format, file.compaction.is_some());
            let (stream, scratch) = (stream.clone(), scratch.clone());
            let (dealt, declared) = blocking(move || {
                let declared = decode(format, bytes, &path, &stream, |mut row| {
                    row.compacted = compacted;
                    partitions.deal(row, memory, &scratch)
                })?;
                Ok((partitions, declared))
            })
            .await?;
            partitions = dealt;
            shape.learn(declared);
        }
        Ok((partitions, shape))
    }
}

impl fmt::Debug for Compactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compactor")
            .field("place", &self.place)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Deletes what killed processes left in a stream's directory before `due`.
async fn sweep(directory: PathBuf, due: DateTime<Utc>) -> Result<u64> {
    let sweeping = move |directory: PathBuf| -> io::Result<u64> {
        let mut deleted = 0;
        for date in std::fs::read_dir(directory)? {
            let date = date?;
            if !date.file_type()?.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(date.path())? {
                let file = file?;
                let (date, name) = (date.file_name(), file.file_name());
                let unfinished = date
                    .to_str()
                    .zip(name.to_str())
                    .is_some_and(|(date, name)| {
                        name.rsplit_once('#').is_some_and(|(name, _)| {
                            DataFile::parse(&format!("{date}/{name}")).is_some()
                        })
                    });
                if unfinished && DateTime::<Utc>::from(file.metadata()?.modified()?) <= due {
                    std::fs::remove_file(file.path())?;
                    deleted += 1;
                }
            }
        }
        Ok(deleted)
    };
    blocking(move || match sweeping(directory) {
        // No stream, or somebody else sweeps too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        swept => swept.map_err(|error| from_io("delete unfinished file", &error)),
    })
    .await
}

fn ago(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(age)
        .ok()
        .and_then(|age| now.checked_sub_signed(age))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// What the new file's columns must hold.
struct Shape {
    /// With the fields that the newest file declares.
    stream: Stream,
    columns: Vec<Column>,
}

impl Shape {
    fn learn(&mut self, declared: Declared) {
        if let Some(stream) = declared.stream {
            self.stream = stream;
        }
        for column in declared.columns {
            match self
                .columns
                .iter_mut()
                .find(|known| known.name == column.name)
            {
                Some(known) => known.holds = known.holds.widened(column.holds),
                None => self.columns.push(column),
            }
        }
    }
}

/// Rows dealt out by key, so that all rows of a key are in one spool.
struct Partitions {
    spools: Vec<Spool>,
    /// Microseconds since 1970.
    drop_before: i64,
    /// Rows dealt out.
    rows: u64,
    /// Bytes in memory.
    held: usize,
    /// Removals left out when the rows were last given.
    dropped: u64,
    oldest_removal: Option<DateTime<Utc>>,
}

impl Partitions {
    fn deal(&mut self, row: Row, memory: usize, scratch: &Scratch) -> io::Result<()> {
        let hash = xxh3_64(row.record.key.as_str().as_bytes());
        let count = self.spools.len() as u64;
        let place = usize::try_from(hash % count.max(1)).unwrap_or_default();
        if let Some(spool) = self.spools.get_mut(place) {
            self.held += row.weight();
            self.rows += 1;
            spool.push(row);
        }
        if self.held > memory {
            self.held = 0;
            for spool in &mut self.spools {
                spool.spill(scratch)?;
            }
        }
        Ok(())
    }
}

impl Rows for Partitions {
    fn groups<E: From<io::Error>>(
        &mut self,
        limit: usize,
        mut each: impl FnMut(&[Row]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.dropped = 0;
        self.oldest_removal = None;
        for spool in &mut self.spools {
            let mut newest: HashMap<Key, Row> = HashMap::new();
            spool.groups::<io::Error>(limit, |group| {
                for row in group {
                    match newest.get_mut(&row.record.key) {
                        Some(known) if known.order() >= row.order() => {}
                        Some(known) => *known = row.clone(),
                        None => {
                            newest.insert(row.record.key.clone(), row.clone());
                        }
                    }
                }
                Ok(())
            })?;
            let mut rows: Vec<Row> = newest.into_values().collect();
            let before = rows.len();
            rows.retain(|row| {
                !(row.compacted && row.deleted_at.is_some_and(|at| at <= self.drop_before))
            });
            self.dropped += (before - rows.len()) as u64;
            let removals = rows.iter().filter_map(|row| row.deleted_at);
            if let Some(oldest) = removals.min().and_then(DateTime::from_timestamp_micros) {
                self.oldest_removal = Some(
                    self.oldest_removal
                        .map_or(oldest, |known| known.min(oldest)),
                );
            }
            rows.sort_unstable_by(|a, b| a.record.key.cmp(&b.record.key));
            let mut spool = Spool::new(spool.stream().clone());
            for row in rows {
                spool.push(row);
            }
            spool.groups(limit, &mut each)?;
        }
        Ok(())
    }
}
