//! An audience on a server that answers anything: reading ends, and gives nothing that was not sent.

#![no_main]

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arbitrary::Arbitrary;
use http::header::{DATE, HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sync_core::{Keyed, Position, Source};
use sync_fuzz::{Answer, Answering, LIST, assert_silent, mailchimp, noon, run};
use sync_mailchimp::{AudienceSettings, AudienceSource};

/// More requests than this mean that a read does not end.
const MOST_REQUESTS: usize = 20_000;

/// Answers, given in turn and then again from the first.
#[derive(Arbitrary, Debug)]
struct Server {
    pages: Vec<Page>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Page {
    Rows {
        rows: Vec<(u8, u16)>,
        /// Small, as a second that promises rows and does not give them is read in as many passes as those rows would take.
        total: Option<u8>,
    },
    Status(u8),
}

fn answer(page: &Page, sent: &Mutex<HashSet<String>>) -> Answer {
    match page {
        Page::Rows { rows, total } => {
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            let row = |(id, age): &(u8, u16)| {
                let id = format!("{id:032x}");
                sent.insert(id.clone());
                let changed = noon() - chrono::TimeDelta::seconds((*age).into());
                json!({"id": id, "contact_id": id, "last_changed": changed.to_rfc3339()})
            };
            let rows: Vec<_> = rows.iter().map(row).collect();
            Answer::new(
                200,
                json!({"members": rows, "total_items": total}).to_string(),
            )
        }
        Page::Status(status) => Answer::new(400 + u16::from(*status), "{}"),
    }
}

fuzz_target!(|server: Server| {
    if server.pages.is_empty() {
        return;
    }
    let sent = Arc::new(Mutex::new(HashSet::new()));
    let seen = sent.clone();
    let requests = AtomicUsize::new(0);
    let pages = server.pages;
    let transport = Answering::by(move |request| {
        let date = HeaderValue::from_static("Sun, 01 Mar 2026 12:00:00 GMT");
        let headers = HeaderMap::from_iter([(DATE, date)]);
        if !request.uri().path().ends_with("/members") {
            return Answer::new(200, "{}").with_headers(headers);
        }
        let number = requests.fetch_add(1, Ordering::Relaxed);
        assert!(number < MOST_REQUESTS, "reading does not end");
        answer(&pages[number % pages.len()], &seen).with_headers(headers)
    });
    run(async {
        let client = mailchimp(transport).build().expect("a client");
        let settings = AudienceSettings {
            items_per_request: 10,
            ..AudienceSettings::default()
        };
        let source = AudienceSource::new(client, LIST, settings, Arc::new(noon)).expect("a source");
        source.check().await.expect("the audience is there");
        let mut reader = source.read(Position::Start).expect("a start");
        loop {
            match reader.next_batch().await {
                Ok(None) => return,
                Err(error) => return assert_silent(&error),
                Ok(Some(batch)) => {
                    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                    assert!(
                        batch
                            .items
                            .iter()
                            .all(|change| sent.contains(change.key().as_str()))
                    );
                    for failure in &batch.failures {
                        assert_silent(&failure.error);
                    }
                    if let Some(cursor) = batch.resume {
                        assert!(
                            source.read(Position::Cursor(cursor)).is_ok(),
                            "our own cursor is refused"
                        );
                    }
                }
            }
        }
    });
});
