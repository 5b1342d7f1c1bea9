//! The promises of every source.

use std::time::Duration;

use chrono::TimeDelta;
use mailchimp_simulator::{AudienceSpec, Spread, StatusMix};
use sync_mailchimp::AudienceSettings;

use crate::api::{Api, LIST, noon};

#[tokio::test(start_paused = true)]
async fn the_source_keeps_the_promises_of_every_source() {
    let (from, to) = (noon() - TimeDelta::days(100), noon() - TimeDelta::days(1));
    for spread in [Spread::Scattered { from, to }, Spread::OneSecond(from)] {
        let api = Api::new(|_| {});
        let mut spec = AudienceSpec::new(LIST, 400);
        spec.spread = spread;
        spec.statuses = StatusMix::SHOP;
        api.simulator.add_audience(spec);
        let settings = AudienceSettings {
            items_per_request: 30,
            ..Default::default()
        };
        sync_testkit::source::conformance(async || {
            tokio::time::advance(Duration::from_secs(1)).await;
            api.source(settings.clone())
        })
        .await;
    }
}
