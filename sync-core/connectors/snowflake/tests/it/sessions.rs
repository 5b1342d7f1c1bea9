//! Sessions that end, answers that get lost, and how many statements it all takes.

use std::sync::Arc;

use serde_json::json;
use sync_core::{FieldType, JsonRecord, Result, Sink, Stream};
use sync_snowflake::SnowflakeSink;

use crate::fake::{Fake, record, removal, shown};
use crate::gateway::{FAULTS, Fault, Gateway};

fn stream() -> Arc<Stream> {
    Arc::new(Stream::new("t").with("id", FieldType::Text))
}

/// Two intervals: one that fits into a statement, and one that is staged in several, with a new column, a changed row and
/// a removal in it.
fn intervals() -> [Vec<JsonRecord>; 2] {
    let t = stream();
    let small = ["a", "b", "c"].map(|key| record(&t, key, &json!({"id": key})));
    let text = "x".repeat(10_000);
    let mut large: Vec<JsonRecord> = (0..12)
        .map(|n| record(&t, &format!("k{n:02}"), &json!({"id": n, "text": text})))
        .collect();
    large.insert(0, record(&t, "b", &json!({"id": "old"})));
    large.push(record(&t, "b", &json!({"id": "new"})));
    large.push(removal(&t, "c"));
    [small.into(), large]
}

async fn run(sink: &mut SnowflakeSink) -> Result<()> {
    for interval in intervals() {
        assert_eq!(sink.write(interval).await?.rejected, []);
        assert_eq!(sink.flush().await?.rejected, []);
    }
    Ok(())
}

async fn content(fake: &Fake) -> Vec<String> {
    let rows = fake
        .query(
            "SELECT _KEY, ID, LENGTH(TEXT)::VARCHAR, (_DELETED_AT IS NULL)::VARCHAR FROM T ORDER BY _KEY",
        )
        .await;
    shown(&rows)
}

#[tokio::test]
async fn whatever_breaks_at_whichever_statement_nothing_is_lost_or_doubled() {
    let Some(fake) = Fake::find() else { return };
    run(&mut fake.sink()).await.unwrap();
    let expected = content(&fake).await;
    assert_eq!(expected.len(), 15);
    assert_eq!(
        expected[..3],
        [
            "a | a | ∅ | true",
            "b | new | ∅ | true",
            "c | c | ∅ | false"
        ]
    );
    for fault in FAULTS {
        for at in 0.. {
            let fake = fake.another();
            let gateway = Gateway::start(&fake, Some((at, fault))).await;
            let mut sink = fake.sink_through(&gateway.url());
            let ran = run(&mut sink).await;
            let statements = gateway.statements();
            let broken = statements.get(usize::try_from(at).unwrap());
            match (fault, broken.map(String::as_str)) {
                // Dropping the staging table is a courtesy at the end.
                (Fault::DownAfter | Fault::DownBefore, Some(statement))
                    if statement != "DROP TABLE" =>
                {
                    let error = ran.unwrap_err();
                    assert_eq!(error.kind(), sync_core::ErrorKind::Unavailable);
                    sink.abort().await;
                    run(&mut fake.sink()).await.unwrap();
                }
                _ => ran.unwrap(),
            }
            assert_eq!(
                content(&fake).await,
                expected,
                "{fault:?} at {at} of {statements:?}"
            );
            if broken.is_none() {
                assert!(at > 8, "each kind of statement was broken: {statements:?}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_fits_goes_in_one_statement() {
    let Some(fake) = Fake::find() else { return };
    let gateway = Gateway::start(&fake, None).await;
    let mut sink = fake.sink_through(&gateway.url());
    let [small, large] = intervals();
    sink.write(small.clone()).await.unwrap();
    sink.flush().await.unwrap();
    let first = [
        "SELECT COLUMN_NAME,",
        "SELECT SCHEMA_NAME",
        "CREATE TABLE",
        "MERGE INTO",
    ];
    assert_eq!(gateway.statements(), first);
    sink.write(small).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(gateway.statements()[4..], ["MERGE INTO"]);
    // 120 kB at 64 KiB a statement: two are staged, and merged at once.
    sink.write(large).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(
        gateway.statements()[5..],
        [
            "CREATE OR",
            "INSERT INTO",
            "INSERT INTO",
            "INSERT INTO",
            "INSERT INTO",
            "ALTER TABLE",
            "MERGE INTO",
            "DROP TABLE"
        ]
    );
}

#[tokio::test]
async fn an_aborted_interval_leaves_nothing_staged() {
    let Some(fake) = Fake::find() else { return };
    let mut sink = fake.sink_through(fake.url.as_str());
    let [small, large] = intervals();
    sink.write(large).await.unwrap();
    sink.abort().await;
    sink.write(small).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(fake.query("SELECT _KEY FROM T").await.len(), 3);
}
