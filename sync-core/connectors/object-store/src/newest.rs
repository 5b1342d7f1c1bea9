//! The newest row of each key of a stream, with little memory.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sync_core::table::Column;
use sync_core::{Key, Result, Stream};
use xxhash_rust::xxh3::xxh3_64;

use crate::encode::{Declared, decode};
use crate::place::Place;
use crate::row::{Row, Rows, Scratch, Spool};
use crate::settings::{Compression, Format};
use crate::sink::blocking;
use crate::snapshot::{Snapshot, fetch};

/// Records are dealt out to this many scratch files at most.
const MOST_PARTITIONS: usize = 256;

/// How much bigger records are than their compressed files. Too small a guess costs memory, too great a one small writes.
const COMPRESSED: u64 = 10;

/// How many partitions it takes for one of them to fit into memory.
pub(crate) fn partitions(snapshot: &Snapshot, memory: usize) -> usize {
    let bytes = snapshot
        .visible
        .iter()
        .map(|(file, size)| match file.format {
            Format::Jsonl(Compression::None) => *size,
            _ => size.saturating_mul(COMPRESSED),
        });
    let count = bytes.sum::<u64>() / (memory as u64).max(1) + 1;
    usize::try_from(count).map_or(MOST_PARTITIONS, |count| count.min(MOST_PARTITIONS))
}

/// Reads every file that counts and deals its rows out.
pub(crate) async fn deal_out(
    place: &Place,
    folder: &str,
    snapshot: &Snapshot,
    mut partitions: Partitions,
) -> Result<(Partitions, Shape)> {
    let stream = Arc::new(Stream::new(folder));
    let mut shape = Shape {
        stream: Stream::new(folder),
        columns: Vec::new(),
    };
    for (file, _) in &snapshot.visible {
        let path = format!("{folder}/{}", file.relative());
        let bytes = fetch(place, &path, &partitions.scratch).await?;
        let (format, compacted) = (file.format, file.compaction.is_some());
        let stream = stream.clone();
        let (dealt, declared) = blocking(move || {
            let declared = decode(format, bytes, &path, &stream, |mut row| {
                row.compacted = compacted;
                partitions.deal(row)
            })?;
            Ok((partitions, declared))
        })
        .await?;
        partitions = dealt;
        shape.learn(declared);
    }
    Ok((partitions, shape))
}

/// The columns of all files together.
pub(crate) struct Shape {
    /// With the fields that the newest file declares.
    pub(crate) stream: Stream,
    pub(crate) columns: Vec<Column>,
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

/// Rows dealt out by key, so that all rows of a key are in one spool. What they give is the newest row of each key, spool by
/// spool, sorted by key within each.
pub(crate) struct Partitions {
    spools: Vec<Spool>,
    memory: usize,
    scratch: Scratch,
    /// Bytes in memory.
    held: usize,
    /// Microseconds since 1970.
    drop_before: i64,
    /// What becomes of a record before it is kept.
    reduce: Option<fn(&mut Row)>,
    /// Rows dealt out.
    pub(crate) rows: u64,
    /// Removals left out when the rows were last given.
    pub(crate) dropped: u64,
    /// The oldest of the others.
    pub(crate) oldest_removal: Option<DateTime<Utc>>,
}

impl Partitions {
    pub(crate) fn new(name: &str, count: usize, memory: usize, scratch: &Scratch) -> Self {
        let stream = Arc::new(Stream::new(name));
        Self {
            spools: (0..count).map(|_| Spool::new(stream.clone())).collect(),
            memory,
            scratch: scratch.clone(),
            held: 0,
            drop_before: i64::MIN,
            reduce: None,
            rows: 0,
            dropped: 0,
            oldest_removal: None,
        }
    }

    /// Leaves out removals that are older and were read from a compacted file.
    pub(crate) fn drop_removals_before(&mut self, due: DateTime<Utc>) {
        self.drop_before = due.timestamp_micros();
    }

    /// Changes each row before it is kept.
    pub(crate) fn reduce(&mut self, by: fn(&mut Row)) {
        self.reduce = Some(by);
    }

    fn deal(&mut self, mut row: Row) -> io::Result<()> {
        if let Some(reduce) = self.reduce {
            reduce(&mut row);
        }
        let place = partition_of(&row.record.key, self.spools.len());
        if let Some(spool) = self.spools.get_mut(place) {
            self.held += row.weight();
            self.rows += 1;
            spool.push(row);
        }
        if self.held > self.memory {
            self.held = 0;
            for spool in &mut self.spools {
                spool.spill(&self.scratch)?;
            }
        }
        Ok(())
    }
}

/// Which of so many partitions a key belongs to.
pub(crate) fn partition_of(key: &Key, count: usize) -> usize {
    let hash = xxh3_64(key.as_str().as_bytes());
    usize::try_from(hash % (count as u64).max(1)).unwrap_or_default()
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
            let mut newest: HashMap<Key, Newest> = HashMap::new();
            spool.groups::<io::Error>(limit, |group| {
                for row in group {
                    match newest.get_mut(&row.record.key) {
                        Some(known) => known.meet(row),
                        None => {
                            newest.insert(row.record.key.clone(), Newest::of(row));
                        }
                    }
                }
                Ok(())
            })?;
            let mut rows: Vec<Row> = newest.into_values().map(Newest::into_row).collect();
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

/// What is known of a key while its rows are met, in whatever order.
struct Newest {
    row: Row,
    /// If that is a removal: the newest row that has a record. A removal has none, and keeps the one it removed.
    present: Option<Row>,
}

impl Newest {
    fn of(row: &Row) -> Self {
        Self {
            row: row.clone(),
            present: None,
        }
    }

    fn meet(&mut self, row: &Row) {
        if row.order() > self.row.order() {
            let older = std::mem::replace(&mut self.row, row.clone());
            self.keep(&older);
        } else {
            self.keep(row);
        }
    }

    fn keep(&mut self, older: &Row) {
        let is_newer = |known: &Row| older.order() > known.order();
        if self.row.record.removed
            && !older.record.removed
            && self.present.as_ref().is_none_or(is_newer)
        {
            self.present = Some(older.clone());
        }
    }

    fn into_row(self) -> Row {
        match self.present {
            Some(present) if self.row.record.removed => Row {
                record: present.record,
                ..self.row
            },
            _ => self.row,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use sync_core::JsonRecord;

    use super::*;

    /// The row of one position: a removal, or a record that says the position.
    fn row(position: u64, removed: bool) -> Row {
        let data = if removed {
            String::new()
        } else {
            format!("{{\"v\":{position}}}")
        };
        Row {
            record: JsonRecord {
                stream: Arc::new(Stream::new("members")),
                key: Key::new("a"),
                data: Bytes::from(data),
                removed,
            },
            interval: "i".into(),
            position,
            synced_at: 0,
            deleted_at: removed.then_some(0),
            compacted: false,
        }
    }

    proptest! {
        #[test]
        fn the_order_in_which_rows_are_met_does_not_matter(
            removals in proptest::collection::vec(any::<bool>(), 1..8),
            shuffle in any::<u64>(),
        ) {
            let mut rows: Vec<Row> = (0..).zip(&removals).map(|(n, removed)| row(n, *removed)).collect();
            let last = rows.last().cloned().expect("a row");
            let present = rows.iter().rev().find(|row| !row.record.removed).cloned();
            fastrand::Rng::with_seed(shuffle).shuffle(&mut rows);
            let mut newest = Newest::of(&rows[0]);
            // Each twice, as after a replay.
            for row in rows.iter().chain(&rows) {
                newest.meet(row);
            }
            let found = newest.into_row();
            prop_assert_eq!((found.position, found.deleted_at), (last.position, last.deleted_at));
            let wanted = present.map_or(last.record, |present| present.record);
            prop_assert_eq!(found.record, wanted);
        }
    }
}
