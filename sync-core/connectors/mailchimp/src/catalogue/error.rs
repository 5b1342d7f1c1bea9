//! What can go wrong with a stream.

use std::error::Error as StdError;
use std::fmt;

use mailchimp_client::Error as ClientError;
use sync_core::{Error, ErrorKind};

use crate::error::translate_as;

/// Translates a failed call of a stream. The path is named as a template, without ids.
pub(super) fn translate(error: ClientError, operation: &'static str, stream: &str) -> Error {
    // Only the API's own word counts: a firewall's 404 page is no proof that something is gone.
    if error.is_not_found() && error.problem().is_none() {
        let message = "a 404 that is not the API's own";
        return Error::new(ErrorKind::Invalid, operation, message)
            .with("stream", stream)
            .caused_by(error);
    }
    let missing = "the account has no such thing";
    translate_as(error, operation, missing).with("stream", stream)
}

/// Why an id cannot be asked for below, today or tomorrow: it has no path that is surely its own. The cause of errors that
/// say so.
#[derive(Debug)]
struct Pathless(Box<dyn StdError + Send + Sync>);

impl fmt::Display for Pathless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Pathless {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// Whether it is an id that stands in the way, so that another run would fare no better.
pub(super) fn is_pathless(error: &Error) -> bool {
    error.source().is_some_and(<dyn StdError>::is::<Pathless>)
}

/// An id of a parent that cannot stand in a path.
pub(super) fn useless_path(error: ClientError, stream: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "read stream",
        "the id of a parent cannot stand in a path",
    )
    .with("stream", stream)
    .caused_by(Pathless(error.into()))
}

/// A 404 below an id with a slash: the server may have taken the slash for one of its own, which proves nothing about
/// the thing with that id.
pub(super) fn doubted<'i>(
    error: Error,
    stream: &str,
    ids: impl IntoIterator<Item = &'i String>,
) -> Error {
    let slash = |id: &String| id.contains(['/', '\\']);
    if error.kind() != ErrorKind::Missing || !ids.into_iter().any(slash) {
        return error;
    }
    Error::new(
        ErrorKind::Invalid,
        "read stream",
        "a 404 below an id with a slash, which the server may not take",
    )
    .with("stream", stream)
    .caused_by(Pathless(error.into()))
}

/// Rows without a usable id.
pub(super) fn useless_rows(stream: &str, rows: usize) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "read stream",
        "rows that are no objects or have no id cannot be delivered",
    )
    .with("stream", stream)
    .with("rows", rows)
}

/// A collection that was read again and again and never stood still.
pub(super) fn restless(stream: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "read stream",
        "the collection changed so much while it was read that its pages never joined; the next run tries again",
    )
    .with("stream", stream)
}

/// A cursor that this version did not write, or for another stream.
pub(super) fn foreign_cursor(stream: &str) -> Error {
    Error::new(
        ErrorKind::State,
        "read stream",
        "the stored cursor is not one of this stream; reset the import to start over",
    )
    .with("stream", stream)
}
