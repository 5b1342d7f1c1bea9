//! `state.json` on disk: reading it, and replacing it only if it still is what we read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sync_core::{Error, ErrorKind, Result};

use crate::error::from_io;

/// Larger than any real file: thousands of imports fit. Read every few seconds, so it must stay cheap.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The file people edit.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
}

/// What became of a replacement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// The file has the new text.
    Done,
    /// Somebody changed the file meanwhile; it has their text.
    Changed,
}

impl StateFile {
    /// The file `state.json` of a directory.
    pub(crate) fn of(dir: &Path) -> Self {
        Self {
            path: dir.join("state.json"),
        }
    }

    /// The text; `None` if there is no file.
    pub(crate) fn read(&self) -> Result<Option<String>> {
        match File::open(&self.path) {
            Ok(mut file) => self.text(&mut file).map(Some),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.failed("read state.json", cause)),
        }
    }

    /// Replaces the file's text `expected` by `next`, durably and at once: a reader sees the one or the other.
    ///
    /// An edit that lands between our last look and the exchange of the files is noticed when it was written into the
    /// old file, and put back. One that was itself an exchange of files in these few microseconds is not: no portable
    /// file system call compares and exchanges.
    pub(crate) fn replace(&self, expected: Option<&str>, next: &str) -> Result<Replaced> {
        const OPERATION: &str = "write state.json";
        // A link stays a link: the file it names is replaced.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let temporary = target.with_file_name(".state.json.new");
        let failed = |cause| self.failed(OPERATION, cause);

        let mut new = private_file()
            .truncate(true)
            .open(&temporary)
            .map_err(failed)?;
        if let Ok(old) = fs::metadata(&target) {
            // Whoever may edit it now may edit it afterwards.
            new.set_permissions(old.permissions()).map_err(failed)?;
        }
        new.write_all(next.as_bytes()).map_err(failed)?;
        new.sync_all().map_err(failed)?;
        drop(new);

        let mut old = match File::open(&target) {
            Ok(file) => Some(file),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(failed(cause)),
        };
        let found = old.as_mut().map(|file| self.text(file)).transpose();
        // What cannot be read as text is somebody's edit too.
        if !matches!(&found, Ok(found) if found.as_deref() == expected) {
            // Left behind it would only be overwritten by the next replacement.
            let _ = fs::remove_file(&temporary);
            return Ok(Replaced::Changed);
        }
        fs::rename(&temporary, &target).map_err(failed)?;
        sync_directory(&target).map_err(failed)?;

        if let Some(old) = &mut old
            && let Ok(written) = self.text(old)
            && Some(written.as_str()) != expected
        {
            // An editor wrote into the old file while we exchanged it: its text is the newest.
            private_file()
                .truncate(true)
                .open(&target)
                .and_then(|mut file| {
                    file.write_all(written.as_bytes())?;
                    file.sync_all()
                })
                .map_err(failed)?;
            return Ok(Replaced::Changed);
        }
        Ok(Replaced::Done)
    }

    fn text(&self, file: &mut File) -> Result<String> {
        const OPERATION: &str = "read state.json";
        let failed = |cause| self.failed(OPERATION, cause);
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(Error::new(
                ErrorKind::Config,
                OPERATION,
                "it is too large to be a list of imports",
            )
            .with("most_bytes", LARGEST));
        }
        String::from_utf8(bytes).map_err(|_| {
            Error::new(
                ErrorKind::Config,
                OPERATION,
                "it is not UTF-8 text: save it as UTF-8",
            )
        })
    }

    fn failed(&self, operation: &'static str, cause: io::Error) -> Error {
        from_io(operation, &self.path, cause)
    }
}

/// Options that create a file only its owner can read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an exchange of files in a directory durable.
fn sync_directory(file: &Path) -> io::Result<()> {
    // Windows has no such call and needs none.
    match file.parent() {
        Some(dir) if cfg!(unix) => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}
