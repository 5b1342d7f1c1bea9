//! From what the client says to what the engine's operator does.

use mailchimp_client::Error as ClientError;
use sync_core::{Error, ErrorKind, Retry};

/// Translates a failed call.
///
/// The client's messages hold no key, address or body, so its error is kept as the cause.
pub(crate) fn translate(error: ClientError, operation: &'static str, list_id: &str) -> Error {
    let kind = kind_of(&error);
    let message = match kind {
        ErrorKind::Missing => "the account has no such audience or member",
        ErrorKind::Denied => "the credential is not accepted or its role is too low",
        ErrorKind::Config => "the client cannot make this request",
        ErrorKind::Invalid => "the answer is not what the API documents",
        _ if error.is_throttle() => "the API throttles this account",
        _ => "the API could not be reached or failed",
    };
    let retry = match kind {
        ErrorKind::Unavailable if error.retries_spent() => Retry::Exhausted,
        ErrorKind::Unavailable => Retry::Later { after: None },
        _ => Retry::Never,
    };
    Error::new(kind, operation, message)
        .with("list_id", list_id)
        .retry_as(retry)
        .caused_by(error)
}

fn kind_of(error: &ClientError) -> ErrorKind {
    if error.is_throttle() || error.is_timeout_or_server() {
        return ErrorKind::Unavailable;
    }
    match error.status() {
        Some(404) => return ErrorKind::Missing,
        Some(401 | 403) => return ErrorKind::Denied,
        // Something between us and the API answers, or the API changed.
        Some(_) => return ErrorKind::Invalid,
        None => {}
    }
    match error {
        ClientError::Transport(_) => ErrorKind::Unavailable,
        ClientError::Configuration(_) | ClientError::Request(_) => ErrorKind::Config,
        ClientError::OAuth(_) => ErrorKind::Denied,
        _ => ErrorKind::Invalid,
    }
}
