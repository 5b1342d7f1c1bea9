//! Profiles, listings, unsubscribes and deletion requests.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ometria_client::{ListProfiles, ListUnsubscribes, MarketingOptin, PageRequest, RetryPolicy};
use serde_json::Value;
use sync_fuzz::{Answer, Answering, assert_silent, ometria, run};

/// Takes what an answer is read as, or sees that its error keeps silent.
fn silent<T>(result: ometria_client::Result<T>) -> Option<T> {
    result.map_err(|error| assert_silent(&error)).ok()
}

fuzz_target!(|body: &[u8]| {
    let value = serde_json::from_slice::<Value>(body).ok();
    let answer = Answer::new(200, Bytes::copy_from_slice(body));
    let client = ometria(Answering::always(answer))
        .retry(RetryPolicy::never())
        .build()
        .expect("a client");
    let page = PageRequest::default();
    run(async {
        if let Some(Some(profile)) = silent(client.profile("1").await) {
            let Some(Value::Object(value)) = &value else {
                panic!("what is no object was taken for a profile");
            };
            assert_eq!(profile.raw(), value);
            // Consent that is not known is never taken for consent.
            if profile.marketing_optin() == MarketingOptin::OptedIn {
                let sent = &value["marketing_optin"];
                assert!(sent == true || sent.as_str().is_some_and(|word| word.contains("OPTEDIN")));
            }
        }
        if let Some(Some(profile)) = silent(client.profile_by_email("a@x.example").await) {
            let first = value.as_ref().map(|value| value.get(0).unwrap_or(value));
            assert_eq!(first.and_then(Value::as_object), Some(profile.raw()));
        }
        let listed = |items: usize| {
            assert_eq!(
                value.as_ref().and_then(Value::as_array).map(Vec::len),
                Some(items)
            );
        };
        if let Some(page) = silent(client.profiles(&ListProfiles::default()).await) {
            listed(page.items.len());
        }
        if let Some(page) = silent(client.contact_collections(page).await) {
            listed(page.items.len());
            for item in &page.items {
                let _ = (item.name(), item.count());
            }
        }
        if let Some(Some(listing)) = silent(client.listing("c", "1").await) {
            let _ = (listing.updated_at(), listing.marketing_optin());
        }
        if let Some(page) = silent(client.unsubscribes(&ListUnsubscribes::default()).await) {
            listed(page.items.len());
            for item in &page.items {
                let _ = (item.timestamp(), item.unsubscribe_type());
            }
        }
        if let Some(page) = silent(client.data_deletion_requests(page).await) {
            listed(page.items.len());
            for item in &page.items {
                let _ = (item.created_at(), item.completed_at());
            }
        }
    });
});
