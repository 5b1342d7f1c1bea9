//! Parquet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chrono::NaiveDate;
use parquet::basic::{
    Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::{ColumnPath, Type};
use sync_core::table::{self, Column, Row as Shaped, Table, Value};
use sync_core::{FieldType, JsonRecord, Key, Rejection, Stream};
use tempfile::SpooledTempFile;

use super::{Declared, Stop};
use crate::row::{Row, Scratch};

/// Column of the interval that a row was written in.
const INTERVAL: &str = "_interval";
/// Column of the row's place in its interval.
const POSITION: &str = "_position";
/// Where a file keeps the declared fields of its stream, so that it can be compacted without them.
const STREAM: &str = "sync.stream";

/// Rows of a row group at most, however small they are: a reader takes a whole column of it at a time.
const MOST_ROWS: usize = 1 << 17;

type Writer = SerializedFileWriter<SpooledTempFile>;

/// A file while it is written, one row group after the other.
pub(super) struct RowGroups {
    stream: Arc<Stream>,
    scratch: Scratch,
    /// `None` before the first row: the columns are not known yet.
    writer: Option<Writer>,
    /// Rows of the largest group.
    largest: usize,
}

impl RowGroups {
    pub(super) fn new(stream: Arc<Stream>, scratch: Scratch) -> Self {
        Self {
            stream,
            scratch,
            writer: None,
            largest: 0,
        }
    }

    /// Adds a row group, or several if there are very many rows.
    pub(super) fn push(
        &mut self,
        rows: &[Row],
        table: &mut Table,
        rejected: &mut Vec<Rejection>,
    ) -> Result<(), Stop> {
        for group in rows.chunks(MOST_ROWS) {
            let shaped = table.shape(group.iter().map(|row| &row.record));
            rejected.extend(shaped.rejected);
            if !shaped.alterations.is_empty()
                && let Some(writer) = self.writer.take()
            {
                self.writer = Some(self.once_more(writer, table)?);
            }
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => self
                    .writer
                    .insert(open(&self.stream, table, &self.scratch)?),
            };
            write_group(writer, table, group, &shaped.rows)?;
            self.largest = self.largest.max(group.len());
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<SpooledTempFile, Stop> {
        Ok(match self.writer {
            Some(writer) => writer.into_inner()?,
            None => self.scratch.staged(),
        })
    }

    /// The same rows in a file with the columns that the table has by now. Rows that bring a column are rare once a stream
    /// has been read for a while, and each of them is met once.
    fn once_more(&self, writer: Writer, table: &mut Table) -> Result<Writer, Stop> {
        let written = writer.into_inner()?.into_file()?;
        let mut again = open(&self.stream, table, &self.scratch)?;
        let mut group = Vec::with_capacity(self.largest);
        let mut write = |group: &mut Vec<Row>| -> Result<(), Stop> {
            // The columns hold what is in these rows: nothing new is learned, and nothing is refused.
            let shaped = table.shape(group.iter().map(|row| &row.record));
            write_group(&mut again, table, group, &shaped.rows)?;
            drop(shaped);
            group.clear();
            Ok(())
        };
        decode(written, &self.stream, &mut |row: Row| {
            group.push(row);
            if group.len() >= self.largest {
                write(&mut group).map_err(Stop::into_io)?;
            }
            Ok(())
        })?;
        write(&mut group)?;
        Ok(again)
    }
}

fn open(stream: &Stream, table: &Table, scratch: &Scratch) -> Result<Writer, Stop> {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by("sync-object-store".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            STREAM.to_owned(),
            declaration(stream),
        )]))
        // Every value is another one: a dictionary would be built and thrown away.
        .set_column_dictionary_enabled(column(table::KEY), false)
        .set_column_dictionary_enabled(column(table::RAW), false)
        .set_column_statistics_enabled(column(table::RAW), EnabledStatistics::None)
        .set_column_dictionary_enabled(column(POSITION), false)
        .set_column_encoding(column(POSITION), Encoding::DELTA_BINARY_PACKED);
    for text in table.columns() {
        if matches!(text.holds, FieldType::Text | FieldType::Json) {
            // Rows are not sorted by any of these, so the least and the greatest value of a group leave out no reader's group.
            properties = properties
                .set_column_statistics_enabled(column(&text.name), EnabledStatistics::None);
        }
    }
    let schema = schema(table)?;
    Ok(SerializedFileWriter::new(
        scratch.staged(),
        Arc::new(schema),
        Arc::new(properties.build()),
    )?)
}

fn schema(table: &Table) -> Result<Type, ParquetError> {
    let micros = || Some(LogicalType::timestamp(true, TimeUnit::MICROS));
    let (required, optional) = (Repetition::REQUIRED, Repetition::OPTIONAL);
    let text = Some(LogicalType::String);
    let mut fields = vec![
        leaf(table::KEY, Physical::BYTE_ARRAY, text.clone(), required)?,
        leaf(INTERVAL, Physical::BYTE_ARRAY, text, required)?,
        leaf(POSITION, Physical::INT64, None, required)?,
        leaf(table::SYNCED_AT, Physical::INT64, micros(), required)?,
        leaf(table::DELETED_AT, Physical::INT64, micros(), optional)?,
    ];
    for column in table.columns() {
        let (physical, logical) = match column.holds {
            FieldType::Boolean => (Physical::BOOLEAN, None),
            FieldType::Integer => (Physical::INT64, None),
            FieldType::Number => (Physical::DOUBLE, None),
            FieldType::Date => (Physical::INT32, Some(LogicalType::Date)),
            FieldType::Timestamp => (Physical::INT64, micros()),
            FieldType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            FieldType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        };
        fields.push(leaf(&column.name, physical, logical, optional)?);
    }
    let json = Some(LogicalType::Json);
    fields.push(leaf(table::RAW, Physical::BYTE_ARRAY, json, optional)?);
    let fields = fields.into_iter().map(Arc::new).collect();
    Type::group_type_builder(table.name())
        .with_fields(fields)
        .build()
}

fn leaf(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
    repetition: Repetition,
) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .build()
}

type Group<'w> = SerializedRowGroupWriter<'w, SpooledTempFile>;

/// Writes a row group, unless there are no rows.
fn write_group(
    writer: &mut Writer,
    table: &Table,
    group: &[Row],
    shaped: &[Shaped<'_>],
) -> Result<(), ParquetError> {
    if shaped.is_empty() {
        return Ok(());
    }
    let mut group_writer = writer.next_row_group()?;
    let to = &mut group_writer;
    // What was refused is missing in `shaped`; all else is in the same order.
    let mut all = group.iter();
    let rows: Vec<&Row> = shaped
        .iter()
        .filter_map(|shaped| all.find(|row| std::ptr::eq(&raw const row.record, shaped.record)))
        .collect();
    let of_text = |text: &str| ByteArray::from(Bytes::copy_from_slice(text.as_bytes()));
    required::<ByteArrayType>(to, rows.iter().map(|row| of_text(row.record.key.as_str())))?;
    required::<ByteArrayType>(to, rows.iter().map(|row| of_text(&row.interval)))?;
    required::<Int64Type>(
        to,
        rows.iter()
            .map(|row| i64::try_from(row.position).unwrap_or(i64::MAX)),
    )?;
    required::<Int64Type>(to, rows.iter().map(|row| row.synced_at))?;
    optional::<Int64Type>(to, rows.iter().map(|row| row.deleted_at))?;
    for (place, column) in table.columns().iter().enumerate() {
        // A removed record has no values.
        let values = shaped
            .iter()
            .map(|row| (row.record, row.values.get(place).unwrap_or(&Value::Null)));
        match column.holds {
            FieldType::Boolean => optional::<BoolType>(
                to,
                values.map(|(_, value)| match value {
                    Value::Boolean(value) => Some(*value),
                    _ => None,
                }),
            ),
            FieldType::Integer => optional::<Int64Type>(
                to,
                values.map(|(_, value)| match value {
                    Value::Integer(value) => Some(*value),
                    _ => None,
                }),
            ),
            FieldType::Number => optional::<DoubleType>(
                to,
                values.map(|(_, value)| match value {
                    Value::Number(value) => Some(*value),
                    _ => None,
                }),
            ),
            FieldType::Date => optional::<Int32Type>(
                to,
                values.map(|(_, value)| match value {
                    Value::Date(value) => days(*value),
                    _ => None,
                }),
            ),
            FieldType::Timestamp => optional::<Int64Type>(
                to,
                values.map(|(_, value)| match value {
                    Value::Timestamp(value) => Some(value.timestamp_micros()),
                    _ => None,
                }),
            ),
            FieldType::Text | FieldType::Json => optional::<ByteArrayType>(
                to,
                values.map(|(record, value)| match value {
                    Value::Text(text) | Value::Json(text) => {
                        Some(ByteArray::from(shared(&record.data, text)))
                    }
                    _ => None,
                }),
            ),
        }?;
    }
    optional::<ByteArrayType>(
        to,
        rows.iter()
            .map(|row| (!row.record.removed).then(|| ByteArray::from(row.record.data.clone()))),
    )?;
    group_writer.close()?;
    Ok(())
}

fn required<T: DataType>(
    to: &mut Group<'_>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    column::<T>(to, &values.collect::<Vec<_>>(), None)
}

fn optional<T: DataType>(
    to: &mut Group<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let mut present = Vec::new();
    let levels: Vec<i16> = values
        .map(|value| match value {
            Some(value) => {
                present.push(value);
                1
            }
            None => 0,
        })
        .collect();
    column::<T>(to, &present, Some(&levels))
}

fn column<T: DataType>(
    to: &mut Group<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = to
        .next_column()?
        .ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Text as a part of the record it was read from, where it is one: nothing is copied then.
fn shared(record: &Bytes, text: &str) -> Bytes {
    let (start, at) = (record.as_ptr() as usize, text.as_ptr() as usize);
    match at.checked_sub(start) {
        Some(offset) if offset + text.len() <= record.len() => {
            record.slice(offset..offset + text.len())
        }
        _ => Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn days(day: NaiveDate) -> Option<i32> {
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

fn declaration(stream: &Stream) -> String {
    let fields: BTreeMap<String, &str> = stream
        .fields()
        .iter()
        .map(|field| (field.path.join("."), field.holds.as_str()))
        .collect();
    serde_json::json!({"name": &**stream.name(), "fields": fields}).to_string()
}

fn declared(text: &str) -> Option<Stream> {
    #[derive(serde::Deserialize)]
    struct Declaration {
        name: String,
        fields: BTreeMap<String, String>,
    }
    let declaration: Declaration = serde_json::from_str(text).ok()?;
    let stream = Stream::new(declaration.name);
    Some(
        declaration
            .fields
            .iter()
            .fold(stream, |stream, (path, holds)| {
                match FIELD_TYPES.iter().find(|known| known.as_str() == holds) {
                    Some(holds) => stream.with(path, *holds),
                    None => stream,
                }
            }),
    )
}

const FIELD_TYPES: [FieldType; 7] = [
    FieldType::Boolean,
    FieldType::Integer,
    FieldType::Number,
    FieldType::Date,
    FieldType::Timestamp,
    FieldType::Text,
    FieldType::Json,
];

pub(super) fn decode(
    file: File,
    stream: &Arc<Stream>,
    each: &mut impl FnMut(Row) -> io::Result<()>,
) -> Result<Declared, Stop> {
    let reader = SerializedFileReader::new(file)?;
    let about = reader.metadata().file_metadata();
    let metadata = about.key_value_metadata();
    let found = Declared {
        stream: metadata
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == STREAM))
            .and_then(|pair| declared(pair.value.as_deref()?)),
        columns: columns(about.schema()),
    };
    let ours = [
        table::KEY,
        INTERVAL,
        POSITION,
        table::SYNCED_AT,
        table::DELETED_AT,
        table::RAW,
    ];
    let wanted = about.schema().get_fields().iter();
    let wanted: Vec<_> = wanted
        .filter(|field| ours.contains(&field.name()))
        .cloned()
        .collect();
    if wanted.len() != ours.len() {
        return Err(Stop::Io(io::ErrorKind::InvalidData.into()));
    }
    let wanted = Type::group_type_builder(about.schema().name())
        .with_fields(wanted)
        .build()?;
    for row in RowIter::from_file_into(Box::new(reader)).project(Some(wanted))? {
        let mut row = row?.into_columns().into_iter().map(|(_, field)| field);
        let mut next = || row.next().unwrap_or(Field::Null);
        let row = match (next(), next(), next(), next(), next(), next()) {
            (
                Field::Str(key),
                Field::Str(interval),
                Field::Long(position),
                Field::TimestampMicros(synced_at),
                deleted_at,
                raw @ (Field::Str(_) | Field::Null),
            ) => {
                let data = match raw {
                    Field::Str(raw) => Bytes::from(raw),
                    _ => Bytes::new(),
                };
                Row {
                    record: JsonRecord {
                        stream: stream.clone(),
                        key: Key::new(key),
                        removed: data.is_empty(),
                        data,
                    },
                    interval: interval.into(),
                    position: u64::try_from(position).unwrap_or_default(),
                    synced_at,
                    deleted_at: match deleted_at {
                        Field::TimestampMicros(at) => Some(at),
                        _ => None,
                    },
                    compacted: false,
                }
            }
            _ => return Err(Stop::Io(io::ErrorKind::InvalidData.into())),
        };
        each(row)?;
    }
    Ok(found)
}

/// The columns of fields in a file of ours.
fn columns(schema: &Type) -> Vec<Column> {
    let fields = schema.get_fields().iter();
    fields
        .filter(|field| field.is_primitive() && !field.name().starts_with('_'))
        .filter_map(|field| {
            let logical = field.get_basic_info().logical_type_ref();
            let holds = match (field.get_physical_type(), logical) {
                (Physical::BOOLEAN, _) => FieldType::Boolean,
                (Physical::INT64, None) => FieldType::Integer,
                (Physical::DOUBLE, _) => FieldType::Number,
                (Physical::INT32, Some(LogicalType::Date)) => FieldType::Date,
                (Physical::INT64, Some(LogicalType::Timestamp(_))) => FieldType::Timestamp,
                (Physical::BYTE_ARRAY, Some(LogicalType::String)) => FieldType::Text,
                (Physical::BYTE_ARRAY, Some(LogicalType::Json)) => FieldType::Json,
                _ => return None,
            };
            Some(Column {
                name: field.name().to_owned(),
                holds,
            })
        })
        .collect()
}
