//! One process per directory.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};

use crate::error::from_io;
use crate::state_file::private_file;
use crate::steps::Steps;
use crate::timestamp;

const LOCK: &str = "state.lock";

/// Holds the directory until it is dropped or the process ends, however it ends: the operating system keeps the lock,
/// the file's content only says who holds it. So a file left behind by a killed process locks nobody out.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: String,
}

impl DirectoryLock {
    /// Takes the directory.
    ///
    /// # Errors
    /// `State`, naming the holder, when another process has it.
    pub(crate) fn take(dir: &Path, now: DateTime<Utc>, steps: &Steps) -> Result<Self> {
        const OPERATION: &str = "lock state directory";
        let path = dir.join(LOCK);
        let failed = |cause| from_io(OPERATION, &path, cause);
        steps.whole("create state.lock");
        let mut file = private_file().read(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            Err(TryLockError::WouldBlock) => {
                let error = Error::new(
                    ErrorKind::State,
                    OPERATION,
                    "another process uses this directory: stop it or choose another directory",
                )
                .with("directory", dir.display());
                return Err(match holder(&mut file) {
                    Some(holder) => error
                        .with("pid", holder.pid)
                        .with("host", holder.host)
                        .with("since", holder.since),
                    // It is writing its name right now, or the platform does not let us read a locked file.
                    None => error,
                });
            }
        }
        let holder = Holder {
            pid: std::process::id(),
            host: host(),
            since: timestamp::format(now),
        };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        steps.whole("empty state.lock");
        file.set_len(0).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        steps.write(&path, text.as_bytes());
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(1000).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The computer's name where the system keeps it in a file; a container's name is its id.
fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
