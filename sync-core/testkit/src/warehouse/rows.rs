//! What stands in the rows.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::{FieldType, JsonRecord, Sink, Stream};

use super::{
    WarehouseTrial, assert_taken, cell, deliver, holds, present, raw, record, removal, row, things,
};

pub(super) async fn text_arrives_as_it_is<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    let long = "long ".repeat(20_000);
    let texts = [
        "'single' \"double\" `back`",
        "back\\slash \\n \\\\ \\N \\.",
        "line\nbreak\r\nand\ttab",
        "🙂 ключ ü \u{10ffff} \u{200b}",
        "$1 ? :name %s {} , ; --",
        "null",
        "NULL",
        "123",
        "1.50",
        "2026-11-21",
        "[1]",
        " blanks ",
        "\u{1}\u{1f}\u{7f}",
        &long,
    ];
    let records: Vec<JsonRecord> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let object = json!({"id": text, "extra": {"text": text}, "list": [text]});
            present(&things, &n.to_string(), &object)
        })
        .collect();
    deliver(&mut sink, records).await;
    for (n, text) in texts.iter().enumerate() {
        let row = row(trial, "things", &n.to_string()).await;
        assert_eq!(row["id"], *text);
        assert_eq!(row["extra"], json!({"text": text}));
        assert_eq!(row["list"], json!([text]));
        assert_eq!(raw(&row)["id"], *text);
    }

    // What many warehouses cannot hold costs no row: U+0000 lands as U+FFFD, half of a surrogate pair as U+FFFD, too.
    let nul = r#"{"id":"a\u0000b","extra":{"t":"\u0000"},"list":["\\u0000"],"half":"x\ud83dy"}"#;
    deliver(
        &mut sink,
        vec![
            record(&things, "nul", nul),
            present(&things, "after", &json!({"id": "after"})),
        ],
    )
    .await;
    let row = row(trial, "things", "nul").await;
    assert_eq!(row["id"], "a\u{fffd}b");
    assert_eq!(row["extra"], json!({"t": "\u{fffd}"}));
    assert_eq!(row["list"], json!(["\\u0000"]), "these are six characters");
    assert_eq!(row["half"], "x\u{fffd}y");
    assert_eq!(cell(trial, "things", "after", "id").await, "after");
}

pub(super) async fn a_removed_record_is_marked_and_may_return<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    deliver(
        &mut sink,
        vec![
            present(&things, "gone", &json!({"id": "gone", "count": 1})),
            present(&things, "stays", &json!({"id": "stays"})),
        ],
    )
    .await;
    assert_eq!(
        cell(trial, "things", "gone", "_deleted_at").await,
        Value::Null
    );
    deliver(
        &mut sink,
        vec![removal(&things, "gone"), removal(&things, "never there")],
    )
    .await;
    let removed = row(trial, "things", "gone").await;
    assert!(
        removed["_deleted_at"].is_string(),
        "a removal says when it was noticed"
    );
    assert_eq!(removed["id"], "gone", "a removed row keeps its values");
    assert_eq!(removed["count"], 1);
    assert_eq!(raw(&removed), json!({"id": "gone", "count": 1}));
    assert_eq!(
        cell(trial, "things", "stays", "_deleted_at").await,
        Value::Null
    );

    deliver(
        &mut sink,
        vec![present(&things, "gone", &json!({"id": "back"}))],
    )
    .await;
    let back = row(trial, "things", "gone").await;
    assert_eq!(
        back["_deleted_at"],
        Value::Null,
        "a record that returns is not removed"
    );
    assert_eq!(back["id"], "back");
    assert_eq!(back["count"], Value::Null);
}

pub(super) async fn the_last_version_of_a_key_wins<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let version = |key: &str, n: u32| present(&things, key, &json!({"id": key, "count": n}));
    let mut sink = trial.open().await;
    let write = sink.write(vec![
        version("one write", 1),
        version("one flush", 1),
        version("one write", 2),
        version("returns", 1),
        removal(&things, "returns"),
        version("leaves", 1),
    ]);
    assert_taken(&write.await.expect("write"));
    let write = sink.write(vec![
        version("one flush", 2),
        version("returns", 2),
        removal(&things, "leaves"),
    ]);
    assert_taken(&write.await.expect("write"));
    assert_taken(&sink.flush().await.expect("flush"));
    for key in ["one write", "one flush", "returns"] {
        let row = row(trial, "things", key).await;
        assert_eq!(row["count"], 2, "{key}");
        assert_eq!(row["_deleted_at"], Value::Null, "{key}");
    }
    if let Some(row) = trial.row("things", "leaves").await {
        assert!(row["_deleted_at"].is_string(), "it was removed in the end");
    }
}

pub(super) async fn a_new_version_replaces_the_whole_row<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    let full = json!({"id": "a", "count": 1, "reason": "because", "extra": {"x": 1}});
    deliver(&mut sink, vec![present(&things, "a", &full)]).await;
    // By a sink that never saw the undeclared field.
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![present(&things, "a", &json!({"id": "a2"}))]).await;
    let row = row(trial, "things", "a").await;
    assert_eq!(row["id"], "a2");
    for column in ["count", "reason", "extra"] {
        assert_eq!(
            row[column],
            Value::Null,
            "what the new version lacks is null: {column}"
        );
    }
    assert_eq!(raw(&row), json!({"id": "a2"}));
}

pub(super) async fn streams_have_tables_of_their_own<T: WarehouseTrial>(trial: &T) {
    let (lists, members) = (
        Arc::new(Stream::new("lists").with("id", FieldType::Text)),
        Arc::new(Stream::new("members").with("id", FieldType::Integer)),
    );
    let mut sink = trial.open().await;
    deliver(
        &mut sink,
        vec![
            present(&lists, "a", &json!({"id": "list"})),
            present(&members, "a", &json!({"id": 1, "status": "subscribed"})),
            present(&lists, "b", &json!({"id": "other"})),
            removal(&members, "a"),
        ],
    )
    .await;
    assert_eq!(cell(trial, "lists", "a", "id").await, "list");
    assert_eq!(cell(trial, "lists", "b", "id").await, "other");
    assert_eq!(
        cell(trial, "lists", "a", "_deleted_at").await,
        Value::Null,
        "a key belongs to its stream"
    );
    assert_eq!(holds(trial, "lists", "status").await, None);
    assert_eq!(trial.count("lists").await, 2);
}

/// As when several audiences fill one table. A sink whose table another one changed may fail once; what is written again
/// after the abort must arrive.
pub(super) async fn sinks_share_a_table<T: WarehouseTrial>(trial: &T) {
    async fn persist(sink: &mut impl Sink<JsonRecord>, records: Vec<JsonRecord>) {
        if sink.write(records.clone()).await.is_err() || sink.flush().await.is_err() {
            sink.abort().await;
            deliver(sink, records).await;
        }
    }
    let things = things();
    let narrow = Arc::new(Stream::new("things").with("own", FieldType::Integer));
    let (mut one, mut two) = (trial.open().await, trial.open().await);
    persist(&mut one, vec![present(&things, "1", &json!({"count": 1}))]).await;
    persist(
        &mut two,
        vec![present(&narrow, "2", &json!({"own": 2, "new": "two"}))],
    )
    .await;
    persist(
        &mut one,
        vec![present(&things, "3", &json!({"count": 3, "new": "three"}))],
    )
    .await;
    persist(
        &mut two,
        vec![present(&narrow, "4", &json!({"count": "many", "own": 4}))],
    )
    .await;
    persist(
        &mut one,
        vec![present(
            &things,
            "5",
            &json!({"count": 5, "own": 5, "new": "five"}),
        )],
    )
    .await;
    let text = |value: &str| Value::String(value.to_owned());
    for (key, count, own, new) in [
        ("1", text("1"), Value::Null, Value::Null),
        ("2", Value::Null, json!(2), text("two")),
        ("3", text("3"), Value::Null, text("three")),
        ("4", text("many"), json!(4), Value::Null),
        ("5", text("5"), json!(5), text("five")),
    ] {
        let row = row(trial, "things", key).await;
        assert_eq!(
            (&row["count"], &row["own"], &row["new"]),
            (&count, &own, &new),
            "{key}"
        );
    }
    assert_eq!(trial.count("things").await, 5);
}
