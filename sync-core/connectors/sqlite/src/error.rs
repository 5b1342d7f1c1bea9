//! What went wrong with the file, in the words of [`sync_core::Error`].

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use sync_core::{Error, ErrorKind, Retry};

/// An error of the file system.
pub(crate) fn from_io(operation: &'static str, path: &Path, cause: io::Error) -> Error {
    let message = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free some space and run again, what was committed is kept"
        }
        io::ErrorKind::PermissionDenied => "permission denied: give this user access to the file",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only: choose another place",
        io::ErrorKind::NotFound => "there is no such directory: make it, or choose another place",
        io::ErrorKind::IsADirectory => "this is a directory: name a file",
        _ => "the file system refused",
    };
    Error::new(ErrorKind::State, operation, message)
        .with("path", path.display())
        .caused_by(cause)
}

/// An error of `SQLite` about this file.
pub(crate) fn from_sqlite(operation: &'static str, path: &Path, cause: rusqlite::Error) -> Error {
    let (kind, message) = match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            ErrorKind::State,
            "the disk is full: free some space and run again, what was committed is kept",
        ),
        Some(ErrorCode::NotADatabase) => (
            ErrorKind::Config,
            "the file is no SQLite database: name another one",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            ErrorKind::State,
            "the file is damaged: restore it from a backup, or move it away and reset its imports",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
            ErrorKind::State,
            "the file cannot be opened or written: give this user access to it and to its directory",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Unavailable,
            "another program is writing to the file: wait for it, or stop it",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            ErrorKind::State,
            "the file could not be read or written: look at the disk",
        ),
        Some(ErrorCode::TooBig) => (
            ErrorKind::Invalid,
            "a record is larger than SQLite can store (1 GB)",
        ),
        _ => (ErrorKind::State, "the file did not take what was asked"),
    };
    let retry = match kind {
        ErrorKind::Unavailable => Retry::Later { after: None },
        _ => Retry::Never,
    };
    Error::new(kind, operation, message)
        .with("path", path.display())
        .caused_by(Described::from(cause))
        .retry_as(retry)
}

/// An error of `SQLite` without the statement that failed: a statement of ours is pages long, and says nothing new.
#[derive(Debug)]
struct Described(String);

impl From<rusqlite::Error> for Described {
    fn from(cause: rusqlite::Error) -> Self {
        Self(match cause {
            rusqlite::Error::SqliteFailure(code, message) => {
                message.unwrap_or_else(|| code.to_string())
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => format!("{error}: {msg}"),
            other => other.to_string(),
        })
    }
}

impl std::fmt::Display for Described {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Described {}
