//! Cursors of an audience: what is not refused is read to the end, and nothing new is left out.

#![no_main]

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use libfuzzer_sys::fuzz_target;
use mailchimp_client::Client;
use mailchimp_simulator::MailchimpSimulator;
use serde_json::Value;
use sync_core::{Change, Cursor, Keyed, Position, Source};
use sync_fuzz::{LIST, assert_silent, noon, run, simulated};
use sync_mailchimp::{AudienceSettings, AudienceSource};

static ACCOUNT: LazyLock<(MailchimpSimulator, Client)> = LazyLock::new(simulated);

fuzz_target!(|state: &[u8]| {
    let Ok(state) = serde_json::from_slice::<Value>(state) else {
        return;
    };
    let (simulator, client) = &*ACCOUNT;
    let settings = AudienceSettings::default();
    let lookback = TimeDelta::seconds(settings.lookback_seconds.into());
    let source =
        AudienceSource::new(client.clone(), LIST, settings, Arc::new(noon)).expect("a source");
    let position = Position::Cursor(Cursor {
        state: state.clone(),
        complete_until: None,
    });
    let mut reader = match source.read(position) {
        Ok(reader) => reader,
        Err(error) => return assert_silent(&error),
    };
    assert_eq!(state["list_id"], LIST);
    let (seen, last) = run(async {
        let mut seen = HashSet::new();
        let mut last = None;
        while let Some(batch) = reader.next_batch().await.expect("the server answers") {
            assert!(batch.failures.is_empty());
            for change in batch.items {
                assert!(matches!(change, Change::Present(_)));
                seen.insert(change.key().as_str().to_owned());
            }
            last = batch.resume.or(last);
        }
        (seen, last)
    });
    let last = last.expect("a read ends with a cursor");
    assert!(last.complete_until.is_some_and(|time| time <= noon()));
    assert!(
        source.read(Position::Cursor(last)).is_ok(),
        "our own cursor is refused"
    );

    let until = state["until"]
        .as_i64()
        .expect("a cursor says how far it got");
    for member in simulator.audience(LIST).members() {
        if (member.last_changed + lookback).timestamp() > until {
            assert!(
                seen.contains(&member.contact_id),
                "{member:?} changed since and was left out"
            );
        }
    }
});
