//! Answers, as bytes.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SERVER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::settings::{ErrorBody, ReplyVariant};

pub(crate) fn json(status: u16, body: &Value) -> Response<Bytes> {
    with_type(status, "application/json", body.to_string().into())
}

/// An error in the given form.
pub(crate) fn error(status: u16, message: &str, form: ErrorBody) -> Response<Bytes> {
    match form {
        ErrorBody::Json => json(
            status,
            &json!({"status": "ERROR", "error_message": message}),
        ),
        ErrorBody::Text => with_type(status, "text/plain", message.to_owned().into()),
        ErrorBody::Html => with_type(
            status,
            "text/html",
            format!("<html><body><h1>{status}</h1><p>{message}</p></body></html>\n").into(),
        ),
        ErrorBody::Empty => with_type(status, "text/plain", Bytes::new()),
    }
}

/// The record endpoint's word that it took `count` rows, byte for byte as captured from it.
pub(crate) fn record_taken(variant: ReplyVariant, count: u64) -> Response<Bytes> {
    let body = match variant {
        ReplyVariant::A => format!(r#"{{"content": {count}, "status": "OK"}}"#),
        ReplyVariant::B => format!(r#"{{"status": "Ok", "response": {count}}}"#),
    };
    let mut response = with_type(201, r#"application/json; charset="utf-8""#, body.into());
    if variant == ReplyVariant::B {
        response
            .headers_mut()
            .insert(SERVER, HeaderValue::from_static("TornadoServer/6.1"));
    }
    response
}

pub(crate) fn with_retry_after(
    mut response: Response<Bytes>,
    seconds: Option<u64>,
) -> Response<Bytes> {
    if let Some(seconds) = seconds {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(crate) fn with_queue(
    mut response: Response<Bytes>,
    limit: usize,
    remaining: usize,
) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert("x-queuesize-limit", HeaderValue::from(limit));
    headers.insert("x-queuesize-remaining", HeaderValue::from(remaining));
    response
}

fn with_type(status: u16, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
