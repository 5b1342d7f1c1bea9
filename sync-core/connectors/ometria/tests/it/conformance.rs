//! What every sink promises, promised by these.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use ometria_simulator::{Claim, OmetriaSimulator};
use sync_core::Key;
use sync_ometria::{
    Delivery, OmetriaSink, PushSettings, RecordDelivery, RecordSettings, RecordSink,
};
use sync_testkit::SinkTrial;

use crate::{account, deliveries, record};

/// Every version is in the first name: `version 3`.
fn version_in(fields: &serde_json::Map<String, serde_json::Value>) -> Option<u32> {
    fields
        .get("firstname")?
        .as_str()?
        .strip_prefix("version ")?
        .parse()
        .ok()
}

struct Push(OmetriaSimulator);

#[async_trait]
impl SinkTrial for Push {
    type Record = Delivery;
    type Sink = OmetriaSink;

    async fn open(&self) -> OmetriaSink {
        let client = account::client(&self.0);
        OmetriaSink::new(client, &PushSettings::default(), Arc::new(())).unwrap()
    }

    fn record(&self, key: &str, version: u32) -> Delivery {
        deliveries::version(key, "subscribed", version)
    }

    fn removal(&self, key: &str) -> Option<Delivery> {
        Some(deliveries::gone(key))
    }

    fn unacceptable(&self, key: &str) -> Option<Delivery> {
        Some(deliveries::oversized(key))
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        let listings = self.0.listings().into_iter();
        let present = listings.filter(|listing| listing.claim != Some(Claim::OptedOut));
        present
            .filter_map(|listing| {
                Some((Key::new(listing.id.clone()), version_in(&listing.fields)?))
            })
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_push_sink_keeps_every_promise() {
    sync_testkit::sink::conformance(async || Push(OmetriaSimulator::new(account::settings())))
        .await;
}

/// The endpoint cannot list its rows, so the trial remembers which keys it made rows for.
struct Rows {
    simulator: OmetriaSimulator,
    made: std::sync::Mutex<std::collections::BTreeSet<String>>,
}

#[async_trait]
impl SinkTrial for Rows {
    type Record = RecordDelivery;
    type Sink = RecordSink;

    async fn open(&self) -> RecordSink {
        let client = account::record_client(&self.simulator);
        RecordSink::new(client, &RecordSettings::default(), Arc::new(())).unwrap()
    }

    fn record(&self, key: &str, version: u32) -> RecordDelivery {
        self.made.lock().unwrap().insert(key.to_owned());
        record::row(key, &format!("version {version}"))
    }

    fn removal(&self, _key: &str) -> Option<RecordDelivery> {
        None
    }

    fn unacceptable(&self, _key: &str) -> Option<RecordDelivery> {
        None
    }

    async fn durable(&self) -> BTreeMap<Key, u32> {
        let made = self.made.lock().unwrap().clone();
        let versions = made.into_iter().filter_map(|key| {
            let version = version_in(&self.simulator.row(&key)?)?;
            Some((Key::new(key), version))
        });
        let versions: BTreeMap<Key, u32> = versions.collect();
        assert_eq!(versions.len(), self.simulator.row_count());
        versions
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_sink_keeps_every_promise() {
    sync_testkit::sink::conformance(async || Rows {
        simulator: OmetriaSimulator::new(account::settings()),
        made: std::sync::Mutex::default(),
    })
    .await;
}
