//! What Postgres cannot hold.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use sync_core::{
    ErrorKind, FieldType, JsonRecord, Key, Readback, Rejection, Sink, Stream, fingerprint,
};

use crate::records::{deliver, raw, record, stream};
use crate::server::Place;

/// Delivers the record named `bad` among good ones, and gives why it was refused.
async fn refused(place: &Place, bad: JsonRecord) -> Rejection {
    let members = stream("members");
    // Several pieces for the way to the server, so that it refuses while they still go there.
    let note = "long ".repeat(20_000);
    let mut records: Vec<JsonRecord> = (0..20)
        .map(|n| {
            let good = json!({"age": 20 + n, "note": note});
            record(&members, &format!("{n:02}"), &good)
        })
        .collect();
    records.insert(7, bad);
    let mut sink = place.sink();
    let mut rejected = sink.write(records).await.unwrap().rejected;
    rejected.extend(sink.flush().await.unwrap().rejected);
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    let count = place.ask("members", "SELECT count(*) FROM {}").await;
    assert_eq!(count.as_deref(), Some("20"), "the others arrive");
    rejected.remove(0)
}

#[tokio::test]
async fn a_row_that_breaks_a_constraint_is_named_without_its_values() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = stream("members");
    let mut sink = place.sink();
    deliver(&mut sink, vec![record(&members, "00", &json!({"age": 20}))]).await;
    place
        .run(
            "members",
            "ALTER TABLE {} ADD CONSTRAINT grown_up CHECK (age >= 18)",
        )
        .await;
    let bad = record(
        &members,
        "bad",
        &json!({"age": 17, "name": "ada@example.com"}),
    );
    let rejection = refused(&place, bad).await;
    assert_eq!(rejection.key.as_str(), "bad");
    assert!(
        rejection.reason.contains("grown_up"),
        "{}",
        rejection.reason
    );
    assert!(!rejection.reason.contains("17") && !rejection.reason.contains("ada"));
}

#[tokio::test]
async fn a_key_that_no_index_takes_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    // Hashes in a row do not compress.
    let mut key = String::new();
    for n in 0..400_u32 {
        write!(key, "{:016x}", fingerprint(&n.to_be_bytes())).unwrap();
    }
    let rejection = refused(&place, record(&stream("members"), &key, &json!({}))).await;
    assert_eq!(rejection.key.as_str(), key);
    assert!(
        rejection.reason.contains("too large"),
        "{}",
        rejection.reason
    );
}

#[tokio::test]
async fn a_key_with_a_zero_byte_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let bad = record(&stream("members"), "a\0b", &json!({}));
    let rejection = refused(&place, bad.clone()).await;
    assert_eq!(rejection.key, bad.key);
    let mut readback = place.warehouse().readback();
    let found = readback
        .fingerprints(&bad.stream, &[bad.key])
        .await
        .unwrap();
    assert_eq!(found, [None]);
}

#[tokio::test]
async fn a_row_wider_than_a_page_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let wide: Map<String, Value> = (0..900)
        .map(|n| (format!("field_{n}"), json!("fifteen letters")))
        .collect();
    let rejection = refused(&place, record(&stream("members"), "bad", &wide.into())).await;
    assert!(
        rejection.reason.contains("too large"),
        "{}",
        rejection.reason
    );
}

#[tokio::test]
async fn json_deeper_than_the_servers_stack_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let deep = format!(
        "{{\"list\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let rejection = refused(&place, raw(&stream("members"), "bad", &deep)).await;
    assert!(rejection.reason.contains("deep"), "{}", rejection.reason);
}

#[tokio::test]
async fn a_table_that_refuses_all_rows_is_an_error() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = stream("members");
    let mut sink = place.sink();
    deliver(&mut sink, vec![record(&members, "a", &json!({"age": 1}))]).await;
    place
        .run(
            "members",
            "ALTER TABLE {} ADD CONSTRAINT never CHECK (age = 1)",
        )
        .await;
    let records = (0..150).map(|n| record(&members, &format!("{n}"), &json!({"age": 2})));
    sink.write(records.collect()).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("23514"), "{error}");
    // Nothing was reported and nothing forgotten: it comes again.
    place
        .run("members", "ALTER TABLE {} DROP CONSTRAINT never")
        .await;
    assert_eq!(sink.flush().await.unwrap().rejected, []);
    let count = place.ask("members", "SELECT count(*) FROM {}").await;
    assert_eq!(count.as_deref(), Some("151"));
}

#[tokio::test]
async fn values_out_of_range_are_null_and_stay_in_raw() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = Stream::new("members")
        .with("born", FieldType::Date)
        .with("seen", FieldType::Timestamp)
        .with("list", FieldType::Json);
    let members = Arc::new(members);
    let odd = r#"{"born":"-5000-01-01","seen":"-5000-01-01 00:00:00","list":[1e200000]}"#;
    let fine = r#"{"born":"-4000-01-01","seen":"+262000-01-01 00:00:00","list":[1e300]}"#;
    let mut sink = place.sink();
    deliver(
        &mut sink,
        vec![raw(&members, "odd", odd), raw(&members, "fine", fine)],
    )
    .await;
    let values =
        |key: &str| format!("SELECT num_nonnulls(born, seen, list) FROM {{}} WHERE _key = '{key}'");
    assert_eq!(
        place.ask("members", &values("odd")).await.as_deref(),
        Some("0")
    );
    assert_eq!(
        place.ask("members", &values("fine")).await.as_deref(),
        Some("3")
    );
    let stored = place
        .ask("members", "SELECT _raw::text FROM {} WHERE _key = 'odd'")
        .await;
    assert_eq!(stored.as_deref(), Some(odd));
}

/// JSON strings of what is hard to store.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -!#-\\[\\]-~]{0,3}",
        Just("\\u0000".to_owned()),
        Just("\\ud800".to_owned()),
        Just("\\uDFFF".to_owned()),
        Just("\\ud83d\\ude00".to_owned()),
        Just("\\u00E9".to_owned()),
        Just("\\\\".to_owned()),
        Just("\\\"".to_owned()),
        Just("\\n".to_owned()),
        Just("🙂é\u{7f}".to_owned()),
    ];
    vec(part, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,30})([.][0-9]{1,30})?([eE][-+]?[0-9]{1,6})?"
}

fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        string(),
        number(),
        Just("null".to_owned()),
        Just("true".to_owned())
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(" ,"))),
            vec((string(), inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name} : {value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

#[tokio::test]
async fn whatever_json_can_say_is_stored() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let things = Stream::new("things")
        .with("json", FieldType::Json)
        .with("text", FieldType::Text)
        .with("integer", FieldType::Integer);
    let things = Arc::new(things);
    let mut runner = TestRunner::default();
    let object =
        (json_value(), string(), number(), string()).prop_map(|(json, text, integer, other)| {
            format!("{{\"json\":{json}, \"text\":{text},\"integer\":{integer},\"other\":{other}}}")
        });
    let records: Vec<JsonRecord> = (0..400)
        .map(|n| {
            let data = object.new_tree(&mut runner).unwrap().current();
            raw(&things, &n.to_string(), &data)
        })
        .collect();
    let mut sink = place.sink();
    let mut rejected = sink.write(records.clone()).await.unwrap().rejected;
    rejected.extend(sink.flush().await.unwrap().rejected);
    let data = |key: &Key| {
        let record = records.iter().find(|record| record.key == *key);
        record.map(|record| String::from_utf8_lossy(&record.data).into_owned())
    };
    let refused: Vec<_> = rejected
        .iter()
        .map(|rejection| (&rejection.reason, data(&rejection.key)))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let keys: Vec<Key> = records.iter().map(|record| record.key.clone()).collect();
    let stored = place
        .warehouse()
        .readback()
        .fingerprints(&things, &keys)
        .await
        .unwrap();
    for (record, stored) in records.iter().zip(stored) {
        assert_eq!(
            stored,
            Some(fingerprint(&record.data)),
            "{:?}",
            data(&record.key)
        );
    }
}

#[tokio::test]
async fn a_view_that_stands_in_the_way_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = stream("members");
    let mut sink = place.sink();
    deliver(&mut sink, vec![record(&members, "a", &json!({"age": 1}))]).await;
    let view = format!(
        "CREATE VIEW \"{}\".elders AS SELECT age FROM {{}}",
        place.settings.schema
    );
    place.run("members", &view).await;
    sink.write(vec![record(&members, "b", &json!({"age": "old"}))])
        .await
        .unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.chain().contains("elders"), "{}", error.chain());
    place.run("elders", "DROP VIEW {}").await;
    sink.flush().await.unwrap();
    let ages = place
        .ask(
            "members",
            "SELECT string_agg(age, ' ' ORDER BY _key) FROM {}",
        )
        .await;
    assert_eq!(ages.as_deref(), Some("1 old"));
}

#[tokio::test]
async fn a_table_of_somebody_else_is_left_alone() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let schema = &place.settings.schema;
    let members = stream("members");
    place
        .run(
            "members",
            &format!("CREATE SCHEMA \"{schema}\"; CREATE TABLE {{}} (_key text)"),
        )
        .await;
    let mut sink = place.sink();
    sink.write(vec![record(&members, "a", &json!({"age": 1}))])
        .await
        .unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("table members"), "{error}");
    sink.abort().await;

    place.run("members", "DROP TABLE {}").await;
    deliver(&mut sink, vec![record(&members, "a", &json!({"age": 1}))]).await;
    place
        .run(
            "members",
            "ALTER TABLE {} ADD COLUMN rank integer DEFAULT 5",
        )
        .await;
    // A type that no field has: left alone, until a field needs that name.
    deliver(&mut sink, vec![record(&members, "b", &json!({"age": 2}))]).await;
    let ranks = place
        .ask("members", "SELECT string_agg(rank::text, ' ') FROM {}")
        .await;
    assert_eq!(ranks.as_deref(), Some("5 5"));
    sink.write(vec![record(&members, "c", &json!({"rank": 1}))])
        .await
        .unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("column rank"), "{error}");
}
