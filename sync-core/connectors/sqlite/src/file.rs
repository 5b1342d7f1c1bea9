//! The file: made, opened, recognised.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sync_core::{Error, ErrorKind, Result};

use crate::error::{from_io, from_sqlite};

/// Marks a file as ours (`PRAGMA application_id`): "mcwh".
const APPLICATION: i32 = 0x6d63_7768;
/// What this version reads and writes (`PRAGMA user_version`). A new one comes with a step in [`migrate`].
const SCHEMA_VERSION: i32 = 1;

/// Which columns are ours. What else a table has belongs to somebody else and is left alone. No stream has a table of such a
/// name: theirs never begin with an underscore.
const SCHEMA: &str = "
    CREATE TABLE _sync_columns (
        table_name TEXT NOT NULL,
        column_name TEXT NOT NULL,
        PRIMARY KEY (table_name, column_name)
    ) WITHOUT ROWID;
";

/// How long to wait for another program that writes.
const BUSY: Duration = Duration::from_secs(10);

const OPERATION: &str = "open warehouse";

/// Opens the file for writing, and makes it, for this user's eyes only, if it is not there.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|cause| from_io(OPERATION, path, cause))?;
    let failed = |cause| from_sqlite(OPERATION, path, cause);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_ours(&connection, path)?;
    // Rows of members are two to three kB, so a page holds a handful of them: half as large, pages took an eighth more of the
    // processor. Keys come in random order and touch most pages of their index, so the cache should hold a good part of it,
    // and the WAL grows to 256 MB before it is moved into the file: a page that several transactions changed is moved once.
    //
    // Tables are dropped when they are written anew, and what refers to them stays as it is.
    connection
        .execute_batch(
            "PRAGMA page_size = 16384;
             PRAGMA journal_mode = WAL;
             PRAGMA wal_autocheckpoint = 16384;
             PRAGMA journal_size_limit = 268435456;
             PRAGMA cache_size = -65536;
             PRAGMA foreign_keys = OFF;
             PRAGMA legacy_alter_table = ON;",
        )
        .map_err(failed)?;
    migrate(&mut connection).map_err(failed)?;
    Ok(connection)
}

/// Opens the file for reading, beside whoever writes.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check_ours(&connection, path)?;
    Ok(connection)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection> {
    let failed = |cause| from_sqlite(OPERATION, path, cause);
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    Ok(connection)
}

/// Refuses a file of another program or of a later version, before anything is changed.
fn check_ours(connection: &Connection, path: &Path) -> Result<()> {
    let number = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i32>(0))
            .map_err(|cause| from_sqlite(OPERATION, path, cause))
    };
    let (application, version) = (
        number("PRAGMA application_id")?,
        number("PRAGMA user_version")?,
    );
    let refused = |message: &'static str| {
        Err(Error::new(ErrorKind::Config, OPERATION, message).with("path", path.display()))
    };
    if application != APPLICATION && number("SELECT count(*) FROM sqlite_schema")? > 0 {
        return refused("the file is another program's database: name another one");
    }
    if version > SCHEMA_VERSION {
        return refused("a later version wrote the file: install that one or a newer one");
    }
    Ok(())
}

/// Brings the file to [`SCHEMA_VERSION`], all steps or none.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < 1 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

/// Writes something that changes nothing.
pub(crate) fn touch(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)
}
