//! Answers of the record endpoint.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ometria_client::RecordRow;
use serde_json::Value;
use sync_fuzz::{Answer, Answering, assert_silent, record_endpoint, run};

fn row(number: usize) -> RecordRow {
    RecordRow {
        id: number.to_string(),
        firstname: String::new(),
        lastname: String::new(),
        email: format!("{number}@x.example"),
        status: "subscribed".to_owned(),
    }
}

/// The count of an answer, however it is written.
fn count(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::String(text) => text.trim().parse::<u32>().ok().map(f64::from),
        number => number.as_f64(),
    }
}

fuzz_target!(|body: &[u8]| {
    let value = serde_json::from_slice::<Value>(body).ok();
    let field = |name| {
        value
            .as_ref()
            .and_then(|value| value.as_object()?.get(name))
    };
    let says_ok = field("status")
        .and_then(Value::as_str)
        .is_some_and(|word| word.eq_ignore_ascii_case("ok"));
    for (status, tolerant) in [(200, false), (200, true), (201, false), (201, true)] {
        for rows in 0..4 {
            let answer = Answer::new(status, Bytes::copy_from_slice(body));
            let client = record_endpoint(Answering::always(answer))
                .tolerant(tolerant)
                .build()
                .expect("a client");
            let rows: Vec<RecordRow> = (0..rows).map(row).collect();
            match run(client.send(&rows)) {
                Err(error) => {
                    assert_silent(&error);
                    let exact =
                        field("response").and_then(Value::as_u64) == Some(rows.len() as u64);
                    assert!(
                        !(says_ok && exact && (status == 201 || tolerant)),
                        "a confirmation was refused"
                    );
                }
                Ok(receipt) => {
                    assert_eq!(receipt.taken, rows.len() as u64);
                    assert!(says_ok && (status == 201 || tolerant));
                    let taken = Some(receipt.taken as f64);
                    assert!(count(field("response")) == taken || count(field("content")) == taken);
                }
            }
        }
    }
});
