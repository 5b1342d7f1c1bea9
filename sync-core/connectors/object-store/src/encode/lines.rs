//! Lines of JSON.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sync_core::{JsonRecord, Key, Rejection, Stream};
use tempfile::SpooledTempFile;

use super::NO_OBJECT;
use crate::row::{Row, Scratch};
use crate::settings::Compression;

/// Level of zstd: its default.
const ZSTD: i32 = 3;

/// One line.
#[derive(Serialize, Deserialize)]
struct Line<'l> {
    #[serde(rename = "_key", borrow)]
    key: Cow<'l, str>,
    #[serde(rename = "_interval", borrow)]
    interval: Cow<'l, str>,
    #[serde(rename = "_position")]
    position: u64,
    #[serde(rename = "_synced_at", borrow)]
    synced_at: Cow<'l, str>,
    #[serde(rename = "_deleted_at", borrow)]
    deleted_at: Option<Cow<'l, str>>,
    #[serde(rename = "_raw", borrow)]
    raw: Option<&'l RawValue>,
}

enum Writer {
    Plain(BufWriter<SpooledTempFile>),
    Gzip(GzEncoder<SpooledTempFile>),
    Zstd(zstd::Encoder<'static, SpooledTempFile>),
}

impl Writer {
    fn new(compression: Compression, scratch: &Scratch) -> io::Result<Self> {
        let staged = scratch.staged();
        Ok(match compression {
            Compression::None => Self::Plain(BufWriter::with_capacity(1 << 16, staged)),
            Compression::Gzip => Self::Gzip(GzEncoder::new(staged, flate2::Compression::new(6))),
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(staged, ZSTD)?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.write_all(bytes),
            Self::Gzip(to) => to.write_all(bytes),
            Self::Zstd(to) => to.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<SpooledTempFile> {
        match self {
            Self::Plain(to) => to.into_inner().map_err(io::IntoInnerError::into_error),
            Self::Gzip(to) => to.finish(),
            Self::Zstd(to) => to.finish(),
        }
    }
}

/// A file of lines while it is written.
pub(super) struct Lines {
    compression: Compression,
    scratch: Scratch,
    /// `None` before the first row.
    writer: Option<Writer>,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn new(compression: Compression, scratch: Scratch) -> Self {
        Self {
            compression,
            scratch,
            writer: None,
            line: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, rows: &[Row], rejected: &mut Vec<Rejection>) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self
                .writer
                .insert(Writer::new(self.compression, &self.scratch)?),
        };
        for row in rows {
            self.line.clear();
            if push_line(&mut self.line, row) {
                writer.write_all(&self.line)?;
            } else {
                rejected.push(Rejection {
                    key: row.record.key.clone(),
                    reason: NO_OBJECT.to_owned(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<SpooledTempFile> {
        match self.writer {
            Some(writer) => writer.finish(),
            None => Ok(self.scratch.staged()),
        }
    }
}

/// Whether the record is one and its line was added.
fn push_line(line: &mut Vec<u8>, row: &Row) -> bool {
    let raw = if row.record.removed {
        None
    } else {
        match serde_json::from_slice::<&RawValue>(&row.record.data) {
            Ok(raw) if raw.get().starts_with('{') => Some(raw),
            _ => return false,
        }
    };
    let content = Line {
        key: row.record.key.as_str().into(),
        interval: (&*row.interval).into(),
        position: row.position,
        synced_at: moment(row.synced_at).into(),
        deleted_at: row.deleted_at.map(|at| moment(at).into()),
        raw,
    };
    // Writing such a value into memory cannot fail.
    let written = serde_json::to_writer(&mut *line, &content).is_ok();
    // Valid JSON holds a raw line break only between tokens, where a space is the same.
    for byte in &mut *line {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line.push(b'\n');
    written
}

fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn micros(moment: &str) -> io::Result<i64> {
    match DateTime::parse_from_rfc3339(moment) {
        Ok(moment) => Ok(moment.with_timezone(&Utc).timestamp_micros()),
        Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

pub(super) fn decode(
    compression: Compression,
    file: File,
    stream: &Arc<Stream>,
    each: &mut impl FnMut(Row) -> io::Result<()>,
) -> io::Result<()> {
    let mut reader: Box<dyn BufRead> = match compression {
        Compression::None => Box::new(BufReader::with_capacity(1 << 16, file)),
        Compression::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Compression::Zstd => Box::new(BufReader::new(zstd::Decoder::new(file)?)),
    };
    let mut text = Vec::new();
    loop {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(torn)? == 0 {
            return Ok(());
        }
        if text.pop() != Some(b'\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let line: Line<'_> = serde_json::from_slice(&text)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let data = line.raw.map_or_else(Bytes::new, |raw| {
            Bytes::copy_from_slice(raw.get().as_bytes())
        });
        each(Row {
            record: JsonRecord {
                stream: stream.clone(),
                key: Key::new(&*line.key),
                data,
                removed: line.raw.is_none(),
            },
            interval: line.interval.into(),
            position: line.position,
            synced_at: micros(&line.synced_at)?,
            deleted_at: line.deleted_at.as_deref().map(micros).transpose()?,
            compacted: false,
        })?;
    }
}

/// A decoder says in many ways that its input is not what it should be.
fn torn(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            io::ErrorKind::InvalidData.into()
        }
        _ => error,
    }
}
