//! Several segments as one sorted list.

use std::ops::Range;

use rusqlite::{CachedStatement, Connection};

use super::block::width_of_length;
use super::part::part_of;
use super::{Entry, Segment, read_block};

/// Entries of several segments in the order of their keys, one for each key: the newest.
pub(in crate::database) struct Walk<'c> {
    /// The newest first: the mixed ones, then those of one part.
    segments: Vec<Reader>,
    /// How many of them are mixed.
    mixed: usize,
    /// Parts that come later and the blocks of their segments, the newest first. The next part is the last.
    later: Vec<(usize, Vec<Range<i64>>)>,
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
    /// Over these segments, the oldest first, behind a key. Those of parts are older than the mixed ones.
    pub(super) fn over(
        connection: &'c Connection,
        schema: &str,
        mixed: &[Segment],
        parts: &[Vec<Segment>],
        after: Option<&[u8]>,
    ) -> rusqlite::Result<Self> {
        let mut walk = Self::new(connection, schema, mixed, after, false)?;
        let first = after.map_or(0, part_of);
        let later = parts.iter().enumerate().skip(first);
        let later = later.filter(|(_, segments)| !segments.is_empty()).rev();
        walk.later = later
            .map(|(part, segments)| {
                let after = after.filter(|_| part == first);
                let blocks = segments.iter().rev().map(|one| blocks_from(one, after));
                (part, blocks.collect())
            })
            .collect();
        if let Some(after) = after {
            if walk.later.last().is_some_and(|(part, _)| *part == first) {
                walk.open_next_part()?;
            }
            for reader in &mut walk.segments {
                while !reader.is_at_end() && reader.key() <= after {
                    reader.step(&mut walk.select, None)?;
                }
            }
        }
        Ok(walk)
    }

    /// Over these segments from the start, removing the blocks.
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
        let select = connection.prepare_cached(&select)?;
        let delete = format!("DELETE FROM {schema}.blocks WHERE id = ?1");
        let delete = consume
            .then(|| connection.prepare_cached(&delete))
            .transpose()?;
        let mut walk = Self {
            segments: Vec::with_capacity(segments.len()),
            mixed: segments.len(),
            later: Vec::new(),
            select,
            delete,
            given: None,
        };
        for segment in segments.iter().rev() {
            walk.open(blocks_from(segment, after))?;
        }
        Ok(walk)
    }

    fn open(&mut self, blocks: Range<i64>) -> rusqlite::Result<()> {
        let mut reader = Reader {
            blocks,
            block: Vec::new(),
            entry: 0..0,
            key: 0..0,
        };
        reader.step(&mut self.select, self.delete.as_mut())?;
        self.segments.push(reader);
        Ok(())
    }

    /// Goes to the next part, when nothing is left of the one before.
    fn open_next_part(&mut self) -> rusqlite::Result<()> {
        self.segments.truncate(self.mixed);
        for blocks in self.later.pop().map_or_else(Vec::new, |(_, blocks)| blocks) {
            self.open(blocks)?;
        }
        Ok(())
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
        let place = loop {
            let least = self.least();
            match (least, self.later.last()) {
                // Mixed segments may already be at keys of a part that is not open yet.
                (Some(place), Some((next, _))) if part_of(self.segments[place].key()) < *next => {
                    break place;
                }
                (_, Some(_)) => self.open_next_part()?,
                (Some(place), None) => break place,
                (None, None) => return Ok(None),
            }
        };
        self.given = Some(place);
        let reader = &self.segments[place];
        let bytes = reader.block.get(reader.entry.clone()).unwrap_or_default();
        Entry::decode(bytes).map(|(entry, _)| Some(entry))
    }

    /// Which segment has the least key, the newest of several.
    fn least(&self) -> Option<usize> {
        let mut least: Option<(usize, &Reader)> = None;
        for (place, reader) in self.segments.iter().enumerate() {
            if !reader.is_at_end() && least.is_none_or(|(_, least)| reader.key() < least.key()) {
                least = Some((place, reader));
            }
        }
        least.map(|(place, _)| place)
    }
}

/// The numbers of a segment's blocks, without those that end before a key.
fn blocks_from(segment: &Segment, after: Option<&[u8]>) -> Range<i64> {
    let start = after.and_then(|after| segment.starts.block_of(after));
    let first = segment.first();
    first + start.unwrap_or_default()..first + segment.blocks
}
