//! Compaction changes no answer, whoever asks, whenever, and wherever it is killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use parquet::record::Field;
use serde_json::{Value, json};
use sync_core::{Clock, ErrorKind, FieldType, JsonRecord, Key, Sink, Stream};
use sync_object_store::object_store::memory::InMemory;
use sync_object_store::object_store::{Error, ObjectStore, PutMode, PutOptions};
use sync_object_store::{
    Compaction, Compactor, Compression, FileSettings, FileSink, Format, Place,
};
use sync_testkit::ManualClock;

use crate::place::TestPlace;
use crate::reader;
use crate::store::{FailingStore, Fault};

/// A stream in a store in memory, and a clock.
struct World {
    store: Arc<InMemory>,
    clock: Arc<ManualClock>,
    stream: Arc<Stream>,
    settings: FileSettings,
}

type Answer = BTreeMap<String, Value>;

impl World {
    fn new() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
            clock: Arc::new(ManualClock::at_seconds(1_700_000_000)),
            stream: Arc::new(
                Stream::new("members")
                    .with("age", FieldType::Integer)
                    .with("since", FieldType::Date),
            ),
            settings: FileSettings::default(),
        }
    }

    fn place(&self) -> Place {
        Place::on(self.store.clone(), "", "memory://")
    }

    fn compactor(&self) -> Compactor {
        self.compactor_on(self.place())
    }

    fn compactor_on(&self, place: Place) -> Compactor {
        Compactor::new(
            place,
            self.settings.clone(),
            self.clock.clone() as Arc<dyn Clock>,
        )
    }

    async fn compact(&self) -> Compaction {
        self.compactor()
            .compact(&Stream::new("members"))
            .await
            .expect("a compaction")
    }

    /// One interval: keys with their records, or `null` for a removal.
    async fn write(&self, records: &[(&str, Value)]) {
        self.write_as(self.settings.format, records).await;
    }

    async fn write_as(&self, format: Format, records: &[(&str, Value)]) {
        let settings = FileSettings {
            format,
            ..self.settings.clone()
        };
        let mut sink = FileSink::new(self.place(), settings, self.clock.clone());
        let records = records.iter().map(|(key, data)| JsonRecord {
            stream: self.stream.clone(),
            key: Key::new(*key),
            removed: data.is_null(),
            data: if data.is_null() {
                Bytes::new()
            } else {
                data.to_string().into()
            },
        });
        sink.write(records.collect()).await.expect("write");
        sink.flush().await.expect("flush");
    }

    async fn objects(&self) -> BTreeMap<String, Bytes> {
        reader::objects(&*self.store, "").await
    }

    /// What the stream says: the same for a reader that knows manifests and one that does not.
    async fn answer(&self) -> Answer {
        let objects = self.objects().await;
        let of = |rows| -> Answer {
            let newest = reader::newest(rows).into_iter();
            newest
                .map(|(key, row)| (key, row.raw.expect("a record")))
                .collect()
        };
        let answer = of(reader::counted(&objects, "members"));
        assert_eq!(
            answer,
            of(reader::every(&objects, "members")),
            "a reader that ignores manifests sees the same"
        );
        answer
    }

    async fn count(&self, part: &str) -> usize {
        let objects = self.objects().await;
        objects.keys().filter(|path| path.contains(part)).count()
    }
}

fn answer(of: &[(&str, Value)]) -> Answer {
    of.iter()
        .map(|(key, data)| ((*key).to_owned(), data.clone()))
        .collect()
}

#[tokio::test]
async fn the_newest_row_of_each_key_is_kept_and_replaced_files_go_later() {
    let world = World::new();
    world
        .write(&[
            ("a", json!({"v": 1})),
            ("b", json!({"v": 1})),
            ("c", json!({"v": 1})),
        ])
        .await;
    world
        .write(&[("a", json!({"v": 2})), ("b", Value::Null)])
        .await;
    world
        .write(&[("a", json!({"v": 3})), ("d", json!({"v": 1}))])
        .await;
    let wanted = answer(&[
        ("a", json!({"v": 3})),
        ("c", json!({"v": 1})),
        ("d", json!({"v": 1})),
    ]);
    assert_eq!(world.answer().await, wanted);

    let done = world.compact().await;
    assert_eq!(
        done,
        Compaction {
            replaced: 3,
            rows_read: 7,
            rows_kept: 4,
            removals_dropped: 0,
            deleted: 0
        }
    );
    assert_eq!(world.answer().await, wanted);
    let counted = reader::counted(&world.objects().await, "members");
    assert_eq!(
        counted.len(),
        4,
        "one row for each key, the removed one too"
    );
    assert_eq!(
        world.count("date_=").await,
        4,
        "readers may still be at the old files"
    );

    assert_eq!(
        world.compact().await,
        Compaction::default(),
        "nothing is left to do"
    );

    world.clock.advance(TimeDelta::seconds(3600));
    assert_eq!(world.compact().await.deleted, 3);
    assert_eq!(world.count("date_=").await, 1);
    assert_eq!(world.answer().await, wanted);
}

#[tokio::test]
async fn later_intervals_win_over_a_compacted_file_and_are_compacted_with_it() {
    let mut world = World::new();
    world.settings.keep_replaced = Duration::ZERO;
    for round in 1..=4 {
        world
            .write(&[("a", json!({"v": round})), ("b", json!({"v": -round}))])
            .await;
        let wanted = answer(&[("a", json!({"v": round})), ("b", json!({"v": -round}))]);
        assert_eq!(world.answer().await, wanted);
        world.compact().await;
        assert_eq!(world.answer().await, wanted);
        assert_eq!(world.count("date_=").await, 1);
        assert!(world.count("_manifests").await <= 2);
    }
}

#[tokio::test]
async fn every_format_is_compacted_into_the_one_of_the_settings() {
    let formats = [
        Format::Parquet,
        Format::Jsonl(Compression::None),
        Format::Jsonl(Compression::Gzip),
        Format::Jsonl(Compression::Zstd),
    ];
    for into in formats {
        let mut world = World::new();
        world.settings.format = into;
        world.settings.keep_replaced = Duration::ZERO;
        let text = "ü \" \\ \n";
        for (version, format) in formats.into_iter().enumerate() {
            let data = json!({"v": version, "text": text});
            world
                .write_as(
                    format,
                    &[("a", data), (into.extension(), json!({"v": version}))],
                )
                .await;
        }
        let before = world.answer().await;
        world.compact().await;
        assert_eq!(world.answer().await, before);
        assert_eq!(before["a"], json!({"v": 3, "text": text}));
        assert_eq!(world.count(into.extension()).await, 1);
    }
}

#[tokio::test]
async fn a_compacted_file_has_every_column_as_wide_as_the_widest() {
    let mut world = World::new();
    world.settings.keep_replaced = Duration::ZERO;
    world
        .write(&[
            ("a", json!({"age": 5, "score": 1})),
            ("b", json!({"score": 2})),
        ])
        .await;
    world
        .write(&[("b", json!({"score": 2.5, "since": "2026-11-21"}))])
        .await;
    world
        .write(&[(
            "c",
            json!({"age": "unknown", "since": "2026-11-21T10:00:00Z"}),
        )])
        .await;
    world.compact().await;
    let objects = world.objects().await;
    let (_, bytes) = objects
        .iter()
        .find(|(path, _)| path.contains("date_="))
        .expect("a file");
    let rows = reader::parquet_json(bytes.clone());
    let column = |name: &str| -> Vec<Field> { rows.iter().map(|row| row[name].clone()).collect() };
    let text = |text: &str| Field::Str(text.to_owned());
    assert_eq!(column("_key"), [text("a"), text("b"), text("c")]);
    assert_eq!(column("age"), [text("5"), Field::Null, text("unknown")]);
    assert_eq!(
        column("score"),
        [Field::Double(1.0), Field::Double(2.5), Field::Null]
    );
    let (day, moment) = (1_795_219_200_000_000, 1_795_255_200_000_000);
    assert_eq!(
        column("since"),
        [
            Field::Null,
            Field::TimestampMicros(day),
            Field::TimestampMicros(moment)
        ]
    );
}

#[tokio::test]
async fn removals_go_when_they_are_old_and_nothing_older_is_left() {
    let mut world = World::new();
    world.settings.keep_removals = Duration::from_secs(10 * 86_400);
    world
        .write(&[("a", json!({})), ("gone", json!({})), ("back", Value::Null)])
        .await;
    world
        .write(&[("gone", Value::Null), ("back", json!({}))])
        .await;
    let wanted = answer(&[("a", json!({})), ("back", json!({}))]);
    assert_eq!(world.compact().await.removals_dropped, 0);
    world.clock.advance(TimeDelta::seconds(9 * 86_400));
    assert_eq!(world.compact().await.removals_dropped, 0, "too young");
    world.clock.advance(TimeDelta::seconds(2 * 86_400));
    assert_eq!(
        world.compact().await.removals_dropped,
        1,
        "without any new file"
    );
    assert_eq!(world.answer().await, wanted);
    let rows = reader::counted(&world.objects().await, "members");
    assert!(rows.iter().all(|row| row.key != "gone"));
    world.clock.advance(TimeDelta::seconds(3600));
    world.compact().await;
    assert_eq!(world.answer().await, wanted);
}

/// A compaction is killed at each of its changes, before and after they take effect; what it says stays true, and the next
/// one goes through.
#[tokio::test]
async fn a_compaction_killed_anywhere_changes_no_answer_and_can_be_repeated() {
    for fault in [Fault::Before, Fault::After] {
        let mut survived = 0;
        for passing in 0.. {
            let mut world = World::new();
            world.settings.keep_replaced = Duration::ZERO;
            world.settings.keep_removals = Duration::ZERO;
            world
                .write(&[("a", json!({"v": 1})), ("b", json!({"v": 1}))])
                .await;
            world
                .write(&[("a", json!({"v": 2})), ("gone", json!({}))])
                .await;
            world.compact().await;
            world
                .write(&[("gone", Value::Null), ("c", json!({"v": 1}))])
                .await;
            world.write(&[("a", json!({"v": 3}))]).await;
            let wanted = world.answer().await;

            let store = FailingStore::after(world.store.clone(), passing, fault);
            let killed = world.compactor_on(Place::on(Arc::new(store), "", "memory://"));
            let done = killed.compact(&Stream::new("members")).await;
            assert_eq!(
                world.answer().await,
                wanted,
                "killed after {passing} changes, {fault:?}"
            );

            world.write(&[("d", json!({"v": 1}))]).await;
            let mut wanted = wanted;
            wanted.insert("d".to_owned(), json!({"v": 1}));
            assert_eq!(world.answer().await, wanted);
            // Twice, for an orphan is known as one only when the next manifest is there.
            for _ in 0..2 {
                world.compact().await;
                assert_eq!(
                    world.answer().await,
                    wanted,
                    "repeated after {passing}, {fault:?}"
                );
            }
            assert_eq!(world.count("date_=").await, 1, "nothing is left over");
            if done.is_ok() {
                survived = passing;
                break;
            }
        }
        assert!(
            survived >= 4,
            "the file, the manifest and the deletions were all killed"
        );
    }
}

#[tokio::test]
async fn of_two_compactions_at_once_one_gives_way_or_comes_after() {
    let world = World::new();
    for version in 0..5 {
        world
            .write(&[("a", json!({"v": version})), ("b", json!({"v": version}))])
            .await;
    }
    let wanted = world.answer().await;
    let (one, other) = (world.compactor(), world.compactor());
    let (one, other) = tokio::join!(one.compact(&world.stream), other.compact(&world.stream));
    let conflicts = [&one, &other]
        .into_iter()
        .filter(|done| matches!(done, Err(error) if error.kind() == ErrorKind::Conflict))
        .count();
    let done = [one, other].into_iter().flatten().count();
    // The disk decides whether they meet.
    assert!(done >= 1, "one of them is first");
    assert_eq!(done + conflicts, 2, "nothing else goes wrong");
    assert_eq!(world.answer().await, wanted);
    assert_eq!(world.count(".compact-").await, 1);
}

#[tokio::test]
async fn many_keys_are_compacted_with_little_memory() {
    const KEYS: u32 = 3_000;
    for format in [Format::Parquet, Format::Jsonl(Compression::Zstd)] {
        let mut world = World::new();
        world.settings.format = format;
        world.settings.memory = 64 << 10;
        for version in 0..3 {
            let keys: Vec<String> = (version * 500..KEYS)
                .map(|key| format!("{key:08}"))
                .collect();
            let records: Vec<_> = keys
                .iter()
                .map(|key| (key.as_str(), json!({"v": version, "key": key})))
                .collect();
            world.write(&records).await;
        }
        let wanted = world.answer().await;
        assert_eq!(wanted.len(), KEYS as usize);
        let done = world.compact().await;
        assert_eq!((done.rows_read, done.rows_kept), (7_500, 3_000));
        assert_eq!(world.answer().await, wanted);
    }
}

#[tokio::test]
async fn all_streams_are_compacted_and_a_damaged_one_holds_up_no_other() {
    let world = World::new();
    for _ in 0..2 {
        world.write(&[("a", json!({}))]).await;
    }
    let damaged = "campaigns/date_=2026-11-21/20261121T110445.000Z-0a1b2.parquet".into();
    let put = world
        .store
        .put_opts(&damaged, "no file of ours".into(), PutOptions::default());
    put.await.expect("put");
    let done = world.compactor().compact_all().await.expect("a list");
    assert_eq!(done.len(), 2);
    assert_eq!(done["members"].as_ref().expect("compacted").replaced, 2);
    let error = done["campaigns"].as_ref().expect_err("damaged");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(damaged.as_ref()), "{error}");
    let kept = reader::objects(&*world.store, "campaigns").await;
    assert_eq!(kept.len(), 1, "it is left as it was");
}

#[tokio::test]
async fn what_killed_processes_left_in_a_directory_is_deleted_after_a_day() {
    let place = TestPlace::on_disk();
    let date = place.path().join("members/date_=2026-11-21");
    std::fs::create_dir_all(&date).expect("a directory");
    let unfinished = date.join("20261121T110445.000Z-0a1b2.parquet#1");
    let foreign = date.join("notes#1");
    for file in [&unfinished, &foreign] {
        std::fs::write(file, "half").expect("a file");
    }
    let modified = std::fs::metadata(&unfinished)
        .expect("a file")
        .modified()
        .expect("a time");
    let now = chrono::DateTime::<chrono::Utc>::from(modified);
    for (age, kept) in [(TimeDelta::hours(1), true), (TimeDelta::hours(25), false)] {
        let clock = move || now + age;
        let compactor = Compactor::new(
            place.place.clone(),
            FileSettings::default(),
            Arc::new(clock),
        );
        compactor
            .compact(&Stream::new("members"))
            .await
            .expect("a compaction");
        assert_eq!(unfinished.exists(), kept);
    }
    assert!(foreign.exists(), "what is not ours stays");
}

#[tokio::test]
async fn a_stream_on_s3_is_compacted() {
    let Some(place) = TestPlace::on_s3("compaction") else {
        return;
    };
    let clock = Arc::new(ManualClock::at_seconds(1_700_000_000));
    let settings = FileSettings {
        keep_replaced: Duration::ZERO,
        ..FileSettings::default()
    };
    let mut sink = FileSink::new(place.place.clone(), settings.clone(), clock.clone());
    for version in 0..3 {
        let record = JsonRecord {
            stream: Arc::new(Stream::new("members")),
            key: Key::new("a"),
            data: json!({"v": version}).to_string().into(),
            removed: false,
        };
        sink.write(vec![record]).await.expect("write");
        sink.flush().await.expect("flush");
    }
    let compactor = Compactor::new(place.place.clone(), settings, clock);
    assert_eq!(
        compactor
            .compact(&Stream::new("members"))
            .await
            .expect("a compaction")
            .replaced,
        3
    );
    let rows = reader::counted(&place.objects().await, "members");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].raw, Some(json!({"v": 2})));
    let manifest = format!("{}/members/_manifests/00000001.json", place.prefix).into();
    let again = place
        .store
        .put_opts(&manifest, "".into(), PutMode::Create.into())
        .await;
    assert!(
        matches!(again, Err(Error::AlreadyExists { .. })),
        "the server takes no second manifest of one number, {again:?}"
    );
}
