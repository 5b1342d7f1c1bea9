//! `state.db`: everything about imports that people do not edit.
//!
//! One `SQLite` file in WAL mode. Each commit of an import is one transaction, synced to the disk before it is reported
//! (`synchronous=FULL`): in WAL mode `NORMAL` may lose the last transactions at a power cut, and a commit that was
//! reported stays. The ledger is kept in [`segments`]; a commit that merges large ones passes them through the WAL, which is
//! cut back afterwards, so that file and WAL together stay below 100 MB for a million entries (`examples/ledger_cost.rs`
//! measures it).
//!
//! Marks of a search for removals need no durability: they live in a second file without sync, thrown away at the start.

mod history;
mod imports;
mod ledger;
mod segments;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags};
use sync_core::{Error, ErrorKind, Key, Result};

pub(crate) use self::imports::LatestTimestamp;
use self::ledger::Trees;
use crate::error::{from_io, from_sqlite};
use crate::state_file::private_file;
use crate::steps::{DiskStep, Steps};

const DATABASE: &str = "state.db";
const MARKS: &str = "sweep.db";

/// Marks a file as ours (`PRAGMA application_id`): "mcom".
const APPLICATION: i32 = 0x6d63_6f6d;
/// What this version reads and writes (`PRAGMA user_version`). A new one comes with a step in [`migrate`].
const SCHEMA_VERSION: i32 = 3;

const SCHEMA: &str = "
    -- One row for each import that was ever committed, moved or edited. The row outlives a reset, so that a revision is
    -- never used twice. `published` is the latest_timestamp that the checkpoint stands for; while `pending` is 1 the
    -- file may still show `base`, the value it replaces.
    CREATE TABLE imports (
        id TEXT NOT NULL PRIMARY KEY,
        revision INTEGER NOT NULL,
        checkpoint TEXT,
        published TEXT,
        base TEXT,
        pending INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE scopes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE rejected (
        import TEXT NOT NULL,
        key BLOB NOT NULL,
        reason TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (import, key)
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        sequence INTEGER PRIMARY KEY,
        import TEXT NOT NULL,
        id TEXT NOT NULL,
        ended INTEGER NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (import, id)
    );
";

/// How long to wait for a reader that holds the file, such as a backup.
const BUSY: Duration = Duration::from_secs(10);
/// What the library keeps of each file in memory, in kilobytes: the inner pages of a hundred thousand blocks. The blocks
/// themselves are too many to find one again.
const CACHE: u32 = 2000;
/// Instructions of the library's machine between two steps that are told: a statement has a dozen or a few.
const STEP: i32 = 10;
/// Prepared statements to keep: more than there are.
const STATEMENTS: usize = 64;
/// Cut the WAL back to nothing when it is larger after a commit.
const LARGEST_WAL: u64 = 4 * 1024 * 1024;

/// The open store of one directory.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    trees: Trees,
    /// Whether another process may change the file.
    shared: bool,
    dir: PathBuf,
}

impl Database {
    /// Opens the store for the process that holds the directory's lock, and creates it if there is none.
    pub(crate) fn open(dir: &Path, steps: &Steps) -> Result<Self> {
        const OPERATION: &str = "open state.db";
        let path = dir.join(DATABASE);
        steps.whole("create state.db");
        private_file()
            .open(&path)
            .map_err(|cause| from_io(OPERATION, &path, cause))?;
        let marks = dir.join(MARKS);
        steps.whole("remove sweep.db");
        match fs::remove_file(&marks) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(from_io(OPERATION, &marks, cause));
            }
            _ => {}
        }
        steps.whole("create sweep.db");
        private_file()
            .open(&marks)
            .map_err(|cause| from_io(OPERATION, &marks, cause))?;

        let failed = |cause| from_sqlite(OPERATION, dir, cause);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        tell_steps(&mut connection, steps).map_err(failed)?;
        check_ours(&connection, dir)?;
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA cache_size = -{CACHE};"
            ))
            .map_err(failed)?;
        migrate(&mut connection).map_err(failed)?;
        attach_marks(&connection, &marks).map_err(failed)?;
        Ok(Self {
            connection,
            trees: Trees::in_schema("main"),
            shared: false,
            dir: dir.to_owned(),
        })
    }

    /// Opens the store for reading, beside the process that writes. An empty one if there is none yet. There is no
    /// place for marks: a search for removals belongs to the process that writes.
    pub(crate) fn read_only(dir: &Path) -> Result<Self> {
        let path = dir.join(DATABASE);
        let failed = |cause| from_sqlite("open state.db", dir, cause);
        let mut connection = if fs::metadata(&path).map_or(true, |file| file.len() == 0) {
            empty().map_err(failed)?
        } else {
            connect_reader(&path, OpenFlags::empty(), dir).or_else(|problem| {
                // Beside a file in WAL mode a reader keeps two of its own. If it may not make them, and no WAL holds
                // anything, then nobody writes and the file alone is everything.
                let uri = immutable_uri(&path).ok_or(problem)?;
                connect_reader(Path::new(&uri), OpenFlags::SQLITE_OPEN_URI, dir)
            })?
        };
        let mut version = version_of(&connection).map_err(failed)?;
        if version == 0 {
            // Its first process has not come, or did not come, to writing the schema.
            connection = empty().map_err(failed)?;
            version = SCHEMA_VERSION;
        }
        // Nobody has converted it yet, and this process may not: it looks at a copy.
        let is_old = version < 2;
        let schema = if is_old { "temp" } else { "main" };
        if is_old {
            connection
                .execute_batch(&segments::tables(schema))
                .and_then(|()| ledger::take_over_rows(&connection, schema))
                .map_err(failed)?;
        }
        Ok(Self {
            connection,
            trees: Trees::in_schema(schema),
            shared: true,
            dir: dir.to_owned(),
        })
    }

    /// Does something with the connection and says in the error what it was.
    fn run<T>(
        &mut self,
        operation: &'static str,
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        act(&mut self.connection).map_err(|cause| from_sqlite(operation, &self.dir, cause))
    }

    /// The same with what is in memory of the ledger. A failure undoes what `act` changed of both.
    fn run_on_ledger<T>(
        &mut self,
        operation: &'static str,
        act: impl FnOnce(&mut Connection, &mut Trees) -> rusqlite::Result<T>,
    ) -> Result<T> {
        if self.shared {
            self.trees.forget();
        }
        let result = act(&mut self.connection, &mut self.trees);
        if result.is_err() {
            self.trees.forget();
        }
        result.map_err(|cause| from_sqlite(operation, &self.dir, cause))
    }

    /// Moves a large WAL into the file, so that both together stay small. Readers are not waited for: the next commit
    /// tries again.
    fn shrink_wal(&mut self) -> Result<()> {
        let wal = self.dir.join(format!("{DATABASE}-wal"));
        if fs::metadata(wal).map_or(0, |file| file.len()) <= LARGEST_WAL {
            return Ok(());
        }
        self.run("checkpoint state.db", |connection| {
            connection.busy_timeout(Duration::ZERO)?;
            let result = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            connection.busy_timeout(BUSY)?;
            result
        })
    }
}

/// Tells steps of the store to whoever watches.
fn tell_steps(connection: &mut Connection, steps: &Steps) -> rusqlite::Result<()> {
    if !steps.are_watched() {
        return Ok(());
    }
    let steps = steps.clone();
    let go_on = move || {
        steps.tell(DiskStep::Store);
        false
    };
    connection.progress_handler(STEP, Some(go_on))
}

/// A store with nothing in it.
fn empty() -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn connect_reader(path: &Path, flags: OpenFlags, dir: &Path) -> Result<Connection> {
    let failed = |cause| from_sqlite("open state.db", dir, cause);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | flags;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    check_ours(&connection, dir)?;
    Ok(connection)
}

/// How to name a database that nobody changes; `None` if a WAL says otherwise or the path cannot be written as a URI.
fn immutable_uri(path: &Path) -> Option<String> {
    let wal = fs::metadata(path.with_file_name(format!("{DATABASE}-wal")));
    if !cfg!(unix) || wal.is_ok_and(|wal| wal.is_file() && wal.len() > 0) {
        return None;
    }
    let path = std::path::absolute(path).ok()?;
    let path = path
        .to_str()?
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    Some(format!("file:{path}?immutable=1"))
}

/// Refuses a file of another program or of a later version, before anything is changed.
fn check_ours(connection: &Connection, dir: &Path) -> Result<()> {
    const OPERATION: &str = "open state.db";
    let pragma = |name| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0))
            .map_err(|cause| from_sqlite(OPERATION, dir, cause))
    };
    let version = pragma("user_version")?;
    let application = pragma("application_id")?;
    let refused = |message: &'static str| {
        Err(Error::new(ErrorKind::State, OPERATION, message)
            .with("directory", dir.display())
            .with("found_version", version)
            .with("known_version", SCHEMA_VERSION))
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(|cause| from_sqlite(OPERATION, dir, cause))?;
    if tables > 0 && application != APPLICATION {
        return refused("state.db was not made by this program: choose another directory");
    }
    if version > SCHEMA_VERSION {
        return refused("state.db was written by a later version: install that one or a newer one");
    }
    Ok(())
}

/// Brings the file to [`SCHEMA_VERSION`], all steps or none.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let version = version_of(&transaction)?;
    if version < 1 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
    }
    if version < 2 {
        transaction.execute_batch(&segments::tables("main"))?;
    }
    if version == 1 {
        ledger::take_over_rows(&transaction, "main")?;
        transaction.execute_batch("DROP TABLE ledger")?;
    }
    // Version 3 has segments of parts beside those that version 2 knows, and needs no change.
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

fn version_of(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn attach_marks(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let name = path
        .to_str()
        .ok_or_else(|| rusqlite::Error::InvalidPath(path.to_owned()))?;
    connection.execute("ATTACH DATABASE ?1 AS sweep", [name])?;
    // A rollback journal in memory, so that a full disk leaves the file as it was before the call.
    connection.execute_batch(&format!(
        "PRAGMA sweep.auto_vacuum = FULL;
         PRAGMA sweep.journal_mode = MEMORY;
         PRAGMA sweep.synchronous = OFF;
         PRAGMA sweep.cache_size = -{CACHE};"
    ))?;
    connection.execute_batch(&segments::tables(ledger::MARKS))
}

/// The stored form of a time: exact.
fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A time from a column.
fn time_column(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()))
        .transpose()
        .map_err(|cause| damaged(column, cause))
}

/// A value stored as JSON in a column.
fn json_column<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|cause| damaged(column, cause))
}

/// A value as JSON for a column.
fn json_text<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|cause| rusqlite::Error::ToSqlConversionFailure(Box::new(cause)))
}

/// A key from a column of compact keys.
fn key_column(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Key> {
    let compact = row.get_ref(column)?.as_blob()?;
    Key::from_compact(compact).ok_or_else(|| damaged(column, "not a compact key"))
}

/// A number of rows.
fn count_column(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0).map(i64::unsigned_abs)
}

/// `limit` for SQL.
fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn damaged(
    column: usize,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, cause.into())
}

#[cfg(test)]
mod tests {
    use sync_core::{Commit, ImportId, LedgerChange, LedgerEntry, LedgerKey};

    use super::*;

    fn commit_of(entries: u64) -> Commit {
        let scope = ImportId::new("a").scope();
        let ledger = (0..entries)
            .map(|n| LedgerChange {
                at: LedgerKey {
                    scope: scope.clone(),
                    key: Key::new(format!("{n:032x}")),
                },
                entry: Some(LedgerEntry {
                    fingerprint: n,
                    note: [1; 50].into(),
                }),
            })
            .collect();
        Commit {
            ledger,
            ..Commit::default()
        }
    }

    #[test]
    fn a_full_disk_is_a_clear_error_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = Database::open(dir.path(), &Steps::default()).unwrap();
        let import = ImportId::new("a");
        let revision = database.commit(&import, None, commit_of(10), None).unwrap();
        let before = database.load(&import).unwrap();

        let pages = "PRAGMA max_page_count = ";
        database
            .connection
            .execute_batch(&format!("{pages} 20"))
            .unwrap();
        let error = database
            .commit(&import, revision, commit_of(5_000), None)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        let text = error.to_string();
        assert!(text.contains("disk is full"), "{text}");
        assert!(text.contains(&dir.path().display().to_string()), "{text}");
        assert_eq!(database.load(&import).unwrap(), before);
        assert_eq!(database.ledger_len(&import.scope()).unwrap(), 10);

        database
            .connection
            .execute_batch(&format!("{pages} 1000000"))
            .unwrap();
        let next = database
            .commit(&import, revision, commit_of(5_000), None)
            .unwrap();
        assert!(next > revision);
        assert_eq!(database.ledger_len(&import.scope()).unwrap(), 5_000);
    }

    #[test]
    fn a_large_commit_leaves_a_small_wal() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = Database::open(dir.path(), &Steps::default()).unwrap();
        database
            .commit(&ImportId::new("a"), None, commit_of(60_000), None)
            .unwrap();
        let wal = fs::metadata(dir.path().join("state.db-wal")).unwrap().len();
        assert!(wal <= LARGEST_WAL, "{wal}");
        let file = fs::metadata(dir.path().join(DATABASE)).unwrap().len();
        assert!(file > LARGEST_WAL, "the commit was larger than the bound");
    }
}
