//! Several segments as one sorted list.

use std::ops::Range;

use rusqlite::{CachedStatement, Connection};

use super::block::width_of_length;
use super::{Entry, Segment, read_block};

/// Entries of several segments in the order of their keys, one for each key: the newest.
pub(in crate::database) struct Walk<'c> {
    /// The newest first.
    segments: Vec<Reader>,
    select: CachedStatement<'c>,
    /// Removes each block that was read.
    delete: Option<CachedStatement<'c>>,
    /// Of the segments, the one whose entry was given last.
    given: Option<usize>,
}

/// One segment, at one of its entries.
struct Reader {
    /// Blocks not read yet.
    blocks: Range<i64>,
    block: Vec<u8>,
    /// The entry in the block; its key within it.
    entry: Range<usize>,
    key: Range<usize>,
}

impl Reader {
    fn key(&self) -> &[u8] {
        self.block.get(self.key.clone()).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.entry.is_empty()
    }

    /// Goes to the next entry.
    fn step(
        &mut self,
        select: &mut CachedStatement<'_>,
        delete: Option<&mut CachedStatement<'_>>,
    ) -> rusqlite::Result<()> {
        if self.entry.end == self.block.len() {
            self.entry = 0..0;
            self.block.clear();
            let Some(id) = self.blocks.next() else {
                return Ok(());
            };
            read_block(select, id, &mut self.block)?;
            if let Some(delete) = delete {
                delete.execute([id])?;
            }
        }
        let start = self.entry.end;
        let bytes = self.block.get(start..).unwrap_or_default();
        let (entry, rest) = Entry::decode(bytes)?;
        let key = start + width_of_length(entry.key.len());
        self.key = key..key + entry.key.len();
        self.entry = start..self.block.len() - rest.len();
        Ok(())
    }
}

impl<'c> Walk<'c> {
    /// Over these segments, the oldest first, behind a key.
    pub(super) fn over(
        connection: &'c Connection,
        schema: &str,
        segments: &[Segment],
        after: Option<&[u8]>,
    ) -> rusqlite::Result<Self> {
        let mut walk = Self::new(connection, schema, segments, after, false)?;
        if let Some(after) = after {
            for reader in &mut walk.segments {
                while !reader.is_at_end() && reader.key() <= after {
                    reader.step(&mut walk.select, None)?;
                }
            }
        }
        Ok(walk)
    }

    /// The same from the start, removing the blocks.
    pub(super) fn consuming(
        connection: &'c Connection,
        schema: &str,
        segments: &[Segment],
    ) -> rusqlite::Result<Self> {
        Self::new(connection, schema, segments, None, true)
    }

    fn new(
        connection: &'c Connection,
        schema: &str,
        segments: &[Segment],
        after: Option<&[u8]>,
        consume: bool,
    ) -> rusqlite::Result<Self> {
        let select = format!("SELECT data FROM {schema}.blocks WHERE id = ?1");
        let mut select = connection.prepare_cached(&select)?;
        let delete = format!("DELETE FROM {schema}.blocks WHERE id = ?1");
        let mut delete = consume
            .then(|| connection.prepare_cached(&delete))
            .transpose()?;
        let mut readers = Vec::with_capacity(segments.len());
        for segment in segments.iter().rev() {
            let start = after.and_then(|after| segment.starts.block_of(after));
            let first = segment.first();
            let mut reader = Reader {
                blocks: first + start.unwrap_or_default()..first + segment.blocks,
                block: Vec::new(),
                entry: 0..0,
                key: 0..0,
            };
            reader.step(&mut select, delete.as_mut())?;
            readers.push(reader);
        }
        Ok(Self {
            segments: readers,
            select,
            delete,
            given: None,
        })
    }

    /// The next entry, removals included.
    pub(in crate::database) fn next(&mut self) -> rusqlite::Result<Option<Entry<'_>>> {
        if let Some(given) = self.given.take() {
            // Those before it are newer and were behind its key.
            let (before, behind) = self.segments.split_at_mut(given + 1);
            let Some(last) = before.last_mut() else {
                return Ok(None);
            };
            for other in behind {
                if !other.is_at_end() && other.key() == last.key() {
                    other.step(&mut self.select, self.delete.as_mut())?;
                }
            }
            last.step(&mut self.select, self.delete.as_mut())?;
        }
        let mut least: Option<(usize, &Reader)> = None;
        for (place, reader) in self.segments.iter().enumerate() {
            if !reader.is_at_end() && least.is_none_or(|(_, least)| reader.key() < least.key()) {
                least = Some((place, reader));
            }
        }
        let Some((place, reader)) = least else {
            return Ok(None);
        };
        self.given = Some(place);
        let bytes = reader.block.get(reader.entry.clone()).unwrap_or_default();
        Entry::decode(bytes).map(|(entry, _)| Some(entry))
    }
}
