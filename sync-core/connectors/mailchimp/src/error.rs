//! From what the client says to what the engine's operator does.

use mailchimp_client::Error as ClientError;
use sync_core::{Error, ErrorKind, Retry};

use crate::cursor::time;
use crate::page::NoPage;
use crate::plan::{Defect, Part, Sweep};

/// Translates a failed call about an audience.
pub(crate) fn translate(error: ClientError, operation: &'static str, list_id: &str) -> Error {
    let missing = "the account has no such audience or member";
    translate_as(error, operation, missing).with("list_id", list_id)
}

/// Translates a failed call. `missing` says what a 404 means.
///
/// The client's messages hold no key, address or body, so its error is kept as the cause.
pub(crate) fn translate_as(
    error: ClientError,
    operation: &'static str,
    missing: &'static str,
) -> Error {
    let kind = kind_of(&error);
    let message = match kind {
        ErrorKind::Missing => missing,
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

/// Why a page could not be had.
pub(crate) fn no_page(reason: NoPage, list_id: &str) -> Error {
    match reason {
        NoPage::Failed(error) => translate(error, "read window", list_id),
        NoPage::Timeless => Error::new(
            ErrorKind::Invalid,
            "read window",
            "no member of the page says when it changed; leave last_changed in the fields asked for",
        )
        .with("list_id", list_id),
    }
}

/// What is wrong with a window's pages.
pub(crate) fn defect(found: Defect, list_id: &str) -> Error {
    let message = match found {
        Defect::Unsorted => "the page is not sorted by last_changed as asked",
        Defect::OutOfBounds => "the page has members outside the window asked for",
        Defect::Miscounted => "more members are counted than listed, however often asked",
        Defect::Reordered => {
            "members of one second come in changing order, and not all of them were seen"
        }
    };
    Error::new(ErrorKind::Invalid, "read window", message).with("list_id", list_id)
}

/// The reader's task died.
pub(crate) fn stopped() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "read window",
        "the reader stopped without a result",
    )
}

/// A window in words.
pub(crate) fn describe(part: &Part) -> String {
    let who = match part.sweep {
        Sweep::Listed => "members",
        Sweep::Archived => "archived members",
        Sweep::Unsubscribed => "unsubscribed members",
    };
    let until = time(part.before).format("%Y-%m-%dT%H:%M:%SZ");
    match part.since.map(time) {
        Some(since) => {
            format!(
                "{who} changed after {} until {until}",
                since.format("%Y-%m-%dT%H:%M:%SZ")
            )
        }
        None => format!("{who} changed until {until}"),
    }
}
