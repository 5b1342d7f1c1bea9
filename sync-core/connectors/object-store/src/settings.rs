//! What can be set.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use sync_core::{Error, ErrorKind, Result};
use url::Url;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// A line of JSON for each record.
    Jsonl(Compression),
    /// Parquet with typed columns, compressed with zstd.
    Parquet,
}

/// How lines are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, for readers that know nothing better.
    Gzip,
    /// Zstandard: smaller and several times faster than gzip.
    Zstd,
}

impl Format {
    const ALL: [Self; 4] = [
        Self::Parquet,
        Self::Jsonl(Compression::Zstd),
        Self::Jsonl(Compression::Gzip),
        Self::Jsonl(Compression::None),
    ];

    /// The end of a file's name, which also names the format in settings: `parquet`, `jsonl`, `jsonl.gz`, `jsonl.zst`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Jsonl(Compression::None) => "jsonl",
            Self::Jsonl(Compression::Gzip) => "jsonl.gz",
            Self::Jsonl(Compression::Zstd) => "jsonl.zst",
        }
    }

    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.extension() == extension)
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::of_extension(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "read settings",
                "no such file format; there are parquet, jsonl, jsonl.gz and jsonl.zst",
            )
        })
    }
}

/// How the sink and the compaction work.
#[derive(Clone, Debug)]
pub struct FileSettings {
    /// What is written. Default [`Format::Parquet`]. Files of other formats that are there stay readable, and compaction
    /// turns them into this one.
    pub format: Format,
    /// Bytes of records kept in memory, all streams of a sink together. A quarter of it makes a row group of the sink's
    /// Parquet files, before compression, which is encoded while the next one gathers. A compaction keeps as much, and the
    /// row groups of its file are that large. Default 32 MiB.
    pub memory: usize,
    /// Directory for what does not fit into memory. It holds at most one encoded interval, or all records of one stream
    /// while that is compacted, and nothing after a crash. Default: the system's directory for temporary files.
    pub scratch: Option<PathBuf>,
    /// How long compaction leaves files that it has replaced, for readers that listed them before. Default one hour.
    pub keep_replaced: Duration,
    /// How old a removal must be for compaction to drop its row. Default 30 days.
    pub keep_removals: Duration,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            format: Format::Parquet,
            memory: 32 << 20,
            scratch: None,
            keep_replaced: Duration::from_secs(3600),
            keep_removals: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// How an object store is reached. A directory needs none of it.
#[derive(Clone)]
pub struct StoreSettings {
    /// Where the store answers, if not at its usual address: for stores that speak the protocol of S3, and for tests.
    pub endpoint: Option<Url>,
    /// Whether an endpoint may be plain http on another host than this one. Default no.
    pub allow_http: bool,
    /// The region of the bucket (S3).
    pub region: Option<String>,
    /// Credentials and whatever else the store wants, by the names that the `object_store` crate documents for its
    /// builders: `aws_access_key_id`, `google_service_account_key`, `azure_storage_account_name` …. Without any, S3, Google and
    /// Azure are asked with the machine's own identity.
    pub options: BTreeMap<String, SecretString>,
    /// How often a request is repeated that fails for a passing reason. Default 10, over at most six minutes.
    pub retries: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            allow_http: false,
            region: None,
            options: BTreeMap::new(),
            retries: 10,
        }
    }
}

/// Shows the names of the options, not their values.
impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSettings")
            .field("endpoint", &self.endpoint.as_ref().map(Url::host_str))
            .field("allow_http", &self.allow_http)
            .field("region", &self.region)
            .field("options", &self.options.keys())
            .field("retries", &self.retries)
            .finish()
    }
}
