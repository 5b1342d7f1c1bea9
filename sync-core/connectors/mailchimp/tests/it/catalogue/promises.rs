//! The promises of every source.

use std::sync::Arc;
use std::time::Duration;

use mailchimp_simulator::AccountSpec;
use sync_mailchimp::AudienceSettings;
use sync_mailchimp::catalogue::{CatalogueAccount, MembersSource};

use super::source;
use crate::api::Api;

#[tokio::test(start_paused = true)]
async fn streams_keep_the_promises_of_every_source() {
    for name in [
        "campaigns",
        "reports",
        "segments",
        "segment_members",
        "order_lines",
        "email_activity",
        "click_detail_members",
    ] {
        let api = Api::new(|_| {});
        api.simulator.fill(AccountSpec::full());
        sync_testkit::source::conformance(async || {
            tokio::time::advance(Duration::from_secs(1)).await;
            source(&api, name)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn members_keep_the_promises_of_every_source() {
    let api = Api::new(|_| {});
    api.simulator.fill(AccountSpec::full());
    sync_testkit::source::conformance(async || {
        tokio::time::advance(Duration::from_secs(1)).await;
        let clock = api.clock.clone();
        let account = CatalogueAccount::new(api.client.clone());
        let settings = AudienceSettings::default();
        MembersSource::new(account, "f0e1d2c3b4", settings, Arc::new(move || clock()))
            .expect("the settings are right")
    })
    .await;
}
