//! Reading back what the files of a stream say.

use std::collections::HashMap;
use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::table::column_name;
use sync_core::{Key, Readback, Result, Stream, fingerprint};

use crate::error::from_io;
use crate::newest::{Partitions, deal_out, partition_of};
use crate::place::Place;
use crate::row::{Rows, Scratch};
use crate::settings::FileSettings;
use crate::sink::blocking;
use crate::snapshot::snapshot;

/// Always the same, so that the order of the keys is.
const PARTITIONS: usize = 64;

/// Reads back what a [`FileSink`](crate::FileSink) wrote: the files that count when a stream is first asked about. What is
/// written later it does not see.
///
/// Each file of the stream is read once, then some 50 bytes for each key are in memory. Lines of JSON keep a record's bytes
/// but for line breaks, which become spaces.
pub struct FileReadback {
    place: Place,
    settings: FileSettings,
    streams: HashMap<String, Index>,
}

/// The fingerprint of each key that is there, sorted by partition, then by key.
#[derive(Default)]
struct Index {
    /// All keys, one after the other.
    text: Vec<u8>,
    /// Where each key ends in `text`.
    ends: Vec<usize>,
    fingerprints: Vec<u64>,
}

impl FileReadback {
    /// A reader of a place. Of the settings it takes memory and scratch directory.
    pub fn new(place: Place, settings: FileSettings) -> Self {
        Self {
            place,
            settings,
            streams: HashMap::new(),
        }
    }

    async fn index(&mut self, stream: &Stream) -> Result<&Index> {
        let folder = column_name([&**stream.name()]);
        if !self.streams.contains_key(&folder) {
            let index = self.read(&folder).await?;
            self.streams.insert(folder.clone(), index);
        }
        Ok(self.streams.entry(folder).or_default())
    }

    async fn read(&self, folder: &str) -> Result<Index> {
        let snapshot = snapshot(&self.place, folder).await?;
        let memory = self.settings.memory;
        let scratch = Scratch::of(&self.settings);
        let mut partitions = Partitions::new(folder, PARTITIONS, memory, &scratch);
        partitions.reduce(|row| {
            let fingerprint = fingerprint(&row.record.data).to_le_bytes();
            row.record.data = Bytes::copy_from_slice(&fingerprint);
        });
        let (mut partitions, _) = deal_out(&self.place, folder, &snapshot, partitions).await?;
        blocking(move || {
            let mut index = Index::default();
            let read = partitions.groups::<io::Error>(memory, |rows| {
                for row in rows.iter().filter(|row| row.deleted_at.is_none()) {
                    index
                        .text
                        .extend_from_slice(row.record.key.as_str().as_bytes());
                    index.ends.push(index.text.len());
                    let fingerprint = row.record.data[..].try_into().unwrap_or_default();
                    index.fingerprints.push(u64::from_le_bytes(fingerprint));
                }
                Ok(())
            });
            read.map_err(|error| from_io("read back", &error))?;
            Ok(index)
        })
        .await
    }
}

impl Index {
    fn key(&self, place: usize) -> &str {
        let end = self.ends.get(place).copied().unwrap_or_default();
        let start = match place.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or_default(),
            None => 0,
        };
        let text = self.text.get(start..end).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Where the key is, or where it would be.
    fn find(&self, key: &Key) -> std::result::Result<usize, usize> {
        let wanted = (partition_of(key, PARTITIONS), key.as_str());
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            let found = self.key(middle);
            let found = (partition_of(&Key::new(found), PARTITIONS), found);
            match found.cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }
}

#[async_trait]
impl Readback for FileReadback {
    async fn fingerprints(&mut self, stream: &Stream, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        let index = self.index(stream).await?;
        let found = keys.iter().map(|key| {
            let place = index.find(key).ok()?;
            index.fingerprints.get(place).copied()
        });
        Ok(found.collect())
    }

    async fn keys(
        &mut self,
        stream: &Stream,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        let index = self.index(stream).await?;
        let start = after.map_or(0, |after| match index.find(after) {
            Ok(place) => place + 1,
            Err(place) => place,
        });
        let places = start..index.ends.len();
        Ok(places
            .take(limit)
            .map(|place| Key::new(index.key(place)))
            .collect())
    }
}

impl fmt::Debug for FileReadback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReadback")
            .field("place", &self.place)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}
