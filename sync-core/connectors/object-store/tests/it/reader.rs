//! A reader that knows nothing but the documented contract: which files count, and which row of a key holds. It uses none of
//! the crate's own code.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use futures::TryStreamExt;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;
use sync_object_store::object_store::path::Path;
use sync_object_store::object_store::{ObjectStore, ObjectStoreExt};

/// A row, whatever the format of its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenRow {
    pub(crate) key: String,
    pub(crate) order: (String, u64),
    pub(crate) removed: bool,
    pub(crate) raw: Option<Value>,
}

/// Every object below `prefix` with its content, except those of `_index`.
pub(crate) async fn objects(store: &dyn ObjectStore, prefix: &str) -> BTreeMap<String, Bytes> {
    let root = Path::from(prefix);
    let listed: Vec<_> = store.list(Some(&root)).try_collect().await.expect("a list");
    let mut found = BTreeMap::new();
    for object in listed {
        let bytes = store.get(&object.location).await.expect("an object");
        let path = object.location.to_string();
        let relative = path.strip_prefix(prefix).unwrap_or(&path).trim_matches('/');
        found.insert(relative.to_owned(), bytes.bytes().await.expect("bytes"));
    }
    found
}

/// The rows of the files that count, by the manifest.
pub(crate) fn counted(objects: &BTreeMap<String, Bytes>, stream: &str) -> Vec<SeenRow> {
    let of_stream = |folder: &str| format!("{stream}/{folder}");
    let manifests = objects.range(of_stream("_manifests/")..of_stream("_manifests0"));
    let manifest: Option<Value> = manifests
        .last()
        .map(|(_, text)| serde_json::from_slice(text).expect("a manifest"));
    let counts = |path: &str| match &manifest {
        None => !path.contains(".compact-"),
        Some(manifest) if path.contains(".compact-") => manifest["files"]
            .as_array()
            .expect("files")
            .iter()
            .any(|file| file == path),
        Some(manifest) => manifest["replaced"].get(path).is_none(),
    };
    let files = files(objects, stream);
    let files = files.filter(|(path, _)| counts(path.split_once('/').expect("a folder").1));
    files.flat_map(|(path, bytes)| rows(path, bytes)).collect()
}

/// The rows of every file, as a reader sees them that ignores manifests.
pub(crate) fn every(objects: &BTreeMap<String, Bytes>, stream: &str) -> Vec<SeenRow> {
    files(objects, stream)
        .flat_map(|(path, bytes)| rows(path, bytes))
        .collect()
}

fn files<'o>(
    objects: &'o BTreeMap<String, Bytes>,
    stream: &str,
) -> impl Iterator<Item = (&'o String, &'o Bytes)> {
    objects.range(format!("{stream}/date_=")..format!("{stream}/date_>"))
}

/// The newest row of each key that is not gone.
pub(crate) fn newest(rows: Vec<SeenRow>) -> BTreeMap<String, SeenRow> {
    let mut newest: BTreeMap<String, SeenRow> = BTreeMap::new();
    for row in rows {
        match newest.get(&row.key) {
            Some(known) if known.order >= row.order => {}
            _ => {
                newest.insert(row.key.clone(), row);
            }
        }
    }
    newest.retain(|_, row| !row.removed);
    newest
}

/// The rows of one file.
pub(crate) fn rows(path: &str, bytes: &Bytes) -> Vec<SeenRow> {
    if path.ends_with(".parquet") {
        return parquet_rows(bytes.clone());
    }
    let text = match path.rsplit_once('.').expect("an ending").1 {
        "gz" => {
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
            decoder.read_to_string(&mut text).expect("gzip");
            text
        }
        "zst" => String::from_utf8(zstd::decode_all(&bytes[..]).expect("zstd")).expect("text"),
        _ => String::from_utf8(bytes.to_vec()).expect("text"),
    };
    assert!(text.ends_with('\n'), "the last line is whole");
    let line = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("each line is JSON");
        SeenRow {
            key: row["_key"].as_str().expect("a key").to_owned(),
            order: (
                row["_interval"].as_str().expect("an interval").to_owned(),
                row["_position"].as_u64().expect("a position"),
            ),
            removed: !row["_deleted_at"].is_null(),
            raw: Some(row["_raw"].clone()).filter(|raw| !raw.is_null()),
        }
    };
    text.lines().map(line).collect()
}

/// The columns and rows of a Parquet file as JSON, as the record reader of the `parquet` crate gives them.
pub(crate) fn parquet_json(bytes: Bytes) -> Vec<BTreeMap<String, parquet::record::Field>> {
    let reader = SerializedFileReader::new(bytes).expect("a Parquet file");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| row.expect("a row").into_columns().into_iter().collect())
        .collect()
}

fn parquet_rows(bytes: Bytes) -> Vec<SeenRow> {
    use parquet::record::Field;
    let text = |field: &Field| match field {
        Field::Str(text) => text.clone(),
        other => panic!("{other} is no text"),
    };
    let row = |row: BTreeMap<String, Field>| SeenRow {
        key: text(&row["_key"]),
        order: (
            text(&row["_interval"]),
            match row["_position"] {
                Field::Long(position) => u64::try_from(position).expect("a position"),
                ref other => panic!("{other} is no position"),
            },
        ),
        removed: row["_deleted_at"] != Field::Null,
        raw: match &row["_raw"] {
            Field::Null => None,
            raw => Some(serde_json::from_str(&text(raw)).expect("JSON")),
        },
    };
    parquet_json(bytes).into_iter().map(row).collect()
}
