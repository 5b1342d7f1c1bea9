//! What stands in the tables afterwards.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use sync_core::{FieldType, JsonRecord, Key, Readback, Sink, Stream, fingerprint};

use crate::fake::{self, Fake, deliver, record, removal, shown};

fn members() -> Arc<Stream> {
    let stream = Stream::new("members")
        .with("email", FieldType::Text)
        .with("vip", FieldType::Boolean)
        .with("visits", FieldType::Integer)
        .with("stats.open_rate", FieldType::Number)
        .with("born", FieldType::Date)
        .with("changed", FieldType::Timestamp)
        .with("tags", FieldType::Json);
    Arc::new(stream)
}

#[tokio::test]
async fn declared_fields_become_typed_columns() {
    let Some(fake) = Fake::find() else { return };
    let members = members();
    let full = json!({
        "email": "It's \"you\" \\ é😀\n", "vip": true, "visits": 9_007_199_254_740_993_i64,
        "stats": {"open_rate": 0.25}, "born": "1990-02-03", "changed": "2024-01-02T03:04:05+02:00",
        "tags": [{"id": 1}, "x"],
    });
    let empty = json!({
        "email": "", "vip": null, "visits": "", "stats": {"open_rate": ""}, "born": "0000-00-00",
        "changed": "", "tags": null,
    });
    let rejected = deliver(
        &mut fake.sink(),
        vec![
            record(&members, "full", &full),
            record(&members, "empty", &empty),
            record(&members, "none", &json!({})),
        ],
    )
    .await;
    assert_eq!(rejected, []);
    assert_eq!(
        fake.columns("MEMBERS").await,
        [
            "_KEY | TEXT",
            "EMAIL | TEXT",
            "VIP | BOOLEAN",
            "VISITS | NUMBER",
            "STATS__OPEN_RATE | FLOAT",
            "BORN | DATE",
            "CHANGED | TIMESTAMP_TZ",
            "TAGS | VARIANT",
            "_RAW | VARIANT",
            "_FINGERPRINT | TEXT",
            "_SYNCED_AT | TIMESTAMP_TZ",
            "_DELETED_AT | TIMESTAMP_TZ",
        ]
    );
    let rows = fake
        .query(
            "SELECT _KEY, EMAIL, VIP::VARCHAR, VISITS::VARCHAR, STATS__OPEN_RATE::VARCHAR, BORN::VARCHAR, \
             CHANGED::VARCHAR, TAGS::VARCHAR, _RAW:vip::VARCHAR FROM MEMBERS ORDER BY _KEY",
        )
        .await;
    assert_eq!(
        shown(&rows),
        [
            "empty |  | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅",
            "full | It's \"you\" \\ é😀\n | true | 9007199254740993 | 0.25 | 1990-02-03 | \
             2024-01-02 01:04:05+00 | [{\"id\":1},\"x\"] | true",
            "none | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅",
        ]
    );
}

#[tokio::test]
async fn a_removal_marks_the_row_once_and_keeps_it() {
    let Some(fake) = Fake::find() else { return };
    let members = members();
    let mut sink = fake.sink();
    let ada = json!({"email": "ada"});
    deliver(&mut sink, vec![record(&members, "a", &ada)]).await;
    deliver(
        &mut sink,
        vec![removal(&members, "a"), removal(&members, "b")],
    )
    .await;
    let rows = "SELECT _KEY, EMAIL, _DELETED_AT::VARCHAR FROM MEMBERS";
    let first = fake.query(rows).await;
    assert_eq!(first.len(), 1, "what was never there leaves no row");
    assert_eq!(first[0][1].as_deref(), Some("ada"));
    assert!(first[0][2].is_some());
    deliver(&mut sink, vec![removal(&members, "a")]).await;
    assert_eq!(fake.query(rows).await, first, "the first time stays");
    deliver(&mut sink, vec![record(&members, "a", &ada)]).await;
    assert_eq!(shown(&fake.query(rows).await), ["a | ada | ∅"]);
}

#[tokio::test]
async fn hostile_names_are_only_names() {
    let Some(fake) = Fake::find() else { return };
    let stream = Arc::new(Stream::new("x\"; DROP TABLE MEMBERS; --"));
    let data = json!({
        "a\"b": 1, "a'b": 2, "A B": 3, "a b": 4, "select": 5, "_key": 6, "_raw": 7, "": 8, "ä": 9, "row": 10,
        "x$WIDER": 11, "?": 12, "a".repeat(300): 13,
    });
    let key = "'; DROP TABLE x; -- \" \\ \u{0}?";
    deliver(&mut fake.sink(), vec![record(&stream, key, &data)]).await;
    let tables = fake.tables().await;
    assert_eq!(tables.len(), 1, "{tables:?}");
    let table = &tables[0];
    let columns = fake.types(table).await;
    let list: Vec<String> = columns
        .iter()
        .map(|column| format!("\"{}\"::VARCHAR", column.trim_end_matches(" | NUMBER")))
        .collect();
    let values = fake
        .query(&format!("SELECT {} FROM \"{table}\"", list.join(", ")))
        .await;
    let mut values: Vec<u32> = values
        .iter()
        .flatten()
        .flatten()
        .map(|value| value.parse().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, (1..=13).collect::<Vec<_>>());
    let keys = fake.readback().keys(&stream, None, 10).await.unwrap();
    assert_eq!(keys, [Key::new(key)]);
}

#[tokio::test]
async fn text_that_no_warehouse_holds_is_repaired() {
    let Some(fake) = Fake::find() else { return };
    let members = members();
    let data = Bytes::from_static(br#"{"email":"\ud83d!","x":"\u0000\ud83d\ude42"}"#);
    let odd = JsonRecord {
        data: data.clone(),
        ..record(&members, "odd", &json!({}))
    };
    let mut sink = fake.sink();
    assert_eq!(deliver(&mut sink, vec![odd]).await, []);
    let rows = fake
        .query("SELECT EMAIL, X, _RAW:email::VARCHAR, _RAW:x::VARCHAR FROM MEMBERS")
        .await;
    assert_eq!(
        shown(&rows),
        ["\u{fffd}! | \u{fffd}\u{1f642} | \u{fffd}! | \u{fffd}\u{1f642}"]
    );
    let stored = fake
        .readback()
        .fingerprints(&members, &[Key::new("odd")])
        .await;
    assert_eq!(stored.unwrap(), [Some(fingerprint(&data))]);
}

#[tokio::test]
async fn what_is_stored_can_be_compared_with_the_source() {
    let Some(fake) = Fake::find() else { return };
    let members = members();
    let mut sink = fake.sink();
    let mut readback = fake.readback();
    let keys: Vec<Key> = ["a", "b", "c", "d"].map(Key::new).into();
    assert_eq!(
        readback.fingerprints(&members, &keys).await.unwrap(),
        [None; 4],
        "without a table nothing is stored"
    );
    assert_eq!(readback.keys(&members, None, 10).await.unwrap(), []);
    let stored: Vec<_> = ["c", "a", "b"]
        .map(|key| {
            record(
                &members,
                key,
                &json!({"email": key, "z": [1], "b": {"y": 1.50}}),
            )
        })
        .into();
    let expected = |n: usize| Some(fingerprint(&stored[n].data));
    let expected = [expected(1), expected(2), None, None];
    let mut records = stored.clone();
    records.push(removal(&members, "c"));
    deliver(&mut sink, records).await;
    assert_eq!(
        readback.fingerprints(&members, &keys).await.unwrap(),
        expected
    );
    assert_eq!(readback.fingerprints(&members, &[]).await.unwrap(), []);
    assert_eq!(readback.keys(&members, None, 1).await.unwrap(), keys[..1]);
    assert_eq!(
        readback.keys(&members, Some(&keys[0]), 10).await.unwrap(),
        keys[1..2]
    );
    assert_eq!(
        readback.keys(&members, Some(&keys[1]), 10).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn streams_wait_together_with_no_more_than_a_statement() {
    let Some(fake) = Fake::find() else { return };
    let streams: Vec<Arc<Stream>> = (0..5)
        .map(|n| Arc::new(Stream::new(format!("stream_{n}"))))
        .collect();
    let mut sink = fake.sink_through(fake.url.as_str());
    let mut records = Vec::new();
    for n in 0..400 {
        let data = json!({"n": n, "text": "x".repeat(1000)});
        records.push(record(&streams[n % 5], &format!("{n:03}"), &data));
    }
    assert_eq!(deliver(&mut sink, records).await, []);
    for n in 0..5 {
        let count = fake
            .query(&format!("SELECT COUNT(*)::VARCHAR FROM STREAM_{n}"))
            .await;
        assert_eq!(shown(&count), ["80"]);
    }
}

#[tokio::test]
async fn a_record_larger_than_a_variant_is_named() {
    let Some(fake) = Fake::find() else { return };
    let members = members();
    let large = json!({"email": "x".repeat(16 * 1024 * 1024)});
    let mut sink = fake.sink();
    let records = vec![
        record(&members, "a", &json!({"email": "a"})),
        record(&members, "large", &large),
        record(&members, "b", &json!({"email": "b"})),
    ];
    let rejected = sink.write(records).await.unwrap().rejected;
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].key, Key::new("large"));
    assert!(
        rejected[0].reason.contains("16 MiB"),
        "{}",
        rejected[0].reason
    );
    sink.flush().await.unwrap();
    let keys = fake.readback().keys(&members, None, 10).await.unwrap();
    assert_eq!(keys, [Key::new("a"), Key::new("b")]);
}

#[tokio::test]
async fn many_streams_are_written_at_once() {
    let Some(fake) = Fake::find() else { return };
    let warehouse = fake::warehouse(&fake.settings());
    let streams = (0..8).map(|n| {
        let mut sink = warehouse.sink();
        async move {
            let stream = Arc::new(Stream::new(format!("stream_{n}")));
            for turn in 0..3 {
                let data = json!({"n": turn, format!("field_{turn}"): n});
                let rejected = deliver(&mut sink, vec![record(&stream, "k", &data)]).await;
                assert_eq!(rejected, []);
            }
        }
    });
    futures::future::join_all(streams).await;
    for n in 0..8 {
        let rows = fake
            .query(&format!(
                "SELECT N::VARCHAR, FIELD_2::VARCHAR FROM STREAM_{n}"
            ))
            .await;
        assert_eq!(shown(&rows), [format!("2 | {n}")]);
    }
}
