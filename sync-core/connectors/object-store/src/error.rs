//! What went wrong at the store or on the disk, in the words of [`sync_core::Error`].

use std::error::Error as _;
use std::io;

use object_store::Error as StoreError;
use sync_core::{Error, ErrorKind, Retry};

/// What the engine is told when `operation` met `error` at the store.
///
/// The store's own text stays behind: it has request addresses and whatever the other side wrote into its answer. What helps
/// comes along as `status` and `code`.
pub(crate) fn translate(operation: &'static str, error: &StoreError) -> Error {
    if let Some(cause) = in_chain::<io::Error>(error) {
        return from_io_kind(operation, cause.kind());
    }
    let said = said(error);
    let (kind, message) = classify(error, &said);
    let retry = match kind {
        // The store's client repeats what can be repeated.
        ErrorKind::Unavailable => Retry::Exhausted,
        _ => Retry::Never,
    };
    let mut translated = Error::new(kind, operation, message).retry_as(retry);
    if let Some(status) = said.status {
        translated = translated.with("status", status);
    }
    if let Some(code) = said.code {
        translated = translated.with("code", code);
    }
    translated
}

/// What the engine is told when a file in the scratch directory could not be written or read.
pub(crate) fn from_io(operation: &'static str, error: &io::Error) -> Error {
    from_io_kind(operation, error.kind())
}

/// What the engine is told when a data file is not what this crate writes.
pub(crate) fn damaged(operation: &'static str, path: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Invalid,
        operation,
        "the file is damaged or not one of ours: move it away and read its records again",
    )
    .with("path", path)
}

fn from_io_kind(operation: &'static str, kind: io::ErrorKind) -> Error {
    let message = match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free some space and run again, what was flushed is kept"
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: give this user access to the directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: choose another directory"
        }
        io::ErrorKind::NotADirectory => "a part of the path is a file: choose another directory",
        io::ErrorKind::NotFound => "there is no such file",
        _ => "the file system refused",
    };
    Error::new(ErrorKind::State, operation, message).caused_by(io::Error::from(kind))
}

/// What the other side answered, as far as it shows: the store's error type keeps it as text only.
#[derive(Debug, Default)]
struct Said {
    status: Option<u16>,
    code: Option<String>,
    transport: Option<Transport>,
}

/// How far a request came that got no usable answer.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "cloud"),
    expect(dead_code, reason = "a directory is not asked over a network")
)]
enum Transport {
    NotUnderstood,
    Broken,
}

#[cfg(feature = "cloud")]
fn transport(error: &StoreError) -> Option<Transport> {
    use object_store::client::{HttpError, HttpErrorKind};
    match in_chain::<HttpError>(error)?.kind() {
        HttpErrorKind::Decode => Some(Transport::NotUnderstood),
        _ => Some(Transport::Broken),
    }
}

#[cfg(not(feature = "cloud"))]
fn transport(_: &StoreError) -> Option<Transport> {
    None
}

fn said(error: &StoreError) -> Said {
    let mut said = Said {
        transport: transport(error),
        ..Said::default()
    };
    let text = error.to_string();
    if let Some((_, rest)) = text.split_once("status code: ") {
        said.status = rest.get(..3).and_then(|digits| digits.parse().ok());
    }
    said.code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code.to_owned())
        .filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    said
}

fn in_chain<E: std::error::Error + 'static>(error: &StoreError) -> Option<&E> {
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref::<E>() {
            return Some(found);
        }
        cause = next.source();
    }
    None
}

fn classify(error: &StoreError, said: &Said) -> (ErrorKind, &'static str) {
    match (said.code.as_deref(), said.status) {
        (Some("NoSuchBucket" | "ContainerNotFound"), _) => {
            return (
                ErrorKind::Missing,
                "there is no such bucket: check its name and region, or create it",
            );
        }
        (Some("SlowDown" | "ServerBusy" | "RequestLimitExceeded"), _) | (_, Some(429)) => {
            return (ErrorKind::Unavailable, "the store asks for fewer requests");
        }
        (Some("ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch"), _) => {
            return (
                ErrorKind::Denied,
                "the store does not accept the credential",
            );
        }
        (_, Some(500..)) => return (ErrorKind::Unavailable, "the store fails"),
        _ => {}
    }
    match error {
        StoreError::NotFound { .. } => (
            ErrorKind::Missing,
            "there is no such object or bucket: check the bucket's name and region",
        ),
        StoreError::PermissionDenied { .. } => (
            ErrorKind::Denied,
            "the credential may not do this here: give it leave to list, read, write and delete below the prefix",
        ),
        StoreError::Unauthenticated { .. } => (
            ErrorKind::Denied,
            "the store does not accept the credential",
        ),
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => (
            ErrorKind::Conflict,
            "somebody else wrote the same object meanwhile",
        ),
        StoreError::InvalidPath { .. } => (
            ErrorKind::Config,
            "the path cannot stand in an object store: choose another directory or prefix",
        ),
        StoreError::UnknownConfigurationKey { .. } => {
            (ErrorKind::Config, "the store knows no setting of that name")
        }
        StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => (
            ErrorKind::Config,
            "the store cannot do this: choose another one",
        ),
        _ => match said.transport {
            Some(Transport::NotUnderstood) => (
                ErrorKind::Invalid,
                "the answer is not what the store documents",
            ),
            Some(Transport::Broken) => (ErrorKind::Unavailable, "no connection to the store"),
            None if said.status.is_some() => {
                (ErrorKind::Invalid, "the store does not accept the request")
            }
            None => (ErrorKind::Config, "the store cannot be used like this"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> StoreError {
        StoreError::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn every_error_has_a_kind() {
        let path = || "a".to_owned();
        let cause = || "secret address".into();
        let table = [
            (
                StoreError::NotFound {
                    path: path(),
                    source: cause(),
                },
                ErrorKind::Missing,
            ),
            (
                StoreError::PermissionDenied {
                    path: path(),
                    source: cause(),
                },
                ErrorKind::Denied,
            ),
            (
                StoreError::Unauthenticated {
                    path: path(),
                    source: cause(),
                },
                ErrorKind::Denied,
            ),
            (
                StoreError::AlreadyExists {
                    path: path(),
                    source: cause(),
                },
                ErrorKind::Conflict,
            ),
            (
                generic("status code: 503 Service Unavailable: <Code>SlowDown</Code>"),
                ErrorKind::Unavailable,
            ),
            (
                generic("status code: 500 Internal Server Error"),
                ErrorKind::Unavailable,
            ),
            (
                generic("status code: 404 Not Found: <Code>NoSuchBucket</Code>"),
                ErrorKind::Missing,
            ),
            (
                generic("status code: 400 Bad Request: <Code>ExpiredToken</Code>"),
                ErrorKind::Denied,
            ),
            (generic("status code: 400 Bad Request"), ErrorKind::Invalid),
            (generic("no idea"), ErrorKind::Config),
        ];
        for (error, kind) in table {
            let translated = translate("put object", &error);
            assert_eq!(translated.kind(), kind, "{error}");
            assert!(
                !translated.chain().contains("secret"),
                "the store's text stays behind"
            );
        }
    }

    #[test]
    fn a_full_disk_is_found_below_the_stores_own_errors() {
        let error = StoreError::Generic {
            store: "LocalFileSystem",
            source: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
        };
        let translated = translate("put object", &error);
        assert_eq!(translated.kind(), ErrorKind::State);
        assert!(translated.to_string().contains("the disk is full"));
    }
}
