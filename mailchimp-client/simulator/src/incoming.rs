//! A request as it comes in.

use bytes::Bytes;
use http::Method;

use crate::credential;
use crate::problem::Problem;
use crate::query::{Call, Query, Twist, decode};
use crate::route::Resource;
use crate::settings::Settings;

/// A request as hooks and fault rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// How many requests came before it.
    pub number: u64,
    /// The method, after an override.
    pub method: Method,
    /// The path template, such as `/lists/{list_id}/members`; `unknown` for paths that are not simulated.
    pub template: &'static str,
    /// The decoded path below `/3.0`, such as `/lists/a1b2c3/members`.
    pub path: String,
    /// Decoded query parameters in their order.
    pub query: Vec<(String, String)>,
    /// Rows asked for, when the answer is a paged collection: 10 unless `count` says otherwise.
    pub count: Option<u64>,
}

impl RequestInfo {
    /// A call as a request.
    pub(crate) fn of(call: &Call, number: u64) -> Self {
        let names = call.segments();
        let resource = Resource::at(&names);
        let paged = call.method == Method::GET && resource.is_some_and(Resource::is_paged);
        let count = call
            .query
            .get("count")
            .map_or(Some(10), |count| count.parse().ok());
        Self {
            number,
            method: call.method.clone(),
            template: resource.map_or(UNKNOWN, Resource::template),
            path: format!("/{}", names.join("/")),
            query: call.query.without("apikey"),
            count: count.filter(|_| paged),
        }
    }

    /// Method and path template, such as `GET /lists/{list_id}/members`.
    pub fn operation(&self) -> String {
        if self.template == UNKNOWN {
            return UNKNOWN.to_owned();
        }
        format!("{} {}", self.method, self.template)
    }

    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    }
}

const UNKNOWN: &str = "unknown";

/// A request, decoded, with what decides whether it is let in.
pub(crate) struct Incoming {
    pub(crate) info: RequestInfo,
    pub(crate) call: Call,
    known: bool,
    override_misused: bool,
    authorization: credential::Given,
    triggered: Option<Problem>,
}

impl Incoming {
    pub(crate) fn new(number: u64, parts: &http::request::Parts, body: Bytes) -> Self {
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let path = parts.uri.path().strip_prefix("/3.0");
        let below = path.filter(|path| path.is_empty() || path.starts_with('/'));
        let segments: Vec<String> = below
            .unwrap_or("")
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect();
        let overridden = header("x-http-method-override").and_then(|name| name.parse().ok());
        let method = overridden.clone().unwrap_or_else(|| parts.method.clone());
        let query = Query::parse(parts.uri.query().unwrap_or(""));
        let call = Call {
            method,
            path: segments,
            query,
            body,
            twist: Twist::default(),
        };
        let mut info = RequestInfo::of(&call, number);
        if below.is_none() {
            // The path is empty then, and not that of the account.
            info.template = UNKNOWN;
        }
        let known = info.template != UNKNOWN;
        Self {
            known,
            override_misused: overridden.is_some() && parts.method != Method::POST,
            authorization: credential::Given::read(&parts.headers, &parts.method, &call.query),
            triggered: header("x-trigger-error").and_then(Problem::triggered),
            info,
            call,
        }
    }

    /// Whether the request gets to the API at all.
    pub(crate) fn admitted(&self, settings: &Settings) -> Result<(), Problem> {
        if let Some(problem) = &self.triggered {
            return Err(problem.clone());
        }
        self.authorization.check(&settings.api_key)?;
        if self.override_misused {
            return Err(Problem::method_override());
        }
        if self.known {
            Ok(())
        } else {
            Err(Problem::not_found())
        }
    }
}
