//! A record with what a file says beside it, and a place where many of them wait.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use sync_core::{JsonRecord, Key, Stream};
use tempfile::SpooledTempFile;

use crate::settings::FileSettings;

/// An encoded file up to this size waits in memory until it is published, if so much memory is granted.
const STAGED_IN_MEMORY: usize = 8 << 20;

/// What a row costs in memory beside its record.
const ROW: usize = 256;

/// A record as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Removed without data in the row of a removal; in a compacted file such a row has the record that was removed, which is
    /// not marked as such.
    pub(crate) record: JsonRecord,
    /// The interval it was written in.
    pub(crate) interval: Arc<str>,
    /// Its place in that interval.
    pub(crate) position: u64,
    /// Microseconds since 1970.
    pub(crate) synced_at: i64,
    /// Microseconds since 1970, if it was removed.
    pub(crate) deleted_at: Option<i64>,
    /// Whether it was read from a compacted file.
    pub(crate) compacted: bool,
}

impl Row {
    /// Of several rows with one key, the one with the greatest order is the newest.
    pub(crate) fn order(&self) -> (&str, u64) {
        (&self.interval, self.position)
    }

    pub(crate) fn weight(&self) -> usize {
        self.record.data.len() + self.record.key.as_str().len() + ROW
    }
}

/// Where files without a name are made.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    directory: Option<PathBuf>,
    /// Bytes of an encoded file that wait in memory.
    in_memory: usize,
}

impl Scratch {
    /// In this directory, or in the system's for temporary files.
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            in_memory: STAGED_IN_MEMORY,
        }
    }

    /// Where these settings say, keeping no more than a part of their memory.
    pub(crate) fn of(settings: &FileSettings) -> Self {
        Self {
            directory: settings.scratch.clone(),
            in_memory: STAGED_IN_MEMORY.min(settings.memory),
        }
    }

    /// Bytes that stay in memory as long as they are few.
    pub(crate) fn staged(&self) -> SpooledTempFile {
        match &self.directory {
            Some(directory) => tempfile::spooled_tempfile_in(self.in_memory, directory),
            None => tempfile::spooled_tempfile(self.in_memory),
        }
    }

    /// A file that is gone when it is closed, or when the process is.
    pub(crate) fn file(&self) -> io::Result<File> {
        match &self.directory {
            Some(directory) => tempfile::tempfile_in(directory),
            None => tempfile::tempfile(),
        }
    }
}

/// Rows of one stream in their order: the first ones on disk if there are many, the rest in memory.
#[derive(Debug)]
pub(crate) struct Spool {
    stream: Arc<Stream>,
    memory: Vec<Row>,
    disk: Option<BufWriter<File>>,
}

impl Spool {
    pub(crate) fn new(stream: Arc<Stream>) -> Self {
        Self {
            stream,
            memory: Vec::new(),
            disk: None,
        }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.memory.push(row);
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Moves what is in memory to disk. Blocks.
    pub(crate) fn spill(&mut self, scratch: &Scratch) -> io::Result<()> {
        let disk = match &mut self.disk {
            Some(disk) => disk,
            None => self.disk.insert(BufWriter::new(scratch.file()?)),
        };
        for row in self.memory.drain(..) {
            write_row(disk, &row)?;
        }
        self.memory.shrink_to(0);
        Ok(())
    }
}

/// Rows that can be gone through again and again.
pub(crate) trait Rows {
    /// Gives the rows in their order, in groups of about `limit` bytes. Blocks.
    ///
    /// # Errors
    /// What the disk or `each` says; then the rest is left out.
    fn groups<E: From<io::Error>>(
        &mut self,
        limit: usize,
        each: impl FnMut(&[Row]) -> Result<(), E>,
    ) -> Result<(), E>;
}

impl Rows for Spool {
    fn groups<E: From<io::Error>>(
        &mut self,
        limit: usize,
        mut each: impl FnMut(&[Row]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut group = Vec::new();
        let mut weight = 0;
        if let Some(disk) = &mut self.disk {
            disk.flush()?;
            let file = disk.get_mut();
            file.seek(SeekFrom::Start(0))?;
            let mut reader = BufReader::with_capacity(1 << 16, file);
            while let Some(row) = read_row(&mut reader, &self.stream)? {
                weight += row.weight();
                group.push(row);
                if weight >= limit {
                    each(&group)?;
                    group.clear();
                    weight = 0;
                }
            }
            // Reading ends at the end, so what comes next is appended.
        }
        if group.is_empty() {
            // Nothing is left over from the disk: the rows need not be copied.
            let mut start = 0;
            for (place, row) in self.memory.iter().enumerate() {
                weight += row.weight();
                if weight >= limit {
                    each(&self.memory[start..=place])?;
                    start = place + 1;
                    weight = 0;
                }
            }
            if start < self.memory.len() {
                each(&self.memory[start..])?;
            }
            return Ok(());
        }
        for row in &self.memory {
            weight += row.weight();
            group.push(row.clone());
            if weight >= limit {
                each(&group)?;
                group.clear();
                weight = 0;
            }
        }
        if !group.is_empty() {
            each(&group)?;
        }
        Ok(())
    }
}

fn write_row(to: &mut impl Write, row: &Row) -> io::Result<()> {
    let key = row.record.key.as_str().as_bytes();
    let interval = row.interval.as_bytes();
    let length = |bytes: &[u8]| {
        u32::try_from(bytes.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "more than 4 GiB"))
    };
    to.write_all(&length(key)?.to_le_bytes())?;
    to.write_all(&length(interval)?.to_le_bytes())?;
    to.write_all(&length(&row.record.data)?.to_le_bytes())?;
    to.write_all(&row.position.to_le_bytes())?;
    to.write_all(&row.synced_at.to_le_bytes())?;
    to.write_all(&row.deleted_at.unwrap_or_default().to_le_bytes())?;
    to.write_all(&[u8::from(row.deleted_at.is_some())
        | u8::from(row.record.removed) << 1
        | u8::from(row.compacted) << 2])?;
    to.write_all(key)?;
    to.write_all(interval)?;
    to.write_all(&row.record.data)
}

fn read_row(from: &mut impl Read, stream: &Arc<Stream>) -> io::Result<Option<Row>> {
    let mut first = [0; 4];
    if from.read(&mut first[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut first[1..])?;
    let key = u32::from_le_bytes(first);
    let interval = u32::from_le_bytes(array(from)?);
    let data = u32::from_le_bytes(array(from)?);
    let position = u64::from_le_bytes(array(from)?);
    let synced_at = i64::from_le_bytes(array(from)?);
    let deleted_at = i64::from_le_bytes(array(from)?);
    let [flags] = array(from)?;
    let key = text(from, key)?;
    let interval = text(from, interval)?;
    let mut bytes = vec![0; data as usize];
    from.read_exact(&mut bytes)?;
    Ok(Some(Row {
        record: JsonRecord {
            stream: stream.clone(),
            key: Key::new(key),
            data: Bytes::from(bytes),
            removed: flags & 2 != 0,
        },
        interval: interval.into(),
        position,
        synced_at,
        deleted_at: (flags & 1 != 0).then_some(deleted_at),
        compacted: flags & 4 != 0,
    }))
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(from: &mut impl Read, length: u32) -> io::Result<String> {
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stream: &Arc<Stream>, n: u64) -> Row {
        Row {
            record: JsonRecord {
                stream: stream.clone(),
                key: Key::new(format!("key {n}")),
                data: Bytes::from(format!("{{\"n\":{n}}}")),
                removed: n.is_multiple_of(3),
            },
            interval: "20261121T110445.123Z-0a1b2".into(),
            position: n,
            synced_at: 5,
            deleted_at: n.is_multiple_of(3).then_some(7),
            compacted: n.is_multiple_of(2),
        }
    }

    /// All rows that the groups give, and the sizes of the groups.
    fn all(spool: &mut Spool, limit: usize) -> (Vec<Row>, Vec<usize>) {
        let (mut rows, mut sizes) = (Vec::new(), Vec::new());
        spool
            .groups::<io::Error>(limit, |group| {
                rows.extend_from_slice(group);
                sizes.push(group.len());
                Ok(())
            })
            .expect("the rows come back");
        (rows, sizes)
    }

    #[test]
    fn rows_come_back_in_order_wherever_they_waited() {
        let stream = Arc::new(Stream::new("members"));
        let scratch = Scratch::new(None);
        let wanted: Vec<Row> = (0..100).map(|n| row(&stream, n)).collect();
        for spill_after in [None, Some(0), Some(50), Some(99)] {
            let mut spool = Spool::new(stream.clone());
            for (place, row) in wanted.iter().enumerate() {
                spool.push(row.clone());
                if Some(place) == spill_after {
                    spool.spill(&scratch).expect("a scratch file");
                    assert!(spool.memory.is_empty());
                }
            }
            for _ in 0..2 {
                let (rows, sizes) = all(&mut spool, wanted[0].weight() * 10);
                assert_eq!(rows, wanted);
                assert!(sizes.iter().all(|size| *size <= 11), "{sizes:?}");
            }
            spool.spill(&scratch).expect("a scratch file");
            assert_eq!(all(&mut spool, usize::MAX), (wanted.clone(), vec![100]));
        }
    }
}
