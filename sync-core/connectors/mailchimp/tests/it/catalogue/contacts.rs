//! Contacts, the stream whose pages name the next one.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use mailchimp_client::{Client, Transport, TransportError, TransportResponse};
use mailchimp_simulator::{AccountSpec, AudienceSpec};
use sync_core::Source;
use sync_mailchimp::catalogue::CatalogueAccount;

use super::{Held, source, source_of};
use crate::api::{Api, KEY, clock, drain};

#[tokio::test(start_paused = true)]
async fn the_keys_of_contacts_are_those_of_all_their_pages() {
    let api = Api::new(|_| {});
    let mut spec = AccountSpec::full();
    spec.audiences[1] = AudienceSpec::new("0000000001", 2_300);
    api.simulator.fill(spec);
    let contacts = source(&api, "audience_contacts");
    let mut held = Held::default();
    held.read(&contacts).await.expect("reading works");
    assert_eq!(held.count("audience_id", "0000000001"), 2_300);
    let keys = contacts.keys().expect("they can be read");
    let keys = drain(keys.expect("they are remembered")).await;
    let keys: BTreeSet<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
    assert!(keys.iter().eq(held.records.keys()));
}

/// A server that names the last contact of each page, the last one's too: what the documentation says of the cursor, word
/// by word.
#[derive(Debug)]
struct NamesTheLast;

#[async_trait]
impl Transport for NamesTheLast {
    async fn send(&self, request: loopback::Request) -> Result<TransportResponse, TransportError> {
        let asked = request.uri();
        let query = asked.query().unwrap_or_default();
        let body = if asked.path().ends_with("/contacts") {
            if query.contains("cursor=c1") {
                r#"{"contacts":[],"next_cursor":"c1"}"#
            } else {
                r#"{"contacts":[{"id":"c0"},{"id":"c1"}],"next_cursor":"c1"}"#
            }
        } else if asked.path().ends_with("/audiences") {
            r#"{"audiences":[{"id":"a"}],"total_items":1}"#
        } else {
            r#"{"account_id":"acc"}"#
        };
        Ok(TransportResponse::full(
            StatusCode::OK,
            HeaderMap::new(),
            body.to_owned(),
        ))
    }
}

#[tokio::test(start_paused = true)]
async fn contacts_end_with_an_empty_page_that_names_itself() {
    let client = Client::builder(KEY)
        .transport(Arc::new(NamesTheLast))
        .build()
        .expect("the client's settings are right");
    let clock = clock();
    let account = CatalogueAccount::new(client);
    let contacts = source_of(account, "audience_contacts", Arc::new(move || clock()));
    let mut held = Held::default();
    held.read(&contacts).await.expect("reading works");
    assert!(held.failures.is_empty(), "{:?}", held.failures);
    assert_eq!(held.count("audience_id", "a"), 2);
}
