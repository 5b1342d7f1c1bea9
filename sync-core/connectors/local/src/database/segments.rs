//! Sorted entries in segments: what the ledger and the marks of a search for removals are kept in.
//!
//! Keys are digests, so the changes of one commit lie all over a tree of keys: written in place, nearly every page of it
//! would change with each commit, and a first load would cost the square of its size. Instead each commit appends its
//! changes as one sorted *segment*, and a few segments of like size are merged into one that is [`FAN`] times as large
//! (a log-structured merge). An entry is written once for each such step: about four times for a million of them.
//!
//! Once there are enough of them, entries are spread over [*parts*](part) of the keys, each with segments of its own: one
//! merge then takes a small share of a large ledger, and the parts come to it one after the other. Of the whole, five million
//! entries were merged at once, and everything that was read meanwhile had to wait in memory.
//!
//! A segment is a row in `segments` and a run of *blocks*, each a row of about one page in `blocks`. What a look-up needs to
//! find the one block that may hold a key is in memory: where the blocks start, and a [`Filter`] of the keys, which
//! together take about 1.3 bytes an entry. Of several segments that hold a key the newest counts. All of it
//! changes in the transaction of the commit, so there is nothing to repair after a crash.

mod block;
mod filter;
mod part;
mod walk;
mod writer;

use rusqlite::{CachedStatement, Connection};

pub(super) use self::block::{Entry, Value};
use self::block::{Starts, find_in};
use self::filter::Filter;
use self::part::{PARTS, part_of};
pub(super) use self::walk::Walk;
use self::writer::Spread;
pub(super) use self::writer::{Place, Writer};
use super::damaged;

/// So many segments of like size become one.
const FAN: usize = 4;

/// Segments with fewer entries are equally small.
const SMALL: u64 = 1000;

/// So many entries are spread over the parts.
const ENOUGH_TO_SPREAD: u64 = 16_000;

/// Bits of a block's number that count blocks within their segment.
const BLOCK_BITS: u32 = 24;

/// The tables of a place for segments. `starts` and the filters are there to be kept in memory.
pub(super) fn tables(schema: &str) -> String {
    format!(
        "CREATE TABLE {schema}.segments (
            id INTEGER PRIMARY KEY,
            -- The number of the scope; of a segment that holds one part of the keys, that and 2^32 times the part's, from 1 on.
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
    /// Of keys of all parts, the oldest first. All are newer than those of the parts.
    mixed: Vec<Segment>,
    /// Of the keys of each part, the oldest first.
    parts: [Vec<Segment>; PARTS],
    /// How many entries are worth spreading over the parts.
    enough: u64,
}

/// The numbers the rows of a segment may have: from the first on, below the second.
fn rows_of(segment: i64) -> [i64; 2] {
    [segment << BLOCK_BITS, (segment + 1) << BLOCK_BITS]
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

    /// Adds to each part about how many entries of it there are, as if all took the same place.
    fn add_to(&self, room: &mut [u64; PARTS]) {
        let blocks = self.blocks.cast_unsigned().max(1);
        let mut starting = [1; PARTS];
        for start in self.starts.iter() {
            starting[part_of(start)] += 1;
        }
        for (room, starting) in room.iter_mut().zip(starting) {
            *room += (self.entries * starting).div_ceil(blocks).min(self.entries);
        }
    }

    /// Removes all but its blocks.
    fn delete(&self, connection: &Connection, schema: &str) -> rusqlite::Result<()> {
        connection
            .prepare_cached(&format!("DELETE FROM {schema}.segments WHERE id = ?1"))?
            .execute([self.id])?;
        let sql = format!("DELETE FROM {schema}.filters WHERE id >= ?1 AND id < ?2");
        connection.prepare_cached(&sql)?.execute(rows_of(self.id))?;
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
        let mut tree = Self {
            schema,
            scope,
            mixed: Vec::new(),
            parts: std::array::from_fn(|_| Vec::new()),
            enough: ENOUGH_TO_SPREAD,
        };
        let sql = format!(
            "SELECT id, blocks, entries, starts, scope FROM {schema}.segments
             WHERE scope & 0xffffffff = ?1 ORDER BY id"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query([scope])?;
        while let Some(row) = rows.next()? {
            let starts = Starts::decode(row.get(3)?);
            let segment = Segment {
                id: row.get(0)?,
                blocks: row.get(1)?,
                entries: row.get::<_, i64>(2)?.cast_unsigned(),
                starts: starts.ok_or_else(|| damaged(3, "not a list of keys"))?,
                filter: read_filter(connection, schema, row.get(0)?)?,
            };
            let list = match Place::of_number(row.get(4)?).part {
                None => Some(&mut tree.mixed),
                Some(part) => tree.parts.get_mut(part),
            };
            list.ok_or_else(|| damaged(4, "not a part"))?.push(segment);
        }
        Ok(tree)
    }

    /// Where a segment of this part belongs, or of all of them.
    fn place(&self, part: Option<usize>) -> Place {
        Place {
            scope: self.scope,
            part,
        }
    }

    fn has_parts(&self) -> bool {
        self.parts.iter().any(|part| !part.is_empty())
    }

    /// Looks up `keys`, which are sorted, and calls `found` with the place of each one that has an entry.
    pub(super) fn get(
        &self,
        connection: &Connection,
        keys: &[&[u8]],
        mut found: impl FnMut(usize, Value<'_>),
    ) -> rusqlite::Result<()> {
        if self.mixed.is_empty() && !self.has_parts() {
            return Ok(());
        }
        let mut blocks = Blocks::of(connection, self.schema)?;
        let open: Vec<(usize, u64)> = keys
            .iter()
            .enumerate()
            .map(|(place, key)| (place, filter::hash(key)))
            .collect();
        let open = blocks.look_up(&self.mixed, keys, open, &mut found)?;
        for group in open.chunk_by(|(a, _), (b, _)| part_of(keys[*a]) == part_of(keys[*b])) {
            let part = &self.parts[part_of(keys[group[0].0])];
            blocks.look_up(part, keys, group.to_vec(), &mut found)?;
        }
        Ok(())
    }

    /// All entries in the order of their keys, from the first one after `after`.
    pub(super) fn walk<'c>(
        &self,
        connection: &'c Connection,
        after: Option<&[u8]>,
    ) -> rusqlite::Result<Walk<'c>> {
        Walk::over(connection, self.schema, &self.mixed, &self.parts, after)
    }

    /// How many entries there are.
    pub(super) fn len(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let count = |mut entries: Walk<'_>| {
            let mut count = 0;
            while let Some(entry) = entries.next()? {
                count += u64::from(entry.value.is_some());
            }
            Ok(count)
        };
        // The oldest segment of a part, or of all, holds no removals: see `merge`.
        match &self.mixed[..] {
            [only] if !self.has_parts() => Ok(only.entries),
            [] => self
                .parts
                .iter()
                .map(|part| match &part[..] {
                    [] => Ok(0),
                    [only] => Ok(only.entries),
                    several => count(Walk::over(connection, self.schema, several, &[], None)?),
                })
                .sum(),
            _ => count(self.walk(connection, None)?),
        }
    }

    /// Adds changes, sorted by key and one for each, as the newest.
    pub(super) fn append<'e>(
        &mut self,
        connection: &Connection,
        changes: impl ExactSizeIterator<Item = Entry<'e>> + Clone,
    ) -> rusqlite::Result<()> {
        if self.mixed.is_empty() && changes.len() as u64 >= self.enough {
            let mut room = [0; PARTS];
            for change in changes.clone() {
                room[part_of(change.key)] += 1;
            }
            let mut spread = self.spreading(connection, &room);
            for change in changes {
                spread.push(&change)?;
            }
            return self.take(connection, spread);
        }
        let mut writer = Writer::new(connection, self.schema, changes.len() as u64)?;
        let hides = !self.mixed.is_empty() || self.has_parts();
        for change in changes {
            if change.value.is_some() || hides {
                writer.push(&change)?;
            }
        }
        self.mixed.extend(writer.finish(self.place(None))?);
        let entries: u64 = self.mixed.iter().map(|segment| segment.entries).sum();
        if entries >= self.enough {
            return self.spread_mixed(connection);
        }
        let from = first_to_merge(SMALL, self.mixed.iter().map(|segment| segment.entries));
        self.merge(connection, None, from, |_| {})
    }

    /// Makes one segment of those of a part from this place on, or of the mixed ones, whose entries pass through `change`.
    fn merge(
        &mut self,
        connection: &Connection,
        part: Option<usize>,
        from: usize,
        change: impl Fn(&mut Entry<'_>),
    ) -> rusqlite::Result<()> {
        let place = self.place(part);
        let hides = from > 0 || part.is_none() && self.has_parts();
        let list = part.map_or(&mut self.mixed, |part| &mut self.parts[part]);
        let mut merged = list.split_off(from.min(list.len()));
        if merged.is_empty() {
            return Ok(());
        }
        let most = merged.iter().map(|segment| segment.entries).sum();
        let mut entries = consume(connection, self.schema, &mut merged)?;
        let mut writer = Writer::new(connection, self.schema, most)?;
        while let Some(mut entry) = entries.next()? {
            // A removal has nothing older to hide when there is nothing older.
            if entry.value.is_some() || hides {
                change(&mut entry);
                writer.push(&entry)?;
            }
        }
        for segment in &merged {
            segment.delete(connection, self.schema)?;
        }
        list.extend(writer.finish(place)?);
        Ok(())
    }

    fn spreading<'c>(&self, connection: &'c Connection, room: &[u64; PARTS]) -> Spread<'c> {
        let hides = self.parts.each_ref().map(|part| !part.is_empty());
        Spread::new(connection, self.schema, self.scope, room, hides)
    }

    /// Distributes the entries of the mixed segments among the parts.
    fn spread_mixed(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut room = [0; PARTS];
        for segment in &self.mixed {
            segment.add_to(&mut room);
        }
        let mut mixed = std::mem::take(&mut self.mixed);
        let mut entries = consume(connection, self.schema, &mut mixed)?;
        let mut spread = self.spreading(connection, &room);
        while let Some(entry) = entries.next()? {
            spread.push(&entry)?;
        }
        for segment in &mixed {
            segment.delete(connection, self.schema)?;
        }
        self.take(connection, spread)
    }

    /// Takes what was spread as the newest of the parts.
    fn take(&mut self, connection: &Connection, spread: Spread<'_>) -> rusqlite::Result<()> {
        for (part, segment) in spread.finish()? {
            self.parts[part].push(segment);
            let lengths = self.parts[part].iter().map(|segment| segment.entries);
            let from = first_to_merge(part::shortest(part), lengths);
            self.merge(connection, Some(part), from, |_| {})?;
        }
        Ok(())
    }

    /// Sets the fingerprint of each entry to 0.
    pub(super) fn forget_fingerprints(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for part in std::iter::once(None).chain((0..PARTS).map(Some)) {
            self.merge(connection, part, 0, |entry| {
                if let Some(value) = &mut entry.value {
                    value.fingerprint = 0;
                }
            })?;
        }
        Ok(())
    }

    /// Removes everything.
    pub(super) fn clear(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let schema = self.schema;
        let parts = self.parts.iter_mut().flat_map(|part| part.drain(..));
        for segment in self.mixed.drain(..).chain(parts) {
            segment.delete(connection, schema)?;
            connection
                .prepare_cached(&format!(
                    "DELETE FROM {schema}.blocks WHERE id >= ?1 AND id < ?2"
                ))?
                .execute(rows_of(segment.id))?;
        }
        Ok(())
    }
}

/// The entries of segments whose blocks go as they are read.
fn consume<'c>(
    connection: &'c Connection,
    schema: &str,
    segments: &mut [Segment],
) -> rusqlite::Result<Walk<'c>> {
    let entries = Walk::consuming(connection, schema, segments)?;
    // Nothing is looked up in them any more, and what they become takes as much memory again.
    for segment in segments {
        segment.starts = Starts::default();
        segment.filter = Filter::default();
    }
    Ok(entries)
}

fn read_filter(connection: &Connection, schema: &str, segment: i64) -> rusqlite::Result<Filter> {
    let sql = format!("SELECT data FROM {schema}.filters WHERE id >= ?1 AND id < ?2 ORDER BY id");
    let mut select = connection.prepare_cached(&sql)?;
    let mut pieces = select.query(rows_of(segment))?;
    let mut filter = Filter::default();
    while let Some(piece) = pieces.next()? {
        let added = filter.decode_next(piece.get_ref(0)?.as_blob()?);
        added.ok_or_else(|| damaged(0, "not a filter"))?;
    }
    if filter.is_empty() {
        return Err(damaged(0, "a segment without a filter"));
    }
    Ok(filter)
}

/// From which place on segments of these lengths, the oldest first, are to become one; their number if none are.
///
/// Lengths fall into tiers, of which the lowest ends at `shortest` and each other is [`FAN`] times as long as the one below.
/// The newest segments of a tier and those below it become one as soon as that one belongs to a higher tier and what is newer
/// than the oldest of them is a share of it. So an entry is written once for each tier, and no tier has more than about
/// [`FAN`] segments.
///
/// The share is for keys that change over and over: segments of the same keys become one that is no longer than one of them
/// and stays in its tier, and without it the next commit would write all of it again.
fn first_to_merge(shortest: u64, lengths: impl Iterator<Item = u64>) -> usize {
    let mut lengths: Vec<u64> = lengths.collect();
    let mut from = lengths.len();
    // The longest of a tier have one entry less.
    let mut bound = shortest;
    let all: u64 = lengths.iter().sum();
    loop {
        let below = lengths.iter().rposition(|&length| length >= bound);
        let start = below.map_or(0, |below| below + 1);
        let newest = lengths.get(start..).unwrap_or_default();
        let sum: u64 = newest.iter().sum();
        let oldest = newest.first().copied().unwrap_or_default();
        let fills = sum >= bound && (sum - oldest) * FAN as u64 >= oldest;
        let many = bound == shortest && newest.len() >= FAN;
        if newest.len() > 1 && (fills || many) {
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

    /// Looks for keys, of which each comes with its place in `keys` and its hash, from the newest segment to the oldest.
    /// Gives those that none of them knows.
    fn look_up(
        &mut self,
        segments: &[Segment],
        keys: &[&[u8]],
        mut open: Vec<(usize, u64)>,
        found: &mut impl FnMut(usize, Value<'_>),
    ) -> rusqlite::Result<Vec<(usize, u64)>> {
        for segment in segments.iter().rev() {
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
                    let id = segment.first() + number;
                    read_block(&mut self.select, id, &mut self.data)?;
                    loaded = Some(number);
                }
                match find_in(&self.data, key)? {
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
        Ok(open)
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

#[cfg(test)]
mod tests;
