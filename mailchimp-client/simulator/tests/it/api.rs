//! A simulated account with a clock that tests move, and requests to it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, Method, Request, Response};
use loopback::{Outcome, Reply, Simulator};
use mailchimp_simulator::{
    AccountSpec, AudienceHandle, AudienceSpec, MailchimpSimulator, Settings, Spread,
};
use serde_json::Value;

pub(crate) const KEY: &str = "0123456789abcdef-us6";
pub(crate) const LIST: &str = "a1b2c3d4e5";

/// The account and its clock.
pub(crate) struct Api {
    pub(crate) simulator: MailchimpSimulator,
    clock: Arc<Mutex<DateTime<Utc>>>,
}

/// A response with its body read as JSON; `Null` when there is none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Noon of a day in 2026.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// So many seconds after noon.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(Mutex::new(noon()));
        let now = Arc::clone(&clock);
        let mut settings = Settings::new(KEY, Arc::new(move || *now.lock().unwrap()));
        change(&mut settings);
        Self {
            simulator: MailchimpSimulator::new(settings),
            clock,
        }
    }

    /// An audience whose members changed at noon.
    pub(crate) fn audience(&self, members: u32) -> AudienceHandle {
        self.audience_of(members, |_| {})
    }

    pub(crate) fn audience_of(
        &self,
        members: u32,
        change: impl FnOnce(&mut AudienceSpec),
    ) -> AudienceHandle {
        let mut spec = AudienceSpec::new(LIST, members);
        spec.spread = Spread::OneSecond(noon());
        change(&mut spec);
        self.simulator.add_audience(spec)
    }

    pub(crate) fn pass(&self, seconds: i64) {
        *self.clock.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    pub(crate) fn pass_millis(&self, millis: i64) {
        *self.clock.lock().unwrap() += TimeDelta::milliseconds(millis);
    }

    pub(crate) fn handle(&self, method: &Method, path: &str, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("/3.0{path}"))
            .header("authorization", format!("Bearer {KEY}"))
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap();
        self.simulator.handle(request)
    }

    pub(crate) fn ask(&self, method: &Method, path: &str, body: &str) -> Answer {
        Answer::of(whole(self.handle(method, path, body)))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&Method::GET, path, "")
    }

    /// The body of a GET that must succeed.
    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(&Method::POST, path, &body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(&Method::PUT, path, &body.to_string())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask(&Method::PATCH, path, &body.to_string())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask(&Method::DELETE, path, "")
    }

    /// Values of one key of a list's rows.
    pub(crate) fn column(&self, path: &str, rows: &str, key: &str) -> Vec<Value> {
        self.read(path)[rows]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[key].clone())
            .collect()
    }

    /// Addresses in a member list with these parameters.
    pub(crate) fn addresses(&self, parameters: &str) -> Vec<String> {
        let path = format!("/lists/{LIST}/members?count=1000&{parameters}");
        let addresses = self.column(&path, "members", "email_address");
        addresses
            .iter()
            .map(|address| address.as_str().unwrap().to_owned())
            .collect()
    }
}

impl Answer {
    pub(crate) fn of(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn title(&self) -> &str {
        self.body["title"].as_str().unwrap_or("")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// An account with a handful of everything.
pub(crate) fn full() -> Api {
    let api = Api::new();
    api.simulator.fill(AccountSpec::full());
    api
}

/// The rows of a collection.
pub(crate) fn rows(api: &Api, path: &str, key: &str) -> Vec<Value> {
    api.read(path)[key].as_array().unwrap().clone()
}

/// The response of a reply that is one.
pub(crate) fn whole(reply: Reply) -> Response<Bytes> {
    match reply.outcome {
        Outcome::Response(response) => response,
        other => panic!("no whole response but {other:?}"),
    }
}
