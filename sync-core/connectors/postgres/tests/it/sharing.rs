//! Several sinks at once.

use serde_json::{Value, json};
use sync_core::{JsonRecord, Sink};

use crate::records::{deliver, record, stream};
use crate::server::Place;

const SINKS: usize = 10;
const ROUNDS: usize = 4;

/// Each sink writes a table of its own and, into one table, rows of its own, a row of all, a column of its own in each round,
/// and a column that becomes wider in the second round of some.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_sinks_fill_a_schema_that_none_of_them_found() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let tasks: Vec<_> = (0..SINKS)
        .map(|sink_number| {
            let mut sink = place.sink();
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let records = records(sink_number, round);
                    sink.write(records).await.unwrap();
                    assert_eq!(sink.flush().await.unwrap().rejected, []);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let count = place
        .ask("shared", "SELECT count(*) FROM {}")
        .await
        .unwrap();
    assert_eq!(count, (SINKS * ROUNDS + 1).to_string());
    for sink in 0..SINKS {
        let own = format!("own_{sink}");
        let count = place.ask(&own, "SELECT count(*) FROM {}").await.unwrap();
        assert_eq!(count, ROUNDS.to_string());
        for round in 0..ROUNDS {
            let sql = format!(
                "SELECT field_{sink}_{round} || ' ' || wide FROM {{}} WHERE _key = '{sink} {round}'"
            );
            let wide = wide(sink, round);
            let wide = wide.as_str().map_or(wide.to_string(), str::to_owned);
            assert_eq!(
                place.ask("shared", &sql).await.unwrap(),
                format!("{} {wide}", sink * 100 + round)
            );
        }
    }
}

fn wide(sink: usize, round: usize) -> Value {
    if round > 0 && sink.is_multiple_of(3) {
        json!(format!("text {round}"))
    } else {
        json!(round)
    }
}

fn records(sink: usize, round: usize) -> Vec<JsonRecord> {
    let shared = stream("shared");
    let field = format!("field_{sink}_{round}");
    vec![
        record(
            &stream(&format!("own_{sink}")),
            &round.to_string(),
            &json!({"n": round}),
        ),
        record(&shared, "all", &json!({"by": sink})),
        record(
            &shared,
            &format!("{sink} {round}"),
            &json!({field: sink * 100 + round, "wide": wide(sink, round)}),
        ),
    ]
}

#[tokio::test]
async fn a_column_waits_for_whoever_reads_the_table() {
    let Some(mut place) = Place::fresh().await else {
        return;
    };
    place.settings.application_name = format!("waits {}", place.settings.schema);
    let members = stream("members");
    let mut sink = place.sink();
    deliver(&mut sink, vec![record(&members, "a", &json!({"n": 1}))]).await;
    let reader = place.another().await;
    let read = format!("BEGIN; SELECT * FROM {}", place.table("members"));
    reader.batch_execute(&read).await.unwrap();
    // Rows go in beside the reader, columns do not.
    deliver(&mut sink, vec![record(&members, "b", &json!({"n": 2}))]).await;
    let later = record(&members, "c", &json!({"n": 3, "new": true}));
    let flush = tokio::spawn(async move { deliver(&mut sink, vec![later]).await });
    place.blocked().await;
    reader.batch_execute("COMMIT").await.unwrap();
    flush.await.unwrap();
    let sql = "SELECT string_agg(concat(_key, n, new), ' ' ORDER BY _key) FROM {}";
    assert_eq!(
        place.ask("members", sql).await.as_deref(),
        Some("a1 b2 c3t")
    );
}

#[tokio::test]
async fn a_batch_with_two_declarations_of_a_stream_fills_one_table() {
    use std::sync::Arc;

    use sync_core::{FieldType, Stream};

    let Some(place) = Place::fresh().await else {
        return;
    };
    let one = Arc::new(Stream::new("members").with("merge_fields.1", FieldType::Date));
    let two = Arc::new(Stream::new("members").with("merge_fields.2", FieldType::Integer));
    let mut sink = place.sink();
    deliver(
        &mut sink,
        vec![
            record(
                &one,
                "a",
                &json!({"merge_fields": {"1": "2026-11-21", "2": "7"}}),
            ),
            record(
                &two,
                "b",
                &json!({"merge_fields": {"1": "2026-11-22", "2": "8"}}),
            ),
            record(&one, "c", &json!({"merge_fields": {"1": "", "2": 9}})),
            record(
                &two,
                "c",
                &json!({"merge_fields": {"1": "2026-11-23", "2": 10}}),
            ),
        ],
    )
    .await;
    let sql = "SELECT string_agg(concat_ws(':', _key, merge_fields__1, merge_fields__2), ' ' ORDER BY _key) FROM {}";
    assert_eq!(
        place.ask("members", sql).await.as_deref(),
        Some("a:2026-11-21:7 b:2026-11-22:8 c:2026-11-23:10")
    );
}
