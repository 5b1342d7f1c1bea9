//! Rows into files, and files into rows.

mod lines;
mod parquet;

use std::fs::File;
use std::io;
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use sync_core::table::{Column, Table};
use sync_core::{Error, ErrorKind, Rejection, Result, Stream};
use tempfile::SpooledTempFile;

use crate::error::{damaged, from_io};
use crate::row::{Row, Rows, Scratch};
use crate::settings::Format;

const ENCODING: &str = "encode records";
/// A file grows in memory or in the scratch directory: what the disk says, it says of that.
const SPOOLING: &str = "encode records in the scratch directory";

/// A finished file that nobody sees yet.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: SpooledTempFile,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Records that are none.
    pub(crate) rejected: Vec<Rejection>,
    /// What was learned about the columns.
    pub(crate) table: Table,
}

/// A file of one stream's rows while it is written, in the scratch directory once it is big. Everything about it blocks.
pub(crate) struct Encoder {
    to: To,
    rejected: Vec<Rejection>,
    rows: u64,
    table: Table,
}

enum To {
    Lines(lines::Lines),
    Parquet(parquet::RowGroups),
}

impl Encoder {
    /// An empty file. `table` says which columns it has at least, and learns those that the records bring.
    pub(crate) fn new(format: Format, stream: Arc<Stream>, table: Table, scratch: Scratch) -> Self {
        Self {
            to: match format {
                Format::Jsonl(compression) => To::Lines(lines::Lines::new(compression, scratch)),
                Format::Parquet => To::Parquet(parquet::RowGroups::new(stream, scratch)),
            },
            rejected: Vec::new(),
            rows: 0,
            table,
        }
    }

    /// Adds rows behind the others; in Parquet they are a row group.
    ///
    /// # Errors
    /// When they cannot be encoded or the scratch directory does not take them. Then the file is of no more use.
    pub(crate) fn push(&mut self, rows: &[Row]) -> Result<()> {
        self.add(rows).map_err(Stop::into_error)
    }

    /// Adds many rows, in groups of about `limit` bytes.
    ///
    /// # Errors
    /// Those of [`push`](Self::push), and when the rows cannot be read.
    pub(crate) fn push_all(&mut self, rows: &mut impl Rows, limit: usize) -> Result<()> {
        rows.groups(limit, |group| self.add(group))
            .map_err(Stop::into_error)
    }

    fn add(&mut self, rows: &[Row]) -> std::result::Result<(), Stop> {
        let rejected = &mut self.rejected;
        let before = rejected.len();
        match &mut self.to {
            To::Lines(lines) => lines.push(rows, rejected)?,
            To::Parquet(groups) => groups.push(rows, &mut self.table, rejected)?,
        }
        self.rows += (rows.len() + before - rejected.len()) as u64;
        Ok(())
    }

    /// The whole file.
    pub(crate) fn finish(self) -> Result<Encoded> {
        let bytes = match self.to {
            To::Lines(lines) => lines.finish().map_err(Stop::Io),
            To::Parquet(groups) => groups.finish(),
        };
        Ok(Encoded {
            bytes: bytes.map_err(Stop::into_error)?,
            rows: self.rows,
            rejected: self.rejected,
            table: self.table,
        })
    }

    /// What was learned about the columns.
    pub(crate) fn into_table(self) -> Table {
        self.table
    }
}

/// What a file is made of beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// The declared fields of its stream, if the file says so.
    pub(crate) stream: Option<Stream>,
    /// Its columns of fields.
    pub(crate) columns: Vec<Column>,
}

/// Gives every row of a file. Blocks.
///
/// # Errors
/// When the file is damaged or cannot be read, and whatever `each` says.
pub(crate) fn decode(
    format: Format,
    file: File,
    path: &str,
    stream: &Arc<Stream>,
    mut each: impl FnMut(Row) -> io::Result<()>,
) -> Result<Declared> {
    let done = match format {
        Format::Jsonl(compression) => lines::decode(compression, file, stream, &mut each)
            .map(|()| Declared::default())
            .map_err(Stop::Io),
        Format::Parquet => parquet::decode(file, stream, &mut each),
    };
    done.map_err(|stop| match stop {
        Stop::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            from_io("read data file", &error).with("path", path)
        }
        _ => damaged("read data file", path),
    })
}

/// Why encoding or decoding did not come to its end.
#[derive(Debug)]
enum Stop {
    Io(io::Error),
    Parquet(ParquetError),
}

impl Stop {
    /// Why encoding failed.
    fn into_error(self) -> Error {
        let refused = Error::new(
            ErrorKind::Invalid,
            ENCODING,
            "the records cannot be written as parquet",
        );
        match self {
            Self::Io(error) => from_io(SPOOLING, &error),
            Self::Parquet(ParquetError::External(cause)) => match cause.downcast::<io::Error>() {
                Ok(error) => from_io(SPOOLING, &error),
                Err(cause) => refused.caused_by(cause),
            },
            Self::Parquet(error) => refused.caused_by(error),
        }
    }

    /// For those who can only pass on what the disk says.
    fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            Self::Parquet(error) => io::Error::other(error),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ParquetError> for Stop {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// The words of a [`Table`] for a record that is none.
const NO_OBJECT: &str = "the record is not a JSON object";
