//! What went wrong on disk, in the words of [`sync_core::Error`].

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use sync_core::{Error, ErrorKind};

/// An error of the file system.
pub(crate) fn from_io(operation: &'static str, path: &Path, cause: io::Error) -> Error {
    let message = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free some space and run again, what was committed is kept"
        }
        io::ErrorKind::PermissionDenied => "permission denied: give this user access to the path",
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: choose another directory"
        }
        io::ErrorKind::NotFound => "there is no such path",
        _ => "the file system refused",
    };
    Error::new(ErrorKind::State, operation, message)
        .with("path", path.display())
        .caused_by(cause)
}

/// An error of the embedded store in this directory.
pub(crate) fn from_sqlite(operation: &'static str, dir: &Path, cause: rusqlite::Error) -> Error {
    let message = match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "the disk is full: free some space and run again, what was committed is kept"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "state.db is damaged: restore it from a backup, or move it away to read again from latest_timestamp"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "state.db cannot be opened or written: give this user access to the directory"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "state.db is held by another program: close it and run again"
        }
        None if matches!(cause, rusqlite::Error::InvalidPath(_)) => {
            "the directory's name is not UTF-8: choose another directory"
        }
        None if matches!(cause, rusqlite::Error::FromSqlConversionFailure(..)) => {
            "state.db holds something that this version cannot read: restore it from a backup"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "state.db could not be read or written: look at the disk"
        }
        _ => "state.db did not do what was asked",
    };
    Error::new(ErrorKind::State, operation, message)
        .with("directory", dir.display())
        .caused_by(cause)
}
