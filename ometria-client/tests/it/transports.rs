//! Transports without a network: answers from a script, and the simulator on the test's own clock.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use loopback::{Outcome, Simulator};
use ometria_client::{
    ApiKey, Client, ClientBuilder, Hooks, RecordClient, RecordClientBuilder, RequestEvent,
    Transport, TransportError, TransportErrorKind,
};
use ometria_simulator::OmetriaSimulator;
use tokio::time::{Instant, sleep};

pub(crate) const KEY: &str = "0a1b2c3d-secret-key";

/// What the script does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Answer(Response<Bytes>),
    Fail(TransportErrorKind),
    Hang,
}

pub(crate) fn answer(status: u16, body: &str) -> Act {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Act::Answer(Response::builder().status(status).body(body).unwrap())
}

pub(crate) fn answer_with(status: u16, header: (&str, &str), body: &str) -> Act {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let response = Response::builder()
        .status(status)
        .header(header.0, header.1);
    Act::Answer(response.body(body).unwrap())
}

/// Plays its acts in order, repeats the last one, and notes each request and its time.
#[derive(Debug)]
pub(crate) struct Script {
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<(Instant, Request<Bytes>)>>,
}

impl Script {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self {
            acts: Mutex::new(acts.into_iter().collect()),
            seen: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn times(&self) -> Vec<Instant> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| *at)
            .collect()
    }

    pub(crate) fn last(&self) -> Request<Bytes> {
        self.seen.lock().unwrap().last().unwrap().1.clone()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.seen.lock().unwrap().push((Instant::now(), request));
        let act = {
            let mut acts = self.acts.lock().unwrap();
            if acts.len() > 1 {
                acts.pop_front()
            } else {
                acts.front().cloned()
            }
        };
        match act.unwrap() {
            Act::Answer(response) => Ok(response),
            Act::Fail(kind) => Err(TransportError::new(kind)),
            Act::Hang => pending().await,
        }
    }
}

/// The simulator, with its delays on tokio's clock.
#[derive(Debug)]
pub(crate) struct Simulated(pub(crate) OmetriaSimulator);

#[async_trait]
impl Transport for Simulated {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let reply = self.0.handle(request);
        sleep(reply.after).await;
        match reply.outcome {
            Outcome::Response(response) => Ok(response),
            Outcome::CutBody { .. } | Outcome::Reset => {
                Err(TransportError::new(TransportErrorKind::Interrupted))
            }
            Outcome::Hang => pending().await,
        }
    }
}

/// Keeps what it hears.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<RequestEvent>>);

impl Heard {
    pub(crate) fn events(&self) -> Vec<RequestEvent> {
        self.0.lock().unwrap().clone()
    }
}

impl Hooks for Heard {
    fn on_request(&self, event: &RequestEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

pub(crate) fn key() -> ApiKey {
    ApiKey::new(KEY).unwrap()
}

pub(crate) fn builder(transport: Arc<dyn Transport>) -> ClientBuilder {
    Client::builder(key()).transport(transport)
}

pub(crate) fn client(transport: Arc<dyn Transport>) -> Client {
    builder(transport).build().unwrap()
}

pub(crate) fn record_builder(transport: Arc<dyn Transport>) -> RecordClientBuilder {
    let url = "https://records.example.com/api".parse().unwrap();
    RecordClient::builder(key())
        .base_url(url)
        .transport(transport)
}
