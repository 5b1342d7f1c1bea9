//! Sorted entries in segments: what the ledger and the marks of a search for removals are kept in.
//!
//! Keys are digests, so the changes of one commit lie all over a tree of keys: written in place, nearly every page of it
//! would change with each commit, and a first load would cost the square of its size. Instead each commit appends its
//! changes as one sorted *segment*, and a few segments of like size are merged into one that is [`FAN`] times as large
//! (a log-structured merge). An entry is written once for each such step: about four times for a million of them.
//!
//! A segment is a row in `segments` and a run of *blocks*, each a row of about one page in `blocks`. What a look-up needs to
//! find the one block that may hold a key is in memory: where the blocks start, and a [`Filter`] of the keys, which
//! together take about 1.5 bytes an entry. Of several segments that hold a key the newest counts. All of it
//! changes in the transaction of the commit, so there is nothing to repair after a crash.

mod block;
mod filter;
mod walk;

use rusqlite::{CachedStatement, Connection, params};

pub(super) use self::block::{Entry, Value};
use self::block::{Starts, find_in};
use self::filter::Filter;
pub(super) use self::walk::Walk;
use super::damaged;

/// So many segments of like size become one.
const FAN: usize = 4;

/// Segments with fewer entries are equally small.
const SMALL: u64 = 1000;

/// Bits of a block's number that count blocks within their segment.
const BLOCK_BITS: u32 = 24;

/// The tables of a place for segments. `starts` and the filters are there to be kept in memory.
pub(super) fn tables(schema: &str) -> String {
    format!(
        "CREATE TABLE {schema}.segments (
            id INTEGER PRIMARY KEY,
            scope INTEGER NOT NULL,
            blocks INTEGER NOT NULL,
            entries INTEGER NOT NULL,
            starts BLOB NOT NULL
        );
        -- The number of a block, or of a piece of a filter, is that of its segment and its place in it.
        CREATE TABLE {schema}.blocks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
        CREATE TABLE {schema}.filters (id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    )
}

/// The segments of one scope, as they are stored.
#[derive(Debug)]
pub(super) struct Tree {
    schema: &'static str,
    scope: i64,
    /// The oldest first.
    segments: Vec<Segment>,
}

/// Where entries are, and which.
#[derive(Debug)]
pub(super) struct Segment {
    id: i64,
    blocks: i64,
    entries: u64,
    starts: Starts,
    filter: Filter,
}

impl Segment {
    /// The number of its first block.
    fn first(&self) -> i64 {
        self.id << BLOCK_BITS
    }

    /// The numbers its rows may have: from the first on, below the second.
    fn rows(&self) -> [i64; 2] {
        [self.first(), (self.id + 1) << BLOCK_BITS]
    }

    /// Removes all but its blocks.
    fn delete(&self, connection: &Connection, schema: &str) -> rusqlite::Result<()> {
        connection
            .prepare_cached(&format!("DELETE FROM {schema}.segments WHERE id = ?1"))?
            .execute([self.id])?;
        let sql = format!("DELETE FROM {schema}.filters WHERE id >= ?1 AND id < ?2");
        connection.prepare_cached(&sql)?.execute(self.rows())?;
        Ok(())
    }
}

impl Tree {
    /// Reads what is stored of a scope.
    pub(super) fn load(
        connection: &Connection,
        schema: &'static str,
        scope: i64,
    ) -> rusqlite::Result<Self> {
        let sql = format!(
            "SELECT id, blocks, entries, starts FROM {schema}.segments WHERE scope = ?1 ORDER BY id"
        );
        let mut segments = connection
            .prepare_cached(&sql)?
            .query_map([scope], |row| {
                let starts = Starts::decode(row.get(3)?);
                Ok(Segment {
                    id: row.get(0)?,
                    blocks: row.get(1)?,
                    entries: row.get::<_, i64>(2)?.cast_unsigned(),
                    starts: starts.ok_or_else(|| damaged(3, "not a list of keys"))?,
                    filter: Filter::default(),
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let sql =
            format!("SELECT data FROM {schema}.filters WHERE id >= ?1 AND id < ?2 ORDER BY id");
        let mut select = connection.prepare_cached(&sql)?;
        for segment in &mut segments {
            let mut pieces = select.query(segment.rows())?;
            while let Some(piece) = pieces.next()? {
                let added = segment.filter.decode_next(piece.get_ref(0)?.as_blob()?);
                added.ok_or_else(|| damaged(0, "not a filter"))?;
            }
            if segment.filter.is_empty() {
                return Err(damaged(0, "a segment without a filter"));
            }
        }
        Ok(Self {
            schema,
            scope,
            segments,
        })
    }

    /// Looks up `keys`, which are sorted, and calls `found` with the place of each one that has an entry.
    pub(super) fn get(
        &self,
        connection: &Connection,
        keys: &[&[u8]],
        mut found: impl FnMut(usize, Value<'_>),
    ) -> rusqlite::Result<()> {
        if self.segments.is_empty() {
            return Ok(());
        }
        let mut blocks = Blocks::of(connection, self.schema)?;
        let mut open: Vec<(usize, u64)> = keys
            .iter()
            .enumerate()
            .map(|(place, key)| (place, filter::hash(key)))
            .collect();
        for segment in self.segments.iter().rev() {
            let mut loaded = None;
            let mut missing = Vec::with_capacity(open.len());
            for (place, hash) in open {
                let key = keys[place];
                let may_hold = segment.filter.may_hold(hash);
                let Some(number) = may_hold.then(|| segment.starts.block_of(key)).flatten() else {
                    missing.push((place, hash));
                    continue;
                };
                if loaded != Some(number) {
                    blocks.load(segment, number)?;
                    loaded = Some(number);
                }
                match find_in(&blocks.data, key)? {
                    None => missing.push((place, hash)),
                    Some(entry) => {
                        if let Some(value) = entry.value {
                            found(place, value);
                        }
                    }
                }
            }
            open = missing;
        }
        Ok(())
    }

    /// All entries in the order of their keys, from the first one after `after`.
    pub(super) fn walk<'c>(
        &self,
        connection: &'c Connection,
        after: Option<&[u8]>,
    ) -> rusqlite::Result<Walk<'c>> {
        Walk::over(connection, self.schema, &self.segments, after)
    }

    /// How many entries there are.
    pub(super) fn len(&self, connection: &Connection) -> rusqlite::Result<u64> {
        if let [] | [_] = self.segments[..] {
            // The oldest segment holds no removals: see `merge`.
            return Ok(self.segments.first().map_or(0, |only| only.entries));
        }
        let mut entries = self.walk(connection, None)?;
        let mut count = 0;
        while let Some(entry) = entries.next()? {
            count += u64::from(entry.value.is_some());
        }
        Ok(count)
    }

    /// Adds changes, sorted by key and one for each, as the newest.
    pub(super) fn append<'e>(
        &mut self,
        connection: &Connection,
        changes: impl ExactSizeIterator<Item = Entry<'e>>,
    ) -> rusqlite::Result<()> {
        let mut writer = Writer::new(connection, self.schema, changes.len() as u64)?;
        for change in changes {
            if change.value.is_some() || !self.segments.is_empty() {
                writer.push(&change)?;
            }
        }
        self.segments.extend(writer.finish(self.scope)?);
        let from = first_to_merge(self.segments.iter().map(|segment| segment.entries));
        self.merge(connection, from, |_| {})
    }

    /// Makes one segment of those from this place on, whose entries pass through `change`.
    fn merge(
        &mut self,
        connection: &Connection,
        from: usize,
        change: impl Fn(&mut Entry<'_>),
    ) -> rusqlite::Result<()> {
        let mut merged = self.segments.split_off(from.min(self.segments.len()));
        if merged.is_empty() {
            return Ok(());
        }
        let most = merged.iter().map(|segment| segment.entries).sum();
        let mut entries = Walk::consuming(connection, self.schema, &merged)?;
        // Nothing is looked up in them any more, and the new segment takes as much memory again.
        for segment in &mut merged {
            segment.starts = Starts::default();
            segment.filter = Filter::default();
        }
        let mut writer = Writer::new(connection, self.schema, most)?;
        while let Some(mut entry) = entries.next()? {
            // A removal has nothing older to hide when there is nothing older.
            if entry.value.is_some() || from > 0 {
                change(&mut entry);
                writer.push(&entry)?;
            }
        }
        for segment in &merged {
            segment.delete(connection, self.schema)?;
        }
        self.segments.extend(writer.finish(self.scope)?);
        Ok(())
    }

    /// Sets the fingerprint of each entry to 0.
    pub(super) fn forget_fingerprints(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.merge(connection, 0, |entry| {
            if let Some(value) = &mut entry.value {
                value.fingerprint = 0;
            }
        })
    }

    /// Removes everything.
    pub(super) fn clear(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let schema = self.schema;
        for segment in self.segments.drain(..) {
            segment.delete(connection, schema)?;
            connection
                .prepare_cached(&format!(
                    "DELETE FROM {schema}.blocks WHERE id >= ?1 AND id < ?2"
                ))?
                .execute(segment.rows())?;
        }
        Ok(())
    }
}

/// From which place on segments of these lengths, the oldest first, are to become one; their number if none are.
///
/// Lengths fall into tiers, each [`FAN`] times as long as the one below. The newest segments of a tier and those below it
/// become one as soon as that one belongs to a higher tier. So an entry is written once for each tier, and no tier has
/// more than [`FAN`] segments.
fn first_to_merge(lengths: impl Iterator<Item = u64>) -> usize {
    let mut lengths: Vec<u64> = lengths.collect();
    let mut from = lengths.len();
    // The longest of a tier have one entry less.
    let mut bound = SMALL;
    let all: u64 = lengths.iter().sum();
    loop {
        let below = lengths.iter().rposition(|&length| length >= bound);
        let start = below.map_or(0, |below| below + 1);
        let newest = lengths.get(start..).unwrap_or_default();
        let sum = newest.iter().sum();
        let many = bound == SMALL && newest.len() >= FAN;
        if newest.len() > 1 && (sum >= bound || many) {
            lengths.truncate(start);
            lengths.push(sum);
            from = start;
        }
        if bound > all {
            return from;
        }
        bound *= FAN as u64;
    }
}

/// Reads blocks, one at a time.
struct Blocks<'c> {
    select: CachedStatement<'c>,
    data: Vec<u8>,
}

impl<'c> Blocks<'c> {
    fn of(connection: &'c Connection, schema: &str) -> rusqlite::Result<Self> {
        let sql = format!("SELECT data FROM {schema}.blocks WHERE id = ?1");
        Ok(Self {
            select: connection.prepare_cached(&sql)?,
            data: Vec::new(),
        })
    }

    fn load(&mut self, segment: &Segment, number: i64) -> rusqlite::Result<()> {
        read_block(&mut self.select, segment.first() + number, &mut self.data)
    }
}

fn read_block(
    select: &mut CachedStatement<'_>,
    id: i64,
    data: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    data.clear();
    select.query_row([id], |row| {
        data.extend_from_slice(row.get_ref(0)?.as_blob()?);
        Ok(())
    })
}

/// Writes one segment.
pub(super) struct Writer<'c> {
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
    pub(super) fn new(
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
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> rusqlite::Result<()> {
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

    /// Completes the newest segment of a scope; `None` if it would be empty.
    pub(super) fn finish(mut self, scope: i64) -> rusqlite::Result<Option<Segment>> {
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
            scope,
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
        Ok(Some(Segment {
            id: self.id,
            blocks: self.blocks,
            entries: self.entries,
            starts: self.starts,
            filter: self.filter,
        }))
    }
}

#[cfg(test)]
mod tests;
