//! Which columns there are and what they hold.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sync_core::{FieldType, Sink, Stream};

use super::{
    WarehouseTrial, cell, deliver, holds, present, raw, record, row, says_moment, says_number,
    table_of, things,
};

pub(super) async fn declared_columns_are_made_and_typed<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![present(&things, "a", &json!({"id": "a"}))]).await;
    for (column, wanted) in [
        ("id", FieldType::Text),
        ("active", FieldType::Boolean),
        ("count", FieldType::Integer),
        ("stats__ratio", FieldType::Number),
        ("born", FieldType::Date),
        ("seen_at", FieldType::Timestamp),
        ("extra", FieldType::Json),
    ] {
        assert_eq!(
            holds(trial, "things", column).await,
            Some(wanted),
            "what is declared is a column of its type: {column}"
        );
    }
    assert_eq!(
        trial.columns("things").await.len(),
        7,
        "nothing else is a column"
    );
    let row = row(trial, "things", "a").await;
    assert_eq!(row["id"], "a");
    assert_eq!(row["_key"], "a");
    assert!(row["_synced_at"].is_string(), "a row says when it came");
    for column in [
        "active",
        "count",
        "stats__ratio",
        "born",
        "seen_at",
        "extra",
        "_deleted_at",
    ] {
        assert_eq!(
            row[column],
            Value::Null,
            "what a record lacks is null: {column}"
        );
    }
}

pub(super) async fn values_come_back_as_they_went<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    // 2⁵³ + 1 is no double.
    let whole = json!({
        "id": "a",
        "active": true,
        "count": 9_007_199_254_740_993_i64,
        "stats": {"ratio": 0.1},
        "born": "2001-02-03",
        "seen_at": "2026-11-21T10:00:00.123456+01:00",
        "extra": {"deep": [1, {"x": null}], "text": "\"quoted\""},
        "list": [1, "two", {"three": [3]}],
    });
    let edges = json!({
        "id": "",
        "active": false,
        "count": i64::MIN,
        "stats": {"ratio": -1.5e300},
        "born": "1904-02-29",
        "seen_at": "1999-12-31T23:59:59Z",
        "extra": [],
        "list": [],
    });
    deliver(
        &mut sink,
        vec![present(&things, "a", &whole), present(&things, "b", &edges)],
    )
    .await;
    let a = row(trial, "things", "a").await;
    assert_eq!(a["id"], "a");
    assert_eq!(a["active"], true);
    assert_eq!(a["count"], 9_007_199_254_740_993_i64);
    assert_eq!(a["stats__ratio"], 0.1);
    assert_eq!(a["born"], "2001-02-03");
    assert!(
        says_moment(&a["seen_at"], "2026-11-21T09:00:00.123456Z"),
        "a moment keeps its microseconds: {}",
        a["seen_at"]
    );
    assert_eq!(a["extra"], whole["extra"]);
    assert_eq!(a["list"], whole["list"]);
    assert_eq!(raw(&a), whole, "the whole record is in _raw");
    let b = row(trial, "things", "b").await;
    assert_eq!(b["id"], "", "an empty text is a text");
    assert_eq!(b["active"], false);
    assert_eq!(b["count"], i64::MIN);
    assert!(says_number(&b["stats__ratio"], -1.5e300));
    assert_eq!(b["born"], "1904-02-29");
    assert!(says_moment(&b["seen_at"], "1999-12-31T23:59:59Z"));
    assert_eq!(b["extra"], json!([]));
    assert_eq!(b["list"], json!([]));
}

pub(super) async fn a_later_field_becomes_a_column<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![present(&things, "a", &json!({"id": "a"}))]).await;
    let later = json!({"id": "b", "merge_fields": {"7": "x"}, "stats": {"opens": 3}});
    // Twice in one interval: first before, then with the new fields.
    let write = sink.write(vec![present(&things, "c", &json!({"id": "c"}))]);
    write.await.expect("write");
    deliver(&mut sink, vec![present(&things, "b", &later)]).await;
    assert_eq!(
        holds(trial, "things", "merge_fields__7").await,
        Some(FieldType::Text)
    );
    assert_eq!(
        holds(trial, "things", "stats__opens").await,
        Some(FieldType::Integer)
    );
    let b = row(trial, "things", "b").await;
    assert_eq!(b["merge_fields__7"], "x");
    assert_eq!(b["stats__opens"], 3);
    for older in ["a", "c"] {
        let row = row(trial, "things", older).await;
        assert_eq!(row["id"], older);
        assert_eq!(
            row["merge_fields__7"],
            Value::Null,
            "rows from before a column are null there"
        );
        assert_eq!(row["stats__opens"], Value::Null);
    }
}

pub(super) async fn widening_keeps_every_row<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    let first = json!({
        "id": "a", "count": 1, "stats": {"ratio": 0.1}, "born": "2001-02-03",
        "seen_at": "2026-11-21T10:00:00Z", "active": true, "list": [1],
    });
    deliver(
        &mut sink,
        vec![
            present(&things, "a", &first),
            present(&things, "none", &json!({"id": "none"})),
        ],
    )
    .await;

    let second = json!({"id": "b", "count": 2.5, "born": "2001-02-03 04:05:06"});
    deliver(&mut sink, vec![present(&things, "b", &second)]).await;
    assert_eq!(
        holds(trial, "things", "count").await,
        Some(FieldType::Number)
    );
    assert_eq!(
        holds(trial, "things", "born").await,
        Some(FieldType::Timestamp)
    );
    let a = row(trial, "things", "a").await;
    assert!(says_number(&a["count"], 1.0), "{}", a["count"]);
    assert!(
        says_moment(&a["born"], "2001-02-03T00:00:00Z"),
        "a day becomes its first moment: {}",
        a["born"]
    );
    let b = row(trial, "things", "b").await;
    assert_eq!(b["count"], 2.5);
    assert!(says_moment(&b["born"], "2001-02-03T04:05:06Z"));

    let third = json!({
        "id": "c", "count": "many", "stats": {"ratio": "much"}, "born": "long ago",
        "seen_at": "never", "active": "perhaps", "list": "one",
    });
    // Old values come once more in the same flush, in columns that have become text.
    let again = json!({"id": "d", "count": 7, "active": false, "stats": {"ratio": 1.50}});
    deliver(
        &mut sink,
        vec![present(&things, "c", &third), present(&things, "d", &again)],
    )
    .await;
    for column in ["count", "stats__ratio", "born", "seen_at", "active"] {
        assert_eq!(
            holds(trial, "things", column).await,
            Some(FieldType::Text),
            "{column}"
        );
    }
    let a = row(trial, "things", "a").await;
    let text = |cell: &Value| {
        let text = cell.as_str();
        text.unwrap_or_else(|| panic!("a text, not {cell}"))
            .to_owned()
    };
    assert!(
        says_number(&json!(text(&a["count"])), 1.0),
        "{}",
        a["count"]
    );
    assert!(
        says_number(&json!(text(&a["stats__ratio"])), 0.1),
        "{}",
        a["stats__ratio"]
    );
    assert_eq!(text(&a["active"]), "true");
    assert!(text(&a["born"]).starts_with("2001-02-03"), "{}", a["born"]);
    assert!(
        text(&a["seen_at"]).starts_with("2026-11-21"),
        "{}",
        a["seen_at"]
    );
    assert_eq!(a["list"], json!([1]), "a column of JSON holds everything");
    let b = row(trial, "things", "b").await;
    assert!(
        says_number(&json!(text(&b["count"])), 2.5),
        "{}",
        b["count"]
    );
    let c = row(trial, "things", "c").await;
    for (column, wanted) in [
        ("count", "many"),
        ("stats__ratio", "much"),
        ("born", "long ago"),
        ("seen_at", "never"),
        ("active", "perhaps"),
        ("list", "one"),
    ] {
        assert_eq!(c[column], wanted, "{column}");
    }
    let d = row(trial, "things", "d").await;
    assert_eq!(d["count"], "7");
    assert_eq!(d["active"], "false");
    assert!(says_number(&d["stats__ratio"], 1.5));
    let none = row(trial, "things", "none").await;
    for column in ["count", "stats__ratio", "born", "seen_at", "active", "list"] {
        assert_eq!(none[column], Value::Null, "null stays null: {column}");
    }
    assert_eq!(raw(&a), first, "_raw stays as it came");
}

pub(super) async fn empty_values_are_null_and_stay_in_raw<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    let empty = json!({
        "id": "", "active": "", "count": "", "stats": {"ratio": ""}, "born": "", "seen_at": "",
        "extra": "", "unknown": "",
    });
    let zero = json!({"born": "0000-00-00", "seen_at": "0000-00-00 00:00:00", "stats": null});
    deliver(
        &mut sink,
        vec![present(&things, "a", &empty), present(&things, "b", &zero)],
    )
    .await;
    let a = row(trial, "things", "a").await;
    for column in [
        "active",
        "count",
        "stats__ratio",
        "born",
        "seen_at",
        "extra",
    ] {
        assert_eq!(a[column], Value::Null, "an empty string is null: {column}");
    }
    assert_eq!(a["id"], "", "an empty string in a text column is a text");
    assert_eq!(raw(&a), empty, "_raw keeps the empty strings");
    let b = row(trial, "things", "b").await;
    for column in ["stats__ratio", "born", "seen_at"] {
        assert_eq!(b[column], Value::Null, "a date of zeros is null: {column}");
    }
    assert_eq!(
        holds(trial, "things", "unknown").await,
        None,
        "a field without a value makes no column"
    );
}

pub(super) async fn hundreds_of_columns_fit<T: WarehouseTrial>(trial: &T) {
    let wide = Arc::new(Stream::new("wide"));
    let table = table_of(&wide);
    let fields = |range: std::ops::Range<u32>| -> Value {
        let fields = range.map(|n| (format!("field_{n:03}"), json!(n)));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![present(&wide, "a", &fields(0..300))]).await;
    deliver(
        &mut sink,
        vec![
            record(&wide, "b", "{}"),
            present(&wide, "c", &fields(200..400)),
        ],
    )
    .await;
    assert_eq!(trial.columns(&table).await.len(), 400);
    assert_eq!(cell(trial, &table, "a", "field_299").await, 299);
    assert_eq!(cell(trial, &table, "a", "field_300").await, Value::Null);
    assert_eq!(cell(trial, &table, "b", "field_000").await, Value::Null);
    assert_eq!(cell(trial, &table, "c", "field_199").await, Value::Null);
    assert_eq!(cell(trial, &table, "c", "field_399").await, 399);
}
