//! The ledger, and the marks of a search for removals in it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sync_core::{Key, LedgerChange, LedgerEntry, LedgerKey, Result, Scope};

use super::{Database, count_column, key_column, sql_limit};

/// The number that stands for a scope in the ledger; `None` if it has never been written to.
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

/// Applies changes; of two for one key the later holds.
pub(super) fn apply(connection: &Connection, changes: Vec<LedgerChange>) -> rusqlite::Result<()> {
    let mut scopes: HashMap<Scope, i64> = HashMap::new();
    let mut rows = Vec::with_capacity(changes.len());
    for LedgerChange { at, entry } in changes {
        let scope = match scopes.entry(at.scope) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let number = scope_number(connection, new.key())?;
                *new.insert(number)
            }
        };
        rows.push((scope, at.key.to_compact(), entry));
    }
    // In the order of the tree, so that each page is visited once. The sort is stable: the later change stays later.
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut put = connection.prepare_cached(
        "INSERT INTO ledger (scope, key, fingerprint, note) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (scope, key) DO UPDATE
         SET fingerprint = excluded.fingerprint, note = excluded.note",
    )?;
    let mut delete =
        connection.prepare_cached("DELETE FROM ledger WHERE scope = ?1 AND key = ?2")?;
    for (scope, key, entry) in rows {
        match entry {
            Some(entry) => put.execute(params![
                scope,
                key,
                entry.fingerprint.cast_signed(),
                &*entry.note
            ])?,
            None => delete.execute(params![scope, key])?,
        };
    }
    Ok(())
}

pub(super) fn forget_fingerprints(connection: &Connection, scope: &Scope) -> rusqlite::Result<()> {
    if let Some(number) = find_scope(connection, scope)? {
        connection.execute(
            "UPDATE ledger SET fingerprint = 0 WHERE scope = ?1",
            [number],
        )?;
    }
    Ok(())
}

pub(super) fn forget_scope(connection: &Connection, scope: &Scope) -> rusqlite::Result<()> {
    if let Some(number) = find_scope(connection, scope)? {
        connection.execute("DELETE FROM ledger WHERE scope = ?1", [number])?;
        drop_marks(connection, number)?;
    }
    Ok(())
}

/// The table of a scope's marks. One for each scope, so that ending a search is dropping a table.
fn marks(number: i64) -> String {
    format!("sweep.seen_{number}")
}

fn drop_marks(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("DROP TABLE IF EXISTS {}", marks(number)))
}

fn create_marks(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {} (key BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID",
        marks(number)
    ))
}

/// Ledger rows of a scope (`?1`) without a mark, as `FROM … WHERE …`. Makes sure that there is a table to look into.
fn unmarked(connection: &Connection, number: i64) -> rusqlite::Result<String> {
    create_marks(connection, number)?;
    let marks = marks(number);
    Ok(format!(
        "FROM ledger WHERE scope = ?1
         AND NOT EXISTS (SELECT 1 FROM {marks} AS seen WHERE seen.key = ledger.key)"
    ))
}

impl Database {
    pub(crate) fn ledger(&mut self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>> {
        self.run("read ledger", |connection| {
            // One view of the store for all keys.
            let transaction = connection.transaction()?;
            let mut scopes: HashMap<&Scope, Option<i64>> = HashMap::new();
            let mut wanted = Vec::with_capacity(at.len());
            for (place, at) in at.iter().enumerate() {
                let scope = match scopes.entry(&at.scope) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(new) => *new.insert(find_scope(&transaction, &at.scope)?),
                };
                if let Some(scope) = scope {
                    wanted.push((scope, at.key.to_compact(), place));
                }
            }
            // In the order of the tree, so that each page is visited once.
            wanted.sort_unstable();
            let mut found = vec![None; at.len()];
            let mut get = transaction.prepare_cached(
                "SELECT fingerprint, note FROM ledger WHERE scope = ?1 AND key = ?2",
            )?;
            for (scope, key, place) in wanted {
                let entry = get
                    .query_row(params![scope, key], |row| {
                        Ok(LedgerEntry {
                            fingerprint: row.get::<_, i64>(0)?.cast_unsigned(),
                            note: row.get_ref(1)?.as_blob()?.into(),
                        })
                    })
                    .optional()?;
                if let Some(slot) = found.get_mut(place) {
                    *slot = entry;
                }
            }
            Ok(found)
        })
    }

    pub(crate) fn ledger_len(&mut self, scope: &Scope) -> Result<u64> {
        self.run("count ledger", |connection| {
            let Some(number) = find_scope(connection, scope)? else {
                return Ok(0);
            };
            connection
                .prepare_cached("SELECT count(*) FROM ledger WHERE scope = ?1")?
                .query_row([number], count_column)
        })
    }

    pub(crate) fn begin_sweep(&mut self, scope: &Scope) -> Result<()> {
        self.run("begin sweep", |connection| {
            let number = scope_number(connection, scope)?;
            drop_marks(connection, number)?;
            create_marks(connection, number)
        })
    }

    pub(crate) fn mark_seen(&mut self, scope: &Scope, keys: &[Key]) -> Result<()> {
        self.run("mark seen keys", |connection| {
            let number = scope_number(connection, scope)?;
            create_marks(connection, number)?;
            let mut compact: Vec<Vec<u8>> = keys.iter().map(Key::to_compact).collect();
            compact.sort_unstable();
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            {
                let mut mark = transaction.prepare_cached(&format!(
                    "INSERT OR IGNORE INTO {} (key) VALUES (?1)",
                    marks(number)
                ))?;
                for key in compact {
                    mark.execute([key])?;
                }
            }
            transaction.commit()
        })
    }

    pub(crate) fn unseen(
        &mut self,
        scope: &Scope,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>> {
        self.run("list unseen keys", |connection| {
            let Some(number) = find_scope(connection, scope)? else {
                return Ok(Vec::new());
            };
            let unmarked = unmarked(connection, number)?;
            // Every key is after nothing, also the empty one.
            let after = after.map(Key::to_compact);
            let behind = if after.is_some() {
                "key > ?2"
            } else {
                "?2 IS NULL"
            };
            let sql = format!("SELECT key {unmarked} AND {behind} ORDER BY key LIMIT ?3");
            connection
                .prepare_cached(&sql)?
                .query_map(params![number, after, sql_limit(limit)], |row| {
                    key_column(row, 0)
                })?
                .collect()
        })
    }

    pub(crate) fn unseen_len(&mut self, scope: &Scope) -> Result<u64> {
        self.run("count unseen keys", |connection| {
            let Some(number) = find_scope(connection, scope)? else {
                return Ok(0);
            };
            let unmarked = unmarked(connection, number)?;
            connection
                .prepare_cached(&format!("SELECT count(*) {unmarked}"))?
                .query_row([number], count_column)
        })
    }

    pub(crate) fn end_sweep(&mut self, scope: &Scope) -> Result<()> {
        self.run("end sweep", |connection| {
            find_scope(connection, scope)?.map_or(Ok(()), |number| drop_marks(connection, number))
        })
    }
}
