//! Many files into one that has the newest row of each key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sync_core::table::{Table, column_name};
use sync_core::{Clock, ErrorKind, Result, Stream};

use crate::encode::Encoder;
use crate::layout::{DataFile, IntervalId, MANIFESTS, manifest_name};
use crate::newest::{Partitions, deal_out, partitions};
use crate::place::Place;
use crate::row::Scratch;
use crate::settings::FileSettings;
use crate::sink::blocking;
use crate::snapshot::{Manifest, Snapshot, delete, folders, snapshot, write_manifest};
use crate::unfinished::{ago, sweep};
use crate::upload::publish;

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

    /// Compacts one stream. A stream without files is fine. If it declares no fields, those hold that its newest Parquet file
    /// declares.
    ///
    /// # Errors
    /// Whatever the store or the scratch directory says; then the same files count as before.
    pub async fn compact(&self, stream: &Stream) -> Result<Compaction> {
        let declared = Some(stream).filter(|stream| !stream.fields().is_empty());
        self.compact_folder(&column_name([&**stream.name()]), declared)
            .await
    }

    /// Compacts every stream there is, by the fields that their files declare. One that fails holds up no other.
    ///
    /// # Errors
    /// When the streams cannot be listed.
    pub async fn compact_all(&self) -> Result<BTreeMap<String, Result<Compaction>>> {
        let mut done = BTreeMap::new();
        for folder in folders(&self.place).await? {
            let compaction = self.compact_folder(&folder, None).await;
            done.insert(folder, compaction);
        }
        Ok(done)
    }

    async fn compact_folder(&self, folder: &str, declared: Option<&Stream>) -> Result<Compaction> {
        let now = self.clock.now();
        let before = snapshot(&self.place, folder).await?;
        let mut done = Compaction {
            deleted: self.clear_away(folder, &before, now).await?,
            ..Compaction::default()
        };
        if !self.is_worthwhile(&before, now) {
            return Ok(done);
        }
        let (format, memory) = (self.settings.format, self.settings.memory);
        let scratch = Scratch::of(&self.settings);
        let mut partitions = Partitions::new(folder, partitions(&before, memory), memory, &scratch);
        partitions.drop_removals_before(ago(now, self.settings.keep_removals));
        let (partitions, shape) = deal_out(&self.place, folder, &before, partitions).await?;
        let stream = declared.cloned().unwrap_or(shape.stream);
        let (partitions, encoded) = blocking(move || {
            let mut partitions = partitions;
            let (table, _) = Table::adopt(&stream, shape.columns);
            let mut file = Encoder::new(format, Arc::new(stream), table, scratch);
            file.push_all(&mut partitions, memory)?;
            Ok((partitions, file.finish()?))
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
            let ours =
                |date: &str, name: &str| DataFile::parse(&format!("{date}/{name}")).is_some();
            deleted += sweep(directory.join(folder), ours, now).await?;
        }
        Ok(deleted)
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
