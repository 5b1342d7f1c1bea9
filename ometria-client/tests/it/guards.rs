use std::collections::HashSet;

use ometria_client::{
    Contact, Product, PushLimits, Record, RefusalReason, SmsCollection, SmsConsent, prepare,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn reasons(records: &[Record]) -> Vec<(usize, RefusalReason)> {
    let prepared = prepare(records, &PushLimits::default());
    prepared
        .refused
        .iter()
        .map(|refused| (refused.index, refused.reason))
        .collect()
}

#[test]
fn bad_records_are_named_and_the_others_go_on() {
    let long = "x".repeat(1_000);
    let records: Vec<Record> = vec![
        Contact::new("c", "1").into(),
        Contact::new("c", " ").into(),
        Contact::new("", "2").into(),
        Contact::new("optin:sms", "3").into(),
        Contact::new("Double_Optin:SMS", "4").into(),
        Contact::new("c", "someone@x.example").into(),
        Contact::new("c", "5").property("p", long.as_str()).into(),
        Contact::new("c", "6").firstname("x".repeat(60_000)).into(),
        Contact::new("c", "7").into(),
    ];
    let found = reasons(&records);
    assert_eq!(
        found[..5],
        [
            (1, RefusalReason::EmptyId),
            (2, RefusalReason::EmptyCollection),
            (3, RefusalReason::ReservedCollection),
            (4, RefusalReason::ReservedCollection),
            (5, RefusalReason::IdIsAddress),
        ]
    );
    assert_eq!(
        found[5],
        (
            6,
            RefusalReason::PropertiesTooLong {
                chars: 1_008,
                limit: 1_000
            }
        )
    );
    assert!(
        matches!(found[6], (7, RefusalReason::TooLarge { bytes, limit: 60_000 }) if bytes > 60_000)
    );
    let prepared = prepare(&records, &PushLimits::default());
    assert_eq!(prepared.batches.len(), 1);
    assert_eq!(prepared.batches[0].indexes(), [0, 8]);
}

#[test]
fn properties_are_counted_in_characters_names_and_quotes_included() {
    // {"p":"…"} is 8 characters around the value; an umlaut is one character and two bytes.
    let with = |count: usize| {
        Contact::new("c", "1")
            .property("p", "\u{fc}".repeat(count))
            .into()
    };
    assert!(reasons(&[with(992)]).is_empty());
    assert_eq!(reasons(&[with(993)]).len(), 1);
}

#[test]
fn sms_decisions_may_use_the_reserved_collections() {
    let at = "2024-01-02T03:04:05Z".parse().unwrap();
    let sms = SmsConsent::new(
        SmsCollection::AlreadyConfirmed,
        "1",
        "+441632960001",
        true,
        at,
    );
    assert!(reasons(&[sms.into()]).is_empty());
}

#[test]
fn a_second_version_waits_for_a_later_round() {
    let records: Vec<Record> = vec![
        Contact::new("c", "1").firstname("old").into(),
        Contact::new("c", "2").into(),
        Contact::new("c", "1").firstname("new").into(),
        Contact::new("d", "1").into(),
    ];
    let batches = prepare(&records, &PushLimits::default()).batches;
    let shape: Vec<_> = batches
        .iter()
        .map(|batch| (batch.round(), batch.indexes()))
        .collect();
    assert_eq!(shape, [(0, &[0, 1, 3][..]), (1, &[2][..])]);
}

#[test]
fn a_batch_can_be_halved_down_to_single_records() {
    let records: Vec<Record> = (0..5)
        .map(|i| Contact::new("c", i.to_string()).firstname("a,b]").into())
        .collect();
    let batch = prepare(&records, &PushLimits::default()).batches.remove(0);
    let mut open = vec![batch];
    let mut single = Vec::new();
    while let Some(batch) = open.pop() {
        match batch.halves() {
            Some((first, second)) => open.extend([second, first]),
            None => single.push(batch),
        }
    }
    assert_eq!(single.len(), 5);
    for (index, batch) in single.iter().enumerate() {
        assert_eq!(batch.indexes(), [index]);
        let body: Vec<Value> = serde_json::from_slice(batch.body()).unwrap();
        assert_eq!(body, [serde_json::to_value(&records[index]).unwrap()]);
    }
}

fn record() -> impl Strategy<Value = Record> {
    let collection = prop_oneof![
        8 => Just("c".to_owned()),
        4 => Just("d".to_owned()),
        1 => Just(String::new()),
        1 => Just("optin:sms".to_owned()),
    ];
    let id = prop_oneof![10 => (0..60u8).prop_map(|id| id.to_string()), 1 => Just(" ".to_owned()), 1 => ".*"];
    let size = prop_oneof![20 => 0..20usize, 1 => 900..1_100usize, 1 => 59_000..61_000usize];
    (collection, id, size, 0..4u8).prop_map(|(collection, id, size, kind)| match kind {
        0 => {
            let fields = Map::from_iter([("title".to_owned(), "x".repeat(size).into())]);
            Product { id, fields }.into()
        }
        1 => Contact::new(collection, id)
            .property("p", "x".repeat(size))
            .into(),
        _ => Contact::new(collection, id)
            .firstname("x".repeat(size))
            .into(),
    })
}

proptest! {
    #[test]
    fn every_record_is_in_exactly_one_batch_or_named_and_every_batch_keeps_the_limits(
        records in proptest::collection::vec(record(), 0..150),
        per_call in 1..=100usize,
    ) {
        let limits = PushLimits::default().records_per_call(per_call);
        let prepared = prepare(&records, &limits);
        let mut places: Vec<usize> = prepared.refused.iter().map(|refused| refused.index).collect();
        prop_assert!(places.is_sorted());
        let mut last_round = Vec::<((String, String), usize)>::new();
        for batch in &prepared.batches {
            places.extend(batch.indexes());
            prop_assert!((1..=per_call).contains(&batch.len()));
            let body: Vec<Value> = serde_json::from_slice(batch.body()).unwrap();
            prop_assert_eq!(body.len(), batch.len());
            let mut keys = HashSet::new();
            for (value, &index) in body.iter().zip(batch.indexes()) {
                prop_assert_eq!(value, &serde_json::to_value(&records[index]).unwrap());
                prop_assert_eq!(value["@type"].as_str(), Some(batch.record_type().as_str()));
                prop_assert!(value.to_string().len() <= 60_000);
                let text = |name: &str| value.get(name).map(ToString::to_string).unwrap_or_default();
                let key = (text("@type") + &text("@collection"), text("id"));
                prop_assert_ne!(text("id"), "\"\"");
                prop_assert_ne!(text("@collection"), "\"optin:sms\"");
                if let Some(properties) = value.get("properties") {
                    prop_assert!(properties.to_string().chars().count() <= 1_000);
                }
                prop_assert!(keys.insert(key.clone()));
                // Later versions come in later rounds, in the order they were given.
                let earlier = last_round.iter().filter(|(other, _)| *other == key);
                prop_assert!(earlier.clone().all(|(_, before)| *before < index));
                prop_assert_eq!(earlier.count(), batch.round());
                last_round.push((key, index));
            }
        }
        places.sort_unstable();
        prop_assert_eq!(places, (0..records.len()).collect::<Vec<_>>());
    }
}
