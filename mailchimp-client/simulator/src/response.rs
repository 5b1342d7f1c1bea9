//! Answers as HTTP responses, whole or wrong.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use loopback::Outcome;

use crate::faults::Fault;
use crate::member::{hex, mix};
use crate::problem::Problem;
use crate::render::Answer;
use crate::settings::{DateHeader, Settings};

/// Bodies below this are not compressed.
const WORTH_COMPRESSING: usize = 1024;

/// What goes around every answer to one request.
pub(crate) struct Envelope {
    request_id: String,
    date: Option<String>,
    gzip: bool,
}

impl Envelope {
    pub(crate) fn new(settings: &Settings, number: u64, headers: &HeaderMap) -> Self {
        let now = (settings.now)();
        let date = match settings.date_header {
            DateHeader::Right => Some(now),
            DateHeader::Missing => None,
            DateHeader::Skewed(by) => now.checked_add_signed(by),
        };
        let accepts_gzip = headers
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .split(',')
                    .any(|coding| coding.trim().starts_with("gzip"))
            });
        Self {
            request_id: uuid(settings.seed, number),
            date: date.map(|date| date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            gzip: settings.gzip && accepts_gzip,
        }
    }

    pub(crate) fn answer(&self, answer: Answer) -> Response<Bytes> {
        self.response(answer.status, answer.content_type, answer.body)
    }

    pub(crate) fn problem(&self, problem: &Problem) -> Response<Bytes> {
        let body = problem.body(&self.request_id).to_string();
        let content_type = "application/problem+json; charset=utf-8";
        let mut response = self.response(problem.status, content_type, body.into());
        if let Some(allow) = problem.allow {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }

    fn response(&self, status: u16, content_type: &'static str, body: Bytes) -> Response<Bytes> {
        let gzip = self.gzip && body.len() >= WORTH_COMPRESSING;
        let mut response = Response::new(if gzip { compressed(&body) } else { body });
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.insert(
            header::LINK,
            HeaderValue::from_static(
                r#"<https://us1.api.mailchimp.com/schema/3.0/Definitions/Root.json>; rel="describedBy""#,
            ),
        );
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        self.dated(response)
    }

    /// What a server in front of the API sends: no request id, and no JSON.
    fn front(&self, status: u16, body: &'static str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(body.as_bytes()));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let html = HeaderValue::from_static("text/html");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        self.dated(response)
    }

    fn dated(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        if let Some(Ok(date)) = self.date.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert(header::DATE, date);
        }
        response
    }
}

/// What a fault shows instead of carrying out the request, if it is of that kind.
pub(crate) fn instead(fault: Fault, envelope: &Envelope) -> Option<Outcome> {
    const PAGE: &str = "<html><head><title>Error</title></head><body>An error occurred while \
                        processing your request.</body></html>";
    if let Some(problem) = fault.problem() {
        return Some(Outcome::Response(envelope.problem(&problem)));
    }
    let response = match fault {
        Fault::Status429Empty => envelope.front(429, ""),
        Fault::Status403Html => envelope.front(403, PAGE),
        Fault::Status5xxHtml(status) => envelope.front(status, PAGE),
        Fault::GatewayTimeout => envelope.front(504, PAGE),
        Fault::Garbage => envelope.response(
            200,
            crate::render::JSON,
            Bytes::from_static(b"{\"members\":[{\"id\":"),
        ),
        Fault::EmptyBody => envelope.response(200, crate::render::JSON, Bytes::new()),
        Fault::Reset => return Some(Outcome::Reset),
        Fault::Hang => return Some(Outcome::Hang),
        Fault::Redirect(url) => {
            let mut response = envelope.front(302, "");
            let url = HeaderValue::from_static(url);
            response.headers_mut().insert(header::LOCATION, url);
            response
        }
        Fault::Status429
        | Fault::Status5xxJson
        | Fault::Forbidden
        | Fault::NotFound
        | Fault::Truncated
        | Fault::Without(_)
        | Fault::Null(_)
        | Fault::CutBody
        | Fault::WrongTotal(_)
        | Fault::Unsorted
        | Fault::EmptyPage
        | Fault::Slow(_)
        | Fault::ReplyLost => return None,
    };
    Some(Outcome::Response(response))
}

/// What a fault leaves of a response.
pub(crate) fn left_of(response: Response<Bytes>, fault: Option<Fault>) -> Outcome {
    let half = response.body().len() / 2;
    match fault {
        Some(Fault::ReplyLost) => Outcome::Reset,
        Some(Fault::CutBody) => Outcome::CutBody {
            response,
            sent: half,
        },
        Some(Fault::Truncated) => Outcome::Response(response.map(|body| body.slice(..half))),
        _ => Outcome::Response(response),
    }
}

fn compressed(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(body);
    encoder
        .finish()
        .map_or_else(|_| Bytes::copy_from_slice(body), Bytes::from)
}

/// An id in UUID form.
fn uuid(seed: u64, number: u64) -> String {
    let high = mix(seed ^ mix(number));
    let digits = hex(&[high.to_be_bytes(), mix(high).to_be_bytes()].concat());
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-")
}
