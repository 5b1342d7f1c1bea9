//! An account with a clock that stands still until it is moved, and short ways to ask it something.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, Request};
use loopback::{Outcome, Reply, Simulator};
use ometria_simulator::{OmetriaSimulator, Settings};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "test-key";

/// Microseconds since the epoch.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap();
        self.0
            .fetch_add(by.num_microseconds().unwrap(), Ordering::Relaxed);
    }
}

pub(crate) struct Account {
    pub(crate) simulator: OmetriaSimulator,
    pub(crate) clock: Clock,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Account {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let start: DateTime<Utc> = "2024-05-01T12:00:00Z".parse().unwrap();
        let clock = Clock(Arc::new(AtomicI64::new(start.timestamp_micros())));
        let hand = clock.clone();
        let now = move || DateTime::from_timestamp_micros(hand.0.load(Ordering::Relaxed)).unwrap();
        let mut settings = Settings::new(KEY, Arc::new(now));
        change(&mut settings);
        Self {
            simulator: OmetriaSimulator::new(settings),
            clock,
        }
    }

    pub(crate) fn reply(&self, request: Request<Bytes>) -> Reply {
        self.simulator.handle(request)
    }

    fn ask(&self, request: Request<Bytes>) -> Answer {
        match self.reply(request).outcome {
            Outcome::Response(response) => {
                let (head, body) = response.into_parts();
                Answer {
                    status: head.status.as_u16(),
                    headers: head.headers,
                    body,
                }
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(
            Request::get(path)
                .header("X-Ometria-Auth", KEY)
                .body(Bytes::new())
                .unwrap(),
        )
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(post(path, "X-Ometria-Auth", KEY, body.to_string()))
    }

    pub(crate) fn push(&self, records: &Value) -> Answer {
        self.post("/v2/push", records)
    }

    /// Pushes one contact of the collection `shop` and expects it to be accepted.
    pub(crate) fn push_contact(&self, id: &str, fields: &Value) {
        let answer = self.push(&json!([contact(id, fields)]));
        assert_eq!(answer.json()["accepted"], 1);
    }

    pub(crate) fn record(&self, body: &str) -> Answer {
        self.ask(post("/record", "Authorization", KEY, body.to_owned()))
    }

    pub(crate) fn optin(&self, email: &str) -> Option<bool> {
        self.simulator.profile(email).unwrap().marketing_optin
    }
}

pub(crate) fn post(path: &str, header: &str, key: &str, body: String) -> Request<Bytes> {
    Request::post(path)
        .header(header, key)
        .body(Bytes::from(body))
        .unwrap()
}

pub(crate) fn contact(id: &str, fields: &Value) -> Value {
    let mut contact = json!({"@type": "contact", "@collection": "shop", "@merge": true, "id": id});
    contact
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    contact
}
