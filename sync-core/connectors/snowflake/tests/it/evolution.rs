//! Tables that change with their records.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::{FieldType, Sink, Stream};

use crate::fake::{self, Fake, deliver, record, shown};
use crate::gateway::{FAULTS, Fault, Gateway};

fn stream() -> Arc<Stream> {
    Arc::new(Stream::new("t").with("id", FieldType::Text))
}

#[tokio::test]
async fn a_field_that_appears_later_becomes_a_column() {
    let Some(fake) = Fake::find() else { return };
    let t = stream();
    let mut sink = fake.sink();
    deliver(&mut sink, vec![record(&t, "a", &json!({"id": "a"}))]).await;
    assert_eq!(fake.types("T").await, ["ID | TEXT"]);
    let later = json!({"id": "b", "n": 1, "x": {"y": [1]}});
    deliver(&mut sink, vec![record(&t, "b", &later)]).await;
    let mut sink = fake.sink();
    let last = json!({"id": "c", "f": 0.5, "n": 2, "ok": true});
    deliver(&mut sink, vec![record(&t, "c", &last)]).await;
    assert_eq!(
        fake.types("T").await,
        [
            "F | FLOAT",
            "ID | TEXT",
            "N | NUMBER",
            "OK | BOOLEAN",
            "X__Y | VARIANT"
        ]
    );
    let rows = fake
        .query(
            "SELECT _KEY, N::VARCHAR, F::VARCHAR, OK::VARCHAR, X__Y::VARCHAR FROM T ORDER BY _KEY",
        )
        .await;
    assert_eq!(
        shown(&rows),
        [
            "a | ∅ | ∅ | ∅ | ∅",
            "b | 1 | ∅ | ∅ | [1]",
            "c | 2 | 0.5 | true | ∅"
        ]
    );
}

#[tokio::test]
async fn a_newly_declared_field_becomes_a_column_of_its_type() {
    let Some(fake) = Fake::find() else { return };
    let mut sink = fake.sink();
    deliver(&mut sink, vec![record(&stream(), "a", &json!({"n": 1}))]).await;
    let more = Stream::new("t")
        .with("n", FieldType::Number)
        .with("when", FieldType::Timestamp);
    let b = json!({"n": 2, "when": "2024-01-02T03:04:05Z"});
    deliver(&mut sink, vec![record(&Arc::new(more), "b", &b)]).await;
    assert_eq!(
        fake.types("T").await,
        ["ID | TEXT", "N | FLOAT", "WHEN | TIMESTAMP_TZ"]
    );
}

/// Each value with what it is as text once another record has made its column wider.
#[tokio::test]
async fn a_column_widens_and_keeps_every_value() {
    let Some(fake) = Fake::find() else { return };
    let t = Arc::new(
        Stream::new("t")
            .with("d", FieldType::Date)
            .with("d2", FieldType::Date)
            .with("ts", FieldType::Timestamp)
            .with("j", FieldType::Json),
    );
    let mut sink = fake.sink();
    let narrow = json!({
        "n": 7, "n2": -3, "f": 0.5, "b": true, "d": "2024-01-02", "d2": "2024-01-03",
        "ts": "2024-01-02T05:04:05+02:00", "j": [1, "x"],
    });
    deliver(
        &mut sink,
        vec![record(&t, "a", &narrow), record(&t, "nulls", &json!({}))],
    )
    .await;
    let wide = json!({
        "n": 1.5, "n2": "many", "f": "half", "b": "maybe", "d": "2024-01-02T03:04:05Z", "d2": "soon",
        "ts": "later", "j": "[]",
    });
    deliver(&mut sink, vec![record(&t, "b", &wide)]).await;
    assert_eq!(
        fake.types("T").await,
        [
            "B | TEXT",
            "D | TIMESTAMP_TZ",
            "D2 | TEXT",
            "F | TEXT",
            "J | VARIANT",
            "N | FLOAT",
            "N2 | TEXT",
            "TS | TEXT"
        ]
    );
    let rows = fake
        .query("SELECT _KEY, N::VARCHAR, N2, F, B, D::VARCHAR, D2, TS, J::VARCHAR FROM T ORDER BY _KEY")
        .await;
    assert_eq!(
        shown(&rows),
        [
            "a | 7.0 | -3 | 0.5 | true | 2024-01-02 00:00:00+00 | 2024-01-03 | 2024-01-02T03:04:05+00:00 | [1,\"x\"]",
            "b | 1.5 | many | half | maybe | 2024-01-02 03:04:05+00 | soon | later | \"[]\"",
            "nulls | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅",
        ]
    );
}

#[tokio::test]
async fn a_widening_cut_short_anywhere_loses_no_value() {
    let Some(fake) = Fake::find() else { return };
    for fault in FAULTS {
        for at in 0.. {
            let fake = fake.another();
            let t = stream();
            let old = [record(&t, "a", &json!({"n": 1}))];
            deliver(&mut fake.sink(), old.to_vec()).await;
            let gateway = Gateway::start(&fake, Some((at, fault))).await;
            let new = [record(&t, "b", &json!({"n": "x", "more": 1}))];
            let mut sink = fake.sink_through(&gateway.url());
            let delivered = async {
                sink.write(new.to_vec()).await?;
                sink.flush().await
            };
            let delivered = delivered.await;
            let statements = gateway.statements();
            match fault {
                Fault::DownAfter | Fault::DownBefore if at < count(&statements) => {
                    assert!(delivered.is_err(), "{fault:?} {at}");
                    deliver(&mut fake.sink(), new.to_vec()).await;
                }
                _ => assert_eq!(delivered.unwrap().rejected, [], "{fault:?} {at}"),
            }
            let rows = fake
                .query("SELECT _KEY, N, MORE::VARCHAR FROM T ORDER BY _KEY")
                .await;
            assert_eq!(
                shown(&rows),
                ["a | 1 | ∅", "b | x | 1"],
                "{fault:?} at {at} of {statements:?}"
            );
            assert_eq!(
                fake.types("T").await,
                ["ID | TEXT", "MORE | NUMBER", "N | TEXT"],
                "{fault:?} at {at} of {statements:?}"
            );
            if at >= count(&statements) {
                assert!(at > 7, "each step of the widening was cut: {statements:?}");
                break;
            }
        }
    }
}

fn count(statements: &[String]) -> u32 {
    u32::try_from(statements.len()).unwrap()
}

#[tokio::test]
async fn columns_come_in_few_statements() {
    let Some(fake) = Fake::find() else { return };
    let t = stream();
    deliver(&mut fake.sink(), vec![record(&t, "a", &json!({"id": "a"}))]).await;
    let gateway = Gateway::start(&fake, None).await;
    let mut sink = fake.sink_through(&gateway.url());
    let many: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("f{n}"), json!(n))).collect();
    deliver(&mut sink, vec![record(&t, "b", &many.into())]).await;
    assert_eq!(
        gateway.statements(),
        [
            "SELECT COLUMN_NAME,",
            "SELECT SCHEMA_NAME",
            "ALTER TABLE",
            "MERGE INTO"
        ]
    );
}

#[tokio::test]
async fn rows_that_wait_keep_their_columns_when_other_fields_are_declared() {
    let Some(fake) = Fake::find() else { return };
    let first = Arc::new(Stream::new("t").with("a", FieldType::Text));
    let then = Arc::new(
        Stream::new("t")
            .with("c", FieldType::Text)
            .with("b", FieldType::Text),
    );
    let mut sink = fake.sink();
    let old = json!({"a": "a1", "b": "b1", "c": "c1"});
    sink.write(vec![record(&first, "1", &old)]).await.unwrap();
    let new = json!({"a": "a2", "b": "b2", "c": "c2"});
    deliver(&mut sink, vec![record(&then, "2", &new)]).await;
    let rows = fake
        .query("SELECT _KEY, A, B, C FROM T ORDER BY _KEY")
        .await;
    assert_eq!(shown(&rows), ["1 | a1 | b1 | c1", "2 | a2 | b2 | c2"]);
}

/// Two imports write members of two audiences into one table, and find different things in them.
#[tokio::test]
async fn sinks_that_change_one_table_at_once_lose_nothing() {
    let Some(fake) = Fake::find() else { return };
    let warehouse = fake::warehouse(&fake.settings());
    let t = stream();
    let values = [json!(1), json!(0.5), json!("many"), json!(true)];
    let imports = (0..3).map(|import| {
        let (mut sink, t, values) = (warehouse.sink(), t.clone(), &values);
        async move {
            for turn in 0..4 {
                let data =
                    json!({"n": values[(import + turn) % 4], format!("f{import}{turn}"): turn});
                deliver(
                    &mut sink,
                    vec![record(&t, &format!("{import}{turn}"), &data)],
                )
                .await;
            }
        }
    });
    futures::future::join_all(imports).await;
    let rows = fake.query("SELECT _KEY, N FROM T ORDER BY _KEY").await;
    let expected = (0..3).flat_map(|import| {
        let text = ["1", "0.5", "many", "true"];
        (0..4).map(move |turn| format!("{import}{turn} | {}", text[(import + turn) % 4]))
    });
    let shown: Vec<String> = shown(&rows)
        .into_iter()
        // A whole number that was a double in between.
        .map(|row| row.replace(" | 1.0", " | 1"))
        .collect();
    assert_eq!(shown, expected.collect::<Vec<_>>());
    assert_eq!(fake.types("T").await.len(), 14);
}
