//! JSON lines: one file for each stream in a directory, or standard output.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::task::JoinHandle;

use super::{Report, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::record::JsonRecord;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonlTarget {
    /// `<stream>.jsonl` in this directory, which is made if it is missing.
    Directory(PathBuf),
    /// Standard output, all streams together.
    Stdout,
}

/// Appends each record as a line: `{"stream":…,"key":…,"data":{…}}`, or `{"stream":…,"key":…,"removed":true}`.
///
/// A replay after a crash appends records again: of several lines with one key, the last holds. [`Sink::flush`] means
/// `fsync`; [`Sink::abort`] cuts files back to the last flush (standard output cannot be cut). A torn last line left by a
/// crash is cut when the file is opened.
pub struct JsonlSink {
    target: JsonlTarget,
    files: HashMap<Arc<str>, StreamFile>,
    stdout: Option<Stdout>,
    lines: Vec<u8>,
}

/// An open file and the last write to it, which goes on while the next lines are made.
struct StreamFile {
    file: SharedFile,
    /// Gives the lines' memory back.
    writing: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// Length up to which everything is durable.
    durable: u64,
    length: u64,
}

/// Locked by whoever writes; `None` once it was closed, and then nothing is written any more.
type SharedFile = Arc<Mutex<Option<File>>>;

impl JsonlSink {
    /// A sink for the target. Nothing is opened before the first record.
    pub fn new(target: JsonlTarget) -> Self {
        Self {
            target,
            files: HashMap::new(),
            stdout: None,
            lines: Vec::new(),
        }
    }

    async fn append(&mut self, stream: &str) -> Result<()> {
        match &self.target {
            JsonlTarget::Stdout => {
                let stdout = self.stdout.get_or_insert_with(tokio::io::stdout);
                stdout
                    .write_all(&self.lines)
                    .await
                    .map_err(|error| failed("write to stdout", error))?;
                self.lines.clear();
            }
            JsonlTarget::Directory(directory) => {
                if !self.files.contains_key(stream) {
                    let opened = StreamFile::open(directory, stream).await?;
                    self.files.insert(stream.into(), opened);
                }
                if let Some(open) = self.files.get_mut(stream) {
                    let writing = |error| failed("write lines", error).with("stream", stream);
                    let free = open.settle().await.map_err(writing)?;
                    open.begin(std::mem::replace(&mut self.lines, free));
                }
            }
        }
        Ok(())
    }
}

impl StreamFile {
    async fn open(directory: &Path, stream: &str) -> Result<Self> {
        if stream.is_empty() || stream.contains(['/', '\\', '\0']) || stream.starts_with('.') {
            return Err(Error::new(
                ErrorKind::Config,
                "open lines",
                "the stream's name cannot be a file name",
            ));
        }
        tokio::fs::create_dir_all(directory)
            .await
            .map_err(|error| failed("create directory for lines", error))?;
        let path = directory.join(format!("{stream}.jsonl"));
        let (file, length) = blocking(move || open_whole_lines(&path))
            .await
            .map_err(|error| failed("open lines", error).with("stream", stream))?;
        Ok(Self {
            file: Arc::new(Mutex::new(Some(file))),
            writing: None,
            durable: length,
            length,
        })
    }

    /// Writes these lines at the end, which must be settled.
    fn begin(&mut self, mut lines: Vec<u8>) {
        self.length += lines.len() as u64;
        let file = self.file.clone();
        self.writing = Some(tokio::task::spawn_blocking(move || {
            if let Some(file) = lock(&file).as_mut() {
                file.write_all(&lines)?;
            }
            lines.clear();
            Ok(lines)
        }));
    }

    /// Waits for the last write and gives an empty buffer.
    async fn settle(&mut self) -> io::Result<Vec<u8>> {
        match self.writing.take() {
            Some(writing) => writing.await.map_err(io::Error::other)?,
            None => Ok(Vec::new()),
        }
    }

    /// Does something to the file, which must be settled.
    async fn with_file(
        &self,
        act: impl FnOnce(&File) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let file = self.file.clone();
        blocking(move || lock(&file).as_ref().map_or(Ok(()), act)).await
    }
}

impl Drop for StreamFile {
    /// Waits for a write under way and keeps one that waits from starting: it could land in a file that somebody else has
    /// opened meanwhile.
    fn drop(&mut self) {
        lock(&self.file).take();
    }
}

fn lock(file: &SharedFile) -> MutexGuard<'_, Option<File>> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Opens a file for appending after its last whole line, and gives its length.
fn open_whole_lines(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // The lines are personal data: for the owner's eyes, unless the owner has made the file before.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let length = whole_lines(&mut file)?;
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length))?;
    Ok((file, length))
}

/// The length of a file without a torn last line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(start))?;
        (&mut *file).take(end - start).read_to_end(&mut block)?;
        if let Some(newline) = memchr::memrchr(b'\n', &block) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn failed(operation: &'static str, error: io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::StorageFull => "no space left",
        io::ErrorKind::BrokenPipe => "the reader of the output is gone",
        _ => "input or output failed",
    };
    Error::new(ErrorKind::State, operation, message).caused_by(error)
}

fn push_line(lines: &mut Vec<u8>, record: &JsonRecord) {
    let field = |lines: &mut Vec<u8>, name: &str, value: &str| {
        lines.extend_from_slice(name.as_bytes());
        // Writing a string into memory cannot fail.
        let _ = serde_json::to_writer(lines, value);
    };
    field(lines, "{\"stream\":", record.stream.name());
    field(lines, ",\"key\":", record.key.as_str());
    if record.removed {
        lines.extend_from_slice(b",\"removed\":true}\n");
        return;
    }
    lines.extend_from_slice(b",\"data\":");
    let start = lines.len();
    lines.extend_from_slice(&record.data);
    // Valid JSON holds a raw line break only between tokens, where a space is the same.
    let mut rest = &mut lines[start..];
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
    lines.extend_from_slice(b"}\n");
}

#[async_trait]
impl Sink<JsonRecord> for JsonlSink {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    async fn check(&self) -> Result<()> {
        match &self.target {
            JsonlTarget::Stdout => Ok(()),
            JsonlTarget::Directory(directory) => tokio::fs::create_dir_all(directory)
                .await
                .map_err(|error| failed("create directory for lines", error)),
        }
    }

    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        for of_one_stream in records.chunk_by(|a, b| a.stream.name() == b.stream.name()) {
            for record in of_one_stream {
                push_line(&mut self.lines, record);
            }
            if let Some(record) = of_one_stream.first() {
                self.append(record.stream.name()).await?;
            }
        }
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        if let Some(stdout) = &mut self.stdout {
            stdout
                .flush()
                .await
                .map_err(|error| failed("write to stdout", error))?;
        }
        for (stream, open) in &mut self.files {
            if open.durable != open.length {
                let flushing = |error| failed("flush lines", error).with("stream", stream);
                self.lines = open.settle().await.map_err(flushing)?;
                open.with_file(File::sync_data).await.map_err(flushing)?;
                open.durable = open.length;
            }
        }
        Ok(Report::default())
    }

    async fn abort(&mut self) {
        self.lines.clear();
        for (_, mut open) in self.files.drain() {
            // If cutting fails the lines stay and come again later: duplicates, which readers of the file bear.
            let _ = open.settle().await;
            let durable = open.durable;
            let _ = open.with_file(move |file| file.set_len(durable)).await;
        }
    }
}

impl fmt::Debug for JsonlSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlSink")
            .field("target", &self.target)
            .field("open", &self.files.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_that_waited_until_the_file_was_closed_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let mut open = StreamFile::open(directory.path(), "s").await.unwrap();
        let file = open.file.clone();
        {
            let mut first = lock(&file);
            open.begin(b"late\n".to_vec());
            // What a drop does that comes before the write.
            first.take();
        }
        open.settle().await.unwrap();
        let lines = std::fs::read(directory.path().join("s.jsonl")).unwrap();
        assert!(lines.is_empty(), "{lines:?}");
    }

    #[tokio::test]
    async fn a_dropped_sink_writes_nothing_more() {
        let directory = tempfile::tempdir().unwrap();
        let mut open = StreamFile::open(directory.path(), "s").await.unwrap();
        open.begin(vec![b'x'; 1 << 22]);
        drop(open);
        let after = std::fs::metadata(directory.path().join("s.jsonl")).unwrap();
        let mut again = StreamFile::open(directory.path(), "s").await.unwrap();
        again.begin(b"line\n".to_vec());
        again.settle().await.unwrap();
        let lines = std::fs::read(directory.path().join("s.jsonl")).unwrap();
        // Without a line break, what came first was a torn line.
        assert_eq!(lines, b"line\n", "after {} bytes", after.len());
    }
}
