//! Several sinks, and other programs, on one file.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};
use sync_core::{FieldType, Readback, Sink, Stream};
use tokio::task::JoinSet;

use crate::bench::{Bench, record};

fn number(connection: &Connection, sql: &str) -> i64 {
    connection
        .query_row(sql, [], |row| row.get(0))
        .expect("a number")
}

fn text(connection: &Connection, sql: &str) -> String {
    connection
        .query_row(sql, [], |row| row.get(0))
        .expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_imports_fill_one_file_while_others_read() {
    const IMPORTS: usize = 10;
    const INTERVALS: usize = 5;
    const RECORDS: usize = 60;
    let bench = Bench::new();
    let members = Arc::new(Stream::new("members").with("n", FieldType::Integer));
    let mut imports = JoinSet::new();
    for import in 0..IMPORTS {
        let mut sink = bench.warehouse.sink();
        let members = members.clone();
        imports.spawn(async move {
            let own = Arc::new(Stream::new(format!("stream_{import}")));
            for interval in 0..INTERVALS {
                let records = (0..RECORDS).flat_map(|n| {
                    // A column of its own in the table of all, and wider values as time goes by.
                    let value = if interval == 3 {
                        json!("text")
                    } else {
                        json!(interval)
                    };
                    let data = json!({"n": n, format!("of_{import}"): value, "interval": interval});
                    [
                        record(&members, &format!("{import}-{n}"), &data),
                        record(&own, &n.to_string(), &data),
                    ]
                });
                sink.write(records.collect()).await.expect("write");
                sink.flush().await.expect("flush");
            }
        });
    }
    let mut readback = bench.warehouse.readback();
    let mut reads = 0;
    loop {
        match imports.try_join_next() {
            Some(done) => done.expect("an import"),
            None if imports.is_empty() => break,
            None => {
                readback.keys(&members, None, 10).await.expect("keys");
                reads += 1;
            }
        }
    }
    assert!(reads > 0);
    let look = bench.look();
    let rows = i64::try_from(IMPORTS * RECORDS).expect("small");
    assert_eq!(number(&look, "SELECT count(*) FROM members"), rows);
    for import in 0..IMPORTS {
        let sql = format!(
            "SELECT count(*) FROM members WHERE of_{import} = '4' AND interval = 4 AND _key LIKE '{import}-%'"
        );
        assert_eq!(number(&look, &sql), 60, "import {import}");
        let sql = format!("SELECT count(*) FROM stream_{import} WHERE interval = 4");
        assert_eq!(number(&look, &sql), 60, "import {import}");
    }
    assert_eq!(text(&look, "PRAGMA integrity_check"), "ok");
}

#[tokio::test]
async fn a_table_made_anew_keeps_what_others_built_on_it() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things").with("count", FieldType::Integer));
    let mut sink = bench.warehouse.sink();
    sink.write(vec![
        record(&things, "b", &json!({"count": 2})),
        record(&things, "a", &json!({"count": 1})),
    ])
    .await
    .expect("write");
    sink.flush().await.expect("flush");
    let look = bench.look();
    look.execute_batch(
        "ALTER TABLE things ADD COLUMN note TEXT DEFAULT 'a, (b)' COLLATE NOCASE CHECK (note <> 'x,)');
         ALTER TABLE things ADD COLUMN twice GENERATED ALWAYS AS (count * 2) VIRTUAL;
         UPDATE things SET note = 'Mine' WHERE _key = 'a';
         CREATE INDEX by_count ON things (count);
         CREATE TABLE log (what TEXT);
         CREATE TRIGGER logged AFTER UPDATE ON things BEGIN INSERT INTO log VALUES (new._key); END;
         CREATE VIEW big AS SELECT _key FROM things WHERE count > 1;",
    )
    .expect("what an operator does");

    sink.write(vec![record(&things, "c", &json!({"count": 2.5}))])
        .await
        .expect("write");
    sink.flush().await.expect("flush");
    assert_eq!(
        text(
            &look,
            "SELECT type FROM pragma_table_info('things') WHERE name = 'count'"
        ),
        "REAL"
    );
    assert_eq!(
        text(&look, "SELECT note FROM things WHERE note = 'MINE'"),
        "Mine"
    );
    assert_eq!(
        text(&look, "SELECT note FROM things WHERE _key = 'c'"),
        "a, (b)"
    );
    assert_eq!(number(&look, "SELECT count(*) FROM big"), 2);
    assert_eq!(
        number(
            &look,
            "SELECT CAST(twice AS INTEGER) FROM things INDEXED BY by_count WHERE count = 2"
        ),
        4
    );
    sink.write(vec![record(&things, "c", &json!({"count": 3}))])
        .await
        .expect("write");
    sink.flush().await.expect("flush");
    assert_eq!(text(&look, "SELECT what FROM log"), "c");
    assert_eq!(text(&look, "PRAGMA integrity_check"), "ok");
}

#[tokio::test]
async fn a_field_takes_over_a_column_of_its_name() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things"));
    let mut sink = bench.warehouse.sink();
    let records = vec![
        record(&things, "a", &json!({"id": 1})),
        record(&things, "b", &json!({"id": 2})),
    ];
    sink.write(records).await.expect("write");
    sink.flush().await.expect("flush");
    let look = bench.look();
    look.execute_batch(
        "ALTER TABLE things ADD COLUMN Score VARCHAR(9);
         UPDATE things SET score = CASE _key WHEN 'a' THEN 7 ELSE 'high' END;",
    )
    .expect("a column");
    sink.write(vec![record(&things, "c", &json!({"score": 0.5}))])
        .await
        .expect("write");
    sink.flush().await.expect("flush");
    let mut statement = look
        .prepare("SELECT score FROM things ORDER BY _key")
        .expect("a query");
    let scores: Vec<Option<f64>> = statement
        .query_map([], |row| row.get(0))
        .expect("rows")
        .collect::<rusqlite::Result<_>>()
        .expect("rows");
    assert_eq!(scores, [None, None, Some(0.5)]);
}

#[tokio::test]
async fn numbers_become_text_without_losing_a_digit() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things").with("ratio", FieldType::Number));
    let ratios = [0.1, 0.1 + 0.2, 1.0 / 3.0, 1e300, -2.5e-7, 5e-324, 1e15];
    let mut sink = bench.warehouse.sink();
    let records = ratios
        .iter()
        .enumerate()
        .map(|(n, ratio)| record(&things, &n.to_string(), &json!({ "ratio": ratio })));
    sink.write(records.collect()).await.expect("write");
    sink.flush().await.expect("flush");
    sink.write(vec![record(&things, "x", &json!({"ratio": "much"}))])
        .await
        .expect("write");
    sink.flush().await.expect("flush");
    let look = bench.look();
    for (n, ratio) in ratios.iter().enumerate() {
        let sql = format!("SELECT ratio FROM things WHERE _key = '{n}'");
        let written = text(&look, &sql);
        assert_eq!(written.parse::<f64>().ok(), Some(*ratio), "{written}");
    }
    assert_eq!(
        text(&look, "SELECT ratio FROM things WHERE _key = '0'"),
        "0.1"
    );
}

#[tokio::test]
async fn a_large_interval_is_stored_in_parts_and_whole_after_its_flush() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things"));
    let long = "x".repeat(100_000);
    let mut sink = bench.warehouse.sink();
    for batch in 0..40 {
        let records = (0..10).map(|n| {
            let data = json!({"batch": batch, "text": long});
            // Every second record comes again in a later part.
            record(&things, &format!("{}", n + batch / 2 * 10), &data)
        });
        sink.write(records.collect()).await.expect("write");
    }
    sink.flush().await.expect("flush");
    let look = bench.look();
    assert_eq!(number(&look, "SELECT count(*) FROM things"), 200);
    assert_eq!(
        number(&look, "SELECT count(*) FROM things WHERE batch % 2 = 1"),
        200,
        "of each key the last version"
    );
}

#[tokio::test]
async fn sinks_that_keep_much_between_them_store_some_of_it_before_their_flush() {
    let bench = Bench::new();
    let long = "x".repeat(1_000_000);
    let mut sinks = Vec::new();
    for sink in 0..8 {
        let stream = Arc::new(Stream::new(format!("stream_{sink}")));
        sinks.push((bench.warehouse.sink(), stream));
    }
    // Eleven MB each, which alone would be kept, and 88 in all.
    for batch in 0..11 {
        for (sink, stream) in &mut sinks {
            let records = vec![record(stream, &batch.to_string(), &json!({"text": long}))];
            sink.write(records).await.expect("write");
        }
    }
    // The flush of one is behind whatever was handed over before.
    let (mut last, stream) = sinks.pop().expect("a sink");
    last.flush().await.expect("flush");
    let look = bench.look();
    assert_eq!(
        number(&look, &format!("SELECT count(*) FROM {}", stream.name())),
        11
    );
    let tables = number(
        &look,
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'stream%'",
    );
    assert!(tables > 1, "others have stored some of theirs");
    for (mut sink, stream) in sinks {
        sink.flush().await.expect("flush");
        assert_eq!(
            number(&look, &format!("SELECT count(*) FROM {}", stream.name())),
            11
        );
    }
}

#[tokio::test]
async fn rows_say_when_they_were_written_and_when_they_went() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things"));
    let mut sink = bench.warehouse.sink();
    let a = record(&things, "a", &json!({"id": 1}));
    let mut gone = a.clone();
    gone.removed = true;
    let mut times: Vec<Value> = Vec::new();
    for records in [vec![a], vec![gone.clone()], vec![gone]] {
        sink.write(records).await.expect("write");
        sink.flush().await.expect("flush");
        bench.clock.advance(chrono::TimeDelta::seconds(60));
        let row = bench
            .look()
            .query_row("SELECT _synced_at, _deleted_at FROM things", [], |row| {
                Ok(json!([
                    row.get::<_, String>(0)?,
                    row.get::<_, Option<String>>(1)?
                ]))
            });
        times.push(row.expect("a row"));
    }
    assert_eq!(
        times,
        [
            json!(["2026-11-21T10:00:00Z", null]),
            json!(["2026-11-21T10:01:00Z", "2026-11-21T10:01:00Z"]),
            json!(["2026-11-21T10:01:00Z", "2026-11-21T10:01:00Z"]),
        ],
        "a removal that is replayed does not move the time"
    );
}
