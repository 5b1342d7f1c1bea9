//! The list of push errors.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ometria_client::RetryPolicy;
use serde_json::Value;
use sync_fuzz::{Answer, Answering, assert_silent, ometria, run};

fuzz_target!(|body: &[u8]| {
    let value = serde_json::from_slice::<Value>(body).ok();
    let entries = value.as_ref().and_then(Value::as_array);
    let entries = entries.filter(|entries| entries.iter().all(Value::is_object));
    let answer = Answer::new(200, Bytes::copy_from_slice(body));
    let client = ometria(Answering::always(answer))
        .retry(RetryPolicy::never())
        .build()
        .expect("a client");
    match (run(client.push_errors()), entries) {
        (Err(error), None) => assert_silent(&error),
        (Ok(errors), Some(entries)) => {
            assert_eq!(errors.len(), entries.len());
            for (error, entry) in errors.iter().zip(entries) {
                assert_eq!(Some(error.raw()), entry.as_object());
                let text = |name| entry.get(name).and_then(Value::as_str);
                assert_eq!(error.request_id(), text("request_id"));
                let own = entry
                    .get("record")
                    .and_then(|record| record.get("id")?.as_str());
                assert_eq!(error.record_id(), text("record_id").or(own));
                if let Some(known) = error.known_message() {
                    assert_eq!(
                        error.error_message().map(str::to_lowercase),
                        Some(known.to_lowercase())
                    );
                }
                let shown = format!(
                    "{error:?} {:?} {:?}",
                    error.timestamp(),
                    error.known_message()
                );
                assert!(!shown.contains('@'), "an entry is quoted: {shown}");
            }
        }
        (Ok(_), None) => panic!("what is no list of objects was taken for one"),
        (Err(error), Some(_)) => panic!("a list was refused: {error}"),
    }
});
