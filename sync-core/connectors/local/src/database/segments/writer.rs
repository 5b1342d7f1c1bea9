//! Sorted entries become segments.

use rusqlite::{CachedStatement, Connection, params};

use super::block::{self, Starts};
use super::filter::{self, Filter};
use super::part::{PARTS, part_of};
use super::{BLOCK_BITS, Entry, Segment};

/// What a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::database) struct Place {
    pub(in crate::database) scope: i64,
    /// `None`: its keys are of any part.
    pub(in crate::database) part: Option<usize>,
}

impl Place {
    /// As it is stored.
    fn number(self) -> i64 {
        let part = self.part.map_or(0, |part| (part as u64 + 1).cast_signed());
        part << 32 | self.scope
    }

    pub(super) fn of_number(number: i64) -> Self {
        Self {
            scope: number & 0xffff_ffff,
            part: usize::try_from((number >> 32) - 1).ok(),
        }
    }
}

/// Writes one segment.
pub(in crate::database) struct Writer<'c> {
    connection: &'c Connection,
    schema: &'static str,
    insert: CachedStatement<'c>,
    id: i64,
    blocks: i64,
    entries: u64,
    block: Vec<u8>,
    starts: Starts,
    filter: Filter,
}

impl<'c> Writer<'c> {
    /// For so many entries at most.
    pub(in crate::database) fn new(
        connection: &'c Connection,
        schema: &'static str,
        most: u64,
    ) -> rusqlite::Result<Self> {
        let sql = format!("SELECT coalesce(max(id), 0) + 1 FROM {schema}.segments");
        let id = connection
            .prepare_cached(&sql)?
            .query_row([], |row| row.get(0))?;
        let sql = format!("INSERT INTO {schema}.blocks (id, data) VALUES (?1, ?2)");
        Ok(Self {
            connection,
            schema,
            insert: connection.prepare_cached(&sql)?,
            id,
            blocks: 0,
            entries: 0,
            block: Vec::with_capacity(2 * block::LENGTH),
            starts: Starts::default(),
            filter: Filter::for_entries(most),
        })
    }

    /// Adds the next entry in the order of keys.
    pub(in crate::database) fn push(&mut self, entry: &Entry<'_>) -> rusqlite::Result<()> {
        let before = self.block.len();
        entry.encode(&mut self.block);
        if before > 0 && self.block.len() > block::LENGTH {
            let next = self.block.split_off(before);
            self.close_block()?;
            self.block.extend_from_slice(&next);
            self.starts.push(entry.key);
        } else if before == 0 {
            self.starts.push(entry.key);
        }
        self.filter.add(filter::hash(entry.key));
        self.entries += 1;
        Ok(())
    }

    fn close_block(&mut self) -> rusqlite::Result<()> {
        let id = (self.id << BLOCK_BITS) + self.blocks;
        self.insert.execute(params![id, self.block])?;
        self.blocks += 1;
        self.block.clear();
        Ok(())
    }

    /// Completes the newest segment of its place; `None` if it would be empty.
    pub(in crate::database) fn finish(mut self, place: Place) -> rusqlite::Result<Option<Segment>> {
        if self.block.is_empty() {
            return Ok(None);
        }
        self.close_block()?;
        let sql = format!(
            "INSERT INTO {}.segments (id, scope, blocks, entries, starts) VALUES (?1, ?2, ?3, ?4, ?5)",
            self.schema
        );
        self.connection.prepare_cached(&sql)?.execute(params![
            self.id,
            place.number(),
            self.blocks,
            self.entries.cast_signed(),
            self.starts.encoded(),
        ])?;
        let sql = format!(
            "INSERT INTO {}.filters (id, data) VALUES (?1, ?2)",
            self.schema
        );
        let mut insert = self.connection.prepare_cached(&sql)?;
        for (id, piece) in (self.id << BLOCK_BITS..).zip(self.filter.encode()) {
            insert.execute(params![id, piece])?;
        }
        self.starts.shrink();
        Ok(Some(Segment {
            id: self.id,
            blocks: self.blocks,
            entries: self.entries,
            starts: self.starts,
            filter: self.filter,
        }))
    }
}

/// Writes one segment for each part of the keys.
pub(super) struct Spread<'c> {
    connection: &'c Connection,
    schema: &'static str,
    scope: i64,
    room: [u64; PARTS],
    hides: [bool; PARTS],
    /// The part that is being written.
    current: Option<(usize, Writer<'c>)>,
    written: Vec<(usize, Segment)>,
}

impl<'c> Spread<'c> {
    /// `room` says how many entries of each part there will be, about; `hides` whether anything older of it is stored.
    pub(super) fn new(
        connection: &'c Connection,
        schema: &'static str,
        scope: i64,
        room: &[u64; PARTS],
        hides: [bool; PARTS],
    ) -> Self {
        Self {
            connection,
            schema,
            scope,
            room: *room,
            hides,
            current: None,
            written: Vec::new(),
        }
    }

    /// Adds the next entry in the order of keys.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> rusqlite::Result<()> {
        let part = part_of(entry.key);
        if entry.value.is_none() && !self.hides[part] {
            return Ok(());
        }
        if let Some((current, writer)) = &mut self.current
            && *current == part
        {
            return writer.push(entry);
        }
        self.close()?;
        let mut writer = Writer::new(self.connection, self.schema, self.room[part])?;
        writer.push(entry)?;
        self.current = Some((part, writer));
        Ok(())
    }

    fn close(&mut self) -> rusqlite::Result<()> {
        if let Some((part, writer)) = self.current.take() {
            let place = Place {
                scope: self.scope,
                part: Some(part),
            };
            let segment = writer.finish(place)?;
            self.written.extend(segment.map(|segment| (part, segment)));
        }
        Ok(())
    }

    /// The segments, each with its part.
    pub(super) fn finish(mut self) -> rusqlite::Result<Vec<(usize, Segment)>> {
        self.close()?;
        Ok(self.written)
    }
}
