//! The archive that a batch leaves: tar.gz of JSON files.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// Results in one file of the archive.
const RESULTS_PER_FILE: usize = 100;

/// An archive in the making. Results are compressed as they come, because a batch may read millions of rows.
pub(crate) struct Archive {
    tar: tar::Builder<GzEncoder<Vec<u8>>>,
    folder: String,
    files: usize,
    waiting: Vec<Value>,
}

impl Archive {
    /// An archive with the directory entry that real ones have.
    pub(crate) fn new(folder: &str) -> Self {
        let mut archive = Self {
            tar: tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast())),
            folder: folder.to_owned(),
            files: 0,
            waiting: Vec::new(),
        };
        archive.append(format!("{folder}/"), tar::EntryType::Directory, &[]);
        archive
    }

    /// Adds the result of one operation.
    pub(crate) fn push(&mut self, result: Value) {
        self.waiting.push(result);
        if self.waiting.len() == RESULTS_PER_FILE {
            self.write_file();
        }
    }

    /// The whole archive, with the empty file that real ones have.
    pub(crate) fn finish(mut self) -> Bytes {
        if !self.waiting.is_empty() {
            self.write_file();
        }
        let name = format!("{}/empty.json", self.folder);
        self.append(name, tar::EntryType::Regular, &[]);
        let finished = self.tar.into_inner().and_then(|mut encoder| {
            encoder.flush()?;
            encoder.finish()
        });
        finished.map(Bytes::from).unwrap_or_default()
    }

    fn write_file(&mut self) {
        let content = Value::from(std::mem::take(&mut self.waiting)).to_string();
        let name = format!("{}/{}.json", self.folder, self.files);
        self.files += 1;
        self.append(name, tar::EntryType::Regular, content.as_bytes());
    }

    fn append(&mut self, name: String, kind: tar::EntryType, content: &[u8]) {
        let mut head = tar::Header::new_gnu();
        head.set_entry_type(kind);
        head.set_mode(0o644);
        head.set_size(content.len() as u64);
        // Writing to memory cannot fail.
        let _ = self.tar.append_data(&mut head, name, content);
    }
}
