//! `state.json` on disk: reading it, and replacing it only if it still is what we read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sync_core::{Error, ErrorKind, Result};

use crate::error::from_io;
use crate::steps::Steps;

/// Larger than any real file: thousands of imports fit. Read every few seconds, so it must stay cheap.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The file people edit.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    steps: Steps,
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
    pub(crate) fn of(dir: &Path, steps: Steps) -> Self {
        Self {
            path: dir.join("state.json"),
            steps,
        }
    }

    /// The text; `None` if there is no file.
    pub(crate) fn read(&self) -> Result<Option<String>> {
        match File::open(&self.path) {
            Ok(file) => self.text(file).map(Some),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.failed("read state.json", cause)),
        }
    }

    /// Replaces the file's text `expected` by `next`, durably and at once: a reader sees the one or the other.
    ///
    /// Somebody may save the file between our last look and the replacement. So the two files are exchanged in one step,
    /// and what came out is looked at: if it is not what we expected it is the newest text, and is exchanged back. Where
    /// the system cannot exchange files, an edit that was itself an exchange of files in these few microseconds is lost.
    pub(crate) fn replace(&self, expected: Option<&str>, next: &str) -> Result<Replaced> {
        // A link stays a link: the file it names is replaced.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let new = target.with_file_name(".state.json.new");
        let expected = expected.map(str::as_bytes);
        let change = Change {
            target: &target,
            new: &new,
            steps: &self.steps,
        };
        change
            .replace(expected, next.as_bytes())
            .map_err(|cause| self.failed("write state.json", cause))
    }

    fn text(&self, file: File) -> Result<String> {
        const OPERATION: &str = "read state.json";
        let failed = |cause| self.failed(OPERATION, cause);
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

/// A file that is replaced by way of the file `new` beside it.
struct Change<'a> {
    target: &'a Path,
    new: &'a Path,
    steps: &'a Steps,
}

impl Change<'_> {
    /// Replaces the content `expected` (`None`: there is no file) by `next`.
    fn replace(&self, expected: Option<&[u8]>, next: &[u8]) -> io::Result<Replaced> {
        let Self { target, new, steps } = self;
        steps.whole("create the new file");
        let mut file = private_file().truncate(true).open(new)?;
        if let Ok(old) = fs::metadata(target) {
            // Whoever may edit it now may edit it afterwards.
            steps.whole("give the new file its permissions");
            file.set_permissions(old.permissions())?;
        }
        steps.write(new, next);
        file.write_all(next)?;
        steps.whole("sync the new file");
        file.sync_all()?;
        drop(file);

        // The usual case of an edit costs no exchange.
        if bytes_of(target)?.as_deref() != expected {
            // Left behind it would only be overwritten by the next replacement.
            self.remove_new();
            return Ok(Replaced::Changed);
        }
        let Some(expected) = expected else {
            // Unlike a rename, a link does not replace a file that was made meanwhile.
            steps.whole("link the new file");
            let made = fs::hard_link(new, target);
            self.remove_new();
            return match made {
                Ok(()) => self.sync_directory().map(|()| Replaced::Done),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(Replaced::Changed),
                Err(cause) => Err(cause),
            };
        };
        self.settle(expected.to_vec(), next.to_vec())
    }

    /// Exchanges `target`, which should hold `inside`, with `new`, which holds `outside`, until what comes out is what
    /// should.
    fn settle(&self, mut inside: Vec<u8>, mut outside: Vec<u8>) -> io::Result<Replaced> {
        let Self { target, new, steps } = self;
        let mut replaced = Replaced::Done;
        loop {
            steps.whole("exchange the files");
            match exchange_files(new, target) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::Unsupported => {
                    fs::rename(new, target)?;
                    self.sync_directory()?;
                    return Ok(Replaced::Done);
                }
                // It was deleted meanwhile: that is an edit too.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                    return Ok(Replaced::Changed);
                }
                Err(cause) => return Err(cause),
            }
            let mut came_out = bytes_of(new)?.unwrap_or_default();
            if came_out == inside {
                self.sync_directory()?;
                // An editor that had the old file open may have written into it until now.
                came_out = bytes_of(new)?.unwrap_or_default();
            }
            if came_out == inside {
                self.remove_new();
                return Ok(replaced);
            }
            // What came out is newer than what we put in: it goes back, unless something newer came meanwhile.
            replaced = Replaced::Changed;
            inside = outside;
            outside = came_out;
        }
    }

    fn remove_new(&self) {
        self.steps.whole("remove the new file");
        let _ = fs::remove_file(self.new);
    }

    /// Makes an exchange of files in the directory durable.
    fn sync_directory(&self) -> io::Result<()> {
        self.steps.whole("sync the directory");
        // Windows has no such call and needs none.
        match self.target.parent() {
            Some(dir) if cfg!(unix) => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
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

/// The content of a file; `None` if there is none.
fn bytes_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Exchanges two files in one step.
///
/// # Errors
/// `Unsupported` where the system or the file system cannot.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange_files(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(|errno| match errno {
        Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => io::ErrorKind::Unsupported.into(),
        errno => errno.into(),
    })
}

/// Exchanges two files in one step.
///
/// # Errors
/// `Unsupported`: there is no such call here.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange_files(_a: &Path, _b: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a directory with `state.json`.
    fn bench(text: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("state.json");
        fs::write(&target, text).expect("state.json");
        let new = dir.path().join(".state.json.new");
        (dir, target, new)
    }

    #[test]
    fn a_file_that_is_not_what_was_expected_stays() {
        let (dir, target, new) = bench("theirs");
        for expected in [Some("ours"), None] {
            let file = StateFile::of(dir.path(), Steps::default());
            assert_eq!(file.replace(expected, "next").unwrap(), Replaced::Changed);
            assert_eq!(fs::read(&target).unwrap(), b"theirs");
            assert!(!new.exists());
        }
    }

    #[test]
    fn a_file_is_made_only_if_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::of(dir.path(), Steps::default());
        assert_eq!(
            file.replace(Some("gone"), "next").unwrap(),
            Replaced::Changed
        );
        assert_eq!(file.read().unwrap(), None);
        assert_eq!(file.replace(None, "next").unwrap(), Replaced::Done);
        assert_eq!(file.read().unwrap().as_deref(), Some("next"));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    #[test]
    fn an_edit_that_came_out_of_the_exchange_goes_back() {
        let (_dir, target, new) = bench("theirs, saved after our last look");
        fs::write(&new, "ours").unwrap();
        let change = Change {
            target: &target,
            new: &new,
            steps: &Steps::default(),
        };
        let replaced = change
            .settle(b"what we read".to_vec(), b"ours".to_vec())
            .unwrap();
        assert_eq!(replaced, Replaced::Changed);
        assert_eq!(
            fs::read(&target).unwrap(),
            b"theirs, saved after our last look"
        );
    }
}
