//! Queries as the simulated Mailchimp reads them.

#![no_main]

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Uri};
use libfuzzer_sys::fuzz_target;
use loopback::{Outcome, Simulator};
use mailchimp_simulator::{MailchimpSimulator, RequestInfo, When};
use serde_json::Value;
use sync_fuzz::{LIST, MAILCHIMP_KEY, simulated};

/// The account, and what it took the last request for.
type Listened = (MailchimpSimulator, Arc<Mutex<Option<RequestInfo>>>);

static ACCOUNT: LazyLock<Listened> = LazyLock::new(|| {
    let (simulator, _) = simulated();
    let heard = Arc::new(Mutex::new(None));
    let hook = heard.clone();
    simulator.on_request(When::Before, move |info, _| {
        *hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.clone());
    });
    (simulator, heard)
});

fuzz_target!(|query: &[u8]| {
    let Some(uri) = std::str::from_utf8(query).ok().and_then(|query| {
        format!("/3.0/lists/{LIST}/members?{query}")
            .parse::<Uri>()
            .ok()
    }) else {
        return;
    };
    // What a URI makes of it: a fragment is not part of the query.
    let expected: Vec<(String, String)> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .filter(|(name, _)| name != "apikey")
            .collect();
    let (simulator, heard) = &*ACCOUNT;
    let request = Request::get(uri)
        .header("authorization", format!("Bearer {MAILCHIMP_KEY}"))
        .body(Bytes::new())
        .expect("a request");
    let Outcome::Response(response) = simulator.handle(request).outcome else {
        panic!("no fault was asked for");
    };
    let answer: Value = serde_json::from_slice(response.body()).expect("every answer is JSON");
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(info) = heard {
        assert_eq!(info.query, expected);
        let rows = answer["members"].as_array().map_or(0, Vec::len) as u64;
        if response.status() == 200 {
            let most = info.count.expect("a count that is no number is refused");
            assert!(rows <= most.min(1000));
        }
    }
    match response.status().as_u16() {
        200 => assert!(answer.is_object()),
        status => {
            assert!((400..500).contains(&status), "{status}");
            assert_eq!(answer["status"], status);
        }
    }
});
