//! The ledger, and the marks of a search for removals in it.

use std::collections::{HashMap, hash_map};

use rusqlite::{Connection, OptionalExtension};
use sync_core::{Key, LedgerChange, LedgerEntry, LedgerKey, Result, Scope};

use super::segments::{Entry, Place, Tree, Value, Writer};
use super::{Database, damaged};

/// Where marks are kept.
pub(super) const MARKS: &str = "sweep";

/// What is in memory of the segments: true as long as nobody else writes and each transaction with changes is committed.
#[derive(Debug)]
pub(super) struct Trees {
    /// Where the ledger is kept.
    schema: &'static str,
    ledger: HashMap<i64, Tree>,
    marks: HashMap<i64, Tree>,
}

impl Trees {
    pub(super) fn in_schema(schema: &'static str) -> Self {
        Self {
            schema,
            ledger: HashMap::new(),
            marks: HashMap::new(),
        }
    }

    /// Everything is read again when it is needed.
    pub(super) fn forget(&mut self) {
        self.ledger.clear();
        self.marks.clear();
    }

    fn ledger(&mut self, connection: &Connection, scope: i64) -> rusqlite::Result<&mut Tree> {
        load(&mut self.ledger, connection, self.schema, scope)
    }

    fn marks(&mut self, connection: &Connection, scope: i64) -> rusqlite::Result<&mut Tree> {
        load(&mut self.marks, connection, MARKS, scope)
    }
}

fn load<'t>(
    trees: &'t mut HashMap<i64, Tree>,
    connection: &Connection,
    schema: &'static str,
    scope: i64,
) -> rusqlite::Result<&'t mut Tree> {
    Ok(match trees.entry(scope) {
        hash_map::Entry::Occupied(known) => known.into_mut(),
        hash_map::Entry::Vacant(new) => new.insert(Tree::load(connection, schema, scope)?),
    })
}

/// The number that stands for a scope; `None` if it has never been written to.
fn find_scope(connection: &Connection, scope: &Scope) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM scopes WHERE name = ?1")?
        .query_row([scope.as_str()], |row| row.get(0))
        .optional()
}

fn scope_number(connection: &Connection, scope: &Scope) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO scopes (name) VALUES (?1) ON CONFLICT (name) DO NOTHING")?
        .execute([scope.as_str()])?;
    Ok(find_scope(connection, scope)?.unwrap_or_default())
}

/// Compact keys of one scope, sorted, each with the place of what it belongs to.
type Sorted = Vec<(Vec<u8>, usize)>;

/// The keys of each scope.
fn by_scope<'a>(places: impl Iterator<Item = &'a LedgerKey>) -> Vec<(&'a Scope, Sorted)> {
    let mut scopes: Vec<(&Scope, Sorted)> = Vec::new();
    for (place, at) in places.enumerate() {
        let key = (at.key.to_compact(), place);
        match scopes.iter_mut().find(|(scope, _)| **scope == at.scope) {
            Some((_, keys)) => keys.push(key),
            None => scopes.push((&at.scope, vec![key])),
        }
    }
    for (_, keys) in &mut scopes {
        keys.sort_unstable();
    }
    scopes
}

/// Applies changes; of two for one key the later holds.
pub(super) fn apply(
    connection: &Connection,
    trees: &mut Trees,
    changes: &[LedgerChange],
) -> rusqlite::Result<()> {
    for (scope, mut keys) in by_scope(changes.iter().map(|change| &change.at)) {
        let number = scope_number(connection, scope)?;
        // Dropping duplicates keeps the first, and the last is wanted.
        keys.reverse();
        keys.dedup_by(|a, b| a.0 == b.0);
        let entries = keys.iter().rev().map(|(key, place)| {
            let entry = changes.get(*place).and_then(|change| change.entry.as_ref());
            Entry {
                key,
                value: entry.map(|entry| Value {
                    fingerprint: entry.fingerprint,
                    note: &entry.note,
                }),
            }
        });
        trees
            .ledger(connection, number)?
            .append(connection, entries)?;
    }
    Ok(())
}

/// Moves the rows that version 1 kept in a table of the main file to segments in `schema`.
pub(super) fn take_over_rows(
    connection: &Connection,
    schema: &'static str,
) -> rusqlite::Result<()> {
    let scopes: Vec<(i64, i64)> = connection
        .prepare("SELECT scope, count(*) FROM main.ledger GROUP BY scope")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut select = connection
        .prepare("SELECT key, fingerprint, note FROM main.ledger WHERE scope = ?1 ORDER BY key")?;
    for (scope, count) in scopes {
        let mut writer = Writer::new(connection, schema, count.unsigned_abs())?;
        let mut rows = select.query([scope])?;
        while let Some(row) = rows.next()? {
            writer.push(&Entry {
                key: row.get_ref(0)?.as_blob()?,
                value: Some(Value {
                    fingerprint: row.get::<_, i64>(1)?.cast_unsigned(),
                    note: row.get_ref(2)?.as_blob()?,
                }),
            })?;
        }
        writer.finish(Place { scope, part: None })?;
    }
    Ok(())
}

pub(super) fn forget_fingerprints(
    connection: &Connection,
    trees: &mut Trees,
    scope: &Scope,
) -> rusqlite::Result<()> {
    if let Some(number) = find_scope(connection, scope)? {
        trees
            .ledger(connection, number)?
            .forget_fingerprints(connection)?;
    }
    Ok(())
}

pub(super) fn forget_scope(
    connection: &Connection,
    trees: &mut Trees,
    scope: &Scope,
) -> rusqlite::Result<()> {
    if let Some(number) = find_scope(connection, scope)? {
        trees.ledger(connection, number)?.clear(connection)?;
        trees.marks(connection, number)?.clear(connection)?;
    }
    Ok(())
}

/// Calls `take` with the key of each entry that has no mark, in order, from the first one after `after`, as long as it
/// returns `true`.
fn each_unmarked(
    connection: &Connection,
    trees: &mut Trees,
    scope: &Scope,
    after: Option<&Key>,
    mut take: impl FnMut(&[u8]) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let Some(scope) = find_scope(connection, scope)? else {
        return Ok(());
    };
    let after = after.map(Key::to_compact);
    let after = after.as_deref();
    let mut entries = trees.ledger(connection, scope)?.walk(connection, after)?;
    let mut marks = trees.marks(connection, scope)?.walk(connection, after)?;
    let mut mark = marks.next()?;
    while let Some(entry) = entries.next()? {
        while mark.is_some_and(|mark| mark.key < entry.key) {
            mark = marks.next()?;
        }
        let marked = mark.is_some_and(|mark| mark.key == entry.key);
        if entry.value.is_some() && !marked && !take(entry.key)? {
            break;
        }
    }
    Ok(())
}

impl Database {
    pub(crate) fn ledger(&mut self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>> {
        self.run_on_ledger("read ledger", |connection, trees| {
            // One view of the store for all keys.
            let transaction = connection.transaction()?;
            let mut found = vec![None; at.len()];
            for (scope, keys) in by_scope(at.iter()) {
                let Some(number) = find_scope(&transaction, scope)? else {
                    continue;
                };
                let compact: Vec<&[u8]> = keys.iter().map(|(key, _)| &key[..]).collect();
                let tree = trees.ledger(&transaction, number)?;
                tree.get(&transaction, &compact, |index, value| {
                    let place = keys.get(index).map(|(_, place)| *place);
                    if let Some(slot) = place.and_then(|place| found.get_mut(place)) {
                        *slot = Some(LedgerEntry {
                            fingerprint: value.fingerprint,
                            note: value.note.into(),
                        });
                    }
                })?;
            }
            Ok(found)
        })
    }

    pub(crate) fn ledger_len(&mut self, scope: &Scope) -> Result<u64> {
        self.run_on_ledger("count ledger", |connection, trees| {
            let transaction = connection.transaction()?;
            let Some(number) = find_scope(&transaction, scope)? else {
                return Ok(0);
            };
            trees.ledger(&transaction, number)?.len(&transaction)
        })
    }

    pub(crate) fn begin_sweep(&mut self, scope: &Scope) -> Result<()> {
        self.run_on_ledger("begin sweep", |connection, trees| {
            let transaction = connection.transaction()?;
            let number = scope_number(&transaction, scope)?;
            trees.marks(&transaction, number)?.clear(&transaction)?;
            transaction.commit()
        })
    }

    pub(crate) fn mark_seen(&mut self, scope: &Scope, keys: &[Key]) -> Result<()> {
        self.run_on_ledger("mark seen keys", |connection, trees| {
            let transaction = connection.transaction()?;
            let number = scope_number(&transaction, scope)?;
            let mut compact: Vec<Vec<u8>> = keys.iter().map(Key::to_compact).collect();
            compact.sort_unstable();
            compact.dedup();
            let marks = compact.iter().map(|key| Entry {
                key,
                value: Some(Value {
                    fingerprint: 0,
                    note: &[],
                }),
            });
            trees
                .marks(&transaction, number)?
                .append(&transaction, marks)?;
            transaction.commit()
        })
    }

    pub(crate) fn unseen(
        &mut self,
        scope: &Scope,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        self.run_on_ledger("list unseen keys", |connection, trees| {
            let mut unseen = Vec::new();
            if limit == 0 {
                return Ok(unseen);
            }
            each_unmarked(connection, trees, scope, after, |key| {
                let key = Key::from_compact(key).ok_or_else(|| damaged(0, "not a compact key"))?;
                unseen.push(key);
                Ok(unseen.len() < limit)
            })?;
            Ok(unseen)
        })
    }

    pub(crate) fn unseen_len(&mut self, scope: &Scope) -> Result<u64> {
        self.run_on_ledger("count unseen keys", |connection, trees| {
            let mut unseen = 0;
            each_unmarked(connection, trees, scope, None, |_| {
                unseen += 1;
                Ok(true)
            })?;
            Ok(unseen)
        })
    }

    pub(crate) fn end_sweep(&mut self, scope: &Scope) -> Result<()> {
        self.run_on_ledger("end sweep", |connection, trees| {
            let transaction = connection.transaction()?;
            if let Some(number) = find_scope(&transaction, scope)? {
                trees.marks(&transaction, number)?.clear(&transaction)?;
            }
            transaction.commit()
        })
    }
}
