//! Files that a killed process left half written in a directory.
//!
//! There a file is written under its name with `#` and a number behind, and renamed when it is whole.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sync_core::Result;

use crate::error::from_io;
use crate::sink::blocking;

/// After this time nobody is still writing an unfinished file. Were somebody, the file could not be renamed, which is an error
/// and loses nothing.
pub(crate) const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

/// Deletes what was left in the folders of a directory and not written for [`UNFINISHED`] at `now`. `ours` tells from folder
/// and name whether a finished file would be one of ours.
pub(crate) async fn sweep(
    directory: PathBuf,
    ours: fn(&str, &str) -> bool,
    now: DateTime<Utc>,
) -> Result<u64> {
    let due = ago(now, UNFINISHED);
    let sweeping = move || -> io::Result<u64> {
        let mut deleted = 0;
        for folder in std::fs::read_dir(directory)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let file = file?;
                let (folder, name) = (folder.file_name(), file.file_name());
                let unfinished =
                    folder
                        .to_str()
                        .zip(name.to_str())
                        .is_some_and(|(folder, name)| {
                            finished_name(name).is_some_and(|name| ours(folder, name))
                        });
                if unfinished && DateTime::<Utc>::from(file.metadata()?.modified()?) <= due {
                    std::fs::remove_file(file.path())?;
                    deleted += 1;
                }
            }
        }
        Ok(deleted)
    };
    blocking(move || match sweeping() {
        // No such directory, or somebody else sweeps too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        swept => swept.map_err(|error| from_io("delete unfinished file", &error)),
    })
    .await
}

/// What a file is called when it is whole; `None` if this one is.
fn finished_name(name: &str) -> Option<&str> {
    let (name, number) = name.rsplit_once('#')?;
    let counted = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    counted.then_some(name)
}

/// The time by which a directory's files are stamped.
pub(crate) fn time_in(directory: &Path) -> io::Result<DateTime<Utc>> {
    let now = tempfile::tempfile_in(directory)?.metadata()?.modified()?;
    Ok(now.into())
}

pub(crate) fn ago(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(age)
        .ok()
        .and_then(|age| now.checked_sub_signed(age))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}
