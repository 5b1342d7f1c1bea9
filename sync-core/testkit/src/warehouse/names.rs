//! Names of fields and streams come from outside.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sync_core::Stream;
use sync_core::table::column_name;

use super::{WarehouseTrial, deliver, present, record, row, table_of, things};

pub(super) async fn names_that_fold_alike_are_kept_apart<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    let alike = [
        "name", "Name", "NAME", "na me", "na_me", "na-me", "näme", "name_",
    ];
    let object: Map<String, Value> = alike
        .iter()
        .enumerate()
        .map(|(n, name)| ((*name).to_owned(), json!(n)))
        .collect();
    deliver(&mut sink, vec![present(&things, "a", &object.into())]).await;
    // The same names in another order, by another sink: nothing depends on what came first.
    let mut sink = trial.open().await;
    let reversed: Vec<String> = alike
        .iter()
        .enumerate()
        .rev()
        .map(|(n, name)| format!("{}:{}", json!(name), n + 10))
        .collect();
    let reversed = format!("{{{}}}", reversed.join(","));
    deliver(&mut sink, vec![record(&things, "b", reversed)]).await;
    for (key, offset) in [("a", 0), ("b", 10)] {
        let row = row(trial, "things", key).await;
        for (n, name) in alike.iter().enumerate() {
            assert_eq!(row[&column_name([*name])], n + offset, "{key}: {name}");
        }
    }
}

pub(super) async fn hostile_names_are_only_names<T: WarehouseTrial>(trial: &T) {
    let long = "a very long name ".repeat(40);
    let hostile = [
        "x\"; DROP TABLE things; --",
        "x'); DROP TABLE things; --",
        "x` or [x] or $1 or ? or :x or %s",
        "select",
        "order",
        "user",
        "rowid",
        "ctid",
        "_key",
        "_raw",
        "_deleted_at",
        "1st",
        "ключ",
        "🙂",
        " ",
        "",
        "back\\slash\nand line",
        &long,
    ];
    let object: Map<String, Value> = hostile
        .iter()
        .enumerate()
        .map(|(n, name)| ((*name).to_owned(), json!(n)))
        .collect();
    let things = things();
    let streams = [
        things.clone(),
        Arc::new(Stream::new("robert\"; DROP TABLE things; --")),
        Arc::new(Stream::new("group")),
    ];
    let mut sink = trial.open().await;
    let object = Value::Object(object);
    let keys = [
        "plain",
        "'; DROP TABLE things; --",
        "\"quoted\"",
        "ключ 🙂",
        "a\\b",
    ];
    for stream in &streams {
        let records = keys.iter().map(|key| present(stream, key, &object));
        deliver(&mut sink, records.collect()).await;
    }
    for stream in &streams {
        let table = table_of(stream);
        for key in keys {
            let row = row(trial, &table, key).await;
            assert_eq!(row["_key"], key, "{table}");
            for (n, name) in hostile.iter().enumerate() {
                assert_eq!(row[&column_name([*name])], n, "{table}: {name}");
            }
            assert_eq!(row["_deleted_at"], Value::Null);
        }
        assert_eq!(trial.count(&table).await, keys.len());
    }
}
