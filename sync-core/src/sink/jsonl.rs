//! JSON lines: one file for each stream in a directory, or standard output.

use std::collections::HashMap;
use std::fmt;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, Stdout};

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

struct StreamFile {
    file: File,
    /// Length up to which everything is durable.
    durable: u64,
    length: u64,
}

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

    async fn append(&mut self, stream: &Arc<str>) -> Result<()> {
        match &self.target {
            JsonlTarget::Stdout => {
                let stdout = self.stdout.get_or_insert_with(tokio::io::stdout);
                stdout
                    .write_all(&self.lines)
                    .await
                    .map_err(|error| failed("write to stdout", error))?;
            }
            JsonlTarget::Directory(directory) => {
                if !self.files.contains_key(stream) {
                    let opened = StreamFile::open(directory, stream).await?;
                    self.files.insert(stream.clone(), opened);
                }
                if let Some(open) = self.files.get_mut(stream) {
                    let writing = |error| failed("write lines", error).with("stream", stream);
                    open.file.write_all(&self.lines).await.map_err(writing)?;
                    // Waits for the write itself: one still under way when this sink is dropped could land in a file that
                    // somebody else has opened meanwhile.
                    open.file.flush().await.map_err(writing)?;
                    open.length += self.lines.len() as u64;
                }
            }
        }
        self.lines.clear();
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
        let opening = |error| failed("open lines", error).with("stream", stream);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // The lines are personal data: for the owner's eyes, unless the owner has made the file before.
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options
            .open(directory.join(format!("{stream}.jsonl")))
            .await
            .map_err(opening)?;
        let length = whole_lines(&mut file).await.map_err(opening)?;
        file.set_len(length).await.map_err(opening)?;
        file.seek(SeekFrom::Start(length)).await.map_err(opening)?;
        Ok(Self {
            file,
            durable: length,
            length,
        })
    }
}

/// The length of a file without a torn last line.
async fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut end = file.metadata().await?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(start)).await?;
        (&mut *file)
            .take(end - start)
            .read_to_end(&mut block)
            .await?;
        if let Some(newline) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn failed(operation: &'static str, error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied",
        std::io::ErrorKind::StorageFull => "no space left",
        std::io::ErrorKind::BrokenPipe => "the reader of the output is gone",
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
    for byte in &mut lines[start..] {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
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
                open.file.flush().await.map_err(flushing)?;
                open.file.sync_data().await.map_err(flushing)?;
                open.durable = open.length;
            }
        }
        Ok(Report::default())
    }

    async fn abort(&mut self) {
        self.lines.clear();
        for (_, mut open) in self.files.drain() {
            // If cutting fails the lines stay and come again later: duplicates, which readers of the file bear.
            let _ = open.file.flush().await;
            let _ = open.file.set_len(open.durable).await;
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
