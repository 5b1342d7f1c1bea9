//! A simulated Ometria account that clients reach without a network.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use loopback::{Outcome, Simulator as _};
use ometria_client::{
    ApiKey, Client, Record, RecordClient, RetryPolicy, Transport, TransportError,
    TransportErrorKind,
};
use ometria_simulator::{OmetriaSimulator, Settings};
use sync_ometria::{DeliveryEvent, DeliveryHooks};
use url::Url;

const KEY: &str = "key-of-tests";

/// The defaults of the simulator, with a clock that stands still.
pub(crate) fn settings() -> Settings {
    Settings::new(KEY, Arc::new(|| DateTime::UNIX_EPOCH))
}

pub(crate) fn client(simulator: &OmetriaSimulator) -> Client {
    client_with(simulator, RetryPolicy::default())
}

pub(crate) fn client_with(simulator: &OmetriaSimulator, retry: RetryPolicy) -> Client {
    Client::builder(ApiKey::new(KEY).unwrap())
        .base_url(Url::parse("http://localhost/v2").unwrap())
        .transport(Arc::new(InProcess(simulator.clone())))
        .retry(retry)
        .build()
        .unwrap()
}

pub(crate) fn record_client(simulator: &OmetriaSimulator) -> RecordClient {
    RecordClient::builder(ApiKey::new(KEY).unwrap())
        .base_url(Url::parse("http://localhost/").unwrap())
        .transport(Arc::new(InProcess(simulator.clone())))
        .build()
        .unwrap()
}

/// Pushes one record, at once and without a client's waiting.
pub(crate) fn push_now(simulator: &OmetriaSimulator, record: &Record) {
    let body = serde_json::to_vec(&[record]).unwrap();
    let request = http::Request::post("/v2/push")
        .header("x-ometria-auth", KEY)
        .body(Bytes::from(body))
        .unwrap();
    let Outcome::Response(response) = simulator.handle(request).outcome else {
        panic!("the simulated account did not answer");
    };
    assert!(response.status().is_success(), "{response:?}");
    let reply: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(reply["rejected"], 0, "{reply}");
}

#[derive(Debug)]
struct InProcess(OmetriaSimulator);

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let reply = self.0.handle(request);
        tokio::time::sleep(reply.after).await;
        match reply.outcome {
            Outcome::Response(response) => Ok(response),
            Outcome::CutBody { .. } | Outcome::Reset => {
                Err(TransportError::new(TransportErrorKind::Interrupted))
            }
            Outcome::Hang => std::future::pending().await,
        }
    }
}

/// Remembers what a sink told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// How many events' `Debug` forms begin with this.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard
            .iter()
            .filter(|event| event.starts_with(beginning))
            .count()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl DeliveryHooks for Heard {
    fn on_event(&self, event: &DeliveryEvent<'_>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("{event:?}"));
    }
}
