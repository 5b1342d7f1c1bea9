//! The streams `files` and `account_exports`, with a copy of each file at a place of our own.

use std::fmt;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use mailchimp_client::{Client, DownloadOptions};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sync_core::{
    AsJson, Batch, BatchReader, Change, Error, ErrorKind, Key, Keyed, PartFailure, Position,
    Result, Source,
};
use sync_mailchimp::catalogue::{StreamRecord, StreamSource};
use sync_object_store::{FileStore, SourceFile, StoredFile};

/// Files copied at once.
const AT_ONCE: usize = 4;

/// The records of a stream, with `copy_url`, `copy_sha256` and `copy_size` where a copy could be made.
///
/// A file that cannot be copied is a part that failed: its record goes without these fields, and each later run that reads
/// it tries again. A copy that is there is not made again.
pub(crate) struct CopiedFiles {
    inner: StreamSource,
    copier: Copier,
}

#[derive(Clone)]
struct Copier {
    client: Client,
    store: FileStore,
    of: FilesOf,
}

/// The streams whose records have a file each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilesOf {
    Files,
    AccountExports,
}

impl FilesOf {
    /// What is to be copied of a stream; `None` if there is nothing.
    pub(crate) fn stream(name: &str) -> Option<Self> {
        match name {
            "files" => Some(Self::Files),
            "account_exports" => Some(Self::AccountExports),
            _ => None,
        }
    }
}

/// A file at its host.
struct Found {
    url: String,
    file: SourceFile,
}

/// What the API says of an export.
#[derive(Deserialize)]
struct ExportRow {
    #[serde(default)]
    download_url: Option<String>,
    #[serde(default)]
    finished: Option<String>,
}

/// What the API says of a file.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    full_size_url: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    created_at: String,
}

impl CopiedFiles {
    pub(crate) fn new(inner: StreamSource, client: Client, store: FileStore, of: FilesOf) -> Self {
        Self {
            inner,
            copier: Copier { client, store, of },
        }
    }
}

impl Copier {
    /// The record with its copy, and why there is none.
    async fn copied(&self, record: StreamRecord) -> (StreamRecord, Option<PartFailure>) {
        match self.copy(&record).await {
            Ok(None) => (record, None),
            Ok(Some(copy)) => {
                let record = record
                    .with("copy_url", &json!(copy.url))
                    .with("copy_sha256", &json!(copy.sha256))
                    .with("copy_size", &json!(copy.size));
                (record, None)
            }
            Err(error) => {
                let failure = PartFailure {
                    part: format!("copy of file {}", record.key()),
                    error,
                };
                (record, Some(failure))
            }
        }
    }

    /// The copy, made now unless it is there; `None` if the file has no address.
    async fn copy(&self, record: &StreamRecord) -> Result<Option<StoredFile>> {
        let Some(Found { url, file }) = self.of.find(record)? else {
            return Ok(None);
        };
        if let Some(copy) = self.store.has(&file.id, &file.version).await? {
            return Ok(Some(copy));
        }
        let options = DownloadOptions {
            expected_bytes: file.size,
            ..DownloadOptions::default()
        };
        let download = self.client.download(&url, &options).await;
        let chunks = download.map_err(failed)?.into_stream();
        let chunks = chunks.map(|chunk| chunk.map_err(failed));
        self.store.put(&file, chunks).await.map(Some)
    }
}

impl FilesOf {
    /// The file of a record, if it has one by now.
    fn find(self, record: &StreamRecord) -> Result<Option<Found>> {
        match self {
            Self::Files => {
                let row: Row = parsed(record)?;
                let file = SourceFile {
                    id: record.key().as_str().to_owned(),
                    // The API tells no time of change and no checksum; an image that is edited gets another address.
                    version: Value::from(vec![row.full_size_url.clone(), row.created_at])
                        .to_string(),
                    name: Some(row.name).filter(|name| !name.is_empty()),
                    content_type: None,
                    size: row.size,
                };
                let url = row.full_size_url;
                Ok((!url.is_empty()).then_some(Found { url, file }))
            }
            Self::AccountExports => {
                let row: ExportRow = parsed(record)?;
                let url = row.download_url.filter(|url| !url.is_empty());
                let finished = row.finished.filter(|finished| !finished.is_empty());
                let file = SourceFile {
                    // Its number may be that of a file, too.
                    id: format!("account_exports:{}", record.key()),
                    // Not its address: that is signed, and may be signed anew.
                    version: finished.clone().unwrap_or_default(),
                    name: Some("export.zip".to_owned()),
                    content_type: Some("application/zip".to_owned()),
                    // What the API tells is the size of what is in it.
                    size: None,
                };
                Ok(finished.and(url).map(|url| Found { url, file }))
            }
        }
    }
}

fn parsed<T: DeserializeOwned>(record: &StreamRecord) -> Result<T> {
    serde_json::from_slice(&record.as_json()).map_err(|cause| {
        let message = "the record of the file is not as documented";
        Error::new(ErrorKind::Invalid, "copy file", message).caused_by(cause)
    })
}

/// A download that failed. The client's messages hold no address of a file.
fn failed(cause: mailchimp_client::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "copy file",
        "it could not be downloaded",
    )
    .caused_by(cause)
}

#[async_trait]
impl Source for CopiedFiles {
    type Record = StreamRecord;

    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<StreamRecord>>>> {
        Ok(Box::new(Reader {
            inner: self.inner.read(from)?,
            copier: self.copier.clone(),
            held: None,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<StreamRecord>>> {
        let mut found = Vec::with_capacity(keys.len());
        for record in self.inner.fetch(keys).await? {
            found.push(match record {
                Some(record) => Some(self.copier.copied(record).await.0),
                None => None,
            });
        }
        Ok(found)
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        self.inner.keys()
    }
}

struct Reader {
    inner: Box<dyn BatchReader<Change<StreamRecord>>>,
    copier: Copier,
    /// A batch that was read and not handed over, because the call was dropped while files were copied.
    held: Option<Batch<Change<StreamRecord>>>,
}

#[async_trait]
impl BatchReader<Change<StreamRecord>> for Reader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<StreamRecord>>>> {
        if self.held.is_none() {
            self.held = self.inner.next_batch().await?;
        }
        let Some(batch) = &self.held else {
            return Ok(None);
        };
        let copier = &self.copier;
        let done: Vec<(Change<StreamRecord>, Option<PartFailure>)> =
            stream::iter(batch.items.clone())
                .map(|change| async move {
                    match change {
                        Change::Present(record) => {
                            let (record, failure) = copier.copied(record).await;
                            (Change::Present(record), failure)
                        }
                        removed @ Change::Removed(_) => (removed, None),
                    }
                })
                .buffered(AT_ONCE)
                .collect()
                .await;
        Ok(self.held.take().map(|batch| {
            let (items, failed): (Vec<_>, Vec<_>) = done.into_iter().unzip();
            let mut failures = batch.failures;
            failures.extend(failed.into_iter().flatten());
            Batch {
                items,
                resume: batch.resume,
                failures,
                expected_total: batch.expected_total,
            }
        }))
    }
}

impl fmt::Debug for CopiedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopiedFiles")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
