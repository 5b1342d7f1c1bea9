//! Headers of answers: what they make the clients wait for, and what they say about an answer.

#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use ometria_client::{Contact, Record};
use sync_fuzz::{Answer, Answering, assert_silent, mailchimp, ometria, run};

/// No call waits longer than both policies allow.
const LONGEST: Duration = Duration::from_mins(5);
/// No call is sent more often than both policies allow.
const MOST_REQUESTS: u32 = 8;

/// Lines of `name: value`; what cannot be a header is passed over.
fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(32) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

fuzz_target!(|lines: &[u8]| {
    let headers = headers(lines);
    for status in [429, 503] {
        let requests = Arc::new(AtomicU32::new(0));
        let counted = requests.clone();
        let answer = Answer::new(status, "{}").with_headers(headers.clone());
        let transport = Answering::by(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            answer.clone()
        });
        run(async {
            let began = tokio::time::Instant::now();
            let client = mailchimp(transport.clone()).build().expect("a client");
            assert_silent(&client.ping().await.expect_err("the status says no"));
            assert!(began.elapsed() <= LONGEST);
            assert!(requests.swap(0, Ordering::Relaxed) <= MOST_REQUESTS);

            let began = tokio::time::Instant::now();
            let client = ometria(transport).build().expect("a client");
            assert_silent(&client.push_errors().await.expect_err("the status says no"));
            assert!(began.elapsed() <= LONGEST);
            assert!(requests.load(Ordering::Relaxed) <= MOST_REQUESTS);
        });
    }
    run(async {
        let body = r#"{"status":"OK","accepted":1}"#;
        let answer = Answer::new(200, body).with_headers(headers).in_pieces(5);
        let transport = Answering::always(answer);
        let client = mailchimp(transport.clone()).build().expect("a client");
        let fetched = client.ping().await.expect("headers spoil no answer");
        assert_eq!(fetched.meta.bytes, body.len() as u64);
        let client = ometria(transport).build().expect("a client");
        let records = vec![Record::from(Contact::new("c", "1"))];
        let receipt = client.push_records(records).await;
        assert!(receipt.expect("headers spoil no answer").confirms(1));
    });
});
