//! The answers that the vendor documents, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sync_core::table::{Alteration, Column, Table, Value};
use sync_core::{AsJson, JsonRecord, Keyed};

use crate::catalogue::definition::{Rows, StreamDefinition};
use crate::catalogue::record::Place;
use crate::catalogue::{members, stream, streams};

/// An answer for each stream, by family.
const SAMPLES: &[&str] = &[
    include_str!("../../../tests/fixtures/catalogue/account.json"),
    include_str!("../../../tests/fixtures/catalogue/audiences.json"),
    include_str!("../../../tests/fixtures/catalogue/automations.json"),
    include_str!("../../../tests/fixtures/catalogue/campaigns.json"),
    include_str!("../../../tests/fixtures/catalogue/conversations.json"),
    include_str!("../../../tests/fixtures/catalogue/ecommerce.json"),
    include_str!("../../../tests/fixtures/catalogue/engagement.json"),
    include_str!("../../../tests/fixtures/catalogue/facebook_ads.json"),
    include_str!("../../../tests/fixtures/catalogue/files.json"),
    include_str!("../../../tests/fixtures/catalogue/landing_pages.json"),
    include_str!("../../../tests/fixtures/catalogue/lists.json"),
    include_str!("../../../tests/fixtures/catalogue/members.json"),
    include_str!("../../../tests/fixtures/catalogue/orders.json"),
    include_str!("../../../tests/fixtures/catalogue/reports.json"),
    include_str!("../../../tests/fixtures/catalogue/segments.json"),
    include_str!("../../../tests/fixtures/catalogue/surveys.json"),
    include_str!("../../../tests/fixtures/catalogue/templates.json"),
];

/// Columns that records bring, named after what an audience calls its own fields.
const OPEN: &[&str] = &["merge_fields__", "interests__"];

/// Every stream with the rows of its sample.
fn samples() -> Vec<(&'static StreamDefinition, Vec<Json>)> {
    let mut answers: BTreeMap<String, Json> = BTreeMap::new();
    for sample in SAMPLES {
        let family: BTreeMap<String, Json> = serde_json::from_str(sample).expect("a JSON object");
        answers.extend(family);
    }
    streams()
        .chain([members()])
        .map(|definition| {
            let answer = answers.remove(definition.name).expect(definition.name);
            let rows = match definition.rows.items() {
                None => vec![answer],
                Some(items) => answer[items].as_array().expect(definition.name).clone(),
            };
            assert!(!rows.is_empty(), "{}", definition.name);
            (definition, rows)
        })
        .collect()
}

fn place(definition: &'static StreamDefinition) -> Place {
    let above = definition.variables().map(|_| "above".to_owned()).collect();
    Place::new(definition, &Arc::from("account"), above)
}

fn records(definition: &'static StreamDefinition, rows: &[Json]) -> Vec<JsonRecord> {
    let stream = Arc::new(definition.stream());
    let place = place(definition);
    let mut records = Vec::new();
    for row in rows {
        let read = place.records(&Bytes::from(row.to_string()), &mut records);
        read.expect(definition.name);
    }
    records
        .into_iter()
        .map(|record| JsonRecord {
            stream: stream.clone(),
            key: record.key(),
            data: record.as_json(),
            removed: false,
        })
        .collect()
}

/// The row as the API gives it where nothing is known: texts and dates empty, objects without fields, lists without entries.
/// Numbers, switches and what names the record stay.
fn emptied(definition: &StreamDefinition, row: &Json) -> Json {
    let Rows::Nested { inside, .. } = definition.rows else {
        return without_content(row, definition.key);
    };
    let mut row = row.clone();
    if let Some(Json::Array(entries)) = row.get_mut(inside) {
        for entry in entries {
            *entry = without_content(entry, definition.key);
        }
    }
    row
}

fn without_content(value: &Json, kept: &[&str]) -> Json {
    match value {
        Json::String(_) => Json::from(""),
        Json::Array(_) => Json::Array(Vec::new()),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = if kept.contains(&name.as_str()) {
                    value.clone()
                } else {
                    without_content(value, &[])
                };
                (name.clone(), value)
            })
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

/// What the records ask of the table that was made for them, but for the columns that are an audience's own.
fn asked_for(table: &mut Table, records: &[JsonRecord]) -> Vec<Alteration> {
    let shaped = table.shape(records);
    assert!(shaped.rejected.is_empty());
    shaped
        .alterations
        .into_iter()
        .filter(|alteration| match alteration {
            Alteration::Add(Column { name, .. }) => !OPEN.iter().any(|open| name.starts_with(open)),
            Alteration::Widen { .. } => true,
        })
        .collect()
}

#[test]
fn documented_answers_fit_their_tables() {
    for (definition, rows) in samples() {
        let records = records(definition, &rows);
        let keys: HashSet<_> = records.iter().map(|record| &record.key).collect();
        assert_eq!(keys.len(), records.len(), "{}", definition.name);
        let mut table = Table::new(&definition.stream());
        let asked = asked_for(&mut table, &records);
        assert_eq!(asked, [], "{}", definition.name);
    }
}

#[test]
fn empty_answers_fit_their_tables() {
    for (definition, rows) in samples() {
        let rows: Vec<Json> = rows.iter().map(|row| emptied(definition, row)).collect();
        let mut table = Table::new(&definition.stream());
        let asked = asked_for(&mut table, &records(definition, &rows));
        assert_eq!(asked, [], "{}", definition.name);
    }
}

#[test]
fn every_declared_field_is_documented() {
    for (definition, rows) in samples() {
        let records = records(definition, &rows);
        let mut table = Table::new(&definition.stream());
        let declared = table.columns().len();
        let shaped = table.shape(&records);
        let filled: BTreeSet<usize> = shaped
            .rows
            .iter()
            .flat_map(|row| row.values.iter().enumerate())
            .filter(|(_, value)| **value != Value::Null)
            .map(|(place, _)| place)
            .collect();
        let columns = table.columns().iter().take(declared);
        let empty: Vec<&str> = columns
            .enumerate()
            .filter(|(place, _)| !filled.contains(place))
            .map(|(_, column)| column.name.as_str())
            .collect();
        assert!(empty.is_empty(), "{}: {empty:?}", definition.name);
    }
}

#[test]
fn a_name_may_be_empty_but_an_id_may_not() {
    let taken = |name, row: Json| {
        let place = place(stream(name).expect(name));
        place
            .records(&Bytes::from(row.to_string()), &mut Vec::new())
            .is_ok()
    };
    // Members whose country nobody knows.
    assert!(taken(
        "list_locations",
        json!({"cc": "", "country": "", "total": 3})
    ));
    assert!(taken("list_clients", json!({"client": "", "members": 3})));
    assert!(!taken("list_clients", json!({"members": 3})));
    assert!(!taken(
        "list_clients",
        json!({"client": null, "members": 3})
    ));
    assert!(!taken("lists", json!({"id": ""})));
    assert!(!taken("merge_fields", json!({"merge_id": ""})));
}
