//! Answers to a push.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ometria_client::{Contact, PushStatus, Record, RetryPolicy};
use serde_json::Value;
use sync_fuzz::{Answer, Answering, assert_silent, ometria, run};

const KNOWN: [&str; 6] = [
    "status",
    "request_id",
    "accepted",
    "rejected",
    "skipped",
    "rejected_items",
];

fuzz_target!(|body: &[u8]| {
    let value = serde_json::from_slice::<Value>(body).ok();
    let answer = Answer::new(202, Bytes::copy_from_slice(body));
    let client = ometria(Answering::always(answer))
        .retry(RetryPolicy::never())
        .build()
        .expect("a client");
    let records = ["1", "2"].map(|id| Record::from(Contact::new("c", id)));
    let receipt = match run(client.push_records(records.to_vec())) {
        Ok(receipt) => receipt,
        Err(error) => {
            assert_silent(&error);
            assert!(!value.is_some_and(|value| value.is_object()));
            return;
        }
    };
    let Some(Value::Object(value)) = value else {
        panic!("what is no object was taken for a receipt");
    };
    let shown = format!("{receipt:?}");
    assert!(!shown.contains('@'), "an answer is quoted: {shown}");

    // Nothing is lost.
    for (name, value) in &value {
        if !KNOWN.contains(&name.as_str()) {
            assert_eq!(receipt.extra.get(name), Some(value));
        }
    }
    assert!(
        receipt
            .extra
            .keys()
            .all(|name| !KNOWN.contains(&name.as_str()))
    );

    // Only an answer without a doubt confirms, and for one number of records only.
    let none_or_zero = |name| {
        let zero = [Value::from(0), Value::from(0.0), Value::from("0")];
        match value.get(name) {
            Some(Value::Number(number)) => {
                number.as_f64() == Some(0.0) || number.as_u64().is_none()
            }
            Some(value) => {
                value
                    .as_str()
                    .is_none_or(|text| text.trim().parse::<u64>().unwrap_or(0) == 0)
                    || zero.contains(value)
            }
            None => true,
        }
    };
    if receipt.confirms(2) {
        assert!(receipt.accepted.is_none_or(|accepted| accepted == 2));
        assert_ne!(receipt.status, PushStatus::Error);
        assert!(none_or_zero("rejected") && none_or_zero("skipped"));
        assert!(
            matches!(value.get("rejected_items"), None | Some(Value::Null))
                || receipt.rejected_items.is_empty()
        );
        assert!(receipt.accepted.is_none() || !receipt.confirms(3));
    }
    if value
        .get("accepted")
        .and_then(Value::as_u64)
        .is_some_and(|accepted| accepted != 2)
    {
        assert!(!receipt.confirms(2));
    }
});
