//! What others see while a sink writes: whole intervals, in files as they are documented.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use sync_core::{FieldType, JsonRecord, Key, Sink, Stream};
use sync_object_store::{Compression, FileSettings, FileSink, Format};
use sync_testkit::ManualClock;
use tokio::sync::oneshot;

use crate::place::TestPlace;
use crate::reader;

fn record(stream: &Arc<Stream>, key: &str, data: &Value) -> JsonRecord {
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(key),
        data: Bytes::from(data.to_string()),
        removed: false,
    }
}

fn sink(place: &TestPlace, format: Format, memory: usize) -> FileSink {
    let settings = FileSettings {
        format,
        memory,
        ..FileSettings::default()
    };
    FileSink::new(
        place.place.clone(),
        settings,
        Arc::new(ManualClock::at_seconds(1_700_000_000)),
    )
}

/// Files below a directory as a reader finds them that takes what matches `*/date_=*/*.<extension>`.
fn matching(place: &TestPlace, extension: &str) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let entries = |path: &std::path::Path| -> Vec<_> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    };
    for stream in entries(place.path()) {
        for date in entries(&stream) {
            for file in entries(&date) {
                let name = file.to_string_lossy().into_owned();
                if name.ends_with(extension) {
                    found.insert(name, Bytes::from(std::fs::read(&file).expect("a file")));
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_at_any_moment_sees_whole_intervals() {
    const ROWS: usize = 50;
    const INTERVALS: usize = 40;
    for format in [Format::Parquet, Format::Jsonl(Compression::Gzip)] {
        let place = TestPlace::on_disk();
        let mut sink = sink(&place, format, 1 << 20);
        let (done, mut finished) = oneshot::channel();
        let writer = tokio::spawn(async move {
            let stream = Arc::new(Stream::new("members"));
            for interval in 0..INTERVALS {
                let records = (0..ROWS)
                    .map(|n| record(&stream, &n.to_string(), &json!({ "interval": interval })));
                sink.write(records.collect()).await.expect("write");
                sink.flush().await.expect("flush");
            }
            done.send(()).expect("somebody reads");
        });
        let mut before = 0;
        loop {
            let last = finished.try_recv().is_ok();
            let files = matching(&place, format.extension());
            for (path, bytes) in &files {
                assert_eq!(reader::rows(path, bytes).len(), ROWS, "{path} is whole");
            }
            assert!(files.len() >= before, "what was there stays there");
            before = files.len();
            if last {
                break;
            }
        }
        assert_eq!(before, INTERVALS);
        writer.await.expect("the writer");
    }
}

#[tokio::test]
async fn a_flush_that_is_cut_short_shows_all_or_nothing() {
    let stream = Arc::new(Stream::new("members"));
    let mut whole = 0;
    for polls in 1..20 {
        let place = TestPlace::on_disk();
        let mut sink = sink(&place, Format::Parquet, 1 << 20);
        let records = (0..50).map(|n| record(&stream, &n.to_string(), &json!({ "n": n })));
        sink.write(records.collect()).await.expect("write");
        {
            let mut flush = std::pin::pin!(sink.flush());
            for _ in 0..polls {
                if futures::poll!(&mut flush).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        drop(sink);
        let seen = reader::counted(&place.objects().await, "members").len();
        assert!(seen == 0 || seen == 50, "{seen} rows");
        whole += usize::from(seen == 50);
        let mut sink = self::sink(&place, Format::Parquet, 1 << 20);
        sink.write(vec![record(&stream, "0", &json!({ "n": -1 }))])
            .await
            .expect("write");
        sink.flush().await.expect("flush");
        let newest = reader::newest(reader::counted(&place.objects().await, "members"));
        assert_eq!(
            newest["0"].raw,
            Some(json!({ "n": -1 })),
            "the replay holds"
        );
    }
    assert!(whole < 19, "some were cut short");
}

#[tokio::test]
async fn files_lie_by_stream_and_day_and_say_what_they_are() {
    let place = TestPlace::on_disk();
    for format in [Format::Parquet, Format::Jsonl(Compression::Zstd)] {
        let mut sink = sink(&place, format, 1 << 20);
        for stream in ["members", "Email Activity"] {
            let stream = Arc::new(Stream::new(stream));
            let write = sink.write(vec![record(&stream, "a", &json!({}))]);
            write.await.expect("write");
        }
        sink.flush().await.expect("flush");
    }
    let objects = place.objects().await;
    assert_eq!(objects.len(), 4);
    let folded = sync_core::table::column_name(["Email Activity"]);
    for stream in ["members", &folded] {
        let prefix = format!("{stream}/date_=2023-11-14/20231114T221320.00");
        let files: Vec<_> = objects
            .keys()
            .filter(|path| path.starts_with(&prefix))
            .collect();
        assert_eq!(files.len(), 2, "{objects:?}");
        assert!(
            files[0] < files[1],
            "the later file sorts behind the earlier one"
        );
        assert!(
            files[0].ends_with(".parquet") && files[1].ends_with(".jsonl.zst"),
            "{files:?}"
        );
    }
}

/// The columns of the first rows are not those of the last, and the first are on disk already when the last arrive.
#[tokio::test]
async fn a_column_that_comes_or_widens_late_in_a_long_interval_is_there_from_its_start() {
    let place = TestPlace::on_disk();
    let stream = Arc::new(Stream::new("members").with("age", FieldType::Integer));
    let mut sink = sink(&place, Format::Parquet, 16 << 10);
    for n in 0..500 {
        let records = vec![record(&stream, &format!("{n:04}"), &json!({ "age": n }))];
        sink.write(records).await.expect("write");
    }
    let late = json!({"age": 0.5, "later": true});
    sink.write(vec![record(&stream, "late", &late)])
        .await
        .expect("write");
    let bad = JsonRecord {
        data: Bytes::from_static(b"null"),
        ..record(&stream, "bad", &json!({}))
    };
    sink.write(vec![bad]).await.expect("write");
    let report = sink.flush().await.expect("flush");
    assert_eq!(
        report.rejected.len(),
        1,
        "once, though the file was begun several times"
    );
    let objects = place.objects().await;
    assert_eq!(objects.len(), 1);
    let bytes = objects.into_values().next().expect("a file");
    let file = SerializedFileReader::new(bytes.clone()).expect("a Parquet file");
    assert!(
        file.num_row_groups() > 5,
        "row groups are as small as the memory"
    );
    let rows = reader::parquet_json(bytes);
    assert_eq!(rows.len(), 501);
    assert_eq!(rows[499]["age"], Field::Double(499.0));
    assert_eq!(rows[499]["later"], Field::Null);
    assert_eq!(rows[500]["age"], Field::Double(0.5));
    assert_eq!(rows[500]["later"], Field::Bool(true));
}

#[tokio::test]
async fn an_interval_sorts_behind_what_another_process_published_meanwhile() {
    let place = TestPlace::on_disk();
    let stream = Arc::new(Stream::new("members"));
    let (mut one, mut other) = (
        sink(&place, Format::Parquet, 1 << 20),
        sink(&place, Format::Jsonl(Compression::None), 1 << 20),
    );
    for version in 0..6 {
        let sink = if version % 2 == 0 {
            &mut one
        } else {
            &mut other
        };
        let write = sink.write(vec![record(&stream, "a", &json!({ "v": version }))]);
        write.await.expect("write");
        sink.flush().await.expect("flush");
        let newest = reader::newest(reader::counted(&place.objects().await, "members"));
        assert_eq!(
            newest["a"].raw,
            Some(json!({ "v": version })),
            "both clocks stand still"
        );
    }
}

#[tokio::test]
async fn an_interval_without_a_good_record_makes_no_file() {
    let place = TestPlace::on_disk();
    let stream = Arc::new(Stream::new("members"));
    for format in [Format::Parquet, Format::Jsonl(Compression::None)] {
        let mut sink = sink(&place, format, 1 << 20);
        for data in ["", "[]", "1", "{", "{}{}", "\u{0}"] {
            let bad = JsonRecord {
                data: Bytes::from(data.to_owned()),
                ..record(&stream, "bad", &json!({}))
            };
            sink.write(vec![bad]).await.expect("write");
            let report = sink.flush().await.expect("a bad record is no error");
            assert_eq!(report.rejected.len(), 1, "{data:?}");
        }
    }
    assert!(place.objects().await.is_empty());
}
