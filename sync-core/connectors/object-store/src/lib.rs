//! Files in a directory or an object store: JSON lines and Parquet as a [`Sink`](sync_core::Sink), their compaction, and
//! copies of the files that a source keeps.
//!
//! ```
//! # async fn example(directory: &str) -> sync_core::Result<()> {
//! use std::sync::Arc;
//! use sync_core::SystemClock;
//! use sync_object_store::{Compactor, FileSettings, FileSink, Place, StoreSettings};
//!
//! let place = Place::open(&format!("files:{directory}"), &StoreSettings::default())?;
//! let settings = FileSettings::default();
//! let sink = FileSink::new(place.clone(), settings.clone(), Arc::new(SystemClock));
//! // … a pipeline writes to it; now and then:
//! Compactor::new(place, settings, Arc::new(SystemClock)).compact_all().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What readers are promised
//!
//! ```text
//! <prefix>/<stream>/date_=2026-11-21/20261121T110445.123Z-0a1b2.parquet                    an interval
//! <prefix>/<stream>/date_=2026-11-22/20261122T020000.000Z-3c4d5.compact-00000001.parquet   a compaction
//! <prefix>/<stream>/_manifests/00000001.json                                              what it replaced
//! ```
//!
//! The stream's name is folded as [`column_name`](sync_core::table::column_name) does it. The date is the day (UTC) on
//! which the file was begun; readers that make a column of it call it `date_`, so that it hides no field named `date`. The
//! end of the name tells the format: `parquet`, `jsonl`, `jsonl.gz`, `jsonl.zst`; several can stand side by side.
//!
//! - **A file is there whole or not at all.** In a directory it has another name (ending in `#` and a number, which no
//!   pattern for the endings above matches) until it is synced, then it is renamed; an object store shows an object when it
//!   is complete. One file holds one flushed interval of one stream, so whoever lists a stream sees whole intervals. An
//!   interval of several streams appears stream by stream.
//! - **Of the rows with one `_key`, the one with the greatest (`_interval`, `_position`) holds.** `_interval` is the name of
//!   the file that the row was first written in. An interval sorts behind all that were published before it began, also
//!   when the clock is set back; of two processes that write one stream at the same time, either may win. If `_deleted_at`
//!   of the row that holds is set, the record is gone.
//! - **Duplicates are harmless.** Delivery is at least once: after a crash the same records can come again in another file.
//!   The rule above picks one.
//! - **Compaction changes no answer.** The manifest with the greatest number names the compacted files that count (`files`)
//!   and the files that they replace (`replaced`); every other file counts, unless its name says that it is compacted.
//!   Publishing a manifest is one step, so who reads it first and lists then sees the old files or the new one, never both
//!   and never neither. Look at the manifests again after listing, and start over if there is a new one. Replaced files stay
//!   for [`FileSettings::keep_replaced`] after that.
//! - **Manifests can be ignored** by a reader that takes every file that matches `<stream>/date_=*/*`: while a compacted
//!   file and those it replaces are both there, the rows in it are duplicates, and duplicates are harmless. Such a reader
//!   must be done within [`FileSettings::keep_replaced`] of its listing.
//!
//! With `DuckDB`:
//!
//! ```sql
//! SELECT * FROM read_parquet('s3://bucket/prefix/members/date_=*/*.parquet', union_by_name = true)
//! QUALIFY row_number() OVER (PARTITION BY _key ORDER BY _interval DESC, _position DESC) = 1
//!     AND _deleted_at IS NULL
//! ```
//!
//! # Rows
//!
//! | column | in Parquet | in JSON lines |
//! | --- | --- | --- |
//! | `_key` | text | string |
//! | `_interval`, `_position` | text, 64 bits | string, number |
//! | `_synced_at`, `_deleted_at` | timestamp, microseconds, UTC | string, RFC 3339 |
//! | one for each field, see [`sync_core::table`] | typed | not there |
//! | `_raw` | JSON text as it came | the object itself |
//!
//! The row of a removal has neither fields nor `_raw` in the file of its interval; in a compacted file it has those of the
//! record that was removed, if there still was one.
//!
//! Columns differ from file to file: a file has the declared fields of its stream and those that its own records brought. Read
//! by name and take what is missing as null. A column can also be wider in one file than in another, where a value did not
//! fit: number after integer, timestamp after date, text after anything. `DuckDB` takes the widest by itself
//! (`union_by_name`, seen with 2.0). For other readers give a schema, or compact: a compacted file has every column of the
//! files it replaces, each as wide as the widest.
//!
//! # What a killed process leaves
//!
//! Nothing that a reader counts. A directory can keep files whose names end in `#` and a number, which are deleted when they
//! are a day old: those of a stream by its compaction, those of copied files by the next copy that is made there (see
//! [`FileStore`]). An object store keeps the parts of an unfinished upload until a rule of the bucket removes
//! them: set one (`AbortIncompleteMultipartUpload` on S3).
//!
//! # A store by hand
//!
//! [`Place::on`] takes any [`object_store::ObjectStore`]. The features `aws`, `gcp` and `azure`, all on by default, decide which
//! schemes [`Place::open`] knows; the crate reads no environment, credentials come with [`StoreSettings`].

mod background;
mod compact;
mod encode;
mod error;
mod file_store;
mod layout;
mod newest;
mod place;
mod readback;
mod row;
mod settings;
mod sink;
mod snapshot;
mod unfinished;
mod upload;

pub use compact::{Compaction, Compactor};
pub use file_store::{FileStore, SourceFile, StoredFile};
/// The version of the crate that [`Place::on`] takes stores of.
pub use object_store;
pub use place::Place;
pub use readback::FileReadback;
pub use settings::{Compression, FileSettings, Format, StoreSettings};
pub use sink::FileSink;
