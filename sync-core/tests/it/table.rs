use std::sync::Arc;

use bytes::Bytes;
use chrono::{NaiveDate, TimeZone, Utc};
use proptest::prelude::*;

use sync_core::table::{Alteration, Column, MAX_COLUMNS, Table, Value, newest};
use sync_core::{FieldType, JsonRecord, Key, Stream};

fn stream() -> Stream {
    Stream::new("things")
        .with("id", FieldType::Text)
        .with("count", FieldType::Integer)
        .with("born", FieldType::Date)
        .with("seen_at", FieldType::Timestamp)
        .with("extra", FieldType::Json)
}

fn record(data: impl Into<Bytes>) -> JsonRecord {
    JsonRecord {
        stream: Arc::new(stream()),
        key: Key::new("k"),
        data: data.into(),
        removed: false,
    }
}

fn column(name: &str, holds: FieldType) -> Column {
    Column {
        name: name.to_owned(),
        holds,
    }
}

/// The value of a column in each row, after shaping these records at once.
fn values(table: &mut Table, records: &[&'static str], name: &str) -> Vec<Value<'static>> {
    let records: Vec<JsonRecord> = records.iter().map(|data| record(*data)).collect();
    let shaped = table.shape(&records);
    assert_eq!(shaped.rejected, []);
    let place = table
        .columns()
        .iter()
        .position(|column| column.name == name)
        .unwrap_or_else(|| panic!("no column {name}"));
    shaped
        .rows
        .iter()
        .map(|row| match &row.values[place] {
            Value::Null => Value::Null,
            Value::Boolean(value) => Value::Boolean(*value),
            Value::Integer(value) => Value::Integer(*value),
            Value::Number(value) => Value::Number(*value),
            Value::Date(value) => Value::Date(*value),
            Value::Timestamp(value) => Value::Timestamp(*value),
            Value::Text(value) => Value::Text(value.clone().into_owned().into()),
            Value::Json(value) => Value::Json(value.clone().into_owned().into()),
        })
        .collect()
}

#[test]
fn declared_fields_are_typed() {
    let mut table = Table::new(&stream());
    let line = r#"{"id":"a","count":3,"born":"2001-02-03","seen_at":"2026-11-21T10:00:00+01:00","extra":{"x":[1]}}"#;
    let records = [record(line)];
    let shaped = table.shape(&records);
    assert_eq!(shaped.alterations, []);
    assert_eq!(
        shaped.rows[0].values,
        [
            Value::Text("a".into()),
            Value::Integer(3),
            Value::Date(NaiveDate::from_ymd_opt(2001, 2, 3).unwrap()),
            Value::Timestamp(Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap()),
            Value::Json(r#"{"x":[1]}"#.into()),
        ]
    );
}

#[test]
fn empty_strings_and_zero_dates_are_null_but_in_text() {
    let mut table = Table::new(&stream());
    let records = [
        record(r#"{"id":"","count":"","born":"","seen_at":"","extra":"","new":""}"#),
        record(r#"{"id":null,"count":null,"born":"0000-00-00","seen_at":"0000-00-00 00:00:00"}"#),
    ];
    let shaped = table.shape(&records);
    assert_eq!(shaped.alterations, []);
    assert_eq!(shaped.rows[0].values[0], Value::Text("".into()));
    assert!(
        shaped.rows[0].values[1..]
            .iter()
            .all(|value| *value == Value::Null)
    );
    assert!(
        shaped.rows[1]
            .values
            .iter()
            .all(|value| *value == Value::Null)
    );
}

#[test]
fn what_nobody_declared_becomes_a_column_with_its_first_value() {
    let mut table = Table::new(&stream());
    let records = [
        record(r#"{"id":"a"}"#),
        record(r#"{"id":"b","stats":{"rate":0.5,"deep":{"on":true}},"tags":[1,2],"note":{}}"#),
        record(r#"{"id":"c"}"#),
    ];
    let shaped = table.shape(&records);
    let added = [
        column("stats__rate", FieldType::Number),
        column("stats__deep__on", FieldType::Boolean),
        column("tags", FieldType::Json),
    ];
    assert_eq!(shaped.alterations, added.map(Alteration::Add));
    for row in &shaped.rows {
        assert_eq!(row.values.len(), table.columns().len());
    }
    assert_eq!(
        shaped.rows[1].values[5..],
        [
            Value::Number(0.5),
            Value::Boolean(true),
            Value::Json("[1,2]".into()),
        ]
    );
    assert_eq!(
        shaped.rows[2].values[5..],
        [Value::Null, Value::Null, Value::Null]
    );
}

#[test]
fn a_value_that_does_not_fit_widens_its_column_for_every_row() {
    let mut table = Table::new(&stream());
    assert_eq!(
        values(
            &mut table,
            &[r#"{"count":1}"#, r#"{"count":1.50}"#],
            "count"
        ),
        [Value::Number(1.0), Value::Number(1.5)]
    );
    assert_eq!(
        values(
            &mut table,
            &[
                r#"{"count":1.50}"#,
                r#"{"count":"many"}"#,
                r#"{"count":true}"#
            ],
            "count"
        ),
        [
            Value::Text("1.50".into()),
            Value::Text("many".into()),
            Value::Text("true".into())
        ]
    );
    assert_eq!(
        values(
            &mut table,
            &[
                r#"{"born":"2001-02-03"}"#,
                r#"{"born":"2001-02-03 04:05:06"}"#
            ],
            "born"
        ),
        [
            Value::Timestamp(Utc.with_ymd_and_hms(2001, 2, 3, 0, 0, 0).unwrap()),
            Value::Timestamp(Utc.with_ymd_and_hms(2001, 2, 3, 4, 5, 6).unwrap()),
        ]
    );
    assert_eq!(
        values(
            &mut table,
            &[r#"{"extra":3}"#, r#"{"extra":"x\n"}"#],
            "extra"
        ),
        [Value::Json("3".into()), Value::Json(r#""x\n""#.into())],
        "a JSON column holds everything"
    );
}

#[test]
fn a_widening_names_what_the_column_held() {
    let mut table = Table::new(&stream());
    let records = [record(r#"{"count":1.5}"#), record(r#"{"count":"x"}"#)];
    let shaped = table.shape(&records);
    assert_eq!(
        shaped.alterations,
        [Alteration::Widen {
            column: column("count", FieldType::Text),
            from: FieldType::Integer,
        }]
    );
    assert_eq!(table.shape(&records).alterations, [], "it was done");
}

#[test]
fn a_name_is_never_taken_for_another() {
    let mut table = Table::new(&stream());
    let lines = [
        r#"{"a\":1,\"b":5,"c":1}"#,
        r#"{"a":1,"b":2,"c":3}"#,
        r#"{"c":4,"a":5}"#,
        r#"{"\u0061":6,"b" : 7}"#,
        r#"{"":8,"a":9}"#,
    ];
    for (column, wanted) in [
        ("a", [None, Some(1), Some(5), Some(6), Some(9)]),
        ("b", [None, Some(2), None, Some(7), None]),
        ("c", [Some(1), Some(3), Some(4), None, None]),
    ] {
        let wanted = wanted.map(|value| value.map_or(Value::Null, Value::Integer));
        // A second time, now that the order of the fields is known.
        for _ in 0..2 {
            assert_eq!(values(&mut table, &lines, column), wanted, "{column}");
        }
    }
}

#[test]
fn numbers_in_strings_fill_number_columns() {
    let mut table = Table::new(&stream());
    assert_eq!(
        values(
            &mut table,
            &[r#"{"count":"12"}"#, r#"{"count":"-3"}"#],
            "count"
        ),
        [Value::Integer(12), Value::Integer(-3)]
    );
    assert_eq!(
        values(&mut table, &[r#"{"count":"1.25"}"#], "count"),
        [Value::Number(1.25)]
    );
    assert_eq!(
        values(
            &mut table,
            &[r#"{"count":"nan"}"#, r#"{"count":99999999999999999999999}"#],
            "count"
        ),
        [
            Value::Text("nan".into()),
            Value::Text("99999999999999999999999".into())
        ]
    );
}

#[test]
fn a_scalar_and_an_object_at_one_path_have_columns_of_their_own() {
    let mut table = Table::new(&stream());
    let both = [r#"{"place":"here"}"#, r#"{"place":{"city":"Rom"}}"#];
    assert_eq!(
        values(&mut table, &both, "place"),
        [Value::Text("here".into()), Value::Null]
    );
    assert_eq!(
        values(&mut table, &both, "place__city"),
        [Value::Null, Value::Text("Rom".into())]
    );
}

#[test]
fn an_adopted_table_goes_on_with_what_the_warehouse_has() {
    let found = vec![
        column("id", FieldType::Text),
        column("count", FieldType::Text),
        column("seen_at", FieldType::Date),
        column("theirs", FieldType::Number),
        column("stats__rate", FieldType::Integer),
    ];
    let (mut table, alterations) = Table::adopt(&stream(), found);
    assert_eq!(
        alterations,
        [
            Alteration::Add(column("born", FieldType::Date)),
            Alteration::Widen {
                column: column("seen_at", FieldType::Timestamp),
                from: FieldType::Date,
            },
            Alteration::Add(column("extra", FieldType::Json)),
        ]
    );
    let records = [record(r#"{"count":7,"stats":{"rate":0.5}}"#)];
    let shaped = table.shape(&records);
    assert_eq!(
        shaped.alterations,
        [Alteration::Widen {
            column: column("stats__rate", FieldType::Number),
            from: FieldType::Integer,
        }]
    );
    assert_eq!(shaped.rows[0].values[1], Value::Text("7".into()));
}

#[test]
fn removed_records_are_rows_without_values_and_broken_ones_are_refused() {
    let mut table = Table::new(&stream());
    let gone = JsonRecord {
        removed: true,
        ..record("")
    };
    let records = [
        gone,
        record("[1]"),
        record("{\"id\":"),
        record("{} x"),
        record("{\"id\":\"b\"}"),
    ];
    let shaped = table.shape(&records);
    assert_eq!(shaped.rejected.len(), 3);
    assert_eq!(shaped.rows.len(), 2);
    assert_eq!(shaped.rows[0].values, []);
    assert_eq!(shaped.rows[1].values.len(), 5);
}

#[test]
fn columns_have_an_end() {
    let mut table = Table::new(&stream());
    for start in (0..20_000).step_by(500) {
        let fields: Vec<String> = (start..start + 500)
            .map(|n| format!("\"f{n}\":{n}"))
            .collect();
        let records = [record(format!("{{\"id\":\"a\",{}}}", fields.join(",")))];
        let shaped = table.shape(&records);
        assert_eq!(shaped.rows[0].values[0], Value::Text("a".into()));
    }
    assert_eq!(table.columns().len(), MAX_COLUMNS);
}

#[test]
fn nesting_without_end_is_one_column() {
    let mut table = Table::new(&stream());
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let records = [record(deep)];
    let shaped = table.shape(&records);
    assert_eq!(shaped.alterations.len(), 1);
    assert!(matches!(shaped.rows[0].values.last(), Some(Value::Json(_))));
}

#[test]
fn streams_of_one_name_share_a_table() {
    let other = Arc::new(
        Stream::new("things")
            .with("count", FieldType::Number)
            .with("own", FieldType::Date),
    );
    let mut table = Table::new(&stream());
    let records = [
        record(r#"{"count":1}"#),
        JsonRecord {
            stream: other,
            ..record(r#"{"count":2,"own":"2026-11-21"}"#)
        },
    ];
    let shaped = table.shape(&records);
    assert_eq!(
        shaped.alterations,
        [
            Alteration::Widen {
                column: column("count", FieldType::Number),
                from: FieldType::Integer,
            },
            Alteration::Add(column("own", FieldType::Date)),
        ]
    );
    assert_eq!(shaped.rows[0].values[1], Value::Number(1.0));
    assert_eq!(shaped.rows[1].values[1], Value::Number(2.0));
    assert_eq!(table.shape(&records).alterations, []);
}

#[test]
fn of_several_versions_the_newest_is_left() {
    let version = |stream: &str, key: &str, n: u32| JsonRecord {
        stream: Arc::new(Stream::new(stream)),
        key: Key::new(key),
        ..record(n.to_string())
    };
    let records = [
        version("b", "x", 1),
        version("a", "y", 1),
        version("a", "x", 1),
        version("b", "x", 2),
        version("a", "x", 3),
        version("a", "x", 2),
    ];
    let left: Vec<(&str, &str, &[u8])> = newest(&records)
        .into_iter()
        .map(|record| (&**record.stream.name(), record.key.as_str(), &*record.data))
        .collect();
    assert_eq!(
        left,
        [("a", "x", &b"2"[..]), ("a", "y", b"1"), ("b", "x", b"2")]
    );
}

#[test]
fn what_no_warehouse_holds_costs_no_record() {
    let mut table = Table::new(&stream());
    let line = r#"{"id":"a\u0000\ud83d","extra":["\u0000","\\u0000"]}"#;
    assert_eq!(
        values(&mut table, &[line], "id"),
        [Value::Text("a\u{fffd}\u{fffd}".into())]
    );
    assert_eq!(
        values(&mut table, &[line], "extra"),
        [Value::Json("[\"\u{fffd}\",\"\\\\u0000\"]".into())]
    );
}

#[test]
fn the_schema_is_json_schema() {
    let schema = stream().with("stats.rate", FieldType::Number).json_schema();
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["properties"]["count"]["type"][0], "integer");
    assert_eq!(schema["properties"]["seen_at"]["format"], "date-time");
    assert_eq!(
        schema["properties"]["stats"]["properties"]["rate"]["type"][0],
        "number"
    );
}

#[test]
fn an_array_at_a_path_does_not_keep_objects_there_in_one_piece() {
    let mut table = Table::new(&stream());
    let records = [record(r#"{"a":{"b":1}}"#), record(r#"{"a":[]}"#)];
    for _ in 0..2 {
        let shaped = table.shape(&records);
        let values: Vec<_> = shaped.rows.iter().map(|row| &row.values[5..]).collect();
        assert_eq!(values[0], [Value::Integer(1), Value::Null]);
        assert_eq!(values[1], [Value::Null, Value::Json("[]".into())]);
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,8}|[0-9]{1,3}|2026-11-21|".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::hash_map("[abA]{1,2}|count|born", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever comes, every row has a value for each column, of the column's type, and a second look changes nothing.
    #[test]
    fn rows_always_fit_their_columns(
        objects in proptest::collection::vec(
            proptest::collection::hash_map("[abA]{1,2}|count|born|seen_at|extra|id", any_json(), 0..5),
            1..12,
        ),
    ) {
        let mut table = Table::new(&stream());
        let records: Vec<JsonRecord> = objects
            .into_iter()
            .map(|map| record(serde_json::to_vec(&map).unwrap()))
            .collect();
        let first = table.shape(&records);
        prop_assert_eq!(&first.rejected, &[]);
        for row in &first.rows {
            prop_assert_eq!(row.values.len(), table.columns().len());
            for (value, column) in row.values.iter().zip(table.columns()) {
                let holds = match value {
                    Value::Null => continue,
                    Value::Boolean(_) => FieldType::Boolean,
                    Value::Integer(_) => FieldType::Integer,
                    Value::Number(_) => FieldType::Number,
                    Value::Date(_) => FieldType::Date,
                    Value::Timestamp(_) => FieldType::Timestamp,
                    Value::Text(_) => FieldType::Text,
                    Value::Json(_) => FieldType::Json,
                };
                prop_assert_eq!(holds, column.holds);
            }
        }
        let values: Vec<_> = first.rows.into_iter().map(|row| row.values).collect();
        let second = table.shape(&records);
        prop_assert_eq!(second.alterations, []);
        prop_assert_eq!(second.rows.into_iter().map(|row| row.values).collect::<Vec<_>>(), values);
    }
}
