//! What a sink finds when it starts.

use serde_json::{Value, json};
use sync_core::{FieldType, Sink};

use super::{WarehouseTrial, assert_taken, cell, deliver, holds, present, removal, row, things};

pub(super) async fn a_killed_interval_is_replayed<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let version = |key: &str, n: u32| present(&things, key, &json!({"id": key, "count": n}));
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![version("a", 1), version("b", 1)]).await;
    let write = sink.write(vec![
        version("a", 2),
        removal(&things, "b"),
        present(
            &things,
            "c",
            &json!({"id": "c", "count": "wide", "more": true}),
        ),
    ]);
    assert_taken(&write.await.expect("write"));
    drop(sink);
    let mut sink = trial.open().await;
    deliver(
        &mut sink,
        vec![
            version("a", 2),
            removal(&things, "b"),
            present(
                &things,
                "c",
                &json!({"id": "c", "count": "wide", "more": true}),
            ),
            version("d", 1),
        ],
    )
    .await;
    assert_eq!(trial.count("things").await, 4, "nothing is doubled");
    assert_eq!(cell(trial, "things", "a", "count").await, "2");
    assert!(cell(trial, "things", "b", "_deleted_at").await.is_string());
    assert_eq!(cell(trial, "things", "c", "more").await, true);
    assert_eq!(cell(trial, "things", "d", "count").await, "1");
}

pub(super) async fn a_new_sink_goes_on_with_the_table_it_finds<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    let first = json!({"id": "a", "count": "text", "note": 1, "list": [1], "on": "2026-11-21"});
    deliver(&mut sink, vec![present(&things, "a", &first)]).await;
    drop(sink);
    let before = trial.columns("things").await;

    let mut sink = trial.open().await;
    let second = json!({"id": "b", "count": 2, "note": 2, "list": [2]});
    deliver(&mut sink, vec![present(&things, "b", &second)]).await;
    assert_eq!(
        trial.columns("things").await,
        before,
        "what fits changes no column"
    );
    assert_eq!(cell(trial, "things", "b", "count").await, "2");

    let third = json!({"id": "c", "note": 2.5, "new": true});
    deliver(&mut sink, vec![present(&things, "c", &third)]).await;
    assert_eq!(
        holds(trial, "things", "note").await,
        Some(FieldType::Number)
    );
    assert_eq!(
        holds(trial, "things", "new").await,
        Some(FieldType::Boolean)
    );
    let a = row(trial, "things", "a").await;
    assert_eq!(a["note"].as_f64(), Some(1.0));
    assert_eq!(a["list"], json!([1]));
    assert_eq!(a["new"], Value::Null);
}

pub(super) async fn a_dropped_table_is_made_again<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    deliver(
        &mut sink,
        vec![present(&things, "a", &json!({"id": "a", "note": "x"}))],
    )
    .await;
    drop(sink);
    trial.drop_table("things").await;
    let mut sink = trial.open().await;
    sink.check().await.expect("a missing table is no problem");
    deliver(&mut sink, vec![present(&things, "b", &json!({"note": 1}))]).await;
    assert_eq!(trial.count("things").await, 1);
    assert_eq!(
        cell(trial, "things", "b", "note").await,
        1,
        "the new table knows nothing of the old one"
    );
    assert_eq!(holds(trial, "things", "born").await, Some(FieldType::Date));
}

pub(super) async fn an_operators_column_is_left_alone<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let theirs = trial.operators_column();
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![present(&things, "a", &json!({"id": "a"}))]).await;
    trial.add_text_column("things", theirs, "mine").await;
    deliver(
        &mut sink,
        vec![
            present(&things, "a", &json!({"id": "a2"})),
            present(&things, "b", &json!({"id": "b"})),
        ],
    )
    .await;
    drop(sink);
    let mut sink = trial.open().await;
    deliver(
        &mut sink,
        vec![
            present(&things, "a", &json!({"id": "a3", "new": 1})),
            removal(&things, "b"),
        ],
    )
    .await;
    let a = row(trial, "things", "a").await;
    assert_eq!(a["id"], "a3");
    assert_eq!(a[theirs], "mine", "what an operator wrote stays");
    assert_eq!(cell(trial, "things", "b", theirs).await, Value::Null);
}
