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

/// A finished file that nobody sees yet.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: SpooledTempFile,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Records that are none.
    pub(crate) rejected: Vec<Rejection>,
}

/// Writes rows of one stream into a file. Blocks.
///
/// `table` learns the columns that the records bring. `memory` is about how many bytes of records are taken at a time.
pub(crate) fn encode(
    format: Format,
    stream: &Stream,
    rows: &mut impl Rows,
    table: &mut Table,
    memory: usize,
    scratch: &Scratch,
) -> Result<Encoded> {
    let done = match format {
        Format::Jsonl(compression) => lines::encode(compression, rows, memory, scratch),
        Format::Parquet => loop {
            match parquet::encode(stream, rows, table, memory, scratch) {
                // A later row needs a column that the first rows were written without. The table knows it now, and can
                // learn only so many times.
                Err(Stop::Widened) => {}
                done => break done,
            }
        },
    };
    done.map_err(|stop| {
        let refused = Error::new(
            ErrorKind::Invalid,
            ENCODING,
            "the records cannot be written as parquet",
        );
        match stop {
            Stop::Io(error) => from_io(ENCODING, &error),
            Stop::Parquet(ParquetError::External(cause)) => match cause.downcast::<io::Error>() {
                Ok(error) => from_io(ENCODING, &error),
                Err(cause) => refused.caused_by(cause),
            },
            Stop::Parquet(error) => refused.caused_by(error),
            Stop::Widened => refused,
        }
    })
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
    Widened,
    Io(io::Error),
    Parquet(ParquetError),
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
